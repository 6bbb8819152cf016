/* SPDX-License-Identifier: MIT */
/* The user_vm_* calls: what a program may ask for, with every pointer bad in turn. */
#include "support.h"

/* One page for arguments: a name, an address, a path; and the pointers that can't be used. */
#define ARGS SPOT
#define U_NAME ((char *)PTR(ARGS))
#define U_ADDRESS ((void **)PTR(ARGS + 256))
#define U_PATH ((const char *)PTR(ARGS + 512))
#define U_INFO PTR(ARGS + 1024)

static const addr_t bad_pointers[] = {
    0,
    0x1000,
    SPOT + PAGES(3),
    SPOT + PAGES(1) - 3, /* begins well, ends in nothing */
    SIM_USER_END - 3,
    SIM_USER_END,
    SIM_BOOT_BASE,
    UINTPTR_MAX - 3,
};
#define BAD_POINTERS (sizeof(bad_pointers) / sizeof(bad_pointers[0]))

static void set_up(void)
{
    region_at(ARGS, 1, LOCK_RW);
    OK(sim_write((addr_t)U_NAME, "by a program", 13));
    OK(sim_write((addr_t)U_PATH, "/f", 3));
    addr_t none = 0;
    OK(sim_write((addr_t)U_ADDRESS, &none, sizeof(none)));
    OK(sim_fill(ARGS + PAGE - 16, 'x', 16)); /* a string there doesn't end in time */
}

static addr_t given_address(void)
{
    addr_t address;
    OK(sim_read((addr_t)U_ADDRESS, &address, sizeof(address)));
    return address;
}

static region_id create(int addr_type, addr_t size, int wiring, unsigned lock)
{
    return user_vm_create_anonymous_region(U_NAME, U_ADDRESS, addr_type, size, wiring, lock);
}

/* ---- user_vm_create_anonymous_region ---- */

static void test_user_vm_create_anonymous_region(void)
{
    set_up();
    region_id id = create(REGION_ADDR_ANY_ADDRESS, PAGES(2), REGION_WIRING_LAZY, LOCK_RW);
    assert_true(id > 0);
    OK(sim_write_byte(given_address() + PAGE, 5));
    assert_string_equal(region_info(id).name, "by a program");
    assert_int_equal(vm_find_region_by_name(program, "by a program"), id);
}

static void test_user_vm_create_anonymous_region_bad_pointers(void)
{
    set_up();
    for (size_t i = 0; i < BAD_POINTERS; i++) {
        void *bad = PTR(bad_pointers[i]);
        REFUSED(ERR_VM_BAD_USER_MEMORY,
                user_vm_create_anonymous_region(bad, U_ADDRESS, 0, PAGE, 0, LOCK_RW));
        REFUSED(ERR_VM_BAD_USER_MEMORY,
                user_vm_create_anonymous_region(U_NAME, bad, 0, PAGE, 0, LOCK_RW));
    }
}

static void test_user_vm_create_anonymous_region_pointer_that_reads_only(void)
{
    set_up();
    region_at(SPOT * 2, 1, LOCK_RO);
    assert_byte(SPOT * 2, 0);
    REFUSED(ERR_VM_BAD_USER_MEMORY,
            user_vm_create_anonymous_region(U_NAME, PTR(SPOT * 2), 0, PAGE, 0, LOCK_RW));
}

