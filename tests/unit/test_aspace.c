/* SPDX-License-Identifier: MIT */
/* Address spaces. */
#include "support.h"

static aspace_id create(addr_t base, addr_t size)
{
    return vm_create_aspace("space", base, size, false);
}

/* ---- vm_create_aspace ---- */

static void test_vm_create_aspace_is_empty(void)
{
    aspace_id aid = create(SIM_USER_BASE, PAGES(100));
    assert_true(aid > 0);
    assert_int_equal(count_regions(aid), 0);
    OK(vm_delete_aspace(aid));
}

static void test_vm_create_aspace_keeps_regions_inside(void)
{
    aspace_id aid = create(SPOT, PAGES(4));
    void *at = PTR(SPOT - PAGE);
    assert_int_equal(vm_create_anonymous_region(aid, "x", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                                REGION_WIRING_LAZY, LOCK_RW),
                     ERR_VM_BAD_ADDRESS);
    at = PTR(SPOT + PAGES(3));
    assert_int_equal(vm_create_anonymous_region(aid, "x", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(2),
                                                REGION_WIRING_LAZY, LOCK_RW),
                     ERR_VM_BAD_ADDRESS);
    at = NULL;
    assert_true(vm_create_anonymous_region(aid, "x", &at, REGION_ADDR_ANY_ADDRESS, PAGES(4),
                                           REGION_WIRING_LAZY, LOCK_RW) > 0);
    assert_ptr_equal(at, PTR(SPOT));
    assert_int_equal(vm_create_anonymous_region(aid, "x", &at, REGION_ADDR_ANY_ADDRESS, PAGE,
                                                REGION_WIRING_LAZY, LOCK_RW),
                     ERR_VM_NO_REGION_SLOT);
    OK(vm_delete_aspace(aid));
}

static void test_vm_create_aspace_errors(void)
{
    REFUSED(ERR_INVALID_ARGS, vm_create_aspace("k", SIM_KERNEL_BASE, PAGES(100), true));
    REFUSED(ERR_INVALID_ARGS, vm_create_aspace(NULL, SIM_USER_BASE, PAGE, false));
    REFUSED(ERR_INVALID_ARGS, create(SIM_USER_BASE, 0));
    REFUSED(ERR_VM_BAD_ADDRESS, create(SIM_USER_BASE - PAGE, PAGES(2)));
    REFUSED(ERR_VM_BAD_ADDRESS, create(0, PAGE));
    REFUSED(ERR_VM_BAD_ADDRESS, create(SIM_USER_BASE, SIM_USER_END));
    REFUSED(ERR_VM_BAD_ADDRESS, create(SIM_USER_END - PAGE, PAGES(2)));
    REFUSED(ERR_VM_BAD_ADDRESS, create(SPOT, (addr_t)0 - SPOT));
    REFUSED(ERR_VM_BAD_ADDRESS, create(SPOT, (addr_t)0 - SPOT + PAGE));
    REFUSED(ERR_VM_BAD_ADDRESS, create(SIM_KERNEL_BASE, PAGES(10)));
    REFUSED(ERR_VM_BAD_ADDRESS, create(SPOT + 1, PAGE));
}

static void test_vm_create_aspace_spaces_are_apart(void)
{
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    aspace_id other = sim_new_aspace();
    assert_int_equal(sim_read_byte(SPOT), ERR_VM_PF_BAD_ADDRESS);
    void *at = PTR(SPOT);
    assert_true(vm_create_anonymous_region(other, "x", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                           REGION_WIRING_LAZY, LOCK_RW) > 0);
    OK(sim_write_byte(SPOT, 2));
    sim_set_aspace(program);
    assert_byte(SPOT, 1);
    sim_set_aspace(other);
    assert_byte(SPOT, 2);
    OK(sim_delete_aspace(other));
}

static void test_vm_create_aspace_kernel_is_in_all(void)
{
    aspace_id kernel = vm_get_kernel_aspace_id();
    void *at = NULL;
    region_id id = vm_create_anonymous_region(kernel, "heap", &at, REGION_ADDR_ANY_ADDRESS, PAGE,
                                              REGION_WIRING_LAZY, LOCK_RW | LOCK_KERNEL);
    uint8_t byte = 42;
    OK(sim_kernel_write((addr_t)at, &byte, 1));
    aspace_id other = sim_new_aspace();
    byte = 0;
    OK(sim_kernel_read((addr_t)at, &byte, 1));
    assert_int_equal(byte, 42);
    OK(sim_delete_aspace(other));
    OK(vm_delete_region(kernel, id));
}

/* ---- vm_delete_aspace ---- */

