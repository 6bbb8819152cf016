/* SPDX-License-Identifier: MIT */
/* Swap: stores on which pages of memory are kept while they are in no frame. A slot is a page's place in
 * one; its number is never 0. A slot is known to one place in one cache, or to the page that came from
 * it, so there is nothing to count. */
#ifndef VM_SWAP_H
#define VM_SWAP_H

#include <quire/store.h>

#include "lock.h"
#include "page.h"

#define VM_SWAP_AREAS 8
#define VM_SWAP_SLOT_BITS 29 /* of a slot's number; above them the area's */
#define VM_SWAP_MAX_SLOTS (((size_t)1 << VM_SWAP_SLOT_BITS) - 1)

struct vm_swap_area {
    vm_store *store;
    const char *name;
    uint64_t *used;           /* one bit a slot */
    size_t slots, free, next; /* next: where the search goes on */
    uint64_t written, read, errors;
    unsigned failures;    /* writes in a row; read without the lock */
    uint64_t rests_until; /* 0: it is used */
    bool is_full;         /* so it said last */
};

struct vm_swap {
    struct vm_mutex lock; /* guards the bits, the counts and who rests */
    unsigned areas;       /* they only come, until the end of the system */
    struct vm_swap_area area[VM_SWAP_AREAS];
    size_t slots, free;
    uint32_t resting; /* areas; atomic */
};

/* Up to `wanted` slots in a row; returns the first, and how many in *got. 0: there is none. */
uint32_t swap_allocate(size_t wanted, size_t *got);
/* The store forgets it first: behind that somebody else may write it. The second is for one that couldn't be
 * written. */
void swap_free(uint32_t slot);
void swap_give_back(uint32_t slot);
/* Areas that have been left alone for long enough are tried again. */
void swap_end_rests(void);
/* Whether so much is in use that a page in memory should not keep its slot. */
bool swap_is_short(void);
/* `count` frames at consecutive slots of one area. => nothing locked. What the store says; short is
 * ERR_IO. */
int swap_write(uint32_t slot, const addr_t *frames, size_t count);
int swap_read(uint32_t slot, const addr_t *frames, size_t count);
/* Ends the areas. How many slots were still in use. */
size_t swap_shutdown(void);

/* The page's slot, if it has one, is free again. => the page's cache: locked, or private */
static inline void swap_forget(struct vm_page *page)
{
    if (page->swap != 0) {
        swap_free(page->swap);
        page->swap = 0;
    }
}

#endif
