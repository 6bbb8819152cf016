/* SPDX-License-Identifier: MIT */
/* Schedules: that they repeat, that the search misses none, and what PCT promises. */
#include "support.h"

#include <string.h>

#include <explore.h>

#define STEPS 4

/* Two actors that note, at each of their steps, who they are: the note says the schedule. */
static char note[2 * STEPS + 1];
static char notes[200][2 * STEPS + 1];
static unsigned noted;

static int take_steps(char who)
{
    for (unsigned i = 0; i < STEPS; i++) {
        size_t length = strlen(note);
        note[length] = who;
        note[length + 1] = '\0';
        (void)sim_read_byte(SPOT);
    }
    return 0;
}

static int first(void)
{
    return take_steps('a');
}

static int second(void)
{
    return take_steps('b');
}

static void begin(void)
{
    memset(note, 0, sizeof(note));
    scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    for (unsigned cpu = 0; cpu < 2; cpu++) {
        sim_set_cpu(cpu);
        OK(sim_read_byte(SPOT) - 1); /* both TLBs have it: an access is one step */
    }
    sim_set_cpu(0);
}

static void end(void)
{
    unsigned i = 0;
    while (i < noted && strcmp(notes[i], note) != 0)
        i++;
    if (i == noted && noted < 200)
        memcpy(notes[noted++], note, sizeof(note));
}

static const struct scenario steps = {
    .name = "steps",
    .begin = begin,
    .actor = {{.name = "first", .run = first}, {.name = "second", .run = second}},
    .end = end,
};

static struct explore_result result;
static const struct explore_limits no_limits;

static void test_explore_all_without_preemptions(void **state)
{
    (void)state;
    noted = 0;
    explore_all(&steps, 0, &no_limits, &result);
    assert_true(result.complete);
    assert_int_equal(noted, 2); /* either may be first */
}

/* With one preemption: the first to run is stopped at one of its steps, or not; the other ends; it goes
 * on. The first note of the other comes behind 1 to STEPS notes of the one: behind all of them is no
 * preemption. */
static void test_explore_all_finds_every_order_within_its_bound(void **state)
{
    (void)state;
    noted = 0;
    explore_all(&steps, 1, &no_limits, &result);
    assert_true(result.complete);
    assert_int_equal(noted, 2 * STEPS);
    uint64_t runs = result.runs;
    explore_all(&steps, 2, &no_limits, &result);
    assert_true(result.complete);
    assert_true(result.runs > runs);
    /* And with as many as there are steps, all of (8 over 4). */
    noted = 0;
    explore_all(&steps, 2 * STEPS + 2, &no_limits, &result);
    assert_true(result.complete);
    assert_int_equal(noted, 70);
}

static void test_explore_all_stops_at_its_limit(void **state)
{
    (void)state;
    explore_all(&steps, 2, &(struct explore_limits){.runs = 3}, &result);
    assert_false(result.complete);
    assert_int_equal(result.runs, 3);
}

static void run_with(struct schedule *schedule)
{
    struct scenario_outcome outcome;
    assert_true(scenario_run(&steps, schedule, NULL, &outcome));
}

static void assert_repeats(enum schedule_kind kind)
{
    static struct schedule schedule;
    char seen[sizeof(note)];
    for (uint64_t seed = 1; seed < 20; seed++) {
        schedule = (struct schedule){.kind = kind, .seed = seed, .depth = 3, .choices_guess = 10};
        run_with(&schedule);
        memcpy(seen, note, sizeof(seen));
        run_with(&schedule);
        assert_string_equal(note, seen);
        schedule.kind = SCHEDULE_CHOSEN; /* what was decided is enough */
        run_with(&schedule);
        assert_string_equal(note, seen);
    }
}

static void test_schedule_random_repeats(void **state)
{
    (void)state;
    assert_repeats(SCHEDULE_RANDOM);
}

static void test_schedule_pct_repeats(void **state)
{
    (void)state;
    assert_repeats(SCHEDULE_PCT);
}

/* Depth 2 needs one change of priority at the right one of k choices: every one of the 2 * STEPS orders
 * with one preemption comes within some n * k runs. */
static void test_schedule_pct_finds_each_order_of_its_depth(void **state)
{
    (void)state;
    noted = 0;
    explore_seeds(&steps, &(struct schedule){.kind = SCHEDULE_PCT, .seed = 1, .depth = 2},
                  &(struct explore_limits){.runs = 400}, &result);
    assert_false(result.failed);
    assert_int_equal(noted, 2 * STEPS);
}

static void test_schedule_pct_bound(void **state)
{
    (void)state;
    assert_true(schedule_pct_bound(4, 200, 1) == 0.25);
    double bound = schedule_pct_bound(4, 200, 3);
    assert_true(bound > 6.24e-6 && bound < 6.26e-6); /* 1 / (4 * 200 * 200) */
    assert_true(schedule_pct_bound(2, 0, 2) == 0.5);
}

static void test_scenario_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < scenario_count; i++) {
        assert_ptr_equal(scenario_by_name(scenarios[i]->name), scenarios[i]);
        assert_non_null(scenarios[i]->text);
        assert_non_null(scenarios[i]->actor[0].run);
    }
    assert_null(scenario_by_name("no such meeting"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_explore_all_without_preemptions),
        cmocka_unit_test(test_explore_all_finds_every_order_within_its_bound),
        cmocka_unit_test(test_explore_all_stops_at_its_limit),
        cmocka_unit_test(test_schedule_random_repeats),
        cmocka_unit_test(test_schedule_pct_repeats),
        cmocka_unit_test(test_schedule_pct_finds_each_order_of_its_depth),
        cmocka_unit_test(test_schedule_pct_bound),
        cmocka_unit_test(test_scenario_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
