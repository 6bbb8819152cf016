/* SPDX-License-Identifier: MIT */
/* Who finds no frame: when he waits, how long, who wakes him, and when he is told at once. */
#include "support.h"

#include <quire/host.h>

#include "../../vm/system.h"

#define SMALL .memory = (size_t)1 << 20, .swap = 1024
#define TENTH ((uint64_t)100000000)
#define WANTED (SPOT + PAGES(4))

static addr_t frames[512];
static size_t taken;
static sim_fiber *writer, *waiter;

static int reclaim(void *unused)
{
    (void)unused;
    return (int)vm_reclaim(1);
}

static int write_wanted(void *unused)
{
    (void)unused;
    return sim_write_byte(WANTED, 9);
}

/* The only page that can go is being written, and somebody waits for its frame. A wired one keeps the tables. */
static void begin_waiting(void)
{
    region_at(SPOT, 5, LOCK_RW);
    OK(vm_wire_range(program, SPOT + PAGES(2), PAGE));
    OK(sim_write_byte(SPOT, 1));
    sim_swap_block(sim_boot_swap(), true);
    writer = sim_spawn("writer", reclaim, NULL);
    assert_int_equal(sim_run_until_blocked(), 1);
    vm_trim();
    for (taken = 0; figures().available_pages > 0; taken++)
        OK(vm_allocate_frames(1, false, &frames[taken]));
    waiter = sim_spawn("waiter", write_wanted, NULL);
    assert_int_equal(sim_run_until_blocked(), 2);
    assert_int_equal(figures().reclaim_waits, 1);
    assert_int_equal(vm_system.pages.waiting, 1);
}

static void end_waiting(void)
{
    sim_swap_block(sim_boot_swap(), false);
    sim_run();
    assert_int_equal(vm_system.pages.waiting, 0);
    while (taken > 0)
        vm_free_frames(frames[--taken], 1);
    assert_byte(SPOT, 1);
}

static void test_who_waits_for_a_frame_is_woken_by_it(void)
{
    begin_waiting();
    uint64_t began = host_time_ns();
    sim_swap_block(sim_boot_swap(), false);
    assert_int_equal(sim_run_until_blocked(), 0); /* no time passes */
    OK(sim_fiber_result(waiter));
    assert_true(host_time_ns() - began < TENTH);
    assert_int_equal(figures().reclaim_waits, 1);
    end_waiting();
    assert_byte(WANTED, 9);
}

/* Whoever gives it back. */
static void test_who_waits_for_a_frame_takes_a_hosts(void)
{
    begin_waiting();
    vm_free_frames(frames[--taken], 1);
    assert_int_equal(sim_run_until_blocked(), 1);
    OK(sim_fiber_result(waiter));
    end_waiting();
}

/* Fifty times a tenth of a second, and each time there might have been one. */
static void test_who_waits_for_a_frame_waits_five_seconds(void)
{
    begin_waiting();
    sim_sleep(49 * TENTH + TENTH / 2);
    assert_false(sim_fiber_ended(waiter));
    assert_int_equal(figures().reclaim_waits, 50);
    sim_sleep(TENTH);
    assert_true(sim_fiber_ended(waiter));
    assert_int_equal(sim_fiber_result(waiter), ERR_NO_MEMORY);
    assert_int_equal(figures().reclaim_waits, 50);
    end_waiting();
}

static void test_who_waits_for_a_frame_can_be_killed(void)
{
    begin_waiting();
    sim_kill(waiter);
    assert_int_equal(sim_run_until_blocked(), 1);
    assert_int_equal(sim_fiber_result(waiter), ERR_INTERRUPTED);
    end_waiting();
}

