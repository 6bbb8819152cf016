/* SPDX-License-Identifier: MIT */
/* What programs pass to calls: pointers, names, paths and regions that aren't theirs to pass. */
#include "support.h"

#include <quire/host.h>

static char *name, *path;
static void **place;

/* One page of a program's own, with a name, a path and room for an address in it. */
static void arguments(void)
{
    region_at(SPOT, 2, LOCK_RW);
    name = PTR(SPOT);
    path = PTR(SPOT + PAGES(1) - 8);
    place = PTR(SPOT + 64);
    OK(sim_write(SPOT, "name", 5));
}

/* ---- strings ---- */

static void test_strings_from_below_the_programs(void)
{
    char here[8] = "";
    char *low = PTR(8);
    assert_int_equal(user_strcpy(here, low), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_strcpy(low, here), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_strncpy(here, low, 4), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_strncpy(low, here, 4), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_memcpy(low, here, 4), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_memcpy(here, low, 4), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_memset(low, 0, 4), ERR_VM_BAD_USER_MEMORY);
    OK(user_memset(low, 0, 0)); /* no byte at all is nowhere */
}

static void test_ranges_that_leave_the_programs(void)
{
    char *last = PTR(SIM_USER_END - 2);
    char here[8] = "";
    assert_int_equal(user_memcpy(here, last, 3), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_memset(PTR(UINTPTR_MAX - 1), 0, 3), ERR_VM_BAD_USER_MEMORY);
}

/* The copies that a program's memory ends, at will. */
static void test_copies_that_fail(void)
{
    char here[8] = "abc";
    arguments();
    sim_fail_at(SIM_FAIL_USER_COPY, 1, true);
    assert_int_equal(user_memcpy(PTR(SPOT), here, 4), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_strcpy(PTR(SPOT), here), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_strncpy(PTR(SPOT), here, 4), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_memset(PTR(SPOT), 0, 4), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(sim_fail_done(SIM_FAIL_USER_COPY), 4);
    OK(user_memcpy(PTR(SPOT), here, 0)); /* nothing is copied */
    sim_fail_at(SIM_FAIL_USER_COPY, 0, false);
    assert_byte(SPOT, 'n');
}

/* Cut at the length of names, and read no further. */
static void test_names(void)
{
    arguments();
    char *at_end = PTR(SPOT + PAGES(2) - 6);
    OK(sim_write((addr_t)at_end, "short", 6));
    region_id id = user_vm_create_anonymous_region(at_end, place, 0, PAGE, 0, LOCK_RW);
    assert_true(id > 0);
    assert_string_equal(region_info(id).name, "short");
    OK(sim_write((addr_t)at_end, "no end", 6));
    REFUSED(ERR_VM_BAD_USER_MEMORY,
            (int)user_vm_create_anonymous_region(at_end, place, 0, PAGE, 0, LOCK_RW));
    char *kernel = PTR(SIM_BOOT_BASE);
    REFUSED(ERR_VM_BAD_USER_MEMORY,
            (int)user_vm_create_anonymous_region(kernel, place, 0, PAGE, 0, LOCK_RW));
    REFUSED(ERR_VM_BAD_USER_MEMORY,
            (int)user_vm_create_anonymous_region(name, PTR(SIM_BOOT_BASE), 0, PAGE, 0, LOCK_RW));
}

static region_id map_file(const char *upath)
{
    return user_vm_map_file(name, place, 0, PAGE, LOCK_RO, REGION_PRIVATE_MAP, upath, 0);
}

static void test_paths(void)
{
    arguments();
    sim_file_create_numbered("/f", 1);
    OK(sim_fill(SPOT + 512, 'a', 1024)); /* as long as a path with its end may be */
    REFUSED(ERR_INVALID_ARGS, (int)map_file(PTR(SPOT + 512)));
    OK(sim_write_byte(SPOT + 512 + 1023, 0));
    REFUSED(ERR_NOT_FOUND, (int)map_file(PTR(SPOT + 512)));
    REFUSED(ERR_VM_BAD_USER_MEMORY, (int)map_file(PTR(SIM_BOOT_BASE)));
    REFUSED(ERR_VM_BAD_USER_MEMORY, (int)map_file(PTR(SPOT * 2)));
    OK(sim_write((addr_t)path, "/f", 3));
    assert_true(map_file(path) > 0);
}

/* ---- places ---- */

static void test_answers_that_can_not_be_given(void)
{
    arguments();
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RO));
    REFUSED(ERR_VM_BAD_USER_MEMORY,
            (int)user_vm_create_anonymous_region(name, place, 0, PAGE, 0, LOCK_RW));
    assert_int_equal(user_vm_get_vm_info(PTR(SPOT + 512)), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_vm_get_region_info(find_region(SPOT), PTR(SPOT + 512)),
                     ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_vm_get_vm_info(PTR(SIM_BOOT_BASE)), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_vm_get_region_info(find_region(SPOT), PTR(SIM_BOOT_BASE)),
                     ERR_VM_BAD_USER_MEMORY);
}

