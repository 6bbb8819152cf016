/* SPDX-License-Identifier: MIT */
/* A store that makes trouble on request, over any other: for tests of what stands on stores. It needs, as stores
 * do, host_wait and host_wake. */
#ifndef STORES_TROUBLE_H
#define STORES_TROUBLE_H

#include <quire/store.h>

/* Set before use, or by one thread at a time; numbers count operations from now on, from 1; 0: never. */
struct trouble {
    unsigned fail_read, fail_write; /* this one fails with ERR_IO... */
    bool for_good;                  /* ...and all behind it */
    bool spoil;                     /* a write that fails has destroyed the pages */
    unsigned short_read;            /* this one stops in the middle, with VM_OK */
    unsigned short_write;
    unsigned flip_read; /* in this one's first page a bit is wrong */
    unsigned hold_read; /* this one waits, when it has read: trouble_release */
    uint32_t held;      /* 1: it waits */
    uint32_t blocked;   /* while it is 1, operations wait: trouble_block */
    /* what has happened */
    unsigned reads, writes, discards, failed, waiting;
    vm_store store;
    vm_store *below;
};

/* Takes `below`; the structure is the caller's, and stays. */
vm_store *trouble_begin(struct trouble *trouble, vm_store *below);
void trouble_block(struct trouble *trouble, bool block);
void trouble_release(struct trouble *trouble);
/* Operations that wait now. */
unsigned trouble_waiting(const struct trouble *trouble);

#endif
