/* SPDX-License-Identifier: MIT */
/* Compressed pages, in memory and in another store's space. */
#define _GNU_SOURCE
#include "faults.h"
#include "support.h"
#include "trouble.h"

#include <errno.h>
#include <stdio.h>

#define SIZE 60

static vm_store *store;
static struct trouble trouble;

static struct vm_store_compressed_info info(void)
{
    struct vm_store_compressed_info now;
    vm_store_compressed_info(store, &now);
    return now;
}

static struct vm_store_compressed_options plain_options(void)
{
    return (struct vm_store_compressed_options){.pages = SIZE,
                                                .coder = VM_STORE_LZ4,
                                                .segment_pages = 4,
                                                .allocate_frames = frames_allocate,
                                                .free_frames = frames_free};
}

/* `segments` of four pages. */
static void make_small(size_t segments, vm_store *below)
{
    struct vm_store_compressed_options options = plain_options();
    options.space = segments * 4 * PAGE;
    options.below = below;
    OK(vm_store_create_compressed(&options, &store));
}

static void test_zeros_raw_pages_and_figures(void **state)
{
    (void)state;
    for (enum vm_store_coder coder = VM_STORE_LZ4; coder <= VM_STORE_ZSTD; coder++) {
        store = make_compressed(SIZE, coder, NULL);
        assert_int_equal(info().pages, 0);
        for (size_t i = 0; i < 20; i++)
            OK(store_put(store, i, 0));
        assert_int_equal(info().pages, 20);
        assert_int_equal(info().zero_pages, 20);
        assert_int_equal(info().bytes, 0);
        for (size_t i = 0; i < 20; i++)
            OK(store_put(store, i, seed_of(8, i)));
        assert_int_equal(info().zero_pages, 0);
        assert_int_equal(info().raw_pages, 20);
        assert_int_equal(info().bytes, 20 * PAGE);
        for (size_t i = 0; i < 20; i++)
            OK(store_check(store, i, seed_of(8, i)));
        for (size_t i = 0; i < 20; i++)
            OK(store_put(store, i, seed_of(1, i)));
        assert_int_equal(info().raw_pages, 0);
        assert_true(info().bytes < 20 * PAGE / 4 && info().bytes > 20 * PAGE / 10);
        store->ops->discard(store, 0, 20);
        assert_int_equal(info().pages, 0);
        assert_int_equal(info().bytes, 0);
        store_end(store);
    }
}

static void test_a_page_of_zeros_but_for_its_last_byte(void **state)
{
    addr_t frame;
    size_t done;
    (void)state;
    store = make_compressed(SIZE, VM_STORE_LZ4, NULL);
    OK(frames_allocate(1, true, &frame));
    uint8_t *bytes = host_frame_ptr(frame);
    bytes[PAGE - 1] = 1;
    OK(store->ops->write(store, 0, &frame, 1, &done));
    assert_int_equal(info().zero_pages, 0);
    memset(bytes, 0x33, PAGE);
    OK(store->ops->read(store, 0, &frame, 1, &done));
    assert_int_equal(bytes[PAGE - 1], 1);
    assert_int_equal(bytes[PAGE - 2], 0);
    frames_free(frame, 1);
    store_end(store);
}

static void test_levels_change_the_ratio(void **state)
{
    size_t bytes[4];
    static const struct {
        enum vm_store_coder coder;
        int level;
    } cases[] = {{VM_STORE_LZ4, 1}, {VM_STORE_LZ4, 60}, {VM_STORE_ZSTD, -50}, {VM_STORE_ZSTD, 19}};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct vm_store_compressed_options options = plain_options();
        options.coder = cases[i].coder;
        options.level = cases[i].level;
        OK(vm_store_create_compressed(&options, &store));
        for (size_t page = 0; page < SIZE; page++)
            OK(store_put(store, page, seed_of(2, page)));
        for (size_t page = 0; page < SIZE; page++)
            OK(store_check(store, page, seed_of(2, page)));
        bytes[i] = info().bytes;
        store_end(store);
    }
    assert_true(bytes[0] <= bytes[1] && bytes[3] < bytes[2]);
}

/* ---- room ---- */

