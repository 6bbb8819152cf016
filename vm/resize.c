/* SPDX-License-Identifier: MIT */
/* Regions that change their size, or their place. */
#include "resize.h"

#include "aspace.h"
#include "cache.h"
#include "contents.h"
#include "mapping.h"
#include "range.h"
#include "reclaim.h"
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

/* => map: write-locked, cache: locked. If a region shows the page at *at, moves that behind the region;
 * else cuts *end off where the next one begins. */
static bool next_shown(const vm_cache_ref *ref, off_t *at, off_t *end)
{
    list_for_each(link, &ref->regions)
    {
        const vm_region *region = list_member(link, vm_region, cache_link);
        off_t first = region->cache_offset, last = first + (off_t)(region->size - 1);
        if (first <= *at && *at <= last) {
            *at = last + 1;
            return true;
        }
        if (first > *at && first <= *end)
            *end = first - 1;
    }
    return false;
}

/* A growth: by how much, over which offsets, and what it is promised. */
struct growth {
    addr_t more;
    off_t from, to;
    off_t promise; /* charged to the region's cache already */
};

/* => cache: locked. What a cut has left, here or in a source below, must not come back, where no region
 * shows it: it is mapped by private clones at most. */
static int hide_unshown(vm_cache_ref *ref, const struct growth *g)
{
    int error = VM_OK;
    for (off_t at = g->from; at <= g->to && error == VM_OK;) {
        off_t end = g->to;
        if (next_shown(ref, &at, &end))
            continue;
        error = contents_hide(ref, at, end);
        at = end + 1;
    }
    return error;
}

static void unmap_hidden(vm_cache_ref *ref, void *growth)
{
    const struct growth *g = growth;
    cache_unmap(ref, g->from, g->to);
}

/* => nothing locked but the map. Private clones that show what is hidden look again. */
static int hide(vm_cache_ref *ref, struct growth *g)
{
    cache_lock(ref);
    int error = hide_unshown(ref, g);
    bool has_consumers = !list_is_empty(&ref->consumers);
    cache_unlock(ref);
    if (has_consumers)
        chain_walk_consumers(ref, unmap_hidden, g);
    return error;
}

/* => map: write-locked. A piece of what was one region gets a cache of its own, with what it shows
 * now: it is to grow over offsets that other pieces show. */
static int separate(vm_region *region, struct growth *g)
{
    vm_cache_ref *old = region->cache_ref, *own;
    off_t promise = g->promise + (region->charged ? (off_t)region->size : 0);
    int error = chain_snapshot(old, &own);
    if (error != VM_OK)
        return error;
    error = hide(own, g);
    if (error != VM_OK) {
        vm_cache_release_ref(own);
        return error;
    }
    mapping_remove(region, region->base, region_last(region));
    cache_lock(old);
    vm_cache_remove_region(old, region);
    old->cache->store->committed_size -= promise;
    cache_unlock(old);
    cache_lock(own);
    vm_cache_insert_region(own, region);
    own->cache->store->committed_size += promise;
    region->cache_ref = own;
    cache_unlock(own);
    vm_cache_release_ref(old);
    return VM_OK;
}

/* => cache: locked. What a growth must be promised. What is shared gives nothing back when a region gets
 * smaller, so the next growth may need nothing: no more frames can be shown than its regions have. */
static off_t promise_for_growth(const vm_region *region, off_t more)
{
    const vm_cache_ref *ref = region->cache_ref;
    if (!ref->temporary || (region->lock & REGION_OVERCOMMIT))
        return 0;
    if (ref->sharers == 0)
        return region->charged ? more : 0;
    off_t missing = more - ref->cache->store->committed_size;
    list_for_each(link, &ref->regions) missing +=
        (off_t)list_member(link, const vm_region, cache_link)->size;
    return missing < 0 ? 0 : missing < more ? missing : more;
}

/* => cache: locked */
static int charge_growth(const vm_region *region, struct growth *g)
{
    off_t bytes = promise_for_growth(region, (off_t)g->more);
    if (bytes == 0)
        return VM_OK;
    int error = cache_charge(region->cache_ref->cache, bytes);
    g->promise = error == VM_OK ? bytes : 0;
    return error;
}

/* => map: write-locked. Makes the cache ready for the offsets that the region grows over. */
static int grow_cache(vm_region *region, struct growth *g)
{
    vm_cache_ref *ref = region->cache_ref;
    cache_lock(ref);
    int error = charge_growth(region, g);
    bool in_the_way = ref->sharers == 0 && others_show(region, g->from, g->to);
    cache_unlock(ref);
    if (error == VM_OK && ref->temporary)
        error = in_the_way ? separate(region, g) : hide(ref, g);
    if (error != VM_OK && g->promise > 0) {
        cache_lock(ref);
        cache_uncharge(ref->cache, (int64_t)g->promise);
        cache_unlock(ref);
    }
    return error;
}

