/* SPDX-License-Identifier: MIT */
/* Regions that change their size, or their place. */
#include "aspace.h"
#include "cache.h"
#include "contents.h"
#include "mapping.h"
#include "range.h"
#include "system.h"

/* => map: write-locked, cache: locked. Whether another region shows any of [first, last]. */
static bool others_show(const vm_region *region, off_t first, off_t last)
{
    list_for_each(link, &region->cache_ref->regions)
    {
        const vm_region *other = list_member(link, vm_region, cache_link);
        if (other != region && other->cache_offset <= last &&
            first <= other->cache_offset + (off_t)(other->size - 1))
            return true;
    }
    return false;
}

/* => map: write-locked. Regions never grow over what a neighbour cut from the same cache. */
static int grow(vm_address_space *aspace, vm_region *region, addr_t size)
{
    const struct vm_virtual_map *map = &aspace->virtual_map;
    addr_t more = size - region->size, last = region_last(region);
    if (more > map->last - last || !map_is_free(map, last + 1, last + more))
        return ERR_VM_NO_REGION_SLOT;
    vm_cache *cache = region->cache_ref->cache;
    off_t from = region->cache_offset + (off_t)region->size, to = from + (off_t)(more - 1);
    int error = VM_OK;
    cache_lock(region->cache_ref);
    if (cache->temporary && !cache->source && others_show(region, from, to))
        error = ERR_VM_NO_REGION_SLOT;
    /* A cut has left nothing in the cache, but it may have in a source below. */
    if (error == VM_OK && cache->temporary && !cache->shared)
        error = contents_hide(region->cache_ref, from, to);
    if (error == VM_OK && (region->charged || cache->shared) && cache->temporary)
        error = cache_charge(cache, (int64_t)more);
    if (error == VM_OK) {
        if (cache->virtual_size <= to)
            cache->virtual_size = to + 1;
        map_change(&aspace->virtual_map, region, region->base, size);
    }
    cache_unlock(region->cache_ref);
    return error;
}

/* => map: write-locked */
static int shrink(vm_address_space *aspace, vm_region *region, addr_t size,
                  struct range_removed *removed)
{
    addr_t first = region->base + size, last = region_last(region);
    int error = range_isolate(aspace, first, last);
    if (error == VM_OK)
        range_remove(aspace, first, last, removed);
    return error;
}

static int resize(vm_address_space *aspace, vm_region *region, addr_t size,
                  struct range_removed *removed)
{
    if (region->aspace != aspace)
        return ERR_VM_INVALID_REGION;
    if (size == region->size)
        return VM_OK;
    return size > region->size ? grow(aspace, region, size) : shrink(aspace, region, size, removed);
}

/* Pages of a wired region are there as soon as it has grown. */
static int wire_growth(aspace_id aid, const vm_region *region, addr_t old_size, addr_t size)
{
    if (!region_is_wired(region) || size <= old_size)
        return VM_OK;
    return vm_wire_range(aid, region->base + old_size, size - old_size);
}

int vm_resize_region(aspace_id aid, region_id rid, addr_t new_size)
{
    vm_address_space *aspace;
    struct range_removed removed;
    if (new_size == 0)
        return ERR_INVALID_ARGS;
    if (new_size > (addr_t)INT64_MAX - VM_PAGE_MASK)
        return ERR_VM_NO_REGION_SLOT;
    new_size = (new_size + VM_PAGE_MASK) & ~VM_PAGE_MASK;
    int error = aspace_get_locked(aid, &aspace);
    if (error != VM_OK)
        return error;
    range_removed_init(&removed);
    vm_region *region = vm_get_region_by_id(rid);
    addr_t old_size = region ? region->size : 0;
    error = region ? resize(aspace, region, new_size, &removed) : ERR_VM_INVALID_REGION;
    vm_write_unlock(&aspace->virtual_map.lock);
    range_removed_release(&removed);
    if (error == VM_OK)
        error = wire_growth(aid, region, old_size, new_size);
    vm_put_region(region);
    vm_put_aspace(aspace);
    return error;
}

/* ---- moving ------------------------------------------------------------------------------------- */

struct move {
    addr_t first, last; /* of the old range */
    addr_t new_size;
    struct range_place place;
};

/* => map: write-locked. The one region that covers the old range. */
static vm_region *find_moved(vm_address_space *aspace, const struct move *m)
{
    vm_region *region = vm_virtual_map_lookup(&aspace->virtual_map, m->first);
    return region && region_last(region) >= m->last ? region : NULL;
}

