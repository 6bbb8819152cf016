/* SPDX-License-Identifier: MIT */
/* Several threads on regions larger than the budget, every byte looked at; and RSS below the budget. */
#include "support.h"

#include <pthread.h>

#define THREADS 8

struct worker {
    pthread_t thread;
    unsigned number;
    volatile unsigned char *at;
    size_t pages, rounds;
    bool failed;
};

static uint64_t random_of(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void run(void *(*function)(void *), volatile unsigned char *at, size_t pages, size_t rounds)
{
    struct worker workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.number = i, .at = at, .pages = pages, .rounds = rounds};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, function, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    for (unsigned i = 0; i < THREADS; i++)
        assert_false(workers[i].failed);
}

/* Each page is one thread's (by its number), which knows how often it has written it. */
static void *own_pages(void *argument)
{
    struct worker *w = argument;
    size_t own = w->pages / THREADS;
    unsigned char *version = calloc(own, 1);
    uint64_t state = w->number + 1;
    for (size_t i = 0; i < w->rounds && !w->failed; i++) {
        size_t mine = random_of(&state) % own, page = mine * THREADS + w->number;
        w->failed = !page_is(w->at, page, (page + 1) * 256 * (version[mine] > 0) + version[mine]);
        if (random_of(&state) % 2)
            write_page(w->at, page, (page + 1) * 256 + ++version[mine] % 255);
        version[mine] %= 255;
    }
    for (size_t mine = 0; mine < own && !w->failed; mine++) {
        size_t page = mine * THREADS + w->number;
        w->failed = !page_is(w->at, page, (page + 1) * 256 * (version[mine] > 0) + version[mine]);
    }
    free(version);
    return NULL;
}

static void test_threads_on_memory_ten_times_the_budget(void)
{
    size_t pages = 10 * 4 * MIB / PAGE;
    add_swap(pages + 1000);
    run(own_pages, map_memory(pages), pages, LESS(20000));
}

static void *read_all(void *argument)
{
    struct worker *w = argument;
    uint64_t state = w->number + 1;
    for (size_t i = 0; i < w->rounds && !w->failed; i++) {
        size_t page = random_of(&state) % w->pages;
        w->failed = !page_is(w->at, page, page + 1);
    }
    return NULL;
}

static void test_threads_read_a_store_ten_times_the_budget(void)
{
    struct test_store *store = store_create(10 * 4 * MIB / PAGE);
    run(read_all, map_store(store, 0), store->pages, LESS(20000));
}

/* All threads count in all pages: no addition is lost, whatever is evicted meanwhile. */
static void *count(void *argument)
{
    struct worker *w = argument;
    uint64_t state = w->number + 1;
    for (size_t i = 0; i < w->rounds; i++) {
        size_t page = random_of(&state) % w->pages;
        __atomic_fetch_add((uint64_t *)(void *)(w->at + page * PAGE), 1, __ATOMIC_RELAXED);
        __atomic_fetch_add((uint64_t *)(void *)(w->at + page * PAGE + 8 + w->number * 8), 1,
                           __ATOMIC_RELAXED);
    }
    return NULL;
}

static void test_threads_lose_no_write(void)
{
    size_t pages = 10 * 4 * MIB / PAGE, rounds = LESS(40000);
    struct test_store *store = store_create(pages);
    memset(store->bytes, 0, pages * PAGE);
    volatile unsigned char *at = map_store(store, 0);
    run(count, at, pages, rounds);
    OK(quire_unmap((void *)at));
    uint64_t all = 0, each[THREADS] = {0};
    for (size_t i = 0; i < pages; i++) {
        const uint64_t *words = (const uint64_t *)(const void *)(store->bytes + i * PAGE);
        all += words[0];
        for (unsigned t = 0; t < THREADS; t++)
            each[t] += words[1 + t];
    }
    assert_int_equal(all, THREADS * rounds);
    for (unsigned t = 0; t < THREADS; t++)
        assert_int_equal(each[t], rounds);
}

