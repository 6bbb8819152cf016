/* SPDX-License-Identifier: MIT */
/* What a region uses. */
#ifndef VM_USAGE_H
#define VM_USAGE_H

#include "region.h"

struct region_usage {
    size_t resident, modified, shared, swapped, wired;
};

/* => map: read-locked. Walks its translations and its part of its own cache. */
struct region_usage region_usage(vm_region *region);

#endif
