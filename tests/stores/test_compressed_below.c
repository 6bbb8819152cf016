/* SPDX-License-Identifier: MIT */
/* Compressed pages over a store that makes trouble. */
#include "compressed.h"
#include "trouble.h"

static struct trouble trouble;

/* The n-th write below fails, once or for good, and destroys what was there: each page is the one before or the new
 * one, and the next write works. */
static void test_each_write_below_fails_in_turn(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 40; n++) {
        uint64_t seeds[SIZE] = {0}, random = n;
        make_small(24, trouble_begin(&trouble, make_memory(24 * 4)));
        trouble.fail_write = n;
        trouble.for_good = n % 2 == 0;
        trouble.spoil = true;
        unsigned failures = 0;
        for (unsigned i = 0; i < 250; i++) {
            size_t page = (size_t)(next_random(&random) % SIZE);
            uint64_t seed = next_random(&random);
            int error = store_put(store, page, seed);
            assert_true(error == VM_OK || error == ERR_IO);
            if (error == VM_OK)
                seeds[page] = seed;
            failures += error != VM_OK;
            if (i % 16 == 0)
                OK(store_check(store, page, seeds[page]));
        }
        assert_true(failures > 0 || trouble.writes < n);
        assert_int_equal(failures, trouble.failed);
        trouble.fail_write = 0;
        for (size_t i = 0; i < SIZE; i++)
            OK(store_check(store, i, seeds[i]));
        fill_and_rewrite(50);
        store_end(store);
    }
}

/* The n-th read below fails or is short, once or for good; some are those of cleanings. No page is lost or old by
 * that. */
static void test_each_read_below_fails_in_turn(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 60; n++) {
        uint64_t seeds[15] = {0}, random = n;
        make_small(8, trouble_begin(&trouble, make_memory(8 * 4)));
        *(n % 3 == 0 ? &trouble.short_read : &trouble.fail_read) = n;
        trouble.for_good = n % 2 == 0;
        for (unsigned i = 0; i < 200; i++) {
            size_t page = (size_t)(next_random(&random) % 15);
            uint64_t seed = seed_of(8, i);
            int error = store_put(store, page, seed);
            assert_true(error == VM_OK || (error == ERR_NO_MEMORY && trouble.reads >= n));
            if (error == VM_OK)
                seeds[page] = seed;
            error = store_check(store, page, seeds[page]);
            assert_true(error == VM_OK || (error == ERR_IO && trouble.reads >= n));
        }
        trouble.fail_read = trouble.short_read = 0;
        for (size_t i = 0; i < 15; i++)
            OK(store_check(store, i, seeds[i]));
        store_end(store);
    }
}

/* A place that can't be written is passed by. */
static vm_store *sound;

static int write_but_for_a_place(vm_store *below, off_t offset, const addr_t *frames, size_t count,
                                 size_t *done)
{
    *done = 0;
    return offset / PAGES(4) == 2 ? ERR_IO
                                  : sound->ops->write(below->data, offset, frames, count, done);
}

static int read_all(vm_store *below, off_t offset, const addr_t *frames, size_t count, size_t *done)
{
    return sound->ops->read(below->data, offset, frames, count, done);
}

static void end_sound(vm_store *below)
{
    store_end(below->data);
}

static void test_a_place_that_can_not_be_written(void **state)
{
    static const struct vm_store_ops ops = {
        .destroy = end_sound, .read = read_all, .write = write_but_for_a_place};
    unsigned failures = 0;
    (void)state;
    sound = make_memory(24 * 4);
    vm_store lower = {.magic = VM_STORE_MAGIC, .ops = &ops, .data = sound};
    make_small(24, &lower);
    for (size_t i = 0; i < 70; i++) {
        int error = store_put(store, i % SIZE, seed_of(8, i));
        failures += error == ERR_IO;
        if (error == ERR_IO)
            OK(store_put(store, i % SIZE, seed_of(8, i)));
    }
    assert_int_equal(failures, 1);
    for (size_t i = 0; i < SIZE; i++)
        OK(store_check(store, i, seed_of(8, i < 10 ? SIZE + i : i)));
    store_end(store);
}

/* What is added to a segment that has been written already, since the next could not be begun, is written, too. */
static void test_what_is_added_after_a_full_store(void **state)
{
    size_t written = 0;
    (void)state;
    make_small(4, make_memory(16));
    while (written < SIZE && store_put(store, written, seed_of(6, written)) == VM_OK)
        written++;
    assert_true(written > 8 && written < SIZE);
    OK(store_put(store, SIZE - 1, seed_of(0, 0)));
    store->ops->discard(store, 0, 6);
    for (size_t i = 0; i < 5; i++)
        OK(store_put(store, i, seed_of(6, 50 + i)));
    OK(store_check(store, SIZE - 1, seed_of(0, 0)));
    for (size_t i = 0; i < written; i++)
        OK(store_check(store, i, i < 5 ? seed_of(6, 50 + i) : i == 5 ? 0 : seed_of(6, i)));
    store_end(store);
}

static void test_a_short_write_below_is_an_error(void **state)
{
    (void)state;
    make_small(24, trouble_begin(&trouble, make_memory(24 * 4)));
    trouble.short_write = 1;
    for (size_t i = 0; i < 4; i++)
        OK(store_put(store, i, seed_of(8, i)));
    assert_int_equal(store_put(store, 4, seed_of(8, 4)), ERR_IO);
    for (size_t i = 0; i < 4; i++)
        OK(store_check(store, i, seed_of(8, i)));
    OK(store_put(store, 4, seed_of(8, 4)));
    OK(store_check(store, 0, seed_of(8, 0)));
    store_end(store);
}

