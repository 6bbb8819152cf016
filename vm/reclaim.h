/* SPDX-License-Identifier: MIT */
/* Getting frames back: from pages that are clean, written to their file or to swap, or forgotten. */
#ifndef VM_RECLAIM_H
#define VM_RECLAIM_H

#include <quire/vm.h>

#include "list.h"
#include "lock.h"

struct vm_reclaim {
    uint32_t wake;        /* changes when the daemons are wanted; they wait here */
    uint32_t asleep;      /* how many of them do */
    uint32_t daemons;     /* that run */
    uint32_t stop;        /* 1: they are to end */
    uint32_t collecting;  /* 1: somebody collects accessed bits */
    size_t gone;          /* pages that have gone since the last collection; atomic */
    uint64_t dirty_since; /* when a file's page was first found modified; 0: none is */
    struct vm_mutex notice_lock;
    struct list_link notices;
    uint32_t level; /* enum vm_memory_level: what was told last */
};

/* Somebody who needs frames, from try to try. */
struct reclaim_attempt {
    uint32_t shortage; /* what the count of shortages was before the last try */
    unsigned waits, tries;
};
void reclaim_note_shortage(struct reclaim_attempt *attempt);
/* The try has ended with ERR_NO_MEMORY. `again`: it may succeed now; else ERR_NO_MEMORY, or
 * ERR_INTERRUPTED. Sleeps. => nothing locked */
int reclaim_for(struct reclaim_attempt *attempt, int again);
/* Before an operation that will need a few frames under locks: waits while there are too few. It goes on
 * in any case: what isn't there then is the operation's error. => nothing locked */
void reclaim_ensure(void);
/* The same before so many pages are read: what a part of them leaves out would be another fault soon. */
void reclaim_ensure_pages(size_t pages);

/* Frees what it can of the pages that `ref` has at keys [first, last], whatever the policy thinks of them.
 * => nothing locked, with a reference */
void reclaim_pages(vm_cache_ref *ref, uint64_t first, uint64_t last);

/* The daemons are wanted. Any locks. */
void reclaim_wake(void);
int reclaim_start_daemons(unsigned count);
void reclaim_stop_daemons(void);

/* collect.c: takes accessed bits off all translations, if that is due. */
void reclaim_collect(void);

/* notice.c: tells those who asked how memory is, if that has changed. => nothing locked */
void reclaim_tell(bool critical);

#endif
