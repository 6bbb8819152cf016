/* SPDX-License-Identifier: MIT */
/* Each scenario: in many random orders, with hostile CPUs, in PCT's, in all with one preemption and as many with two as
 * there is time for, and with each request failing. QUIRE_SCENARIO=NAME picks one, QUIRE_RUNS=N says how
 * many runs each gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <explore.h>

#define HOSTILE (SIM_TLB_REMEMBER + 1)

static struct explore_limits limits = {.runs = 1000};

static void report(const struct scenario *scenario, const char *how,
                   const struct explore_result *result)
{
    printf("%-36s %-10s %8lu runs %6lu choices%s\n", scenario->name, how,
           (unsigned long)result->runs, (unsigned long)result->choices,
           result->complete ? ", complete" : "");
    if (result->failed)
        fail_msg("%s, %s: run %lu: %s", scenario->name, how, (unsigned long)result->runs,
                 result->text);
}

static void try_scenario(const struct scenario *scenario)
{
    static struct explore_result result;
    struct schedule random = {.kind = SCHEDULE_RANDOM, .seed = 1, .hostility = HOSTILE};
    struct schedule pct = {
        .kind = SCHEDULE_PCT, .seed = 1, .depth = 3, .hostility = SIM_TLB_REMEMBER};
    explore_seeds(scenario, &random, &limits, &result);
    report(scenario, "random", &result);
    explore_seeds(scenario, &pct, &limits, &result);
    report(scenario, "pct", &result);
    explore_all(scenario, 2, &limits, &result);
    report(scenario, "exhaustive", &result);
    explore_failures(scenario, &(struct explore_limits){.runs = 0}, &result);
    report(scenario, "failures", &result);
}

static void test_scenarios(void **state)
{
    (void)state;
    const char *chosen = getenv("QUIRE_SCENARIO"), *runs = getenv("QUIRE_RUNS");
    if (runs != NULL)
        limits.runs = strtoul(runs, NULL, 10);
    if (chosen != NULL) {
        assert_non_null(scenario_by_name(chosen));
        try_scenario(scenario_by_name(chosen));
        return;
    }
    for (size_t i = 0; i < scenario_count; i++)
        try_scenario(scenarios[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scenarios)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
