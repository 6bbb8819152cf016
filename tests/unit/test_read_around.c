/* SPDX-License-Identifier: MIT */
/* How many pages a fault reads from swap: pagein_window, pagein_note, and what comes of them. */
#include "support.h"

#include <quire/store.h>

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

/* What is read ahead leaves the last frame: it may be for a copy. */
static void test_reading_ahead_leaves_a_frame(void)
{
    static addr_t frames[512];
    for (size_t left = 2; left <= 4; left++) {
        size_t count = 0;
        region_at(SPOT, 8, LOCK_RW);
        number_pages(SPOT, 8, 1);
        OK(vm_wire_range(program, SPOT + PAGES(7), PAGE)); /* the tables stay */
        OK(vm_advise_range(program, SPOT, PAGES(6), VM_ADVICE_PAGEOUT));
        uint64_t before = figures().swap_ins;
        vm_trim();
        while (figures().available_pages > left)
            OK(vm_allocate_frames(1, false, &frames[count++]));
        assert_byte(SPOT, 1);
        assert_int_equal(figures().swap_ins - before, left - 1);
        assert_int_equal(figures().available_pages, 1);
        while (count > 0)
            vm_free_frames(frames[--count], 1);
        OK(vm_unmap_range(program, SPOT, PAGES(8)));
    }
}

