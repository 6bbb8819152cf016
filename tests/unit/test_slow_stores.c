/* SPDX-License-Identifier: MIT */
/* Stores whose writes fail once, or for good, or never return; swap that fills up; and those who wait. */
#include "support.h"

#define SMALL .memory = (size_t)1 << 20, .swap = 1024, .cpus = 2
#define SECOND ((uint64_t)1000000000)
#define FOREVER 1000000
#define OTHER (SPOT + PAGES(1000))

static addr_t frames[1024];
static size_t taken;

/* Leaves so many frames for pages. */
static void take_frames(size_t left)
{
    for (taken = 0; figures().available_pages > left; taken++)
        OK(vm_allocate_frames(1, false, &frames[taken]));
}

static void give_frames_back(void)
{
    while (taken > 0)
        vm_free_frames(frames[--taken], 1);
}

static int reclaim(void *wanted)
{
    return (int)vm_reclaim((size_t)wanted);
}

static int read_byte(void *address)
{
    return sim_read_byte((addr_t)address);
}

static int write_64_pages(void *address)
{
    for (size_t i = 0; i < 64; i++) {
        int error = sim_write_byte((addr_t)address + PAGES(i), (uint8_t)(i + 1));
        if (error != VM_OK)
            return error;
    }
    return VM_OK;
}

/* A fiber that is in a write to swap, which doesn't return: the pages at SPOT are on their way out. */
static sim_fiber *begin_endless_write(size_t pages)
{
    region_at(SPOT, pages, LOCK_RW);
    number_pages(SPOT, pages, 1);
    sim_swap_block(sim_boot_swap(), true);
    sim_fiber *fiber = sim_spawn("reclaimer", reclaim, (void *)(uintptr_t)pages);
    sim_run_until_blocked();
    assert_int_equal(sim_swap_blocked(sim_boot_swap()), 1);
    return fiber;
}

static void end_endless_write(const sim_fiber *fiber)
{
    sim_swap_block(sim_boot_swap(), false);
    sim_run();
    assert_true(sim_fiber_ended(fiber));
}

/* ---- writes that never return ---- */

static void test_a_fault_on_a_page_that_is_written_for_ever_can_be_killed(void)
{
    sim_fiber *writer = begin_endless_write(8);
    sim_fiber *reader = sim_spawn("reader", read_byte, PTR(SPOT));
    sim_run_until_blocked();
    assert_false(sim_fiber_ended(reader));
    sim_kill(reader);
    sim_run_until_blocked();
    assert_true(sim_fiber_ended(reader));
    assert_int_equal(sim_fiber_result(reader), ERR_INTERRUPTED);
    end_endless_write(writer);
    assert_numbered(SPOT, 8, 1);
}

static void test_a_reader_of_a_page_that_is_written_gets_it_when_that_ends(void)
{
    sim_fiber *writer = begin_endless_write(8);
    sim_fiber *reader = sim_spawn("reader", read_byte, PTR(SPOT));
    sim_run_until_blocked();
    assert_false(sim_fiber_ended(reader));
    end_endless_write(writer);
    assert_int_equal(sim_fiber_result(reader), 1);
    assert_true(figures().kept > 0);
}

static void test_a_write_that_never_returns_holds_nobody_else_up(void)
{
    sim_file *file = sim_file_create_numbered("/f", 4);
    vm_cache_ref *cache;
    uint8_t byte;
    size_t done;
    sim_fiber *writer = begin_endless_write(8);
    region_at(OTHER, 20, LOCK_RW);
    number_pages(OTHER, 20, 5);
    assert_numbered(OTHER, 20, 5);
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_cache_read(cache, (off_t)PAGE, &byte, 1, false, &done));
    assert_int_equal(byte, 2);
    OK(vm_cache_write(cache, 0, &byte, 1, false, &done));
    OK(vm_cache_sync(cache, 0, INT64_MAX));
    aspace_id child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
    OK(sim_delete_aspace(child));
    OK(vm_discard_range(program, OTHER, PAGES(10)));
    assert_byte(OTHER, 0);
    vm_put_cache(cache);
    end_endless_write(writer);
    assert_numbered(SPOT, 8, 1);
}

/* Pages that are on their way out when their region goes leave with the write. */
static void test_a_region_goes_while_its_pages_are_written_for_ever(void)
{
    sim_fiber *writer = begin_endless_write(8);
    OK(vm_unmap_range(program, SPOT, PAGES(8)));
    region_at(SPOT, 8, LOCK_RW);
    assert_byte(SPOT, 0);
    end_endless_write(writer);
    assert_byte(SPOT + PAGE, 0);
    assert_int_equal(figures().free_swap_slots, 1024);
}

static void test_a_space_goes_while_its_pages_are_written_for_ever(void)
{
    sim_fiber *writer = begin_endless_write(8);
    aspace_id old = program;
    program = sim_new_aspace();
    assert_true(program > 0);
    OK(sim_delete_aspace(old));
    end_endless_write(writer);
    assert_int_equal(figures().free_swap_slots, 1024);
}

