/* SPDX-License-Identifier: MIT */
/* Slots of swap: which are taken, which are found again, and whether there are any. */
#include "support.h"

#include <quire/host.h>
#include <quire/store.h>

#include "../../vm/swap.h"
#include "../../vm/system.h"

#define SLOTS 130 /* two words of the map, and two bits of a third */

static uint32_t take(size_t wanted, size_t expected)
{
    size_t got;
    uint32_t slot = swap_allocate(wanted, &got);
    assert_true(slot != 0);
    assert_int_equal(got, expected);
    return slot;
}

static void free_slots(uint32_t first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        swap_free(first + (uint32_t)i);
}

static void assert_full(void)
{
    size_t got;
    assert_int_equal(swap_allocate(1, &got), 0);
    assert_false(vm_system.pages.can_swap);
    assert_int_equal(figures().free_swap_slots, 0);
}

static void test_swap_allocate_takes_slots_in_a_row(void)
{
    uint32_t first = take(16, 16);
    assert_int_equal(take(16, 16), first + 16);
    free_slots(first, 16);
    assert_int_equal(take(8, 8), first + 32); /* it goes on where it ended */
    free_slots(first + 16, 24);
    assert_int_equal(figures().free_swap_slots, SLOTS);
}

static void test_swap_allocate_takes_what_there_is(void)
{
    uint32_t first = take(1000, SLOTS);
    assert_full();
    free_slots(first + 5, 3);
    free_slots(first + 10, 1);
    assert_int_equal(take(16, 3), first + 5);
    assert_int_equal(take(16, 1), first + 10);
    assert_full();
    free_slots(first, SLOTS);
}

/* Wherever the last search has ended. */
static void test_swap_allocate_finds_each_slot(void)
{
    static const uint32_t places[] = {0, 1, 62, 63, 64, 65, 127, 128, 129, 64, 0, 129, 0};
    uint32_t first = take(SLOTS, SLOTS);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        swap_free(first + places[i]);
        assert_true(vm_system.pages.can_swap);
        assert_int_equal(take(4, 1), first + places[i]);
        assert_full();
    }
    free_slots(first, SLOTS);
}

static void test_swap_is_short_below_half(void)
{
    uint32_t first = take(SLOTS / 2, SLOTS / 2);
    assert_false(swap_is_short());
    uint32_t more = take(1, 1);
    assert_true(swap_is_short());
    free_slots(first, SLOTS / 2);
    free_slots(more, 1);
}

/* Another area, of one slot: pages may go as long as either has one. */
static void test_swap_allocate_of_two_areas(void)
{
    OK(vm_swap_add(sim_swap_store(sim_swap_create(1)), 1, "one"));
    uint32_t first = take(SLOTS, SLOTS), other = take(4, 1);
    assert_true(other != first + SLOTS);
    assert_full();
    swap_free(first);
    assert_true(vm_system.pages.can_swap);
    assert_int_equal(take(1, 1), first);
    swap_free(other);
    assert_true(vm_system.pages.can_swap);
    assert_int_equal(take(1, 1), other);
    assert_full();
    free_slots(first, SLOTS);
    swap_free(other);
    vm_system.swap.area[1].rests_until = 1;
    vm_system.swap.resting = 1;
    swap_end_rests();
    assert_int_equal(vm_system.swap.area[1].rests_until, 0);
    assert_int_equal(vm_system.swap.resting, 0);
    OK(sim_delete_aspace(program)); /* what was added stays until the end */
    sim_end();
    OK(sim_start(&(struct sim_config){.swap = SLOTS}));
    program = sim_new_aspace();
}

/* ---- areas that rest ---- */

static addr_t frame;

static void write_slot(uint32_t slot, bool fails)
{
    if (fails)
        sim_swap_fail_writes(sim_boot_swap(), 1, 1);
    assert_int_equal(swap_write(slot, &frame, 1), fails ? ERR_IO : VM_OK);
}

static void fail_often(uint32_t slot, unsigned times)
{
    while (times-- > 0)
        write_slot(slot, true);
}

static void assert_rests(bool rests)
{
    assert_int_equal(vm_system.pages.can_swap, !rests);
    assert_int_equal(vm_system.swap.resting, rests);
}