/* Rather than a part of it, which would be another fault soon, others' pages go. */
static void test_a_cluster_that_is_asked_for_makes_room(void)
{
    static addr_t frames[512];
    addr_t old, at;
    size_t count = 0;
    sim_file *file = sim_file_create_numbered("/f", 32);
    map_pages(&old, sim_file_create_numbered("/old", 32), 32, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    map_pages(&at, file, 32, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    assert_numbered(old, 32, 1);
    assert_byte(at, 1); /* the tables are there */
    uint64_t evicted = figures().evictions;
    while (figures().available_pages > VM_CLUSTER)
        OK(vm_allocate_frames(1, false, &frames[count++]));
    OK(vm_fault_aspace(program, at + PAGES(16),
                       VM_ACCESS_READ | VM_ACCESS_USER | VM_ACCESS_CLUSTER));
    assert_int_equal(sim_file_pages_read(file), 32);
    assert_true(figures().evictions > evicted);
    while (count > 0)
        vm_free_frames(frames[--count], 1);
    SIM_CHECK();
}

static bool is_in_memory(addr_t at, size_t page)
{
    uint8_t there;
    OK(vm_get_residency(program, at + PAGES(page), PAGE, &there));
    return there;
}

static int read_ahead(addr_t at, size_t page, size_t pages)
{
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    int error = vm_fault_ahead(aspace, at + PAGES(page), VM_ACCESS_READ | VM_ACCESS_USER, pages);
    vm_put_aspace(aspace);
    return error;
}

/* Wherever a cluster ends, and whatever the region's advice; no more than VM_MOST_AHEAD. */
static void test_vm_fault_ahead_reads_what_it_is_told_with_one_call(void)
{
    addr_t at;
    sim_file *file = sim_file_create_numbered("/f", 200);
    map_pages(&at, file, 200, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    OK(vm_advise_range(program, at, PAGES(200), VM_ADVICE_RANDOM));
    unsigned reads = sim_file_reads(file);
    OK(read_ahead(at, 5, 40));
    assert_int_equal(sim_file_reads(file), reads + 1);
    assert_int_equal(sim_file_pages_read(file), 40);
    assert_true(is_in_memory(at, 5) && is_in_memory(at, 44) && !is_in_memory(at, 45));
    OK(read_ahead(at, 50, 1000));
    assert_int_equal(sim_file_reads(file), reads + 2);
    assert_int_equal(sim_file_pages_read(file), 40 + VM_MOST_AHEAD);
    OK(read_ahead(at, 46, 3));
    assert_int_equal(sim_file_pages_read(file), 43 + VM_MOST_AHEAD);
    for (size_t i = 0; i < 200; i++)
        assert_byte(at + PAGES(i), (uint8_t)(i + 1));
    assert_int_equal(read_ahead(SPOT * 64, 0, 40), ERR_VM_PF_BAD_ADDRESS);
}

static void test_vm_fault_ahead_ends_at_a_page_that_is_there_and_at_the_file(void)
{
    addr_t at;
    sim_file *file = sim_file_create_numbered("/f", 60);
    map_pages(&at, file, 70, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    OK(vm_advise_range(program, at, PAGES(70), VM_ADVICE_RANDOM));
    assert_byte(at + PAGES(30), 31);
    OK(read_ahead(at, 10, 40));
    assert_int_equal(sim_file_pages_read(file), 21);
    OK(read_ahead(at, 40, 40));
    assert_int_equal(sim_file_pages_read(file), 41);
    assert_int_equal(read_ahead(at, 60, 40), ERR_VM_PF_PAST_END);
}

static void test_vm_fault_ahead_makes_room_for_all_that_it_reads(void)
{
    static addr_t frames[512];
    addr_t old, at;
    size_t count = 0;
    sim_file *file = sim_file_create_numbered("/f", 64);
    map_pages(&old, sim_file_create_numbered("/old", 64), 64, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    map_pages(&at, file, 64, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    assert_numbered(old, 64, 1);
    while (figures().available_pages > VM_CLUSTER)
        OK(vm_allocate_frames(1, false, &frames[count++]));
    OK(read_ahead(at, 0, 40));
    assert_int_equal(sim_file_pages_read(file), 40);
    while (count > 0)
        vm_free_frames(frames[--count], 1);
    SIM_CHECK();
}

/* What swap has lies where it was free: by the cluster, as other faults read it. */
static void test_vm_fault_ahead_of_swap_is_a_fault(void)
{
    region_at(SPOT, 64, LOCK_RW);
    number_pages(SPOT, 64, 1);
    OK(vm_advise_range(program, SPOT, PAGES(64), VM_ADVICE_PAGEOUT));
    uint64_t came = figures().swap_ins;
    OK(read_ahead(SPOT, 3, 64));
    assert_int_equal(figures().swap_ins, came + VM_CLUSTER - 3);
    for (size_t i = 0; i < 64; i++)
        assert_byte(SPOT + PAGES(i), (uint8_t)(i + 1));
}

/* Where swap gets short, a page that is back is the only copy; else its slot keeps one. */
static void test_slots_are_given_back_where_swap_is_short(void)
{
    region_at(SPOT, 12, LOCK_RW);
    number_pages(SPOT, 12, 1);
    OK(vm_advise_range(program, SPOT, PAGES(8), VM_ADVICE_PAGEOUT));
    OK(vm_advise_range(program, SPOT, PAGES(12), VM_ADVICE_RANDOM));
    assert_byte(SPOT, 1);
    assert_int_equal(figures().free_swap_slots, 8);
    OK(vm_advise_range(program, SPOT + PAGES(8), PAGES(4), VM_ADVICE_PAGEOUT));
    OK(vm_advise_range(program, SPOT, PAGE, VM_ADVICE_PAGEOUT)); /* has a copy still */
    assert_int_equal(figures().free_swap_slots, 4);
    assert_byte(SPOT, 1);
    assert_int_equal(figures().free_swap_slots, 5);
    assert_byte(SPOT + PAGES(9), 10);
    assert_int_equal(figures().free_swap_slots, 6);
    OK(vm_advise_range(program, SPOT, PAGES(12), VM_ADVICE_PAGEOUT));
    assert_int_equal(figures().free_swap_slots, 4);
    assert_numbered(SPOT, 12, 1);
}

/* Not even what a short read leaves of the pages behind. */
static void test_what_a_short_read_leaves_is_cleared(void)
{
    addr_t at;
    sim_file *file = sim_file_create_numbered("/f", 4);
    sim_file_shorten_reads(file, PAGE + 100);
    map_pages(&at, file, 4, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    assert_byte(at, 1);
    assert_int_equal(sim_file_pages_read(file), 4);
    assert_true(sim_is_filled(at, 1, PAGE));
    assert_true(sim_is_filled(at + PAGE, 2, 100));
    assert_true(sim_is_filled(at + PAGE + 100, 0, PAGES(3) - 100));
}

static void say_nothing_destroy(vm_store *store)
{
    (void)store;
}

static bool say_nothing_has_page(vm_store *store, off_t offset)
{
    (void)store, (void)offset;
    return true;
}

static int say_nothing_read(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                            size_t *done)
{
    (void)store, (void)offset, (void)frames, (void)count, (void)done;
    return VM_OK;
}

/* A store that doesn't say how much it has read has read nothing. */
static void test_what_nothing_was_read_of_is_cleared(void)
{
    static const struct vm_store_ops ops = {
        .destroy = say_nothing_destroy, .has_page = say_nothing_has_page, .read = say_nothing_read};
    vm_store store = {.ops = &ops};
    vm_cache_ref *cache;
    void *at = PTR(SPOT);
    OK(vm_create_cache(&store, (off_t)PAGES(2), &cache));
    assert_true(vm_map_cache(program, "store", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(2), LOCK_RO,
                             REGION_NO_PRIVATE_MAP, cache, 0) > 0);
    vm_put_cache(cache);
    assert_byte(SPOT, 0);
    assert_true(sim_is_filled(SPOT, 0, PAGES(2)));
    OK(vm_unmap_range(program, SPOT, PAGES(2)));
}

UNIT_MAIN("reading around a fault", TEST_ON(test_reading_ahead_leaves_a_frame, SMALL),
          TEST_ON(test_a_cluster_that_is_asked_for_makes_room, SMALL),
          TEST(test_vm_fault_ahead_reads_what_it_is_told_with_one_call),
          TEST(test_vm_fault_ahead_ends_at_a_page_that_is_there_and_at_the_file),
          TEST_ON(test_vm_fault_ahead_makes_room_for_all_that_it_reads, SMALL),
          TEST_ON(test_vm_fault_ahead_of_swap_is_a_fault, SMALL),
          TEST_ON(test_slots_are_given_back_where_swap_is_short, .memory = (size_t)1 << 20,
                  .swap = 16),
          TEST(test_what_a_short_read_leaves_is_cleared),
          TEST(test_what_nothing_was_read_of_is_cleared),
          TEST(test_pagein_window_begins_with_a_cluster),
          TEST(test_pagein_note_shrinks_to_one_where_nothing_continues),
          TEST(test_pagein_note_grows_along_several_streams),
          TEST_ON(test_pages_in_a_row_are_read_by_the_cluster, SMALL),
          TEST_ON(test_pages_here_and_there_are_read_alone, SMALL),
          TEST_ON(test_advice_random_reads_one, SMALL))
