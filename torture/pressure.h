/* SPDX-License-Identifier: MIT */
/* Processes that want three times the memory there is, with files and swap, on several CPUs, beside page
 * daemons. Each knows what its pages must have, and looks at all of every page that it reads. */
#ifndef QUIRE_TORTURE_PRESSURE_H
#define QUIRE_TORTURE_PRESSURE_H

#include <sim.h>

struct pressure_outcome {
    bool failed;
    char text[1024];
    uint64_t operations, verified; /* pages, all of their bytes */
    uint64_t refused;              /* operations for whose structures there was no memory */
    uint64_t evictions, swap_ins, swap_outs;
};

/* False, with outcome->text. The seed says what they do, and in which order. */
bool pressure_run(uint64_t seed, struct pressure_outcome *outcome);

#endif