/* Frames that somebody else is freeing are waited for, but not for ever. */
static void wait_for_frames(bool kill)
{
    take_frames(70);
    sim_fiber *writer = begin_endless_write(1);
    region_at(OTHER, 64, LOCK_RW);
    OK(vm_set_inheritance(program, OTHER, PAGES(64), VM_INHERIT_NONE));
    size_t more = taken;
    while (figures().available_pages > 0)
        OK(vm_allocate_frames(1, false, &frames[taken++]));
    sim_fiber *waiter = sim_spawn("waiter", read_byte, PTR(OTHER));
    sim_run_until_blocked();
    assert_false(sim_fiber_ended(waiter));
    assert_true(figures().reclaim_waits > 0);
    if (kill)
        sim_kill(waiter);
    else
        sim_sleep(6 * SECOND);
    sim_run_until_blocked();
    assert_true(sim_fiber_ended(waiter));
    assert_int_equal(sim_fiber_result(waiter), kill ? ERR_INTERRUPTED : ERR_NO_MEMORY);
    end_endless_write(writer);
    while (taken > more)
        vm_free_frames(frames[--taken], 1);
    assert_byte(OTHER, 0);
    give_frames_back();
}

static void test_who_waits_for_frames_can_be_killed(void)
{
    wait_for_frames(true);
}

static void test_who_waits_for_frames_hears_of_a_store_that_hangs(void)
{
    wait_for_frames(false);
}

static int read_through_cache(void *cache)
{
    uint8_t byte;
    size_t done;
    int error = vm_cache_read(cache, 0, &byte, 1, false, &done);
    return error == VM_OK ? byte : error;
}

static int sync_cache(void *cache)
{
    return vm_cache_sync(cache, 0, INT64_MAX);
}

/* A file's page that is being written for ever: copies can be killed, another file goes on. */
static void test_a_copy_of_a_page_that_is_written_for_ever_can_be_killed(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2), *other = sim_file_create_numbered("/o", 2);
    vm_cache_ref *cache, *others;
    uint8_t byte = 50;
    size_t done;
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_get_vnode_cache(other, &others));
    OK(vm_cache_write(cache, 0, &byte, 1, false, &done));
    OK(vm_cache_write(others, 0, &byte, 1, false, &done));
    sim_file_block_writes(file, true);
    sim_fiber *writer = sim_spawn("sync", sync_cache, cache);
    sim_run_until_blocked();
    sim_fiber *reader = sim_spawn("reader", read_through_cache, cache);
    sim_run_until_blocked();
    assert_false(sim_fiber_ended(reader));
    OK(vm_cache_sync(others, 0, INT64_MAX));
    assert_int_equal(sim_file_data(other)[0], 50);
    sim_kill(reader);
    sim_run_until_blocked();
    assert_int_equal(sim_fiber_result(reader), ERR_INTERRUPTED);
    sim_file_block_writes(file, false);
    sim_run();
    OK(sim_fiber_result(writer));
    assert_int_equal(sim_file_data(file)[0], 50);
    vm_put_cache(cache);
    vm_put_cache(others);
}

/* ---- syncs ---- */

static int sync_files(void *unused)
{
    (void)unused;
    return vm_sync_files();
}

/* Each of two waits for the file that the other writes. */
static void test_vm_sync_files_together_leave_none_out(void)
{
    sim_file *file[3];
    vm_cache_ref *cache[3];
    uint8_t byte = 99;
    size_t done;
    for (unsigned i = 0; i < 3; i++) {
        file[i] = sim_file_create_numbered((const char *[]){"/a", "/b", "/c"}[i], 1);
        OK(vm_get_vnode_cache(file[i], &cache[i]));
        OK(vm_cache_write(cache[i], 0, &byte, 1, false, &done));
        sim_file_block_writes(file[i], i < 2);
    }
    sim_fiber *one = sim_spawn("one", sync_files, NULL);
    sim_run_until_blocked();
    sim_fiber *other = sim_spawn("other", sync_files, NULL);
    sim_run_until_blocked();
    sim_file_block_writes(file[0], false);
    sim_run_until_blocked();
    assert_int_equal(sim_file_data(file[0])[0], 99);
    assert_int_equal(sim_file_data(file[1])[0], 1);
    assert_false(sim_fiber_ended(one) || sim_fiber_ended(other));
    sim_file_block_writes(file[1], false);
    sim_run();
    OK(sim_fiber_result(one));
    OK(sim_fiber_result(other));
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(sim_file_data(file[i])[0], 99);
        vm_put_cache(cache[i]);
    }
}

/* ---- writes that fail ---- */

