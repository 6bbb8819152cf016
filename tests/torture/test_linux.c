/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include <linux.h>
#include <linux_plan.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void try_seeds(enum generate_profile profile)
{
    struct trace trace = {NULL, 0, 0};
    struct trace_outcome outcome;
    for (uint64_t seed = 1; seed<200; seed++) {
        trace_generate(&trace, seed, profile, 4000);
        if (!linux_run(&trace, &outcome)) {
            printf("seed %lu: operation %zu: %s: ", (unsigned long)seed, outcome.at, outcome.text);
            if (outcome.at < trace.count) operation_print(&trace.operation[outcome.at], stdout);
        }
    }
    trace_free(&trace);
}
static void test_a(void**state){(void)state;double t=now();try_seeds(GENERATE_POSIX_ALONE);printf("%f\n",now()-t);}
static void test_b(void**state){(void)state;double t=now();try_seeds(GENERATE_POSIX);printf("%f\n",now()-t);}
int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a),cmocka_unit_test(test_b)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
