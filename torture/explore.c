/* SPDX-License-Identifier: MIT */
#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool may_go_on(const struct explore_limits *limits, const struct explore_result *result)
{
    if (limits->runs != 0 && result->runs >= limits->runs)
        return false;
    return limits->going == NULL || limits->going(limits->argument, result);
}

/* One run; its part of the result. False: it failed. */
static bool run(const struct scenario *scenario, struct schedule *schedule,
                const struct scenario_failure *failure, const struct explore_limits *limits,
                struct explore_result *result)
{
    struct scenario_outcome outcome;
    if (limits->about_to != NULL)
        limits->about_to(limits->argument, schedule, failure);
    bool good = scenario_run(scenario, schedule, failure, &outcome);
    result->runs++;
    result->steps += outcome.steps;
    result->injected += outcome.failed_here;
    if (schedule->choices > result->choices)
        result->choices = schedule->choices;
    if (good)
        return true;
    result->failed = true;
    result->schedule = *schedule;
    result->schedule.watch = NULL;
    if (failure != NULL)
        result->failure = *failure;
    snprintf(result->text, sizeof(result->text), "%s", outcome.text);
    return false;
}

/* ---- random ------------------------------------------------------------------------------------- */

void explore_seeds(const struct scenario *scenario, const struct schedule *first,
                   const struct explore_limits *limits, struct explore_result *result)
{
    static struct schedule schedule;
    schedule = *first;
    *result = (struct explore_result){.failed = false};
    for (; may_go_on(limits, result); schedule.seed++) {
        schedule.choices_guess = result->choices;
        if (first->hostility > SIM_TLB_REMEMBER)
            schedule.hostility = first->hostility + schedule.seed;
        if (!run(scenario, &schedule, NULL, limits, result))
            return;
    }
}

/* ---- exhaustive --------------------------------------------------------------------------------- */

/* The schedule that is being tried, as the alternative taken at each choice: a depth-first search that
 * changes the last choice that has an alternative left within the bound (as in CHESS: Musuvathi and
 * Qadeer, "Iterative Context Bounding for Systematic Testing", PLDI 2007). Alternative 0 is who goes on
 * in turn. */
struct point {
    uint8_t taken, alternatives; /* alternatives - 1 others could have gone on */
    bool preempts;               /* to take another one stops a fiber that could go on */
    uint32_t fiber[SIM_MAX_READY + 1];
};

struct search {
    struct point *points;
    size_t count, room;
    unsigned bound;
};

static void note_point(void *argument, uint32_t at, const struct sim_choice *choice)
{
    struct search *search = argument;
    if (at < search->count)
        return;
    if (search->count == search->room) {
        search->room = search->room * 2 + 256;
        search->points = realloc(search->points, search->room * sizeof(*search->points));
        if (search->points == NULL)
            abort();
    }
    struct point *point = &search->points[search->count++];
    *point = (struct point){.preempts = choice->running != SIM_NOBODY};
    point->fiber[point->alternatives++] = schedule_in_turn(choice);
    for (unsigned i = 0; i < choice->count; i++)
        if (choice->ready[i] != point->fiber[0])
            point->fiber[point->alternatives++] = choice->ready[i];
}

static void decisions_of(const struct search *search, struct schedule *schedule)
{
    schedule->decision_count = 0;
    for (size_t i = 0; i < search->count; i++)
        if (search->points[i].taken != 0)
            schedule->decisions[schedule->decision_count++] =
                (struct decision){(uint32_t)i, search->points[i].fiber[search->points[i].taken]};
}

/* Turns to the next schedule. False: there is none. */
static bool advance(struct search *search)
{
    unsigned preemptions = 0;
    for (size_t i = 0; i < search->count; i++)
        preemptions += search->points[i].preempts && search->points[i].taken != 0;
    while (search->count > 0) {
        struct point *point = &search->points[search->count - 1];
        unsigned here = point->preempts && point->taken != 0;
        unsigned cost = preemptions - here + (point->preempts ? 1 : 0);
        if (point->taken + 1 < point->alternatives && cost <= search->bound) {
            point->taken++;
            return true;
        }
        preemptions -= here;
        search->count--;
    }
    return false;
}

