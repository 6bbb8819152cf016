/* SPDX-License-Identifier: MIT */
/* Regions over stores: what is read, written back, kept private, refused, and what errors do. */
#include "../../host/linux/linux.h"
#include "../../host/linux/uapi.h"

#include "support.h"

#include <time.h>

static void test_store_is_read(void)
{
    struct test_store *store = store_create(2000);
    volatile unsigned char *at = map_store(store, 0);
    for (size_t i = 0; i < 2000; i += 7)
        assert_true(page_is(at, i, i + 1));
}

static void test_store_gets_what_evicted_pages_held(void)
{
    struct test_store *store = store_create(8000);
    volatile unsigned char *at = map_store(store, 0);
    for (size_t i = 0; i < 8000; i++)
        write_page(at, i, i + 100);
    for (size_t i = 0; i < 8000; i++)
        assert_true(page_is(at, i, i + 100));
    assert_true(store->writes > 5000);
    OK(quire_unmap((void *)at));
    for (size_t i = 0; i < 8000; i++)
        assert_true(page_is(store->bytes, i, i + 100));
    assert_int_equal(store->destroyed, 1);
}

static void test_flush_writes_what_is_modified_and_no_more(void)
{
    struct test_store *store = store_create(100);
    volatile unsigned char *at = map_store(store, 0);
    write_page(at, 3, 70);
    write_page(at, 50, 71);
    OK(quire_flush((void *)at, 100 * PAGE));
    assert_int_equal(store->writes, 2);
    assert_true(page_is(store->bytes, 3, 70) && page_is(store->bytes, 50, 71));
    OK(quire_flush((void *)at, 100 * PAGE));
    assert_int_equal(store->writes, 2);
    write_page(at, 3, 72); /* after a flush a write is seen again */
    OK(quire_flush((void *)(at + 3 * PAGE), PAGE));
    assert_true(page_is(store->bytes, 3, 72));
}

static void test_private_region_leaves_the_store(void)
{
    struct test_store *store = store_create(3000);
    add_swap(4000);
    volatile unsigned char *at = map_store(store, QUIRE_PRIVATE);
    for (size_t i = 0; i < 3000; i++)
        at[i * PAGE] = 200;
    for (size_t i = 0; i < 3000; i++) {
        assert_int_equal(at[i * PAGE], 200);
        assert_int_equal(at[i * PAGE + 9], (unsigned char)((i + 1) >> 8));
    }
    OK(quire_unmap((void *)at));
    assert_int_equal(store->writes, 0);
    for (size_t i = 0; i < 3000; i++)
        assert_true(page_is(store->bytes, i, i + 1));
}

static void test_read_only_region_refuses_writes(void)
{
    struct test_store *store = store_create(4);
    volatile unsigned char *at = map_store(store, QUIRE_READ_ONLY);
    assert_int_equal(caught_write(at + PAGE), SIGSEGV);
    assert_ptr_equal(caught_at, at + PAGE);
    assert_true(page_is(at, 1, 2));
    assert_int_equal(quire_protect((void *)at, PAGE, true), ERR_PERMISSION_DENIED);
}

static void test_store_that_is_shorter_than_its_region(void)
{
    struct test_store *store = store_create(4);
    struct quire_mapping mapping = {.store = &store->store, .size = 6 * PAGE, .granule = PAGE};
    void *address;
    OK(quire_map(&mapping, &address));
    assert_true(page_is(address, 3, 4));
    assert_int_equal(caught_read((char *)address + 4 * PAGE + 8), SIGBUS);
    assert_int_equal(caught_read((char *)address + 5 * PAGE), SIGBUS);
}

static void test_error_of_a_read_is_sigbus_there(void)
{
    struct test_store *store = store_create(10);
    volatile unsigned char *at = map_store(store, 0);
    store->bad_page = 5;
    assert_true(page_is(at, 4, 5));
    assert_int_equal(caught_read(at + 5 * PAGE + 123), SIGBUS);
    assert_ptr_equal((size_t)caught_at / PAGE, (size_t)at / PAGE + 5);
    assert_true(page_is(at, 6, 7));
    assert_true(figures().read_errors > 0);
}

static void test_error_of_a_read_ends_with_the_error(void)
{
    struct test_store *store = store_create(10);
    volatile unsigned char *at = map_store(store, 0);
    store->bad_page = 5;
    assert_int_equal(quire_populate((void *)(at + 5 * PAGE), PAGE, false), ERR_IO);
    assert_int_equal(caught_read(at + 5 * PAGE), SIGBUS);
    store->bad_page = -1;
    OK(quire_populate((void *)(at + 5 * PAGE), PAGE, false));
    assert_true(page_is(at, 5, 6));
}

