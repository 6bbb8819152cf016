/* SPDX-License-Identifier: MIT */
/* The checker: every structure against every other. It runs alone, in tests and from the debugger. */
#include "aspace.h"
#include "cache.h"
#include "mapping.h"
#include "print.h"
#include "region.h"
#include "system.h"

static unsigned wrong;

#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            wrong++;                                                                               \
            vm_print("check: " __VA_ARGS__);                                                       \
        }                                                                                          \
    } while (0)

/* ---- caches ------------------------------------------------------------------------------------- */

static void check_pages(const vm_cache *cache)
{
    uint64_t key = 0;
    size_t count = 0, busy = 0, swapped = 0;
    const struct vm_page *page;
    for (; (page = radix_next(&cache->pages, &key)) != NULL; key++) {
        swapped += cache_is_swapped(page);
        if (!cache_is_page(page))
            continue;
        CHECK(page->cache == cache, "page %x: its cache is %p, not %p\n", page->number,
              (void *)page->cache, (const void *)cache);
        CHECK(page->offset == key, "page %x: its offset is %lu, not %lu\n", page->number,
              page->offset, key);
        CHECK(page->state != VM_PAGE_FREE && page->state != VM_PAGE_CLEAR,
              "page %x: free, but in cache %p\n", page->number, (const void *)cache);
        busy += page->busy != 0;
        count++;
    }
    CHECK(count == cache->page_count, "cache %p: %zu pages, counts %zu\n", (const void *)cache,
          count, cache->page_count);
    CHECK(swapped == cache->swapped_count, "cache %p: %zu pages in swap, counts %zu\n",
          (const void *)cache, swapped, cache->swapped_count);
    CHECK(busy == cache->busy_count, "cache %p: %zu busy pages, counts %u\n", (const void *)cache,
          busy, cache->busy_count);
}

/* The promise of a cache whose regions never overlap is that of its charged regions. */
static void check_promise(const vm_cache_ref *ref)
{
    const vm_cache *cache = ref->cache;
    off_t charged = 0;
    if (!cache->ref->temporary || cache->ref->sharers > 0)
        return;
    list_for_each(link, &ref->regions)
    {
        const vm_region *region = list_member(link, vm_region, cache_link);
        charged += region->charged ? (off_t)region->size : 0;
    }
    CHECK(charged == cache->store->committed_size, "cache %p: %ld bytes charged, promises %ld\n",
          (const void *)cache, (long)charged, (long)cache->store->committed_size);
}

static void check_cache(const vm_cache_ref *ref)
{
    const vm_cache *cache = ref->cache;
    uint32_t least = 0;
    list_for_each(link, &ref->regions)
    {
        const vm_region *region = list_member(link, vm_region, cache_link);
        CHECK(region->cache_ref == ref, "region %ld is on another cache's list\n",
              (long)region->id);
        least++;
    }
    list_for_each(link, &ref->consumers)
    {
        const vm_cache *consumer = list_member(link, vm_cache, consumer_link);
        CHECK(consumer->source == ref, "cache %p is on another's list of consumers\n",
              (const void *)consumer);
        least++;
    }
    CHECK(ref->magic == VM_CACHE_REF_MAGIC && cache->magic == VM_CACHE_MAGIC,
          "cache reference %p has a bad magic\n", (const void *)ref);
    CHECK(cache->ref == ref && cache->store->cache == cache, "cache %p isn't its reference's\n",
          (const void *)cache);
    CHECK(ref->ref_count >= least, "cache reference %p: %u references, %u needed\n",
          (const void *)ref, ref->ref_count, least);
    check_pages(cache);
    check_promise(ref);
}

/* ---- regions ------------------------------------------------------------------------------------ */

/* A page is mapped writable only where it is the top's own, and only with what the region allows. */
static void check_entry(const vm_region *region, addr_t address, uint64_t entry)
{
    const struct vm_tmap_format *format = region->aspace->translation_map.format;
    struct vm_page *page = vm_page_at(tmap_entry_physical(format, entry));
    if (region->is_device)
        return;
    CHECK(page && page->cache, "region %ld maps no page of a cache at %lx\n", (long)region->id,
          (unsigned long)address);
    if (!page || !page->cache)
        return;
    page->checked++;
    CHECK(page->offset == (uint64_t)region_offset(region, address) >> VM_PAGE_SHIFT,
          "region %ld maps page %x at %lx, where it doesn't belong\n", (long)region->id,
          page->number, (unsigned long)address);
    bool below = false;
    for (const vm_cache_ref *ref = region->cache_ref; ref && !below; ref = ref->cache->source)
        below = page->cache == ref->cache;
    CHECK(below, "region %ld maps a page that is not in its chain at %lx\n", (long)region->id,
          (unsigned long)address);
    if (entry & format->writable)
        CHECK(page->cache == region->cache_ref->cache && (region->lock & LOCK_RW),
              "region %ld may write to a page at %lx that it may not\n", (long)region->id,
              (unsigned long)address);
    CHECK(!region_is_wired(region) || page->wire_count > 0, "region %ld: page %x is not wired\n",
          (long)region->id, page->number);
}

