/* SPDX-License-Identifier: MIT */
/* Counts of references. Half of their range is enough for all that memory can hold; a leak that gets
 * there ends everything before the count wraps and frees what is in use. */
#ifndef VM_COUNT_H
#define VM_COUNT_H

#include "atomic.h"
#include "print.h"

#define VM_MAX_REFERENCES (UINT32_MAX / 2)

/* One more; whoever calls has one, or a lock that keeps the last from going. */
static inline void count_reference(uint32_t *count)
{
    uint32_t old = vm_atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
    VM_ASSERT(old != 0 && old < VM_MAX_REFERENCES);
}

#endif