static void test_error_of_a_page_that_is_read_ahead_is_its_own(void)
{
    for (size_t granule = 4 * PAGE; granule <= MIB; granule *= 16) {
        struct test_store *store = store_create(600);
        struct quire_mapping mapping = {
            .store = &store->store, .size = 600 * PAGE, .granule = granule};
        void *address;
        OK(quire_map(&mapping, &address));
        store->bad_page = 37;
        for (size_t i = 0; i < 600; i++)
            if (i == 37)
                assert_int_equal(caught_read((char *)address + i * PAGE), SIGBUS);
            else
                assert_true(page_is(address, i, i + 1));
        OK(quire_unmap(address));
        store_free(store);
    }
}

static volatile unsigned char *map_policy(struct test_store *store, struct quire_policy policy)
{
    struct quire_mapping mapping = {
        .store = &store->store, .size = store->pages * PAGE, .granule = PAGE, .policy = policy};
    void *address;
    OK(quire_map(&mapping, &address));
    return address;
}

static void test_policy_retry(void)
{
    struct test_store *store = store_create(10);
    struct quire_policy policy = {.on_error = QUIRE_ON_ERROR_RETRY, .retries = 5, .pause_ms = 1};
    volatile unsigned char *at = map_policy(store, policy);
    store->fail_reads = 3;
    assert_true(page_is(at, 2, 3));
    store->bad_page = 4;
    assert_int_equal(caught_read(at + 4 * PAGE), SIGBUS);
}

static void test_policy_poison(void)
{
    struct test_store *store = store_create(10);
    struct quire_policy policy = {.on_error = QUIRE_ON_ERROR_POISON};
    volatile unsigned char *at = map_policy(store, policy);
    store->bad_page = 4;
    assert_true(page_is(at, 4, 0));
    assert_true(page_is(at, 5, 6));
    assert_int_equal(figures().poisoned, 1);
}

static struct {
    unsigned calls;
    off_t offset;
    int error;
} asked;

static enum quire_on_error ask(void *argument, off_t offset, int error)
{
    assert_ptr_equal(argument, &asked);
    asked.calls++;
    asked.offset = offset;
    asked.error = error;
    return asked.calls < 3 ? QUIRE_ON_ERROR_RETRY : QUIRE_ON_ERROR_POISON;
}

static void test_policy_ask(void)
{
    struct test_store *store = store_create(10);
    struct quire_policy policy = {.on_error = QUIRE_ON_ERROR_ASK, .ask = ask, .argument = &asked};
    volatile unsigned char *at = map_policy(store, policy);
    store->bad_page = 4;
    assert_true(page_is(at, 4, 0));
    assert_int_equal(asked.calls, 3);
    assert_int_equal(asked.offset, 4 * PAGE);
    assert_int_equal(asked.error, ERR_IO);
}

/* What can't be written stays, and is there again when it can. */
static void test_error_of_a_write_loses_nothing(void)
{
    struct test_store *store = store_create(100);
    volatile unsigned char *at = map_store(store, 0);
    for (size_t i = 0; i < 100; i++)
        write_page(at, i, i + 500);
    store->fail_writes = 2; /* a cluster's, and its first page's by itself */
    assert_int_equal(quire_flush((void *)at, 100 * PAGE), ERR_IO);
    assert_true(page_is(store->bytes, 0, 1));
    for (size_t i = 1; i < 100; i++)
        assert_true(page_is(store->bytes, i, i + 500));
    OK(quire_flush((void *)at, 100 * PAGE));
    for (size_t i = 0; i < 100; i++)
        assert_true(page_is(store->bytes, i, i + 500));
    write_page(at, 0, 1);
    store->fail_writes = 1;
    assert_int_equal(quire_unmap((void *)at), ERR_IO);
    assert_int_equal(figures().regions, 0);
}

static void test_granules(void)
{
    for (size_t granule = PAGE; granule <= 2 * MIB; granule *= 8) {
        struct test_store *store = store_create(1024);
        struct quire_mapping mapping = {
            .store = &store->store, .size = 1024 * PAGE, .granule = granule};
        void *address;
        OK(quire_map(&mapping, &address));
        assert_true(page_is(address, 512, 513));
        size_t expected = granule / PAGE;
        assert_true(store->reads >= expected);
        assert_true(store->reads <= expected + 15);
        for (size_t i = 0; i < 1024; i++)
            assert_true(page_is(address, i, i + 1));
        assert_int_equal(store->reads, 1024);
        OK(quire_unmap(address));
        store_free(store);
    }
}

