/* SPDX-License-Identifier: MIT */
/* A region's translations: which of its pages the MMU sees, and how. Every entry counts in its page's
 * map_count, and, where the region is wired, in its wire_count.
 *
 * An entry is taken away, or loses a right, and is flushed under one hold of the translation map's
 * lock: who takes that lock and finds no entry may free the frame. */
#ifndef VM_MAPPING_H
#define VM_MAPPING_H

#include "page.h"
#include "region.h"

/* What an entry of this region allows (TMAP_*), if it is `writable` at all. */
unsigned mapping_protection(const vm_region *region, bool writable);

/* All: => the map locked (either way) or the region's cache locked, so that the region stays. */

/* Maps `page` at `address`, in place of what is there; writable only if `writable` and the region
 * allows it. => page's cache: locked. ERR_NO_MEMORY: for tables; what was there is left. */
int mapping_install(vm_region *region, addr_t address, struct vm_page *page, bool writable);
/* Maps pages[i], where it is not NULL, read-only at address + i pages, where nothing is mapped and
 * the table exists; `count` pages inside one table. Returns how many. => cache: locked */
size_t mapping_install_around(vm_region *region, addr_t address, struct vm_page *const *pages,
                              size_t count);
/* The frames' dirty bits are harvested. */
void mapping_remove(vm_region *region, addr_t first, addr_t last);
/* The same for those pages that haven't been accessed since that was asked last; of the others the marks
 * are taken off. Not for wired regions. */
void mapping_remove_idle(vm_region *region, addr_t first, addr_t last);
/* Moves accessed bits into the pages' `referenced`, and copies the dirty bits of a file's pages into their
 * `modified`. Returns how many pages were accessed. No flush: a TLB that holds an entry as accessed hides
 * an access at most. => map: read-locked */
size_t mapping_collect(vm_region *region);
/* The marks of accesses go, and count as none. */
void mapping_forget_access(vm_region *region, addr_t first, addr_t last);
/* Takes away the right to write. Returns whether anything was writable. */
bool mapping_write_protect(vm_region *region, addr_t first, addr_t last);
/* What the region allows now: pages of its own cache get all of it, others no right to write.
 * => cache: locked */
void mapping_update(vm_region *region, addr_t first, addr_t last);
/* Adds, or takes, one wiring for each page mapped, as the region gets wired, or is no more.
 * => cache: locked; the region's `wiring` changes with it */
void mapping_set_wiring(vm_region *region, int wiring);
/* Moves dirty bits into the pages' `modified`, without unmapping. */
void mapping_clean(vm_region *region, addr_t first, addr_t last);

#endif