/* It wasn't frames that were short: nothing is reclaimed for it, and it isn't tried again. */
static void test_who_wants_something_else_is_told_at_once(void)
{
    begin_waiting();
    end_waiting();
    assert_true(vm_system.pages.shortage > 0); /* of before */
    region_at(2 * SPOT, 1, LOCK_RW);
    reclaim_tell(false);
    uint64_t evictions = figures().evictions, waits = figures().reclaim_waits;
    sim_fail_at(SIM_FAIL_FRAME, 1, true);
    assert_int_equal(sim_write_byte(2 * SPOT, 1), ERR_NO_MEMORY);
    assert_int_equal(sim_fail_done(SIM_FAIL_FRAME), 1);
    sim_fail_at(SIM_FAIL_FRAME, 0, false);
    assert_int_equal(figures().evictions, evictions);
    assert_int_equal(figures().reclaim_waits, waits);
    assert_int_not_equal(figures().memory_level, VM_MEMORY_CRITICAL);
}

/* Others take what is freed for this one, a thousand times. */
static void test_reclaim_for_gives_up_after_a_thousand_tries(void)
{
    struct reclaim_attempt attempt = {0};
    unsigned tries = 0;
    int result;
    do {
        reclaim_note_shortage(&attempt);
        vm_system.pages.shortage++;
        result = reclaim_for(&attempt, 1);
    } while (result == 1 && ++tries < 2000);
    assert_int_equal(tries, 1000);
    assert_int_equal(result, ERR_NO_MEMORY);
    assert_int_equal(figures().memory_level, VM_MEMORY_CRITICAL);
}

/* ---- daemons ---- */

static size_t free_now(void)
{
    return vm_system.pages.count[VM_PAGE_FREE] + vm_system.pages.count[VM_PAGE_CLEAR];
}

/* One that can free nothing looks again each tenth of a second. */
static void test_a_daemon_without_hope_tries_again(void)
{
    const struct vm_reserves *reserve = &vm_system.pages.reserve;
    region_at(SPOT, 64, LOCK_RW);
    number_pages(SPOT, 64, 1);
    vm_trim();
    for (taken = 0; free_now() >= reserve->low; taken++)
        OK(vm_allocate_frames(1, false, &frames[taken]));
    sim_sleep(10 * TENTH);
    assert_int_equal(vm_system.reclaim.asleep, 0); /* nobody wakes it */
    assert_true(free_now() < reserve->low);
    assert_int_equal(figures().evictions, 0);
    OK(vm_swap_add(sim_swap_store(sim_swap_create(256)), 256, "late"));
    sim_sleep(TENTH + TENTH / 10);
    assert_true(free_now() >= reserve->high);
    assert_int_equal(vm_system.reclaim.asleep, 1);
    uint64_t evictions = figures().evictions;
    while (free_now() >= reserve->low)
        OK(vm_allocate_frames(1, false, &frames[taken++]));
    sim_yield();
    sim_sleep(TENTH / 10); /* it is woken, no time need pass */
    assert_true(figures().evictions > evictions);
    while (taken > 0)
        vm_free_frames(frames[--taken], 1);
    assert_numbered(SPOT, 64, 1);
    OK(sim_delete_aspace(program)); /* what was added stays until the end */
    sim_end();
    OK(sim_start(&(struct sim_config){.memory = (size_t)1 << 20, .page_daemons = 1}));
    program = sim_new_aspace();
}

static int stop_daemons(void *unused)
{
    (void)unused;
    reclaim_stop_daemons();
    return VM_OK;
}

/* It says that memory is well again, and ends at once where it is to. */
static void test_a_daemon_without_hope_sees_others_free(void)
{
    sim_yield();
    assert_int_equal(vm_system.reclaim.asleep, 1);
    for (taken = 0; free_now() >= vm_system.pages.reserve.low; taken++)
        OK(vm_allocate_frames(1, false, &frames[taken]));
    sim_sleep(TENTH);
    assert_int_equal(vm_system.reclaim.asleep, 0);
    assert_int_not_equal(figures().memory_level, VM_MEMORY_NORMAL);
    while (taken > 0)
        vm_free_frames(frames[--taken], 1);
    sim_sleep(2 * TENTH);
    assert_int_equal(figures().memory_level, VM_MEMORY_NORMAL);
    assert_int_equal(vm_system.reclaim.asleep, 1);
    for (taken = 0; free_now() >= vm_system.pages.reserve.low; taken++)
        OK(vm_allocate_frames(1, false, &frames[taken]));
    sim_sleep(TENTH / 2);
    sim_fiber *stopper = sim_spawn("stopper", stop_daemons, NULL);
    assert_int_equal(sim_run_until_blocked(), 0); /* no time passes */
    OK(sim_fiber_result(stopper));
    assert_int_equal(vm_system.reclaim.daemons, 0);
    assert_int_equal(vm_system.reclaim.stop, 0);
    while (taken > 0)
        vm_free_frames(frames[--taken], 1);
}

