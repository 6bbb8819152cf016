/* SPDX-License-Identifier: MIT */
/* Discarding, syncing, asking for and wiring the pages of a range. The regions stay as they are, but
 * for wiring, which cuts them. */
#include "contents.h"

#include <quire/host.h>

#include "aspace.h"
#include "fault.h"
#include "mapping.h"
#include "pagein.h"
#include "range.h"
#include "reclaim.h"
#include "system.h"
#include "writeback.h"

int for_each_part(vm_address_space *aspace, addr_t first, addr_t last, visit_part *visit,
                  void *argument)
{
    struct map_cursor cursor;
    addr_t expected = first;
    bool hole = false;
    vm_region *region = map_first(&aspace->virtual_map, first, &cursor);
    for (; region && region->base <= last; region = map_next(&cursor)) {
        addr_t end = region_last(region);
        hole |= region->base > expected;
        int error = visit(region, region->base > first ? region->base : first,
                          end < last ? end : last, argument);
        if (error != VM_OK)
            return error;
        if (end >= last)
            return hole ? ERR_VM_PAGE_NOT_PRESENT : VM_OK;
        expected = end + 1;
    }
    return ERR_VM_PAGE_NOT_PRESENT;
}

int visit_range(aspace_id aid, addr_t address, addr_t size, visit_part *visit, void *argument)
{
    vm_address_space *aspace;
    addr_t last;
    int error = aspace_get_read_locked(aid, &aspace);
    if (error != VM_OK)
        return error;
    error = range_check(aspace, address, size, &last);
    if (error == VM_OK)
        error = for_each_part(aspace, address, last, visit, argument);
    aspace_put_read_locked(aspace);
    return error;
}

/* ---- discarding --------------------------------------------------------------------------------- */

/* The next key at or behind *key at which a temporary source below `ref` has a page. => ref: locked */
static bool next_below(vm_cache_ref *ref, uint64_t *key)
{
    uint64_t best = UINT64_MAX;
    for (vm_cache_ref *at = chain_step(ref, ref); at; at = chain_step(ref, at)) {
        uint64_t found = *key;
        if (at->temporary && radix_next(&at->cache->pages, &found) && found < best)
            best = found;
    }
    *key = best;
    return best != UINT64_MAX;
}

/* Whether memory below `ref` is a region's own, which may write to it later. => ref: locked */
static bool stands_on_region(vm_cache_ref *ref)
{
    bool found = false;
    for (vm_cache_ref *at = chain_step(ref, ref); at; at = chain_step(ref, at))
        found |= at->temporary && cache_has_regions(at);
    return found;
}

int contents_hide(vm_cache_ref *ref, off_t first, off_t last)
{
    uint64_t low = (uint64_t)first >> VM_PAGE_SHIFT, high = (uint64_t)last >> VM_PAGE_SHIFT, key;
    vm_cache_ref *source = ref->cache->source;
    if (source && source->temporary) {
        bool all = stands_on_region(ref);
        for (key = low; (all || next_below(ref, &key)) && key <= high; key++)
            if (radix_reserve(&ref->cache->pages, key) != VM_OK)
                return ERR_NO_MEMORY;
        for (key = low; (all || next_below(ref, &key)) && key <= high; key++)
            cache_hide_key(ref, key);
    }
    cache_remove_pages(ref, first, last);
    return VM_OK;
}

/* Where others share the memory, only the translations go. */
static int discard_part(vm_region *region, addr_t first, addr_t last, void *unused)
{
    (void)unused;
    int error = VM_OK;
    if (region_is_wired(region))
        return ERR_INVALID_ARGS;
    cache_lock(region->cache_ref);
    const vm_cache *cache = region->cache_ref->cache;
    mapping_remove(region, first, last);
    if (cache->ref->temporary && cache->ref->sharers == 0 &&
        list_is_empty(&region->cache_ref->consumers))
        error = contents_hide(region->cache_ref, region_offset(region, first),
                              region_offset(region, last));
    cache_unlock(region->cache_ref);
    return error;
}

int vm_discard_range(aspace_id aid, addr_t address, addr_t size)
{
    reclaim_ensure();
    return visit_range(aid, address, size, discard_part, NULL);
}

/* ---- writing back ------------------------------------------------------------------------------- */

bool contents_is_next(const struct contents_part *part, addr_t last)
{
    return !part->at_end && last >= part->at;
}

void contents_take_part(struct contents_part *part, vm_region *region, addr_t first, addr_t last)
{
    vm_cache_acquire_ref(region->cache_ref);
    part->ref = region->cache_ref;
    part->first = region_offset(region, first < part->at ? part->at : first);
    part->last = region_offset(region, last);
    part->at = last + 1;
    part->at_end = last == UINTPTR_MAX;
}

struct sync {
    struct contents_part part;
    int earlier; /* an error of a write that nobody waited for */
};

