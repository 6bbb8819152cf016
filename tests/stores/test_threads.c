/* SPDX-License-Identifier: MIT */
/* Many threads, the same pages: what is read is always some version of that page, as a whole. Built with thread
 * checks by `./dev test threads`. */
#include "stacks.h"
#include "trouble.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SIZE 64
#define THREADS 4
#define LONGEST 6
#define OPERATIONS 400

static struct {
    vm_store *store;
    bool whole; /* pages are never seen as mixtures */
    uint64_t seed;
    unsigned wrong;
} run;

/* A version of a page says which page it is, and the rest follows from that. */
static void fill(uint8_t *bytes, size_t page, uint64_t version)
{
    uint64_t seed = version << 16 | page << 4 | 1;
    page_fill(bytes, seed);
    memcpy(bytes, &seed, sizeof seed);
}

static bool is_version(const uint8_t *bytes, size_t page)
{
    uint64_t seed;
    uint8_t expected[VM_PAGE_SIZE];
    memcpy(&seed, bytes, sizeof seed);
    if (seed == 0)
        return page_is(bytes, 0);
    fill(expected, page, seed >> 16);
    return memcmp(bytes, expected, VM_PAGE_SIZE) == 0;
}

struct worker {
    pthread_t thread;
    size_t number;
    uint64_t random;
    addr_t frame[LONGEST];
};

static void write_some(struct worker *w, size_t first, size_t count)
{
    size_t done;
    for (size_t i = 0; i < count; i++)
        fill(host_frame_ptr(w->frame[i]), first + i, next_random(&w->random) >> 24);
    int error = run.store->ops->write(run.store, PAGES(first), w->frame, count, &done);
    if (error != VM_OK)
        __atomic_fetch_add(&run.wrong, 1, __ATOMIC_RELAXED);
}

static void read_some(struct worker *w, size_t first, size_t count)
{
    size_t done;
    int error = run.store->ops->read(run.store, PAGES(first), w->frame, count, &done);
    bool ok = error == VM_OK && done == count * VM_PAGE_SIZE;
    for (size_t i = 0; i < count && ok && run.whole; i++)
        ok = is_version(host_frame_ptr(w->frame[i]), first + i);
    if (!ok)
        __atomic_fetch_add(&run.wrong, 1, __ATOMIC_RELAXED);
}

static void *work(void *argument)
{
    struct worker *w = argument;
    for (unsigned i = 0; i < OPERATIONS; i++) {
        size_t count = 1 + (size_t)(next_random(&w->random) % LONGEST);
        size_t first = (size_t)(next_random(&w->random) % (SIZE - count));
        switch (next_random(&w->random) % 7) {
        case 0:
            if (run.store->ops->discard)
                run.store->ops->discard(run.store, PAGES(first), count);
            break;
        case 1:
        case 2:
        case 3:
            write_some(w, first, count);
            break;
        default:
            read_some(w, first, count);
        }
        if (run.store->ops->has_page)
            (void)run.store->ops->has_page(run.store, PAGES(first));
    }
    return NULL;
}

static void run_threads(vm_store *store, const char *name, uint64_t seed)
{
    struct worker workers[THREADS];
    run.store = store;
    run.whole = strcmp(name, "file") != 0;
    run.wrong = 0;
    print_message("%s, seed %llu\n", name, (unsigned long long)seed);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.number = i, .random = seed * THREADS + i};
        for (size_t f = 0; f < LONGEST; f++)
            OK(frames_allocate(1, false, &workers[i].frame[f]));
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        for (size_t f = 0; f < LONGEST; f++)
            frames_free(workers[i].frame[f], 1);
    }
    assert_int_equal(run.wrong, 0);
    store_end(store);
}

static void test_every_stack_by_many_threads(void **state)
{
    unsigned long first = 1, count = 2;
    const char *seeds = getenv("QUIRE_SEEDS");
    (void)state;
    if (seeds)
        sscanf(seeds, "%lu,%lu", &first, &count);
    for (unsigned long seed = first; seed < first + count; seed++)
        for (size_t i = 0; i < stack_count; i++)
            run_threads(stacks[i].make(SIZE), stacks[i].name, seed);
}

/* A space in which there is hardly room: segments are cleaned, and waited for while they are read. */
static void test_a_tight_space_by_many_threads(void **state)
{
    (void)state;
    for (enum vm_store_coder coder = VM_STORE_LZ4; coder <= VM_STORE_ZSTD; coder++) {
        vm_store *store;
        struct vm_store_compressed_options options = {.pages = SIZE,
                                                      .coder = coder,
                                                      .segment_pages = 2,
                                                      .space = (SIZE + 3) * 2 * VM_PAGE_SIZE,
                                                      .operations = 3,
                                                      .below = make_file((SIZE + 3) * 2),
                                                      .allocate_frames = frames_allocate,
                                                      .free_frames = frames_free};
        OK(vm_store_create_compressed(&options, &store));
        run_threads(store, "tight", 7);
    }
}

/* ---- who waits, and who doesn't ---- */

static struct trouble trouble;

static void *read_page_0(void *store)
{
    OK(store_check(store, 0, seed_of(8, 0)));
    return NULL;
}