/* ---- promises ---- */

#define ROOM ((off_t)(10 * PAGE))

static int promise(vm_store *store, off_t size)
{
    if (size > ROOM)
        return ERR_VM_WOULD_OVERCOMMIT;
    store->committed_size = size;
    return VM_OK;
}

/* Of 20 pages, with room for 10. */
static struct test_store *promising(void)
{
    struct test_store *store = store_create(20);
    struct vm_store_ops *ops = malloc(sizeof *ops);
    assert_non_null(ops);
    *ops = *store->store.ops;
    ops->commit = promise;
    store->store.ops = ops;
    return store;
}

static int map_pages(struct test_store *store, size_t pages, unsigned flags, void **address)
{
    struct quire_mapping mapping = {.store = &store->store, .size = pages * PAGE, .flags = flags};
    return quire_map(&mapping, address);
}

static void test_store_promises_what_a_region_may_write(void)
{
    struct test_store *store = promising();
    void *address;
    assert_int_equal(map_pages(store, 11, 0, &address), ERR_VM_WOULD_OVERCOMMIT);
    assert_int_equal(store->store.committed_size, 0);
    assert_int_equal(store->destroyed, 0);
    OK(map_pages(store, 10, 0, &address));
    assert_int_equal(store->store.committed_size, 10 * PAGE);
    OK(quire_unmap(address));
    assert_int_equal(store->store.committed_size, 0);
    assert_int_equal(store->destroyed, 1);
    OK(map_pages(store, 20, QUIRE_READ_ONLY, &address));
    assert_int_equal(store->store.committed_size, 0);
}

static void test_store_keeps_what_it_has_promised_before(void)
{
    struct test_store *store = promising();
    void *address;
    store->store.committed_size = 3 * PAGE;
    OK(map_pages(store, 7, 0, &address));
    assert_int_equal(store->store.committed_size, 7 * PAGE);
    OK(quire_unmap(address));
    assert_int_equal(store->store.committed_size, 3 * PAGE);
}

static void test_store_promises_no_more_than_it_has(void)
{
    struct test_store *store = promising();
    void *address;
    store->pages = 10;
    OK(map_pages(store, 20, 0, &address));
    assert_int_equal(store->store.committed_size, 10 * PAGE);
}

static void test_swap_promises_its_pages(void)
{
    struct test_store *store = promising();
    assert_int_equal(quire_add_swap(&store->store, 20, "swap"), ERR_VM_WOULD_OVERCOMMIT);
    assert_int_equal(store->destroyed, 0);
    OK(quire_add_swap(&store->store, 10, "swap"));
    assert_int_equal(store->store.committed_size, 10 * PAGE);
}

static void test_overcommit_asks_for_no_promise(void)
{
    void *address;
    OK(map_pages(promising(), 20, 0, &address));
    OK(quire_add_swap(&promising()->store, 20, "swap"));
}

static uint32_t references;

static void count_taken(vm_store *store)
{
    (void)store;
    references++;
}

static void count_given_back(vm_store *store)
{
    (void)store;
    references--;
}

static void test_store_hears_of_references(void)
{
    static struct vm_store_ops ops;
    struct test_store *store = store_create(4);
    void *address;
    ops = *store->store.ops;
    ops.acquire_ref = count_taken;
    ops.release_ref = count_given_back;
    store->store.ops = &ops;
    OK(map_pages(store, 4, 0, &address));
    assert_true(references > 0);
    OK(quire_unmap(address));
    assert_int_equal(references, 0);
}