/* Frames that are clear are free, too. */
static void test_a_daemon_counts_clear_frames(void)
{
    const size_t *count = vm_system.pages.count;
    region_at(SPOT, 64, LOCK_RW);
    number_pages(SPOT, 64, 1);
    for (unsigned far = 8; far <= 10; far++) { /* each with tables of its own */
        region_at(SPOT << far, 1, LOCK_RW);
        OK(sim_write_byte(SPOT << far, 1));
    }
    OK(vm_unmap_range(program, SPOT << 8, (SPOT << 10) - (SPOT << 8) + PAGE));
    vm_trim();
    assert_true(count[VM_PAGE_CLEAR] >= 3);
    for (taken = 0; count[VM_PAGE_FREE] > count[VM_PAGE_CLEAR] + 1; taken++)
        OK(vm_allocate_frames(1, false, &frames[taken]));
    assert_true(free_now() >= vm_system.pages.reserve.low);
    sim_yield();
    uint32_t before = vm_system.reclaim.wake;
    reclaim_wake();
    assert_int_equal(vm_system.reclaim.wake, before + 1); /* for one that is about to sleep */
    sim_sleep(TENTH);
    assert_int_equal(figures().evictions, 0);
    while (taken > 0)
        vm_free_frames(frames[--taken], 1);
}

/* It is content with as many frames as it wants, not only with more. */
static void test_a_daemon_frees_what_is_wanted(void)
{
    const struct vm_reserves *reserve = &vm_system.pages.reserve;
    region_at(SPOT, 16 * 16, LOCK_RW);
    for (size_t i = 0; i < 16; i++) /* none lies beside another */
        OK(sim_write_byte(SPOT + PAGES(16 * i), 1));
    OK(vm_wire_range(program, SPOT + PAGES(1), PAGE)); /* the tables stay */
    vm_trim();
    for (taken = 0; free_now() >= reserve->low; taken++)
        OK(vm_allocate_frames(1, false, &frames[taken]));
    sim_sleep(TENTH);
    assert_int_equal(free_now(), reserve->high);
    assert_int_equal(figures().evictions, reserve->high - reserve->low + 1);
    assert_int_equal(vm_system.reclaim.asleep, 1);
    assert_int_equal(figures().memory_level, VM_MEMORY_NORMAL);
    while (taken > 0)
        vm_free_frames(frames[--taken], 1);
}

/* ---- what goes first ---- */

static int advise(void)
{
    return vm_advise_range(program, SPOT, PAGE, VM_ADVICE_RANDOM);
}

static int discard(void)
{
    return vm_discard_range(program, SPOT + PAGES(20), PAGE);
}

/* Most frames are wired already. */
static int wire(void)
{
    int error = vm_wire_range(program, SPOT + PAGES(2), PAGE);
    return error == ERR_NO_MEMORY ? VM_OK : error;
}

static int unmap(void)
{
    return vm_unmap_range(program, SPOT + PAGES(20), PAGE);
}

static int protect(void)
{
    return vm_protect_range(program, SPOT, PAGE, LOCK_RO);
}

static int inherit(void)
{
    return vm_set_inheritance(program, SPOT, PAGE, VM_INHERIT_NONE);
}

static int create(void)
{
    void *at = NULL;
    region_id id = vm_create_anonymous_region(program, "more", &at, REGION_ADDR_ANY_ADDRESS, PAGE,
                                              REGION_WIRING_LAZY, LOCK_RW);
    return id > 0 ? VM_OK : (int)id;
}

