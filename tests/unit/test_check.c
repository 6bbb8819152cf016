/* SPDX-License-Identifier: MIT */
/* The checker: each kind of damage is done by hand, must be seen, and is mended again. */
#include "support.h"

#include "aspace.h"
#include "cache.h"
#include "system.h"

/* Counts contradictions with `place` set to `value`, and sets it back. */
#define SEES(place, value)                                                                         \
    do {                                                                                           \
        __typeof__(place) kept = (place);                                                          \
        (place) = (value);                                                                         \
        unsigned found = vm_check();                                                               \
        (place) = kept;                                                                            \
        assert_true(found > 0);                                                                    \
        assert_int_equal(vm_check(), 0);                                                           \
    } while (0)

static vm_region *region;
static struct vm_page *page;
static vm_cache *cache;

static void one_written_page(void)
{
    region_id id = region_at(SPOT, 2, LOCK_RW);
    addr_t physical;
    OK(sim_write_byte(SPOT, 1));
    OK(vm_get_page_mapping(program, SPOT, &physical));
    region = vm_get_region_by_id(id);
    vm_put_region(region);
    page = vm_page_at(physical);
    cache = region->cache_ref->cache;
    assert_int_equal(vm_check(), 0);
}

static void test_vm_check_pages(void)
{
    one_written_page();
    SEES(page->map_count, 2);
    SEES(page->cache, NULL);
    SEES(page->offset, page->offset + 1);
    SEES(page->wire_count, 1);
    SEES(page->state, VM_PAGE_FREE);
    SEES(page->next, page->next->next);
    SEES(vm_system.pages.count[VM_PAGE_INACTIVE], 0);
}

static void test_vm_check_caches(void)
{
    one_written_page();
    SEES(cache->page_count, 2);
    SEES(cache->busy_count, 1);
    SEES(cache->magic, 0);
    SEES(cache->store->committed_size, 0);
    SEES(region->cache_ref->ref_count, 0);
    SEES(cache->ref, (vm_cache_ref *)page);
}

static void test_vm_check_swap(void)
{
    one_written_page();
    OK(vm_advise_range(program, SPOT, PAGES(2), VM_ADVICE_PAGEOUT));
    assert_int_equal(cache->swapped_count, 1);
    SEES(cache->swapped_count, 2);
    SEES(vm_system.swap.free, vm_system.swap.free - 1);
}

static void test_vm_check_ledger(void)
{
    one_written_page();
    SEES(vm_system.commitment.committed, vm_system.commitment.committed + 1);
    SEES(region->charged, false);
    SEES(vm_system.host_committed, 1);
}

static void test_vm_check_regions(void)
{
    one_written_page();
    SEES(region->magic, 0);
    SEES(region->size, region->size + PAGE);
    SEES(region->base, region->base + 1);
    SEES(region->cache_offset, PAGE);
    SEES(region->id, region->id + 1000);
    SEES(region->wiring, REGION_WIRING_WIRED);
    SEES(vm_system.regions, 0);
    SEES(vm_system.aspaces, 0);
}

static void test_vm_check_translations(void)
{
    one_written_page();
    struct vm_translation_map *tmap = &region->aspace->translation_map;
    uint64_t *entry = tmap_entry(tmap, SPOT, false);
    assert_non_null(entry);
    SEES(region->lock, LOCK_RO);         /* mapped writable, and may not be */
    SEES(*entry, *entry + VM_PAGE_SIZE); /* another frame */
    SEES(tmap->mapped, 2);
    SEES(entry[1], *entry); /* one frame twice */
}

static void test_vm_check_range_index(void)
{
    one_written_page();
    struct vm_virtual_map *map = &region->aspace->virtual_map;
    SEES(map->root->first[0], map->root->first[0] - PAGE);
    SEES(map->root->last[0], map->root->last[0] + PAGE);
    SEES(map->root->last[MAP_FANOUT - 1], 0);
    SEES(map->count, 5);
}

static void test_vm_check_a_writable_page_of_a_source(void)
{
    one_written_page();
    aspace_id child = fork_program();
    sim_set_aspace(program);
    uint64_t *entry = tmap_entry(&region->aspace->translation_map, SPOT, false);
    SEES(*entry, *entry | vm_tmap_x86_64.writable);
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
}

UNIT_MAIN("the checker", TEST(test_vm_check_pages), TEST(test_vm_check_caches),
          TEST_ON(test_vm_check_swap, .swap = 16), TEST(test_vm_check_ledger),
          TEST(test_vm_check_regions), TEST(test_vm_check_translations),
          TEST(test_vm_check_range_index), TEST(test_vm_check_a_writable_page_of_a_source))
