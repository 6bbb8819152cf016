/* SPDX-License-Identifier: MIT */
/* The store in memory. */
#define _GNU_SOURCE
#include "faults.h"
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#define HUGE ((size_t)1 << 24) /* pages: 64 GB */

static size_t resident(void)
{
    size_t all = 0, now = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%zu %zu", &all, &now), 2);
    fclose(file);
    return now;
}

static void test_it_is_sparse_and_gives_back(void **state)
{
    vm_store *store = make_memory(HUGE);
    (void)state;
    assert_int_equal(store->ops->size(store), PAGES(HUGE));
    size_t before = resident();
    OK(store_put(store, HUGE - 1, 7));
    for (size_t i = 0; i < 2000; i++)
        OK(store_put(store, 1000 * i, i + 1));
    assert_int_equal(vm_store_memory_pages(store), 2001);
    assert_true(resident() > before + 1900);
    OK(store_check(store, HUGE - 1, 7));
    OK(store_check(store, 1999 * 1000, 2000));
    OK(store_check_zero(store, 5));
    assert_int_equal(vm_store_memory_pages(store), 2001);
    store->ops->discard(store, 0, HUGE / 2);
    assert_int_equal(vm_store_memory_pages(store), 1);
#if !defined(__SANITIZE_THREAD__) /* whose own memory stays */
    assert_true(resident() < before + 1200);
#endif
    OK(store_check_zero(store, 1000));
    assert_false(store->ops->has_page(store, PAGES(1000)));
    assert_true(store->ops->has_page(store, PAGES(HUGE - 1)));
    store_end(store);
}

static void test_pages_behind_the_end(void **state)
{
    vm_store *store = make_memory(4);
    (void)state;
    assert_int_equal(store_put(store, 4, 1), ERR_VM_PF_PAST_END);
    assert_int_equal(store_check(store, 4, 1), ERR_VM_PF_PAST_END);
    assert_false(store->ops->has_page(store, PAGES(4)));
    OK(store_put(store, 3, 1));
    store->ops->discard(store, PAGES(4), 1);
    store->ops->discard(store, 1, 9);
    OK(store_check(store, 3, 1));
    store->ops->discard(store, PAGES(2), 9);
    OK(store_check_zero(store, 3));
    store_end(store);
}

static void test_vm_store_create_memory_refuses(void **state)
{
    vm_store *store = NULL;
    (void)state;
    assert_int_equal(vm_store_create_memory(0, &store), ERR_INVALID_ARGS);
    assert_int_equal(vm_store_create_memory(SIZE_MAX, &store), ERR_INVALID_ARGS);
    assert_int_equal(vm_store_create_memory(1, NULL), ERR_INVALID_ARGS);
    assert_int_equal(vm_store_create_memory((size_t)1 << 40, &store), ERR_NO_MEMORY);
    assert_null(store);
    for (unsigned n = 1; n <= 3; n++) {
        faults_at(NULL, n, false, ENOMEM);
        assert_int_equal(vm_store_create_memory(4, &store), ERR_NO_MEMORY);
        assert_null(store);
    }
    faults_at(NULL, 4, false, ENOMEM);
    OK(vm_store_create_memory(4, &store));
    assert_int_equal(faults_seen(), 3);
    faults_none();
    store_end(store);
}

/* Linux doesn't take the memory back: nothing else is wrong. */
static void test_memory_that_is_not_given_back(void **state)
{
    vm_store *store = make_memory(4);
    (void)state;
    OK(store_put(store, 1, 9));
    faults_at("madvise", 1, true, EINVAL);
    store->ops->discard(store, 0, 4);
    assert_int_equal(faults_seen(), 1);
    faults_none();
    OK(store_check_zero(store, 1));
    assert_int_equal(vm_store_memory_pages(store), 0);
    store_end(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_sparse_and_gives_back),
        cmocka_unit_test(test_pages_behind_the_end),
        cmocka_unit_test(test_vm_store_create_memory_refuses),
        cmocka_unit_test(test_memory_that_is_not_given_back),
    };
    return cmocka_run_group_tests_name("the store in memory", tests, NULL, NULL);
}
