/* SPDX-License-Identifier: MIT */
/* Memory of no store's, in one thread: faults, eviction to swap, and what comes back. */
#include "support.h"

#include <sys/mman.h>

static void test_memory_begins_as_zeros(void)
{
    volatile unsigned char *at = map_memory(16);
    for (size_t i = 0; i < 16; i++)
        assert_true(page_is(at, i, 0));
}

static void test_memory_keeps_what_is_written(void)
{
    volatile unsigned char *at = map_memory(300);
    for (size_t i = 0; i < 300; i++)
        write_page(at, i, i + 1);
    for (size_t i = 0; i < 300; i++)
        assert_true(page_is(at, i, i + 1));
}

static void test_memory_may_be_read_before_it_is_written(void)
{
    volatile unsigned char *at = map_memory(2);
    assert_int_equal(at[5], 0);
    at[5] = 7;
    assert_int_equal(at[5], 7);
    assert_int_equal(at[PAGE], 0);
}

/* Eight times the budget, twice. */
static void test_memory_larger_than_the_budget(void)
{
    size_t pages = 8 * 8 * MIB / PAGE;
    add_swap(pages + 1000);
    volatile unsigned char *at = map_memory(pages);
    for (size_t i = 0; i < pages; i++)
        write_page(at, i, i * 3 + 1);
    for (size_t i = 0; i < pages; i++)
        assert_true(page_is(at, i, i * 3 + 1));
    for (size_t i = 0; i < pages; i += 3)
        write_page(at, i, i * 5 + 1);
    for (size_t i = 0; i < pages; i++)
        assert_true(page_is(at, i, i % 3 == 0 ? i * 5 + 1 : i * 3 + 1));
}

static void test_memory_of_several_regions_comes_and_goes(void)
{
    volatile unsigned char *at[8];
    for (int round = 0; round < 5; round++) {
        for (size_t r = 0; r < 8; r++)
            at[r] = map_memory(100);
        for (size_t r = 0; r < 8; r++)
            for (size_t i = 0; i < 100; i++)
                write_page(at[r], i, r * 1000 + i);
        for (size_t r = 0; r < 8; r++)
            for (size_t i = 0; i < 100; i++)
                assert_true(page_is(at[r], i, r * 1000 + i));
        for (size_t r = 0; r < 8; r++)
            OK(quire_unmap((void *)at[r]));
    }
    assert_int_equal(figures().regions, 0);
}

static void test_memory_beyond_budget_and_swap_is_refused(void)
{
    struct quire_mapping mapping = {.size = 9 * MIB};
    void *address;
    assert_int_equal(quire_map(&mapping, &address), ERR_VM_WOULD_OVERCOMMIT);
    assert_int_equal(figures().regions, 0);
}

/* As many regions of so many pages as are promised; then each page must find its place, and its tables theirs. */
static void fill_regions(size_t pages)
{
    static volatile unsigned char *at[4000];
    struct quire_mapping mapping = {.size = pages * PAGE};
    size_t count = 0;
    void *address;
    int error;
    while ((error = quire_map(&mapping, &address)) == VM_OK && count < 4000)
        at[count++] = address;
    assert_int_equal(error, ERR_VM_WOULD_OVERCOMMIT);
    assert_true(count * pages > 100);
    for (size_t i = 0; i < count * pages; i++)
        write_page(at[i % count], i / count, i + 1);
    for (size_t i = 0; i < count * pages; i++)
        assert_true(page_is(at[i % count], i / count, i + 1));
    for (size_t i = 0; i < count; i++)
        OK(quire_unmap((void *)at[i]));
}

static void test_memory_that_is_promised_has_room_for_its_tables(void)
{
    for (size_t pages = 1; pages <= 64; pages *= 4)
        fill_regions(pages);
    add_swap(3000);
    for (size_t pages = 1; pages <= 1024; pages *= 32)
        fill_regions(pages);
}

static void test_snapshots_have_room_for_their_tables(void)
{
    volatile unsigned char *at[600];
    size_t count = 1;
    void *copy;
    at[0] = map_memory(1);
    while (count < 600 && quire_snapshot((void *)at[0], &copy) == VM_OK)
        at[count++] = copy;
    assert_true(count > 50 && count < 600);
    for (size_t i = 0; i < count; i++)
        write_page(at[i], 0, i + 1);
    for (size_t i = 0; i < count; i++)
        assert_true(page_is(at[i], 0, i + 1));
}

/* The structures for what is in swap stay in memory. */
static void test_memory_of_very_many_times_the_budget_is_refused(void)
{
    struct quire_mapping mapping = {.size = 1000 * 2 * MIB};
    void *address;
    add_swap(1100 * 2 * MIB / PAGE);
    assert_int_equal(quire_map(&mapping, &address), ERR_VM_WOULD_OVERCOMMIT);
    mapping.size = 100 * 2 * MIB;
    OK(quire_map(&mapping, &address));
    for (size_t i = 0; i < 100 * 2 * MIB / PAGE; i += 32)
        ((volatile unsigned char *)address)[i * PAGE] = 1;
}

static void check_beside_mlock(volatile unsigned char *at)
{
    for (size_t i = 0; i < 4000; i++)
        write_page(at, i, i);
    for (size_t i = 0; i < 4000; i++)
        assert_true(page_is(at, i, i));
    OK(quire_unmap((void *)at));
}

static void test_memory_that_the_program_locks(void)
{
    add_swap(5000);
    volatile unsigned char *at = map_memory(4000);
    at[0] = 1;
    assert_int_equal(mlock((void *)at, PAGE), 0);
    check_beside_mlock(at);
}

static void test_memory_of_a_process_that_locks_all(void)
{
    add_swap(5000);
    volatile unsigned char *at = map_memory(4000);
    at[0] = 1;
    if (mlockall(MCL_CURRENT) == 0) /* not every user may */
        check_beside_mlock(at);
}

LINUX_MAIN(TEST(test_memory_that_the_program_locks), TEST(test_memory_of_a_process_that_locks_all),
           TEST_MODES(test_memory_begins_as_zeros, .budget = 2 * MIB),
           TEST_MODES(test_memory_keeps_what_is_written, .budget = 8 * MIB),
           TEST_MODES(test_memory_may_be_read_before_it_is_written, .budget = 2 * MIB),
           TEST_MODES(test_memory_larger_than_the_budget, .budget = 8 * MIB),
           TEST(test_memory_of_several_regions_comes_and_goes),
           TEST_MODES(test_memory_that_is_promised_has_room_for_its_tables, .budget = 2 * MIB),
           TEST_WITH(test_snapshots_have_room_for_their_tables, .budget = 2 * MIB),
           TEST_WITH(test_memory_of_very_many_times_the_budget_is_refused, .budget = 2 * MIB),
           TEST(test_memory_beyond_budget_and_swap_is_refused))
