/* SPDX-License-Identifier: MIT */
/* Classic bugs 1 to 9: copy-on-write and the right to write. docs/testing.md has the list. */
#include "bugs.h"

#include <quire/host.h>

#define TURNS 8

/* ---- 1 and 5: a write and a discard of the same private page -------------------------------------- */

/* The page is looked at first: then the write finds it mapped, for reading. */
static int write_often(void *address)
{
    for (unsigned i = 0; i < TURNS; i++) {
        (void)sim_read_byte((addr_t)address);
        int error = sim_write_byte((addr_t)address, (uint8_t)(100 + i));
        if (error != VM_OK)
            return error;
    }
    return VM_OK;
}

/* As the kernel writes for a program: the access that Dirty COW used. */
static int write_often_as_kernel(void *address)
{
    for (unsigned i = 0; i < TURNS; i++) {
        int error = user_memset(address, (char)(100 + i), 1);
        if (error != VM_OK)
            return error;
    }
    return VM_OK;
}

static int discard_often(void *address)
{
    for (unsigned i = 0; i < TURNS; i++) {
        int error = vm_discard_range(program, (addr_t)address, PAGE);
        if (error != VM_OK)
            return error;
    }
    return VM_OK;
}

/* The page at `private` is written and discarded; the one at `original` must stay what it was. */
static void write_and_discard(addr_t private, addr_t original, int expected)
{
    sim_fiber *fiber[3] = {
        sim_spawn_on(0, program, "write", write_often, PTR(private)),
        sim_spawn_on(1, program, "kernel", write_often_as_kernel, PTR(private)),
        sim_spawn_on(2, program, "discard", discard_often, PTR(private)),
    };
    sim_run();
    for (unsigned i = 0; i < 3; i++)
        OK(sim_fiber_result(fiber[i]));
    assert_byte(original, expected);
}

