/* SPDX-License-Identifier: MIT */
/* How many pages a fault reads from swap: pagein_window, pagein_note, and what comes of them. */
#include "support.h"

#include "pagein.h"

#define SMALL .memory = (size_t)1 << 20, .swap = 2048
#define MANY 512

static void test_pagein_window_begins_with_a_cluster(void)
{
    struct region_reading reading = {0};
    assert_int_equal(pagein_window(&reading, 0), VM_CLUSTER);
    assert_int_equal(pagein_window(&reading, 77), VM_CLUSTER);
}

static void test_pagein_note_shrinks_to_one_where_nothing_continues(void)
{
    struct region_reading reading = {0};
    static const size_t windows[] = {16, 8, 4, 2, 1, 1};
    for (size_t i = 0; i < 6; i++) {
        uint64_t key = 1000 * (i + 1);
        assert_int_equal(pagein_window(&reading, key), windows[i]);
        pagein_note(&reading, key, windows[i]);
    }
}

static void test_pagein_note_grows_along_several_streams(void)
{
    struct region_reading reading = {.window = 1};
    uint64_t at[VM_STREAMS];
    for (unsigned s = 0; s < VM_STREAMS; s++) {
        at[s] = 1000 * (s + 1);
        pagein_note(&reading, at[s]++, 1);
    }
    assert_int_equal(reading.window, 1);
    for (unsigned s = 0; s < VM_STREAMS; s++) {
        size_t window = pagein_window(&reading, at[s]);
        assert_int_equal(window, (size_t)2 << s);
        pagein_note(&reading, at[s], window);
        at[s] += window;
    }
    assert_int_equal(pagein_window(&reading, at[0]), VM_CLUSTER);
}

static void fill(void)
{
    region_at(SPOT, MANY, LOCK_RW);
    for (size_t i = 0; i < MANY; i++)
        OK(sim_write_byte(SPOT + PAGES(i), (uint8_t)i));
    assert_true(vm_reclaim(256) > 100);
}

static void test_pages_in_a_row_are_read_by_the_cluster(void)
{
    fill();
    for (size_t i = 0; i < MANY; i++)
        assert_byte(SPOT + PAGES(i), (uint8_t)i);
    assert_true(figures().swap_ins >= MANY / 2);
    assert_true(sim_swap_reads(sim_boot_swap()) * 4 < figures().swap_ins);
}

static void test_pages_here_and_there_are_read_alone(void)
{
    fill();
    for (size_t i = 0, at = 0; i < MANY; i++, at = (at + 197) % MANY)
        assert_byte(SPOT + PAGES(at), (uint8_t)at);
    assert_true(figures().swap_ins < sim_swap_reads(sim_boot_swap()) + 2 * VM_CLUSTER);
}

static void test_advice_random_reads_one(void)
{
    fill();
    OK(vm_advise_range(program, SPOT, PAGES(MANY), VM_ADVICE_RANDOM));
    for (size_t i = 0; i < MANY; i++)
        assert_byte(SPOT + PAGES(i), (uint8_t)i);
    assert_int_equal(figures().swap_ins, sim_swap_reads(sim_boot_swap()));
}

UNIT_MAIN("reading around a fault", TEST(test_pagein_window_begins_with_a_cluster),
          TEST(test_pagein_note_shrinks_to_one_where_nothing_continues),
          TEST(test_pagein_note_grows_along_several_streams),
          TEST_ON(test_pages_in_a_row_are_read_by_the_cluster, SMALL),
          TEST_ON(test_pages_here_and_there_are_read_alone, SMALL),
          TEST_ON(test_advice_random_reads_one, SMALL))