/* Finds the first part that has to be written, from where the last one ended, and stops there. */
static int find_sync_part(vm_region *region, addr_t first, addr_t last, void *argument)
{
    struct sync *sync = argument;
    if (!region->cache_ref->is_written_back || !contents_is_next(&sync->part, last))
        return VM_OK;
    contents_take_part(&sync->part, region, first, last);
    sync->earlier = vm_cache_take_error(region->cache_ref, &region->errors_seen);
    return CONTENTS_FOUND;
}

int vm_sync_range(aspace_id aid, addr_t address, addr_t size)
{
    struct sync sync = {.part = {.at = address}};
    int result;
    /* The map isn't held while the store writes: each part is found anew. */
    while ((result = visit_range(aid, address, size, find_sync_part, &sync)) == CONTENTS_FOUND) {
        int error = writeback_range(sync.part.ref, sync.part.first, sync.part.last);
        vm_cache_release_ref(sync.part.ref);
        if (error == VM_OK)
            error = sync.earlier;
        if (error != VM_OK)
            return error;
    }
    return result;
}

/* ---- residency ---------------------------------------------------------------------------------- */

struct residency {
    addr_t address;
    uint8_t *pages;
};

enum contents_whereabouts contents_whereabouts(vm_cache_ref *top, off_t offset)
{
    enum contents_whereabouts found = CONTENTS_NOWHERE;
    bool skipping = false;
    for (vm_cache_ref *at = top; at; at = chain_step(top, at)) {
        if (found != CONTENTS_NOWHERE || (skipping && at->temporary))
            continue;
        const struct vm_page *page = vm_cache_lookup_page(at, offset);
        skipping |= cache_is_skip(page);
        if (cache_is_page(page))
            found = page->busy == 0 ? CONTENTS_RESIDENT : CONTENTS_BUSY;
        else if (cache_is_swapped(page) || cache_store_has_page(at, offset))
            found = CONTENTS_IN_STORE;
    }
    return found;
}

static int residency_part(vm_region *region, addr_t first, addr_t last, void *argument)
{
    struct residency *residency = argument;
    cache_lock(region->cache_ref);
    for (addr_t at = first;; at += VM_PAGE_SIZE) {
        residency->pages[(at - residency->address) / VM_PAGE_SIZE] =
            contents_whereabouts(region->cache_ref, region_offset(region, at)) == CONTENTS_RESIDENT;
        if (last - at < VM_PAGE_SIZE)
            break;
    }
    cache_unlock(region->cache_ref);
    return VM_OK;
}

int vm_get_residency(aspace_id aid, addr_t address, addr_t size, uint8_t *pages)
{
    struct residency residency = {address, pages};
    if (!pages)
        return ERR_INVALID_ARGS;
    return visit_range(aid, address, size, residency_part, &residency);
}

/* ---- wiring ------------------------------------------------------------------------------------- */

/* Regions of the one or the other wiring get a new one. */
struct rewire {
    int from, or_from, to;
};
/* What is wired stays under way until its pages are there, so that a failure undoes that and no more. */
static const struct rewire begin_wire = {REGION_WIRING_LAZY, REGION_WIRING_LAZY,
                                         REGION_WIRING_UNDER_WAY};
static const struct rewire end_wire = {REGION_WIRING_UNDER_WAY, REGION_WIRING_UNDER_WAY,
                                       REGION_WIRING_WIRED};
static const struct rewire undo_wire = {REGION_WIRING_UNDER_WAY, REGION_WIRING_UNDER_WAY,
                                        REGION_WIRING_LAZY};
static const struct rewire end_all_wiring = {REGION_WIRING_WIRED, REGION_WIRING_UNDER_WAY,
                                             REGION_WIRING_LAZY};

static int rewire_part(vm_region *region, addr_t first, addr_t last, void *argument)
{
    (void)first, (void)last;
    const struct rewire *rewire = argument;
    if (region->is_device || (region->wiring != rewire->from && region->wiring != rewire->or_from))
        return VM_OK;
    cache_lock(region->cache_ref);
    mapping_set_wiring(region, rewire->to);
    cache_unlock(region->cache_ref);
    return VM_OK;
}

/* Counts the pages of lazy regions that will be brought in. */
static int count_lazy(vm_region *region, addr_t first, addr_t last, void *count)
{
    if (!region->is_device && region->wiring == REGION_WIRING_LAZY &&
        !(region->lock & LOCK_NO_READ))
        *(size_t *)count += (last - first) / VM_PAGE_SIZE + 1;
    return VM_OK;
}

/* => map: write-locked */
static void rewire_parts(vm_address_space *aspace, addr_t address, addr_t last,
                         struct rewire rewire)
{
    (void)for_each_part(aspace, address, last, rewire_part, &rewire);
    range_join(aspace, address, last);
}

