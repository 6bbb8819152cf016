/* SPDX-License-Identifier: MIT */
/* Compressed pages, in memory and in another store's space. */
#define _GNU_SOURCE
#include "compressed.h"
#include "faults.h"

#include <errno.h>

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
    assert_true(info().used < full / 2);
    for (size_t i = 0; i < LARGE; i += 5)
        OK(store_check(store, i, seed));
    store_end(store);
}

/* All but the open segment and four that the next writes will use. */
static void test_free_segments_are_given_back_but_for_a_few(void **state)
{
    (void)state;
    make_large();
    for (unsigned round = 0; round < 3; round++) {
        faults_at("madvise", 0, false, 0);
        for (size_t i = 0; i < LARGE; i++)
            OK(store_put(store, i, seed_of(8, i % 20)));
        assert_int_equal(faults_seen(), 0);
        size_t used = info().used / (16 * PAGE);
        store->ops->discard(store, 0, LARGE);
        assert_int_equal(faults_seen(), used - 1 - 4);
        assert_int_equal(info().used, 16 * PAGE);
    }
    for (size_t i = 0; i < LARGE; i++) { /* two segments, in turn */
        OK(store_put(store, i % 20, seed_of(8, i % 20)));
        store->ops->discard(store, PAGES((i + 10) % 20), 1);
    }
    assert_true(faults_seen() < LARGE / 16);
    faults_none();
    store_end(store);
}

/* Segments that are empty are discarded below. */
static void test_the_store_below_gets_its_pages_back(void **state)
{
    vm_store *memory = make_memory(space_below(SIZE));
    (void)state;
    store = make_compressed(SIZE, VM_STORE_LZ4, memory);
    for (size_t i = 0; i < SIZE; i++)
        OK(store_put(store, i, seed_of(8, i)));
    assert_true(vm_store_memory_pages(memory) >= SIZE - 4);
    store->ops->discard(store, 0, SIZE);
    assert_int_equal(vm_store_memory_pages(memory), 0);
    store_end(store);
}

/* ---- beginning ---- */

static void refuse(struct vm_store_compressed_options options)
{
    store = NULL;
    assert_int_equal(vm_store_create_compressed(&options, &store), ERR_INVALID_ARGS);
    assert_null(store);
}

#define REFUSE(field, value)                                                                       \
    do {                                                                                           \
        struct vm_store_compressed_options options_ = plain_options();                             \
        options_.below = memory;                                                                   \
        options_.field = (value);                                                                  \
        refuse(options_);                                                                          \
    } while (0)

static int no_fault(vm_store *below, vm_region *region, addr_t address, unsigned access)
{
    (void)below, (void)region, (void)address, (void)access;
    return ERR_VM_PF_FATAL;
}

static void test_vm_store_create_compressed_refuses(void **state)
{
    vm_store *memory = make_memory(10);
    struct vm_store_ops device = *memory->ops, unreadable = *memory->ops, fixed = *memory->ops;
    vm_store odd[] = {{.ops = &device}, {.ops = &unreadable}, {.ops = &fixed}};
    struct vm_store_compressed_options good = plain_options();
    (void)state;
    device.fault = no_fault;
    unreadable.read = NULL;
    fixed.write = NULL;
    for (size_t i = 0; i < 3; i++)
        REFUSE(below, &odd[i]);
    REFUSE(pages, 0);
    REFUSE(pages, SIZE_MAX);
    REFUSE(segment_pages, 1);
    REFUSE(segment_pages, 17);
    REFUSE(operations, 65);
    REFUSE(space, 15 * PAGE);
    REFUSE(space, SIZE_MAX);
    REFUSE(coder, (enum vm_store_coder)2);
    REFUSE(level, -1);
    REFUSE(level, 65538);
    REFUSE(allocate_frames, NULL);
    REFUSE(free_frames, NULL);
    good.coder = VM_STORE_ZSTD;
    good.level = 23;
    refuse(good);
    assert_int_equal(vm_store_create_compressed(NULL, &store), ERR_INVALID_ARGS);
    assert_int_equal(vm_store_create_compressed(&good, NULL), ERR_INVALID_ARGS);
    store_end(memory);
}

static void test_each_allocation_of_the_beginning_fails_in_turn(void **state)
{
    vm_store *memory = make_memory(200);
    size_t frames = frames_used();
    (void)state;
    for (unsigned below = 0; below < 2; below++) {
        struct vm_store_compressed_options options = plain_options();
        options.below = below ? memory : NULL;
        options.coder = below ? VM_STORE_LZ4 : VM_STORE_ZSTD;
        unsigned n = 0;
        store = NULL;
        do {
            faults_at(NULL, ++n, false, ENOMEM);
            assert_true(vm_store_create_compressed(&options, &store) ==
                        (faults_seen() < n ? VM_OK : ERR_NO_MEMORY));
        } while (!store);
        faults_none();
        assert_true(n >= 6);
        if (!below)
            store_end(store);
    }
    size_t taken = frames_used() - frames;
    assert_int_equal(taken, (2 + 4) * 4);
    struct vm_store_compressed_options options = plain_options();
    options.below = make_memory(200);
    for (size_t n = 1; n <= taken; n++) {
        vm_store *none = NULL;
        frames_fail(n);
        assert_int_equal(vm_store_create_compressed(&options, &none), ERR_NO_MEMORY);
        assert_int_equal(frames_used(), frames + taken);
        assert_null(none);
    }
    frames_fail(0);
    store_end(options.below);
    store_end(store);
    assert_int_equal(frames_used(), frames);
}

static void test_offsets_that_are_none(void **state)
{
    addr_t frame;
    size_t done = 1;
    (void)state;
    store = make_compressed(4, VM_STORE_LZ4, NULL);
    OK(frames_allocate(1, false, &frame));
    assert_int_equal(store->ops->read(store, 1, &frame, 1, &done), ERR_INVALID_ARGS);
    assert_int_equal(done, 0);
    assert_int_equal(store->ops->write(store, -PAGES(1), &frame, 1, &done), ERR_INVALID_ARGS);
    assert_int_equal(store_put(store, 4, 1), ERR_VM_PF_PAST_END);
    assert_int_equal(store_check(store, 4, 1), ERR_VM_PF_PAST_END);
    store->ops->discard(store, PAGES(4), 1);
    frames_free(frame, 1);
    store_end(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeros_raw_pages_and_figures),
        cmocka_unit_test(test_a_page_of_zeros_but_for_its_last_byte),
        cmocka_unit_test(test_levels_change_the_ratio),
        cmocka_unit_test(test_vm_store_compressed_space_is_enough),
        cmocka_unit_test(test_a_full_store_says_so_and_changes_nothing),
        cmocka_unit_test(test_memory_is_given_back),
        cmocka_unit_test(test_free_segments_are_given_back_but_for_a_few),
        cmocka_unit_test(test_the_store_below_gets_its_pages_back),
        cmocka_unit_test(test_vm_store_create_compressed_refuses),
        cmocka_unit_test(test_each_allocation_of_the_beginning_fails_in_turn),
        cmocka_unit_test(test_offsets_that_are_none),
    };
    return cmocka_run_group_tests_name("compressed pages", tests, NULL, NULL);
}
