/* SPDX-License-Identifier: MIT */
/* Traces without an end, in several processes, until the time is over, or one fails. */
#ifndef QUIRE_TORTURE_PROCESS_SEARCH_H
#define QUIRE_TORTURE_PROCESS_SEARCH_H

#include "run.h"

#define SEARCH_JOBS 64

struct search_plan {
    uint64_t seed;
    uint64_t traces; /* 0: no limit */
    unsigned seconds, jobs, mode;
    void (*progress)(const struct outcome *sums, uint64_t traces, unsigned seconds); /* or NULL */
};

struct search_result {
    bool failed;
    uint64_t traces;
    double seconds;
    struct outcome sums; /* and what has failed, at which operation */
    struct trace trace;  /* that has failed */
};

/* False: there are no processes to be had. SIGINT and SIGTERM end it early. */
bool search_run(const struct search_plan *plan, struct search_result *result);

#endif
