/* SPDX-License-Identifier: MIT */
/* Traces: operations run on the core and on the model, one after the other, with everything compared. */
#ifndef QUIRE_TORTURE_TRACE_H
#define QUIRE_TORTURE_TRACE_H

#include <sim.h>

#include "generate.h"

struct trace {
    struct operation *operation;
    size_t count, room;
};

void trace_add(struct trace *trace, const struct operation *operation);
void trace_free(struct trace *trace);
/* `count` operations from a seed. */
void trace_generate(struct trace *trace, uint64_t seed, enum generate_profile profile,
                    size_t count);

/* How a trace is run; written at the head of a saved one. */
struct trace_way {
    unsigned cpus;          /* of the machine; 0: 2 */
    uint64_t seed;          /* of the failures, and of what TLBs do of themselves; 0: nothing */
    bool failing;           /* before each operation, one of its requests is made to fail */
    enum sim_failure class; /* this one, or SIM_FAILURES: each at some time */
    unsigned n;             /* the n-th request; 0: chosen by the seed */
    bool forever;           /* and all behind it */
    unsigned check_every;   /* operations; everything is compared then */
    bool on_linux;          /* for runs apart and shrinking: on Linux, too (linux.h) */
};

struct trace_outcome {
    bool failed;
    size_t at; /* the operation at which it was noticed */
    char text[1024];
    uint64_t operations, faults, copies, injected, comparisons;
    bool cut; /* the model could not follow */
};

/* False, with outcome->text, where core and model differ or an invariant is broken. */
bool trace_run(const struct trace *trace, const struct trace_way *way,
               struct trace_outcome *outcome);

#endif
