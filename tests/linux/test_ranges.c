/* SPDX-License-Identifier: MIT */
/* Parts of regions: protected, populated, pinned, evicted, limited; and which pages have changed. */
#include "../../host/linux/linux.h"

#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

static void test_protect_refuses_writes_and_allows_them_again(void)
{
    volatile unsigned char *at = map_memory(4);
    at[PAGE] = 1;
    OK(quire_protect((void *)(at + PAGE), PAGE, false));
    assert_int_equal(caught_write(at + PAGE), SIGSEGV);
    at[2 * PAGE] = 2;
    OK(quire_protect((void *)(at + PAGE), PAGE, true));
    at[PAGE] += 1;
    assert_int_equal(at[PAGE], 2);
}

static int fill_by_read(volatile unsigned char *at, size_t size)
{
    int fd = open("/dev/zero", O_RDONLY);
    ssize_t got = read(fd, (void *)at, size);
    int saved = got < 0 ? errno : got == (ssize_t)size ? 0 : -1;
    close(fd);
    return saved;
}

static void test_system_calls_need_populated_pages(void)
{
    volatile unsigned char *at = map_memory(16);
    assert_int_equal(fill_by_read(at, 8 * PAGE), EFAULT);
    OK(quire_populate((void *)at, 8 * PAGE, true));
    assert_int_equal(fill_by_read(at, 8 * PAGE), 0);
}

static void test_system_calls_may_use_any_page(void)
{
    struct test_store *store = store_create(3000);
    volatile unsigned char *at = map_store(store, 0);
    int to = memfd_create("copy", 0);
    assert_int_equal(write(to, (const void *)at, 3000 * PAGE), 3000 * PAGE);
    assert_int_equal(fill_by_read(at, 3000 * PAGE), 0);
    for (size_t i = 0; i < 3000; i += 100) {
        uint64_t word;
        assert_int_equal(pread(to, &word, 8, (off_t)(i * PAGE + 80)), 8);
        assert_int_equal(word, i + 1);
        assert_true(page_is(at, i, 0));
    }
    OK(quire_flush((void *)at, 3000 * PAGE));
    assert_true(page_is(store->bytes, 2999, 0));
}

static void test_populate_shows_all_pages(void)
{
    struct test_store *store = store_create(100);
    volatile unsigned char *at = map_store(store, 0);
    OK(quire_populate((void *)at, 100 * PAGE, false));
    uint64_t before = figures().faults;
    for (size_t i = 0; i < 100; i++)
        assert_true(page_is(at, i, i + 1));
    assert_int_equal(figures().faults, before);
    assert_int_equal(store->reads, 100);
}

static void test_prefetch_reads_so_that_faults_need_not(void)
{
    struct test_store *store = store_create(64);
    volatile unsigned char *at = map_store(store, 0);
    OK(quire_prefetch((void *)at, 64 * PAGE));
    assert_int_equal(store->reads, 64);
    assert_true(page_is(at, 63, 64));
    assert_int_equal(store->reads, 64);
}

/* System calls may use pinned pages, whatever else happens. */
static void test_pinned_pages_stay(void)
{
    struct test_store *store = store_create(100), *other = store_create(4000);
    volatile unsigned char *at = map_store(store, 0), *more = map_store(other, 0);
    OK(quire_pin((void *)at, 50 * PAGE));
    for (size_t i = 0; i < 4000; i++)
        assert_true(page_is(more, i, i + 1));
    assert_int_equal(store->reads, 50);
    assert_int_equal(fill_by_read(at, 50 * PAGE), 0);
    assert_int_equal(quire_evict((void *)at, 50 * PAGE), ERR_INVALID_ARGS);
    OK(quire_unpin((void *)at, 50 * PAGE));
    OK(quire_flush((void *)at, 50 * PAGE));
    assert_true(page_is(store->bytes, 49, 0));
    assert_int_equal(quire_pin((void *)more, 4000 * PAGE), ERR_NO_MEMORY);
}

