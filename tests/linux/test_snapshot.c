/* SPDX-License-Identifier: MIT */
/* Snapshots: what was there stays there, however many there are and whoever writes. */
#include "../../host/linux/linux.h"

#include "support.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES_OF_ALL 1500 /* three times the budget */

static volatile unsigned char *snapshot_of(volatile unsigned char *at)
{
    void *copy;
    OK(quire_snapshot((void *)at, &copy));
    return copy;
}

static volatile unsigned char *numbered(size_t pages)
{
    volatile unsigned char *at = map_memory(pages);
    for (size_t i = 0; i < pages; i++)
        write_page(at, i, i + 1);
    return at;
}

static void assert_all(const volatile unsigned char *at, size_t pages, uint64_t more)
{
    for (size_t i = 0; i < pages; i++)
        assert_true(page_is(at, i, i + more));
}

static void test_snapshot_keeps_what_was_there(void)
{
    add_swap(4 * PAGES_OF_ALL);
    volatile unsigned char *at = numbered(PAGES_OF_ALL), *copy = snapshot_of(at);
    for (size_t i = 0; i < PAGES_OF_ALL; i++)
        write_page(at, i, i + 1000);
    assert_all(copy, PAGES_OF_ALL, 1);
    assert_all(at, PAGES_OF_ALL, 1000);
    OK(quire_unmap((void *)copy));
    assert_all(at, PAGES_OF_ALL, 1000);
}

static void test_snapshot_may_be_written(void)
{
    add_swap(4 * PAGES_OF_ALL);
    volatile unsigned char *at = numbered(PAGES_OF_ALL), *copy = snapshot_of(at);
    for (size_t i = 0; i < PAGES_OF_ALL; i += 2)
        write_page(copy, i, 7);
    assert_all(at, PAGES_OF_ALL, 1);
    OK(quire_unmap((void *)at));
    for (size_t i = 0; i < PAGES_OF_ALL; i++)
        assert_true(page_is(copy, i, i % 2 ? i + 1 : 7));
}

static void test_snapshots_one_after_another(void)
{
    enum { SNAPSHOTS = 12, PAGES = 200 };
    volatile unsigned char *at = numbered(PAGES), *copy[SNAPSHOTS];
    for (size_t s = 0; s < SNAPSHOTS; s++) {
        copy[s] = snapshot_of(at);
        for (size_t i = s; i < PAGES; i += 3)
            write_page(at, i, i + 1 + (s + 1) * 1000);
    }
    for (size_t s = SNAPSHOTS; s-- > 0;)
        for (size_t i = 0; i < PAGES; i++) {
            uint64_t expected = i + 1;
            for (size_t earlier = 0; earlier < s; earlier++)
                if (i >= earlier && (i - earlier) % 3 == 0)
                    expected = i + 1 + (earlier + 1) * 1000;
            assert_true(page_is(copy[s], i, expected));
        }
    for (size_t s = 0; s < SNAPSHOTS; s++)
        OK(quire_unmap((void *)copy[(s * 5) % SNAPSHOTS]));
}

/* Both are read together, a word here and a word there: neither access throws the other's page out. */
static void test_both_are_read_at_once(void)
{
    volatile unsigned char *at = numbered(300), *copy = snapshot_of(at);
    uint64_t before = figures().faults;
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(
            memcmp((const void *)(at + i * PAGE), (const void *)(copy + i * PAGE), PAGE), 0);
    assert_true(figures().faults - before < 1500);
}

/* One instruction that reads one and writes the other at the same page. */
static void test_one_instruction_uses_both(void)
{
    volatile unsigned char *at = numbered(4), *copy = snapshot_of(at);
    void *to = (void *)(copy + PAGE), *from = (void *)(at + PAGE);
    size_t count = PAGE;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    assert_true(page_is(copy, 1, 2));
    assert_true(page_is(at, 1, 2));
}

struct writer {
    volatile unsigned char *at;
    uint32_t stop;
};

static void *write_on(void *argument)
{
    struct writer *w = argument;
    for (uint64_t round = 2; !__atomic_load_n(&w->stop, __ATOMIC_RELAXED); round++)
        for (size_t i = 0; i < 600 && !__atomic_load_n(&w->stop, __ATOMIC_RELAXED); i++)
            write_page(w->at, i, round * 1000 + i);
    return NULL;
}

/* A page of a snapshot is of one write, or of the one before where that was under way: words of two at most,
 * the newer ones first; and it doesn't change. */
