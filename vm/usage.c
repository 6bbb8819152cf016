/* SPDX-License-Identifier: MIT */
#include "usage.h"

#include "aspace.h"
#include "cache.h"
#include "mapping.h"

/* A frame that isn't the core's is the region's own. */
static const struct vm_page *page_of(const vm_region *region, addr_t physical)
{
    static const struct vm_page foreign = {.is_file = 1};
    const struct vm_page *page = region->is_device ? NULL : vm_page_at(physical);
    return page ? page : &foreign;
}

static void count_entry(const vm_region *region, uint64_t entry, struct region_usage *usage)
{
    const struct vm_tmap_format *format = region->aspace->translation_map.format;
    const struct vm_page *page = page_of(region, tmap_entry_physical(format, entry));
    uint32_t mapped = vm_atomic_load(&page->map_count, __ATOMIC_RELAXED) & ~VM_PAGE_ORPHAN;
    bool modified = (entry & format->dirty) || page->modified;
    usage->resident++;
    usage->modified += modified;
    usage->shared += mapped > 1;
    usage->shared_modified += modified && mapped > 1;
    usage->memory += !page->is_file;
    usage->referenced += (entry & format->accessed) || page->referenced;
    usage->discardable += page->discardable;
    usage->wired += region_is_wired(region);
    usage->proportional +=
        VM_PAGE_SIZE / (mapped + (mapped == 0)); /* what is foreign, or boot code's, counts 0 */
}

static void count_translations(vm_region *region, struct region_usage *usage)
{
    struct vm_translation_map *tmap = &region->aspace->translation_map;
    struct tmap_walk walk = {.next = region->base, .last = region_last(region)};
    const uint64_t *entry;
    vm_mutex_lock(&tmap->lock, VM_RANK_TMAP);
    while ((entry = tmap_run(tmap, &walk)) != NULL)
        for (size_t i = 0; i < walk.count; i++)
            if (tmap_is_present(tmap->format, entry[i]))
                count_entry(region, entry[i], usage);
    vm_mutex_unlock(&tmap->lock);
}

/* Who splits a mapping often enough has a list of any length: counting ends here. */
#define MOST_USERS 64

static size_t count_links(const struct list_link *head)
{
    size_t count = 0;
    list_for_each(link, head) if (count++ == MOST_USERS) break;
    return count;
}

/* => ref: locked. At most about twice MOST_USERS, and at least 1: below a region it is a region's, or a consumer's. */
static size_t count_users(const vm_cache_ref *ref)
{
    size_t users = count_links(&ref->regions) + count_links(&ref->consumers);
    return users + (users == 0); /* a checker can't know */
}

/* => top and ref: locked. What the top has itself hides what is below; between the two nothing is asked. */
static void count_absent_in(const vm_region *region, vm_cache_ref *top, vm_cache_ref *ref,
                            struct region_usage *usage)
{
    uint64_t key = (uint64_t)region->cache_offset >> VM_PAGE_SHIFT;
    uint64_t end = (uint64_t)region_offset(region, region_last(region)) >> VM_PAGE_SHIFT;
    size_t swapped = 0;
    const struct vm_page *value;
    for (; (value = radix_next(&ref->cache->pages, &key)) != NULL && key <= end; key++) {
        if (ref != top && radix_lookup(&top->cache->pages, key) != NULL)
            continue;
        swapped += cache_is_swapped(value);
        usage->unmapped +=
            cache_is_page(value) && vm_atomic_load(&value->map_count, __ATOMIC_RELAXED) == 0;
    }
    usage->swapped += swapped;
    if (swapped > 0)
        usage->proportional_swap += swapped * VM_PAGE_SIZE / count_users(ref);
}

/* Of memory: what a file has is nobody's. */
static void count_absent(const vm_region *region, struct region_usage *usage)
{
    vm_cache_ref *top = region->cache_ref;
    cache_lock(top);
    for (vm_cache_ref *at = top; at; at = chain_step(top, at))
        if (at->temporary)
            count_absent_in(region, top, at, usage);
    cache_unlock(top);
}

struct region_usage region_usage(vm_region *region)
{
    struct region_usage usage = {0};
    count_translations(region, &usage);
    count_absent(region, &usage);
    return usage;
}

static void add_region(vm_region *region, vm_aspace_info *info)
{
    struct region_usage usage = region_usage(region);
    info->size += region->size;
    info->regions++;
    info->resident_pages += usage.resident;
    info->modified_pages += usage.modified;
    info->swapped_pages += usage.swapped;
    info->unmapped_pages += usage.unmapped;
    info->wired_pages += usage.wired;
    info->working_set += __atomic_load_n(&region->working_set, __ATOMIC_RELAXED);
    info->faults += __atomic_load_n(&region->faults, __ATOMIC_RELAXED);
    info->refaults += __atomic_load_n(&region->refaults, __ATOMIC_RELAXED);
}

int vm_get_aspace_info(aspace_id aid, vm_aspace_info *info)
{
    vm_address_space *aspace;
    struct map_cursor cursor;
    if (!info)
        return ERR_INVALID_ARGS;
    int error = aspace_get_read_locked(aid, &aspace);
    if (error != VM_OK)
        return error;
    *info = (vm_aspace_info){0};
    vm_region *region = map_first(&aspace->virtual_map, 0, &cursor);
    for (; region; region = map_next(&cursor))
        add_region(region, info);
    vm_mutex_lock(&aspace->translation_map.lock, VM_RANK_TMAP);
    info->table_pages = aspace->translation_map.tables;
    vm_mutex_unlock(&aspace->translation_map.lock);
    aspace_put_read_locked(aspace);
    return VM_OK;
}