static size_t check_region(const vm_region *region)
{
    struct vm_translation_map tmap =
        region->aspace->translation_map; /* a walk notes where it was */
    struct tmap_walk walk = {.next = region->base, .last = region_last(region)};
    size_t found = 0;
    const uint64_t *entry;
    CHECK(region->magic == VM_REGION_MAGIC, "region %p has a bad magic\n", (const void *)region);
    CHECK(!((region->base | region->size) & VM_PAGE_MASK) && region->size > 0,
          "region %ld is not page aligned\n", (long)region->id);
    if (region->size == 0)
        return 0; /* no range to walk over */
    CHECK(radix_lookup(&vm_system.region_table, (uint64_t)region->id) == region,
          "region %ld is not in the table of ids\n", (long)region->id);
    while ((entry = tmap_run(&tmap, &walk)) != NULL)
        for (size_t i = 0; i < walk.count; i++)
            if (tmap_is_present(tmap.format, entry[i])) {
                check_entry(region, walk.address + i * VM_PAGE_SIZE,
                            walk.is_protected ? entry[i] & ~tmap.format->writable : entry[i]);
                found++;
            }
    for (const vm_cache_ref *ref = region->cache_ref; ref; ref = ref->cache->source)
        check_cache(ref);
    return found;
}

static size_t check_aspace(const vm_address_space *aspace)
{
    struct map_cursor cursor;
    size_t regions = 0, mapped = 0;
    wrong += map_check(&aspace->virtual_map);
    vm_region *region = map_first(&aspace->virtual_map, 0, &cursor);
    for (; region; region = map_next(&cursor)) {
        CHECK(region->aspace == aspace, "region %ld is another space's\n", (long)region->id);
        mapped += check_region(region);
        regions++;
    }
    CHECK(mapped == aspace->translation_map.mapped, "space %ld: %zu entries, counts %zu\n",
          (long)aspace->id, mapped, aspace->translation_map.mapped);
    return regions;
}

/* ---- all ---------------------------------------------------------------------------------------- */

static void for_each_page(void (*visit)(struct vm_page *page))
{
    for (unsigned i = 0; i < vm_system.pages.range_count; i++)
        for (uint64_t at = 0; at < vm_system.pages.range[i].count; at++)
            visit(&vm_system.pages.range[i].pages[at]);
}

static void forget_count(struct vm_page *page)
{
    page->checked = 0;
}

static void compare_count(struct vm_page *page)
{
    CHECK(!page->cache || page->map_count == page->checked, "page %x: mapped %u times, counts %u\n",
          page->number, page->checked, page->map_count);
}

/* Calls `visit` for every cache that some region's chain leads to, perhaps more than once. */
static void for_each_cache(void (*visit)(vm_cache_ref *ref))
{
    uint64_t key = 0;
    const vm_region *region;
    for (; (region = radix_next(&vm_system.region_table, &key)) != NULL; key++)
        for (vm_cache_ref *ref = region->cache_ref; ref; ref = ref->cache->source)
            visit(ref);
}

static int64_t promised;
static size_t slots;

static void forget_visit(vm_cache_ref *ref)
{
    ref->visited = false;
}

static void add_promise(vm_cache_ref *ref)
{
    if (!ref->visited) {
        promised += ref->cache->store->committed_size;
        slots += ref->cache->swapped_count;
    }
    ref->visited = true;
}

static void add_slot(struct vm_page *page)
{
    CHECK(page->swap == 0 || page->cache, "page %x: has slot %x, but no cache\n", page->number,
          page->swap);
    slots += page->swap != 0;
}

/* The promises of all caches, and the host's, are the ledger's. */
static void check_ledger(void)
{
    promised = vm_system.host_committed;
    for_each_cache(forget_visit);
    slots = 0;
    for_each_cache(add_promise);
    for_each_page(add_slot);
    CHECK(slots == vm_system.swap.slots - vm_system.swap.free,
          "%zu slots of swap are known, %zu are in use\n", slots,
          vm_system.swap.slots - vm_system.swap.free);
    CHECK(promised == vm_system.commitment.committed,
          "%ld bytes are promised, the ledger has %ld\n", (long)promised,
          (long)vm_system.commitment.committed);
}

unsigned vm_check(void)
{
    uint64_t key = 0;
    size_t regions = 0, aspaces = 0;
    const vm_address_space *aspace;
    wrong = vm_page_check();
    for_each_page(forget_count);
    for (; (aspace = radix_next(&vm_system.aspace_table, &key)) != NULL; key++) {
        regions += check_aspace(aspace);
        aspaces++;
    }
    CHECK(aspaces == vm_system.aspaces, "%zu spaces, counts %zu\n", aspaces, vm_system.aspaces);
    CHECK(regions == vm_system.regions, "%zu regions, counts %zu\n", regions, vm_system.regions);
    for_each_page(compare_count);
    check_ledger();
    return wrong;
}