static void test_evict_writes_and_frees(void)
{
    struct test_store *store = store_create(100);
    volatile unsigned char *at = map_store(store, 0);
    for (size_t i = 0; i < 100; i++)
        write_page(at, i, i + 9);
    size_t before = figures().free_frames;
    OK(quire_evict((void *)at, 100 * PAGE));
    assert_true(figures().free_frames >= before + 100);
    assert_true(page_is(store->bytes, 99, 108));
    for (size_t i = 0; i < 100; i++)
        assert_true(page_is(at, i, i + 9));
}

static void test_advise_free_forgets_or_keeps(void)
{
    volatile unsigned char *at = map_memory(10);
    for (size_t i = 0; i < 10; i++)
        write_page(at, i, 3);
    OK(quire_advise((void *)at, 10 * PAGE, VM_ADVICE_FREE));
    for (size_t i = 0; i < 10; i++)
        assert_true(at[i * PAGE] == 3 || at[i * PAGE] == 0);
    write_page(at, 4, 5);
    OK(quire_evict((void *)at, PAGE));
    assert_true(page_is(at, 4, 5));
    assert_int_equal(quire_advise((void *)at, 10 * PAGE, 99), ERR_INVALID_ARGS);
}

static size_t changes(volatile unsigned char *at, unsigned char *changed, size_t pages)
{
    size_t sum = 0;
    OK(quire_changed((void *)at, pages * PAGE, changed));
    for (size_t i = 0; i < pages; i++)
        sum += changed[i];
    return sum;
}

static void test_changed_says_what_was_written_since(void)
{
    static unsigned char changed[1000];
    add_swap(3000);
    volatile unsigned char *at = map_memory(1000);
    assert_int_equal(changes(at, changed, 1000), 0);
    for (size_t i = 0; i < 1000; i += 10)
        at[i * PAGE] = 1;
    (void)at[PAGE];
    assert_int_equal(changes(at, changed, 1000), 100);
    assert_true(changed[10] && !changed[1] && changed[990]);
    assert_int_equal(changes(at, changed, 1000), 0);
    at[10 * PAGE] = 2; /* in memory still, and writable by the core's tables */
    assert_int_equal(changes(at, changed, 20), 1);
    assert_true(changed[10]);
    at[10 * PAGE] = 3;
    OK(quire_evict((void *)at, 1000 * PAGE)); /* leaves memory, but not what is known of it */
    assert_int_equal(changes(at, changed, 20), 1);
    assert_int_equal(quire_changed((void *)at, PAGE, NULL), ERR_INVALID_ARGS);
}

static void test_changed_is_not_what_was_only_read(void)
{
    static unsigned char changed[100];
    add_swap(300);
    volatile unsigned char *at = map_memory(100);
    for (size_t i = 0; i < 100; i++)
        write_page(at, i, 1);
    assert_int_equal(changes(at, changed, 100), 100);
    OK(quire_populate((void *)at, 100 * PAGE, false));
    assert_int_equal(changes(at, changed, 100), 0);
    OK(quire_evict((void *)at, 100 * PAGE));
    for (size_t i = 0; i < 100; i++)
        assert_true(page_is(at, i, 1));
    assert_int_equal(changes(at, changed, 100), 0);
    OK(quire_populate((void *)at, 100 * PAGE, false));
    write_page(at, 7, 2);
    assert_int_equal(changes(at, changed, 100), 1);
    assert_true(changed[7]);
    OK(quire_populate((void *)at, PAGE, true));
    assert_int_equal(changes(at, changed, 100), 1);
}

static void test_changed_begins_anew_with_a_region(void)
{
    unsigned char changed[4];
    volatile unsigned char *at = map_memory(4);
    at[0] = 1;
    OK(quire_unmap((void *)at));
    volatile unsigned char *again = map_memory(4);
    assert_ptr_equal(again, at);
    assert_int_equal(changes(again, changed, 4), 0);
    assert_true(page_is(again, 0, 0));
}

static size_t resident_of(volatile unsigned char *at, size_t pages)
{
    size_t count = 0;
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[256];
    bool inside = false;
    while (fgets(line, sizeof line, maps)) {
        unsigned long first, end, kib;
        if (sscanf(line, "%lx-%lx ", &first, &end) == 2)
            inside = first >= (size_t)at && end <= (size_t)at + pages * PAGE;
        else if (inside && sscanf(line, "Rss: %lu", &kib) == 1)
            count += kib / 4;
    }
    fclose(maps);
    return count;
}

