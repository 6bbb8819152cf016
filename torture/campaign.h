/* SPDX-License-Identifier: MIT */
/* A campaign: traces and schedules without an end, on several processes, until the time is over or
 * something fails. */
#ifndef QUIRE_TORTURE_CAMPAIGN_H
#define QUIRE_TORTURE_CAMPAIGN_H

#include "record.h"

#define CAMPAIGN_JOBS 64
#define CAMPAIGN_SCENARIOS 256
#define CAMPAIGN_SITES 256

enum campaign_strategy {
    CAMPAIGN_MIXED, /* each scenario with one preemption and with all failures; then random and PCT */
    CAMPAIGN_RANDOM,
    CAMPAIGN_PCT,
    CAMPAIGN_EXHAUSTIVE /* two preemptions, scenario by scenario, to the end */
};

struct campaign_plan {
    uint64_t seed;
    uint64_t operations; /* of traces in all; 0: no limit */
    unsigned seconds;    /* 0: no limit */
    unsigned jobs;       /* processes */
    bool traces, schedules;
    enum record_other other; /* instead */
    enum campaign_strategy strategy;
    const struct scenario *only; /* NULL: all */
    struct trace_way way;        /* of traces, but for the seed; `failing`: all of them */
};

struct campaign_scenario {
    uint64_t random, pct, exhaustive, failures; /* runs */
    uint64_t choices;                           /* of the longest */
    bool complete;                              /* within the bound */
};

struct campaign_site {
    uint64_t seen, failed;
};

struct campaign_figures {
    uint64_t operations, faults, copies, comparisons, traces, cut;
    uint64_t schedules, steps, injected;
    uint64_t stops, confirmed, outdone;               /* crash.h */
    uint64_t pressures, verified, evictions, refused; /* pressure.h */
    double seconds, trace_seconds;                    /* the second: of all processes together */
    struct campaign_scenario scenario[CAMPAIGN_SCENARIOS];
    struct campaign_site site[CAMPAIGN_SITES];
};

struct campaign_result {
    struct campaign_figures figures;
    int signal; /* that ended it before its time; 0: none */
    bool failed;
    char text[1024];
    struct record record; /* of the failure */
};

#define CAMPAIGN_TRACE 2000 /* operations of a trace */
#define CAMPAIGN_DEPTH 3    /* of the bugs that PCT is meant for */

/* `progress`, if not NULL, hears of the figures some times a second. False: the campaign could not be run
 * (errno). */
bool campaign_run(const struct campaign_plan *plan, struct campaign_result *result,
                  void (*progress)(const struct campaign_figures *figures));

#endif
