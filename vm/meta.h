/* SPDX-License-Identifier: MIT */
/* Memory for the core's own structures: slabs of one frame each, by size class. */
#ifndef VM_META_H
#define VM_META_H

#include <quire/vm.h>

#include "inject.h"
#include "lock.h"

#define VM_META_CLASSES 12

struct vm_slab;

struct vm_meta {
    struct vm_mutex lock;
    struct vm_slab
        *partial[VM_META_CLASSES]; /* slabs with room, the fullest in front as it comes */
    struct vm_slab *empty;         /* kept for the next request, of any class */
    size_t empty_count;
    size_t bytes; /* given out */
};

/* vm_meta_alloc, vm_meta_free and vm_trim are in <quire/vm.h>. */

/* The core's own requests, which fail on request; the second clears. */
#define meta_alloc(size) (VM_INJECT(VM_INJECT_METADATA) ? NULL : vm_meta_alloc(size))
#define meta_alloc_clear(size) (VM_INJECT(VM_INJECT_METADATA) ? NULL : meta_take_clear(size))
void *meta_take_clear(size_t size);

#endif