/* As the last, with a flush, an eviction and a question after changes again and again. */
static void test_threads_lose_no_write_beside_flushes(void)
{
    size_t pages = 3 * 4 * MIB / PAGE, rounds = LESS(20000);
    struct test_store *store = store_create(pages);
    unsigned char changed[64];
    memset(store->bytes, 0, pages * PAGE);
    volatile unsigned char *at = map_store(store, 0);
    struct worker workers[3];
    for (unsigned i = 0; i < 3; i++) {
        workers[i] = (struct worker){.number = i, .at = at, .pages = pages, .rounds = rounds};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, count, &workers[i]), 0);
    }
    for (int i = 0; i < LESS(200); i++) {
        OK(quire_flush((void *)at, pages * PAGE));
        OK(quire_changed((void *)(at + (size_t)i * PAGE), 64 * PAGE, changed));
        OK(quire_evict((void *)(at + (size_t)i * PAGE), 100 * PAGE));
    }
    for (unsigned i = 0; i < 3; i++)
        pthread_join(workers[i].thread, NULL);
    OK(quire_unmap((void *)at));
    uint64_t all = 0;
    for (size_t i = 0; i < pages; i++)
        all += *(const uint64_t *)(const void *)(store->bytes + i * PAGE);
    assert_int_equal(all, 3 * rounds);
}

/* RSS by the kernel's word, looked at while threads fault; what the process had before is not Quire's. */
struct watch {
    pthread_t thread;
    uint32_t stop;
    size_t most;
};

static void *watch(void *argument)
{
    struct watch *w = argument;
    while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
        size_t now = resident_pages();
        w->most = now > w->most ? now : w->most;
    }
    return NULL;
}

static void check_budget(size_t budget)
{
    struct quire_options options = {.budget = budget, .daemons = 1};
    size_t pages = 6 * budget / PAGE;
    struct test_store *store = store_create(pages), *swap = swap_create(pages + 1000);
    struct watch w = {0};
    if (CHECKS_RACES || CHECKS_MEMORY)
        skip_test("a checker uses memory, too");
    madvise_away(store);
    OK(quire_start(&options));
    size_t before = resident_pages();
    OK(quire_add_swap(&swap->store, pages + 1000, "swap"));
    volatile unsigned char *at = map_store(store, 0), *memory = map_memory(pages);
    assert_int_equal(pthread_create(&w.thread, NULL, watch, &w), 0);
    for (size_t i = 0; i < pages; i++) {
        assert_int_equal(*(const volatile uint64_t *)(const volatile void *)(at + i * PAGE), i + 1);
        *(volatile uint64_t *)(volatile void *)(memory + i * PAGE) = i;
    }
    __atomic_store_n(&w.stop, 1, __ATOMIC_RELAXED);
    pthread_join(w.thread, NULL);
    size_t limit = budget / PAGE * 102 / 100 + 64;
    if (w.most - before > limit)
        print_message("budget %zu pages: %zu more than before\n", budget / PAGE, w.most - before);
    assert_true(w.most - before <= limit);
    OK(quire_stop()); /* here: its daemon is at work, beside which tables can't be checked */
}

static void test_rss_stays_in_a_small_budget(void)
{
    check_budget(2 * MIB);
}

static void test_rss_stays_in_a_larger_budget(void)
{
    check_budget(48 * MIB);
}

LINUX_MAIN(TEST_MODES(test_threads_on_memory_ten_times_the_budget, .budget = 4 * MIB),
           TEST_WITH(test_threads_on_memory_ten_times_the_budget, .budget = 4 * MIB, .daemons = 2),
           TEST_MODES(test_threads_read_a_store_ten_times_the_budget, .budget = 4 * MIB),
           TEST_MODES(test_threads_lose_no_write, .budget = 4 * MIB),
           TEST_WITH(test_threads_lose_no_write, .budget = 4 * MIB, .daemons = 1),
           TEST_MODES(test_threads_lose_no_write_beside_flushes, .budget = 4 * MIB),
           TEST_WITH(test_rss_stays_in_a_small_budget, .budget = 0),
           TEST_WITH(test_rss_stays_in_a_larger_budget, .budget = 0))
