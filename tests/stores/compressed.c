/* SPDX-License-Identifier: MIT */
#include "compressed.h"

vm_store *store;

struct vm_store_compressed_info info(void)
{
    struct vm_store_compressed_info now;
    vm_store_compressed_info(store, &now);
    return now;
}

struct vm_store_compressed_options plain_options(void)
{
    return (struct vm_store_compressed_options){.pages = SIZE,
                                                .coder = VM_STORE_LZ4,
                                                .segment_pages = 4,
                                                .allocate_frames = frames_allocate,
                                                .free_frames = frames_free};
}

void make_small(size_t segments, vm_store *below)
{
    struct vm_store_compressed_options options = plain_options();
    options.space = segments * 4 * PAGE;
    options.below = below;
    OK(vm_store_create_compressed(&options, &store));
}

void fill_and_rewrite(unsigned rounds)
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
