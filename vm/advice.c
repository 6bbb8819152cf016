/* SPDX-License-Identifier: MIT */
/* What programs say about how they will use their memory. */
#include "aspace.h"
#include "contents.h"
#include "fault.h"
#include "mapping.h"
#include "pagein.h"
#include "range.h"
#include "reclaim.h"
#include "system.h"

/* ---- how it is accessed -------------------------------------------------------------------------- */

static int set_advice(vm_region *region, addr_t first, addr_t last, void *advice)
{
    (void)first, (void)last;
    region->advice = *(const uint8_t *)advice;
    return VM_OK;
}

static int advise_access(aspace_id aid, addr_t address, addr_t size, uint8_t advice)
{
    vm_address_space *aspace;
    addr_t last;
    reclaim_ensure();
    int error = aspace_get_locked(aid, &aspace);
    if (error != VM_OK)
        return error;
    error = range_check(aspace, address, size, &last);
    if (error == VM_OK)
        error = range_isolate(aspace, address, last);
    if (error == VM_OK) {
        error = for_each_part(aspace, address, last, set_advice, &advice);
        range_join(aspace, address, last);
    }
    aspace_put_locked(aspace);
    return error;
}

/* ---- bringing in --------------------------------------------------------------------------------- */

/* => the region's cache: locked. Whether an access would have to read. */
static bool must_read(vm_cache_ref *top, off_t offset)
{
    bool reads = false, skipping = false, ended = false;
    for (vm_cache_ref *at = top; at; at = chain_step(top, at)) {
        if (ended || (skipping && at->temporary))
            continue;
        const void *value = vm_cache_lookup_page(at, offset);
        skipping |= cache_is_skip(value);
        bool in_store =
            !cache_is_page(value) && (cache_is_swapped(value) || cache_store_has_page(at, offset));
        reads |= in_store;
        ended |= in_store || cache_is_page(value);
    }
    return reads;
}

/* The next address in the range at which something must be read. */
struct absent {
    addr_t at;
    bool at_end;
};

#define FOUND 1
static int find_absent(vm_region *region, addr_t first, addr_t last, void *argument)
{
    struct absent *absent = argument;
    bool found = false;
    if (absent->at_end || last < absent->at || region->is_device || (region->lock & LOCK_NO_READ))
        return VM_OK;
    addr_t at = first < absent->at ? absent->at : first;
    cache_lock(region->cache_ref);
    while (!(found = must_read(region->cache_ref, region_offset(region, at))) &&
           last - at >= VM_PAGE_SIZE)
        at += VM_PAGE_SIZE;
    cache_unlock(region->cache_ref);
    absent->at = found ? at : last + 1;
    absent->at_end = !found && last == UINTPTR_MAX;
    return found ? FOUND : VM_OK;
}

/* As far as frames are free anyway: it is a hint. A page that can't be read is left to its access. */
static int will_need(aspace_id aid, addr_t address, addr_t size)
{
    struct absent absent = {.at = address};
    int result;
    while ((result = visit_range(aid, address, size, find_absent, &absent)) == FOUND &&
           page_available() > vm_system.pages.reserve.low) {
        (void)vm_fault_aspace(aid, absent.at, VM_ACCESS_READ);
        absent.at_end = absent.at > UINTPTR_MAX - VM_PAGE_SIZE;
        absent.at += VM_PAGE_SIZE;
    }
    return result == FOUND ? VM_OK : result;
}

/* ---- going --------------------------------------------------------------------------------------- */

/* => cache: locked. Calls `visit` for each page that the region's own cache has in the part. */
static void for_each_own(const vm_region *region, addr_t first, addr_t last,
                         void (*visit)(vm_cache *cache, struct vm_page *value, uint64_t key))
{
    uint64_t key = (uint64_t)region_offset(region, first) >> VM_PAGE_SHIFT;
    uint64_t end = (uint64_t)region_offset(region, last) >> VM_PAGE_SHIFT;
    vm_cache *cache = region->cache_ref->cache;
    struct vm_page *value;
    for (; (value = radix_next(&cache->pages, &key)) != NULL && key <= end; key++)
        visit(cache, value, key);
}

static void make_cold(vm_cache *cache, struct vm_page *value, uint64_t key)
{
    (void)cache, (void)key;
    if (cache_is_page(value) && value->busy == 0)
        page_deactivate(value);
}

static int cold_part(vm_region *region, addr_t first, addr_t last, void *unused)
{
    (void)unused;
    if (region->is_device)
        return VM_OK;
    if (region_is_wired(region))
        return ERR_INVALID_ARGS;
    cache_lock(region->cache_ref);
    mapping_forget_access(region, first, last);
    for_each_own(region, first, last, make_cold);
    cache_unlock(region->cache_ref);
    return VM_OK;
}