static void wait_until(const unsigned *number, unsigned enough)
{
    while (__atomic_load_n(number, __ATOMIC_SEQ_CST) < enough)
        sched_yield();
}

/* Four segments, one of them being read below: when the others are full its blobs have moved, but it is free only
 * after the read. */
static void test_a_segment_that_is_read_is_not_used_again(void **state)
{
    struct vm_store_compressed_options options = {.pages = 8,
                                                  .segment_pages = 2,
                                                  .space = 4 * 2 * VM_PAGE_SIZE,
                                                  .allocate_frames = frames_allocate,
                                                  .free_frames = frames_free};
    vm_store *store;
    pthread_t reader, writer;
    (void)state;
    options.below = trouble_begin(&trouble, make_memory(8));
    OK(vm_store_create_compressed(&options, &store));
    OK(store_put(store, 0, seed_of(8, 0)));
    for (uint64_t i = 0; i < 10; i++)
        OK(store_put(store, 1, seed_of(8, i)));
    OK(store_check(store, 0, seed_of(8, 0)));
    trouble_block(&trouble, true);
    pthread_create(&reader, NULL, read_page_0, store);
    pthread_create(&writer, NULL, read_page_0, store);
    wait_until(&trouble.waiting, 2);
    /* No disk is waited for by these. */
    store->ops->discard(store, 0, 1);
    assert_false(store->ops->has_page(store, 0));
    OK(store_put(store, 2, 0));
    OK(store_check(store, 2, 0));
    trouble_block(&trouble, false);
    pthread_join(reader, NULL);
    pthread_join(writer, NULL);
    for (uint64_t i = 0; i < 30; i++)
        OK(store_put(store, 1, seed_of(8, i)));
    OK(store_check_zero(store, 0));
    store_end(store);
}

static bool has_written;

static void *write_pages_4_and_5(void *store)
{
    OK(store_put(store, 4, seed_of(8, 14)));
    OK(store_put(store, 5, seed_of(8, 15)));
    __atomic_store_n(&has_written, true, __ATOMIC_SEQ_CST);
    return NULL;
}

/* The last segment is one whose blobs have moved, but that is being read: who needs it waits. */
static void test_who_needs_a_segment_waits_for_its_reader(void **state)
{
    struct vm_store_compressed_options options = {.pages = 8,
                                                  .segment_pages = 2,
                                                  .space = 4 * 2 * VM_PAGE_SIZE,
                                                  .allocate_frames = frames_allocate,
                                                  .free_frames = frames_free};
    vm_store *store;
    pthread_t reader, writer;
    (void)state;
    options.below = trouble_begin(&trouble, make_memory(8));
    OK(vm_store_create_compressed(&options, &store));
    for (size_t i = 0; i < 6; i++) /* three segments; none of these shrinks */
        OK(store_put(store, i, seed_of(8, i)));
    store->ops->discard(store, PAGES(1), 1);
    trouble.hold_read = 1;
    pthread_create(&reader, NULL, read_page_0, store);
    wait_until(&trouble.waiting, 1);
    pthread_create(&writer, NULL, write_pages_4_and_5, store);
    for (unsigned i = 0; i < 200; i++)
        usleep(100);
    assert_false(__atomic_load_n(&has_written, __ATOMIC_SEQ_CST));
    trouble_release(&trouble);
    pthread_join(reader, NULL);
    pthread_join(writer, NULL);
    OK(store_check(store, 0, seed_of(8, 0)));
    OK(store_check(store, 4, seed_of(8, 14)));
    OK(store_check(store, 5, seed_of(8, 15)));
    store_end(store);
}

static void *write_page_1(void *store)
{
    store_put(store, 1, 9);
    return NULL;
}

/* A page whose writer is slow is waited for by its readers, and by other writers of it; not by others. */
static void test_checksum_readers_wait_for_the_writer(void **state)
{
    pthread_t writer, second, reader;
    (void)state;
    vm_store *memory = make_memory(4), *store = make_checksum(4, trouble_begin(&trouble, memory));
    OK(store_put(store, 0, seed_of(8, 0)));
    trouble_block(&trouble, true);
    pthread_create(&writer, NULL, write_page_1, store);
    wait_until(&trouble.waiting, 1);
    pthread_create(&second, NULL, write_page_1, store);
    pthread_create(&reader, NULL, read_page_0, store);
    wait_until(&trouble.waiting, 2);
    assert_int_equal(__atomic_load_n(&trouble.writes, __ATOMIC_SEQ_CST), 2);
    trouble_block(&trouble, false);
    pthread_join(writer, NULL);
    pthread_join(second, NULL);
    pthread_join(reader, NULL);
    assert_int_equal(trouble.writes, 3);
    OK(store_check(store, 1, 9));
    store_end(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_stack_by_many_threads),
        cmocka_unit_test(test_a_tight_space_by_many_threads),
        cmocka_unit_test(test_a_segment_that_is_read_is_not_used_again),
        cmocka_unit_test(test_who_needs_a_segment_waits_for_its_reader),
        cmocka_unit_test(test_checksum_readers_wait_for_the_writer),
    };
    return cmocka_run_group_tests_name("stores by many threads", tests, NULL, NULL);
}
