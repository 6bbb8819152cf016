/* SPDX-License-Identifier: MIT */
/* Putting regions into an address space, cutting them and taking them out. */
#ifndef VM_RANGE_H
#define VM_RANGE_H

#include "aspace.h"
#include "cache.h"
#include "region.h"

/* Regions that have left their map, with the map's references still to be given back, when nothing is
 * locked any more. */
struct range_removed {
    struct list_link regions;
};
void range_removed_init(struct range_removed *removed);
void range_removed_release(struct range_removed *removed);

/* Checks a range from outside: aligned, not empty, inside the space; sets *last to its last byte.
 * ERR_VM_BAD_ADDRESS, ERR_INVALID_ARGS. */
int range_check(const vm_address_space *aspace, addr_t address, addr_t size, addr_t *last);

/* => map: write-locked, all of the following. */

/* Makes region boundaries at `first` and behind `last`, so that each region lies inside or outside.
 * ERR_NO_MEMORY: nothing has changed. */
int range_isolate(vm_address_space *aspace, addr_t first, addr_t last);
/* Whether a region goes over `at`, so that a boundary there would be a cut. */
bool range_is_whole_at(vm_address_space *aspace, addr_t at);
/* Takes out all regions inside, which must be isolated, and unmaps them. */
void range_remove(vm_address_space *aspace, addr_t first, addr_t last,
                  struct range_removed *removed);
/* One region, unmapped, with its part of the promise given back. */
void range_remove_region(vm_region *region, struct range_removed *removed);
/* Joins regions that could be one, around and in [first, last]. */
void range_join(vm_address_space *aspace, addr_t first, addr_t last);

/* Finds a place for a region. => map: at least read-locked. */
struct range_place {
    addr_t size;
    int addr_type;
    addr_t address; /* asked for, then found */
};
int range_find_place(const vm_address_space *aspace, struct range_place *place);

#endif