void explore_all(const struct scenario *scenario, unsigned preemptions,
                 const struct explore_limits *limits, struct explore_result *result)
{
    static struct schedule schedule;
    struct search search = {.bound = preemptions};
    schedule = (struct schedule){.kind = SCHEDULE_CHOSEN,
                                 .hostility = SIM_TLB_REMEMBER,
                                 .watch = note_point,
                                 .argument = &search};
    *result = (struct explore_result){.failed = false};
    do {
        if (!may_go_on(limits, result))
            break;
        decisions_of(&search, &schedule);
        if (!run(scenario, &schedule, NULL, limits, result))
            break;
        result->complete = !advance(&search);
    } while (!result->complete);
    free(search.points);
}

/* ---- failures ----------------------------------------------------------------------------------- */

static bool fail_class(const struct scenario *scenario, enum sim_failure class, bool forever,
                       const struct explore_limits *limits, struct explore_result *result)
{
    static struct schedule schedule;
    for (unsigned n = 1;; n++) {
        struct scenario_failure failure = {class, n, forever};
        uint64_t before = result->injected;
        schedule = (struct schedule){.kind = SCHEDULE_IN_TURN};
        if (!may_go_on(limits, result) || !run(scenario, &schedule, &failure, limits, result))
            return false;
        if (result->injected == before)
            return true;
    }
}

void explore_failures(const struct scenario *scenario, const struct explore_limits *limits,
                      struct explore_result *result)
{
    *result = (struct explore_result){.failed = false};
    for (enum sim_failure class = 0; class < SIM_FAILURES; class ++)
        for (unsigned forever = 0; forever < 2; forever++)
            if (!fail_class(scenario, class, forever != 0, limits, result))
                return;
    result->complete = true;
}

/* A start that fails says so; the next one is as if it had not been. False: it was violated. */
static bool start_once(const struct scenario_failure *failure, struct explore_result *result)
{
    int error = sim_start(&(struct sim_config){.memory = (size_t)1 << 20,
                                               .cpus = 2,
                                               .swap = 64,
                                               .page_daemons = 1,
                                               .keep_memory = true,
                                               .fail_n = failure->n,
                                               .fail_class = failure->class,
                                               .fail_forever = failure->forever});
    uint64_t injected = sim_fail_done(failure->class);
    bool excused = error == ERR_NO_MEMORY || error == ERR_VM_WOULD_OVERCOMMIT;
    result->runs++;
    result->injected += injected;
    if (error == VM_OK) {
        sim_fail_at(failure->class, 0, false);
        sim_end();
    }
    if (error == VM_OK || (excused && injected > 0))
        return true;
    result->failed = true;
    snprintf(result->text, sizeof(result->text), "a start with %s %u failing: %s",
             sim_failure_name(failure->class), failure->n, vm_error_text(error));
    return false;
}

void explore_starts(const struct explore_limits *limits, struct explore_result *result)
{
    *result = (struct explore_result){.failed = false};
    for (unsigned kind = 0; kind < 2 * SIM_FAILURES; kind++) {
        struct scenario_failure failure = {kind / 2, 1, kind % 2 != 0};
        uint64_t before;
        do {
            before = result->injected;
            if (!may_go_on(limits, result) || !start_once(&failure, result))
                return;
            failure.n++;
        } while (result->injected > before);
    }
    result->complete = true;
}

/* ---- shrinking ---------------------------------------------------------------------------------- */

void explore_shrink(const struct scenario *scenario, struct explore_result *result)
{
    static struct schedule shorter;
    struct scenario_outcome outcome;
    struct schedule *best = &result->schedule;
    best->kind = SCHEDULE_CHOSEN;
    bool less = true;
    while (less) {
        less = false;
        for (unsigned i = best->decision_count; i-- > 0;) {
            shorter = *best;
            memmove(&shorter.decisions[i], &shorter.decisions[i + 1],
                    (shorter.decision_count - i - 1) * sizeof(shorter.decisions[0]));
            shorter.decision_count--;
            if (scenario_run(scenario, &shorter, &result->failure, &outcome))
                continue;
            *best = shorter;
            snprintf(result->text, sizeof(result->text), "%s", outcome.text);
            less = true;
        }
    }
}