static void test_vm_delete_aspace_gives_all_back(void)
{
    size_t frames = free_frames();
    int64_t committed = sim_committed();
    aspace_id aid = sim_new_aspace();
    for (addr_t i = 0; i < 20; i++) {
        void *at = PTR(SPOT + PAGES(i * 1000));
        assert_true(vm_create_anonymous_region(aid, "x", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(3),
                                               REGION_WIRING_LAZY, LOCK_RW) > 0);
        number_pages((addr_t)at, 3, 1);
    }
    OK(sim_delete_aspace(aid));
    SIM_CHECK();
    assert_int_equal(free_frames(), frames);
    assert_int_equal(sim_committed(), committed);
}

static void test_vm_delete_aspace_errors(void)
{
    aspace_id aid = create(SIM_USER_BASE, PAGES(100));
    REFUSED(ERR_INVALID_ARGS, vm_delete_aspace(vm_get_kernel_aspace_id()));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_delete_aspace(0));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_delete_aspace(-1));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_delete_aspace(aid + 1));
    OK(vm_delete_aspace(aid));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_delete_aspace(aid));
}

static void test_vm_delete_aspace_with_references(void)
{
    aspace_id aid = create(SIM_USER_BASE, PAGES(100));
    vm_address_space *aspace = vm_get_aspace_by_id(aid);
    assert_non_null(aspace);
    OK(vm_delete_aspace(aid));
    void *at = NULL;
    assert_int_equal(vm_create_anonymous_region(aid, "x", &at, REGION_ADDR_ANY_ADDRESS, PAGE,
                                                REGION_WIRING_LAZY, LOCK_RW),
                     ERR_VM_INVALID_ASPACE);
    assert_int_equal(vm_delete_aspace(aid), ERR_VM_INVALID_ASPACE);
    assert_int_equal(vm_aspace_id(aspace), aid);
    vm_put_aspace(aspace);
    assert_null(vm_get_aspace_by_id(aid));
}

static void test_vm_delete_aspace_while_a_cpu_is_in_it(void)
{
    aspace_id aid = sim_new_aspace();
    void *at = PTR(SPOT);
    assert_true(vm_create_anonymous_region(aid, "x", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                           REGION_WIRING_LAZY, LOCK_RW) > 0);
    OK(sim_write_byte(SPOT, 1));
    OK(vm_delete_aspace(aid));
    assert_true(sim_read_byte(SPOT) < 0);
    sim_set_aspace(program);
    assert_int_equal(sim_read_byte(SPOT), ERR_VM_PF_BAD_ADDRESS);
}

static void test_vm_delete_aspace_ids_are_not_used_again(void)
{
    aspace_id last = program;
    for (int i = 0; i < 20; i++) {
        aspace_id aid = create(SIM_USER_BASE, PAGES(10));
        assert_true(aid > last);
        last = aid;
        OK(vm_delete_aspace(aid));
    }
}

/* ---- references and ids ---- */

static void test_vm_get_aspace_by_id(void)
{
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    assert_non_null(aspace);
    assert_int_equal(vm_aspace_id(aspace), program);
    vm_put_aspace(aspace);
    assert_null(vm_get_aspace_by_id(0));
    assert_null(vm_get_aspace_by_id(-1));
    assert_null(vm_get_aspace_by_id(program + 1));
    assert_null(vm_get_aspace_by_id(INT32_MAX));
    assert_null(vm_get_aspace_by_id(INT32_MIN));
}

static void test_vm_get_kernel_aspace(void)
{
    vm_address_space *kernel = vm_get_kernel_aspace();
    assert_non_null(kernel);
    assert_int_equal(vm_aspace_id(kernel), vm_get_kernel_aspace_id());
    vm_address_space *same = vm_get_aspace_by_id(vm_get_kernel_aspace_id());
    assert_ptr_equal(kernel, same);
    vm_put_aspace(kernel);
    vm_put_aspace(same);
}

static void test_vm_get_kernel_aspace_id(void)
{
    assert_true(vm_get_kernel_aspace_id() > 0);
    assert_int_not_equal(vm_get_kernel_aspace_id(), program);
}

static void test_vm_get_current_user_aspace(void)
{
    vm_address_space *aspace = vm_get_current_user_aspace();
    assert_non_null(aspace);
    assert_int_equal(vm_aspace_id(aspace), program);
    vm_put_aspace(aspace);
    sim_set_aspace(ERR_VM_INVALID_ASPACE);
    assert_null(vm_get_current_user_aspace());
    sim_set_aspace(program);
}

static void test_vm_get_current_user_aspace_id(void)
{
    assert_int_equal(vm_get_current_user_aspace_id(), program);
    sim_set_aspace(ERR_VM_INVALID_ASPACE);
    assert_int_equal(vm_get_current_user_aspace_id(), ERR_VM_INVALID_ASPACE);
    sim_set_aspace(program);
}

static void test_vm_put_aspace_many(void)
{
    for (int i = 0; i < 100; i++) {
        vm_address_space *aspace = vm_get_aspace_by_id(program);
        vm_put_aspace(aspace);
    }
    assert_int_equal(count_regions(program), 0);
}