/* ---- clones ---- */

static int clone(region_id source, int mapping, unsigned lock)
{
    region_id id = user_vm_clone_region(name, place, 0, source, mapping, lock);
    return id > 0 ? VM_OK : (int)id;
}

static void test_clones_of_nothing(void)
{
    arguments();
    REFUSED(ERR_VM_INVALID_REGION, clone(123456, REGION_PRIVATE_MAP, LOCK_RW));
    REFUSED(ERR_PERMISSION_DENIED, clone(find_region(SPOT), REGION_PRIVATE_MAP, LOCK_KERNEL));
    assert_int_equal(user_vm_get_region_info(123456, PTR(SPOT + 512)), ERR_VM_INVALID_REGION);
}

static void test_clones_of_what_is_not_to_be_read(void)
{
    arguments();
    region_id kernel = region_at(SPOT * 2, 1, LOCK_RW | LOCK_KERNEL);
    region_id guard = region_at(SPOT * 3, 1, LOCK_NO_READ);
    REFUSED(ERR_PERMISSION_DENIED, clone(kernel, REGION_PRIVATE_MAP, LOCK_RO));
    REFUSED(ERR_PERMISSION_DENIED, clone(guard, REGION_PRIVATE_MAP, LOCK_RO));
}

static void test_clones_have_no_more_rights(void)
{
    arguments();
    region_id read_only = region_at(SPOT * 2, 1, LOCK_RO),
              writable = region_at(SPOT * 3, 1, LOCK_RW);
    REFUSED(ERR_PERMISSION_DENIED, clone(read_only, REGION_NO_PRIVATE_MAP, LOCK_RW));
    OK(clone(read_only, REGION_NO_PRIVATE_MAP, LOCK_RO));
    OK(clone(read_only, REGION_PRIVATE_MAP, LOCK_RW)); /* its own copies */
    OK(clone(writable, REGION_NO_PRIVATE_MAP, LOCK_RW));
}

/* Of another program only what it shares. */
static void test_clones_from_others(void)
{
    arguments();
    void *at = NULL;
    aspace_id other = vm_create_aspace("other", SIM_USER_BASE, PAGES(100), false);
    region_id own = vm_create_anonymous_region(other, "own", &at, 0, PAGE, 0, LOCK_RW);
    region_id shared =
        vm_create_anonymous_region(other, "shared", &at, 0, PAGE, 0, LOCK_RW | REGION_SHARED);
    REFUSED(ERR_VM_INVALID_REGION, clone(own, REGION_NO_PRIVATE_MAP, LOCK_RO));
    OK(clone(shared, REGION_NO_PRIVATE_MAP, LOCK_RO));
    assert_int_equal(user_vm_get_region_info(shared, PTR(SPOT + 512)), ERR_VM_INVALID_REGION);
    OK(vm_delete_aspace(other));
}

UNIT_MAIN("programs' pointers", TEST(test_strings_from_below_the_programs),
          TEST(test_ranges_that_leave_the_programs), TEST(test_copies_that_fail), TEST(test_names),
          TEST(test_paths), TEST(test_answers_that_can_not_be_given), TEST(test_clones_of_nothing),
          TEST(test_clones_of_what_is_not_to_be_read), TEST(test_clones_have_no_more_rights),
          TEST(test_clones_from_others))
