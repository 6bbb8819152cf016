/* SPDX-License-Identifier: MIT */
/* Snapshots of much that was written: the region goes away as a whole, and comes back chunk by chunk. */
#include "../../host/linux/linux.h"

#include "../../vm/aspace.h"
#include "support.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK 512 /* pages */
#define CHUNKS 6
#define ALL ((size_t)CHUNKS * CHUNK)

static void fill_region(volatile unsigned char *at, size_t first, size_t pages, uint64_t more)
{
    for (size_t i = first; i < first + pages; i++)
        write_page(at, i, i + more);
}

static void assert_pages(const volatile unsigned char *at, size_t first, size_t pages,
                         uint64_t more)
{
    for (size_t i = first; i < first + pages; i++)
        assert_true(page_is(at, i, i + more));
}

static volatile unsigned char *region(size_t pages)
{
    volatile unsigned char *at = map_memory(pages);
    fill_region(at, 0, pages, 1);
    return at;
}

static volatile unsigned char *snapshot_of(volatile unsigned char *at)
{
    void *copy;
    OK(quire_snapshot((void *)at, &copy));
    return copy;
}

/* What Linux shows there now. */
static size_t shown(volatile unsigned char *at, size_t first, size_t pages)
{
    static unsigned char is_shown[ALL];
    size_t count = 0;
    assert_int_equal(mincore((void *)(at + first * PAGE), pages * PAGE, is_shown), 0);
    for (size_t i = 0; i < pages; i++)
        count += is_shown[i] & 1;
    return count;
}

static bool can_go(void)
{
    return process.features[QUIRE_MODE_SIGNAL] & ((uint64_t)1 << 2);
}

static void need_away(void)
{
    if (!can_go())
        skip_test("this kernel's userfaultfd doesn't tell of moves");
}

static void test_away_and_back_by_chunks(void)
{
    need_away();
    volatile unsigned char *at = region(ALL);
    assert_int_equal(shown(at, 0, ALL), ALL);
    volatile unsigned char *copy = snapshot_of(at);
    assert_int_equal(shown(at, 0, ALL), 0);
    assert_true(page_is(at, CHUNK + 7, CHUNK + 8)); /* a read brings its chunk */
    assert_int_equal(shown(at, 0, ALL), CHUNK);
    assert_int_equal(shown(at, CHUNK, CHUNK), CHUNK);
    write_page(at, 3 * CHUNK, 9);
    assert_int_equal(shown(at, 3 * CHUNK, CHUNK), CHUNK);
    assert_true(page_is(copy, 3 * CHUNK, 3 * CHUNK + 1));
    assert_true(page_is(at, 3 * CHUNK, 9));
    fill_region(at, 0, ALL, 100);
    assert_pages(copy, 0, ALL, 1);
    assert_pages(at, 0, ALL, 100);
}

static void test_the_thread_for_moves_starts_when_first_needed(void)
{
    need_away();
    volatile unsigned char *at = region(ALL), *small = region(CHUNK - 1);
    if (CHECKS_RACES)
        skip_test("the checker's own thread comes with the first one");
    size_t before = count_threads();
    (void)snapshot_of(small);
    assert_int_equal(count_threads(), before);
    (void)snapshot_of(at);
    assert_int_equal(count_threads(), before + 1);
    (void)snapshot_of(at);
    assert_int_equal(count_threads(), before + 1);
}

/* It is the right to write that is taken: each page's first write is seen. */
static void test_away_takes_the_right_to_write(void)
{
    volatile unsigned char *at = region(ALL);
    uint64_t before = figures().copied;
    volatile unsigned char *copy = snapshot_of(at);
    assert_pages(at, 0, ALL, 1);
    for (size_t i = 0; i < ALL; i++)
        at[i * PAGE + 5] = 1;
    assert_int_equal(figures().copied, before + ALL);
    assert_pages(copy, 0, ALL, 1);
}