/* ---- the walk ---- */

static void test_vm_aspace_walk_in_order(void)
{
    aspace_id made[5];
    for (int i = 0; i < 5; i++)
        made[i] = create(SIM_USER_BASE, PAGES(10));
    OK(vm_delete_aspace(made[2]));
    struct hash_iterator i;
    aspace_id last = 0;
    unsigned seen = 0;
    assert_int_equal(vm_aspace_walk_start(&i), VM_OK);
    for (vm_address_space *a; (a = vm_aspace_walk_next(&i)) != NULL; seen++) {
        assert_true(vm_aspace_id(a) > last);
        last = vm_aspace_id(a);
        assert_int_not_equal(last, made[2]);
        vm_put_aspace(a);
    }
    assert_int_equal(seen, 6);
    assert_int_equal(last, made[4]);
    for (int k = 0; k < 5; k++)
        if (k != 2)
            OK(vm_delete_aspace(made[k]));
}

static void test_vm_aspace_walk_next_while_spaces_go(void)
{
    aspace_id made[10];
    for (int i = 0; i < 10; i++)
        made[i] = create(SIM_USER_BASE, PAGES(10));
    struct hash_iterator i;
    vm_aspace_walk_start(&i);
    unsigned seen = 0;
    for (vm_address_space *a; (a = vm_aspace_walk_next(&i)) != NULL;) {
        aspace_id aid = vm_aspace_id(a);
        vm_put_aspace(a);
        for (int k = 0; k < 10; k++) {
            if (made[k] == aid) {
                OK(vm_delete_aspace(aid));
                seen++;
            }
        }
    }
    assert_int_equal(seen, 10);
}

static void test_vm_aspace_walk_start_errors(void)
{
    assert_int_equal(vm_aspace_walk_start(NULL), ERR_INVALID_ARGS);
}

/* ---- vm_enter_aspace, vm_leave_aspace ---- */

static void test_vm_enter_aspace_gives_the_root(void)
{
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    addr_t root = vm_enter_aspace(aspace, 1);
    assert_int_equal(root & VM_PAGE_MASK, 0);
    assert_int_equal(vm_enter_aspace(aspace, 2), root);
    vm_leave_aspace(aspace, 1);
    vm_leave_aspace(aspace, 2);
    vm_put_aspace(aspace);
}

static void test_vm_leave_aspace_ends_the_flushes(void)
{
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    (void)vm_enter_aspace(aspace, 1);
    vm_leave_aspace(aspace, 1);
    OK(vm_unmap_range(program, SPOT, PAGES(4)));
    assert_int_equal(sim_stale_accesses(), 0);
    vm_put_aspace(aspace);
}

static void test_vm_aspace_id(void)
{
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    assert_int_equal(vm_aspace_id(aspace), program);
    vm_put_aspace(aspace);
}

static void test_vm_enter_aspace_decides_who_is_flushed(void)
{
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    sim_set_cpu(1);
    sim_set_aspace(program);
    assert_byte(SPOT, 1);
    assert_true(sim_tlb_holds(SPOT));
    sim_set_cpu(0);
    OK(vm_unmap_range(program, SPOT, PAGE));
    assert_false(sim_tlb_holds(SPOT));
    sim_set_cpu(1);
    assert_false(sim_tlb_holds(SPOT));
    assert_int_equal(sim_read_byte(SPOT), ERR_VM_PF_BAD_ADDRESS);
    sim_set_cpu(0);
}

UNIT_MAIN("address spaces", TEST(test_vm_create_aspace_is_empty),
          TEST(test_vm_create_aspace_keeps_regions_inside), TEST(test_vm_create_aspace_errors),
          TEST(test_vm_create_aspace_spaces_are_apart),
          TEST(test_vm_create_aspace_kernel_is_in_all), TEST(test_vm_delete_aspace_gives_all_back),
          TEST(test_vm_delete_aspace_errors), TEST(test_vm_delete_aspace_with_references),
          TEST(test_vm_delete_aspace_while_a_cpu_is_in_it),
          TEST(test_vm_delete_aspace_ids_are_not_used_again), TEST(test_vm_get_aspace_by_id),
          TEST(test_vm_get_kernel_aspace), TEST(test_vm_get_kernel_aspace_id),
          TEST(test_vm_get_current_user_aspace), TEST(test_vm_get_current_user_aspace_id),
          TEST(test_vm_put_aspace_many), TEST(test_vm_aspace_walk_in_order),
          TEST(test_vm_aspace_walk_next_while_spaces_go), TEST(test_vm_aspace_walk_start_errors),
          TEST_ON(test_vm_enter_aspace_gives_the_root, .cpus = 4),
          TEST_ON(test_vm_leave_aspace_ends_the_flushes, .cpus = 2), TEST(test_vm_aspace_id),
          TEST_ON(test_vm_enter_aspace_decides_who_is_flushed, .cpus = 2))
