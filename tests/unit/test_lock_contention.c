/* SPDX-License-Identifier: MIT */
/* What changes between two looks of a call that waits for a lock in between. The test holds the lock,
 * lets the call come so far, gives the lock back and changes something before the call goes on. */
#include "support.h"

#include "aspace.h"
#include "cache.h"
#include "system.h"

static aspace_id other;
static region_id source;
static int64_t (*called)(void);
static vm_region_info info;

static int call(void *unused)
{
    (void)unused;
    return (int)called();
}

/* Runs `function` in a thread until it waits. */
static sim_fiber *waits(int64_t (*function)(void))
{
    called = function;
    sim_fiber *fiber = sim_spawn("caller", call, NULL);
    assert_int_equal(sim_run_until_blocked(), 1);
    return fiber;
}

static int result_of(sim_fiber *fiber)
{
    sim_run();
    assert_true(sim_fiber_ended(fiber));
    return sim_fiber_result(fiber);
}

static vm_address_space *space(aspace_id aid)
{
    vm_address_space *aspace = vm_get_aspace_by_id(aid);
    assert_non_null(aspace);
    vm_put_aspace(aspace);
    return aspace;
}

static void other_space_with_a_region(void)
{
    void *at = PTR(SPOT);
    other = vm_create_aspace("other", SIM_USER_BASE, SPOT * 2, false);
    source = vm_create_anonymous_region(other, "source", &at, REGION_ADDR_EXACT_ADDRESS, PAGE, 0,
                                        LOCK_RW);
    assert_true(source > 0);
}

/* ---- a region that goes ---- */

static int64_t ask(void)
{
    return vm_get_region_info(source, &info);
}

static void test_asking_about_a_region_that_goes(void)
{
    source = region_at(SPOT, 1, LOCK_RW);
    struct vm_rwlock *lock = &space(program)->virtual_map.lock;
    vm_write_lock(lock, VM_RANK_MAP);
    sim_fiber *fiber = waits(ask);
    vm_write_unlock(lock);
    OK(vm_delete_region(program, source));
    assert_int_equal(result_of(fiber), ERR_VM_INVALID_REGION);
}

static int64_t clone_source(void)
{
    void *at = PTR(SPOT);
    return vm_clone_region(program, "clone", &at, REGION_ADDR_EXACT_ADDRESS, source,
                           REGION_NO_PRIVATE_MAP, LOCK_RW);
}

static void test_cloning_a_region_that_goes(void)
{
    other_space_with_a_region();
    struct vm_rwlock *lock = &space(other)->virtual_map.lock;
    vm_read_lock(lock, VM_RANK_MAP);
    sim_fiber *fiber = waits(clone_source);
    vm_read_unlock(lock);
    OK(vm_delete_region(other, source));
    assert_int_equal(result_of(fiber), ERR_VM_INVALID_REGION);
    assert_int_equal(count_regions(program), 0);
    OK(vm_delete_aspace(other));
}

/* The clone finds no place; there is no source any more to take back what was changed in it. */
static void test_a_source_that_goes_before_its_clone_fails(void)
{
    other_space_with_a_region();
    region_at(SPOT, 1, LOCK_RW);
    struct vm_rwlock *lock = &space(program)->virtual_map.lock;
    vm_read_lock(lock, VM_RANK_MAP);
    sim_fiber *fiber = waits(clone_source);
    vm_read_unlock(lock);
    OK(vm_delete_region(other, source));
    assert_int_equal(result_of(fiber), ERR_VM_NO_REGION_SLOT);
    assert_int_equal(figures().regions, 2); /* the boot image, and the one at SPOT */
    OK(vm_delete_aspace(other));
}