/* Of a run, the pages before the one that can't be read are there. */
static void test_a_read_below_that_fails(void **state)
{
    addr_t frames[8];
    size_t done;
    (void)state;
    make_small(24, trouble_begin(&trouble, make_memory(24 * 4)));
    for (size_t i = 0; i < 12; i++)
        OK(store_put(store, i, seed_of(8, i)));
    for (size_t i = 0; i < 8; i++)
        OK(frames_allocate(1, false, &frames[i]));
    trouble.reads = 0;
    OK(store->ops->read(store, 0, frames, 8, &done));
    assert_int_equal(done, 8 * PAGE);
    assert_int_equal(trouble.reads, 2);
    trouble.fail_read = 2; /* the second segment, as a whole: then page by page */
    OK(store->ops->read(store, 0, frames, 8, &done));
    trouble.fail_read = 2;
    trouble.for_good = true;
    assert_int_equal(store->ops->read(store, 0, frames, 8, &done), ERR_IO);
    assert_int_equal(done, 4 * PAGE);
    trouble.fail_read = 0;
    trouble.short_read = 1;
    assert_int_equal(store_check(store, 0, seed_of(8, 0)), ERR_IO);
    trouble.short_read = 0;
    for (size_t i = 0; i < 8; i++) {
        OK(store_check(store, i, seed_of(8, i)));
        frames_free(frames[i], 1);
    }
    store_end(store);
}

/* What can't be read isn't moved, and isn't lost: it may be readable tomorrow. */
static void test_a_segment_that_can_not_be_cleaned(void **state)
{
    (void)state;
    make_small(8, trouble_begin(&trouble, make_memory(8 * 4)));
    for (size_t i = 0; i < 20; i++)
        OK(store_put(store, i, seed_of(8, i)));
    for (size_t i = 0; i < 20; i += 4)
        store->ops->discard(store, PAGES(i), 1);
    trouble.fail_read = 1;
    for (size_t i = 20; i < 30; i++)
        OK(store_put(store, i, seed_of(8, i)));
    assert_int_equal(trouble.failed, 1);
    assert_int_equal(info().bad_segments, 1);
    for (size_t i = 0; i < 30; i++)
        OK(store_check(store, i, i < 20 && i % 4 == 0 ? 0 : seed_of(8, i)));
    store->ops->discard(store, 0, SIZE);
    assert_int_equal(info().bad_segments, 0);
    store_end(store);
}

/* The reads of all cleanings fail: full sooner, and nothing is lost. */
static void test_nothing_can_be_cleaned(void **state)
{
    uint64_t seeds[16] = {0}, random = 3;
    int error = VM_OK;
    (void)state;
    make_small(8, trouble_begin(&trouble, make_memory(8 * 4)));
    trouble.fail_read = 1;
    trouble.for_good = true;
    for (unsigned i = 0; error == VM_OK && i < 1000; i++) {
        size_t page = (size_t)(next_random(&random) % 16);
        error = store_put(store, page, seed_of(8, i));
        if (error == VM_OK)
            seeds[page] = seed_of(8, i);
    }
    assert_int_equal(error, ERR_NO_MEMORY);
    assert_true(info().bad_segments > 0);
    trouble.fail_read = 0;
    for (size_t i = 0; i < 16; i++)
        OK(store_check(store, i, seeds[i]));
    store->ops->discard(store, 0, SIZE);
    for (size_t i = 0; i < 15; i++)
        OK(store_put(store, i, seed_of(8, i)));
    store_end(store);
}

static void test_bytes_that_are_no_page(void **state)
{
    (void)state;
    for (enum vm_store_coder coder = VM_STORE_LZ4; coder <= VM_STORE_ZSTD; coder++) {
        vm_store *memory = make_memory(space_below(SIZE));
        store = make_compressed(SIZE, coder, memory);
        for (size_t i = 0; i < SIZE; i++)
            OK(store_put(store, i, seed_of(3, i)));
        OK(store_put(memory, 0, seed_of(8, 1)));
        assert_int_equal(store_check(store, 0, seed_of(3, 0)), ERR_IO);
        assert_int_equal(info().bad_blobs, 1);
        OK(store_check(store, SIZE - 1, seed_of(3, SIZE - 1)));
        OK(store_put(store, 0, seed_of(3, 1)));
        OK(store_check(store, 0, seed_of(3, 1)));
        store_end(store);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_write_below_fails_in_turn),
        cmocka_unit_test(test_each_read_below_fails_in_turn),
        cmocka_unit_test(test_a_place_that_can_not_be_written),
        cmocka_unit_test(test_what_is_added_after_a_full_store),
        cmocka_unit_test(test_a_short_write_below_is_an_error),
        cmocka_unit_test(test_a_read_below_that_fails),
        cmocka_unit_test(test_a_segment_that_can_not_be_cleaned),
        cmocka_unit_test(test_nothing_can_be_cleaned),
        cmocka_unit_test(test_bytes_that_are_no_page),
    };
    return cmocka_run_group_tests_name("compressed pages over trouble", tests, NULL, NULL);
}