/* => map: write-locked. Takes the region, which is exactly the old range, to its new place; its pages
 * stay in the cache and are mapped by the next access. */
static void carry(vm_address_space *aspace, vm_region *region, addr_t to)
{
    mapping_remove(region, region->base, region_last(region));
    map_remove(&aspace->virtual_map, region);
    cache_lock(region->cache_ref);
    region->base = to;
    map_insert(&aspace->virtual_map, region);
    cache_unlock(region->cache_ref);
}

/* => map: write-locked. All that can fail comes before the region moves; then it grows or has
 * shrunk before. */
static int move_region(vm_address_space *aspace, struct move *m, struct range_removed *removed)
{
    addr_t old_size = m->last - m->first + 1;
    addr_t kept = m->new_size < old_size ? m->new_size : old_size;
    addr_t to_last = m->place.address + (m->new_size - 1);
    int error = map_reserve(&aspace->virtual_map, 3);
    if (error == VM_OK)
        error = range_isolate(aspace, m->first, m->first + (kept - 1));
    if (error == VM_OK && m->place.addr_type == REGION_ADDR_REPLACE) {
        error = range_isolate(aspace, m->place.address, to_last);
        if (error == VM_OK)
            range_remove(aspace, m->place.address, to_last, removed);
    }
    if (error == VM_OK)
        error = map_reserve(&aspace->virtual_map, 1);
    if (error != VM_OK)
        return error;
    vm_region *region = vm_virtual_map_lookup(&aspace->virtual_map, m->first);
    carry(aspace, region, m->place.address);
    if (m->new_size > old_size)
        error = grow(aspace, region, m->new_size);
    if (error != VM_OK)
        carry(aspace, region, m->first);
    else if (m->new_size < old_size && range_isolate(aspace, m->first, m->last) == VM_OK)
        range_remove(aspace, m->first + kept, m->last, removed);
    return error;
}

/* Whether the two ranges have a byte in common. */
static bool overlap(const struct move *m)
{
    addr_t to_last = m->place.address + (m->new_size - 1);
    return m->place.address <= m->last && m->first <= to_last;
}

static int move_locked(vm_address_space *aspace, struct move *m, struct range_removed *removed)
{
    if (!find_moved(aspace, m))
        return ERR_VM_PAGE_NOT_PRESENT;
    int error = range_find_place(aspace, &m->place);
    if (error != VM_OK)
        return error;
    if (m->place.addr_type == REGION_ADDR_REPLACE && overlap(m))
        return ERR_INVALID_ARGS;
    return move_region(aspace, m, removed);
}

int vm_move_range(aspace_id aid, addr_t address, addr_t size, addr_t new_size, void **new_address,
                  int addr_type)
{
    vm_address_space *aspace;
    struct range_removed removed;
    if (!new_address || new_size == 0)
        return ERR_INVALID_ARGS;
    if (new_size > (addr_t)INT64_MAX - VM_PAGE_MASK)
        return ERR_VM_NO_REGION_SLOT;
    new_size = (new_size + VM_PAGE_MASK) & ~VM_PAGE_MASK;
    struct move m = {.first = address,
                     .new_size = new_size,
                     .place = {new_size, addr_type, (addr_t)(uintptr_t)*new_address}};
    int error = aspace_get_locked(aid, &aspace);
    if (error != VM_OK)
        return error;
    range_removed_init(&removed);
    error = range_check(aspace, address, size, &m.last);
    if (error == VM_OK)
        error = move_locked(aspace, &m, &removed);
    if (error == VM_OK)
        *new_address = (void *)m.place.address;
    vm_write_unlock(&aspace->virtual_map.lock);
    range_removed_release(&removed);
    vm_put_aspace(aspace);
    return error;
}

int vm_find_hole(aspace_id aid, addr_t size, addr_t alignment, addr_t low, addr_t high,
                 addr_t *address)
{
    vm_address_space *aspace;
    if (!address || size == 0 || alignment < VM_PAGE_SIZE || (alignment & (alignment - 1)) ||
        low >= high)
        return ERR_INVALID_ARGS;
    if (size > UINTPTR_MAX - VM_PAGE_MASK)
        return ERR_VM_NO_REGION_SLOT;
    int error = aspace_get_read_locked(aid, &aspace);
    if (error != VM_OK)
        return error;
    struct map_wish wish = {.size = (size + VM_PAGE_MASK) & ~VM_PAGE_MASK,
                            .alignment = alignment,
                            .low = low,
                            .high = high - 1};
    error = map_find_gap(&aspace->virtual_map, &wish, address);
    aspace_put_read_locked(aspace);
    return error;
}
