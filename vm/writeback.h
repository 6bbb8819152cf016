/* SPDX-License-Identifier: MIT */
/* Writing a file's modified pages to its store. */
#ifndef VM_WRITEBACK_H
#define VM_WRITEBACK_H

#include "cache.h"

/* Writes what is modified in [first, last], in runs, with no lock held meanwhile. => nothing locked,
 * with a reference. The first error of the store ends it: what was not written stays modified. A
 * store that can't write at all is no error. */
int writeback_range(vm_cache_ref *ref, off_t first, off_t last);
/* The same for all of it, when nobody else will be there to hear of an error: it is logged. */
void writeback_last(vm_cache_ref *ref);

#endif
