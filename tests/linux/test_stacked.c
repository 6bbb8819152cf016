/* SPDX-License-Identifier: MIT */
/* A process that pages itself onto the stores that stack: swap that is compressed, checked, over a file. */
#include "support.h"

#include <pthread.h>
#include <unistd.h>

#include <quire/stores.h>

#define PAGES (4 * 8 * MIB / PAGE) /* four times the budget */

static vm_store *temporary_file(size_t pages)
{
    char name[] = "/tmp/quire-stacked-XXXXXX";
    vm_store *store;
    struct vm_store_file_options options = {.descriptor = mkstemp(name),
                                            .flags = VM_STORE_FILE_WRITABLE | VM_STORE_FILE_CREATE,
                                            .length = (off_t)(pages * PAGE)};
    assert_true(options.descriptor >= 0 && unlink(name) == 0);
    OK(vm_store_create_file(&options, &store));
    close(options.descriptor);
    return store;
}

static void swap_to_compressed(enum vm_store_coder coder, vm_store *below)
{
    vm_store *store;
    struct vm_store_compressed_options options = {.pages = PAGES,
                                                  .coder = coder,
                                                  .below = below,
                                                  .allocate_frames = vm_allocate_frames,
                                                  .free_frames = vm_free_frames};
    OK(vm_store_create_compressed(&options, &store));
    OK(quire_add_swap(store, PAGES, "stacked"));
}

struct part {
    pthread_t thread;
    volatile unsigned char *at;
    size_t first, count;
    bool good;
};

static void *use(void *argument)
{
    struct part *part = argument;
    part->good = true;
    for (size_t round = 1; round < 3; round++) {
        for (size_t i = 0; i < part->count; i++)
            write_page(part->at, part->first + i, i * round);
        for (size_t i = 0; i < part->count; i++)
            part->good &= page_is(part->at, part->first + i, i * round);
    }
    return NULL;
}

/* Four threads, each in a quarter of it. */
static void use_all(void)
{
    struct part parts[4];
    volatile unsigned char *at = map_memory(PAGES);
    for (size_t i = 0; i < 4; i++) {
        parts[i] = (struct part){.at = at, .first = i * PAGES / 4, .count = PAGES / 4};
        assert_int_equal(pthread_create(&parts[i].thread, NULL, use, &parts[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(parts[i].thread, NULL);
        assert_true(parts[i].good);
    }
}

static void test_swap_on_lz4(void)
{
    swap_to_compressed(VM_STORE_LZ4, NULL);
    use_all();
}

static void test_swap_on_zstd_over_a_file(void)
{
    swap_to_compressed(VM_STORE_ZSTD, temporary_file(vm_store_compressed_space(PAGES, 0) / PAGE));
    use_all();
}

/* The bytes of a page that doesn't shrink. */
static void fill_badly(volatile unsigned char *page, uint64_t seed)
{
    volatile uint64_t *words = (volatile uint64_t *)(volatile void *)page;
    for (size_t i = 0; i < PAGE / 8; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        words[i] = seed ^ seed >> 29;
    }
}

static bool is_filled(const volatile unsigned char *page, uint64_t seed)
{
    uint64_t expected[PAGE / 8];
    fill_badly((volatile unsigned char *)expected, seed);
    return memcmp((const void *)page, expected, PAGE) == 0;
}

/* Until nothing more has room. How many pages could be written. */
static size_t fill_up(volatile unsigned char *at)
{
    size_t count = 0;
    while (count < PAGES && caught_write(at + count * PAGE) == 0) {
        fill_badly(at + count * PAGE, count);
        count++;
    }
    return count;
}

/* All of them are there, when there is room to bring them back. */
static size_t fill_and_make_room(void)
{
    volatile unsigned char *other = map_memory(300), *at = map_memory(PAGES);
    for (size_t i = 0; i < 300; i++)
        fill_badly(other + i * PAGE, i);
    size_t count = fill_up(at);
    OK(quire_unmap((void *)other));
    for (size_t i = 0; i < count; i++)
        assert_true(is_filled(at + i * PAGE, i));
    OK(quire_unmap((void *)at));
    return count;
}

static void test_swap_that_is_full_of_pages_that_do_not_shrink(void)
{
    vm_store *store;
    struct vm_store_compressed_options options = {
        .pages = PAGES, .coder = VM_STORE_LZ4, .space = 6 * MIB};
    OK(vm_store_create_compressed(&options, &store));
    OK(quire_add_swap(store, PAGES, "small"));
    size_t first = fill_and_make_room();
    assert_in_range(first, 6 * MIB / PAGE, 13 * MIB / PAGE);
    assert_in_range(fill_and_make_room(), first - first / 8, first + first / 8);
}

static void test_swap_on_a_checked_file(void)
{
    vm_store *store;
    struct vm_store_checksum_options options = {.below = temporary_file(PAGES), .pages = PAGES};
    OK(vm_store_create_checksum(&options, &store));
    OK(quire_add_swap(store, PAGES, "checked"));
    use_all();
}

static void test_new_file_is_not_read_before_it_is_written(void)
{
    struct quire_mapping mapping = {.store = temporary_file(PAGES), .size = PAGES * PAGE};
    void *address;
    OK(quire_map(&mapping, &address));
    for (size_t i = 0; i < PAGES; i++)
        write_page(address, i, i + 1);
    for (size_t i = PAGES - 100; i < PAGES; i++)
        assert_true(page_is(address, i, i + 1));
    /* Not 0: a page may go while it is being written, where its thread waits for a CPU. */
    assert_true(figures().read < PAGES / 20);
    for (size_t i = 0; i < PAGES; i++)
        assert_true(page_is(address, i, i + 1));
    OK(quire_unmap(address));
}

static vm_store *file_to_read(void)
{
    char name[] = "/tmp/quire-stacked-XXXXXX";
    vm_store *store;
    struct vm_store_file_options options = {.descriptor = mkstemp(name)};
    assert_true(options.descriptor >= 0 && unlink(name) == 0);
    assert_int_equal(write(options.descriptor, name, sizeof name), sizeof name);
    OK(vm_store_create_file(&options, &store));
    close(options.descriptor);
    return store;
}

static void test_file_to_read_is_not_mapped_to_be_written(void)
{
    struct quire_mapping mapping = {.store = file_to_read(), .size = PAGE};
    void *at;
    assert_int_equal(quire_map(&mapping, &at), ERR_PERMISSION_DENIED);
    mapping.flags = QUIRE_PRIVATE;
    OK(quire_map(&mapping, &at));
    *(volatile char *)at = 1;
    OK(quire_unmap(at));
    mapping.store = file_to_read();
    mapping.flags = QUIRE_READ_ONLY;
    OK(quire_map(&mapping, &at));
    assert_int_equal(*(volatile char *)at, '/');
}

LINUX_MAIN(TEST(test_file_to_read_is_not_mapped_to_be_written),
           TEST_WITH(test_swap_that_is_full_of_pages_that_do_not_shrink, .budget = 8 * MIB,
                     .overcommit = true),
           TEST_MODES(test_new_file_is_not_read_before_it_is_written, .budget = 8 * MIB),
           TEST_MODES(test_swap_on_lz4, .budget = 8 * MIB),
           TEST_MODES(test_swap_on_zstd_over_a_file, .budget = 8 * MIB),
           TEST_MODES(test_swap_on_a_checked_file, .budget = 8 * MIB))
