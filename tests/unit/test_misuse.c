/* SPDX-License-Identifier: MIT */
/* What ends the machine in test builds: locks taken or given back out of order, memory given back that
 * is none. */
#include "support.h"

#include "lock.h"
#include "meta.h"
#include "page.h"

static struct vm_mutex cache, other_cache, map;
static struct vm_rwlock rwlock;

static void take_a_map_under_a_cache(void)
{
    vm_mutex_lock(&cache, VM_RANK_CACHE);
    vm_mutex_lock(&map, VM_RANK_MAP);
}

static void take_a_cache_under_pages(void)
{
    vm_mutex_lock(&map, VM_RANK_PAGE);
    vm_mutex_lock(&cache, VM_RANK_CACHE);
}

static void give_back_what_is_not_held(void)
{
    vm_mutex_unlock(&cache);
}

static void free_what_is_no_memory(void)
{
    static char here[8192];
    vm_meta_free(here, sizeof here);
}

static void free_frames_of_others(void)
{
    addr_t frame;
    OK(vm_allocate_frames(1, false, &frame));
    vm_page_at(frame)->cache = (vm_cache *)&cache;
    vm_free_frames(frame, 1);
}

static void free_as_clear_what_is_not(void)
{
    addr_t frame;
    OK(vm_allocate_frames(1, true, &frame));
    *(uint8_t *)sim_physical(frame + 9) = 1;
    vm_page_free(vm_page_at(frame), true);
}

static void write_to_what_was_freed(void)
{
    uint64_t *first = vm_meta_alloc(64), *second = vm_meta_alloc(64);
    vm_meta_free(first, 64);
    first[3] = 7;
    (void)vm_meta_alloc(64);
    vm_meta_free(second, 64);
}

static void forget_locks(void)
{
    cache = other_cache = map = (struct vm_mutex){0};
}

static void test_order_of_locks(void)
{
    forget_locks();
    assert_panics(take_a_map_under_a_cache, "of rank 2 is taken under one of rank 5");
    forget_locks();
    assert_panics(take_a_cache_under_pages, "of rank 5 is taken under one of rank 10");
    forget_locks();
    assert_panics(give_back_what_is_not_held, "vm_lock_given_back");
}

/* Caches may be taken one after the other; any lock may be tried out of order. */
static void test_orders_that_are_allowed(void)
{
    forget_locks();
    rwlock = (struct vm_rwlock){0};
    vm_mutex_lock(&cache, VM_RANK_CACHE);
    vm_mutex_lock(&other_cache, VM_RANK_CACHE);
    assert_true(vm_mutex_try_lock(&map, VM_RANK_MAP));
    assert_true(vm_write_try_lock(&rwlock, VM_RANK_MAP));
    assert_false(vm_write_try_lock(&rwlock, VM_RANK_MAP));
    vm_write_unlock(&rwlock);
    vm_mutex_unlock(&cache); /* in any order */
    vm_mutex_unlock(&map);
    vm_mutex_unlock(&other_cache);
    vm_assert_no_locks();
}

static void test_memory_that_is_none(void)
{
    assert_panics(free_what_is_no_memory, "is not memory");
    assert_panics(free_frames_of_others, "vm_free_frames");
    assert_panics(write_to_what_was_freed, "is_poisoned");
    assert_panics(free_as_clear_what_is_not, "frame_is_clear");
}

/* What a simulated machine asks, to find translations of frames that are free. */
static void test_whether_a_frame_is_free(void)
{
    addr_t frame;
    OK(vm_allocate_frames(1, false, &frame));
    assert_false(vm_test_frame_is_free(frame));
    assert_false(vm_test_frame_is_free(SIM_DEVICE_LOW));
    vm_free_frames(frame, 1);
    assert_true(vm_test_frame_is_free(frame));
}

UNIT_MAIN("misuse", TEST(test_order_of_locks), TEST(test_orders_that_are_allowed),
          TEST(test_memory_that_is_none), TEST(test_whether_a_frame_is_free))