static void assert_steady(const volatile unsigned char *copy)
{
    for (size_t i = 0; i < 600; i++) {
        const volatile uint64_t *words = (const volatile void *)(copy + i * PAGE);
        uint64_t first = words[0], last = words[PAGE / 8 - 1];
        unsigned changes = 0;
        for (size_t w = 1; w < PAGE / 8; w++)
            changes += words[w] != words[w - 1];
        assert_true(changes <= 1);
        assert_true(first == last || changes == 1);
        assert_int_equal(words[0], first);
        assert_int_equal(words[PAGE / 8 - 1], last);
    }
}

static void test_snapshots_beside_a_writer(void)
{
    struct writer w = {map_memory(600), 0};
    pthread_t thread;
    add_swap(8000);
    assert_int_equal(pthread_create(&thread, NULL, write_on, &w), 0);
    for (int i = 0; i < 40; i++) {
        volatile unsigned char *copy = snapshot_of(w.at);
        assert_steady(copy);
        assert_steady(copy);
        OK(quire_unmap((void *)copy));
    }
    __atomic_store_n(&w.stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
}

static void test_snapshot_of_a_private_region(void)
{
    struct test_store *store = store_create(100);
    volatile unsigned char *at = map_store(store, QUIRE_PRIVATE);
    write_page(at, 5, 50);
    volatile unsigned char *copy = snapshot_of(at);
    write_page(at, 5, 60);
    write_page(at, 6, 61);
    assert_true(page_is(copy, 5, 50) && page_is(copy, 6, 7) && page_is(copy, 7, 8));
    assert_true(page_is(at, 5, 60) && page_is(at, 6, 61) && page_is(at, 7, 8));
    OK(quire_unmap((void *)at));
    assert_true(page_is(copy, 5, 50) && page_is(copy, 99, 100));
}

static void test_snapshot_of_a_protected_region_may_be_written(void)
{
    struct test_store *store = store_create(100);
    volatile unsigned char *at = numbered(100), *file = map_store(store, QUIRE_PRIVATE);
    OK(quire_protect((void *)at, 100 * PAGE, false));
    OK(quire_protect((void *)file, 100 * PAGE, false));
    volatile unsigned char *copy = snapshot_of(at), *second = snapshot_of(file);
    assert_int_equal(caught_write(copy + PAGE), 0);
    assert_int_equal(caught_write(second + PAGE), 0);
    write_page(copy, 5, 7);
    write_page(second, 5, 8);
    assert_true(page_is(copy, 5, 7) && page_is(copy, 6, 7) && page_is(at, 5, 6));
    assert_true(page_is(second, 5, 8) && page_is(second, 6, 7) && page_is(file, 5, 6));
    assert_int_equal(caught_write(at + 5 * PAGE), SIGSEGV);
    OK(quire_protect((void *)copy, 100 * PAGE, false));
    assert_int_equal(caught_write(copy), SIGSEGV);
}

static void test_snapshot_errors(void)
{
    struct test_store *store = store_create(4), *read_only = store_create(4);
    volatile unsigned char *at = map_store(store, 0), *memory = map_memory(4);
    volatile unsigned char *private = map_store(read_only, QUIRE_READ_ONLY | QUIRE_PRIVATE);
    void *copy;
    assert_int_equal(quire_snapshot((void *)at, &copy), ERR_UNSUPPORTED);
    assert_int_equal(quire_snapshot((void *)private, &copy), ERR_UNSUPPORTED);
    assert_int_equal(quire_snapshot((void *)(memory + PAGE), &copy), ERR_VM_INVALID_REGION);
    assert_int_equal(quire_snapshot((void *)memory, NULL), ERR_INVALID_ARGS);
    assert_int_equal(quire_snapshot(&copy, &copy), ERR_VM_INVALID_REGION);
}

/* What both show doesn't go by itself: it isn't what the limit is for. */
static void test_limit_of_a_region_with_a_snapshot(void)
{
    struct quire_mapping mapping = {.size = 400 * PAGE, .limit = 64 * PAGE};
    void *at, *copy;
    add_swap(1000);
    OK(quire_map(&mapping, &at));
    OK(quire_set_limit(at, 0));
    for (size_t i = 64; i < 192; i++)
        write_page(at, i, i + 1);
    OK(quire_snapshot(at, &copy));
    OK(quire_set_limit(at, 64 * PAGE));
    alarm(20);
    for (size_t i = 0; i < 400; i++)
        if (i < 64 || i >= 192)
            write_page(at, i, i + 501);
    for (size_t i = 0, page = 0; i < 1200; i++, page = i * 7 % 400)
        assert_true(page_is(at, page, page + (page < 64 || page >= 192 ? 501 : 1)));
}

/* A page that is pinned stays where it is. */
static void test_quire_snapshot_of_pinned_pages(void)
{
    void *copy = NULL;
    volatile unsigned char *at = map_memory(4);
    write_page(at, 1, 5);
    OK(quire_pin((void *)at, 4 * PAGE));
    assert_int_equal(quire_snapshot((void *)at, &copy), ERR_UNSUPPORTED);
    OK(quire_unpin((void *)at, 2 * PAGE));
    assert_int_equal(quire_snapshot((void *)at, &copy), ERR_UNSUPPORTED);
    assert_null(copy);
    OK(quire_unpin((void *)at, 4 * PAGE));
    OK(quire_snapshot((void *)at, &copy));
    assert_true(page_is(copy, 1, 5));
}

/* What two regions show is at one place, and in a few replicas; who asks for more of them for reading hears of it. */
static void test_quire_populate_of_a_snapshot(void)
{
    void *copy;
    volatile unsigned char *at = map_memory(256);
    for (size_t i = 0; i < 256; i++)
        write_page(at, i, i + 1);
    OK(quire_snapshot((void *)at, &copy));
    int fd = memfd_create("to", 0);
    assert_true(fd >= 0);
    int error = quire_populate(copy, 256 * PAGE, false);
    if (error == VM_OK)
        assert_int_equal(write(fd, copy, 256 * PAGE), (ssize_t)(256 * PAGE));
    else
        assert_int_equal(error, ERR_NO_MEMORY);
    OK(quire_populate(copy, 256 * PAGE, true));
    assert_int_equal(write(fd, copy, 256 * PAGE), (ssize_t)(256 * PAGE));
    close(fd);
}

static size_t count_resident(const void *at, size_t pages)
{
    size_t count = 0;
    for (size_t i = 0; i < pages; i++) {
        uint8_t resident;
        OK(vm_get_residency(process.aid, (addr_t)at + i * PAGE, PAGE, &resident));
        count += resident;
    }
    return count;
}

/* Where no other page can go: it would come and go without end. */
static void test_limit_of_a_region_leaves_the_page_that_is_asked_for(void)
{
    struct quire_mapping mapping = {.size = 400 * PAGE,
                                    .limit = 64 * PAGE,
                                    .granule = 4 * PAGE}; /* a fault may bring a cluster */
    void *at, *copy;
    add_swap(1000);
    OK(quire_map(&mapping, &at));
    for (size_t i = 0; i < 56; i++)
        write_page(at, i, i + 1);
    OK(quire_snapshot(at, &copy));
    alarm(20);
    for (size_t i = 56; i < 400; i++)
        write_page(at, i, i + 1);
    alarm(0);
    for (size_t i = 0; i < 400; i++)
        assert_true(page_is(at, i, i + 1));
}

/* What couldn't go can when the snapshot has: the limit holds again, and for what is the region's own all the time. */
static void test_limit_of_a_region_that_had_a_snapshot(void)
{
    struct quire_mapping mapping = {.size = 8192 * PAGE, .granule = PAGE};
    void *address, *copy;
    add_swap(20000);
    OK(quire_map(&mapping, &address));
    volatile unsigned char *at = address;
    for (size_t i = 0; i < 2000; i++)
        at[i * PAGE] = 1;
    OK(quire_snapshot(address, &copy));
    OK(quire_set_limit(address, 64 * PAGE));
    for (size_t i = 2000; i < 2400; i++)
        at[i * PAGE] = 1;
    assert_true(count_resident((char *)address + 2000 * PAGE, 400) <= 64);
    OK(quire_unmap(copy));
    for (size_t i = 2400; i < 6000; i++)
        at[i * PAGE] = 1;
    assert_true(count_resident(address, 8192) <= 64);
}

LINUX_MAIN(TEST(test_quire_snapshot_of_pinned_pages),
           TEST_WITH(test_quire_populate_of_a_snapshot, .budget = 32 * MIB),
           TEST_WITH(test_limit_of_a_region_that_had_a_snapshot, .budget = 64 * MIB),
           TEST_WITH(test_limit_of_a_region_with_a_snapshot, .budget = 2 * MIB),
           TEST_WITH(test_limit_of_a_region_leaves_the_page_that_is_asked_for, .budget = 4 * MIB),
           TEST_MODES(test_snapshot_keeps_what_was_there, .budget = 2 * MIB),
           TEST_MODES(test_snapshot_may_be_written, .budget = 2 * MIB),
           TEST_WITH(test_snapshots_one_after_another, .budget = 64 * MIB),
           TEST_WITH(test_both_are_read_at_once, .budget = 8 * MIB),
           TEST_MODES(test_one_instruction_uses_both, .budget = 8 * MIB),
           TEST_MODES(test_snapshots_beside_a_writer, .budget = 4 * MIB),
           TEST(test_snapshot_of_a_private_region),
           TEST_MODES(test_snapshot_of_a_protected_region_may_be_written, .budget = 8 * MIB),
           TEST(test_snapshot_errors))
