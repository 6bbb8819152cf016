/* SPDX-License-Identifier: MIT */
/* Regions over caches that others make, on stores of their own. */
#include "aspace.h"
#include "create.h"

int vm_create_cache(vm_store *store, off_t size, vm_cache_ref **cache)
{
    if (!store || !cache || size <= 0 || store->magic != VM_STORE_MAGIC || !store->ops ||
        !store->ops->destroy)
        return ERR_INVALID_ARGS;
    *cache = cache_create_for(store, size, false);
    return *cache ? VM_OK : ERR_NO_MEMORY;
}

/* => nothing locked: what a cache that is no file's was made with stays */
static int check_cache(const struct create_request *r, const vm_cache_ref *cache)
{
    off_t end = (off_t)(((addr_t)cache->cache->virtual_size + VM_PAGE_MASK) & ~VM_PAGE_MASK);
    if (r->offset < 0 || (r->offset & (off_t)VM_PAGE_MASK) || (off_t)r->size > end ||
        r->offset > end - (off_t)r->size)
        return ERR_VM_BAD_ADDRESS;
    if (r->mapping == REGION_PRIVATE_MAP && cache->cache->store->ops->fault)
        return ERR_UNSUPPORTED;
    return VM_OK;
}

region_id vm_map_cache(aspace_id aid, const char *name, void **address, int addr_type, addr_t size,
                       unsigned lock, int mapping, vm_cache_ref *cache, off_t offset, void *owner)
{
    vm_address_space *aspace;
    struct create_request r = {.aid = aid,
                               .name = name,
                               .address = address,
                               .addr_type = addr_type,
                               .size = size,
                               .lock = lock & ~REGION_UNCACHED,
                               .mapping = mapping,
                               .offset = offset,
                               .max_lock = REGION_RIGHTS,
                               .inherit = create_inherit_of(mapping),
                               .cached = !(lock & REGION_UNCACHED),
                               .owner = owner};
    if (!cache || (lock & ~(LOCK_MASK | REGION_UNCACHED)))
        return ERR_INVALID_ARGS;
    int error = create_begin(&r, &aspace);
    if (error != VM_OK)
        return error;
    error = check_cache(&r, cache);
    if (error != VM_OK) {
        vm_put_aspace(aspace);
        return error;
    }
    vm_cache_acquire_ref(cache);
    return create_finish(&r, aspace, cache);
}

int vm_find_owner(aspace_id aid, addr_t address, struct vm_owner *found)
{
    vm_address_space *aspace;
    struct map_cursor cursor;
    if (!found)
        return ERR_INVALID_ARGS;
    int error = aspace_get_read_locked(aid, &aspace);
    if (error != VM_OK)
        return error;
    const vm_region *region = address <= aspace->virtual_map.last
                                  ? map_first(&aspace->virtual_map, address, &cursor)
                                  : NULL;
    if (region)
        *found = (struct vm_owner){region->owner, region->base, region->size, region->cache_offset,
                                   region->lock};
    aspace_put_read_locked(aspace);
    return region ? VM_OK : ERR_NOT_FOUND;
}

int vm_cache_unmap(vm_cache_ref *cache, off_t first, off_t last)
{
    if (!cache || first < 0 || last < first)
        return ERR_INVALID_ARGS;
    first &= ~(off_t)VM_PAGE_MASK;
    last |= (off_t)VM_PAGE_MASK;
    cache_lock(cache);
    cache_unmap(cache, first, last);
    cache_unlock(cache);
    return VM_OK;
}
