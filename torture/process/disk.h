/* SPDX-License-Identifier: MIT */
/* A store in memory that fails, stops half-way or takes its time on request. */
#ifndef QUIRE_TORTURE_PROCESS_DISK_H
#define QUIRE_TORTURE_PROCESS_DISK_H

#include <quire/quire.h>

struct disk {
    vm_store store;
    unsigned char *bytes;
    bool *written; /* pages of swap: what was never written must not be read */
    size_t pages;
    bool is_swap;
    bool lingers;                     /* it may be destroyed a little later than its region */
    bool slow;                        /* other threads may go on in the middle */
    uint32_t fail_reads, fail_writes; /* so many calls fail from now on; atomic */
    uint32_t destroyed;               /* times */
    const char *wrong;                /* what the core must not have asked; NULL: nothing */
};

/* Page n of a file begins as words of (n + 1) times `pattern`; swap (no pattern) as nothing. NULL: no memory. */
struct disk *disk_create(size_t pages, uint64_t pattern);
void disk_free(struct disk *disk);
bool disk_fails(const struct disk *disk);

#endif