static void test_limit_of_a_region(void)
{
    struct test_store *store = store_create(2000);
    struct quire_mapping mapping = {
        .store = &store->store, .size = 2000 * PAGE, .granule = PAGE, .limit = 200 * PAGE};
    void *address;
    OK(quire_map(&mapping, &address));
    volatile unsigned char *at = address, *other = map_memory(300);
    for (size_t i = 0; i < 300; i++)
        write_page(other, i, i);
    for (size_t i = 0; i < 2000; i++) {
        write_page(at, i, i + 5);
        if (i % 100 == 99)
            assert_true(resident_of(at, 2000) <= 200 + 64); /* and what is to be dropped yet */
    }
    for (size_t i = 0; i < 2000; i++)
        assert_true(page_is(at, i, i + 5));
    assert_int_equal(resident_of(other, 300), 300);
    OK(quire_set_limit(address, 0));
    for (size_t i = 0; i < 1000; i++)
        assert_true(page_is(at, i, i + 5));
    assert_true(resident_of(at, 2000) > 900);
    assert_int_equal(quire_set_limit(address, PAGE), ERR_INVALID_ARGS);
}

static volatile unsigned char *limited;
static uint32_t stop;

#define LIMITED_PAGES 4096

static void *use_at_random(void *seed)
{
    for (uint64_t random = (uintptr_t)seed; !__atomic_load_n(&stop, __ATOMIC_RELAXED);) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        __atomic_store_n(&limited[(random >> 33) % LIMITED_PAGES * PAGE], 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static size_t resident_in_core(const volatile unsigned char *at, size_t pages)
{
    static uint8_t resident[LIMITED_PAGES];
    size_t count = 0;
    OK(vm_get_residency(process.aid, (addr_t)at, pages * PAGE, resident));
    for (size_t i = 0; i < pages; i++)
        count += resident[i];
    return count;
}

/* Threads that bring pages wait for the one that evicts. Each may bring a cluster before it looks. */
static void test_limit_of_a_region_with_threads(void)
{
    pthread_t threads[8];
    struct test_store *swap = swap_create(LIMITED_PAGES * 2);
    struct quire_mapping mapping = {.size = LIMITED_PAGES * PAGE, .limit = 64 * PAGE};
    void *address;
    swap->delay_us = 100;
    OK(quire_add_swap(&swap->store, LIMITED_PAGES * 2, "swap"));
    OK(quire_map(&mapping, &address));
    limited = address;
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_at_random, (void *)(i + 1)), 0);
    for (unsigned i = 0; i < 30; i++) {
        usleep(50000);
        assert_true(resident_in_core(limited, LIMITED_PAGES) <= 64 + 9 * 16);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void test_quire_pin_of_protected_pages(void)
{
    volatile unsigned char *at = map_memory(8);
    write_page(at, 0, 3);
    OK(quire_protect((void *)at, PAGE, false));
    OK(quire_pin((void *)at, 2 * PAGE));
    assert_true(figures().wired > 0);
    assert_true(page_is(at, 0, 3));
    assert_int_equal(caught_write(at), SIGSEGV);
    assert_int_equal(caught_write(at + PAGE), 0);
    OK(quire_unpin((void *)at, 2 * PAGE));
}

/* What was promised can be used, whatever others have pinned. */
static void test_quire_pin_beside_promised_structures(void)
{
    enum { NODES = 6000, NODE = 64 };
    add_swap((size_t)NODES * NODE + 2000);
    struct quire_mapping mapping = {.size = (size_t)NODES * NODE * PAGE, .granule = PAGE};
    void *address;
    OK(quire_map(&mapping, &address));
    volatile unsigned char *at = address, *other = map_memory(5 * MIB / PAGE);
    size_t pinned = 0;
    while (pinned < 5 * MIB / PAGE && quire_pin((char *)other + pinned * PAGE, PAGE) == VM_OK)
        pinned++;
    assert_true(pinned > 0);
    for (size_t i = 0; i < NODES; i++)
        assert_int_equal(caught_write(at + i * NODE * PAGE), 0);
}

/* Whatever the hand of the eviction has passed, the page of a fault isn't what must go for it. */
static void test_limit_of_a_region_with_more_pinned_pages(void)
{
    struct test_store *store = store_create(400);
    struct quire_mapping mapping = {.store = &store->store, .size = 400 * PAGE, .limit = 64 * PAGE};
    void *address;
    OK(quire_map(&mapping, &address));
    OK(quire_pin((char *)address + 64 * PAGE, 128 * PAGE));
    alarm(20);
    for (size_t i = 0; i < 1200; i++)
        assert_true(page_is(address, i * 7 % 400, i * 7 % 400 + 1));
    assert_true(resident_of(address, 400) <= 128 + 64 + 64); /* and what is to be dropped yet */
    OK(quire_unpin((char *)address + 64 * PAGE, 128 * PAGE));
    for (size_t i = 0; i < 400; i++)
        assert_true(page_is(address, i, i + 1));
    assert_true(resident_of(address, 400) <= 64 + 64);
}

static void test_granule_that_is_as_large_as_the_limit(void)
{
    struct test_store *store = store_create(2048);
    struct quire_mapping mapping = {
        .store = &store->store, .size = 2048 * PAGE, .granule = 2 * MIB, .limit = 64 * PAGE};
    void *address;
    OK(quire_map(&mapping, &address));
    for (size_t limit = 64; limit <= 512; limit *= 2) {
        OK(quire_set_limit(address, limit * PAGE));
        for (size_t i = 0; i < 2048; i += 61)
            assert_true(page_is(address, i, i + 1));
    }
}

static void test_a_pin_that_fails_pins_nothing(void)
{
    struct test_store *store = store_create(16);
    volatile unsigned char *at = map_store(store, 0);
    store->bad_page = 13;
    assert_int_equal(quire_pin((void *)at, 16 * PAGE), ERR_IO);
    OK(quire_evict((void *)at, 16 * PAGE));
}

static void test_a_pin_that_fails_leaves_what_was_pinned_before(void)
{
    struct test_store *store = store_create(16);
    volatile unsigned char *at = map_store(store, 0);
    store->bad_page = 13;
    OK(quire_pin((void *)(at + 2 * PAGE), 4 * PAGE));
    OK(quire_pin((void *)(at + 8 * PAGE), PAGE));
    assert_int_equal(quire_pin((void *)at, 16 * PAGE), ERR_IO);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(quire_evict((void *)(at + i * PAGE), PAGE),
                         (i >= 2 && i < 6) || i == 8 ? ERR_INVALID_ARGS : VM_OK);
}

static void test_range_arguments(void)
{
    volatile unsigned char *at = map_memory(4);
    unsigned char changed[8];
    void *inside = (void *)(at + PAGE), *outside = changed;
    assert_int_equal(quire_populate(inside, 0, false), ERR_INVALID_ARGS);
    assert_int_equal(quire_populate(inside, 4 * PAGE, false), ERR_VM_INVALID_REGION);
    assert_int_equal(quire_populate(inside, SIZE_MAX, false), ERR_VM_INVALID_REGION);
    assert_int_equal(quire_populate(outside, 1, false), ERR_VM_INVALID_REGION);
    assert_int_equal(quire_protect(outside, 1, false), ERR_VM_INVALID_REGION);
    assert_int_equal(quire_prefetch(outside, 1), ERR_VM_INVALID_REGION);
    assert_int_equal(quire_pin(outside, 1), ERR_VM_INVALID_REGION);
    assert_int_equal(quire_unpin(outside, 1), ERR_VM_INVALID_REGION);
    assert_int_equal(quire_flush(outside, 1), ERR_VM_INVALID_REGION);
    assert_int_equal(quire_evict(outside, 1), ERR_VM_INVALID_REGION);
    assert_int_equal(quire_changed(outside, 1, changed), ERR_VM_INVALID_REGION);
    assert_int_equal(quire_set_limit(outside, 0), ERR_VM_INVALID_REGION);
    assert_int_equal(quire_unmap(inside), ERR_VM_INVALID_REGION);
    OK(quire_populate((void *)(at + 5), PAGE, true)); /* two pages, of which it is part */
    assert_int_equal(quire_get_info(NULL), ERR_INVALID_ARGS);
}

static void test_a_region_of_which_a_part_is_protected(void)
{
    volatile unsigned char *at = map_memory(16);
    void *copy;
    write_page(at, 0, 7);
    OK(quire_protect((void *)(at + 4 * PAGE), 4 * PAGE, false));
    assert_int_equal(quire_snapshot((void *)at, &copy), ERR_UNSUPPORTED);
    OK(quire_protect((void *)(at + 4 * PAGE), 4 * PAGE, true));
    OK(quire_snapshot((void *)at, &copy));
    assert_true(page_is(copy, 0, 7));
    OK(quire_unmap(copy));
    OK(quire_protect((void *)(at + 4 * PAGE), 4 * PAGE, false));
    OK(quire_unmap((void *)at));
    assert_int_equal(figures().regions, 0);
}

static void test_an_unmapped_region_is_gone(void)
{
    volatile unsigned char *at = map_memory(4), *other = map_memory(4);
    at[0] = other[0] = 1;
    OK(quire_unmap((void *)at));
    assert_int_equal(caught_read(at), SIGSEGV);
    assert_int_equal(quire_unmap((void *)at), ERR_VM_INVALID_REGION);
    assert_int_equal(other[0], 1);
}

/* Even side by side over one cache they would stay two. */
static void test_regions_are_their_own(void)
{
    volatile unsigned char *at = map_memory(512), *next = map_memory(16);
    void *copy;
    OK(quire_snapshot((void *)at, &copy));
    OK(quire_protect((void *)(at + PAGE), PAGE, false));
    struct vm_owner first, piece, second, third;
    OK(vm_find_owner(process.aid, (addr_t)at, &first));
    OK(vm_find_owner(process.aid, (addr_t)at + 2 * PAGE, &piece));
    OK(vm_find_owner(process.aid, (addr_t)next, &second));
    OK(vm_find_owner(process.aid, (addr_t)copy, &third));
    assert_true(first.owner && second.owner && third.owner);
    assert_ptr_equal(piece.owner, first.owner);
    assert_int_equal(piece.base, (addr_t)at + 2 * PAGE);
    assert_ptr_not_equal(first.owner, second.owner);
    assert_ptr_not_equal(first.owner, third.owner);
}

LINUX_MAIN(TEST(test_regions_are_their_own),
           TEST_MODES(test_protect_refuses_writes_and_allows_them_again, .budget = 2 * MIB),
           TEST(test_system_calls_need_populated_pages),
           TEST_WITH(test_system_calls_may_use_any_page, .budget = 4 * MIB,
                     .mode = QUIRE_MODE_HANDLER),
           TEST_MODES(test_populate_shows_all_pages, .budget = 8 * MIB),
           TEST(test_prefetch_reads_so_that_faults_need_not),
           TEST_MODES(test_pinned_pages_stay, .budget = 4 * MIB),
           TEST_MODES(test_evict_writes_and_frees, .budget = 4 * MIB),
           TEST(test_advise_free_forgets_or_keeps),
           TEST_WITH(test_changed_says_what_was_written_since, .budget = 2 * MIB),
           TEST_MODES(test_changed_is_not_what_was_only_read, .budget = 4 * MIB),
           TEST(test_changed_begins_anew_with_a_region), TEST(test_limit_of_a_region),
           TEST(test_limit_of_a_region_with_threads), TEST(test_quire_pin_of_protected_pages),
           TEST(test_quire_pin_beside_promised_structures),
           TEST(test_limit_of_a_region_with_more_pinned_pages),
           TEST_WITH(test_granule_that_is_as_large_as_the_limit, .budget = 64 * MIB),
           TEST(test_a_pin_that_fails_pins_nothing),
           TEST(test_a_pin_that_fails_leaves_what_was_pinned_before), TEST(test_range_arguments),
           TEST(test_a_region_of_which_a_part_is_protected), TEST(test_an_unmapped_region_is_gone))