static void fill_and_rewrite(unsigned rounds)
{
    uint64_t random = 1, seeds[SIZE];
    for (size_t i = 0; i < SIZE; i++)
        OK(store_put(store, i, seeds[i] = seed_of(8, i)));
    for (unsigned i = 0; i < rounds; i++) {
        size_t page = (size_t)(next_random(&random) % SIZE);
        seeds[page] = next_random(&random) % 3 == 0 ? seed_of(8, i % 50) : next_random(&random);
        OK(store_put(store, page, seeds[page]));
    }
    for (size_t i = 0; i < SIZE; i++)
        OK(store_put(store, i, seeds[i] = seed_of(8, 50 + i)));
    for (size_t i = 0; i < SIZE; i++)
        OK(store_check(store, i, seeds[i]));
}

/* Each page as bad as can be, and written again and again: what was promised is there. */
static void test_vm_store_compressed_space_is_enough(void **state)
{
    uint64_t cleanings = 0;
    (void)state;
    for (size_t segment = 2; segment <= 16; segment++) {
        struct vm_store_compressed_options options = plain_options();
        options.segment_pages = segment;
        size_t space = vm_store_compressed_space(SIZE, segment);
        OK(vm_store_create_compressed(&options, &store));
        assert_int_equal(info().space, space);
        OK(store->ops->commit(store, PAGES(SIZE)));
        fill_and_rewrite(600);
        cleanings += info().cleanings;
        store_end(store);
        options.below = make_memory(space / PAGE);
        OK(vm_store_create_compressed(&options, &store));
        fill_and_rewrite(600);
        cleanings += info().cleanings;
        store_end(store);
    }
    assert_true(cleanings > 500);
    assert_int_equal(vm_store_compressed_space(0, 4), 0);
    assert_int_equal(vm_store_compressed_space(9, 1), 0);
    assert_int_equal(vm_store_compressed_space(9, 17), 0);
    assert_int_equal(vm_store_compressed_space(9, 0), vm_store_compressed_space(9, 16));
    assert_int_equal(vm_store_compressed_space(SIZE_MAX, 4), 0);
}

static void fill_until_full(size_t *written)
{
    int error = VM_OK;
    for (*written = 0; error == VM_OK && *written < SIZE; *written += error == VM_OK)
        error = store_put(store, *written, seed_of(8, *written));
    assert_int_equal(error, ERR_NO_MEMORY);
}

static void test_a_full_store_says_so_and_changes_nothing(void **state)
{
    (void)state;
    for (unsigned below = 0; below < 2; below++) {
        size_t written;
        make_small(8, below ? make_memory(32) : NULL);
        assert_int_equal(store->ops->commit(store, PAGES(16)), ERR_VM_WOULD_OVERCOMMIT);
        OK(store->ops->commit(store, PAGES(15)));
        assert_int_equal(store->committed_size, PAGES(15));
        fill_until_full(&written);
        assert_true(written >= 15);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(store_put(store, i, seed_of(8, 100)), ERR_NO_MEMORY);
        for (size_t i = 0; i < written; i++)
            OK(store_check(store, i, seed_of(8, i)));
        assert_int_equal(info().pages, written);
        assert_false(store->ops->has_page(store, PAGES(written)));
        OK(store_put(store, 0, 0)); /* zeros need no room */
        store->ops->discard(store, 0, 8);
        for (size_t i = 0; i < 8; i++)
            OK(store_put(store, i, seed_of(8, 200 + i)));
        for (size_t i = 0; i < written; i++)
            OK(store_check(store, i, seed_of(8, i < 8 ? 200 + i : i)));
        store_end(store);
    }
}

#define LARGE 4000

static void make_large(void)
{
    struct vm_store_compressed_options options = plain_options();
    options.pages = LARGE;
    options.segment_pages = 16;
    OK(vm_store_create_compressed(&options, &store));
}

/* Holes everywhere: what is left moves together, while one page is written again and again. */
static void test_memory_is_given_back(void **state)
{
    (void)state;
    make_large();
    uint64_t seed = seed_of(4, 0);
    for (size_t i = 0; i < LARGE; i++)
        OK(store_put(store, i, seed));
    size_t full = info().used;
    for (size_t i = 0; i < LARGE; i++)
        if (i % 5 != 0)
            store->ops->discard(store, PAGES(i), 1);
    assert_true(info().used > full / 4 * 3);
    for (size_t i = 0; i < LARGE; i++)
        OK(store_put(store, 5, seed));
