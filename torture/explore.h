/* SPDX-License-Identifier: MIT */
/* Many schedules of one scenario. */
#ifndef QUIRE_TORTURE_EXPLORE_H
#define QUIRE_TORTURE_EXPLORE_H

#include "scenario.h"

struct explore_result {
    bool failed;
    char text[1024];
    struct schedule schedule; /* with the decisions of the failed run */
    struct scenario_failure failure;
    uint64_t runs, steps;
    uint64_t choices;  /* of the longest run */
    bool complete;     /* exhaustive: nothing is left within the bound */
    uint64_t injected; /* requests that were made to fail */
};

/* Whether to go on; asked now and then. NULL: yes. */
typedef bool explore_going(void *argument, const struct explore_result *so_far);

struct explore_limits {
    uint64_t runs; /* 0: no limit */
    explore_going *going;
    /* Hears of each run before it begins, in case it doesn't end; or NULL. */
    void (*about_to)(void *argument, const struct schedule *schedule,
                     const struct scenario_failure *failure);
    void *argument;
};

/* Random or PCT schedules, with seeds from `first->seed` on; hostile CPUs are so in another way each time. */
void explore_seeds(const struct scenario *scenario, const struct schedule *first,
                   const struct explore_limits *limits, struct explore_result *result);
/* All schedules in which the running fiber is stopped for another at most `preemptions` times. */
void explore_all(const struct scenario *scenario, unsigned preemptions,
                 const struct explore_limits *limits, struct explore_result *result);
/* In turn, with the first, second and each further request of each class failing, once and for good,
 * until none is left to fail. */
void explore_failures(const struct scenario *scenario, const struct explore_limits *limits,
                      struct explore_result *result);
/* The same for the start of a machine. */
void explore_starts(const struct explore_limits *limits, struct explore_result *result);
/* Takes decisions out of a failed run's schedule as long as it still fails. */
void explore_shrink(const struct scenario *scenario, struct explore_result *result);

#endif
