/* SPDX-License-Identifier: MIT */
/* Stacks of three whose bottom fails at each of its operations in turn: a page is the old one or the new one, or an
 * error; and all is well when the bottom is. */
#include "support.h"
#include "trouble.h"

#include <stdio.h>

#define SIZE 24
#define LONGEST 5
#define OPERATIONS 60

static struct trouble trouble;

static vm_store *bottom(size_t pages)
{
    return trouble_begin(&trouble, make_memory(pages));
}

static vm_store *file_bottom(size_t pages)
{
    return trouble_begin(&trouble, make_file(pages));
}

static vm_store *zstd_checksum(void)
{
    size_t space = space_below(SIZE);
    return make_compressed(SIZE, VM_STORE_ZSTD, make_checksum(space, file_bottom(space)));
}

static vm_store *checksum_lz4(void)
{
    return make_checksum(SIZE, make_compressed(SIZE, VM_STORE_LZ4, bottom(space_below(SIZE))));
}

static vm_store *lz4_zstd(void)
{
    size_t space = space_below(SIZE);
    return make_compressed(SIZE, VM_STORE_LZ4,
                           make_compressed(space, VM_STORE_ZSTD, bottom(space_below(space))));
}

static vm_store *checksum_checksum(void)
{
    return make_checksum(SIZE, make_checksum(SIZE, bottom(SIZE)));
}

static const struct stack {
    const char *name;
    vm_store *(*make)(void);
    enum { NOWHERE, ABOVE, BELOW } checked; /* ABOVE: a wrong bit may have been moved before */
    bool moves; /* what couldn't be written is written elsewhere: what was there may be gone */
} stacks[] = {
    {"zstd over a checksum over a file", zstd_checksum, BELOW, true},
    {"a checksum over lz4 over memory", checksum_lz4, ABOVE, true},
    {"lz4 over zstd over memory", lz4_zstd, NOWHERE, true},
    {"a checksum over a checksum over memory", checksum_checksum, BELOW, false},
};

/* ---- a run -------------------------------------------------------------------------------------- */

static struct {
    const struct stack *stack;
    vm_store *store;
    uint64_t random, old[SIZE], new[SIZE];
    unsigned errors;
} run;

static size_t below(size_t most)
{
    return (size_t)(next_random(&run.random) % most);
}

static void write_pages(size_t first, size_t count)
{
    addr_t frames[LONGEST];
    size_t done = 1;
    for (size_t i = 0; i < count; i++) {
        OK(frames_allocate(1, false, &frames[i]));
        run.new[first + i] = next_random(&run.random);
        page_fill(host_frame_ptr(frames[i]), run.new[first + i]);
    }
    int error = run.store->ops->write(run.store, PAGES(first), frames, count, &done);
    assert_true(error == VM_OK ? done == count * PAGE : done < count * PAGE);
    run.errors += error != VM_OK;
    for (size_t i = 0; i < count; i++) {
        if (error == VM_OK || (i + 1) * PAGE <= done)
            run.old[first + i] = run.new[first + i];
        frames_free(frames[i], 1);
    }
}

/* Whichever it is, it stays. */
static void check_page(const void *bytes, size_t page)
{
    bool is_old = page_is(bytes, run.old[page]);
    assert_true(is_old || page_is(bytes, run.new[page]));
    if (is_old)
        run.new[page] = run.old[page];
    else
        run.old[page] = run.new[page];
}

static int read_pages(size_t first, size_t count)
{
    addr_t frames[LONGEST];
    size_t done = 1;
    for (size_t i = 0; i < count; i++)
        OK(frames_allocate(1, false, &frames[i]));
    int error = run.store->ops->read(run.store, PAGES(first), frames, count, &done);
    assert_true(error == VM_OK ? done == count * PAGE : done < count * PAGE);
    run.errors += error != VM_OK;
    for (size_t i = 0; i < done / PAGE; i++)
        check_page(host_frame_ptr(frames[i]), first + i);
    for (size_t i = 0; i < count; i++)
        frames_free(frames[i], 1);
    return error;
}

static void operate(void)
{
    size_t first = below(SIZE), count = 1 + below(LONGEST);
    if (count > SIZE - first)
        count = SIZE - first;
    if (below(2))
        write_pages(first, count);
    else
        (void)read_pages(first, count);
}

/* The n-th operation of a kind, once or for good. How many operations said something. */
static unsigned make_trouble(const struct stack *stack, unsigned *kind, unsigned n, bool for_good)
{
    size_t frames = frames_used();
    memset(&run, 0, sizeof run);
    run.stack = stack;
    run.random = n;
    run.store = stack->make();
    for (size_t i = 0; i < SIZE; i += 2) /* what was never written is checked by nobody */
        write_pages(i, 2);
    *kind = n;
    trouble.for_good = for_good;
    trouble.spoil = stack->moves;
    for (unsigned i = 0; i < OPERATIONS; i++)
        operate();
    *kind = 0;
    unsigned errors = run.errors;
    bool stays = kind == &trouble.flip_read && stack->checked == ABOVE;
    for (size_t i = 0; i < SIZE; i++)
        assert_true(read_pages(i, 1) == VM_OK || stays);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        run.errors = 0;
        operate();
        assert_true(run.errors == 0 || stays);
    }
    store_end(run.store);
    assert_int_equal(frames_used(), frames);
    return errors;
}

static void each_in_turn(unsigned *kind, bool checked_alone)
{
    for (size_t i = 0; i < sizeof stacks / sizeof stacks[0]; i++) {
        unsigned errors = 0;
        if (checked_alone && stacks[i].checked == NOWHERE)
            continue;
        for (unsigned n = 1; n <= 40; n++)
            errors += make_trouble(&stacks[i], kind, n, n % 2 == 0);
        print_message("%s: %u errors\n", stacks[i].name, errors);
        assert_true(errors > 0);
    }
}

static void test_each_read_of_the_bottom_fails_in_turn(void **state)
{
    (void)state;
    each_in_turn(&trouble.fail_read, false);
}

static void test_each_write_of_the_bottom_fails_in_turn(void **state)
{
    (void)state;
    each_in_turn(&trouble.fail_write, false);
}

static void test_each_read_of_the_bottom_is_short_in_turn(void **state)
{
    (void)state;
    each_in_turn(&trouble.short_read, false);
}

static void test_each_write_of_the_bottom_is_short_in_turn(void **state)
{
    (void)state;
    each_in_turn(&trouble.short_write, false);
}

static void test_each_read_of_the_bottom_has_a_wrong_bit_in_turn(void **state)
{
    (void)state;
    each_in_turn(&trouble.flip_read, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_read_of_the_bottom_fails_in_turn),
        cmocka_unit_test(test_each_write_of_the_bottom_fails_in_turn),
        cmocka_unit_test(test_each_read_of_the_bottom_is_short_in_turn),
        cmocka_unit_test(test_each_write_of_the_bottom_is_short_in_turn),
        cmocka_unit_test(test_each_read_of_the_bottom_has_a_wrong_bit_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
