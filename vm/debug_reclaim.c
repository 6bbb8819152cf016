/* SPDX-License-Identifier: MIT */
/* The debugger on reclaim: the policy and its queues, frames, swap, files that are to be written. */
#include "cache.h"
#include "debug.h"
#include "print.h"
#include "region.h"
#include "system.h"

#define POOL (&vm_system.pages)
#define RECLAIM (&vm_system.reclaim)
#define SWAP (&vm_system.swap)
#define QUEUE_SHOWN 16

/* ---- reclaim ------------------------------------------------------------------------------------ */

static void print_policy(void)
{
    const size_t *count = POOL->count;
    const uint32_t *ghosts = POOL->ghosts.count;
    vm_print("policy %s (%s), target %zu\n", POOL->policy->name, POOL->policy->published,
             POOL->target);
    vm_print("  inactive %zu pages, %u ghosts; active %zu pages, %u ghosts\n",
             count[VM_PAGE_INACTIVE], ghosts[VM_GHOST_RECENT], count[VM_PAGE_ACTIVE],
             ghosts[VM_GHOST_FREQUENT]);
    vm_print("  accessed bits collected %lu times, %zu pages have gone since\n",
             (unsigned long)vm_system.counters.collections, RECLAIM->gone);
}

static void print_reserves(void)
{
    const struct vm_reserves *reserve = &POOL->reserve;
    vm_print("free %zu frames; %zu are kept for tables, %zu of these for pageout\n",
             POOL->count[VM_PAGE_FREE] + POOL->count[VM_PAGE_CLEAR], reserve->user,
             reserve->system);
    vm_print("  daemons work from %zu to %zu: %u run, %u asleep\n", reserve->low, reserve->high,
             RECLAIM->daemons, RECLAIM->asleep);
    vm_print("  %u threads wait for frames; none was there %u times\n", POOL->waiting,
             POOL->shortage);
}

static const char *level_text(void)
{
    static const char *const texts[] = {"normal", "low", "critical"};
    return texts[RECLAIM->level];
}

void debug_reclaim(int argc, char **argv)
{
    const struct vm_counters *c = &vm_system.counters;
    (void)argc, (void)argv;
    print_policy();
    print_reserves();
    vm_print("memory is %s\n", level_text());
    vm_print("gone %lu pages, %lu without a write, %lu forgotten; %lu came back soon, %lu stayed\n",
             (unsigned long)c->evictions, (unsigned long)c->clean_evictions,
             (unsigned long)c->discarded, (unsigned long)c->refaults, (unsigned long)c->kept);
    vm_print("modified %zu pages of files, %u busy pages, %lu write errors\n",
             vm_system.modified_file_pages, vm_system.busy_pages, (unsigned long)c->write_errors);
}

/* ---- frames ------------------------------------------------------------------------------------- */

static void print_page(const struct vm_page *page)
{
    vm_print("page 0x%x: %s%s%s%s%s%s, mapped %u times, wired %u\n", page->number,
             page_state_to_text(page->state), page->is_file ? ", a file's" : "",
             page->busy ? ", busy" : "", page->modified ? ", modified" : "",
             page->referenced ? ", referenced" : "", page->discardable ? ", discardable" : "",
             page->map_count & ~VM_PAGE_ORPHAN, page->wire_count);
    vm_print("  cache %p, offset 0x%lx, slot 0x%x\n", (void *)page->cache,
             (unsigned long)page->offset << VM_PAGE_SHIFT, page->swap);
}

void debug_page(int argc, char **argv)
{
    uint64_t number;
    if (argc != 2 || !debug_parse_number(argv[1], &number)) {
        vm_print("usage: page NUMBER\n");
        return;
    }
    const struct vm_page *page =
        number <= UINT32_MAX ? vm_page_at((addr_t)number << VM_PAGE_SHIFT) : NULL;
    if (page)
        print_page(page);
    else
        vm_print("page: there is no frame %s\n", argv[1]);
}

