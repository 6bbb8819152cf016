/* SPDX-License-Identifier: MIT */
/* Caches over the host's own stores, and regions over any cache. */
#include <quire/store.h>

#include "aspace.h"
#include "create.h"
#include "print.h"
#include "system.h"

static void note_written_back(vm_cache_ref *ref)
{
    ref->is_written_back = true;
    vm_mutex_lock(&vm_system.vnode_lock, VM_RANK_VNODE);
    cache_note_file(ref);
    vm_mutex_unlock(&vm_system.vnode_lock);
}

int vm_create_cache(vm_store *store, off_t size, vm_cache_ref **cache)
{
    if (!store || !store->ops || !store->ops->destroy || store->cache || size <= 0 || !cache)
        return ERR_INVALID_ARGS;
    vm_cache *made = vm_cache_create(store);
    if (!made)
        return ERR_NO_MEMORY;
    vm_cache_ref *ref = vm_cache_ref_create(made);
    if (!ref) {
        vm_cache_abandon(made);
        return ERR_NO_MEMORY;
    }
    store->magic = VM_STORE_MAGIC;
    made->virtual_size = size;
    if (store->ops->acquire_ref)
        store->ops->acquire_ref(store);
    if (store->ops->write)
        note_written_back(ref);
    *cache = ref;
    return VM_OK;
}

region_id vm_map_cache(aspace_id aid, const char *name, void **address, int addr_type, addr_t size,
                       unsigned lock, int mapping, vm_cache_ref *cache, off_t offset)
{
    struct create_request r = {.aid = aid,
                               .name = name,
                               .address = address,
                               .addr_type = addr_type,
                               .size = size,
                               .lock = lock & ~(REGION_NO_WRITE | REGION_CACHED),
                               .mapping = mapping,
                               .offset = offset,
                               .max_lock = lock & REGION_NO_WRITE ? LOCK_EXECUTE : REGION_RIGHTS,
                               .inherit = create_inherit_of(mapping),
                               .cached = lock & REGION_CACHED};
    vm_address_space *aspace;
    if (!cache || offset < 0 || ((addr_t)offset & VM_PAGE_MASK))
        return ERR_INVALID_ARGS;
    int error = create_begin(&r, &aspace);
    if (error != VM_OK)
        return error;
    error = create_check_object(&r);
    if (error == VM_OK && mapping == REGION_PRIVATE_MAP && cache->cache->store->ops->fault)
        error = ERR_UNSUPPORTED;
    if (error != VM_OK) {
        vm_put_aspace(aspace);
        return error;
    }
    vm_cache_acquire_ref(cache);
    return create_finish(&r, aspace, cache);
}

int vm_cache_unmap(vm_cache_ref *cache, off_t first, off_t last)
{
    if (!cache || first < 0 || last < first)
        return ERR_INVALID_ARGS;
    cache_lock(cache);
    cache_unmap(cache, first & ~(off_t)VM_PAGE_MASK, last | (off_t)VM_PAGE_MASK);
    cache_unlock(cache);
    return VM_OK;
}