static void test_a_file_whose_writes_fail_for_good_loses_nothing(void)
{
    sim_file *file = sim_file_create_numbered("/f", 20);
    addr_t at;
    map_pages(&at, file, 20, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    number_pages(at, 20, 100);
    sim_file_fail_writes(file, 1, FOREVER, ERR_IO);
    for (unsigned i = 0; i < 3; i++) {
        (void)vm_reclaim(20);
        assert_int_equal(vm_sync_range(program, at, PAGES(20)), ERR_IO);
        assert_numbered(at, 20, 100);
    }
    assert_int_equal(figures().modified_file_pages, 20);
    sim_file_fail_writes(file, 0, 0, VM_OK);
    (void)vm_sync_range(program, at, PAGES(20)); /* what went wrong since the last one */
    OK(vm_sync_range(program, at, PAGES(20)));
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(sim_file_data(file)[PAGES(i)], (uint8_t)(100 + i));
}

/* Memory full of what can't be written: an answer, and all goes on when the store does. */
static void test_memory_full_of_what_cannot_be_written(void)
{
    take_frames(80);
    region_at(SPOT, 64, LOCK_RW);
    region_at(OTHER, 64, LOCK_RW);
    sim_swap_fail_writes(sim_boot_swap(), 1, FOREVER);
    OK(write_64_pages(PTR(SPOT)));
    assert_int_equal(write_64_pages(PTR(OTHER)), ERR_NO_MEMORY);
    assert_int_equal(figures().memory_level, VM_MEMORY_CRITICAL);
    assert_numbered(SPOT, 64, 1);
    sim_swap_fail_writes(sim_boot_swap(), 0, 0);
    sim_sleep(SWAP_RESTS);
    OK(write_64_pages(PTR(OTHER)));
    assert_numbered(OTHER, 64, 1);
    assert_numbered(SPOT, 64, 1);
    give_frames_back();
}

static void test_a_write_to_swap_that_fails_once(void)
{
    take_frames(40);
    region_at(SPOT, 64, LOCK_RW);
    for (unsigned n = 1; n < 8; n++) {
        sim_swap_fail_writes(sim_boot_swap(), n, 1);
        OK(write_64_pages(PTR(SPOT)));
        assert_numbered(SPOT, 64, 1);
    }
    vm_swap_info info;
    OK(vm_get_swap_info(0, &info));
    assert_true(info.errors > 0);
    give_frames_back();
}

/* ---- swap that fills up ---- */

static void test_areas_are_filled_in_turn(void)
{
    vm_swap_info info[2];
    sim_swap *second = sim_swap_create(40);
    OK(vm_swap_add(sim_swap_store(second), 40, "second"));
    take_frames(30);
    region_at(SPOT, 64, LOCK_RW);
    OK(write_64_pages(PTR(SPOT)));
    assert_true(vm_reclaim(64) > 0);
    for (unsigned i = 0; i < 2; i++)
        OK(vm_get_swap_info(i, &info[i]));
    assert_int_equal(info[0].used_slots, 16);
    assert_true(info[1].used_slots > 0);
    assert_string_equal(info[1].name, "second");
    assert_numbered(SPOT, 64, 1);
    give_frames_back();
}

/* Where swap is full, a page that comes back makes room for the one that goes for it. */
static void test_swap_that_is_full_still_turns(void)
{
    take_frames(40);
    region_at(SPOT, 64, LOCK_RW);
    OK(write_64_pages(PTR(SPOT)));
    for (unsigned round = 0; round < 10; round++)
        assert_numbered(SPOT, 64, 1);
    region_at(OTHER, 64, LOCK_RW);
    assert_int_equal(write_64_pages(PTR(OTHER)), ERR_NO_MEMORY);
    OK(vm_unmap_range(program, OTHER, PAGES(64)));
    assert_numbered(SPOT, 64, 1);
    for (unsigned round = 0; round < 10; round++)
        OK(write_64_pages(PTR(SPOT)));
    assert_numbered(SPOT, 64, 1);
    give_frames_back();
}

UNIT_MAIN("slow stores",
          TEST_ON(test_a_fault_on_a_page_that_is_written_for_ever_can_be_killed, SMALL),
          TEST_ON(test_a_reader_of_a_page_that_is_written_gets_it_when_that_ends, SMALL),
          TEST_ON(test_a_write_that_never_returns_holds_nobody_else_up, SMALL),
          TEST_ON(test_a_region_goes_while_its_pages_are_written_for_ever, SMALL),
          TEST_ON(test_a_space_goes_while_its_pages_are_written_for_ever, SMALL),
          TEST_ON(test_who_waits_for_frames_can_be_killed, SMALL),
          TEST_ON(test_who_waits_for_frames_hears_of_a_store_that_hangs, SMALL),
          TEST_ON(test_a_copy_of_a_page_that_is_written_for_ever_can_be_killed, SMALL),
          TEST(test_vm_sync_files_together_leave_none_out),
          TEST_ON(test_a_file_whose_writes_fail_for_good_loses_nothing, SMALL),
          TEST_ON(test_memory_full_of_what_cannot_be_written, .memory = (size_t)4 << 20,
                  .swap = 1024),
          TEST_ON(test_a_write_to_swap_that_fails_once, SMALL),
          TEST_ON(test_areas_are_filled_in_turn, .memory = (size_t)1 << 20, .swap = 16),
          TEST_ON(test_swap_that_is_full_still_turns, .memory = (size_t)1 << 20, .swap = 40))