/* After 32 failures in a row, however they are interrupted before. */
static void test_swap_write_counts_failures_in_a_row(void)
{
    OK(vm_allocate_frames(1, true, &frame));
    uint32_t slot = take(1, 1);
    for (unsigned before = 1; before <= 31; before += 15) {
        fail_often(slot, before);
        assert_rests(false);
        write_slot(slot, false);
        assert_int_equal(vm_system.swap.area[0].failures, 0);
    }
    fail_often(slot, 31);
    assert_rests(false);
    fail_often(slot, 1);
    assert_rests(true);
    fail_often(slot, 1); /* one that was under way */
    assert_rests(true);
    swap_end_rests();
    assert_rests(true);
    write_slot(slot, false);
    assert_rests(false);
    fail_often(slot, 32);
    sim_sleep((uint64_t)999000000);
    swap_end_rests();
    assert_rests(true);
    sim_sleep((uint64_t)1000000);
    swap_end_rests();
    assert_rests(false);
    fail_often(slot, 31);
    assert_rests(false);
    fail_often(slot, 1); /* it hasn't recovered */
    assert_rests(true);
    vm_system.swap.area[0].rests_until = host_time_ns() + 1; /* what the next look sees */
    swap_end_rests();
    assert_rests(false);
    write_slot(slot, false);
    swap_free(slot);
    vm_free_frames(frame, 1);
}

static int write_less(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                      size_t *done)
{
    (void)store, (void)offset, (void)frames;
    *done = count * PAGE - 1;
    return VM_OK;
}

/* Each call that failed is one error, each page one that was read or written. */
static void test_vm_get_swap_info_counts(void)
{
    vm_swap_info info;
    addr_t two[2];
    for (unsigned i = 0; i < 2; i++)
        OK(vm_allocate_frames(1, true, &two[i]));
    uint32_t slot = take(2, 2);
    OK(swap_write(slot, two, 2));
    OK(swap_read(slot, two, 2));
    OK(swap_read(slot, two, 1));
    sim_swap_fail_writes(sim_boot_swap(), 1, 1);
    assert_int_equal(swap_write(slot, two, 2), ERR_IO);
    sim_swap_fail_reads(sim_boot_swap(), 1, 2);
    assert_int_equal(swap_read(slot, two, 2), ERR_IO);
    assert_int_equal(swap_read(slot, two, 2), ERR_IO);
    OK(vm_get_swap_info(0, &info));
    assert_int_equal(info.pages_written, 2);
    assert_int_equal(info.pages_read, 3);
    assert_int_equal(info.errors, 3);
    assert_int_equal(info.slots, SLOTS);
    assert_int_equal(info.used_slots, 2);
    free_slots(slot, 2);
    for (unsigned i = 0; i < 2; i++)
        vm_free_frames(two[i], 1);
}

static void test_swap_write_of_less_is_an_error(void)
{
    vm_store *store = vm_system.swap.area[0].store;
    const struct vm_store_ops *whole = store->ops;
    struct vm_store_ops ops = *whole;
    OK(vm_allocate_frames(1, true, &frame));
    uint32_t slot = take(1, 1);
    ops.write = write_less;
    store->ops = &ops;
    assert_int_equal(swap_write(slot, &frame, 1), ERR_IO);
    store->ops = whole;
    sim_fail_at(SIM_FAIL_STORE_WRITE, 1, false);
    assert_int_equal(swap_write(slot, &frame, 1), ERR_IO);
    sim_fail_at(SIM_FAIL_STORE_WRITE, 0, false);
    OK(swap_write(slot, &frame, 1));
    swap_free(slot);
    vm_free_frames(frame, 1);
}

UNIT_MAIN("slots of swap", TEST_ON(test_vm_get_swap_info_counts, .swap = SLOTS),
          TEST_ON(test_swap_write_of_less_is_an_error, .swap = SLOTS),
          TEST_ON(test_swap_write_counts_failures_in_a_row, .swap = SLOTS),
          TEST_ON(test_swap_allocate_takes_slots_in_a_row, .swap = SLOTS),
          TEST_ON(test_swap_allocate_takes_what_there_is, .swap = SLOTS),
          TEST_ON(test_swap_allocate_finds_each_slot, .swap = SLOTS),
          TEST_ON(test_swap_is_short_below_half, .swap = SLOTS),
          TEST_ON(test_swap_allocate_of_two_areas, .swap = SLOTS))
