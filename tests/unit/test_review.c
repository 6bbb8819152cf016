/* SPDX-License-Identifier: MIT */
/* Defects that a review of the core has found, each with what shows it. */
#include "support.h"

#include <quire/host.h>

#include "aspace.h"
#include "cache.h"
#include "resize.h"
#include "system.h"

/* ---- regions that grow where they may not ---- */

static void test_file_does_not_grow_below_its_start(void)
{
    sim_file *file = sim_file_create_numbered("/f", 4);
    void *at = PTR(SPOT);
    assert_true(vm_map_vnode(program, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                             LOCK_RW | REGION_GROWS_DOWN, REGION_PRIVATE_MAP, file, PAGE) > 0);
    assert_byte(SPOT - PAGE, 1);
    assert_int_equal(sim_read_byte(SPOT - PAGES(2)), ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(sim_read_byte(SPOT - PAGES(3)), ERR_VM_PF_BAD_ADDRESS);
}

static void test_clone_does_not_grow_below_its_source(void)
{
    region_id source = region_at(SPOT, 2, LOCK_RW);
    void *at = PTR(2 * SPOT);
    assert_true(vm_clone_region(program, "clone", &at, REGION_ADDR_EXACT_ADDRESS, source,
                                REGION_NO_PRIVATE_MAP, LOCK_RW | REGION_GROWS_DOWN) > 0);
    assert_int_equal(sim_write_byte(2 * SPOT - PAGE, 1), ERR_VM_PF_BAD_ADDRESS);
}

static void test_device_does_not_grow(void)
{
    void *at = NULL;
    region_id id = vm_map_physical_memory(program, "device", &at, REGION_ADDR_ANY_ADDRESS, PAGE,
                                          LOCK_RW, SIM_RAM_HIGH - PAGE);
    assert_true(id > 0);
    REFUSED(ERR_UNSUPPORTED, vm_resize_region(program, id, PAGES(2)));
    REFUSED(ERR_UNSUPPORTED,
            vm_move_range(program, (addr_t)at, PAGE, PAGES(2), &at, REGION_ADDR_ANY_ADDRESS));
}

/* Two threads fault below a stack; the slower one finds it grown. */
static void test_stack_has_grown_meanwhile(void)
{
    region_at(SPOT, 1, LOCK_RW | REGION_GROWS_DOWN);
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    OK(region_grow_stack(aspace, SPOT - PAGES(2)));
    OK(region_grow_stack(aspace, SPOT - PAGES(2)));
    OK(region_grow_stack(aspace, SPOT - PAGE));
    vm_put_aspace(aspace);
}

/* ---- calls that fail leave nothing behind ---- */

/* All regions of the range are promised their memory, or none is. */
static void test_failed_protect_promises_nothing(void)
{
    region_at(SPOT, 2, LOCK_NO_READ);
    region_at(SPOT + PAGES(2), 2, LOCK_NO_READ);
    int64_t room = figures().max_commit - figures().committed - (int64_t)PAGES(3);
    OK(vm_commit(room));
    REFUSED(ERR_VM_WOULD_OVERCOMMIT, vm_protect_range(program, SPOT, PAGES(4), LOCK_RW));
    OK(vm_commit(-room));
}

static void test_failed_move_leaves_the_target_whole(void)
{
    region_at(SPOT, 2, LOCK_RW);
    region_at(2 * SPOT, 8, LOCK_RW);
    int64_t room = figures().max_commit - figures().committed;
    OK(vm_commit(room));
    void *to = PTR(2 * SPOT + PAGES(2));
    REFUSED(ERR_VM_WOULD_OVERCOMMIT,
            vm_move_range(program, SPOT, PAGES(2), PAGES(3), &to, REGION_ADDR_REPLACE));
    OK(vm_commit(-room));
}

/* ---- what is shown ---- */

static void test_discarded_page_is_not_resident(void)
{
    uint8_t resident = 7;
    region_at(SPOT, 1, LOCK_RW);
    number_pages(SPOT, 1, 1);
    aspace_id child = fork_program();
    OK(vm_discard_range(child, SPOT, PAGE));
    OK(vm_get_residency(child, SPOT, PAGE, &resident));
    assert_int_equal(resident, 0);
    assert_byte(SPOT, 0);
    OK(sim_delete_aspace(child));
}

/* ---- pages that are being written ---- */

static int truncate_to_tail(void *cache)
{
    return vm_cache_truncate(cache, 100);
}

/* As write-back has it: busy, with no lock held. */
static void set_busy(vm_cache_ref *cache, off_t offset, bool busy)
{
    cache_lock(cache);
    struct vm_page *page = vm_cache_lookup_page(cache, offset);
    assert_non_null(page);
    cache->cache->busy_count += busy ? 1 : -1u;
    busy ? vm_page_set_busy(page) : vm_page_clear_busy(page);
    cache_unlock(cache);
}

/* A file gets shorter, and longer again, while its pages are being written. */
static void test_truncation_during_a_write(void)
{
    sim_file *file = sim_file_create_numbered("/f", 3);
    vm_cache_ref *cache;
    addr_t at;
    map_pages(&at, file, 3, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    assert_numbered(at, 3, 1);
    OK(vm_get_vnode_cache(file, &cache));
    set_busy(cache, 0, true);
    set_busy(cache, PAGES(2), true);
    sim_file_set_size(file, 100);
    sim_fiber *shorten = sim_spawn("shorten", truncate_to_tail, cache);
    sim_run_until_blocked();
    set_busy(cache, 0, false);
    sim_run_until_blocked();
    assert_false(sim_fiber_ended(shorten));
    set_busy(cache, PAGES(2), false);
    sim_run();
    OK(sim_fiber_result(shorten));
    sim_file_set_size(file, PAGES(3));
    assert_byte(at, 1);
    assert_byte(at + 100, 0);
    assert_byte(at + PAGE, 0);
    assert_byte(at + PAGES(2), 0);
    vm_put_cache(cache);
}

/* A host writes through the cache before it lets the file grow; a sync comes in between. */
static void test_sync_before_the_file_has_grown(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    vm_cache_ref *cache;
    addr_t at;
    size_t done;
    map_pages(&at, file, 2, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_cache_write(cache, PAGE, "x", 1, false, &done));
    sim_file_forbid_writing(file);
    OK(vm_sync_range(program, at, PAGES(2)));
    sim_file_set_size(file, PAGES(2));
    assert_byte(at + PAGE, 'x');
    vm_put_cache(cache);
}

/* ---- frames that a TLB still knows ---- */

static int unmap_two(void *at)
{
    return vm_unmap_range(program, (addr_t)at, PAGES(2));
}

/* An unmapping that has taken its first entry away, and flushed nothing yet, is held up; meanwhile the
 * file gets shorter. */
static void test_frame_is_not_freed_before_the_flush(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    struct sim_translation seen;
    vm_cache_ref *cache;
    addr_t at;
    map_pages(&at, file, 2, LOCK_RO, REGION_PRIVATE_MAP, 0);
    OK(vm_wire_range(program, at, PAGES(2)));
    sim_set_cpu(1);
    assert_numbered(at, 2, 1);
    assert_true(sim_look_up(at, &seen));
    OK(vm_get_vnode_cache(file, &cache));
    struct vm_page *first = vm_page_at(seen.physical);
    vm_page_wire(first); /* so that only the second page's unwiring waits */
    vm_mutex_lock(&vm_system.pages.lock, VM_RANK_PAGE);
    sim_spawn_on(0, program, "unmap", unmap_two, PTR(at));
    sim_run_until_blocked();
    vm_mutex_unlock(&vm_system.pages.lock);
    vm_page_unwire(first);
    sim_file_set_size(file, 0);
    /* The first step of a truncation, which doesn't wait for who maps the page privately. */
    cache_lock(cache);
    cache_remove_pages(cache, 0, INT64_MAX);
    cache_unlock(cache);
    assert_false(sim_tlb_holds(at) && vm_test_frame_is_free(seen.physical));
    sim_run();
    assert_true(vm_test_frame_is_free(seen.physical));
    sim_set_cpu(0);
    vm_put_cache(cache);
}

/* ---- last references ---- */

static int put_cache(void *cache)
{
    vm_put_cache(cache);
    return 0;
}

/* Two give back the last two references at once: one of them writes what is modified. */
static void test_two_last_references(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    vm_cache_ref *cache;
    size_t done;
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_cache_write(cache, 0, "x", 1, false, &done));
    vm_mutex_lock(&vm_system.vnode_lock, VM_RANK_VNODE);
    sim_spawn("first", put_cache, cache);
    sim_spawn("second", put_cache, cache);
    sim_run_until_blocked();
    vm_mutex_unlock(&vm_system.vnode_lock);
    sim_run();
    assert_int_equal(sim_file_references(file), 0);
    assert_int_equal(sim_file_data(file)[0], 'x');
}

/* ---- a fork that fails while somebody looks at it ---- */

static void test_failed_fork_is_looked_at(void)
{
    region_id id = region_at(SPOT, 1, LOCK_RW);
    region_id last = region_at(2 * SPOT, 1, LOCK_RW);
    assert_true(last > id);
    vm_region *second = vm_get_region_by_id(last);
    cache_lock(second->cache_ref);
    sim_fiber *fork = sim_spawn("fork", fork_once, NULL);
    sim_run_until_blocked();
    sim_fiber *look = sim_spawn("look", look_at_region, PTR(last + 1));
    sim_run_until_blocked();
    assert_false(sim_fiber_ended(look));
    sim_fail_at(SIM_FAIL_METADATA, 1, true);
    cache_unlock(second->cache_ref);
    sim_run();
    sim_fail_at(SIM_FAIL_METADATA, 0, false);
    assert_int_equal(sim_fiber_result(fork), ERR_NO_MEMORY);
    assert_int_equal(sim_fiber_result(look), ERR_VM_INVALID_REGION);
    vm_put_region(second);
}

UNIT_MAIN("review", TEST(test_file_does_not_grow_below_its_start),
          TEST(test_clone_does_not_grow_below_its_source), TEST(test_device_does_not_grow),
          TEST(test_stack_has_grown_meanwhile), TEST(test_failed_protect_promises_nothing),
          TEST(test_failed_move_leaves_the_target_whole), TEST(test_discarded_page_is_not_resident),
          TEST(test_truncation_during_a_write), TEST(test_sync_before_the_file_has_grown),
          TEST_ON(test_frame_is_not_freed_before_the_flush, .cpus = 2),
          TEST(test_two_last_references), TEST(test_failed_fork_is_looked_at))