static void test_away_again_while_some_are(void)
{
    need_away();
    volatile unsigned char *at = region(ALL), *first = snapshot_of(at);
    fill_region(at, 2 * CHUNK, 2 * CHUNK, 500);
    assert_int_equal(shown(at, 0, ALL), 2 * CHUNK);
    volatile unsigned char *second = snapshot_of(at);
    assert_int_equal(shown(at, 0, ALL), 0);
    volatile unsigned char *third = snapshot_of(at); /* nothing is to be done */
    assert_int_equal(shown(at, 0, ALL), 0);
    fill_region(at, 0, ALL, 1000);
    assert_pages(first, 0, ALL, 1);
    assert_pages(second, 2 * CHUNK, 2 * CHUNK, 500);
    assert_pages(second, 0, 2 * CHUNK, 1);
    assert_pages(third, 2 * CHUNK, 2 * CHUNK, 500);
    assert_pages(third, 4 * CHUNK, 2 * CHUNK, 1);
    assert_pages(at, 0, ALL, 1000);
}

/* A region's end that is no whole chunk stays, and loses the right, too. */
static void test_away_leaves_a_part_of_a_chunk(void)
{
    size_t pages = 2 * CHUNK + 100;
    volatile unsigned char *at = region(pages), *copy = snapshot_of(at);
    if (can_go())
        assert_int_equal(shown(at, 0, pages), 100);
    fill_region(at, 0, pages, 300);
    assert_pages(copy, 0, pages, 1);
    assert_pages(at, 0, pages, 300);
}

static void test_few_written_pages_stay(void)
{
    volatile unsigned char *at = region(ALL), *first = snapshot_of(at);
    for (size_t i = 0; i < ALL; i++)
        assert_true(page_is(at, i, i + 1));
    for (size_t i = 0; i < ALL; i += 60)
        write_page(at, i, 7);
    volatile unsigned char *second = snapshot_of(at);
    assert_int_equal(shown(at, 0, ALL), ALL);
    for (size_t i = 0; i < ALL; i += 60)
        write_page(at, i, 8);
    assert_pages(first, 0, ALL, 1);
    for (size_t i = 0; i < ALL; i++)
        assert_true(page_is(second, i, i % 60 ? i + 1 : 7));
}

/* A flush of a page that is away leaves it to the return: of chunks of which few pages could be written, only those are
 * protected then. */
static void test_flush_of_what_is_away(void)
{
    volatile unsigned char *at = region(ALL);
    (void)snapshot_of(at);
    assert_pages(at, 0, ALL, 1);
    for (size_t i = 0; i < ALL; i += 10)
        write_page(at, i, i + 50);
    volatile unsigned char *copy = snapshot_of(at);
    host_tlb_flush(process.root, 1, (addr_t)at, 1);
    assert_true(page_is(at, 1, 2));
    write_page(at, 0, 7);
    assert_true(page_is(copy, 0, 50));
}

/* The core may read a frame that goes away at this moment, with locks that a fault needs. */
static void test_what_is_away_comes_back_under_locks(void)
{
    volatile unsigned char *at = region(ALL);
    (void)snapshot_of(at);
    struct vm_mutex *lock = &process.aspace->translation_map.lock;
    alarm(20);
    vm_mutex_lock(lock, VM_RANK_TMAP);
    bool same = page_is(at, 5, 6);
    vm_mutex_unlock(lock);
    alarm(0);
    assert_true(same);
}

/* Linux would give it the rights of before when it comes back. */
static void test_quire_protect_of_what_is_away(void)
{
    volatile unsigned char *at = region(ALL), *copy = snapshot_of(at);
    OK(quire_protect((void *)(at + (CHUNK + 10) * PAGE), CHUNK * PAGE, false));
    assert_pages(at, 0, ALL, 1);
    assert_int_equal(caught_write(at + (CHUNK + 10) * PAGE), SIGSEGV);
    assert_int_equal(caught_write(at + (2 * CHUNK + 9) * PAGE), SIGSEGV);
    assert_int_equal(caught_write(at + (CHUNK + 9) * PAGE), 0);
    assert_int_equal(caught_write(at + (2 * CHUNK + 10) * PAGE), 0);
    assert_pages(copy, 0, ALL, 1);
}

