/* SPDX-License-Identifier: MIT */
/* Chains where memory ends, where they hide, and where others look into them. */
#include "support.h"

#include "aspace.h"
#include "cache.h"
#include "system.h"

static vm_cache_ref *cache_at(addr_t address)
{
    vm_region *region = vm_get_region_by_id(find_region(address));
    assert_non_null(region);
    vm_cache_ref *ref = region->cache_ref;
    vm_put_region(region);
    return ref;
}

static struct vm_page *own_page(addr_t address, size_t page)
{
    return vm_cache_lookup_page(cache_at(address), (off_t)PAGES(page));
}

/* The child has gone, but memory ended as its parent's two caches were made one: they stay two, and
 * become one when the next child goes. */
static void merge_without_memory(size_t below, size_t above)
{
    region_at(SPOT, 1200, LOCK_RW);
    number_pages(SPOT, below, 1);
    aspace_id child = vm_copy_aspace(program, "child");
    for (size_t i = 0; i < above; i++)
        OK(sim_write_byte(SPOT + PAGES(600 + 64 * i), (uint8_t)i));
    sim_fail_at(SIM_FAIL_METADATA, 1, true);
    OK(vm_delete_aspace(child));
    assert_true(sim_fail_done(SIM_FAIL_METADATA) > 0);
    sim_fail_at(SIM_FAIL_METADATA, 0, false);
    SIM_CHECK();
    assert_int_equal(region_info(find_region(SPOT)).chain_depth, 2);
    assert_numbered(SPOT, below, 1);
    for (size_t i = 0; i < above; i++)
        assert_byte(SPOT + PAGES(600 + 64 * i), (int)i);
    OK(vm_unmap_range(program, SPOT, PAGES(1200)));
    assert_int_equal(figures().caches, vm_system.kernel_aspace->virtual_map.count);
}

static void test_merge_down_without_memory(void)
{
    merge_without_memory(20, 3);
}

static void test_merge_up_without_memory(void)
{
    merge_without_memory(2, 3);
}

static void test_discarding_hides_only_what_is_there(void)
{
    region_at(SPOT, 200, LOCK_RW);
    OK(sim_write_byte(SPOT + PAGES(3), 1));
    OK(sim_write_byte(SPOT + PAGES(150), 2));
    aspace_id child = vm_copy_aspace(program, "child");
    OK(vm_discard_range(program, SPOT, PAGES(151)));
    for (size_t i = 0; i < 200; i++)
        assert_ptr_equal(own_page(SPOT, i), i == 3 || i == 150 ? VM_CACHE_SKIP : NULL);
    assert_byte(SPOT + PAGES(3), 0);
    assert_byte(SPOT + PAGES(150), 0);
    OK(sim_delete_aspace(child));
}

static void test_discarding_without_memory_discards_nothing(void)
{
    region_at(SPOT, 2, LOCK_RW);
    number_pages(SPOT, 2, 1);
    aspace_id child = vm_copy_aspace(program, "child");
    for (size_t pages = 1; pages <= 2; pages++) {
        sim_fail_at(SIM_FAIL_METADATA, 1, true);
        assert_int_equal(vm_discard_range(program, SPOT, PAGES(pages)), ERR_NO_MEMORY);
        sim_fail_at(SIM_FAIL_METADATA, 0, false);
        assert_numbered(SPOT, 2, 1);
    }
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
}

/* A private clone reads what its source has only below itself: the source gets its own page and stops
 * showing the one below, which may become somebody else's. */