/* A clone that fails leaves its source as another one has made it meanwhile. */
static void test_a_source_that_is_shared_before_its_clone_fails(void)
{
    void *at = NULL;
    other_space_with_a_region();
    aspace_id third = vm_create_aspace("third", SIM_USER_BASE, SPOT, false);
    region_at(SPOT, 1, LOCK_RW);
    struct vm_rwlock *lock = &space(program)->virtual_map.lock;
    vm_read_lock(lock, VM_RANK_MAP);
    sim_fiber *fiber = waits(clone_source);
    vm_read_unlock(lock);
    assert_int_equal(region_info(source).inherit, VM_INHERIT_COPY);
    assert_true(vm_clone_region(third, "c", &at, 0, source, REGION_NO_PRIVATE_MAP, LOCK_RW) > 0);
    assert_int_equal(result_of(fiber), ERR_VM_NO_REGION_SLOT);
    assert_int_equal(region_info(source).inherit, VM_INHERIT_SHARE);
    SIM_CHECK();
    OK(vm_delete_aspace(third));
    OK(vm_delete_aspace(other));
}

static int64_t find_by_id(void)
{
    vm_region *region = vm_get_region_by_id(source);
    vm_put_region(region);
    return region != NULL;
}

static void test_a_deleted_region_has_no_space(void)
{
    source = region_at(SPOT, 1, LOCK_RW);
    vm_region *region = vm_get_region_by_id(source);
    OK(vm_delete_region(program, source));
    assert_null(region_get_aspace(region));
    assert_int_equal(find_by_id(), 0);
    vm_put_region(region);
}

/* ---- a space that goes, or stays ---- */

static int64_t fault(void)
{
    return vm_fault_aspace(other, SPOT, VM_ACCESS_WRITE);
}

static void test_faulting_in_a_space_that_ends(void)
{
    other_space_with_a_region();
    struct vm_rwlock *lock = &space(other)->virtual_map.lock;
    vm_write_lock(lock, VM_RANK_MAP);
    sim_fiber *fiber = waits(fault);
    vm_write_unlock(lock);
    OK(vm_delete_aspace(other));
    assert_int_equal(result_of(fiber), ERR_VM_PF_BAD_ADDRESS);
    assert_null(vm_get_aspace_by_id(other));
}

static int64_t create(void)
{
    void *at = PTR(SPOT * 2);
    return vm_create_anonymous_region(other, "late", &at, REGION_ADDR_EXACT_ADDRESS, PAGE, 0,
                                      LOCK_RW);
}

static void test_creating_in_a_space_that_ends(void)
{
    other_space_with_a_region();
    struct vm_rwlock *lock = &space(other)->virtual_map.lock;
    vm_read_lock(lock, VM_RANK_MAP);
    sim_fiber *fiber = waits(create);
    vm_read_unlock(lock);
    OK(vm_delete_aspace(other));
    assert_int_equal(result_of(fiber), ERR_VM_INVALID_ASPACE);
    assert_null(vm_get_aspace_by_id(other));
}

static vm_address_space *given_back;

static int64_t give_back(void)
{
    vm_put_aspace(given_back);
    return VM_OK;
}

/* Somebody finds the space by its id while the last reference waits to be given back: it stays. */
static void test_a_space_found_again_with_its_last_reference(void)
{
    other = vm_create_aspace("other", SIM_USER_BASE, PAGES(4), false);
    given_back = space(other);
    vm_mutex_lock(&vm_system.table_lock, VM_RANK_TABLE);
    sim_fiber *fiber = waits(give_back);
    vm_mutex_unlock(&vm_system.table_lock);
    vm_address_space *found = vm_get_aspace_by_id(other);
    assert_ptr_equal(found, given_back);
    OK(result_of(fiber));
    assert_int_equal(found->ref_count, 1);
    assert_ptr_equal(space(other), found);
    vm_put_aspace(found); /* now it is the last */
    assert_null(vm_get_aspace_by_id(other));
}

UNIT_MAIN("waiting for locks", TEST(test_asking_about_a_region_that_goes),
          TEST(test_cloning_a_region_that_goes),
          TEST(test_a_source_that_goes_before_its_clone_fails),
          TEST(test_a_source_that_is_shared_before_its_clone_fails),
          TEST(test_a_deleted_region_has_no_space), TEST(test_faulting_in_a_space_that_ends),
          TEST(test_creating_in_a_space_that_ends),
          TEST(test_a_space_found_again_with_its_last_reference))