static void test_user_vm_create_anonymous_region_kernel_things(void)
{
    set_up();
    REFUSED(ERR_PERMISSION_DENIED, create(0, PAGE, REGION_WIRING_LAZY, LOCK_RW | LOCK_KERNEL));
    REFUSED(ERR_PERMISSION_DENIED, create(0, PAGE, REGION_WIRING_WIRED_ALREADY, LOCK_RW));
    REFUSED(ERR_PERMISSION_DENIED, create(0, PAGE, REGION_WIRING_WIRED_CONTIG, LOCK_RW));
    addr_t kernel = SIM_KERNEL_BASE;
    OK(sim_write((addr_t)U_ADDRESS, &kernel, sizeof(kernel)));
    REFUSED(ERR_VM_BAD_ADDRESS,
            create(REGION_ADDR_EXACT_ADDRESS, PAGE, REGION_WIRING_LAZY, LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, create(0, 0, REGION_WIRING_LAZY, LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, create(17, PAGE, REGION_WIRING_LAZY, LOCK_RW));
}

static void test_user_vm_create_anonymous_region_long_name(void)
{
    set_up();
    region_at(SPOT * 2, 4, LOCK_RW);
    OK(sim_fill(SPOT * 2, 'n', PAGES(4)));
    region_id id = user_vm_create_anonymous_region(PTR(SPOT * 2), U_ADDRESS, 0, PAGE, 0, LOCK_RW);
    assert_true(id > 0);
    assert_int_equal(strlen(region_info(id).name), VM_NAME_LENGTH - 1);
}

/* ---- user_vm_map_file ---- */

static region_id map(unsigned lock, int mapping)
{
    return user_vm_map_file(U_NAME, U_ADDRESS, 0, PAGES(2), lock, mapping, U_PATH, 0);
}

static void test_user_vm_map_file(void)
{
    set_up();
    sim_file_create_numbered("/f", 2);
    assert_true(map(LOCK_RW, REGION_NO_PRIVATE_MAP) > 0);
    assert_numbered(given_address(), 2, 1);
    assert_true(map(LOCK_RW, REGION_PRIVATE_MAP) > 0);
    OK(sim_write_byte(given_address(), 9));
}

static void test_user_vm_map_file_bad_pointers(void)
{
    set_up();
    sim_file *file = sim_file_create_numbered("/f", 2);
    for (size_t i = 0; i < BAD_POINTERS; i++) {
        void *bad = PTR(bad_pointers[i]);
        REFUSED(ERR_VM_BAD_USER_MEMORY,
                user_vm_map_file(bad, U_ADDRESS, 0, PAGE, LOCK_RO, 0, U_PATH, 0));
        REFUSED(ERR_VM_BAD_USER_MEMORY,
                user_vm_map_file(U_NAME, bad, 0, PAGE, LOCK_RO, 0, U_PATH, 0));
        REFUSED(ERR_VM_BAD_USER_MEMORY,
                user_vm_map_file(U_NAME, U_ADDRESS, 0, PAGE, LOCK_RO, 0, bad, 0));
    }
    assert_int_equal(sim_file_references(file), 0);
}

static void test_user_vm_map_file_access_mode_is_checked(void)
{
    set_up();
    sim_file *file = sim_file_create("/f", NULL, PAGES(2), VM_ACCESS_READ);
    REFUSED(ERR_PERMISSION_DENIED, map(LOCK_RW, REGION_NO_PRIVATE_MAP));
    assert_int_equal(sim_file_references(file), 0);
    assert_true(map(LOCK_RW, REGION_PRIVATE_MAP) > 0);
    assert_true(map(LOCK_RO, REGION_NO_PRIVATE_MAP) > 0);
    REFUSED(ERR_PERMISSION_DENIED, vm_protect_range(program, given_address(), PAGE, LOCK_RW));
}

static void test_user_vm_map_file_kernel_things(void)
{
    set_up();
    sim_file_create_numbered("/f", 2);
    REFUSED(ERR_PERMISSION_DENIED, map(LOCK_RW | LOCK_KERNEL, REGION_NO_PRIVATE_MAP));
    REFUSED(ERR_INVALID_ARGS, map(LOCK_RW, 3));
    OK(sim_write((addr_t)U_PATH, "/none", 6));
    REFUSED(ERR_NOT_FOUND, map(LOCK_RW, REGION_NO_PRIVATE_MAP));
}

/* ---- user_vm_clone_region ---- */

static region_id clone(region_id source)
{
    return user_vm_clone_region(U_NAME, U_ADDRESS, 0, source, REGION_NO_PRIVATE_MAP, LOCK_RW);
}

static void test_user_vm_clone_region(void)
{
    addr_t a;
    set_up();
    region_id source = new_region(&a, 2);
    OK(sim_write_byte(a, 12));
    assert_true(clone(source) > 0);
    assert_byte(given_address(), 12);
}

static void test_user_vm_clone_region_bad_pointers(void)
{
    addr_t a;
    set_up();
    region_id source = new_region(&a, 2);
    for (size_t i = 0; i < BAD_POINTERS; i++) {
        void *bad = PTR(bad_pointers[i]);
        REFUSED(ERR_VM_BAD_USER_MEMORY,
                user_vm_clone_region(bad, U_ADDRESS, 0, source, 0, LOCK_RW));
        REFUSED(ERR_VM_BAD_USER_MEMORY, user_vm_clone_region(U_NAME, bad, 0, source, 0, LOCK_RW));
    }
}

static void test_user_vm_clone_region_of_the_kernel(void)
{
    set_up();
    region_id boot = vm_find_region_by_name(vm_get_kernel_aspace_id(), "boot image");
    struct picture before;
    take_picture(&before, program);
    assert_true(clone(boot) < 0);
    assert_unchanged(&before);
    addr_t a;
    region_id own = new_region(&a, 1);
    REFUSED(ERR_PERMISSION_DENIED,
            user_vm_clone_region(U_NAME, U_ADDRESS, 0, own, 0, LOCK_RW | LOCK_KERNEL));
}

static void test_user_vm_clone_region_of_another_space(void)
{
    set_up();
    aspace_id other = vm_create_aspace("other", SIM_USER_BASE, PAGES(1000), false);
    void *at = NULL;
    region_id private = vm_create_anonymous_region(other, "p", &at, 0, PAGE, 0, LOCK_RW);
    region_id shared =
        vm_create_anonymous_region(other, "s", &at, 0, PAGE, 0, LOCK_RW | REGION_SHARED);
    struct picture before;
    take_picture(&before, program);
    assert_true(clone(private) < 0);
    assert_unchanged(&before);
    assert_true(clone(shared) > 0);
    OK(vm_delete_aspace(other));
    OK(sim_write_byte(given_address(), 1));
}

/* ---- user_vm_delete_region ---- */

static void test_user_vm_delete_region(void)
{
    addr_t a;
    region_id id = new_region(&a, 2);
    OK(user_vm_delete_region(id));
    assert_int_equal(sim_read_byte(a), ERR_VM_PF_BAD_ADDRESS);
    REFUSED(ERR_VM_INVALID_REGION, user_vm_delete_region(id));
    REFUSED(ERR_VM_INVALID_REGION, user_vm_delete_region(-1));
}

static void test_user_vm_delete_region_of_others(void)
{
    aspace_id other = vm_create_aspace("other", SIM_USER_BASE, PAGES(1000), false);
    void *at = NULL;
    region_id id = vm_create_anonymous_region(other, "p", &at, 0, PAGE, 0, LOCK_RW);
    REFUSED(ERR_VM_INVALID_REGION, user_vm_delete_region(id));
    region_id boot = vm_find_region_by_name(vm_get_kernel_aspace_id(), "boot image");
    REFUSED(ERR_VM_INVALID_REGION, user_vm_delete_region(boot));
    OK(vm_delete_aspace(other));
}

/* ---- user_vm_get_region_info ---- */

static void test_user_vm_get_region_info(void)
{
    addr_t a;
    vm_region_info info;
    set_up();
    region_id id = new_region(&a, 3);
    OK(user_vm_get_region_info(id, U_INFO));
    OK(sim_read((addr_t)U_INFO, &info, sizeof(info)));
    assert_int_equal(info.id, id);
    assert_int_equal(info.base, a);
    assert_int_equal(info.size, PAGES(3));
}

static void test_user_vm_get_region_info_errors(void)
{
    addr_t a;
    set_up();
    region_id id = new_region(&a, 3);
    for (size_t i = 0; i < BAD_POINTERS; i++)
        assert_int_equal(user_vm_get_region_info(id, PTR(bad_pointers[i])), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_vm_get_region_info(id + 50, U_INFO), ERR_VM_INVALID_REGION);
    region_id boot = vm_find_region_by_name(vm_get_kernel_aspace_id(), "boot image");
    assert_int_equal(user_vm_get_region_info(boot, U_INFO), ERR_VM_INVALID_REGION);
}

/* ---- user_vm_get_vm_info ---- */

static void test_user_vm_get_vm_info(void)
{
    vm_info info;
    set_up();
    OK(user_vm_get_vm_info(U_INFO));
    OK(sim_read((addr_t)U_INFO, &info, sizeof(info)));
    assert_int_equal(info.physical_page_size, PAGE);
    for (size_t i = 0; i < BAD_POINTERS; i++)
        assert_int_equal(user_vm_get_vm_info(PTR(bad_pointers[i])), ERR_VM_BAD_USER_MEMORY);
}

static void test_user_vm_without_a_program(void)
{
    addr_t a;
    set_up();
    region_id id = new_region(&a, 1);
    sim_set_aspace(ERR_VM_INVALID_ASPACE);
    assert_true(create(0, PAGE, REGION_WIRING_LAZY, LOCK_RW) < 0);
    assert_true(map(LOCK_RO, 0) < 0);
    assert_true(clone(id) < 0);
    assert_true(user_vm_delete_region(id) < 0);
    assert_true(user_vm_get_region_info(id, U_INFO) < 0);
    sim_set_aspace(program);
    assert_int_equal(find_region(a), id);
}

UNIT_MAIN("user_vm calls", TEST(test_user_vm_create_anonymous_region),
          TEST(test_user_vm_create_anonymous_region_bad_pointers),
          TEST(test_user_vm_create_anonymous_region_pointer_that_reads_only),
          TEST(test_user_vm_create_anonymous_region_kernel_things),
          TEST(test_user_vm_create_anonymous_region_long_name), TEST(test_user_vm_map_file),
          TEST(test_user_vm_map_file_bad_pointers),
          TEST(test_user_vm_map_file_access_mode_is_checked),
          TEST(test_user_vm_map_file_kernel_things), TEST(test_user_vm_clone_region),
          TEST(test_user_vm_clone_region_bad_pointers),
          TEST(test_user_vm_clone_region_of_the_kernel),
          TEST(test_user_vm_clone_region_of_another_space), TEST(test_user_vm_delete_region),
          TEST(test_user_vm_delete_region_of_others), TEST(test_user_vm_get_region_info),
          TEST(test_user_vm_get_region_info_errors), TEST(test_user_vm_get_vm_info),
          TEST(test_user_vm_without_a_program))
