/* SPDX-License-Identifier: MIT */
/* Traces on Linux, the simulator and the model: random ones for some seconds (QUIRE_SECONDS=N says how many
 * of each kind), some that were written, and some with a wrong expectation, which must be noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include <linux.h>
#include <linux_plan.h>
#include <shrink.h>

#define OPERATIONS 3000
#define LEAST_SEEDS 3

static struct trace_outcome outcome;

/* ---- random ones -------------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void try_seeds(enum generate_profile profile)
{
    const char *asked = getenv("QUIRE_SECONDS");
    double end = now() + (asked != NULL ? atof(asked) : 2);
    struct trace trace = {NULL, 0, 0};
    uint64_t operations = 0, seed = 0;
    while (seed < LEAST_SEEDS || now() < end) {
        trace_generate(&trace, seed++, profile, OPERATIONS);
        if (!linux_run(&trace, &outcome))
            fail_msg("seed %lu, operation %zu: %s", (unsigned long)seed - 1, outcome.at,
                     outcome.text);
        operations += outcome.operations;
    }
    assert_true(operations > seed * OPERATIONS / 2);
    printf("%lu seeds, %lu operations\n", (unsigned long)seed, (unsigned long)operations);
    trace_free(&trace);
}

static void test_one_process(void **state)
{
    (void)state;
    try_seeds(GENERATE_POSIX_ALONE);
}

static void test_four_processes(void **state)
{
    (void)state;
    try_seeds(GENERATE_POSIX);
}

/* What isn't POSIX's is left out, whatever it is. */
static void test_all_operations(void **state)
{
    (void)state;
    struct trace trace = {NULL, 0, 0};
    for (uint64_t seed = 0; seed < LEAST_SEEDS; seed++) {
        trace_generate(&trace, seed, GENERATE_ALL, OPERATIONS);
        if (!linux_run(&trace, &outcome))
            fail_msg("seed %lu, operation %zu: %s", (unsigned long)seed, outcome.at, outcome.text);
        assert_true(outcome.operations > OPERATIONS / 4);
    }
    trace_free(&trace);
}

static void test_apart(void **state)
{
    (void)state;
    struct trace trace = {NULL, 0, 0};
    struct trace_way way = {.check_every = 1, .on_linux = true};
    trace_generate(&trace, 1, GENERATE_POSIX, 500);
    if (!trace_run_apart(&trace, &way, 60, &outcome))
        fail_msg("operation %zu: %s", outcome.at, outcome.text);
    assert_true(outcome.comparisons > outcome.operations);
    trace_free(&trace);
}

/* ---- written ones ------------------------------------------------------------------------------- */

static struct trace trace_of(const char *const *lines, size_t count)
{
    struct trace trace = {NULL, 0, 0};
    struct operation operation;
    const char *problem;
    for (size_t i = 0; i < count; i++) {
        if (!operation_parse(lines[i], &operation, &problem))
            fail_msg("%s: %s", lines[i], problem);
        trace_add(&trace, &operation);
    }
    return trace;
}

/* Plans the lines, so that each is a step; the rest are comparisons. */
static struct linux_plan plan_of(const char *const *lines, size_t count)
{
    struct linux_plan plan;
    struct trace trace = trace_of(lines, count);
    linux_plan_make(&plan, &trace, 0);
    assert_int_equal(plan.kept.count, count);
    trace_free(&trace);
    return plan;
}

static const char *const mixed[] = {
    "create page=4 pages=4 at=2 lock=1",
    "unmap page=6 pages=1",
    "write page=4 within=4000 length=200 byte=7",
    "protect page=4 pages=4 lock=0", /* 4 and 5, then the hole */
    "write page=5 within=0 length=1 byte=9",
    "write page=7 within=0 length=1 byte=9",
    "discard page=4 pages=4", /* 7, too */
    "read page=4 within=4000 length=200",
    "read page=7 within=0 length=1",
    "truncate file=0 size=5000",
    "map-file page=10 pages=3 at=2 lock=1 private=0 file=0 offset=0",
    "write page=10 within=0 length=8 byte=3",
    "read page=12 within=0 length=1",
    "fork to=0",
    "read space=1 page=10 within=0 length=8",
    "read page=6 within=0 length=1",
};
#define MIXED (sizeof(mixed) / sizeof(mixed[0]))

static void test_partial_effects(void **state)
{
    (void)state;
    static const int results[MIXED] = {[3] = ERR_VM_PAGE_NOT_PRESENT,
                                       [4] = ERR_VM_PF_BAD_PERM,
                                       [6] = ERR_VM_PAGE_NOT_PRESENT,
                                       [12] = ERR_VM_PF_PAST_END,
                                       [15] = ERR_VM_PF_BAD_ADDRESS};
    struct linux_plan plan = plan_of(mixed, MIXED);
    for (size_t i = 0; i < MIXED; i++)
        assert_int_equal(plan.step[i].result, results[i]);
    assert_int_equal(plan.step[7].bytes[0], 0);
    assert_int_equal(plan.step[14].bytes[7], 3);
    if (!linux_plan_run(&plan, &outcome))
        fail_msg("operation %zu: %s", outcome.at, outcome.text);
    assert_int_equal(outcome.operations, MIXED);
    linux_plan_free(&plan);
}

