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

/* The next address in the range at which something must be read, or behind the one before. */
struct absent {
    addr_t at;
    bool at_end; /* behind the last address */
};

static int find_absent(vm_region *region, addr_t first, addr_t last, void *argument)
{
    struct absent *absent = argument;
    bool found = false;
    if (absent->at_end || last < absent->at || region->is_device || (region->lock & LOCK_NO_READ))
        return VM_OK;
    addr_t at = first < absent->at ? absent->at : first;
    cache_lock(region->cache_ref);
    while (!(found = contents_whereabouts(region->cache_ref, region_offset(region, at)) ==
                     CONTENTS_IN_STORE) &&
           last - at >= VM_PAGE_SIZE)
        at += VM_PAGE_SIZE;
    cache_unlock(region->cache_ref);
    if (!found)
        return VM_OK;
    absent->at = at;
    return CONTENTS_FOUND;
}

/* As far as frames are free anyway: it is a hint. A page that can't be read is left to its access. */
static int will_need(aspace_id aid, addr_t address, addr_t size)
{
    struct absent absent = {.at = address};
    int result;
    while ((result = visit_range(aid, address, size, find_absent, &absent)) == CONTENTS_FOUND &&
           page_available() > vm_system.pages.reserve.low) {
        (void)vm_fault_aspace(aid, absent.at, VM_ACCESS_READ);
        absent.at_end = absent.at > UINTPTR_MAX - VM_PAGE_SIZE;
        absent.at += VM_PAGE_SIZE;
    }
    return result == CONTENTS_FOUND ? VM_OK : result;
}

/* ---- going --------------------------------------------------------------------------------------- */

/* => cache: locked. Calls `visit` for what the cache has in the region's part. */
typedef void visit_value(vm_cache *cache, struct vm_page *value, uint64_t key, bool *lost);
static void for_each_value(vm_cache *cache, const vm_region *region, addr_t first, addr_t last,
                           visit_value *visit, bool *lost)
{
    uint64_t key = (uint64_t)region_offset(region, first) >> VM_PAGE_SHIFT;
    uint64_t end = (uint64_t)region_offset(region, last) >> VM_PAGE_SHIFT;
    struct vm_page *value;
    for (; (value = radix_next(&cache->pages, &key)) != NULL && key <= end; key++)
        visit(cache, value, key, lost);
}

static void make_cold(vm_cache *cache, struct vm_page *value, uint64_t key, bool *lost)
{
    (void)cache, (void)key, (void)lost;
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
    for_each_value(region->cache_ref->cache, region, first, last, make_cold, NULL);
    cache_unlock(region->cache_ref);
    return VM_OK;
}

static int find_pageout(vm_region *region, addr_t first, addr_t last, void *part)
{
    if (region->is_device || !contents_is_next(part, last))
        return VM_OK;
    if (region_is_wired(region))
        return ERR_INVALID_ARGS;
    contents_take_part(part, region, first, last);
    return CONTENTS_FOUND;
}

static int page_out(aspace_id aid, addr_t address, addr_t size)
{
    struct contents_part part = {.at = address};
    int result;
    while ((result = visit_range(aid, address, size, find_pageout, &part)) == CONTENTS_FOUND) {
        reclaim_pages(part.ref, (uint64_t)part.first >> VM_PAGE_SHIFT,
                      (uint64_t)part.last >> VM_PAGE_SHIFT);
        vm_cache_release_ref(part.ref);
    }
    return result;
}

/* ---- forgetting ---------------------------------------------------------------------------------- */

/* What swap has of it needn't be kept: it is forgotten at once. */
static void make_discardable(vm_cache *cache, struct vm_page *value, uint64_t key, bool *lost)
{
    (void)lost;
    if (cache_is_swapped(value)) {
        cache_forget_value(cache, radix_replace(&cache->pages, key, VM_CACHE_LOST));
    } else if (cache_is_page(value) && value->busy == 0) {
        swap_forget(value);
        page_clear_modified(value);
        value->discardable = 1;
    }
}

/* => cache: locked, of memory. Whether nobody else sees what the region has. */
static bool is_private(const vm_region *region)
{
    const vm_cache_ref *ref = region->cache_ref;
    return ref->sharers == 0 && list_is_empty(&ref->consumers);
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
        for_each_value(region->cache_ref->cache, region, first, last, make_discardable, NULL);
    }
    cache_unlock(region->cache_ref);
    return VM_OK;
}

/* A page that may not be forgotten any more has no other place than its frame. What is lost is said once. */
static void keep(vm_cache *cache, struct vm_page *value, uint64_t key, bool *lost)
{
    if (value == VM_CACHE_LOST) {
        (void)radix_replace(&cache->pages, key, VM_CACHE_SKIP);
        *lost = true;
    } else if (cache_is_page(value) && value->discardable) {
        value->discardable = 0;
        page_set_modified(value);
    }
}

/* Forks since may have put the pages below: there, too, they are to stay. */
static int keep_part(vm_region *region, addr_t first, addr_t last, void *lost)
{
    vm_cache_ref *top = region->cache_ref;
    if (region->is_device)
        return VM_OK;
    cache_lock(top);
    for (vm_cache_ref *at = top; at; at = chain_step(top, at))
        if (at->temporary)
            for_each_value(at->cache, region, first, last, keep, lost);
    cache_unlock(top);
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
