/* SPDX-License-Identifier: MIT */
/* Places, cuts, removals and joins: what changes which regions an address space has. Everything that can
 * fail is done before the first change. */
#include "range.h"

#include "contents.h"
#include "mapping.h"
#include "print.h"
#include "reclaim.h"
#include "system.h"

/* ---- checks and places -------------------------------------------------------------------------- */

int range_check(const vm_address_space *aspace, addr_t address, addr_t size, addr_t *last)
{
    const struct vm_virtual_map *map = &aspace->virtual_map;
    if (size == 0)
        return ERR_INVALID_ARGS;
    if ((address & VM_PAGE_MASK) || address < map->base || address > map->last ||
        size - 1 > map->last - address)
        return ERR_VM_BAD_ADDRESS;
    *last = (address + (size - 1)) | VM_PAGE_MASK;
    return VM_OK;
}

static int find_hole(const struct vm_virtual_map *map, struct range_place *place, bool top,
                     addr_t high)
{
    struct map_wish wish = {.size = place->size,
                            .alignment = VM_PAGE_SIZE,
                            .low = map->alloc_base,
                            .high = high,
                            .top = top};
    return map_find_gap(map, &wish, &place->address);
}

/* Free, and not in the gap below a stack. */
static bool is_good_hint(const struct vm_virtual_map *map, addr_t base, addr_t last)
{
    struct map_cursor cursor;
    const vm_region *next = map_first(map, base, &cursor);
    if (!next)
        return true;
    return next->base > last && next->base - last - 1 >= map_gap_below(next);
}

int range_find_place(const vm_address_space *aspace, struct range_place *place)
{
    const struct vm_virtual_map *map = &aspace->virtual_map;
    addr_t last = 0;
    int error = range_check(aspace, place->address, place->size, &last);
    switch (place->addr_type) {
    case REGION_ADDR_ANY_ADDRESS:
        return find_hole(map, place, false, map->last);
    case REGION_ADDR_TOP:
        if (place->address == 0)
            return find_hole(map, place, true, map->last);
        if (place->address <= map->base)
            return ERR_VM_NO_REGION_SLOT;
        return find_hole(map, place, true,
                         place->address - 1 < map->last ? place->address - 1 : map->last);
    case REGION_ADDR_HINT:
        if (error == VM_OK && is_good_hint(map, place->address, last))
            return VM_OK;
        return find_hole(map, place, true, map->last);
    case REGION_ADDR_EXACT_ADDRESS:
        if (error != VM_OK)
            return error;
        return map_is_free(map, place->address, last) ? VM_OK : ERR_VM_NO_REGION_SLOT;
    case REGION_ADDR_REPLACE:
        return error;
    default:
        return ERR_INVALID_ARGS;
    }
}

/* ---- cutting ------------------------------------------------------------------------------------ */

static vm_region *make_piece(const vm_region *region)
{
    vm_region *piece =
        _vm_create_region_struct(region->aspace, region->name, region->wiring, region->lock);
    if (!piece)
        return NULL;
    piece->cache_ref = region->cache_ref;
    piece->max_lock = region->max_lock;
    piece->mapping = region->mapping;
    piece->inherit = region->inherit;
    piece->clones = region->clones;
    piece->advice = region->advice;
    piece->errors_seen = region->errors_seen;
    piece->is_device = region->is_device;
    piece->cached = region->cached;
    piece->owner = region->owner;
    piece->reads_fill = region->reads_fill;
    piece->charged = region->charged;
    piece->shares = region->shares;
    piece->promised = region->promised;
    piece->charged_to_share = region->charged_to_share;
    if (region_register(piece) == VM_OK)
        return piece;
    region_free_struct(piece);
    return NULL;
}

static void discard_piece(vm_region *piece)
{
    if (!piece)
        return;
    region_unregister(piece);
    vm_put_region(piece);
}

/* `piece` gets what lies from `at` on. */
static void split(vm_address_space *aspace, vm_region *region, addr_t at, vm_region *piece)
{
    cache_lock(region->cache_ref);
    piece->base = at;
    piece->size = region->size - (at - region->base);
    piece->cache_offset = region_offset(region, at);
    map_change(&aspace->virtual_map, region, region->base, at - region->base);
    vm_cache_acquire_ref(region->cache_ref);
    vm_cache_insert_region(region->cache_ref, piece);
    map_insert(&aspace->virtual_map, piece);
    cache_unlock(region->cache_ref);
}

/* The region that has to be split for a boundary at `at`, or NULL. */
static vm_region *straddles(vm_address_space *aspace, addr_t at)
{
    vm_region *region = vm_virtual_map_lookup(&aspace->virtual_map, at);
    return region && region->base != at ? region : NULL;
}

bool range_is_whole_at(vm_address_space *aspace, addr_t at)
{
    return at <= aspace->virtual_map.last && straddles(aspace, at);
}

