/* SPDX-License-Identifier: MIT */
/* Bringing pages in from a store, while nobody's lock is held. */
#ifndef VM_PAGEIN_H
#define VM_PAGEIN_H

#include "cache.h"
#include "region.h"

#include <quire/vm.h>

/* How many pages are read at once at the most, but ahead (VM_MOST_AHEAD), and mapped at once around a fault. */
#define VM_CLUSTER 16

/* A read under way: busy frames stand in the cache where the pages will be. */
struct vm_pagein {
    vm_cache_ref *ref; /* with a reference */
    vm_cache *cache;   /* its, when it began */
    off_t offset;
    uint32_t swap; /* the first page's slot, those of the others follow; 0: the store has them */
    size_t count;
    struct vm_page *page[VM_MOST_AHEAD];
};

/* Whether the store would bring a page. => cache: locked */
bool cache_store_has_page(vm_cache_ref *ref, off_t offset);
/* The end of what the store has, INT64_MAX where there is none; and whether `offset` is behind it.
 * => cache: locked */
off_t cache_end(vm_cache_ref *ref);
bool cache_is_past_end(vm_cache_ref *ref, off_t offset);

/* Puts busy frames into the cache for `offset`, where none is and the store, or swap, has one, and for those
 * that follow, `most` in all. => cache: locked. ERR_NO_MEMORY: not even for one. */
int pagein_begin(struct vm_pagein *in, vm_cache_ref *ref, off_t offset, size_t most);
/* `most`, or less: no more than up to the end of the cluster. */
size_t pagein_in_cluster(off_t offset, size_t most);
/* How many pages a fault should read from swap at `key`: many where it continues what others have read, fewer
 * and fewer where it doesn't. */
size_t pagein_window(const struct region_reading *reading, uint64_t key);
/* So many were read. */
void pagein_note(struct region_reading *reading, uint64_t key, size_t count);
/* Reads them; then they are pages like others, or, on error, gone; whoever waited looks again.
 * => nothing locked. What the store says. */
int pagein_finish(struct vm_pagein *in);

#endif
