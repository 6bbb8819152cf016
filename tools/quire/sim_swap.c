/* SPDX-License-Identifier: MIT */
/* What the simulated machines' pages are swapped to. */
#include "sim_swap.h"

#include <string.h>

#include <quire/stores.h>
#include <sim.h>

#include "error.h"

static vm_store *make_compressed(size_t slots, enum vm_store_coder coder, vm_store *below)
{
    vm_store *store = NULL;
    struct vm_store_compressed_options options = {.pages = slots,
                                                  .coder = coder,
                                                  .below = below,
                                                  .segment_pages = 2,
                                                  .operations = 1,
                                                  .allocate_frames = vm_allocate_frames,
                                                  .free_frames = vm_free_frames};
    return vm_store_create_compressed(&options, &store) == VM_OK ? store : NULL;
}

static vm_store *make_lz4(size_t slots)
{
    return make_compressed(slots, VM_STORE_LZ4, NULL);
}

static vm_store *make_zstd(size_t slots)
{
    return make_compressed(slots, VM_STORE_ZSTD, NULL);
}

/* The device below waits in the middle of its reads and writes, so others find the store at work. */
static vm_store *make_lz4_device(size_t slots)
{
    size_t space = vm_store_compressed_space(slots, 2) / VM_PAGE_SIZE;
    vm_store *device = sim_swap_store(sim_swap_create(space));
    vm_store *store = make_compressed(slots, VM_STORE_LZ4, device);
    if (store == NULL)
        device->ops->destroy(device);
    return store;
}

static vm_store *make_checksum(size_t slots)
{
    vm_store *store = NULL, *device = sim_swap_store(sim_swap_create(slots));
    struct vm_store_checksum_options options = {.below = device, .pages = slots};
    if (vm_store_create_checksum(&options, &store) != VM_OK)
        device->ops->destroy(device);
    return store;
}

int sim_swap_choose(const char *name)
{
    static const struct {
        const char *name;
        vm_store *(*make)(size_t slots);
    } kinds[] = {{"device", NULL},
                 {"lz4", make_lz4},
                 {"zstd", make_zstd},
                 {"lz4-device", make_lz4_device},
                 {"checksum", make_checksum}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, name) != 0)
            continue;
        sim_set_swap(kinds[i].make);
        return 0;
    }
    return fail(STATUS_ERROR, "--swap-store %s: write device, lz4, zstd, lz4-device or checksum",
                name);
}
