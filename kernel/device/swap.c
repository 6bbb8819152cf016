/* SPDX-License-Identifier: MIT */
/* Disks that take pages of memory. */
#include "device/block.h"
#include <kernel/log.h>
#include <kernel/string.h>
#include <quire/vm.h>

static int add_swap(struct block_device *device)
{
    vm_store *store = block_store_create(device);
    if (store == NULL)
        return ERR_NO_MEMORY;
    int error = vm_swap_add(store, device->sectors / (VM_PAGE_SIZE / BLOCK_SECTOR), device->name);
    if (error != VM_OK)
        store->ops->destroy(store);
    return error;
}

void swap_init(void)
{
    for (unsigned i = 0; i < block_count(); i++) {
        struct block_device *device = block_at(i);
        if (strncmp(device->name, "swap", 4) != 0)
            continue;
        int error = add_swap(device);
        if (error != VM_OK)
            panic("the disk %s can't take pages (%s): give less with --swap", device->name,
                  vm_error_text(error));
    }
}
