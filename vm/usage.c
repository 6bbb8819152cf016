/* SPDX-License-Identifier: MIT */
#include "usage.h"

#include "aspace.h"
#include "cache.h"
#include "mapping.h"

static void count_entry(const vm_region *region, uint64_t entry, struct region_usage *usage)
{
    const struct vm_tmap_format *format = region->aspace->translation_map.format;
    const struct vm_page *page =
        region->is_device ? NULL : vm_page_at(tmap_entry_physical(format, entry));
    usage->resident++;
    usage->modified += (entry & format->dirty) || (page && page->modified);
    usage->shared += page && vm_atomic_load(&page->map_count, __ATOMIC_RELAXED) > 1;
    usage->wired += region_is_wired(region);
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

static void count_swapped(vm_region *region, struct region_usage *usage)
{
    uint64_t key = (uint64_t)region->cache_offset >> VM_PAGE_SHIFT;
    uint64_t end = (uint64_t)region_offset(region, region_last(region)) >> VM_PAGE_SHIFT;
    const void *value;
    cache_lock(region->cache_ref);
    const vm_cache *cache = region->cache_ref->cache;
    if (cache->swapped_count > 0)
        for (; (value = radix_next(&cache->pages, &key)) != NULL && key <= end; key++)
            usage->swapped += cache_is_swapped(value);
    cache_unlock(region->cache_ref);
}

struct region_usage region_usage(vm_region *region)
{
    struct region_usage usage = {0};
    count_translations(region, &usage);
    count_swapped(region, &usage);
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
    info->wired_pages += usage.wired;
    info->working_set += region->working_set;
    info->faults += region->faults;
    info->refaults += region->refaults;
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
