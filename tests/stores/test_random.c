/* SPDX-License-Identifier: MIT */
/* Random operations on every store and stack, against an array. QUIRE_SEEDS=FIRST,COUNT runs others, or more; what
 * fails says its seed. */
#include "stacks.h"

#include <stdio.h>
#include <stdlib.h>

#define SIZE 100 /* pages */
#define LONGEST 20
#define OPERATIONS 1500

static struct {
    vm_store *store;
    bool is_file;
    uint64_t page[SIZE]; /* the seed of its bytes; 0: zeros */
    bool there[SIZE];
    uint64_t random;
} run;

static size_t below(size_t limit)
{
    return (size_t)(next_random(&run.random) % limit);
}

static void get_frames(addr_t *frames, size_t count)
{
    for (size_t i = 0; i < count; i++)
        OK(frames_allocate(1, false, &frames[i]));
}

static void put_frames(const addr_t *frames, size_t count)
{
    for (size_t i = 0; i < count; i++)
        frames_free(frames[i], 1);
}

/* What of [first, first + count) is in the store. */
static size_t inside(size_t first, size_t count)
{
    return first >= SIZE ? 0 : count < SIZE - first ? count : SIZE - first;
}

static void random_write(size_t first, size_t count)
{
    addr_t frames[LONGEST];
    uint64_t seeds[LONGEST];
    size_t done = 1, is_in = inside(first, count);
    get_frames(frames, count);
    for (size_t i = 0; i < count; i++)
        page_fill(host_frame_ptr(frames[i]), seeds[i] = next_random(&run.random));
    int error = run.store->ops->write(run.store, PAGES(first), frames, count, &done);
    put_frames(frames, count);
    assert_int_equal(error, is_in > 0 ? VM_OK : ERR_VM_PF_PAST_END);
    assert_int_equal(done, is_in * PAGE);
    for (size_t i = 0; i < is_in; i++) {
        run.page[first + i] = seeds[i];
        run.there[first + i] = true;
    }
}

static void random_read(size_t first, size_t count)
{
    addr_t frames[LONGEST];
    size_t done = 1, is_in = inside(first, count);
    get_frames(frames, count);
    int error = run.store->ops->read(run.store, PAGES(first), frames, count, &done);
    assert_int_equal(error, is_in > 0 ? VM_OK : ERR_VM_PF_PAST_END);
    assert_int_equal(done, is_in * PAGE);
    for (size_t i = 0; i < is_in; i++)
        assert_true(page_is(host_frame_ptr(frames[i]), run.page[first + i]));
    put_frames(frames, count);
}

static void random_discard(size_t first, size_t count)
{
    if (!run.store->ops->discard || run.is_file)
        return;
    run.store->ops->discard(run.store, PAGES(first), count);
    for (size_t i = 0; i < inside(first, count); i++) {
        run.page[first + i] = 0;
        run.there[first + i] = false;
    }
}

static void look(size_t page)
{
    bool there = page < SIZE && run.there[page];
    assert_int_equal(run.store->ops->has_page(run.store, PAGES(page)), there);
    assert_int_equal(run.store->ops->size(run.store), PAGES(SIZE));
}

static void random_operation(void)
{
    size_t first = below(SIZE + 2), count = 1 + below(below(3) == 0 ? LONGEST : 3);
    switch (below(8)) {
    case 0:
    case 1:
    case 2:
        random_write(first, count);
        break;
    case 3:
        random_discard(first, count);
        break;
    case 4:
        look(first);
        break;
    default:
        random_read(first, count);
    }
}

static void run_one(const struct stack *stack, uint64_t seed)
{
    size_t frames = frames_used();
    print_message("%s, seed %llu\n", stack->name, (unsigned long long)seed);
    memset(&run, 0, sizeof run);
    run.random = seed;
    run.is_file =
        strstr(stack->name, "file") && !strstr(stack->name, "lz4") && !strstr(stack->name, "zstd");
    run.store = stack->make(SIZE);
    for (unsigned i = 0; i < OPERATIONS; i++)
        random_operation();
    for (size_t i = 0; i < SIZE; i++)
        random_read(i, 1);
    store_end(run.store);
    assert_int_equal(frames_used(), frames);
}

static void test_every_stack_against_an_array(void **state)
{
    unsigned long first = 1, count = 3;
    const char *seeds = getenv("QUIRE_SEEDS");
    (void)state;
    if (seeds)
        sscanf(seeds, "%lu,%lu", &first, &count);
    for (unsigned long seed = first; seed < first + count; seed++)
        for (size_t i = 0; i < stack_count; i++)
            run_one(&stacks[i], seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_stack_against_an_array)};
    return cmocka_run_group_tests_name("stores against an array", tests, NULL, NULL);
}
