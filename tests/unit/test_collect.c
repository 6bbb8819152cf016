/* SPDX-License-Identifier: MIT */
/* When accessed bits are collected, and by whom. */
#include "support.h"

#include "../../vm/aspace.h"
#include "../../vm/system.h"

#define PAGES_THERE 160

/* As if so many pages had gone. Whether that led to a collection. */
static bool collects_after(size_t gone)
{
    uint64_t before = figures().collections;
    vm_system.reclaim.gone = gone;
    reclaim_collect();
    assert_int_equal(vm_system.reclaim.collecting, 0);
    return figures().collections > before;
}

static void test_collect_after_a_quarter_of_the_younger(void)
{
    region_at(SPOT, PAGES_THERE, LOCK_RW);
    for (size_t i = 0; i < PAGES_THERE; i++)
        OK(sim_write_byte(SPOT + PAGES(i), 1));
    assert_int_equal(vm_system.pages.count[VM_PAGE_INACTIVE], PAGES_THERE);
    assert_false(collects_after(PAGES_THERE / 4 - 1));
    assert_int_equal(vm_system.reclaim.gone, PAGES_THERE / 4 - 1);
    assert_true(collects_after(PAGES_THERE / 4));
    assert_int_equal(vm_system.reclaim.gone, 0);
}

/* Two batches at least. */
static void test_collect_where_there_are_few(void)
{
    region_at(SPOT, 4, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    assert_false(collects_after(31));
    assert_true(collects_after(32));
}

static int collect(void *unused)
{
    (void)unused;
    reclaim_collect();
    return VM_OK;
}

/* Whoever comes meanwhile goes on. */
static void test_collect_one_at_a_time(void)
{
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    uint64_t before = figures().collections;
    vm_write_lock(&aspace->virtual_map.lock, VM_RANK_MAP);
    vm_system.reclaim.gone = SIZE_MAX / 2;
    sim_fiber *first = sim_spawn("first", collect, NULL);
    assert_int_equal(sim_run_until_blocked(), 1);
    assert_int_equal(vm_system.reclaim.collecting, 1);
    vm_system.reclaim.gone = SIZE_MAX / 2;
    sim_fiber *second = sim_spawn("second", collect, NULL);
    assert_int_equal(sim_run_until_blocked(), 1);
    assert_true(sim_fiber_ended(second) && !sim_fiber_ended(first));
    vm_write_unlock(&aspace->virtual_map.lock);
    sim_run();
    vm_put_aspace(aspace);
    assert_int_equal(figures().collections, before + 1);
    assert_int_equal(vm_system.reclaim.collecting, 0);
}

UNIT_MAIN("collecting accessed bits", TEST(test_collect_after_a_quarter_of_the_younger),
          TEST(test_collect_where_there_are_few), TEST(test_collect_one_at_a_time))