static int set_wiring(vm_address_space *aspace, addr_t address, addr_t last, struct rewire rewire)
{
    size_t lazy = 0;
    reclaim_ensure();
    vm_write_lock(&aspace->virtual_map.lock, VM_RANK_MAP);
    int error = for_each_part(aspace, address, last, count_lazy, &lazy);
    if (error == VM_OK && rewire.to == REGION_WIRING_UNDER_WAY && !page_may_wire(lazy))
        error = ERR_NO_MEMORY;
    if (error == VM_OK)
        error = range_isolate(aspace, address, last);
    if (error == VM_OK)
        rewire_parts(aspace, address, last, rewire);
    aspace_write_unlock(aspace);
    return error;
}

static void undo_wiring(vm_address_space *aspace, addr_t address, addr_t last)
{
    vm_write_lock(&aspace->virtual_map.lock, VM_RANK_MAP);
    rewire_parts(aspace, address, last, undo_wire);
    aspace_write_unlock(aspace);
}

static int find_lazy(vm_region *region, addr_t first, addr_t last, void *unused)
{
    (void)first, (void)last, (void)unused;
    return !region->is_device && region->wiring == REGION_WIRING_LAZY ? CONTENTS_FOUND : VM_OK;
}

/* The boundaries are still there: nothing joins a region whose wiring is under way. False: a part's is no
 * longer, since another thread has undone it. */
static bool end_wiring(vm_address_space *aspace, addr_t address, addr_t last)
{
    vm_write_lock(&aspace->virtual_map.lock, VM_RANK_MAP);
    bool whole = for_each_part(aspace, address, last, find_lazy, NULL) != CONTENTS_FOUND;
    if (whole)
        rewire_parts(aspace, address, last, end_wire);
    aspace_write_unlock(aspace);
    return whole;
}

/* => map: read-locked for the look. How to touch the page at `address`. 0: there is nothing to touch,
 * up to *last. */
static unsigned access_for(vm_address_space *aspace, addr_t address, addr_t *last)
{
    struct map_cursor cursor;
    unsigned access = 0;
    vm_read_lock(&aspace->virtual_map.lock, VM_RANK_MAP);
    const vm_region *region = map_first(&aspace->virtual_map, address, &cursor);
    if (!region)
        *last = UINTPTR_MAX;
    else if (region->base > address)
        *last = region->base - 1;
    else if (region->is_device || (region->lock & LOCK_NO_READ))
        *last = region_last(region);
    else
        access = region->lock & LOCK_RW ? VM_ACCESS_WRITE : VM_ACCESS_READ;
    vm_read_unlock(&aspace->virtual_map.lock);
    return access;
}

/* Who unmaps or protects the page between the look and the fault comes behind the wiring. Sets *last to
 * where what there was to do ends. */
static int bring_in_page(vm_address_space *aspace, addr_t address, addr_t *last)
{
    int error;
    do {
        *last = address | VM_PAGE_MASK;
        unsigned access = access_for(aspace, address, last);
        error = access ? vm_soft_fault(aspace, address, access) : VM_OK;
    } while (error == ERR_VM_PF_BAD_ADDRESS || error == ERR_VM_PF_BAD_PERM);
    return error;
}

int contents_bring_in(vm_address_space *aspace, addr_t address, addr_t last)
{
    for (addr_t at = address, end;; at = end + 1) {
        int error = bring_in_page(aspace, at, &end);
        if (error != VM_OK || end >= last)
            return error;
    }
}

static int wire(vm_address_space *aspace, addr_t address, addr_t last)
{
    int error = set_wiring(aspace, address, last, begin_wire);
    if (error != VM_OK)
        return error;
    while ((error = contents_bring_in(aspace, address, last)) == VM_OK) {
        if (end_wiring(aspace, address, last))
            return VM_OK;
        error = set_wiring(aspace, address, last, begin_wire);
        if (error != VM_OK)
            break;
    }
    undo_wiring(aspace, address, last);
    return error;
}

static int unwire(vm_address_space *aspace, addr_t address, addr_t last)
{
    return set_wiring(aspace, address, last, end_all_wiring);
}

static int change_wiring(aspace_id aid, addr_t address, addr_t size,
                         int (*change)(vm_address_space *aspace, addr_t address, addr_t last))
{
    addr_t last;
    vm_address_space *aspace = vm_get_aspace_by_id(aid);
    if (!aspace)
        return ERR_VM_INVALID_ASPACE;
    int error = range_check(aspace, address, size, &last);
    if (error == VM_OK)
        error = change(aspace, address, last);
    vm_put_aspace(aspace);
    return error;
}

int vm_wire_range(aspace_id aid, addr_t address, addr_t size)
{
    return change_wiring(aid, address, size, wire);
}

int vm_unwire_range(aspace_id aid, addr_t address, addr_t size)
{
    return change_wiring(aid, address, size, unwire);
}
