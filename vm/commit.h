/* SPDX-License-Identifier: MIT */
/* The ledger of promises: how many bytes of memory have been promised, and how many may be. */
#ifndef VM_COMMIT_H
#define VM_COMMIT_H

#include <quire/types.h>

struct vm_commitment {
    int64_t committed;
    int64_t max;      /* INT64_MAX: overcommit */
    int64_t logged;   /* the limit that the thread knows */
    uint32_t changes; /* of max; the thread that prints it waits here */
    uint32_t stop;    /* 1: that thread is to end, 2: it has */
};

/* Charges `bytes`, or gives -bytes back, which can't fail. ERR_VM_WOULD_OVERCOMMIT. No locks. */
int vm_commit_charge(int64_t bytes);
/* The thread that logs every change of the limit. */
int vm_thread_dump_max_commit(void *unused);
void vm_commit_stop_thread(void);

#endif
