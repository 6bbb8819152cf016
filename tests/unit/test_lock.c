/* SPDX-License-Identifier: MIT */
/* The core's locks, in many orders of their users; and the checks that test builds make. */
#include "support.h"

#include "lock.h"

static struct vm_mutex mutex;
static struct vm_rwlock rwlock;
static unsigned inside, readers, most_readers, turns;

static int use_mutex(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 20; i++) {
        vm_mutex_lock(&mutex, VM_RANK_MAP);
        assert_int_equal(inside, 0);
        inside++;
        sim_yield();
        inside--;
        turns++;
        vm_mutex_unlock(&mutex);
        sim_yield();
    }
    return 0;
}

static void test_mutex_excludes(void)
{
    mutex = (struct vm_mutex){0};
    turns = inside = 0;
    for (unsigned i = 0; i < 5; i++)
        sim_spawn_on(i % 2, ERR_VM_INVALID_ASPACE, "user", use_mutex, NULL);
    sim_run();
    assert_int_equal(turns, 100);
    assert_int_equal(mutex.word, 0);
}

static void test_mutex_excludes_who_looks_again(void)
{
    vm_lock_spins = 3;
    test_mutex_excludes();
    vm_lock_spins = 0;
}

/* Who has waited leaves the lock as one that is waited for; who has looked again doesn't. */
static void test_vm_mutex_lock_slow_looks_again(void)
{
    for (vm_lock_spins = 0; vm_lock_spins < 2; vm_lock_spins++) {
        mutex = (struct vm_mutex){0};
        vm_mutex_lock_slow(&mutex);
        assert_int_equal(mutex.word, vm_lock_spins == 0 ? 2 : 1);
    }
    vm_lock_spins = 0;
}

static void test_mutex_try_lock(void)
{
    mutex = (struct vm_mutex){0};
    assert_true(vm_mutex_try_lock(&mutex, VM_RANK_MAP));
    assert_false(vm_mutex_try_lock(&mutex, VM_RANK_MAP));
    vm_mutex_unlock(&mutex);
    assert_true(vm_mutex_try_lock(&mutex, VM_RANK_MAP));
    vm_mutex_unlock(&mutex);
}

static int read_locked(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 20; i++) {
        vm_read_lock(&rwlock, VM_RANK_MAP);
        assert_int_equal(inside, 0);
        readers++;
        if (readers > most_readers)
            most_readers = readers;
        sim_yield();
        readers--;
        vm_read_unlock(&rwlock);
        sim_yield();
    }
    return 0;
}

static int write_locked(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 20; i++) {
        vm_write_lock(&rwlock, VM_RANK_MAP);
        assert_int_equal(inside, 0);
        assert_int_equal(readers, 0);
        inside++;
        sim_yield();
        inside--;
        turns++;
        vm_write_unlock(&rwlock);
        sim_yield();
    }
    return 0;
}

static void readers_and_writers(void)
{
    rwlock = (struct vm_rwlock){0};
    turns = inside = readers = most_readers = 0;
    for (unsigned i = 0; i < 3; i++)
        sim_spawn("reader", read_locked, NULL);
    for (unsigned i = 0; i < 2; i++)
        sim_spawn("writer", write_locked, NULL);
    sim_run();
    assert_int_equal(turns, 40);
    assert_int_equal(rwlock.word, 0);
}

static void test_rwlock_excludes(void)
{
    readers_and_writers();
}

static void test_rwlock_excludes_in_random_order_1(void)
{
    for (unsigned i = 0; i < 20; i++)
        readers_and_writers();
}

static void test_rwlock_excludes_in_random_order_2(void)
{
    for (unsigned i = 0; i < 20; i++)
        readers_and_writers();
}

static void test_rwlock_readers_share(void)
{
    rwlock = (struct vm_rwlock){0};
    inside = readers = most_readers = 0;
    for (unsigned i = 0; i < 3; i++)
        sim_spawn("reader", read_locked, NULL);
    sim_run();
    assert_int_equal(most_readers, 3);
}

static void take_in_wrong_order(void)
{
    static struct vm_mutex page, cache;
    vm_mutex_lock(&page, VM_RANK_PAGE);
    vm_mutex_lock(&cache, VM_RANK_CACHE);
}

static void take_twice(void)
{
    static struct vm_mutex twice;
    vm_mutex_lock(&twice, VM_RANK_MAP);
    vm_mutex_lock(&twice, VM_RANK_MAP);
}

static void sleep_with_lock(void)
{
    static struct vm_mutex held;
    vm_mutex_lock(&held, VM_RANK_MAP);
    vm_assert_no_locks();
}

static void test_lock_order_is_checked(void)
{
    assert_panics(take_in_wrong_order, "under one of rank");
    assert_panics(take_twice, "taken twice");
    assert_panics(sleep_with_lock, "panic");
}

UNIT_MAIN("locks", TEST_ON(test_mutex_excludes, .cpus = 2),
          TEST_ON(test_mutex_excludes_who_looks_again, .cpus = 2),
          TEST(test_vm_mutex_lock_slow_looks_again), TEST(test_mutex_try_lock),
          TEST(test_rwlock_excludes), TEST_ON(test_rwlock_excludes_in_random_order_1, .seed = 4711),
          TEST_ON(test_rwlock_excludes_in_random_order_2, .seed = 99991),
          TEST(test_rwlock_readers_share), TEST(test_lock_order_is_checked))
