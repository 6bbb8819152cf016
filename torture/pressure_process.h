/* SPDX-License-Identifier: MIT */
/* One of the processes of pressure.h. */
#ifndef QUIRE_TORTURE_PRESSURE_PROCESS_H
#define QUIRE_TORTURE_PRESSURE_PROCESS_H

#include <sim.h>

#include "generate.h"
#include "pressure.h"

#define PROCESSES 16
#define OWN_PAGES 150    /* of memory that no other process sees */
#define SHARED_PAGES 32  /* each process's part of the file that all map */
#define LIBRARY_PAGES 64 /* of a file of which each has private pages */

struct process {
    unsigned number;
    aspace_id aid;
    struct generator random;
    /* 0: zeros, or what the file had first. */
    uint32_t own[OWN_PAGES], shared[SHARED_PAGES], library[LIBRARY_PAGES];
    bool may_be_lost[OWN_PAGES]; /* may be zeros by now */
};

struct pressure {
    struct process process[PROCESSES];
    sim_file *shared, *library;
    vm_cache_ref *cache; /* of `shared` */
    struct pressure_outcome *outcome;
};
extern struct pressure pressure;

void process_begin(unsigned number, uint64_t seed);
/* A thread: `number` is the process's. */
int process_run(void *number);
/* All that it has is as it should be, in memory and in the file. */
void process_check(struct process *p);
void process_end(struct process *p);

#endif
