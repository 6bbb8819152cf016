/* SPDX-License-Identifier: MIT */
/* Classic bugs 35 to 40: who waits for whom, and what changes meanwhile. docs/testing.md has the list. */
#include "bugs.h"

#include <quire/host.h>

#include "aspace.h"
#include "cache.h"
#include "system.h"

/* ---- 35: the same again, but not the same thing -------------------------------------------------------- */

static int write_and_check(void *address)
{
    for (unsigned i = 0; i < 6; i++) {
        int error = sim_write_byte((addr_t)address, (uint8_t)(i + 1));
        int seen = error == VM_OK ? sim_read_byte((addr_t)address) : error;
        if (seen != (int)i + 1 && seen != 0)
            return seen < 0 ? seen : -1;
    }
    return VM_OK;
}

static int discard_often(void *address)
{
    for (unsigned i = 0; i < 6; i++) {
        int error = vm_discard_range(program, (addr_t)address, PAGE);
        if (error != VM_OK)
            return error;
    }
    return VM_OK;
}

/* Frames of one page are freed and become the other's, back and forth: no fault that was decided on
 * before installs what the frame was then. */
static void frames_go_round(void)
{
    static addr_t frames[8192];
    size_t count = 0;
    region_at(SPOT, 2, LOCK_RW);
    number_pages(SPOT, 2, 0);
    while (figures().available_pages > 1)
        OK(vm_allocate_frames(1, false, &frames[count++]));
    sim_fiber *fiber[3] = {
        sim_spawn_on(0, program, "write", write_and_check, PTR(SPOT)),
        sim_spawn_on(1, program, "write", write_and_check, PTR(SPOT + PAGE)),
        sim_spawn_on(2, program, "discard", discard_often, PTR(SPOT)),
    };
    sim_run();
    while (count > 0)
        vm_free_frames(frames[--count], 1);
    for (unsigned i = 0; i < 3; i++)
        OK(sim_fiber_result(fiber[i]));
}

static void test_bug_35_a_frame_used_again_is_another_page(void)
{
    in_many_orders(40, frames_go_round);
}

/* ---- 36: a wake that reaches nobody ----------------------------------------------------------------------- */