static int copy(void)
{
    aspace_id id = vm_copy_aspace(program, "copy");
    return id > 0 ? vm_delete_aspace(id) : (int)id;
}

static int resize(void)
{
    return vm_resize_region(program, find_region(SPOT), PAGES(41));
}

/* Where nothing is left for programs, what needs a few frames for itself sees to it that there are some. */
static void test_what_needs_frames_reclaims_first(void)
{
    static int (*const calls[])(void) = {advise,  discard, wire, unmap, protect,
                                         inherit, create,  copy, resize};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        region_at(SPOT, 40, LOCK_RW);
        number_pages(SPOT, 40, 1);
        vm_trim();
        for (taken = 0; figures().available_pages > 0; taken++)
            OK(vm_allocate_frames(1, false, &frames[taken]));
        uint64_t evictions = figures().evictions;
        int error = calls[i]();
        if (error != VM_OK)
            fail_msg("call %zu: %s", i, vm_error_text(error));
        if (figures().evictions < evictions + 32)
            fail_msg("call %zu: only %lu pages have gone", i,
                     (unsigned long)(figures().evictions - evictions));
        while (taken > 0)
            vm_free_frames(frames[--taken], 1);
        OK(vm_unmap_range(program, SPOT, PAGES(41)));
    }
}

/* Frames that are taken while the daemon writes a file: nobody could wake it, since it didn't sleep. */
static void test_a_daemon_that_wrote_sees_what_was_taken_meanwhile(void)
{
    const struct vm_page_pool *pool = &vm_system.pages;
    sim_file *file = sim_file_create_numbered("/f", 2);
    vm_cache_ref *cache;
    uint8_t byte = 99;
    size_t done;
    taken = 0;
    region_at(SPOT, 60, LOCK_RW);
    number_pages(SPOT, 60, 1);
    OK(vm_get_vnode_cache(file, &cache));
    sim_file_block_writes(file, true);
    OK(vm_cache_write(cache, 0, &byte, 1, false, &done));
    reclaim_wake();
    sim_sleep((uint64_t)9 * 1000000000);
    assert_int_equal(sim_file_blocked(file), 1);
    while (figures().free_pages + figures().clear_pages >= pool->reserve.low)
        OK(vm_allocate_frames(1, false, &frames[taken++]));
    assert_int_equal(vm_system.reclaim.asleep, 0);
    sim_file_block_writes(file, false);
    sim_sleep(1000000);
    assert_true(figures().free_pages + figures().clear_pages >= pool->reserve.high);
    while (taken > 0)
        vm_free_frames(frames[--taken], 1);
    assert_numbered(SPOT, 60, 1);
    vm_put_cache(cache);
}

UNIT_MAIN("waiting for frames", TEST_ON(test_what_needs_frames_reclaims_first, SMALL),
          TEST_ON(test_who_waits_for_a_frame_is_woken_by_it, SMALL),
          TEST_ON(test_who_waits_for_a_frame_takes_a_hosts, SMALL),
          TEST_ON(test_who_waits_for_a_frame_waits_five_seconds, SMALL),
          TEST_ON(test_who_waits_for_a_frame_can_be_killed, SMALL),
          TEST_ON(test_who_wants_something_else_is_told_at_once, SMALL),
          TEST_ON(test_reclaim_for_gives_up_after_a_thousand_tries, SMALL),
          TEST_ON(test_a_daemon_without_hope_sees_others_free, .memory = (size_t)1 << 20,
                  .page_daemons = 1),
          TEST_ON(test_a_daemon_that_wrote_sees_what_was_taken_meanwhile, SMALL, .page_daemons = 1),
          TEST_ON(test_a_daemon_counts_clear_frames, SMALL, .page_daemons = 1),
          TEST_ON(test_a_daemon_frees_what_is_wanted, SMALL, .page_daemons = 1),
          TEST_ON(test_a_daemon_without_hope_tries_again, .memory = (size_t)1 << 20,
                  .page_daemons = 1))
