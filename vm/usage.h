/* SPDX-License-Identifier: MIT */
/* What a region uses. */
#ifndef VM_USAGE_H
#define VM_USAGE_H

#include "region.h"

struct region_usage {
    size_t resident, modified, shared, shared_modified, memory, referenced, discardable, swapped,
        unmapped, wired;
    /* In bytes: its part of what several map, or have in swap. */
    uint64_t proportional, proportional_swap;
};

/* => map: read-locked. Walks its translations and its part of each cache of its chain. */
struct region_usage region_usage(vm_region *region);

#endif