/* What is pinned, or was populated, a system call finds. */
static void test_system_calls_find_what_was_away(void)
{
    volatile unsigned char *at = region(ALL), *copy = snapshot_of(at);
    int fd = memfd_create("to", 0);
    assert_true(fd >= 0);
    OK(quire_populate((void *)(at + 3 * PAGE), PAGE, false));
    assert_int_equal(write(fd, (void *)(at + 3 * PAGE), PAGE), PAGE);
    OK(quire_pin((void *)(at + CHUNK * PAGE), 4 * PAGE));
    assert_int_equal(pread(fd, (void *)(at + CHUNK * PAGE), PAGE, 0), PAGE);
    assert_true(page_is(at, CHUNK, 4));
    assert_true(page_is(copy, CHUNK, CHUNK + 1));
    OK(quire_unpin((void *)(at + CHUNK * PAGE), 4 * PAGE));
    close(fd);
}

static void test_quire_changed_of_what_is_away(void)
{
    static unsigned char changed[ALL];
    volatile unsigned char *at = region(ALL);
    OK(quire_changed((void *)at, ALL * PAGE, changed));
    for (size_t i = 0; i < ALL; i += 2)
        write_page(at, i, 5);
    (void)snapshot_of(at);
    OK(quire_changed((void *)at, ALL * PAGE, changed));
    for (size_t i = 0; i < ALL; i++)
        assert_int_equal(changed[i] != 0, i % 2 == 0);
    write_page(at, 4, 6);
    OK(quire_changed((void *)at, ALL * PAGE, changed));
    for (size_t i = 0; i < ALL; i++)
        assert_int_equal(changed[i] != 0, i == 4);
}

/* Memory runs out while much is away: the store writes from there, and frames are taken. */
static void test_eviction_of_what_is_away(void)
{
    add_swap(4 * ALL);
    volatile unsigned char *at = region(ALL), *copy = snapshot_of(at), *more = map_memory(ALL);
    fill_region(more, 0, ALL, 70);
    assert_pages(at, 0, ALL, 1);
    (void)snapshot_of(more);
    fill_region(at, 0, ALL, 20);
    assert_pages(copy, 0, ALL, 1);
    assert_pages(more, 0, ALL, 70);
    assert_pages(at, 0, ALL, 20);
    OK(quire_evict((void *)at, ALL * PAGE));
    assert_pages(at, 0, ALL, 20);
}

static void test_quire_unmap_of_what_is_away(void)
{
    volatile unsigned char *at = region(ALL), *copy = snapshot_of(at);
    OK(quire_unmap((void *)at));
    assert_pages(copy, 0, ALL, 1);
    fill_region(copy, 0, ALL, 2);
    volatile unsigned char *second = snapshot_of(copy);
    OK(quire_unmap((void *)copy));
    assert_pages(second, 0, ALL, 2);
    at = region(ALL); /* where another was */
    assert_pages(at, 0, ALL, 1);
}

static void test_quire_stop_with_much_away(void)
{
    volatile unsigned char *at = region(ALL);
    (void)snapshot_of(at);
}

