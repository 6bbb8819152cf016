/* SPDX-License-Identifier: MIT */
/* Waits that a kill doesn't end: for a lock, and for what the store reads of a file that gets shorter. */
#include "support.h"

#include "lock.h"
#include "radix.h"

static struct vm_mutex mutex;
static sim_file *file;
static vm_cache_ref *cache;

static int take_and_give(void *unused)
{
    (void)unused;
    vm_mutex_lock(&mutex, VM_RANK_CACHE);
    vm_mutex_unlock(&mutex);
    return 7;
}

static void test_killed_while_waiting_for_a_lock(void)
{
    vm_mutex_lock(&mutex, VM_RANK_CACHE);
    sim_fiber *waiter = sim_spawn("waiter", take_and_give, NULL);
    assert_int_equal(sim_run_until_blocked(), 1);
    sim_kill(waiter);
    assert_int_equal(sim_run_until_blocked(), 1);
    vm_mutex_unlock(&mutex);
    sim_run();
    assert_int_equal(sim_fiber_result(waiter), 7);
}

static int touch(void *address)
{
    return sim_read_byte((addr_t)address);
}

static int truncate_file(void *unused)
{
    (void)unused;
    return vm_cache_truncate(cache, 0);
}

static void test_killed_while_truncating(void)
{
    addr_t a;
    file = sim_file_create_numbered("/f", 1);
    OK(vm_get_vnode_cache(file, &cache));
    map_pages(&a, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    sim_file_block_reads(file, true);
    sim_fiber *reader = sim_spawn("reader", touch, PTR(a));
    assert_int_equal(sim_run_until_blocked(), 1);
    sim_fiber *truncater = sim_spawn("truncater", truncate_file, NULL);
    assert_int_equal(sim_run_until_blocked(), 2);
    sim_kill(truncater);
    assert_int_equal(sim_run_until_blocked(), 2);
    sim_file_block_reads(file, false);
    sim_run();
    OK(sim_fiber_result(truncater));
    assert_true(sim_fiber_ended(reader));
    vm_put_cache(cache);
}

/* ---- the order of locks ---- */

/* The highest lock that is held decides, wherever it stands among them. */
static void take_below_several(void)
{
    static struct vm_mutex map, page, tmap;
    vm_mutex_lock(&map, VM_RANK_MAP);
    vm_mutex_lock(&page, VM_RANK_PAGE);
    vm_mutex_lock(&tmap, VM_RANK_TMAP);
}

static void test_lock_order_with_several_held(void)
{
    assert_panics(take_below_several, "under one of rank");
}

static void take_an_equal(void)
{
    static struct vm_mutex one, other, table;
    vm_mutex_lock(&one, VM_RANK_CACHE);
    vm_mutex_lock(&other, VM_RANK_CACHE);
    vm_mutex_unlock(&one);
    vm_mutex_unlock(&other);
    vm_mutex_lock(&one, VM_RANK_TABLE);
    vm_mutex_lock(&table, VM_RANK_TABLE);
}

static void test_lock_order_among_equals(void)
{
    assert_panics(take_an_equal, "under one of rank");
}

static void take_again_under_another(void)
{
    static struct vm_mutex map, cache_lock;
    vm_mutex_lock(&map, VM_RANK_MAP);
    vm_mutex_lock(&cache_lock, VM_RANK_CACHE);
    vm_mutex_lock(&cache_lock, VM_RANK_CACHE);
}

static void test_taking_again_what_is_held_under_another(void)
{
    assert_panics(take_again_under_another, "taken twice");
}

static void give_back_what_is_not_held(void)
{
    static struct vm_mutex one, other;
    vm_mutex_lock(&one, VM_RANK_TABLE);
    vm_mutex_unlock(&other);
}

static void test_giving_back_what_is_not_held(void)
{
    assert_panics(give_back_what_is_not_held, "at > 0");
}

/* ---- trees without memory ---- */

/* A failed insertion leaves the tree as it was: below its root, beside it, and into an empty one. */
static void fails_to_insert(struct radix *tree, uint64_t key)
{
    size_t bytes = figures().metadata_bytes;
    unsigned height = tree->height;
    for (unsigned n = 1;; n++) {
        sim_fail_at(SIM_FAIL_METADATA, n, false);
        int error = radix_insert(tree, key, &mutex);
        unsigned failed = sim_fail_done(SIM_FAIL_METADATA);
        sim_fail_at(SIM_FAIL_METADATA, 0, false);
        if (failed == 0) {
            OK(error);
            break;
        }
        assert_int_equal(error, ERR_NO_MEMORY);
        assert_null(radix_lookup(tree, key));
        assert_int_equal(figures().metadata_bytes, bytes);
    }
    assert_ptr_equal(radix_remove(tree, key), &mutex);
    assert_int_equal(figures().metadata_bytes, bytes);
    if (tree->root)
        assert_int_equal(tree->height, height);
}

static void test_radix_insert_without_memory(void)
{
    static const uint64_t keys[] = {0, 5, 64, 4095, 4096, 1ull << 30, 1ull << 62, UINT64_MAX};
    struct radix tree = {0};
    for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        fails_to_insert(&tree, keys[i]);
    OK(radix_insert(&tree, 1000, &file));
    OK(radix_insert(&tree, 100000, &file));
    for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        fails_to_insert(&tree, keys[i]);
        assert_ptr_equal(radix_lookup(&tree, 1000), &file);
        assert_ptr_equal(radix_lookup(&tree, 100000), &file);
    }
    radix_clear(&tree);
}

/* Behind the last key of a tree over all keys comes nothing, not the first again. */
static void test_radix_next_ends_behind_the_last(void)
{
    struct radix tree = {0};
    OK(radix_insert(&tree, 3, &file));
    OK(radix_insert(&tree, 1ull << 63, &mutex));
    uint64_t key = 4;
    assert_ptr_equal(radix_next(&tree, &key), &mutex);
    assert_int_equal(key, 1ull << 63);
    key++;
    assert_null(radix_next(&tree, &key));
    key = UINT64_MAX;
    assert_null(radix_next(&tree, &key));
    radix_clear(&tree);
}

UNIT_MAIN("kills, orders and failures", TEST(test_killed_while_waiting_for_a_lock),
          TEST(test_killed_while_truncating), TEST(test_lock_order_with_several_held),
          TEST(test_lock_order_among_equals), TEST(test_taking_again_what_is_held_under_another),
          TEST(test_giving_back_what_is_not_held), TEST(test_radix_insert_without_memory),
          TEST(test_radix_next_ends_behind_the_last))
