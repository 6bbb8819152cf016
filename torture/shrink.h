/* SPDX-License-Identifier: MIT */
/* Runs that may crash or hang, each in a process of its own; and failing traces made short. */
#ifndef QUIRE_TORTURE_SHRINK_H
#define QUIRE_TORTURE_SHRINK_H

#include "trace.h"

/* The first thing in such a process: signals end it, and so does the time. */
void apart_begin(unsigned seconds);

/* As trace_run, but a crash and a run of more than `seconds` are outcomes, too. */
bool trace_run_apart(const struct trace *trace, const struct trace_way *way, unsigned seconds,
                     struct trace_outcome *outcome);

/* Takes operations out of a trace that fails, and makes what is left simpler, as long as it still fails;
 * `outcome` becomes that of the last failure. `progress`, if not NULL, hears how many are left. */
void trace_shrink(struct trace *trace, const struct trace_way *way, struct trace_outcome *outcome,
                  void (*progress)(size_t left));

#endif