/* The oldest, which is the next that the policy looks at, is the first. */
void debug_queue(int argc, char **argv)
{
    uint64_t most = QUEUE_SHOWN;
    bool active = argc > 1 && debug_same(argv[1], "active");
    if (argc < 2 || argc > 3 || (!active && !debug_same(argv[1], "inactive")) ||
        (argc == 3 && !debug_parse_number(argv[2], &most))) {
        vm_print("usage: queue active or inactive [COUNT]\n");
        return;
    }
    int state = active ? VM_PAGE_ACTIVE : VM_PAGE_INACTIVE;
    const struct vm_page *head = &POOL->queue[state], *page = head->next;
    vm_print("%s: %zu pages\n", argv[1], POOL->count[state]);
    for (uint64_t i = 0; page != head && i < most; i++, page = page->next)
        print_page(page);
}

/* ---- swap --------------------------------------------------------------------------------------- */

void debug_swap(int argc, char **argv)
{
    (void)argc, (void)argv;
    vm_print("%zu of %zu slots are free\n", SWAP->free, SWAP->slots);
    for (unsigned i = 0; i < SWAP->areas; i++) {
        const struct vm_swap_area *area = &SWAP->area[i];
        vm_print("  %s: slots 0x%x to 0x%x, %zu used; %lu pages written, %lu read, %lu errors\n",
                 area->name, (i << VM_SWAP_SLOT_BITS) + 1,
                 (i << VM_SWAP_SLOT_BITS) + (unsigned)area->slots, area->slots - area->free,
                 (unsigned long)area->written, (unsigned long)area->read,
                 (unsigned long)area->errors);
    }
}

static bool slot_exists(uint64_t slot)
{
    uint64_t area = slot >> VM_SWAP_SLOT_BITS, place = slot & VM_SWAP_MAX_SLOTS;
    return area < SWAP->areas && place > 0 && place <= SWAP->area[area].slots;
}

static bool slot_is_used(uint64_t slot)
{
    uint64_t index = (slot & VM_SWAP_MAX_SLOTS) - 1;
    return SWAP->area[slot >> VM_SWAP_SLOT_BITS].used[index / 64] >> (index % 64) & 1;
}

/* Who knows a slot: a place in a cache, or a page that has come from it. */
static void find_in_cache(const vm_region *region, const vm_cache *cache, uint32_t slot)
{
    uint64_t key = 0;
    const struct vm_page *value;
    for (; (value = radix_next(&cache->pages, &key)) != NULL; key++)
        if (value == cache_swapped(slot) || (cache_is_page(value) && value->swap == slot))
            vm_print("  region 0x%lx sees it, offset 0x%lx of cache %p%s\n", (long)region->id,
                     (unsigned long)key << VM_PAGE_SHIFT, (const void *)cache,
                     cache_is_page(value) ? ", in a frame too" : "");
}

static void find_slot(uint32_t slot)
{
    uint64_t key = 0;
    const vm_region *region;
    for (; (region = radix_next(&vm_system.region_table, &key)) != NULL; key++)
        for (const vm_cache_ref *ref = region->cache_ref; ref; ref = ref->cache->source)
            find_in_cache(region, ref->cache, slot);
}

void debug_slot(int argc, char **argv)
{
    uint64_t slot;
    if (argc != 2 || !debug_parse_number(argv[1], &slot)) {
        vm_print("usage: slot NUMBER\n");
    } else if (!slot_exists(slot)) {
        vm_print("slot: there is no slot %s\n", argv[1]);
    } else {
        vm_print("slot 0x%x of %s is %s\n", (unsigned)slot,
                 SWAP->area[slot >> VM_SWAP_SLOT_BITS].name, slot_is_used(slot) ? "used" : "free");
        find_slot((uint32_t)slot);
    }
}

/* ---- files -------------------------------------------------------------------------------------- */

static size_t count_modified(const vm_cache *cache)
{
    uint64_t key = 0;
    size_t count = 0;
    const struct vm_page *page;
    for (; (page = radix_next(&cache->pages, &key)) != NULL; key++)
        count += page->modified != 0;
    return count;
}

void debug_files(int argc, char **argv)
{
    (void)argc, (void)argv;
    vm_print("%zu caches of files\n", vm_system.vnode_cache_count);
    list_for_each(link, &vm_system.vnode_caches)
    {
        const vm_cache_ref *ref = list_member(link, vm_cache_ref, vnode_link);
        vm_print("  cache_ref %p: %zu pages, %zu modified, %u write errors%s%s\n",
                 (const void *)ref, ref->cache->page_count, count_modified(ref->cache),
                 ref->write_errors, ref->write_errors > 0 ? ", the last: " : "",
                 ref->write_errors > 0 ? vm_error_text(ref->write_error) : "");
    }
}
