/* SPDX-License-Identifier: MIT */
/* Schedules: who goes on at each step. What was decided is kept, so any run can be repeated. */
#ifndef QUIRE_TORTURE_SCHEDULE_H
#define QUIRE_TORTURE_SCHEDULE_H

#include <sim.h>

enum schedule_kind {
    SCHEDULE_IN_TURN, /* each runs until it blocks; the one made first goes on */
    SCHEDULE_RANDOM,  /* at each step anybody may go on */
    /* Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS
     * 2010: random priorities, and depth - 1 steps at which the running one gets the lowest. */
    SCHEDULE_PCT,
    SCHEDULE_CHOSEN, /* as `decisions` say, then in turn */
};

/* At the choice with this number the fiber with that number goes on: only where it isn't the one that
 * would have gone on in turn. */
struct decision {
    uint32_t at;
    uint32_t fiber;
};

#define SCHEDULE_FIBERS 32
#define SCHEDULE_MAX_DECISIONS 4096
#define PCT_MAX_DEPTH 8

struct schedule {
    enum schedule_kind kind;
    uint64_t seed;
    uint64_t hostility;     /* for sim_set_hostility */
    unsigned depth;         /* PCT's */
    uint64_t choices_guess; /* PCT: how many choices a run has, about; 0: not known */

    /* The run's: */
    uint32_t choices; /* that have been made */
    struct decision decisions[SCHEDULE_MAX_DECISIONS];
    unsigned decision_count; /* CHOSEN: given; the others: as many as were made */
    unsigned next_decision;
    uint64_t random;
    uint32_t change_at[PCT_MAX_DEPTH];
    uint32_t priority[SCHEDULE_FIBERS];
    uint32_t lowest;
    /* For the exhaustive search: called with each choice before it is made; may be NULL. */
    void (*watch)(void *argument, uint32_t at, const struct sim_choice *choice);
    void *argument;
};

/* Makes the schedule ready for a run, from its kind, seed, depth, guess and, where CHOSEN, decisions. */
void schedule_begin(struct schedule *schedule);
struct sim_scheduler schedule_scheduler(struct schedule *schedule);
/* Who goes on where nothing else is decided. */
unsigned schedule_in_turn(const struct sim_choice *choice);

/* The chance that PCT's one run finds a given bug of this depth among so many fibers and choices is at
 * least 1 / (fibers * choices^(depth - 1)). */
double schedule_pct_bound(unsigned fibers, uint64_t choices, unsigned depth);

#endif
