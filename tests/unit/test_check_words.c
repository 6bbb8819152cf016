/* SPDX-License-Identifier: MIT */
/* The checker's sentences: each kind of damage is called by its name, and seen where it is done. */
#include "support.h"

#include "aspace.h"
#include "cache.h"
#include "system.h"

/* With `place` set to `value` the checker says these words; without, nothing. */
#define SAYS(place, value, words)                                                                  \
    do {                                                                                           \
        __typeof__(place) kept = (place);                                                          \
        (place) = (value);                                                                         \
        sim_log_clear();                                                                           \
        unsigned found = vm_check();                                                               \
        (place) = kept;                                                                            \
        assert_true(found > 0);                                                                    \
        if (strstr(sim_log_text(), words) == NULL)                                                 \
            fail_msg("\"%s\" is not in:\n%s", words, sim_log_text());                              \
        assert_int_equal(vm_check(), 0);                                                           \
    } while (0)

static vm_region *region;
static vm_cache_ref *ref;
static vm_cache *cache;
static struct vm_page *page;
static uint64_t *entry;

static void one_written_page(void)
{
    region = vm_get_region_by_id(region_at(SPOT, 2, LOCK_RW));
    vm_put_region(region);
    OK(sim_write_byte(SPOT, 1));
    ref = region->cache_ref;
    cache = ref->cache;
    page = vm_cache_lookup_page(ref, 0);
    entry = tmap_entry(&region->aspace->translation_map, SPOT, false);
    assert_int_equal(vm_check(), 0);
}

static void test_vm_check_says_of_pages(void)
{
    one_written_page();
    SAYS(page->cache, (vm_cache *)(void *)page, "its cache is");
    SAYS(page->offset, 7, "its offset is 7, not 0");
    SAYS(page->state, VM_PAGE_CLEAR, "free, but in cache");
    SAYS(page->state, VM_PAGE_FREE, "free, but in cache");
    SAYS(page->map_count, 3, "mapped 1 times, counts 3");
    SAYS(page->busy, 1, "1 busy pages, counts 0");
    SAYS(page->prev->next, page->next, "state INACTIVE");
    SAYS(page->next->prev, page->prev, "state INACTIVE");
    SAYS(page->wire_count, 1, "wired 1");
    SAYS(vm_system.pages.count[VM_PAGE_INACTIVE], 5, "1 pages are INACTIVE, 5 are counted");
    vm_system.pages.count[VM_PAGE_INACTIVE] = 5;
    assert_int_equal(vm_check(), 1);
    vm_system.pages.count[VM_PAGE_INACTIVE] = 1;
}

static void test_vm_check_says_of_free_pages(void)
{
    one_written_page();
    struct vm_page *free = vm_system.pages.queue[VM_PAGE_FREE].next;
    SAYS(free->cache, cache, "state FREE");
    SAYS(free->map_count, 1, "1 mappings");
    free->map_count = 1;
    assert_int_equal(vm_check(), 1);
    free->map_count = 0;
    SAYS(free->busy, 1, "busy 1");
    SAYS(free->swap, 5, "has slot 5, but no cache");
    SAYS(free->wire_count, 1, "wired 1");
}

static void test_vm_check_says_of_caches(void)
{
    one_written_page();
    SAYS(cache->page_count, 2, "1 pages, counts 2");
    SAYS(cache->busy_count, 3, "0 busy pages, counts 3");
    SAYS(cache->magic, 1, "has a bad magic");
    SAYS(ref->magic, 1, "has a bad magic");
    SAYS(cache->store->cache, NULL, "isn't its reference's");
    SAYS(ref->ref_count, 0, "0 references, 1 needed");
    SAYS(cache->store->committed_size, 1, "8192 bytes charged, promises 1");
    assert_int_equal(cache->store->magic, VM_STORE_MAGIC);
}

/* A list with a member of another's: taken there and back by hand, since it is two changes. */
static void test_vm_check_says_of_lists(void)
{
    one_written_page();
    vm_region *other = vm_get_region_by_id(region_at(SPOT + PAGES(9), 1, LOCK_RW));
    vm_put_region(other);
    list_remove(&other->cache_link);
    list_add_head(&ref->regions, &other->cache_link);
    sim_log_clear();
    unsigned seen = vm_check();
    list_remove(&other->cache_link);
    list_add_head(&other->cache_ref->regions, &other->cache_link);
    assert_true(seen > 0);
    assert_non_null(strstr(sim_log_text(), "is on another cache's list"));
    assert_int_equal(vm_check(), 0);
    aspace_id child = vm_copy_aspace(program, "child");
    SAYS(ref->cache->source, NULL, "is on another's list of consumers");
    OK(sim_delete_aspace(child));
}

static void test_vm_check_says_of_regions(void)
{
    one_written_page();
    SAYS(region->magic, 0, "has a bad magic");
    SAYS(region->size, PAGES(2) + 1, "is not page aligned");
    SAYS(region->base, SPOT + 1, "is not page aligned");
    SAYS(region->id, region->id + 70, "is not in the table of ids");
    SAYS(region->wiring, REGION_WIRING_WIRED, "is not wired");
    SAYS(region->lock, LOCK_RO, "may write to a page");
    SAYS(region->cache_offset, PAGE, "where it doesn't belong");
    SAYS(region->aspace->virtual_map.count, 7, "contradictions in the range index");
    SAYS(vm_system.regions, 99, "regions, counts 99");
    SAYS(vm_system.aspaces, 98, "spaces, counts 98");
    SAYS(vm_system.host_committed, 5, "bytes are promised, the ledger has");
    SAYS(vm_system.commitment.committed, 5, "the ledger has 5");
}

static void test_vm_check_says_of_translations(void)
{
    one_written_page();
    struct vm_translation_map *tmap = &region->aspace->translation_map;
    uint64_t bits = *entry & ~tmap->format->frame_mask;
    SAYS(*entry, bits | SIM_DEVICE_LOW, "maps no page of a cache");
    SAYS(*entry, bits | SIM_RAM_LOW, "maps no page of a cache");
    SAYS(tmap->mapped, 9, "1 entries, counts 9");
    region_at(SPOT + PAGES(9), 1, LOCK_RW);
    OK(sim_write_byte(SPOT + PAGES(9), 1));
    uint64_t foreign = *tmap_entry(tmap, SPOT + PAGES(9), false);
    SAYS(*entry, foreign, "maps a page that is not in its chain");
}

UNIT_MAIN("the checker's words", TEST(test_vm_check_says_of_pages),
          TEST(test_vm_check_says_of_free_pages), TEST(test_vm_check_says_of_caches),
          TEST(test_vm_check_says_of_lists), TEST(test_vm_check_says_of_regions),
          TEST(test_vm_check_says_of_translations))