/* Of many who wait for a page the first is killed as the page comes: the others all get it. */
static void killed_waiter(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    sim_fiber *waiter[5];
    addr_t a;
    map_pages(&a, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    sim_file_block_reads(file, true);
    for (unsigned i = 0; i < 5; i++)
        waiter[i] = sim_spawn_on(i % BUG_CPUS, program, "waiter", read_there, PTR(a));
    sim_run_until_blocked();
    for (unsigned i = 0; i < 3; i++) {
        sim_kill(waiter[i]);
        sim_yield();
        if (i == 1)
            sim_file_block_reads(file, false);
    }
    sim_run();
    for (unsigned i = 0; i < 5; i++) {
        int result = sim_fiber_result(waiter[i]);
        assert_true(result == 1 || (i < 3 && result == ERR_INTERRUPTED));
    }
    assert_int_equal(figures().busy_pages, 0);
}

static void test_bug_36_a_killed_waiter_takes_no_wake_along(void)
{
    in_many_orders(60, killed_waiter);
}

/* ---- 37: truncation ------------------------------------------------------------------------------------------ */

static vm_cache_ref *truncated;

static int shorten(void *file)
{
    sim_file_set_size(file, PAGE);
    return vm_cache_truncate(truncated, (off_t)PAGE);
}

static int fault_behind(void *address)
{
    for (unsigned i = 0; i < 8; i++) {
        int byte = sim_read_byte((addr_t)address + PAGE);
        if (byte < 0 && byte != ERR_VM_PF_PAST_END)
            return byte;
    }
    return VM_OK;
}

/* However long others fault, the truncation ends; and then nothing behind the end is left. */
static void truncate_under_faults(void)
{
    sim_file *file = sim_file_create_numbered("/f", 3);
    addr_t private, shared;
    map_pages(&private, file, 3, LOCK_RW, REGION_PRIVATE_MAP, 0);
    map_pages(&shared, file, 3, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(vm_get_vnode_cache(file, &truncated));
    sim_fiber *fiber[3] = {
        sim_spawn_on(0, program, "shorten", shorten, file),
        sim_spawn_on(1, program, "fault", fault_behind, PTR(private)),
        sim_spawn_on(2, program, "fault", fault_behind, PTR(shared)),
    };
    sim_run();
    for (unsigned i = 0; i < 3; i++)
        OK(sim_fiber_result(fiber[i]));
    assert_int_equal(sim_read_byte(private + PAGE), ERR_VM_PF_PAST_END);
    assert_int_equal(sim_read_byte(shared + PAGE), ERR_VM_PF_PAST_END);
    sim_file_set_size(file, PAGES(3));
    OK(vm_cache_truncate(truncated, (off_t)PAGES(3)));
    assert_byte(private + PAGE, 0);
    assert_byte(shared + PAGE, 0);
    vm_put_cache(truncated);
}

static void test_bug_37_truncation_under_faults(void)
{
    in_many_orders(100, truncate_under_faults);
}

static aspace_id forked;

static int fork_it(void *unused)
{
    (void)unused;
    forked = vm_copy_aspace(program, "child");
    return forked > 0 ? VM_OK : (int)forked;
}

/* A fork puts caches between while the truncation is on its way up: it misses none. */
static void truncate_under_a_fork(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    addr_t private;
    map_pages(&private, file, 2, LOCK_RW, REGION_PRIVATE_MAP, 0);
    OK(sim_write_byte(private + PAGE, 99));
    OK(vm_get_vnode_cache(file, &truncated));
    sim_fiber *short_ = sim_spawn_on(0, program, "shorten", shorten, file);
    sim_fiber *fork = sim_spawn_on(1, program, "fork", fork_it, NULL);
    sim_run();
    OK(sim_fiber_result(short_));
    OK(sim_fiber_result(fork));
    assert_int_equal(sim_read_byte(private + PAGE), ERR_VM_PF_PAST_END);
    sim_set_aspace(forked);
    assert_int_equal(sim_read_byte(private + PAGE), ERR_VM_PF_PAST_END);
    sim_set_aspace(program);
    OK(sim_delete_aspace(forked));
    vm_put_cache(truncated);
}

static void test_bug_37_truncation_under_a_fork(void)
{
    in_many_orders(200, truncate_under_a_fork);
}

/* ---- 38: loops that don't end ---------------------------------------------------------------------------------- */

static void advise_last_page(aspace_id kernel, addr_t last)
{
    uint8_t resident;
    OK(vm_sync_range(kernel, last, PAGE));
    OK(vm_discard_range(kernel, last, PAGE));
    OK(vm_get_residency(kernel, last, PAGE, &resident));
    OK(vm_wire_range(kernel, last, PAGE));
    OK(vm_unwire_range(kernel, last, PAGE));
    OK(vm_protect_range(kernel, last, PAGE, LOCK_RO));
}

static size_t count_regions_of(aspace_id aid)
{
    vm_region_info info;
    addr_t cookie = 0;
    size_t count = 0;
    while (count < 1000 && vm_get_next_region_info(aid, &cookie, &info) == VM_OK)
        count++;
    return count;
}

static void test_bug_38_calls_end_at_the_last_address(void)
{
    aspace_id kernel = start_with_last_page();
    addr_t last = (addr_t)0 - PAGE;
    sim_file *file = sim_file_create_numbered("/f", 1);
    void *at = PTR(last);
    size_t regions = count_regions_of(kernel);
    assert_true(vm_map_vnode(kernel, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                             LOCK_RW | LOCK_KERNEL, REGION_NO_PRIVATE_MAP, file, 0) > 0);
    assert_int_equal(count_regions_of(kernel), regions + 1);
    advise_last_page(kernel, last);
    OK(vm_unmap_range(kernel, last, PAGE));
    end_last_page();
}

/* The time a call takes goes by what is there, not by the bytes of address space. */
static void test_bug_38_huge_empty_ranges_take_no_time(void)
{
    addr_t size = SIM_USER_END / 2;
    void *at = NULL;
    assert_true(vm_create_anonymous_region(program, "huge", &at, 0, size, REGION_WIRING_LAZY,
                                           LOCK_NO_READ) > 0);
    uint64_t steps = sim_steps();
    OK(vm_discard_range(program, (addr_t)at, size));
    OK(vm_sync_range(program, (addr_t)at, size));
    OK(vm_set_inheritance(program, (addr_t)at, size, VM_INHERIT_SHARE));
    OK(vm_wire_range(program, (addr_t)at, size));
    OK(vm_unwire_range(program, (addr_t)at, size));
    OK(vm_protect_range(program, (addr_t)at + PAGE, PAGE, LOCK_RO));
    OK(vm_unmap_range(program, (addr_t)at, size));
    assert_true(sim_steps() - steps < 10000);
}

/* ---- 39: a store that doesn't answer --------------------------------------------------------------------------------- */

static int list_regions(void *unused)
{
    (void)unused;
    vm_region_info info;
    uint8_t resident[2];
    for (addr_t cookie = 0; vm_get_next_region_info(program, &cookie, &info) == VM_OK;)
        (void)vm_get_residency(program, info.base, PAGE, resident);
    return VM_OK;
}

static int fork_and_end(void *unused)
{
    (void)unused;
    aspace_id child = vm_copy_aspace(program, "child");
    return child > 0 ? vm_delete_aspace(child) : (int)child;
}

static int copy_from(void *address)
{
    char byte;
    return user_memcpy(&byte, address, 1);
}

static int write_elsewhere(void *address)
{
    void *at = NULL;
    region_id id =
        vm_create_anonymous_region(program, "new", &at, 0, PAGE, REGION_WIRING_LAZY, LOCK_RW);
    if (id < 0)
        return (int)id;
    int error = sim_write_byte((addr_t)at, 1);
    return error == VM_OK ? vm_unmap_range(program, (addr_t)address, PAGE) : error;
}

static void test_bug_39_a_store_that_hangs_holds_up_only_its_readers(void)
{
    sim_file *file = sim_file_create_numbered("/hangs", 2);
    addr_t a, b;
    map_pages(&a, file, 2, LOCK_RW, REGION_PRIVATE_MAP, 0);
    map_pages(&b, file, 2, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    sim_file_block_reads(file, true);
    sim_fiber *reader = sim_spawn("reader", read_there, PTR(a));
    sim_run_until_blocked();
    sim_fiber *copier = sim_spawn("copier", copy_from, PTR(b));
    sim_fiber *others[3] = {
        sim_spawn("list", list_regions, NULL),
        sim_spawn("fork", fork_and_end, NULL),
        sim_spawn("write", write_elsewhere, PTR(b + PAGE)),
    };
    assert_int_equal(sim_run_until_blocked(), 2);
    for (unsigned i = 0; i < 3; i++)
        OK(sim_fiber_result(others[i]));
    sim_kill(copier);
    assert_int_equal(sim_run_until_blocked(), 1);
    assert_int_equal(sim_fiber_result(copier), ERR_VM_BAD_USER_MEMORY);
    assert_false(sim_fiber_ended(reader));
    sim_file_block_reads(file, false);
    sim_run();
    assert_int_equal(sim_fiber_result(reader), 1);
}

/* ---- 40: a fault inside a fault ---------------------------------------------------------------------------------------- */

/* Reading a file into a mapping of the same page of it, which is not in memory; and writing from it. */
static void test_bug_40_a_file_is_copied_onto_itself(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    vm_cache_ref *cache;
    addr_t a;
    size_t done;
    map_pages(&a, file, 2, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_cache_read(cache, 0, PTR(a), PAGE, true, &done));
    vm_cache_discard(cache);
    OK(vm_cache_write(cache, PAGE / 2, PTR(a), PAGE, true, &done));
    assert_int_equal(done, PAGE);
    assert_byte(a + PAGE, 1);
    assert_byte(a + PAGE + PAGE / 2, 2);
    vm_put_cache(cache);
}

/* A page comes in when there is no memory: an answer, not a wait for memory that only others could free. */
static void test_bug_40_reading_without_memory_is_an_answer(void)
{
    static addr_t frames[8192];
    sim_file *file = sim_file_create_numbered("/f", 2);
    size_t count = 0;
    addr_t a;
    map_pages(&a, file, 2, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    while (vm_allocate_frames(1, false, &frames[count]) == VM_OK)
        count++;
    assert_int_equal(sim_read_byte(a), ERR_NO_MEMORY);
    assert_int_equal(figures().busy_pages, 0);
    while (count > 0)
        vm_free_frames(frames[--count], 1);
    assert_byte(a, 1);
}

UNIT_MAIN("bugs 35 to 40", TEST(test_bug_35_a_frame_used_again_is_another_page),
          TEST(test_bug_36_a_killed_waiter_takes_no_wake_along),
          TEST(test_bug_37_truncation_under_faults), TEST(test_bug_37_truncation_under_a_fork),
          TEST(test_bug_38_calls_end_at_the_last_address),
          TEST(test_bug_38_huge_empty_ranges_take_no_time),
          TEST(test_bug_39_a_store_that_hangs_holds_up_only_its_readers),
          TEST(test_bug_40_a_file_is_copied_onto_itself),
          TEST(test_bug_40_reading_without_memory_is_an_answer))
