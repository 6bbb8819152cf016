/* SPDX-License-Identifier: MIT */
/* The longest names, the last CPU, the most ranges, the last address: limits from both sides. */
#include "support.h"

#include "aspace.h"
#include "print.h"
#include "region.h"
#include "system.h"

#define LONGEST "abcdefghijklmnopqrstuvwxyz12345" /* VM_NAME_LENGTH - 1 */

/* ---- names ---- */

static void test_longest_name_of_a_space(void)
{
    aspace_id aid = vm_create_aspace(LONGEST "too much", SIM_USER_BASE, PAGE, false);
    vm_address_space *aspace = vm_get_aspace_by_id(aid);
    assert_int_equal(strlen(LONGEST), VM_NAME_LENGTH - 1);
    assert_string_equal(aspace->name, LONGEST);
    vm_put_aspace(aspace);
    OK(vm_delete_aspace(aid));
}

static region_id named(const char *name)
{
    void *at = NULL;
    region_id id = vm_create_anonymous_region(program, name, &at, 0, PAGE, 0, LOCK_RW);
    assert_true(id > 0);
    assert_int_equal(strlen(region_info(id).name),
                     strlen(name) < VM_NAME_LENGTH ? strlen(name) : VM_NAME_LENGTH - 1);
    return id;
}

static void test_names_that_differ_at_their_end(void)
{
    region_id one = named(LONGEST), other = named("abcdefghijklmnopqrstuvwxyz1234!");
    region_id shorter = named("abcdefghijklmnopqrstuvwxyz1234");
    assert_int_equal(vm_find_region_by_name(program, LONGEST), one);
    assert_int_equal(vm_find_region_by_name(program, LONGEST "and more"), one);
    assert_int_equal(vm_find_region_by_name(program, "abcdefghijklmnopqrstuvwxyz1234!"), other);
    assert_int_equal(vm_find_region_by_name(program, "abcdefghijklmnopqrstuvwxyz1234"), shorter);
    assert_int_equal(vm_find_region_by_name(program, "abcdefghijklmnopqrstuvwxyz123"),
                     ERR_NOT_FOUND);
    assert_int_equal(vm_find_region_by_name(program, NULL), ERR_INVALID_ARGS);
    assert_int_equal(named(LONGEST "too much"), shorter + 1);
}

#define U_NAME ((char *)PTR(SPOT))
#define U_ADDRESS ((void **)PTR(SPOT + 256))
#define U_PATH ((const char *)PTR(SPOT + PAGE))

static void test_longest_name_of_a_program(void)
{
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write((addr_t)U_NAME, LONGEST, VM_NAME_LENGTH));
    region_id id = user_vm_create_anonymous_region(U_NAME, U_ADDRESS, 0, PAGE, 0, LOCK_RW);
    assert_string_equal(region_info(id).name, LONGEST);
    OK(sim_fill((addr_t)U_NAME, 'x', 100));
    id = user_vm_create_anonymous_region(U_NAME, U_ADDRESS, 0, PAGE, 0, LOCK_RW);
    assert_int_equal(strlen(region_info(id).name), VM_NAME_LENGTH - 1);
}

static region_id map_path(size_t length)
{
    OK(sim_fill((addr_t)U_PATH, 'p', length));
    OK(sim_write_byte((addr_t)U_PATH + length, 0));
    return user_vm_map_file(U_NAME, U_ADDRESS, 0, PAGE, LOCK_RO, 0, U_PATH, 0);
}

static void test_longest_path_of_a_program(void)
{
    region_at(SPOT, 3, LOCK_RW);
    assert_int_equal(map_path(1022), ERR_NOT_FOUND);
    assert_int_equal(map_path(1023), ERR_NOT_FOUND);
    assert_int_equal(map_path(1024), ERR_INVALID_ARGS);
    assert_int_equal(map_path(2000), ERR_INVALID_ARGS);
    assert_int_equal(map_path(5), ERR_NOT_FOUND); /* the long one leaves nothing behind */
}

/* ---- CPUs ---- */

static void test_vm_enter_aspace_notes_the_cpu(void)
{
    aspace_id aid = vm_create_aspace("x", SIM_USER_BASE, PAGE, false);
    vm_address_space *aspace = vm_get_aspace_by_id(aid);
    const uint64_t *cpus = &aspace->translation_map.cpus;
    for (unsigned cpu = 0; cpu < 64; cpu += 9)
        assert_int_equal(vm_enter_aspace(aspace, cpu), aspace->translation_map.root);
    assert_int_equal(*cpus, 0x8040201008040201);
    vm_leave_aspace(aspace, 63);
    vm_leave_aspace(aspace, 0);
    assert_int_equal(*cpus, 0x40201008040200);
    for (unsigned cpu = 9; cpu < 63; cpu += 9)
        vm_leave_aspace(aspace, cpu);
    assert_int_equal(*cpus, 0);
    vm_put_aspace(aspace);
    OK(vm_delete_aspace(aid));
}

/* ---- addresses ---- */

static addr_t place(int addr_type, addr_t address)
{
    void *at = PTR(address);
    region_id id = vm_create_anonymous_region(program, "x", &at, addr_type, PAGE, 0, LOCK_RW);
    if (id < 0)
        return (addr_t)id;
    OK(vm_delete_region(program, id));
    return (addr_t)at;
}

