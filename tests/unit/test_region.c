/* SPDX-License-Identifier: MIT */
/* Regions: finding, describing and deleting them. */
#include "support.h"

/* ---- vm_delete_region ---- */

static void test_vm_delete_region_unmaps(void)
{
    addr_t a;
    region_id id = new_region(&a, 3);
    size_t frames = sim_free_frames();
    number_pages(a, 3, 1);
    OK(vm_delete_region(program, id));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(sim_read_byte(a + PAGES(i)), ERR_VM_PF_BAD_ADDRESS);
    assert_true(sim_free_frames() >= frames);
    assert_int_equal(new_pages(3), a);
    assert_true(sim_is_filled(a, 0, PAGES(3)));
}

static void test_vm_delete_region_errors(void)
{
    addr_t a;
    region_id id = new_region(&a, 1);
    aspace_id other = vm_create_aspace("other", SIM_USER_BASE, PAGES(100), false);
    REFUSED(ERR_VM_INVALID_REGION, vm_delete_region(other, id));
    REFUSED(ERR_VM_INVALID_REGION, vm_delete_region(vm_get_kernel_aspace_id(), id));
    REFUSED(ERR_VM_INVALID_REGION, vm_delete_region(program, 0));
    REFUSED(ERR_VM_INVALID_REGION, vm_delete_region(program, -1));
    REFUSED(ERR_VM_INVALID_REGION, vm_delete_region(program, INT32_MAX));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_delete_region(0, id));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_delete_region(other + 99, id));
    OK(vm_delete_region(program, id));
    REFUSED(ERR_VM_INVALID_REGION, vm_delete_region(program, id));
    OK(vm_delete_aspace(other));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_delete_region(other, id));
}

static void test_vm_delete_region_ids_are_not_used_again(void)
{
    region_id last = 0;
    for (int i = 0; i < 50; i++) {
        addr_t a;
        region_id id = new_region(&a, 1);
        assert_true(id > last);
        last = id;
        OK(vm_delete_region(program, id));
    }
}

/* ---- vm_get_region_by_id, vm_put_region ---- */

static void test_vm_get_region_by_id_outlives_deletion(void)
{
    addr_t a;
    region_id id = new_region(&a, 1);
    number_pages(a, 1, 7);
    vm_region *region = vm_get_region_by_id(id);
    assert_non_null(region);
    OK(vm_delete_region(program, id));
    assert_int_equal(sim_read_byte(a), ERR_VM_PF_BAD_ADDRESS);
    assert_null(vm_get_region_by_id(id));
    vm_put_region(region);
}

static void test_vm_get_region_by_id_unknown(void)
{
    assert_null(vm_get_region_by_id(0));
    assert_null(vm_get_region_by_id(-1));
    assert_null(vm_get_region_by_id(INT32_MAX));
    assert_null(vm_get_region_by_id(INT32_MIN));
}

static void test_vm_put_region_many_references(void)
{
    addr_t a;
    region_id id = new_region(&a, 1);
    vm_region *region[10];
    for (int i = 0; i < 10; i++)
        region[i] = vm_get_region_by_id(id);
    for (int i = 0; i < 10; i++) {
        assert_ptr_equal(region[i], region[0]);
        vm_put_region(region[i]);
    }
    OK(sim_write_byte(a, 1));
}

/* ---- vm_find_region_by_name ---- */

static region_id named(const char *name, addr_t base)
{
    void *at = PTR(base);
    return vm_create_anonymous_region(program, name, &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                      REGION_WIRING_LAZY, LOCK_RW);
}

static void test_vm_find_region_by_name_first_in_order(void)
{
    region_id high = named("twin", SPOT + PAGES(10)), low = named("twin", SPOT);
    assert_int_equal(vm_find_region_by_name(program, "twin"), low);
    OK(vm_delete_region(program, low));
    assert_int_equal(vm_find_region_by_name(program, "twin"), high);
}

static void test_vm_find_region_by_name_errors(void)
{
    named("here", SPOT);
    assert_int_equal(vm_find_region_by_name(program, "her"), ERR_NOT_FOUND);
    assert_int_equal(vm_find_region_by_name(program, "here "), ERR_NOT_FOUND);
    assert_int_equal(vm_find_region_by_name(program, ""), ERR_NOT_FOUND);
    assert_int_equal(vm_find_region_by_name(0, "here"), ERR_VM_INVALID_ASPACE);
    assert_int_equal(vm_find_region_by_name(program + 77, "here"), ERR_VM_INVALID_ASPACE);
}

static void test_vm_find_region_by_name_long_names_are_cut(void)
{
    const char *name = "0123456789012345678901234567890123456789";
    region_id id = named(name, SPOT);
    vm_region_info info = region_info(id);
    assert_int_equal(strlen(info.name), VM_NAME_LENGTH - 1);
    assert_memory_equal(info.name, name, VM_NAME_LENGTH - 1);
    assert_int_equal(vm_find_region_by_name(program, info.name), id);
}

/* ---- vm_get_region_info, vm_get_next_region_info ---- */

static void test_vm_get_region_info_all_fields(void)
{
    void *at = PTR(SPOT);
    region_id id =
        vm_create_anonymous_region(program, "fields", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(3),
                                   REGION_WIRING_LAZY, LOCK_RW | LOCK_EXECUTE | REGION_SHARED);
    number_pages(SPOT, 2, 0);
    vm_region_info info = region_info(id);
    assert_int_equal(info.id, id);
    assert_int_equal(info.base, SPOT);
    assert_int_equal(info.size, PAGES(3));
    assert_int_equal(info.lock, LOCK_RW | LOCK_EXECUTE | REGION_SHARED);
    assert_int_equal(info.wiring, REGION_WIRING_LAZY);
    assert_string_equal(info.name, "fields");
    assert_int_equal(info.inherit, VM_INHERIT_SHARE);
    assert_int_equal(info.cache_offset, 0);
    assert_null(info.vnode);
    assert_int_equal(info.resident_pages, 2);
    assert_int_equal(info.chain_depth, 1);
}

