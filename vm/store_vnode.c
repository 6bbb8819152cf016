/* SPDX-License-Identifier: MIT */
/* A file: pages come from, and go to, the host's vnode. The cache's references are references on
 * the vnode, so it outlives the cache. */
#include <quire/store.h>

#include <quire/host.h>

#include "cache.h"
#include "meta.h"

static void vnode_destroy(vm_store *store)
{
    vm_meta_free(store, sizeof *store);
}

static off_t vnode_size(vm_store *store)
{
    return host_vnode_size(store->data);
}

static bool vnode_has_page(vm_store *store, off_t offset)
{
    return offset < host_vnode_size(store->data);
}

static int vnode_read(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                      size_t *done)
{
    return host_vnode_read(store->data, offset, frames, count, done);
}

static int vnode_write(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                       size_t *done)
{
    return host_vnode_write(store->data, offset, frames, count, done);
}

static void vnode_acquire_ref(vm_store *store)
{
    host_vnode_acquire(store->data);
}

static void vnode_release_ref(vm_store *store)
{
    host_vnode_release(store->data);
}

static const struct vm_store_ops vnode_ops = {
    .destroy = vnode_destroy,
    .has_page = vnode_has_page,
    .read = vnode_read,
    .write = vnode_write,
    .size = vnode_size,
    .acquire_ref = vnode_acquire_ref,
    .release_ref = vnode_release_ref,
};

vm_store *vm_store_create_vnode(void *vnode)
{
    vm_store *store = meta_alloc_clear(sizeof *store);
    if (store) {
        store->magic = VM_STORE_MAGIC;
        store->ops = &vnode_ops;
        store->data = vnode;
    }
    return store;
}
