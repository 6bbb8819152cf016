/* SPDX-License-Identifier: MIT */
/* What is done to the pages of a range rather than to its regions. */
#ifndef VM_CONTENTS_H
#define VM_CONTENTS_H

#include "cache.h"

/* Calls `visit` for each region's part of [first, last], until one fails. A hole doesn't stop it; it
 * is reported at the end, as POSIX's calls do. => map: locked */
typedef int visit_part(vm_region *region, addr_t first, addr_t last, void *argument);
int for_each_part(vm_address_space *aspace, addr_t first, addr_t last, visit_part *visit,
                  void *argument);
/* The same for a range from outside, with its map read-locked meanwhile. => nothing locked */
int visit_range(aspace_id aid, addr_t address, addr_t size, visit_part *visit, void *argument);

/* Makes sure that nothing that sources hold in [first, last] shows through `ref`, nor what it holds
 * itself: what is read there next is zeros, or the file's. => cache: locked, nothing of the range is
 * mapped. ERR_NO_MEMORY: nothing has changed. */
int contents_hide(vm_cache_ref *ref, off_t first, off_t last);
/* Brings in what may be accessed of [address, last]; what goes meanwhile is passed over. => nothing
 * locked. The error of a fault. */
int contents_bring_in(vm_address_space *aspace, addr_t address, addr_t last);

#endif