static void test_vm_get_region_info_file(void)
{
    sim_file *file = sim_file_create_numbered("/f", 8);
    addr_t a, b;
    region_id shared = map_pages(&a, file, 2, LOCK_RO, REGION_NO_PRIVATE_MAP, 3);
    region_id private = map_pages(&b, file, 2, LOCK_RW, REGION_PRIVATE_MAP, 3);
    vm_region_info info = region_info(shared);
    assert_ptr_equal(info.vnode, file);
    assert_int_equal(info.mapping, REGION_NO_PRIVATE_MAP);
    assert_int_equal(info.cache_offset, PAGES(3));
    assert_int_equal(info.chain_depth, 1);
    info = region_info(private);
    assert_ptr_equal(info.vnode, file);
    assert_int_equal(info.mapping, REGION_PRIVATE_MAP);
    assert_int_equal(info.cache_offset, PAGES(3));
    OK(sim_write_byte(b, 0));
    assert_int_equal(region_info(private).chain_depth, 2);
}

static void test_vm_get_region_info_errors(void)
{
    addr_t a;
    vm_region_info info;
    region_id id = new_region(&a, 1);
    assert_int_equal(vm_get_region_info(id, NULL), ERR_INVALID_ARGS);
    assert_int_equal(vm_get_region_info(0, &info), ERR_VM_INVALID_REGION);
    assert_int_equal(vm_get_region_info(-7, &info), ERR_VM_INVALID_REGION);
    assert_int_equal(vm_get_region_info(id + 100, &info), ERR_VM_INVALID_REGION);
    OK(vm_delete_region(program, id));
    assert_int_equal(vm_get_region_info(id, &info), ERR_VM_INVALID_REGION);
}

static void test_vm_get_next_region_info_lists_in_order(void)
{
    enum { COUNT = 100 };
    for (addr_t i = 0; i < COUNT; i++)
        region_at(SPOT + PAGES(3 * (i * 37 % COUNT)), 1, LOCK_RW);
    vm_region_info info;
    addr_t cookie = 0;
    for (addr_t i = 0; i < COUNT; i++) {
        OK(vm_get_next_region_info(program, &cookie, &info));
        assert_int_equal(info.base, SPOT + PAGES(3 * i));
        assert_int_equal(cookie, info.base + PAGE);
    }
    assert_int_equal(vm_get_next_region_info(program, &cookie, &info), ERR_NOT_FOUND);
    cookie = SPOT + 1;
    OK(vm_get_next_region_info(program, &cookie, &info));
    assert_int_equal(info.base, SPOT);
    cookie = SPOT + PAGE;
    OK(vm_get_next_region_info(program, &cookie, &info));
    assert_int_equal(info.base, SPOT + PAGES(3));
}

static void test_vm_get_next_region_info_end_of_kernel_space(void)
{
    aspace_id kernel = vm_get_kernel_aspace_id();
    void *at = PTR(SIM_KERNEL_BASE + SIM_KERNEL_SIZE - PAGE);
    region_id id = vm_create_anonymous_region(kernel, "last", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                              REGION_WIRING_LAZY, LOCK_RW | LOCK_KERNEL);
    assert_true(id > 0);
    assert_true(count_regions(kernel) >= 2);
    OK(vm_delete_region(kernel, id));
}

static void test_vm_get_next_region_info_errors(void)
{
    addr_t cookie = 0;
    vm_region_info info;
    assert_int_equal(vm_get_next_region_info(program, &cookie, &info), ERR_NOT_FOUND);
    assert_int_equal(vm_get_next_region_info(program, &cookie, NULL), ERR_INVALID_ARGS);
    assert_int_equal(vm_get_next_region_info(program, NULL, &info), ERR_INVALID_ARGS);
    assert_int_equal(vm_get_next_region_info(0, &cookie, &info), ERR_VM_INVALID_ASPACE);
    assert_int_equal(cookie, 0);
}

static void test_region_many(void)
{
    enum { COUNT = 3000 };
    for (addr_t i = 0; i < COUNT; i++)
        region_at(SPOT + PAGES(2 * (i * 1009 % COUNT)), 1, LOCK_RO);
    SIM_CHECK();
    assert_int_equal(count_regions(program), COUNT);
    for (addr_t i = 0; i < COUNT; i++) {
        region_id id = find_region(SPOT + PAGES(2 * (i * 701 % COUNT)));
        OK(vm_delete_region(program, id));
        if (i % 500 == 0)
            SIM_CHECK();
    }
    assert_int_equal(count_regions(program), 0);
}

UNIT_MAIN("region", TEST(test_vm_delete_region_unmaps), TEST(test_vm_delete_region_errors),
          TEST(test_vm_delete_region_ids_are_not_used_again),
          TEST(test_vm_get_region_by_id_outlives_deletion), TEST(test_vm_get_region_by_id_unknown),
          TEST(test_vm_put_region_many_references),
          TEST(test_vm_find_region_by_name_first_in_order),
          TEST(test_vm_find_region_by_name_errors),
          TEST(test_vm_find_region_by_name_long_names_are_cut),
          TEST(test_vm_get_region_info_all_fields), TEST(test_vm_get_region_info_file),
          TEST(test_vm_get_region_info_errors), TEST(test_vm_get_next_region_info_lists_in_order),
          TEST(test_vm_get_next_region_info_end_of_kernel_space),
          TEST(test_vm_get_next_region_info_errors), TEST(test_region_many))