static void dirty_cow(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    addr_t private, shared;
    map_pages(&private, file, 2, LOCK_RW, REGION_PRIVATE_MAP, 0);
    map_pages(&shared, file, 2, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    write_and_discard(private, shared, 1);
    OK(vm_unmap_range(program, SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE));
    assert_int_equal(sim_file_data(file)[0], 1);
}

static void test_bug_01_private_write_stays_out_of_the_file(void)
{
    in_many_orders(60, dirty_cow);
}

/* A private clone of a region of this kind. */
static void dirty_cow_of(unsigned lock)
{
    void *clone = NULL;
    region_id source = region_at(SPOT, 2, lock);
    OK(sim_write_byte(SPOT, 7));
    assert_true(vm_clone_region(program, "clone", &clone, 0, source, REGION_PRIVATE_MAP, LOCK_RW) >
                0);
    write_and_discard((addr_t)clone, SPOT, 7);
}

static void dirty_cow_of_anonymous(void)
{
    dirty_cow_of(LOCK_RW);
}

static void dirty_cow_of_shared(void)
{
    dirty_cow_of(LOCK_RW | REGION_SHARED);
}

static void dirty_cow_of_fork(void)
{
    region_at(SPOT, 2, LOCK_RW);
    OK(sim_write_byte(SPOT, 7));
    aspace_id child = vm_copy_aspace(program, "child");
    sim_fiber *write = sim_spawn_on(0, program, "write", write_often, PTR(SPOT));
    sim_fiber *discard = sim_spawn_on(1, program, "discard", discard_often, PTR(SPOT));
    sim_fiber *read = sim_spawn_on(2, child, "read", read_there, PTR(SPOT));
    sim_run();
    OK(sim_fiber_result(write));
    OK(sim_fiber_result(discard));
    assert_int_equal(sim_fiber_result(read), 7);
    OK(sim_delete_aspace(child));
}

static void test_bug_05_private_write_for_every_kind_of_memory(void)
{
    in_many_orders(30, dirty_cow_of_anonymous);
    in_many_orders(30, dirty_cow_of_shared);
    in_many_orders(30, dirty_cow_of_fork);
}

/* ---- 2: dirty is not the same as copied ----------------------------------------------------------- */

static void test_bug_02_a_dirty_page_is_still_copied(void)
{
    region_at(SPOT, 2, LOCK_RW);
    OK(sim_write_byte(SPOT, 1)); /* dirty in the tables, in the TLB and in the page */
    aspace_id child = fork_program();
    sim_set_aspace(program);
    OK(sim_write_byte(SPOT, 2));
    sim_set_aspace(child);
    assert_byte(SPOT, 1);
    OK(sim_write_byte(SPOT, 3));
    sim_set_aspace(program);
    assert_byte(SPOT, 2);
    OK(sim_delete_aspace(child));
}

/* A page of zeros that several show is nobody's to write. */
static void test_bug_02_shared_zeros_stay_zeros(void)
{
    void *clone = NULL;
    region_id source = region_at(SPOT, 2, LOCK_RW);
    assert_true(vm_clone_region(program, "clone", &clone, 0, source, REGION_PRIVATE_MAP, LOCK_RW) >
                0);
    assert_byte((addr_t)clone, 0);
    assert_byte(SPOT, 0);
    aspace_id child = fork_program();
    assert_byte(SPOT, 0);
    OK(sim_write_byte((addr_t)clone, 5));
    OK(sim_write_byte(SPOT, 6));
    sim_set_aspace(program);
    assert_byte(SPOT, 0);
    assert_byte((addr_t)clone, 0);
    OK(sim_delete_aspace(child));
}

/* ---- 3: when a page may be written in place -------------------------------------------------------- */

static void two_children_look(bool wired)
{
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    if (wired)
        OK(vm_wire_range(program, SPOT, PAGE));
    aspace_id first = vm_copy_aspace(program, "first"), second = vm_copy_aspace(program, "second");
    sim_set_aspace(first);
    assert_byte(SPOT, 1);
    sim_set_aspace(second);
    OK(sim_write_byte(SPOT, 3));
    sim_set_aspace(program);
    OK(sim_write_byte(SPOT, 2));
    sim_set_aspace(first);
    assert_byte(SPOT, 1);
    OK(sim_delete_aspace(second));
    sim_set_aspace(first);
    OK(sim_write_byte(SPOT, 4));
    sim_set_aspace(program);
    assert_byte(SPOT, 2);
    OK(sim_delete_aspace(first));
    OK(vm_unmap_range(program, SPOT, PAGE));
}

/* The second time the parent has its page wired, as a device's transfer would want it. */
static void test_bug_03_a_page_that_others_see_is_not_reused(void)
{
    two_children_look(false);
    two_children_look(true);
}

/* ---- 4: who is the last to see a page, asked by two at once ---------------------------------------- */

static int write_mine(void *byte)
{
    for (unsigned i = 0; i < 4; i++)
        if (sim_write_byte(SPOT + PAGES(i), (uint8_t)(uintptr_t)byte) != VM_OK)
            return -1;
    for (unsigned i = 0; i < 4; i++)
        if (sim_read_byte(SPOT + PAGES(i)) != (int)(uintptr_t)byte ||
            sim_read_byte(SPOT + PAGES(i) + 64) != 9)
            return -2;
    return VM_OK;
}

static void parent_and_children_write(void)
{
    region_at(SPOT, 4, LOCK_RW);
    OK(sim_fill(SPOT, 9, PAGES(4)));
    aspace_id first = vm_copy_aspace(program, "first"), second = vm_copy_aspace(program, "second");
    sim_fiber *fiber[3] = {
        sim_spawn_on(0, program, "parent", write_mine, PTR(50)),
        sim_spawn_on(1, first, "first", write_mine, PTR(60)),
        sim_spawn_on(2, second, "second", write_mine, PTR(70)),
    };
    sim_run();
    for (unsigned i = 0; i < 3; i++)
        OK(sim_fiber_result(fiber[i]));
    SIM_CHECK();
    OK(sim_delete_aspace(first));
    OK(sim_delete_aspace(second));
}

static void test_bug_04_copies_made_at_once(void)
{
    in_many_orders(200, parent_and_children_write);
}

/* ---- 6: a debugger's write asks for permission ------------------------------------------------------ */

static void test_bug_06_writing_into_another_space(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    aspace_id other = vm_create_aspace("other", SIM_USER_BASE, PAGES(100), false);
    void *shared = NULL, *private = NULL;
    unsigned write = VM_ACCESS_WRITE;
    assert_true(vm_map_vnode(other, "s", &shared, 0, PAGE, LOCK_RO | REGION_NO_WRITE,
                             REGION_NO_PRIVATE_MAP, file, 0) > 0);
    assert_true(vm_map_vnode(other, "p", &private, 0, PAGE, LOCK_RO, REGION_PRIVATE_MAP, file, 0) >
                0);
    assert_int_equal(vm_fault_aspace(other, (addr_t)shared, write), ERR_VM_PF_BAD_PERM);
    assert_int_equal(vm_fault_aspace(other, (addr_t) private, write), ERR_VM_PF_BAD_PERM);
    OK(vm_fault_aspace(other, (addr_t)shared, VM_ACCESS_READ));
    assert_int_equal(vm_fault_aspace(other, (addr_t)shared, write), ERR_VM_PF_BAD_PERM);
    assert_int_equal(sim_file_data(file)[0], 1);
    OK(vm_delete_aspace(other));
}

/* ---- 7: what is checked, and changes before it is used ---------------------------------------------- */

static vm_cache_ref *source_cache;
static sim_file *target;

static int copy_to_program(void *to)
{
    size_t done;
    int error = vm_cache_read(source_cache, 0, to, PAGES(3), true, &done);
    return error == ERR_VM_BAD_USER_MEMORY ? VM_OK : error;
}

static int replace_by_file(void *address)
{
    void *at = address;
    region_id id = vm_map_vnode(program, "target", &at, REGION_ADDR_REPLACE, PAGES(2),
                                LOCK_RO | REGION_NO_WRITE, REGION_NO_PRIVATE_MAP, target, 0);
    return id > 0 ? sim_read_byte((addr_t)address) : (int)id;
}

static void copy_and_replace(void)
{
    sim_file *source = sim_file_create("/source", NULL, PAGES(3), ALL_ACCESS);
    memset(sim_file_data(source), 0xee, PAGES(3));
    target = sim_file_create_numbered("/target", 2);
    region_at(SPOT, 3, LOCK_RW);
    OK(sim_write_byte(SPOT + PAGE, 1)); /* in the tables, writable */
    OK(vm_get_vnode_cache(source, &source_cache));
    sim_fiber *copy = sim_spawn_on(1, program, "copy", copy_to_program, PTR(SPOT));
    sim_fiber *replace = sim_spawn_on(2, program, "replace", replace_by_file, PTR(SPOT + PAGE));
    sim_run();
    OK(sim_fiber_result(copy));
    assert_int_equal(sim_fiber_result(replace), 1);
    assert_true(sim_is_filled(SPOT + PAGE, 1, PAGE));
    assert_true(sim_is_filled(SPOT + PAGES(2), 2, PAGE));
    vm_put_cache(source_cache);
}

static void test_bug_07_a_target_that_becomes_read_only(void)
{
    in_many_orders(60, copy_and_replace);
}

/* ---- 8: what a frame was before --------------------------------------------------------------------- */

/* All free frames have been modified pages of a file; used again, they are not modified. */
static void test_bug_08_a_frame_forgets_its_flags(void)
{
    sim_file *old = sim_file_create_numbered("/old", 64), *new;
    vm_cache_ref *cache;
    addr_t a;
    map_pages(&a, old, 64, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    number_pages(a, 64, 100);
    OK(vm_get_vnode_cache(old, &cache));
    vm_cache_discard(cache);
    vm_put_cache(cache);
    OK(vm_unmap_range(program, a, PAGES(64)));
    new = sim_file_create_numbered("/new", 64);
    map_pages(&a, new, 64, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    assert_numbered(a, 64, 1);
    OK(vm_sync_range(program, a, PAGES(64)));
    assert_int_equal(sim_file_writes(new), 0);
}

/* ---- 9: no anonymous memory where the object has none ------------------------------------------------ */

static void test_bug_09_nothing_is_not_filled(void)
{
    void *at = PTR(SPOT);
    assert_true(vm_create_null_region(program, "null", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(2)) >
                0);
    assert_int_equal(sim_write_byte(SPOT, 1), ERR_VM_PF_FATAL);
    assert_int_equal(sim_read_byte(SPOT), ERR_VM_PF_FATAL);
    assert_int_equal(vm_protect_range(program, SPOT, PAGES(2), LOCK_RW), ERR_PERMISSION_DENIED);
    (void)vm_protect_range(program, SPOT, PAGES(2), LOCK_RO);
    assert_int_equal(sim_read_byte(SPOT), ERR_VM_PF_FATAL);
    aspace_id child = fork_program();
    assert_int_equal(sim_read_byte(SPOT), ERR_VM_PF_FATAL);
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
}

static void test_bug_09_devices_resolve_their_own_faults(void)
{
    void *at = NULL;
    uint64_t fills = figures().zero_fills;
    assert_true(
        vm_map_physical_memory(program, "device", &at, 0, PAGES(2), LOCK_RW, SIM_DEVICE_LOW) > 0);
    OK(sim_write_byte((addr_t)at + PAGE, 9));
    assert_int_equal(((uint8_t *)sim_physical(SIM_DEVICE_LOW))[PAGE], 9);
    assert_int_equal(figures().zero_fills, fills);
}

UNIT_MAIN("bugs 1 to 9", TEST(test_bug_01_private_write_stays_out_of_the_file),
          TEST(test_bug_02_a_dirty_page_is_still_copied), TEST(test_bug_02_shared_zeros_stay_zeros),
          TEST(test_bug_03_a_page_that_others_see_is_not_reused),
          TEST(test_bug_04_copies_made_at_once),
          TEST(test_bug_05_private_write_for_every_kind_of_memory),
          TEST(test_bug_06_writing_into_another_space),
          TEST(test_bug_07_a_target_that_becomes_read_only),
          TEST(test_bug_08_a_frame_forgets_its_flags), TEST(test_bug_09_nothing_is_not_filled),
          TEST(test_bug_09_devices_resolve_their_own_faults))