static void test_map_arguments(void)
{
    struct test_store *store = store_create(4);
    void *address;
    const struct quire_mapping wrong[] = {
        {.size = 0},
        {.size = PAGE, .offset = 4096},
        {.size = PAGE, .flags = QUIRE_READ_ONLY},
        {.size = PAGE, .flags = 4},
        {.size = PAGE, .granule = 3 * PAGE},
        {.size = PAGE, .granule = 1024},
        {.size = PAGE, .granule = 4 * MIB},
        {.size = PAGE, .limit = PAGE},
        {.size = PAGE, .store = &store->store, .offset = 77},
        {.size = PAGE, .store = &store->store, .offset = -4096},
        {.size = SIZE_MAX},
        {.size = 2 * PAGE, .store = &store->store, .offset = INT64_MAX - 4095},
        {.size = PAGE, .store = &store->store, .offset = INT64_MAX - 4095},
        {.size = PAGE, .policy = {.on_error = QUIRE_ON_ERROR_ASK}},
        {.size = PAGE, .policy = {.on_error = (enum quire_on_error)9}},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(quire_map(&wrong[i], &address), ERR_INVALID_ARGS);
    assert_int_equal(quire_map(NULL, &address), ERR_INVALID_ARGS);
    assert_int_equal(quire_map(&(struct quire_mapping){.size = PAGE}, NULL), ERR_INVALID_ARGS);
    assert_int_equal(quire_unmap((void *)store->bytes), ERR_VM_INVALID_REGION);
    assert_int_equal(store->destroyed, 0);
    assert_int_equal(quire_map(&(struct quire_mapping){.size = (size_t)1 << 41}, &address),
                     ERR_VM_NO_REGION_SLOT);
}

static void test_store_is_in_one_mapping_at_a_time(void)
{
    struct test_store *store = store_create(4);
    const struct quire_mapping mapping = {.store = &store->store, .size = 4 * PAGE},
                               other = {.store = &store->store, .size = PAGE, .offset = PAGE};
    void *address, *second;
    OK(quire_map(&mapping, &address));
    assert_int_equal(quire_map(&mapping, &second), ERR_INVALID_ARGS);
    assert_int_equal(quire_map(&other, &second), ERR_INVALID_ARGS);
    assert_int_equal(quire_add_swap(&store->store, 4, "mapped"), ERR_INVALID_ARGS);
    assert_int_equal(store->destroyed, 0);
    write_page(address, 3, 9);
    OK(quire_unmap(address));
    assert_int_equal(store->destroyed, 1);
    assert_true(page_is(store->bytes, 3, 9));
    OK(quire_map(&mapping, &address)); /* it is the test's own memory, and still good */
    OK(quire_unmap(address));
    assert_int_equal(store->destroyed, 2);
}

static void test_store_without_write_is_not_mapped_to_be_written(void)
{
    struct test_store *store = store_create(4);
    struct vm_store_ops ops = *store->store.ops;
    struct quire_mapping mapping = {.store = &store->store, .size = 4 * PAGE};
    void *address;
    ops.write = NULL;
    store->store.ops = &ops;
    assert_int_equal(quire_map(&mapping, &address), ERR_PERMISSION_DENIED);
    assert_int_equal(store->destroyed, 0);
    mapping.flags = QUIRE_PRIVATE;
    OK(quire_map(&mapping, &address));
    write_page(address, 3, 9);
    OK(quire_unmap(address));
    assert_int_equal(store->destroyed, 1);
}

static void test_write_of_an_evicted_page_that_cannot_be_read_again(void)
{
    struct test_store *store = store_create(10);
    volatile unsigned char *at = map_store(store, 0);
    assert_true(page_is(at, 5, 6));
    OK(quire_evict((void *)(at + 5 * PAGE), PAGE));
    store->bad_page = 5;
    alarm(20);
    assert_int_equal(caught_write(at + 5 * PAGE), SIGBUS);
    store->bad_page = -1;
    OK(quire_populate((void *)(at + 5 * PAGE), PAGE, false));
    assert_true(page_is(at, 5, 6));
}

/* ---- errors that end ---- */

static const struct timespec a_while = {0, 200 * 1000000L};

static void test_page_that_can_be_read_again_is_read_again(void)
{
    struct test_store *store = store_create(100);
    volatile unsigned char *at = map_store(store, 0);
    store->bad_page = 5;
    assert_int_equal(caught_read(at + 5 * PAGE), SIGBUS);
    nanosleep(&a_while, NULL);
    assert_int_equal(caught_write(at + 5 * PAGE), SIGBUS);
    store->bad_page = -1;
    nanosleep(&a_while, NULL);
    assert_int_equal(caught_read(at + 5 * PAGE), 0);
    assert_true(page_is(at, 5, 6));
    write_page(at, 5, 7);
    assert_true(page_is(at, 5, 7));
}

/* More than are remembered. */
static void test_many_pages_that_can_be_read_again(void)
{
    struct test_store *store = store_create(200);
    volatile unsigned char *at = map_store(store, 0);
    store->fail_reads = UINT32_MAX;
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(caught_read(at + i * PAGE), SIGBUS);
    store->fail_reads = 0;
    nanosleep(&a_while, NULL);
    for (size_t i = 0; i < 200; i++)
        assert_true(page_is(at, i, i + 1));
}

/* What became of the page meanwhile stays. */
static void test_bad_page_that_was_populated_or_unmapped(void)
{
    struct test_store *store = store_create(10);
    volatile unsigned char *at = map_store(store, 0);
    store->fail_reads = UINT32_MAX;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(caught_read(at + i * PAGE), SIGBUS);
    store->fail_reads = 0;
    OK(quire_populate((void *)at, PAGE, true));
    write_page(at, 0, 70);
    nanosleep(&a_while, NULL);
    assert_true(page_is(at, 0, 70));
    store->fail_reads = UINT32_MAX;
    assert_int_equal(caught_read(at + 2 * PAGE), SIGBUS);
    OK(quire_unmap((void *)at));
    volatile unsigned char *again = map_memory(10);
    assert_ptr_equal(again, at);
    assert_true(page_is(again, 2, 0));
    nanosleep(&a_while, NULL);
    assert_true(page_is(again, 2, 0));
}

/* Before Linux 6.6. */
static void test_errors_where_linux_cannot_poison(void)
{
    struct test_store *store = store_create(10);
    volatile unsigned char *at = map_store(store, 0);
    process.features[QUIRE_MODE_HANDLER] &= ~QU_FEATURE_POISON;
    OK(quire_protect((void *)(at + 6 * PAGE), PAGE, false));
    store->fail_reads = UINT32_MAX;
    assert_int_equal(caught_read(at + 5 * PAGE), SIGSEGV);
    assert_int_equal(caught_read(at + 6 * PAGE), SIGSEGV);
    store->fail_reads = 0;
    nanosleep(&a_while, NULL);
    assert_true(page_is(at, 5, 6) && page_is(at, 6, 7));
    assert_int_equal(caught_write(at + 5 * PAGE), 0);
    assert_int_equal(caught_write(at + 6 * PAGE), SIGSEGV);
}

/* Whoever frees what his store needs, once quire_unmap has returned, may do so. */
static void test_unmap_destroys_a_store_that_a_daemon_is_using(void)
{
    for (int round = 0; round < 100; round++) {
        struct test_store *store = store_create(500);
        volatile unsigned char *at = map_store(store, 0);
        for (size_t i = 0; i < 500 - (size_t)round % 100; i++)
            (void)at[i * PAGE];
        OK(quire_unmap((void *)at));
        assert_int_equal(__atomic_load_n(&store->destroyed, __ATOMIC_ACQUIRE), 1);
        store_free(store);
    }
}

LINUX_MAIN(
    TEST_MODES(test_unmap_destroys_a_store_that_a_daemon_is_using, .budget = 2 * MIB, .daemons = 2),
    TEST_MODES(test_page_that_can_be_read_again_is_read_again, .budget = 8 * MIB),
    TEST_MODES(test_many_pages_that_can_be_read_again, .budget = 8 * MIB),
    TEST_MODES(test_bad_page_that_was_populated_or_unmapped, .budget = 8 * MIB),
    TEST_WITH(test_errors_where_linux_cannot_poison, .budget = 8 * MIB, .mode = QUIRE_MODE_HANDLER),
    TEST_MODES(test_write_of_an_evicted_page_that_cannot_be_read_again, .budget = 8 * MIB),
    TEST_MODES(test_store_is_read, .budget = 4 * MIB),
    TEST_MODES(test_store_gets_what_evicted_pages_held, .budget = 4 * MIB),
    TEST(test_flush_writes_what_is_modified_and_no_more),
    TEST_WITH(test_private_region_leaves_the_store, .budget = 4 * MIB),
    TEST_MODES(test_read_only_region_refuses_writes, .budget = 4 * MIB),
    TEST_MODES(test_store_that_is_shorter_than_its_region, .budget = 4 * MIB),
    TEST_MODES(test_error_of_a_read_is_sigbus_there, .budget = 4 * MIB),
    TEST_MODES(test_error_of_a_read_ends_with_the_error, .budget = 4 * MIB),
    TEST(test_error_of_a_page_that_is_read_ahead_is_its_own), TEST(test_policy_retry),
    TEST(test_policy_poison), TEST(test_policy_ask), TEST(test_error_of_a_write_loses_nothing),
    TEST_WITH(test_granules, .budget = 32 * MIB), TEST(test_store_promises_what_a_region_may_write),
    TEST(test_store_keeps_what_it_has_promised_before),
    TEST(test_store_promises_no_more_than_it_has), TEST(test_swap_promises_its_pages),
    TEST_WITH(test_overcommit_asks_for_no_promise, .budget = 2 * MIB, .overcommit = true),
    TEST(test_store_hears_of_references), TEST(test_map_arguments),
    TEST(test_store_without_write_is_not_mapped_to_be_written),
    TEST(test_store_is_in_one_mapping_at_a_time))
