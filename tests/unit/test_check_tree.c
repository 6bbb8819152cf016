/* SPDX-License-Identifier: MIT */
/* The checker on a range index of two levels, on frames that are free, and on lists of caches: each
 * damage is done by hand, must be seen, and is mended again. */
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

static struct vm_virtual_map *many_regions(void)
{
    for (unsigned i = 0; i < 3 * MAP_FANOUT; i++)
        region_at(SPOT + PAGES(2 * i), 1, LOCK_RW);
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    vm_put_aspace(aspace);
    assert_int_equal(aspace->virtual_map.height, 2);
    assert_int_equal(vm_check(), 0);
    return &aspace->virtual_map;
}

static void test_summaries(void)
{
    struct map_node *root = many_regions()->root;
    struct map_node *leaf = root->child[1];
    SEES(root->first[1], root->first[1] - PAGE);
    SEES(root->last[1], root->last[1] + PAGE);
    SEES(root->gap[1], 0);
    SEES(leaf->gap[0], PAGES(9)); /* a leaf's own are none */
}

/* A leaf that is nearly empty, though all that is said of it is so. */
static void test_nodes_with_few_entries(void)
{
    struct map_node *root = many_regions()->root;
    struct map_node *leaf = root->child[1];
    struct map_node leaf_before = *leaf, root_before = *root;
    leaf->count = 1;
    for (unsigned i = 1; i < MAP_FANOUT; i++)
        leaf->last[i] = UINTPTR_MAX;
    root->last[1] = leaf->last[0];
    root->gap[1] = 0;
    sim_log_clear();
    assert_true(vm_check() > 0);
    assert_non_null(strstr(sim_log_text(), "2 contradictions in the range index")); /* few; lost */
    *leaf = leaf_before;
    *root = root_before;
    assert_int_equal(vm_check(), 0);
}

static void test_regions_outside_and_in_each_other(void)
{
    struct vm_virtual_map *map = many_regions();
    struct map_node *leaf = map->root->child[0];
    vm_region *region = leaf->child[1];
    SEES(map->base, SPOT + PAGE);
    SEES(map->last, SPOT + PAGE);
    SEES(region->base, region->base - PAGES(2));
    OK(sim_write_byte(region->base, 1)); /* its range has a page table */
    SEES(region->size, 0);
    SEES(region->aspace, vm_system.kernel_aspace);
}

static void test_free_frames_that_are_used(void)
{
    struct vm_page *page = vm_system.pages.queue[VM_PAGE_FREE].next;
    SEES(page->wire_count, 1);
    SEES(page->busy, 1);
    SEES(page->map_count, 1);
    SEES(page->cache, (vm_cache *)page);
    SEES(page->prev, page);
    SEES(page->next, page);
}

static void test_lists_of_caches(void)
{
    addr_t a, b;
    vm_region *one = vm_get_region_by_id(new_region(&a, 1));
    vm_region *other = vm_get_region_by_id(new_region(&b, 1));
    vm_put_region(one);
    vm_put_region(other);
    SEES(one->cache_ref, other->cache_ref);
    void *at = NULL; /* the cache is found through another region, too */
    assert_true(vm_clone_region(program, "c", &at, 0, other->id, REGION_NO_PRIVATE_MAP, LOCK_RW) >
                0);
    SEES(other->cache_ref, one->cache_ref);
    aspace_id child = fork_program();
    OK(sim_write_byte(a, 1));
    vm_cache *top = one->cache_ref->cache;
    assert_non_null(top->source);
    SEES(top->source, other->cache_ref->cache->source);
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
}

static void test_pages_of_caches_that_are_free(void)
{
    addr_t address;
    vm_region *region = vm_get_region_by_id(new_region(&address, 1));
    vm_put_region(region);
    OK(sim_write_byte(address, 1));
    struct vm_page *page = vm_cache_lookup_page(region->cache_ref, 0);
    SEES(page->state, VM_PAGE_CLEAR);
    SEES(page->state, VM_PAGE_FREE);
}

static void test_translations_of_other_frames(void)
{
    region_id id = region_at(SPOT, 2, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    region_at(SPOT * 2, 1, LOCK_RW);
    OK(sim_write_byte(SPOT * 2, 1));
    vm_region *region = vm_get_region_by_id(id);
    struct vm_translation_map *tmap = &region->aspace->translation_map;
    uint64_t other = *tmap_entry(tmap, SPOT * 2, false);
    uint64_t *entry = tmap_entry(tmap, SPOT, false);
    uint64_t device = tmap_make_entry(tmap->format, SIM_DEVICE_LOW, TMAP_READ | TMAP_USER);
    SEES(*entry, other);  /* of another cache */
    SEES(*entry, device); /* no memory */
    vm_put_region(region);
}

UNIT_MAIN("the checker, deeper", TEST(test_summaries), TEST(test_nodes_with_few_entries),
          TEST(test_regions_outside_and_in_each_other), TEST(test_free_frames_that_are_used),
          TEST(test_lists_of_caches), TEST(test_pages_of_caches_that_are_free),
          TEST(test_translations_of_other_frames))