/* All that can fail. => map: write-locked */
static int prepare_growth(vm_region *region, addr_t size, struct growth *g)
{
    *g = (struct growth){.more = size - region->size,
                         .from = region->cache_offset + (off_t)region->size};
    if (region->is_device)
        return ERR_UNSUPPORTED; /* what lies behind was never asked for */
    if ((off_t)g->more > INT64_MAX - g->from)
        return ERR_VM_NO_REGION_SLOT;
    g->to = g->from + (off_t)(g->more - 1);
    return grow_cache(region, g);
}

/* => map: write-locked; the addresses are free */
static void finish_growth(vm_address_space *aspace, vm_region *region, const struct growth *g)
{
    vm_cache_ref *ref = region->cache_ref;
    cache_lock(ref);
    if (ref->temporary && ref->cache->virtual_size <= g->to)
        ref->cache->virtual_size = g->to + 1;
    map_change(&aspace->virtual_map, region, region->base, region->size + g->more);
    cache_unlock(ref);
}

/* => map: write-locked */
static int grow(vm_address_space *aspace, vm_region *region, addr_t size)
{
    const struct vm_virtual_map *map = &aspace->virtual_map;
    addr_t more = size - region->size, last = region_last(region);
    struct growth g;
    if (more > map->last - last || !map_is_free(map, last + 1, last + more))
        return ERR_VM_NO_REGION_SLOT;
    int error = prepare_growth(region, size, &g);
    if (error == VM_OK)
        finish_growth(aspace, region, &g);
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

int vm_resize_region(aspace_id aid, region_id rid, addr_t new_size)
{
    vm_address_space *aspace;
    struct range_removed removed;
    if (new_size == 0)
        return ERR_INVALID_ARGS;
    if (new_size > (addr_t)INT64_MAX - VM_PAGE_MASK)
        return ERR_VM_NO_REGION_SLOT;
    new_size = (new_size + VM_PAGE_MASK) & ~VM_PAGE_MASK;
    reclaim_ensure();
    int error = aspace_get_locked(aid, &aspace);
    if (error != VM_OK)
        return error;
    range_removed_init(&removed);
    vm_region *region = vm_get_region_by_id(rid);
    addr_t old_size = region ? region->size : 0;
    error = region ? resize(aspace, region, new_size, &removed) : ERR_VM_INVALID_REGION;
    /* Pages of a wired region are there as soon as it has grown: all, since it may have got a cache of
     * its own. */
    bool bring_in = error == VM_OK && region_is_wired(region) && new_size > old_size;
    addr_t base = region ? region->base : 0;
    aspace_write_unlock(aspace);
    range_removed_release(&removed);
    if (bring_in)
        error = contents_bring_in(aspace, base, base + (new_size - 1));
    vm_put_region(region);
    vm_put_aspace(aspace);
    return error;
}

/* ---- stacks ------------------------------------------------------------------------------------- */

/* => map: write-locked. The stack above `address`, where it may grow to it. */
static vm_region *growable(vm_address_space *aspace, addr_t address)
{
    struct map_cursor cursor;
    vm_region *region = map_first(&aspace->virtual_map, address, &cursor);
    if (!region || region->base <= address || !(region->lock & REGION_GROWS_DOWN) ||
        region->is_device || region_last(region) - address >= VM_STACK_LIMIT ||
        region->base - address > (addr_t)region->cache_offset)
        return NULL;
    vm_region *below = map_before(&aspace->virtual_map, address);
    if (below && address - region_last(below) <= VM_STACK_GUARD_PAGES * VM_PAGE_SIZE)
        return NULL;
    return address >= aspace->virtual_map.base ? region : NULL;
}

/* => map: write-locked. What was unmapped there before doesn't come back. */
static int grow_down(vm_address_space *aspace, vm_region *region, addr_t address)
{
    addr_t more = region->base - address;
    struct growth g = {
        .more = more, .from = region->cache_offset - (off_t)more, .to = region->cache_offset - 1};
    int error = grow_cache(region, &g);
    if (error != VM_OK)
        return error;
    vm_cache_ref *ref = region->cache_ref;
    cache_lock(ref);
    region->cache_offset = g.from;
    map_change(&aspace->virtual_map, region, address, region->size + more);
    cache_unlock(ref);
    return VM_OK;
}

int region_grow_stack(vm_address_space *aspace, addr_t address)
{
    struct map_cursor cursor;
    int error = ERR_VM_PF_BAD_ADDRESS;
    vm_read_lock(&aspace->virtual_map.lock, VM_RANK_MAP);
    vm_region *region = map_first(&aspace->virtual_map, address, &cursor);
    bool maybe = region && (region->lock & REGION_GROWS_DOWN);
    vm_read_unlock(&aspace->virtual_map.lock);
    if (!maybe)
        return error;
    vm_write_lock(&aspace->virtual_map.lock, VM_RANK_MAP);
    bool alive = aspace->state == VM_ASPACE_NORMAL;
    region = alive ? growable(aspace, address) : NULL;
    if (alive && vm_virtual_map_lookup(&aspace->virtual_map, address))
        error = VM_OK; /* another thread was faster */
    else if (region)
        error = grow_down(aspace, region, address);
    aspace_write_unlock(aspace);
    return error;
}

/* ---- moving ------------------------------------------------------------------------------------- */

struct move {
    addr_t first, last; /* of the old range */
    addr_t new_size;
    struct range_place place;
    bool wired; /* what has moved is to be brought in again */
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

/* The places at which a move may cut regions, and whether it does: where it then fails, exactly these cuts
 * are undone. */
#define MOVE_CUTS 5
struct move_cuts {
    addr_t at[MOVE_CUTS];
    bool whole[MOVE_CUTS];
};

/* => map: write-locked */
static struct move_cuts find_cuts(vm_address_space *aspace, const struct move *m, addr_t kept)
{
    struct move_cuts cuts = {.at = {m->first, m->first + kept, m->last + 1, m->place.address,
                                    m->place.address + m->new_size}};
    for (unsigned i = 0; i < MOVE_CUTS; i++)
        cuts.whole[i] = range_is_whole_at(aspace, cuts.at[i]);
    return cuts;
}

/* => map: write-locked */
static void undo_cuts(vm_address_space *aspace, const struct move_cuts *cuts)
{
    for (unsigned i = 0; i < MOVE_CUTS; i++)
        if (cuts->whole[i])
            range_join(aspace, cuts->at[i], cuts->at[i] - 1);
}

/* => map: write-locked. All that can fail: boundaries around what moves and around what it replaces,
 * a reserved place in the index, and the growth. */
static int prepare_move(vm_address_space *aspace, const struct move *m, addr_t kept,
                        struct growth *g)
{
    addr_t to_last = m->place.address + (m->new_size - 1);
    int error = range_isolate(aspace, m->first, m->first + (kept - 1));
    if (error == VM_OK && kept < m->last - m->first + 1)
        error = range_isolate(aspace, m->first + kept, m->last);
    if (error == VM_OK && m->place.addr_type == REGION_ADDR_REPLACE)
        error = range_isolate(aspace, m->place.address, to_last);
    if (error == VM_OK)
        error = map_reserve(&aspace->virtual_map, 1);
    if (error == VM_OK && kept < m->new_size)
        error =
            prepare_growth(vm_virtual_map_lookup(&aspace->virtual_map, m->first), m->new_size, g);
    return error;
}

/* => map: write-locked */
static int move_region(vm_address_space *aspace, struct move *m, struct range_removed *removed)
{
    struct growth g = {.more = 0};
    addr_t old_size = m->last - m->first + 1;
    addr_t kept = m->new_size < old_size ? m->new_size : old_size;
    addr_t to_last = m->place.address + (m->new_size - 1);
    struct move_cuts cuts = find_cuts(aspace, m, kept);
    int error = prepare_move(aspace, m, kept, &g);
    if (error != VM_OK) {
        undo_cuts(aspace, &cuts);
        return error;
    }
    vm_region *region = vm_virtual_map_lookup(&aspace->virtual_map, m->first);
    m->wired = region_is_wired(region);
    if (m->place.addr_type == REGION_ADDR_REPLACE)
        range_remove(aspace, m->place.address, to_last, removed);
    carry(aspace, region, m->place.address);
    if (g.more > 0)
        finish_growth(aspace, region, &g);
    if (kept < old_size)
        range_remove(aspace, m->first + kept, m->last, removed);
    return VM_OK;
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
    reclaim_ensure();
    int error = aspace_get_locked(aid, &aspace);
    if (error != VM_OK)
        return error;
    range_removed_init(&removed);
    error = range_check(aspace, address, size, &m.last);
    if (error == VM_OK)
        error = move_locked(aspace, &m, &removed);
    if (error == VM_OK)
        *new_address = (void *)m.place.address;
    aspace_write_unlock(aspace);
    range_removed_release(&removed);
    if (error == VM_OK && m.wired)
        (void)contents_bring_in(aspace, m.place.address, m.place.address + (new_size - 1));
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
