/* SPDX-License-Identifier: MIT */
/* A disk as a store of the core's. */
#include "device/block.h"
#include <kernel/string.h>
#include <quire/vm.h>

static int store_read(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                      size_t *done)
{
    int error = block_read(store->data, (uint64_t)offset, frames, count);
    *done = error == VM_OK ? count * VM_PAGE_SIZE : 0;
    return error;
}

static int store_write(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                       size_t *done)
{
    int error = block_write(store->data, (uint64_t)offset, frames, count);
    *done = error == VM_OK ? count * VM_PAGE_SIZE : 0;
    return error;
}

static void store_destroy(vm_store *store)
{
    vm_meta_free(store, sizeof(*store));
}

static const struct vm_store_ops block_store_ops = {
    .destroy = store_destroy,
    .read = store_read,
    .write = store_write,
};

vm_store *block_store_create(struct block_device *device)
{
    vm_store *store = vm_meta_alloc(sizeof(*store));
    if (store == NULL)
        return NULL;
    memset(store, 0, sizeof(*store));
    store->ops = &block_store_ops;
    store->data = device;
    return store;
}
