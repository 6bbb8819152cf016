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

/* A range is gone through region by region, with nothing locked while the store works: each part is found
 * anew, from where the last one ended. CONTENTS_FOUND is what a `visit` stops with then. */
#define CONTENTS_FOUND 1
struct contents_part {
    addr_t at;   /* where the next part begins */
    bool at_end; /* behind the last address */
    vm_cache_ref *ref;
    off_t first, last;
};
/* Whether a region's part that ends at `last` has not been taken. */
bool contents_is_next(const struct contents_part *part, addr_t last);
/* Takes it, with a reference on its cache that is the caller's to release. => map: locked */
void contents_take_part(struct contents_part *part, vm_region *region, addr_t first, addr_t last);

/* Where the bytes are that an access through `top` would see. => top: locked */
enum contents_whereabouts {
    CONTENTS_NOWHERE, /* it would see zeros */
    CONTENTS_RESIDENT,
    CONTENTS_BUSY, /* on their way */
    CONTENTS_IN_STORE,
};
enum contents_whereabouts contents_whereabouts(vm_cache_ref *top, off_t offset);

/* Makes sure that nothing that sources hold in [first, last] shows through `ref`, nor what it holds
 * itself: what is read there next is zeros, or the file's. => cache: locked, nothing of the range is
 * mapped. ERR_NO_MEMORY: nothing has changed. */
int contents_hide(vm_cache_ref *ref, off_t first, off_t last);
/* Brings in what may be accessed of [address, last]; what goes meanwhile is passed over. => nothing
 * locked. The error of a fault. */
int contents_bring_in(vm_address_space *aspace, addr_t address, addr_t last);

#endif