int range_isolate(vm_address_space *aspace, addr_t first, addr_t last)
{
    vm_region *low = straddles(aspace, first);
    vm_region *high = last < aspace->virtual_map.last ? straddles(aspace, last + 1) : NULL;
    vm_region *low_piece = low ? make_piece(low) : NULL;
    vm_region *high_piece = high ? make_piece(high) : NULL;
    if ((low && !low_piece) || (high && !high_piece) ||
        map_reserve(&aspace->virtual_map, (low ? 1u : 0u) + (high ? 1u : 0u)) != VM_OK) {
        discard_piece(low_piece);
        discard_piece(high_piece);
        map_unreserve(&aspace->virtual_map);
        return ERR_NO_MEMORY;
    }
    if (high)
        split(aspace, high, last + 1, high_piece);
    if (low)
        split(aspace, low, first, low_piece);
    return VM_OK;
}

/* ---- taking out --------------------------------------------------------------------------------- */

void range_removed_init(struct range_removed *removed)
{
    list_init(&removed->regions);
}

void range_removed_release(struct range_removed *removed)
{
    while (!list_is_empty(&removed->regions)) {
        vm_region *region = list_member(removed->regions.next, vm_region, cache_link);
        list_remove(&region->cache_link);
        vm_cache_release_ref(region->cache_ref);
        vm_put_region(region);
    }
}

/* What the cache no longer needs, now that this region is off it. => cache: locked */
static void shrink_cache(vm_region *region)
{
    vm_cache_ref *ref = region->cache_ref;
    vm_cache *cache = ref->cache;
    cache_settle_shared(ref);
    if (!cache->ref->temporary || cache->ref->sharers > 0)
        return;
    if (region->charged)
        cache_uncharge(cache, (int64_t)region->size);
    /* With its last region the cache goes as a whole, unless something stands on it, or is about to. */
    if (list_is_empty(&ref->consumers) && ref->coming == 0 && !list_is_empty(&ref->regions))
        cache_remove_pages(ref, region->cache_offset,
                           region->cache_offset + (off_t)(region->size - 1));
}

void range_remove_region(vm_region *region, struct range_removed *removed)
{
    vm_address_space *aspace = region->aspace;
    map_remove(&aspace->virtual_map, region);
    mapping_remove(region, region->base, region_last(region));
    cache_lock(region->cache_ref);
    vm_cache_remove_region(region->cache_ref, region);
    shrink_cache(region);
    cache_unlock(region->cache_ref);
    region_unregister(region);
    list_add_head(&removed->regions, &region->cache_link);
}

void range_remove(vm_address_space *aspace, addr_t first, addr_t last,
                  struct range_removed *removed)
{
    struct map_cursor cursor;
    vm_region *region;
    while ((region = map_first(&aspace->virtual_map, first, &cursor)) != NULL &&
           region->base <= last)
        range_remove_region(region, removed);
}

int vm_unmap_range(aspace_id aid, addr_t address, addr_t size)
{
    vm_address_space *aspace;
    struct range_removed removed;
    addr_t last;
    reclaim_ensure();
    int error = aspace_get_locked(aid, &aspace);
    if (error != VM_OK)
        return error;
    range_removed_init(&removed);
    error = range_check(aspace, address, size, &last);
    if (error == VM_OK)
        error = range_isolate(aspace, address, last);
    if (error == VM_OK)
        range_remove(aspace, address, last, &removed);
    aspace_write_unlock(aspace);
    range_removed_release(&removed);
    vm_put_aspace(aspace);
    return error;
}

/* ---- joining ------------------------------------------------------------------------------------ */

/* `b` is the one behind `a`, with no hole between. */
static bool could_be_one(const vm_region *a, const vm_region *b)
{
    return a->wiring != REGION_WIRING_UNDER_WAY && a->cache_ref == b->cache_ref &&
           a->cache_offset + (off_t)a->size == b->cache_offset && a->lock == b->lock &&
           a->max_lock == b->max_lock && a->wiring == b->wiring && a->mapping == b->mapping &&
           a->inherit == b->inherit && a->clones == b->clones && a->owner == b->owner &&
           a->cached == b->cached && a->advice == b->advice && a->charged == b->charged &&
           a->promised == b->promised && a->charged_to_share == b->charged_to_share;
}

/* `b` is what `a` was split from, or the other way round: the promise and the pages stay. */
static void join(vm_address_space *aspace, vm_region *a, vm_region *b)
{
    vm_cache_ref *ref = a->cache_ref;
    cache_lock(ref);
    vm_cache_remove_region(ref, b);
    map_remove(&aspace->virtual_map, b);
    map_change(&aspace->virtual_map, a, a->base, a->size + b->size);
    cache_unlock(ref);
    vm_cache_release_ref(ref); /* not the last: `a` has one, too */
    region_unregister(b);
    vm_put_region(b);
}

void range_join(vm_address_space *aspace, addr_t first, addr_t last)
{
    struct map_cursor cursor;
    const struct vm_virtual_map *map = &aspace->virtual_map;
    vm_region *a = map_first(map, first > map->base ? first - 1 : first, &cursor);
    while (a && region_last(a) <= last && region_last(a) < aspace->virtual_map.last) {
        vm_region *b = vm_virtual_map_lookup(&aspace->virtual_map, region_last(a) + 1);
        if (b && could_be_one(a, b))
            join(aspace, a, b);
        else
            a = map_first(&aspace->virtual_map, region_last(a) + 1, &cursor);
    }
}
