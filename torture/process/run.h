/* SPDX-License-Identifier: MIT */
/* Traces of a process that pages itself: made, run, each in a process of its own, and made short. */
#ifndef QUIRE_TORTURE_PROCESS_RUN_H
#define QUIRE_TORTURE_PROCESS_RUN_H

#include "call.h"
#include "world.h"

#define TRACE_CALLS 1500

struct trace {
    struct way way;
    struct call call[TRACE_CALLS];
    size_t count;
};

/* Of the seed; `mode` 0: either. */
void trace_make(struct trace *trace, uint64_t seed, unsigned mode);
/* False: it fails; also if it crashes, or comes no further for `seconds`. *result says what it did. */
bool trace_run(const struct trace *trace, unsigned seconds, struct outcome *result);
/* Takes out what isn't needed for its failure. `result` becomes that of the last failure. */
void trace_shorten(struct trace *trace, struct outcome *result);

void trace_print(const struct trace *trace, FILE *file);
/* 0; or the line that is none of a trace's. */
unsigned trace_load(struct trace *trace, FILE *file);

#endif