static void test_places_below_an_address(void)
{
    assert_int_equal(place(REGION_ADDR_TOP, 0), SIM_USER_END - PAGE);
    assert_int_equal(place(REGION_ADDR_TOP, UINTPTR_MAX), SIM_USER_END - PAGE);
    assert_int_equal(place(REGION_ADDR_TOP, SIM_USER_END), SIM_USER_END - PAGE);
    assert_int_equal(place(REGION_ADDR_TOP, SIM_USER_END - 1), SIM_USER_END - PAGES(2));
    assert_int_equal(place(REGION_ADDR_TOP, SPOT), SPOT - PAGE);
    assert_int_equal(place(REGION_ADDR_TOP, SIM_USER_BASE + PAGE), SIM_USER_BASE);
    assert_int_equal(place(REGION_ADDR_TOP, SIM_USER_BASE + PAGE - 1),
                     (addr_t)ERR_VM_NO_REGION_SLOT);
    assert_int_equal(place(REGION_ADDR_TOP, SIM_USER_BASE), (addr_t)ERR_VM_NO_REGION_SLOT);
    assert_int_equal(place(REGION_ADDR_ANY_ADDRESS, 0), SIM_USER_BASE);
    assert_int_equal(place(REGION_ADDR_EXACT_ADDRESS, SIM_USER_END - PAGE), SIM_USER_END - PAGE);
}

static void test_offsets_at_the_end_of_files(void)
{
    void *at = NULL;
    addr_t last = (addr_t)INT64_MAX & ~VM_PAGE_MASK;
    sim_file *file = sim_file_create_numbered("/f", 1);
    REFUSED(ERR_INVALID_ARGS,
            vm_map_vnode(program, "x", &at, 0, PAGES(2), LOCK_RO, 0, file, (off_t)last));
    REFUSED(ERR_INVALID_ARGS,
            vm_map_vnode(program, "x", &at, 0, PAGE, LOCK_RO, 0, file, (off_t)last));
    region_id id =
        vm_map_vnode(program, "x", &at, 0, PAGE, LOCK_RO, 0, file, (off_t)(last - PAGE + 77));
    assert_int_equal(region_info(id).cache_offset, last - PAGE);
}

static void test_sizes_at_the_limit(void)
{
    void *to = NULL;
    addr_t last = (addr_t)INT64_MAX - VM_PAGE_MASK, a;
    aspace_id nobody = 12345;
    assert_int_equal(vm_move_range(nobody, SPOT, PAGE, last, &to, 0), ERR_VM_INVALID_ASPACE);
    assert_int_equal(vm_move_range(nobody, SPOT, PAGE, last + 1, &to, 0), ERR_VM_NO_REGION_SLOT);
    assert_int_equal(vm_resize_region(nobody, 1, last), ERR_VM_INVALID_ASPACE);
    assert_int_equal(vm_resize_region(nobody, 1, last + 1), ERR_VM_NO_REGION_SLOT);
    addr_t most = UINTPTR_MAX - VM_PAGE_MASK;
    assert_int_equal(vm_find_hole(nobody, most, PAGE, 0, 1, &a), ERR_VM_INVALID_ASPACE);
    assert_int_equal(vm_find_hole(nobody, most + 1, PAGE, 0, 1, &a), ERR_VM_NO_REGION_SLOT);
    assert_int_equal(vm_create_anonymous_region(nobody, "x", &to, 0, last, 0, LOCK_RW),
                     ERR_VM_INVALID_ASPACE);
    assert_int_equal(vm_create_anonymous_region(nobody, "x", &to, 0, last + 1, 0, LOCK_RW),
                     ERR_VM_BAD_ADDRESS);
}

/* ---- the format's bits ---- */

static void test_entries_of_x86_64(void)
{
    for (unsigned p = 0; p < TMAP_PROTECTIONS; p++) {
        uint64_t entry = 1;
        entry |= p & TMAP_WRITE ? 2 : 0;
        entry |= p & TMAP_USER ? 4 : 0;
        entry |= p & TMAP_EXECUTE ? 0 : (uint64_t)1 << 63;
        entry |= p & TMAP_UNCACHED ? 0x18 : 0;
        assert_int_equal(vm_tmap_x86_64.leaf[p], entry);
        assert_int_equal(tmap_make_entry(&vm_tmap_x86_64, 0xfffff12345000, p),
                         entry | 0xfffff12345000);
    }
    assert_int_equal(vm_tmap_x86_64.table, 7);
    assert_int_equal(vm_tmap_x86_64.accessed, 0x20);
    assert_int_equal(vm_tmap_x86_64.dirty, 0x40);
    assert_int_equal(vm_tmap_x86_64.large, 0x80);
    assert_int_equal(tmap_entry_physical(&vm_tmap_x86_64, UINT64_MAX), 0xffffffffff000);
}

UNIT_MAIN("limits", TEST(test_longest_name_of_a_space), TEST(test_names_that_differ_at_their_end),
          TEST(test_longest_name_of_a_program), TEST(test_longest_path_of_a_program),
          TEST(test_vm_enter_aspace_notes_the_cpu), TEST(test_places_below_an_address),
          TEST(test_offsets_at_the_end_of_files), TEST(test_sizes_at_the_limit),
          TEST(test_entries_of_x86_64))
