/* SPDX-License-Identifier: MIT */
/* Each scenario: in many random orders, with hostile CPUs, in PCT's, in all with one preemption and many with two,
 * and with each request failing. QUIRE_SCENARIO=NAME picks one, QUIRE_RUNS=N says how many runs are many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <explore.h>

#define MOST_SCENARIOS 500
#define HOSTILE (SIM_TLB_REMEMBER + 1)

static struct explore_limits limits = {.runs = 300};
static const struct explore_limits no_limits = {.runs = 0};

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
    explore_all(scenario, 1, &no_limits, &result);
    report(scenario, "one stop", &result);
    explore_all(scenario, 2, &limits, &result);
    report(scenario, "two stops", &result);
    explore_failures(scenario, &no_limits, &result);
    report(scenario, "failures", &result);
}

static void test_scenario(void **state)
{
    try_scenario(*state);
}

int main(void)
{
    static struct CMUnitTest tests[MOST_SCENARIOS];
    const char *chosen = getenv("QUIRE_SCENARIO"), *runs = getenv("QUIRE_RUNS");
    size_t count = 0;
    if (runs != NULL)
        limits.runs = strtoul(runs, NULL, 10);
    if (scenario_count > MOST_SCENARIOS || (chosen != NULL && scenario_by_name(chosen) == NULL))
        return 1;
    for (size_t i = 0; i < scenario_count; i++)
        if (chosen == NULL || scenarios[i] == scenario_by_name(chosen))
            tests[count++] = (struct CMUnitTest){.name = scenarios[i]->name,
                                                 .test_func = test_scenario,
                                                 .initial_state = (void *)(uintptr_t)scenarios[i]};
    return _cmocka_run_group_tests("scenarios", tests, count, NULL, NULL);
}
