/* SPDX-License-Identifier: MIT */
/* Anonymous memory: its pages have no home but memory, and are promised. */
#include <quire/store.h>

#include "cache.h"
#include "commit.h"
#include "meta.h"

static void anonymous_destroy(vm_store *store)
{
    vm_meta_free(store, sizeof *store);
}

static int anonymous_commit(vm_store *store, off_t size)
{
    int error = vm_commit_charge(size - store->committed_size);
    if (error == VM_OK)
        store->committed_size = size;
    return error;
}

static const struct vm_store_ops anonymous_ops = {
    .destroy = anonymous_destroy,
    .commit = anonymous_commit,
};

vm_store *vm_store_create_anonymous_noswap(void)
{
    vm_store *store = meta_alloc_clear(sizeof *store);
    if (store) {
        store->magic = VM_STORE_MAGIC;
        store->ops = &anonymous_ops;
    }
    return store;
}
