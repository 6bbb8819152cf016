/* SPDX-License-Identifier: MIT */
/* Copying an address space. */
#include "aspace.h"
#include "cache.h"
#include "print.h"
#include "range.h"
#include "reclaim.h"
#include "region.h"
#include "system.h"

static bool is_shared_by_fork(const vm_region *source)
{
    return source->inherit == VM_INHERIT_SHARE || !source->cache_ref->temporary;
}

/* => the source's map: read-locked. The cache that the copy of a region maps, with a reference. */
static int copy_cache(vm_region *source, vm_cache_ref **ref, bool *charged)
{
    vm_cache_ref *of = source->cache_ref;
    int error = VM_OK;
    *charged = false;
    if (is_shared_by_fork(source)) {
        cache_lock(of);
        error = region_make_shared(source);
        cache_unlock(of);
        if (error == VM_OK)
            vm_cache_acquire_ref(of);
        *ref = of;
        return error;
    }
    error = chain_snapshot(of, ref);
    /* What was promised to several as a whole is promised to the copy for itself. */
    *charged = source->charged || (source->promised && !(source->lock & REGION_OVERCOMMIT) &&
                                   region_fills_frames(source, source->lock));
    if (error != VM_OK || !*charged)
        return error;
    cache_lock(*ref);
    error = cache_charge((*ref)->cache, (int64_t)source->size);
    cache_unlock(*ref);
    if (error != VM_OK)
        vm_cache_release_ref(*ref);
    return error;
}

/* => both maps: locked */
static int copy_region(vm_region *source, vm_address_space *to)
{
    vm_cache_ref *ref;
    vm_region *region =
        _vm_create_region_struct(to, source->name, REGION_WIRING_LAZY, source->lock);
    if (!region)
        return ERR_NO_MEMORY;
    int error = map_reserve(&to->virtual_map, 1);
    if (error == VM_OK)
        error = region_register(region);
    if (error != VM_OK)
        goto no_id;
    error = copy_cache(source, &ref, &region->charged);
    if (error != VM_OK)
        goto no_cache;
    region->cache_ref = ref;
    region->cache_offset = source->cache_offset;
    region->max_lock = source->max_lock;
    region->mapping = source->mapping;
    region->inherit = source->inherit;
    region->advice = source->advice;
    region->errors_seen = source->errors_seen;
    region->is_device = source->is_device;
    region->cached = source->cached;
    region->reads_fill = source->reads_fill;
    region->promised = is_shared_by_fork(source);
    region->base = source->base;
    region->size = source->size;
    cache_lock(ref);
    vm_cache_insert_region(ref, region);
    cache_unlock(ref);
    map_insert(&to->virtual_map, region);
    return VM_OK;
no_cache:
    region_unregister(region);
no_id:
    vm_put_region(region);
    return error;
}

/* => the source's map: read-locked. There is no copy after all: regions below `end` that were shared for
 * it are no longer. */
static void unshare_before(const vm_address_space *from, addr_t end)
{
    struct map_cursor cursor;
    vm_region *region = map_first(&from->virtual_map, 0, &cursor);
    for (; region && region->base < end; region = map_next(&cursor))
        if (is_shared_by_fork(region)) {
            cache_lock(region->cache_ref);
            region_unshare(region);
            cache_unlock(region->cache_ref);
        }
}

/* => the source's map: read-locked, the copy's write-locked. Takes all out again that the copy has, then
 * what was shared for it isn't. */
static void abandon(const vm_address_space *from, addr_t end, vm_address_space *to,
                    struct range_removed *removed)
{
    to->state = VM_ASPACE_DELETION;
    range_remove(to, to->virtual_map.base, to->virtual_map.last, removed);
    unshare_before(from, end);
}

/* => the source's map: read-locked. Nobody can hold the new map's lock yet and wait for another, so
 * taking this second map's lock can't close a circle. The copy gets its id at the end. */
static int copy_regions(const vm_address_space *from, vm_address_space *to,
                        struct range_removed *removed)
{
    struct map_cursor cursor;
    int error = VM_OK;
    addr_t end = 0;
    bool locked = vm_write_try_lock(&to->virtual_map.lock, VM_RANK_MAP);
    VM_ASSERT(locked);
    vm_region *region = map_first(&from->virtual_map, 0, &cursor);
    for (; region && error == VM_OK; region = map_next(&cursor))
        if (region->inherit != VM_INHERIT_NONE) {
            end = region->base;
            error = copy_region(region, to);
        }
    if (error == VM_OK) {
        end = UINTPTR_MAX;
        error = aspace_register(to);
    }
    if (error != VM_OK)
        abandon(from, end, to, removed);
    aspace_write_unlock(to);
    return error;
}

aspace_id vm_copy_aspace(aspace_id source, const char *name)
{
    vm_address_space *from, *to = NULL;
    if (!name)
        return ERR_INVALID_ARGS;
    if (source == vm_get_kernel_aspace_id())
        return ERR_VM_INVALID_ASPACE;
    reclaim_ensure();
    int error = aspace_get_read_locked(source, &from);
    if (error != VM_OK)
        return error;
    struct range_removed removed;
    const struct vm_virtual_map *map = &from->virtual_map;
    range_removed_init(&removed);
    error = aspace_create_struct(name, map->base, map->last - map->base + 1, false, &to);
    if (error == VM_OK)
        error = copy_regions(from, to, &removed);
    aspace_put_read_locked(from);
    range_removed_release(&removed);
    if (error == VM_OK) {
        VM_COUNT(forks);
        return to->id;
    }
    if (to)
        vm_put_aspace(to); /* whoever found one of its regions by id may hold it, too */
    return error;
}
