/* SPDX-License-Identifier: MIT */
/* How much memory Linux lets this process have: by its memory cgroup and those above it, of version 1 or 2. */
#ifndef QUIRE_LINUX_MEMORY_LIMIT_H
#define QUIRE_LINUX_MEMORY_LIMIT_H

#include <stdint.h>

#define MEMORY_UNLIMITED UINT64_MAX

/* Bytes; MEMORY_UNLIMITED: none is known. */
struct memory_limit {
    uint64_t max;  /* beyond it Linux swaps, if it may, or ends a process of the group */
    uint64_t high; /* beyond it Linux slows the group down */
};

/* The smallest of all that can be read. They may change at any time, and others use of them, too. `groups` and `mounts`
 * are /proc/self/cgroup and /proc/self/mountinfo. Allocates nothing. => any thread */
void memory_limit_read(const char *groups, const char *mounts, struct memory_limit *limit);

#endif