static void test_pulling_unmaps_the_page_below(void)
{
    void *at = NULL;
    region_id id = region_at(SPOT, 2, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    aspace_id child = vm_copy_aspace(program, "child");
    region_id clone = vm_clone_region(program, "clone", &at, 0, id, REGION_PRIVATE_MAP, LOCK_RW);
    assert_true(clone > 0);
    assert_byte(SPOT, 1);
    assert_byte((addr_t)at, 1);
    sim_set_aspace(child);
    OK(sim_write_byte(SPOT, 9));
    assert_byte(SPOT, 9);
    sim_set_aspace(program);
    assert_byte(SPOT, 1);
    assert_byte((addr_t)at, 1);
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
}

static size_t mapped_from(addr_t address, size_t pages)
{
    size_t count = 0;
    struct sim_translation mmu;
    for (size_t i = 0; i < pages; i++)
        count += sim_look_up(address + PAGES(i), &mmu);
    return count;
}

/* Reading maps what is in memory around it, also through an empty top; but not over a page of the
 * top's own, nor through one that has hidden something. */
static void test_reading_maps_around_through_the_top(void)
{
    addr_t a, b;
    sim_file *file = sim_file_create_numbered("/f", 8);
    map_pages(&a, file, 8, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    assert_numbered(a, 8, 1);
    map_pages(&b, file, 8, LOCK_RW, REGION_PRIVATE_MAP, 0);
    assert_byte(b, 1);
    assert_int_equal(mapped_from(b, 8), 8);
    OK(vm_unmap_range(program, b, PAGES(8)));
    map_pages(&b, file, 8, LOCK_RW, REGION_PRIVATE_MAP, 0);
    OK(sim_write_byte(b + PAGES(2), 77));
    OK(vm_protect_range(program, b, PAGES(8), LOCK_NO_READ));
    OK(vm_protect_range(program, b, PAGES(8), LOCK_RW));
    assert_byte(b, 1);
    assert_byte(b + PAGES(2), 77);
    assert_byte(b + PAGES(3), 4);
}

static void test_only_the_last_owner_takes_a_page(void)
{
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    aspace_id first = vm_copy_aspace(program, "first"), second = vm_copy_aspace(program, "second");
    uint64_t reuses = figures().reuses;
    OK(sim_write_byte(SPOT, 2));
    sim_set_aspace(first);
    OK(sim_write_byte(SPOT, 3));
    assert_int_equal(figures().reuses, reuses);
    sim_set_aspace(second);
    OK(sim_write_byte(SPOT, 4));
    assert_byte(SPOT, 4);
    sim_set_aspace(first);
    assert_byte(SPOT, 3);
    OK(sim_delete_aspace(first));
    OK(sim_delete_aspace(second));
    sim_set_aspace(program);
    assert_byte(SPOT, 2);
}

/* A clone that can't be placed leaves its source as it was. */
static void assert_clone_leaves(region_id id)
{
    void *taken = PTR(SPOT);
    REFUSED(ERR_VM_NO_REGION_SLOT, vm_clone_region(program, "x", &taken, REGION_ADDR_EXACT_ADDRESS,
                                                   id, REGION_NO_PRIVATE_MAP, LOCK_RO));
}

static void test_failing_clones_leave_their_source(void)
{
    region_id left_out = region_at(SPOT, 2, LOCK_RW);
    region_id guard = region_at(SPOT + PAGES(4), 2, LOCK_NO_READ);
    OK(vm_set_inheritance(program, SPOT, PAGES(2), VM_INHERIT_NONE));
    assert_clone_leaves(left_out);
    assert_clone_leaves(guard);
    assert_int_equal(region_info(left_out).inherit, VM_INHERIT_NONE);
}

/* What is shared is promised as a whole, once, also where its first region was promised nothing. */
static void test_shared_clones_are_promised_once(void)
{
    void *a = NULL, *b = NULL;
    region_id guard = region_at(SPOT, 3, LOCK_NO_READ);
    int64_t committed = sim_committed();
    assert_true(vm_clone_region(program, "a", &a, 0, guard, REGION_NO_PRIVATE_MAP, LOCK_RW) > 0);
    assert_int_equal(sim_committed(), committed + (int64_t)PAGES(3));
    assert_true(vm_clone_region(program, "b", &b, 0, guard, REGION_NO_PRIVATE_MAP, LOCK_RW) > 0);
    assert_int_equal(sim_committed(), committed + (int64_t)PAGES(3));
    region_at(SPOT + PAGES(10), 3, LOCK_NO_READ | REGION_OVERCOMMIT);
    guard = find_region(SPOT + PAGES(10));
    committed = sim_committed();
    b = NULL;
    assert_true(vm_clone_region(program, "c", &b, 0, guard, REGION_NO_PRIVATE_MAP,
                                LOCK_RW | REGION_OVERCOMMIT) > 0);
    assert_int_equal(sim_committed(), committed);
}

UNIT_MAIN("edges of chains", TEST(test_merge_down_without_memory),
          TEST(test_merge_up_without_memory), TEST(test_discarding_hides_only_what_is_there),
          TEST(test_discarding_without_memory_discards_nothing),
          TEST(test_pulling_unmaps_the_page_below), TEST(test_reading_maps_around_through_the_top),
          TEST(test_only_the_last_owner_takes_a_page), TEST(test_failing_clones_leave_their_source),
          TEST(test_shared_clones_are_promised_once))
