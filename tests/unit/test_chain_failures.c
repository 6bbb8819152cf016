/* SPDX-License-Identifier: MIT */
/* Two caches of a chain that could be one and have to stay two: there is no memory for a node, or
 * somebody uses a page that would go. What shows stays the same. */
#include "support.h"

#include "aspace.h"
#include "cache.h"

#define FAR 130 /* a page in another node of the cache's tree */

static region_id parent;
static aspace_id child;
static vm_cache_ref *top, *middle;

/* The parent has written `first` pages before a fork, `then` of them and the one at FAR after it. */
static void forked(size_t first, size_t then, bool far)
{
    parent = region_at(SPOT, FAR + 1, LOCK_RW);
    number_pages(SPOT, first, 1);
    child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
    number_pages(SPOT, then, 100);
    if (far)
        OK(sim_write_byte(SPOT + PAGES(FAR), 77));
    vm_region *region = vm_get_region_by_id(parent);
    top = region->cache_ref;
    middle = top->cache->source;
    vm_put_region(region);
    assert_non_null(middle);
}

static void assert_apart(size_t first, size_t then, bool far)
{
    assert_int_equal(region_info(parent).chain_depth, 2);
    assert_numbered(SPOT, then, 100);
    assert_numbered(SPOT + PAGES(then), first - then, (unsigned)(1 + then));
    assert_byte(SPOT + PAGES(FAR), far ? 77 : 0);
    SIM_CHECK();
}

static void delete_child_without_memory(void)
{
    sim_fail_at(SIM_FAIL_METADATA, 1, true);
    OK(sim_delete_aspace(child));
    assert_true(sim_fail_done(SIM_FAIL_METADATA) > 0);
    sim_fail_at(SIM_FAIL_METADATA, 0, false);
}

/* The source's pages are few, and go up: the top has no node for them. */
static void test_no_memory_on_the_way_up(void)
{
    forked(1, 0, true);
    delete_child_without_memory();
    assert_apart(1, 0, true);
}

/* The top's page is one, and goes down: the source has no node for it. */
static void test_no_memory_on_the_way_down(void)
{
    forked(3, 0, true);
    delete_child_without_memory();
    assert_apart(3, 0, true);
}

/* With memory they become one. */
static void test_with_memory(void)
{
    for (size_t first = 1; first < 4; first += 2) {
        forked(first, 0, true);
        OK(sim_delete_aspace(child));
        assert_int_equal(region_info(parent).chain_depth, 1);
        assert_numbered(SPOT, first, 1);
        assert_byte(SPOT + PAGES(FAR), 77);
        OK(vm_delete_region(program, parent));
    }
}

static void hold_first_page_of_the_middle(size_t first, size_t then)
{
    forked(first, then, false);
    struct vm_page *page = vm_cache_lookup_page(middle, 0);
    vm_page_use(page);
    OK(sim_delete_aspace(child));
    assert_false(vm_page_unuse(page));
    assert_apart(first, then, false);
}

static void test_a_hidden_page_in_use_stays_below(void)
{
    hold_first_page_of_the_middle(2, 2); /* up */
    OK(vm_delete_region(program, parent));
    hold_first_page_of_the_middle(3, 1); /* down */
}

/* Pages that a store reads or writes can't change their cache. */
static void test_busy_caches_stay_apart(void)
{
    forked(2, 1, false);
    middle->cache->busy_count++;
    OK(sim_delete_aspace(child));
    middle->cache->busy_count--;
    assert_apart(2, 1, false);
    OK(vm_delete_region(program, parent));
    forked(2, 1, false);
    vm_cache *cache = top->cache;
    cache->busy_count++;
    OK(sim_delete_aspace(child));
    cache->busy_count--;
    assert_apart(2, 1, false);
}