static void test_fork_with_much_away(void)
{
    volatile unsigned char *at = region(ALL), *copy = snapshot_of(at);
    pid_t child = fork();
    if (child == 0)
        _exit(quire_stop() == ERR_UNSUPPORTED ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    fill_region(at, 0, ALL, 2);
    assert_pages(copy, 0, ALL, 1);
}

static void test_away_of_a_private_region(void)
{
    struct test_store *store = store_create(ALL);
    volatile unsigned char *at = map_store(store, QUIRE_PRIVATE);
    fill_region(at, 0, ALL / 2, 40);
    volatile unsigned char *copy = snapshot_of(at);
    fill_region(at, 0, ALL, 80);
    assert_pages(copy, 0, ALL / 2, 40);
    assert_pages(copy, ALL / 2, ALL / 2, 1);
    assert_pages(at, 0, ALL, 80);
}

/* Threads that handle faults may wait for the core, which would wait for the move. */
static void test_handler_regions_stay(void)
{
    volatile unsigned char *at = region(ALL), *copy = snapshot_of(at);
    assert_int_equal(shown(at, 0, ALL), ALL);
    fill_region(at, 0, ALL, 2);
    assert_pages(copy, 0, ALL, 1);
}

/* ---- threads ------------------------------------------------------------------------------------ */

#define THREADS 4

static struct {
    volatile unsigned char *at;
    uint32_t stop; /* atomic */
} shared;

/* Each has pages of its own, whose words all have the same value; it goes up. */
static void *count_up(void *number)
{
    for (uint64_t round = 2; !__atomic_load_n(&shared.stop, __ATOMIC_RELAXED); round++)
        for (size_t i = (size_t)number; i < ALL; i += THREADS) {
            volatile uint64_t *word = (volatile void *)(shared.at + i * PAGE);
            for (size_t w = 0; w < PAGE / 8; w += 64)
                word[w] = round;
            if (word[0] != round || word[448] != round)
                abort();
        }
    return NULL;
}

/* Words of one page are of one write, or of two, the newer ones first; and they don't change. */
static void assert_stands_still(const volatile unsigned char *copy)
{
    for (size_t i = 0; i < ALL; i++) {
        const volatile uint64_t *word = (const volatile void *)(copy + i * PAGE);
        uint64_t first = word[0], last = word[448];
        assert_true(first == last || first == last + 1);
        for (size_t w = 64; w < PAGE / 8; w += 64)
            assert_true(word[w] <= word[w - 64]);
        assert_int_equal(word[0], first);
        assert_int_equal(word[448], last);
    }
}

static void test_away_beside_writers(void)
{
    pthread_t threads[THREADS];
    add_swap(8 * ALL);
    shared.at = map_memory(ALL);
    for (size_t i = 0; i < ALL; i++) {
        volatile uint64_t *word = (volatile void *)(shared.at + i * PAGE);
        for (size_t w = 0; w < PAGE / 8; w += 64)
            word[w] = 1;
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, (void *)i), 0);
    for (int i = 0; i < LESS(10) + 2; i++) {
        volatile unsigned char *copy = snapshot_of(shared.at);
        assert_stands_still(copy);
        OK(quire_unmap((void *)copy));
    }
    __atomic_store_n(&shared.stop, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* ---- where it can't be -------------------------------------------------------------------------- */

static void test_without_room_for_a_second_range(void)
{
    struct quire_options options = {.budget = 64 * MIB, .mode = QUIRE_MODE_SIGNAL};
    struct rlimit limit = {(size_t)1 << 30, (size_t)1 << 30};
    if (CHECKS_RACES || CHECKS_MEMORY)
        skip_test("their memory is larger than the limit");
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
    int error = quire_start(&options);
    if (error == ERR_UNSUPPORTED)
        skip_test(quire_why());
    OK(error);
    volatile unsigned char *at = region(ALL), *copy = snapshot_of(at);
    fill_region(at, 0, ALL, 2);
    assert_pages(copy, 0, ALL, 1);
    OK(quire_unmap((void *)copy));
    OK(quire_stop());
}

/* ThreadSanitizer leaves no room for two ranges of the usual size. */
#define BASE (CHECKS_RACES ? (void *)0x7e9000000000 : NULL)
#define RANGE (CHECKS_RACES ? (size_t)8 << 30 : 0)
#define SIGNAL_WITH(f, size)                                                                       \
    TEST_WITH(f, .budget = (size), .mode = QUIRE_MODE_SIGNAL, .base = BASE, .range = RANGE)
#define SIGNAL(f) SIGNAL_WITH(f, 64 * MIB)

LINUX_MAIN(SIGNAL(test_away_and_back_by_chunks),
           SIGNAL(test_the_thread_for_moves_starts_when_first_needed),
           SIGNAL(test_away_takes_the_right_to_write), SIGNAL(test_away_again_while_some_are),
           SIGNAL(test_away_leaves_a_part_of_a_chunk), SIGNAL(test_few_written_pages_stay),
           SIGNAL(test_flush_of_what_is_away), SIGNAL(test_what_is_away_comes_back_under_locks),
           SIGNAL(test_quire_protect_of_what_is_away), SIGNAL(test_system_calls_find_what_was_away),
           SIGNAL(test_quire_changed_of_what_is_away),
           SIGNAL_WITH(test_eviction_of_what_is_away, 16 * MIB),
           SIGNAL(test_quire_unmap_of_what_is_away), SIGNAL(test_quire_stop_with_much_away),
           SIGNAL(test_fork_with_much_away), SIGNAL(test_away_of_a_private_region),
           TEST_WITH(test_handler_regions_stay, .budget = 64 * MIB, .mode = QUIRE_MODE_HANDLER),
           SIGNAL(test_away_beside_writers), SIGNAL_WITH(test_away_beside_writers, 8 * MIB),
           TEST_WITH(test_without_room_for_a_second_range, .budget = 0))
