/* SPDX-License-Identifier: MIT */
/* A region that goes while its store is slow, and what meets it then. */
#include "support.h"

#include <pthread.h>
#include <unistd.h>

#define PAGES ((size_t)48)

static volatile unsigned char *at;
static struct test_store *store;
static const struct vm_store_ops *usual;
static uint32_t writing, may_write; /* the store is about to write; it may */
static unsigned calls;              /* of its write */
static unsigned failing_call;       /* 0: none */

static void wait_for(uint32_t *word)
{
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0)
        (void)host_wait(word, 0, VM_NO_DEADLINE, false);
}

static int write_when_told(vm_store *s, off_t offset, const addr_t *frames, size_t count,
                           size_t *done)
{
    set_word(&writing);
    wait_for(&may_write);
    return usual->write(s, offset, frames, count, done);
}

/* While the second cluster is written the program writes a page of the first. */
static int write_beside_program(vm_store *s, off_t offset, const addr_t *frames, size_t count,
                                size_t *done)
{
    if (++calls == 2)
        write_page(at, 3, 777);
    return calls == failing_call ? ERR_IO : usual->write(s, offset, frames, count, done);
}

/* A region of the store, all written, whose own write is this one. */
static void map_written(int (*write)(vm_store *, off_t, const addr_t *, size_t, size_t *))
{
    static struct vm_store_ops ops;
    store = store_create(PAGES);
    usual = store->store.ops;
    ops = *usual;
    ops.write = write;
    store->store.ops = &ops;
    at = map_store(store, 0);
    for (size_t i = 0; i < PAGES; i++)
        write_page(at, i, i + 100);
    alarm(20);
}

static void *unmap(void *result)
{
    *(int *)result = quire_unmap((void *)at);
    return NULL;
}

static void *stop(void *result)
{
    *(int *)result = quire_stop();
    return NULL;
}

static void check_written(void)
{
    assert_int_equal(store->destroyed, 1);
    for (size_t i = 0; i < PAGES; i++)
        assert_true(page_is(store->bytes, i, i + 100));
}

static void test_a_slow_store_of_an_unmapped_region_holds_up_nobody(void)
{
    pthread_t thread;
    void *copy;
    int result = -1;
    map_written(write_when_told);
    assert_int_equal(pthread_create(&thread, NULL, unmap, &result), 0);
    wait_for(&writing);
    volatile unsigned char *other = map_memory(10);
    write_page(other, 4, 44);
    OK(quire_snapshot((void *)other, &copy));
    OK(quire_unmap((void *)other));
    assert_true(page_is(copy, 4, 44));
    OK(quire_unmap(copy));
    set_word(&may_write);
    pthread_join(thread, NULL);
    OK(result);
    check_written();
}

static void test_a_region_that_is_being_unmapped_is_none(void)
{
    pthread_t thread;
    int result = -1;
    map_written(write_when_told);
    assert_int_equal(pthread_create(&thread, NULL, unmap, &result), 0);
    wait_for(&writing);
    assert_int_equal(quire_unmap((void *)at), ERR_VM_INVALID_REGION);
    assert_int_equal(quire_flush((void *)at, PAGE), ERR_VM_INVALID_REGION);
    assert_ptr_not_equal(map_memory(10), at); /* its addresses aren't free yet */
    set_word(&may_write);
    pthread_join(thread, NULL);
    OK(result);
    check_written();
}

/* Once quire_map is refused, quire_stop has the regions. */
static void test_quire_stop_waits_for_an_unmap(void)
{
    struct quire_mapping mapping = {.size = PAGE};
    pthread_t unmapper, stopper;
    int unmapped = -1, stopped = -1;
    void *address;
    map_written(write_when_told);
    assert_int_equal(pthread_create(&unmapper, NULL, unmap, &unmapped), 0);
    wait_for(&writing);
    assert_int_equal(pthread_create(&stopper, NULL, stop, &stopped), 0);
    while (quire_map(&mapping, &address) == VM_OK)
        OK(quire_unmap(address));
    assert_int_equal(__atomic_load_n(&stopped, __ATOMIC_RELAXED), -1);
    set_word(&may_write);
    pthread_join(unmapper, NULL);
    pthread_join(stopper, NULL);
    OK(unmapped);
    OK(stopped);
    check_written();
}

static void test_what_is_written_while_a_region_goes_is_in_its_store(void)
{
    map_written(write_beside_program);
    OK(quire_unmap((void *)at));
    assert_true(page_is(store->bytes, 3, 777));
    assert_true(page_is(store->bytes, 4, 104));
}

static void test_an_error_of_what_is_written_while_a_region_goes_is_said(void)
{
    failing_call = 1 + PAGES / 16;
    map_written(write_beside_program);
    assert_int_equal(quire_unmap((void *)at), ERR_IO);
    assert_int_equal(store->destroyed, 1);
}

/* Two at each, at once: one of them has it. */
#define ROUNDS 200

static volatile unsigned char *shared[ROUNDS];
static unsigned unmapped, refused;

static void *unmap_each(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < ROUNDS; i++) {
        int result = quire_unmap((void *)shared[i]);
        assert_true(result == VM_OK || result == ERR_VM_INVALID_REGION);
        __atomic_fetch_add(result == VM_OK ? &unmapped : &refused, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void test_two_who_unmap_one_region(void)
{
    pthread_t thread;
    struct test_store *stores[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        stores[i] = store_create(2);
        shared[i] = map_store(stores[i], 0);
        write_page(shared[i], 1, 5000 + i);
    }
    assert_int_equal(pthread_create(&thread, NULL, unmap_each, NULL), 0);
    unmap_each(NULL);
    pthread_join(thread, NULL);
    assert_int_equal(unmapped, ROUNDS);
    assert_int_equal(refused, ROUNDS);
    for (size_t i = 0; i < ROUNDS; i++) {
        assert_int_equal(stores[i]->destroyed, 1);
        assert_true(page_is(stores[i]->bytes, 1, 5000 + i));
    }
}

LINUX_MAIN(TEST_MODES(test_a_slow_store_of_an_unmapped_region_holds_up_nobody, .budget = 8 * MIB),
           TEST_MODES(test_a_region_that_is_being_unmapped_is_none, .budget = 8 * MIB),
           TEST_MODES(test_quire_stop_waits_for_an_unmap, .budget = 8 * MIB),
           TEST_MODES(test_what_is_written_while_a_region_goes_is_in_its_store, .budget = 8 * MIB),
           TEST_MODES(test_an_error_of_what_is_written_while_a_region_goes_is_said,
                      .budget = 8 * MIB),
           TEST_MODES(test_two_who_unmap_one_region, .budget = 8 * MIB, .daemons = 1))
