/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "support.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEGMENT_PAGES 4
#define OPERATIONS 2

uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Of each 64 bytes so many are random as the seed says, the rest are like each other. */
void page_fill(void *page, uint64_t seed)
{
    uint64_t state = seed, random = next_random(&state) % 9 * 8;
    uint8_t *bytes = page;
    memset(bytes, 0, VM_PAGE_SIZE);
    if (seed % 8 == 0)
        return;
    for (size_t i = 0; i < VM_PAGE_SIZE; i += 8) {
        uint64_t word = i % 64 < random ? next_random(&state) : seed;
        memcpy(bytes + i, &word, sizeof word);
    }
}

uint64_t seed_of(unsigned eighths, size_t n)
{
    for (uint64_t seed = 1;; seed++) {
        uint64_t state = seed;
        if (seed % 8 != 0 && next_random(&state) % 9 == eighths && n-- == 0)
            return seed;
    }
}

bool page_is(const void *page, uint64_t seed)
{
    uint8_t expected[VM_PAGE_SIZE];
    page_fill(expected, seed);
    return memcmp(page, expected, VM_PAGE_SIZE) == 0;
}

int store_put(vm_store *store, size_t page, uint64_t seed)
{
    addr_t frame;
    size_t done = 1;
    OK(frames_allocate(1, false, &frame));
    page_fill(host_frame_ptr(frame), seed);
    int error = store->ops->write(store, PAGES(page), &frame, 1, &done);
    frames_free(frame, 1);
    assert_true(error != VM_OK || done == VM_PAGE_SIZE);
    assert_true(done <= VM_PAGE_SIZE);
    return error;
}

static int read_page(vm_store *store, size_t page, void *bytes)
{
    addr_t frame;
    size_t done = 1;
    OK(frames_allocate(1, false, &frame));
    int error = store->ops->read(store, PAGES(page), &frame, 1, &done);
    memcpy(bytes, host_frame_ptr(frame), VM_PAGE_SIZE);
    frames_free(frame, 1);
    assert_true(error != VM_OK || done == VM_PAGE_SIZE);
    return error;
}

int store_check(vm_store *store, size_t page, uint64_t seed)
{
    uint8_t bytes[VM_PAGE_SIZE];
    int error = read_page(store, page, bytes);
    if (error == VM_OK)
        assert_true(page_is(bytes, seed));
    return error;
}

int store_check_zero(vm_store *store, size_t page)
{
    return store_check(store, page, 0);
}

void store_end(vm_store *store)
{
    store->ops->destroy(store);
}

/* ---- stores ---- */

int temporary_file(void)
{
    char name[] = "quire-store-XXXXXX";
    int descriptor = mkstemp(name);
    assert_true(descriptor >= 0);
    assert_int_equal(unlink(name), 0);
    return descriptor;
}

vm_store *make_file(size_t pages)
{
    vm_store *store;
    int descriptor = temporary_file();
    struct vm_store_file_options options = {.descriptor = descriptor,
                                            .flags = VM_STORE_FILE_WRITABLE | VM_STORE_FILE_CREATE,
                                            .length = PAGES(pages)};
    OK(vm_store_create_file(&options, &store));
    assert_int_equal(close(descriptor), 0);
    return store;
}

vm_store *make_memory(size_t pages)
{
    vm_store *store;
    OK(vm_store_create_memory(pages, &store));
    return store;
}

size_t space_below(size_t pages)
{
    return vm_store_compressed_space(pages, SEGMENT_PAGES) / VM_PAGE_SIZE;
}

vm_store *make_compressed(size_t pages, enum vm_store_coder coder, vm_store *below)
{
    vm_store *store;
    struct vm_store_compressed_options options = {.pages = pages,
                                                  .coder = coder,
                                                  .below = below,
                                                  .segment_pages = SEGMENT_PAGES,
                                                  .operations = OPERATIONS,
                                                  .allocate_frames = frames_allocate,
                                                  .free_frames = frames_free};
    OK(vm_store_create_compressed(&options, &store));
    return store;
}

vm_store *make_checksum(size_t pages, vm_store *below)
{
    vm_store *store;
    struct vm_store_checksum_options options = {.below = below, .pages = pages};
    OK(vm_store_create_checksum(&options, &store));
    return store;
}
