/* SPDX-License-Identifier: MIT */
/* The four stores, seen from inside. */
#include "support.h"

#include <quire/host.h>
#include <quire/store.h>

#include "aspace.h"
#include "cache.h"
#include "mapping.h"

static vm_cache_ref *cache_over(vm_store *store)
{
    assert_non_null(store);
    vm_cache_ref *ref = cache_create_for(store, (off_t)PAGES(4), store->ops->commit != NULL);
    assert_non_null(ref);
    return ref;
}

static void test_vm_store_create_anonymous_noswap_charges_the_difference(void)
{
    vm_cache_ref *ref = cache_over(vm_store_create_anonymous_noswap());
    vm_store *store = ref->cache->store;
    int64_t before = sim_committed();
    OK(store->ops->commit(store, (off_t)PAGES(3)));
    assert_int_equal(store->committed_size, PAGES(3));
    assert_int_equal(sim_committed(), before + (int64_t)PAGES(3));
    OK(store->ops->commit(store, (off_t)PAGES(3)));
    OK(store->ops->commit(store, (off_t)PAGES(1)));
    assert_int_equal(sim_committed(), before + (int64_t)PAGES(1));
    assert_int_equal(store->ops->commit(store, INT64_MAX), ERR_VM_WOULD_OVERCOMMIT);
    assert_int_equal(store->committed_size, PAGES(1));
    OK(store->ops->commit(store, 0));
    assert_int_equal(sim_committed(), before);
    vm_cache_release_ref(ref);
}

static void test_vm_store_create_anonymous_noswap_has_no_page(void)
{
    vm_cache_ref *ref = cache_over(vm_store_create_anonymous_noswap());
    vm_store *store = ref->cache->store;
    assert_true(store->ops->has_page == NULL || !store->ops->has_page(store, 0));
    assert_null(store->ops->fault);
    vm_cache_release_ref(ref);
}

static void test_vm_store_create_anonymous_noswap_death_gives_back(void)
{
    int64_t before = sim_committed();
    vm_cache_ref *ref = cache_over(vm_store_create_anonymous_noswap());
    OK(ref->cache->store->ops->commit(ref->cache->store, (off_t)PAGES(4)));
    vm_cache_release_ref(ref);
    assert_int_equal(sim_committed(), before);
}

static void test_vm_store_create_device_charges_nothing(void)
{
    vm_cache_ref *ref = cache_over(vm_store_create_device(SIM_DEVICE_LOW));
    const vm_store *store = ref->cache->store;
    assert_non_null(store->ops->fault);
    assert_null(store->ops->commit);
    assert_int_equal(store->committed_size, 0);
    vm_cache_release_ref(ref);
}

static void test_vm_store_create_null_refuses(void)
{
    vm_cache_ref *ref = cache_over(vm_store_create_null());
    vm_store *store = ref->cache->store;
    assert_int_equal(store->ops->fault(store, NULL, SPOT, VM_ACCESS_READ), ERR_VM_PF_FATAL);
    vm_cache_release_ref(ref);
}

static void test_vm_store_create_vnode_reads_and_writes(void)
{
    sim_file *file = sim_file_create("/f", NULL, PAGE + 100, ALL_ACCESS);
    vm_store *store = vm_store_create_vnode(file);
    addr_t frames[2];
    size_t done = 0;
    memset(sim_file_data(file), 7, PAGE + 100);
    OK(vm_allocate_frames(1, false, &frames[0]));
    OK(vm_allocate_frames(1, false, &frames[1]));
    assert_int_equal(store->ops->size(store), PAGE + 100);
    assert_true(store->ops->has_page(store, 0));
    assert_true(store->ops->has_page(store, (off_t)PAGE));
    assert_false(store->ops->has_page(store, (off_t)PAGES(2)));
    OK(store->ops->read(store, 0, frames, 2, &done));
    assert_int_equal(done, PAGE + 100);
    assert_int_equal(*(uint8_t *)sim_physical(frames[1] + 99), 7);
    memset(sim_physical(frames[1]), 9, PAGE);
    OK(store->ops->write(store, (off_t)PAGE, &frames[1], 1, &done));
    assert_int_equal(sim_file_data(file)[PAGE + 99], 9);
    assert_int_equal(done, 100);
    vm_free_frames(frames[0], 1);
    vm_free_frames(frames[1], 1);
    store->ops->destroy(store);
}

static void test_vm_store_create_without_memory(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    sim_fail_at(SIM_FAIL_METADATA, 1, true);
    assert_null(vm_store_create_anonymous_noswap());
    assert_null(vm_store_create_device(SIM_DEVICE_LOW));
    assert_null(vm_store_create_null());
    assert_null(vm_store_create_vnode(file));
    sim_fail_at(SIM_FAIL_METADATA, 0, false);
    assert_int_equal(sim_file_references(file), 0);
}

/* ---- vm_store_map_frame ---- */

static void test_vm_store_map_frame_gives_the_region_s_rights(void)
{
    struct sim_translation mmu;
    void *at = PTR(SPOT);
    region_id id = vm_map_physical_memory(program, "d", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(2),
                                          LOCK_RO, SIM_DEVICE_HIGH);
    assert_byte(SPOT + PAGE, 0);
    assert_true(sim_look_up(SPOT + PAGE, &mmu));
    assert_int_equal(mmu.physical, SIM_DEVICE_HIGH + PAGE);
    assert_true(mmu.user && !mmu.writable && !mmu.executable);
    assert_false(sim_look_up(SPOT, &mmu));
    OK(vm_delete_region(program, id));
    assert_false(sim_look_up(SPOT + PAGE, &mmu));
}

static void test_vm_store_map_frame_without_tables(void)
{
    void *at = PTR(SPOT);
    assert_true(vm_map_physical_memory(program, "d", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(2),
                                       LOCK_RW, SIM_DEVICE_HIGH) > 0);
    sim_fail_at(SIM_FAIL_TABLE, 1, true);
    assert_int_equal(sim_read_byte(SPOT), ERR_NO_MEMORY);
    assert_true(sim_fail_done(SIM_FAIL_TABLE) > 0);
    sim_fail_at(SIM_FAIL_TABLE, 0, false);
    SIM_CHECK();
    assert_byte(SPOT, 0);
}

UNIT_MAIN("stores", TEST(test_vm_store_create_anonymous_noswap_charges_the_difference),
          TEST(test_vm_store_create_anonymous_noswap_has_no_page),
          TEST(test_vm_store_create_anonymous_noswap_death_gives_back),
          TEST(test_vm_store_create_device_charges_nothing),
          TEST(test_vm_store_create_null_refuses),
          TEST(test_vm_store_create_vnode_reads_and_writes),
          TEST(test_vm_store_create_without_memory),
          TEST(test_vm_store_map_frame_gives_the_region_s_rights),
          TEST(test_vm_store_map_frame_without_tables))