static void test_execution(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "create page=0 pages=1 at=2 lock=5", "write page=0 within=9 length=1 byte=195",
        "execute page=0 within=9 length=1",  "protect page=0 pages=1 lock=1",
        "execute page=0 within=9 length=1",
    };
    struct linux_plan plan = plan_of(lines, 5);
    assert_int_equal(plan.step[2].result, VM_OK);
    assert_int_equal(plan.step[4].result, ERR_VM_PF_BAD_PERM);
    if (!linux_plan_run(&plan, &outcome))
        fail_msg("operation %zu: %s", outcome.at, outcome.text);
    linux_plan_free(&plan);
}

/* ---- wrong expectations ------------------------------------------------------------------------- */

/* The run ends at this operation, with these words. */
static void must_notice(struct linux_plan *plan, size_t at, const char *words)
{
    assert_false(linux_plan_run(plan, &outcome));
    assert_true(outcome.failed);
    if (outcome.at != at || strstr(outcome.text, words) == NULL)
        fail_msg("at %zu: %s", outcome.at, outcome.text);
    linux_plan_free(plan);
}

static void test_wrong_result(void **state)
{
    (void)state;
    struct linux_plan plan = plan_of(mixed, MIXED);
    plan.step[3].result = VM_OK;
    must_notice(&plan, 3, "protect: Linux says 12");
    plan = plan_of(mixed, MIXED);
    plan.step[0].result = ERR_VM_NO_REGION_SLOT;
    must_notice(&plan, 0, "create: Linux says 0");
}

static void test_wrong_signal(void **state)
{
    (void)state;
    struct linux_plan plan = plan_of(mixed, MIXED);
    plan.step[4].result = ERR_VM_PF_BAD_ADDRESS;
    must_notice(&plan, 4, "write: Linux says -4102");
    plan = plan_of(mixed, MIXED);
    plan.step[12].result = ERR_VM_PF_BAD_PERM;
    must_notice(&plan, 12, "read: Linux says -4107");
    plan = plan_of(mixed, MIXED);
    plan.step[15].result = VM_OK;
    must_notice(&plan, 15, "read: Linux says -4101");
}

/* In the child of a fork. */
static void test_wrong_byte(void **state)
{
    (void)state;
    struct linux_plan plan = plan_of(mixed, MIXED);
    plan.step[14].bytes[5] = 4;
    must_notice(&plan, 14, "read: Linux has 0x3 in byte 5, the model 0x4");
}

/* The comparisons at the end: two files, then the windows of both spaces. */
static void test_wrong_contents(void **state)
{
    (void)state;
    struct linux_plan plan = plan_of(mixed, MIXED);
    assert_int_equal(plan.count, MIXED + 4);
    plan.step[MIXED].bytes[4999] = 1;
    must_notice(&plan, MIXED, "file 0: Linux has 0 in byte 4999");
    plan = plan_of(mixed, MIXED);
    plan.step[MIXED + 1].length = 1;
    must_notice(&plan, MIXED, "file 1: Linux has 0 bytes, the model 1");
    plan = plan_of(mixed, MIXED);
    plan.step[MIXED + 2].page[10].bytes[8] = 2;
    must_notice(&plan, MIXED, "page 10: Linux has 0 in byte 8, the model 0x2");
    plan = plan_of(mixed, MIXED);
    plan.step[MIXED + 3].page[6].result = VM_OK;
    must_notice(&plan, MIXED, "page 6: Linux says -4101");
}

/* A process that ends of itself: a breakpoint is executed where a return should be. */
static void test_lost_process(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "create page=0 pages=1 at=2 lock=5",
        "write page=0 within=0 length=1 byte=195",
        "execute page=0 within=0 length=1",
    };
    struct linux_plan plan = plan_of(lines, 3);
    plan.step[1].operation.argument[3] = 0xcc;
    must_notice(&plan, 2, "a space's process ends");
}

/* ---- leaving out -------------------------------------------------------------------------------- */

static void test_left_out(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "create page=0 pages=2 at=0 lock=1",         /* at any address */
        "create page=0 pages=2 at=2 lock=2",         /* the kernel's */
        "create page=0 pages=2 at=2 lock=17",        /* shared */
        "resize page=0 pages=3",                     /* which doesn't grow */
        "move page=0 pages=2 at=1 to=1 new-pages=2", /* to where it is */
        "wire page=0 pages=1",
        "discard page=0 pages=0",
        "unmap page=31 pages=2",
        "truncate file=0 size=100",
        "map-file page=4 pages=2 at=2 lock=1 private=0 file=0 offset=0",
        "write page=4 within=90 length=11 byte=1", /* behind the end */
        "execute page=0 within=0 length=1",
        "execute page=0 within=0 length=2",
    };
    static const size_t kept[] = {2, 8, 9, 11};
    struct linux_plan plan;
    struct trace trace = trace_of(lines, sizeof(lines) / sizeof(lines[0]));
    linux_plan_make(&plan, &trace, 0);
    assert_int_equal(plan.kept.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(plan.kept_at[i], kept[i]);
    linux_plan_free(&plan);
    trace_free(&trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_partial_effects), cmocka_unit_test(test_execution),
        cmocka_unit_test(test_left_out),        cmocka_unit_test(test_wrong_result),
        cmocka_unit_test(test_wrong_signal),    cmocka_unit_test(test_wrong_byte),
        cmocka_unit_test(test_wrong_contents),  cmocka_unit_test(test_lost_process),
        cmocka_unit_test(test_one_process),     cmocka_unit_test(test_four_processes),
        cmocka_unit_test(test_all_operations),  cmocka_unit_test(test_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
