/* SPDX-License-Identifier: MIT */
/* Nothing: keeps a range of addresses free. */
#include <quire/store.h>

#include "cache.h"
#include "meta.h"

static void null_destroy(vm_store *store)
{
    vm_meta_free(store, sizeof *store);
}

static int null_fault(vm_store *store, vm_region *region, addr_t address, unsigned access)
{
    (void)store, (void)region, (void)address, (void)access;
    return ERR_VM_PF_FATAL;
}

static const struct vm_store_ops null_ops = {
    .destroy = null_destroy,
    .fault = null_fault,
};

vm_store *vm_store_create_null(void)
{
    vm_store *store = meta_alloc_clear(sizeof *store);
    if (store) {
        store->magic = VM_STORE_MAGIC;
        store->ops = &null_ops;
    }
    return store;
}
