/* SPDX-License-Identifier: MIT */
/* Machines that stop in the middle: threads write numbers to files, sync them, and run short of memory; at
 * each page that is written to a file or to swap, in turn, the machine stops, memory is gone, and the files
 * must have what syncs have confirmed: those numbers or later ones, and nothing that was never there. */
#ifndef QUIRE_TORTURE_CRASH_H
#define QUIRE_TORTURE_CRASH_H

#include <sim.h>

struct crash_way {
    uint64_t seed;      /* of the threads' work and their order */
    unsigned at;        /* the page at whose write the machine stops; 0: it doesn't */
    enum sim_disk disk; /* for tests: what is wrong with it */
};

struct crash_outcome {
    bool failed, stopped;
    char text[1024];
    uint64_t pages;     /* written by the machine, to files and swap */
    uint64_t confirmed; /* numbers that a sync had confirmed and the disk had to have */
    uint64_t outdone;   /* and in whose place it had later ones */
};

/* False, with outcome->text: something that was confirmed is missing, or the run went wrong. */
bool crash_run(const struct crash_way *way, struct crash_outcome *outcome);

#endif