/* The last who sees a page gets it, if there is a node for it. */
static void test_no_memory_to_move_a_page_up(void)
{
    forked(2, 0, false);
    sim_set_aspace(child);
    number_pages(SPOT, 2, 50);
    sim_set_aspace(program);
    uint64_t reuses = figures().reuses;
    sim_fail_at(SIM_FAIL_METADATA, 1, true);
    assert_int_equal(sim_write_byte(SPOT, 9), ERR_NO_MEMORY);
    sim_fail_at(SIM_FAIL_METADATA, 0, false);
    assert_int_equal(figures().reuses, reuses);
    assert_numbered(SPOT, 2, 1);
    OK(sim_write_byte(SPOT, 9));
    assert_int_equal(figures().reuses, reuses + 1);
    OK(sim_delete_aspace(child));
    assert_byte(SPOT, 9);
    assert_byte(SPOT + PAGE, 2);
}

/* ---- a fork between the decision to merge and the locks ---- */

static int delete_child(void *unused)
{
    (void)unused;
    return vm_delete_aspace(child);
}

static void test_a_fork_comes_before_the_merge(void)
{
    forked(2, 1, false);
    cache_lock(top);
    sim_fiber *fiber = sim_spawn("deleter", delete_child, NULL);
    assert_int_equal(sim_run_until_blocked(), 1);
    cache_unlock(top);
    aspace_id second = vm_copy_aspace(program, "second");
    assert_true(second > 0);
    sim_run();
    OK(sim_fiber_result(fiber));
    assert_byte(SPOT, 100);
    assert_byte(SPOT + PAGE, 2);
    OK(sim_write_byte(SPOT, 9));
    sim_set_aspace(second);
    assert_byte(SPOT, 100);
    assert_byte(SPOT + PAGE, 2);
    SIM_CHECK();
    OK(sim_delete_aspace(second));
    sim_set_aspace(program);
    assert_byte(SPOT, 9);
}

/* Whoever walks over consumers has taken a reference on the middle as it is to be claimed. */
static void test_a_walk_comes_before_the_merge(void)
{
    forked(2, 1, false);
    aspace_id first_child = child;
    vm_cache_ref *below = middle;
    child = vm_copy_aspace(program, "second");
    middle = top->cache->source;
    assert_ptr_equal(middle->cache->source, below);
    cache_lock(below);
    sim_fiber *fiber = sim_spawn("deleter", delete_child, NULL);
    assert_int_equal(sim_run_until_blocked(), 1);
    assert_true(cache_try_acquire_ref(middle));
    cache_unlock(below);
    sim_run();
    OK(sim_fiber_result(fiber));
    assert_ptr_equal(top->cache->source, middle);
    assert_int_equal(region_info(parent).chain_depth, 3);
    vm_cache_release_ref(middle); /* whose end it now is to merge them */
    assert_int_equal(region_info(parent).chain_depth, 2);
    assert_byte(SPOT, 100);
    assert_byte(SPOT + PAGE, 2);
    OK(sim_delete_aspace(first_child));
}

static int give_back(void *unused)
{
    (void)unused;
    vm_cache_release_ref(middle);
    return VM_OK;
}

static int come_and_go(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 3; i++)
        if (cache_try_acquire_ref(middle))
            vm_cache_release_ref(middle);
    return VM_OK;
}

/* In random order, each step of both: as long as the merge fails, whoever comes and goes leaves the one
 * reference that there was. */
static void test_references_during_merges_that_fail(void)
{
    forked(2, 2, false);
    struct vm_page *page = vm_cache_lookup_page(middle, 0);
    vm_page_use(page);
    OK(sim_delete_aspace(child));
    for (unsigned i = 0; i < 500; i++) {
        vm_cache_acquire_ref(middle);
        sim_spawn("giver", give_back, NULL);
        sim_spawn("passer-by", come_and_go, NULL);
        sim_run();
        assert_int_equal(middle->ref_count, 1);
    }
    assert_false(vm_page_unuse(page));
    assert_apart(2, 2, false);
}

UNIT_MAIN("chains that stay", TEST(test_no_memory_on_the_way_up),
          TEST(test_no_memory_on_the_way_down), TEST(test_with_memory),
          TEST(test_a_hidden_page_in_use_stays_below), TEST(test_busy_caches_stay_apart),
          TEST(test_no_memory_to_move_a_page_up), TEST(test_a_fork_comes_before_the_merge),
          TEST(test_a_walk_comes_before_the_merge),
          TEST_ON(test_references_during_merges_that_fail, .seed = 1))
