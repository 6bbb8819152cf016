/* SPDX-License-Identifier: MIT */
#include "schedule.h"

static uint64_t next_random(struct schedule *s)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return s->random >> 8;
}

unsigned schedule_in_turn(const struct sim_choice *choice)
{
    return choice->running != SIM_NOBODY ? choice->running : choice->ready[0];
}

/* ---- random ------------------------------------------------------------------------------------- */

#define SWITCH_ONE_IN 4

static unsigned choose_random(struct schedule *s, const struct sim_choice *choice)
{
    if (choice->running != SIM_NOBODY && next_random(s) % SWITCH_ONE_IN != 0)
        return choice->running;
    return choice->ready[next_random(s) % choice->count];
}

/* ---- PCT ---------------------------------------------------------------------------------------- */

static void begin_pct(struct schedule *s)
{
    uint64_t choices = s->choices_guess > 0 ? s->choices_guess : 100;
    s->lowest = PCT_MAX_DEPTH;
    for (unsigned i = 0; i < SCHEDULE_FIBERS; i++)
        s->priority[i] = PCT_MAX_DEPTH + 1 + (uint32_t)(next_random(s) % 1000000);
    for (unsigned i = 0; i + 1 < s->depth; i++)
        s->change_at[i] = (uint32_t)(next_random(s) % choices);
}

static unsigned highest(const struct schedule *s, const struct sim_choice *choice)
{
    unsigned best = schedule_in_turn(choice);
    for (unsigned i = 0; i < choice->count; i++)
        if (s->priority[choice->ready[i] % SCHEDULE_FIBERS] > s->priority[best % SCHEDULE_FIBERS])
            best = choice->ready[i];
    return best;
}

static unsigned choose_pct(struct schedule *s, const struct sim_choice *choice)
{
    for (unsigned i = 0; i + 1 < s->depth; i++)
        if (s->change_at[i] == s->choices && choice->running != SIM_NOBODY)
            s->priority[choice->running % SCHEDULE_FIBERS] = s->lowest--;
    return highest(s, choice);
}

double schedule_pct_bound(unsigned fibers, uint64_t choices, unsigned depth)
{
    double bound = 1.0 / fibers;
    for (unsigned i = 1; i < depth; i++)
        bound /= (double)(choices > 0 ? choices : 1);
    return bound;
}

/* ---- chosen ------------------------------------------------------------------------------------- */

static bool may_run(const struct sim_choice *choice, unsigned fiber)
{
    bool may = fiber == choice->running;
    for (unsigned i = 0; i < choice->count; i++)
        may |= choice->ready[i] == fiber;
    return may;
}

/* A decision that no longer fits (the trace has been made shorter) is passed over. */
static unsigned choose_chosen(struct schedule *s, const struct sim_choice *choice)
{
    while (s->next_decision < s->decision_count && s->decisions[s->next_decision].at < s->choices)
        s->next_decision++;
    if (s->next_decision < s->decision_count && s->decisions[s->next_decision].at == s->choices &&
        may_run(choice, s->decisions[s->next_decision].fiber))
        return s->decisions[s->next_decision].fiber;
    return schedule_in_turn(choice);
}

/* ---- all ---------------------------------------------------------------------------------------- */

static unsigned decide(struct schedule *s, const struct sim_choice *choice)
{
    switch (s->kind) {
    case SCHEDULE_RANDOM:
        return choose_random(s, choice);
    case SCHEDULE_PCT:
        return choose_pct(s, choice);
    case SCHEDULE_CHOSEN:
        return choose_chosen(s, choice);
    default:
        return schedule_in_turn(choice);
    }
}

static unsigned choose(void *argument, const struct sim_choice *choice)
{
    struct schedule *s = argument;
    if (s->watch)
        s->watch(s->argument, s->choices, choice);
    unsigned fiber = decide(s, choice);
    bool keep = s->kind != SCHEDULE_CHOSEN && fiber != schedule_in_turn(choice) &&
                s->decision_count < SCHEDULE_MAX_DECISIONS;
    if (keep)
        s->decisions[s->decision_count++] = (struct decision){s->choices, fiber};
    s->choices++;
    return fiber;
}

void schedule_begin(struct schedule *s)
{
    s->choices = 0;
    s->next_decision = 0;
    if (s->kind != SCHEDULE_CHOSEN)
        s->decision_count = 0;
    s->random = (s->seed + 1) * 0x9e3779b97f4a7c15u | 1;
    for (unsigned i = 0; i < 4; i++)
        (void)next_random(s);
    if (s->kind == SCHEDULE_PCT)
        begin_pct(s);
}

struct sim_scheduler schedule_scheduler(struct schedule *s)
{
    return (struct sim_scheduler){choose, s};
}