/* A part to be written out, found anew each time, since the map isn't held meanwhile. */
struct pageout {
    addr_t at;
    bool at_end;
    vm_cache_ref *ref;
    uint64_t first, last;
};

static int find_pageout(vm_region *region, addr_t first, addr_t last, void *argument)
{
    struct pageout *out = argument;
    if (out->at_end || last < out->at || region->is_device)
        return VM_OK;
    if (region_is_wired(region))
        return ERR_INVALID_ARGS;
    if (first < out->at)
        first = out->at;
    vm_cache_acquire_ref(region->cache_ref);
    out->ref = region->cache_ref;
    out->first = (uint64_t)region_offset(region, first) >> VM_PAGE_SHIFT;
    out->last = (uint64_t)region_offset(region, last) >> VM_PAGE_SHIFT;
    out->at = last + 1;
    out->at_end = last == UINTPTR_MAX;
    return FOUND;
}

static int page_out(aspace_id aid, addr_t address, addr_t size)
{
    struct pageout out = {.at = address};
    int result;
    while ((result = visit_range(aid, address, size, find_pageout, &out)) == FOUND) {
        (void)reclaim_pages(out.ref, out.first, out.last);
        vm_cache_release_ref(out.ref);
    }
    return result;
}

/* ---- forgetting ---------------------------------------------------------------------------------- */

/* What swap has of it needn't be kept: it is forgotten at once. */
static void make_discardable(vm_cache *cache, struct vm_page *value, uint64_t key)
{
    if (cache_is_swapped(value)) {
        cache_forget_value(cache, radix_replace(&cache->pages, key, VM_CACHE_LOST));
    } else if (cache_is_page(value) && value->busy == 0) {
        swap_forget(value);
        page_clear_modified(value);
        value->discardable = 1;
    }
}

/* => cache: locked. Whether nobody else sees what the region has. */
static bool is_private(const vm_region *region)
{
    const vm_cache_ref *ref = region->cache_ref;
    return ref->temporary && ref->sharers == 0 && list_is_empty(&ref->consumers);
}

static int free_part(vm_region *region, addr_t first, addr_t last, void *unused)
{
    (void)unused;
    if (region_is_wired(region) || region->is_device || !region->cache_ref->temporary ||
        !region->reads_fill || (region->lock & REGION_SHARED))
        return ERR_INVALID_ARGS;
    cache_lock(region->cache_ref);
    if (is_private(region)) {
        mapping_clean(region, first, last);
        for_each_own(region, first, last, make_discardable);
    }
    cache_unlock(region->cache_ref);
    return VM_OK;
}

/* A page that may not be forgotten any more has no other place than its frame. */
static void keep_page(vm_cache *cache, struct vm_page *value, uint64_t key)
{
    (void)cache, (void)key;
    if (cache_is_page(value) && value->discardable) {
        value->discardable = 0;
        page_set_modified(value);
    }
}

/* => cache: locked. Whether anything was lost; asked once. */
static bool take_lost(const vm_region *region, addr_t first, addr_t last)
{
    uint64_t key = (uint64_t)region_offset(region, first) >> VM_PAGE_SHIFT;
    uint64_t end = (uint64_t)region_offset(region, last) >> VM_PAGE_SHIFT;
    vm_cache *cache = region->cache_ref->cache;
    const void *value;
    bool lost = false;
    for (; (value = radix_next(&cache->pages, &key)) != NULL && key <= end; key++)
        if (value == VM_CACHE_LOST) {
            (void)radix_replace(&cache->pages, key, VM_CACHE_SKIP);
            lost = true;
        }
    return lost;
}

static int keep_part(vm_region *region, addr_t first, addr_t last, void *lost)
{
    if (region->is_device)
        return VM_OK;
    cache_lock(region->cache_ref);
    for_each_own(region, first, last, keep_page);
    if (take_lost(region, first, last))
        *(bool *)lost = true;
    cache_unlock(region->cache_ref);
    return VM_OK;
}

int vm_keep_range(aspace_id aid, addr_t address, addr_t size, bool *lost)
{
    if (!lost)
        return ERR_INVALID_ARGS;
    *lost = false;
    return visit_range(aid, address, size, keep_part, lost);
}

int vm_advise_range(aspace_id aid, addr_t address, addr_t size, int advice)
{
    switch (advice) {
    case VM_ADVICE_NORMAL:
    case VM_ADVICE_RANDOM:
    case VM_ADVICE_SEQUENTIAL:
        return advise_access(aid, address, size, (uint8_t)advice);
    case VM_ADVICE_WILL_NEED:
        return will_need(aid, address, size);
    case VM_ADVICE_COLD:
        return visit_range(aid, address, size, cold_part, NULL);
    case VM_ADVICE_PAGEOUT:
        return page_out(aid, address, size);
    case VM_ADVICE_FREE:
        return visit_range(aid, address, size, free_part, NULL);
    default:
        return ERR_INVALID_ARGS;
    }
}
