/* SPDX-License-Identifier: MIT */
/* What the calls on memory share. */
#ifndef KERNEL_SYSCALL_MEMORY_H
#define KERNEL_SYSCALL_MEMORY_H

#include "arguments.h"
#include <kernel/process.h>

#define PROT_READ 1u
#define PROT_WRITE 2u
#define PROT_EXEC 4u
#define PROT_SEM 8u
#define PROT_GROWSDOWN 0x01000000u
#define PROT_GROWSUP 0x02000000u

/* 0 where that overflows. */
static inline addr_t page_round_up(addr_t size)
{
    return (size + VM_PAGE_MASK) & ~VM_PAGE_MASK;
}

/* LOCK_* of PROT_*. */
unsigned lock_of_protection(unsigned protection);
/* Where mappings without an address go: below this. */
addr_t mapping_top(const struct user_memory *memory);

/* The region that holds `address`; false: none. */
bool region_at(aspace_id id, addr_t address, vm_region_info *info);
/* Whether all of [address, address + size) is mapped. */
bool range_is_mapped(aspace_id id, addr_t address, addr_t size);

/* Of nobody's but the region's own memory: no file, not shared. */
bool is_private_anonymous(const vm_region_info *info);
aspace_id current_space(void);

/* A range as these calls take it: 0 with *size rounded, or what is wrong with it; *size 0 is a range
 * of nothing. */
int check_range(addr_t address, addr_t *size, int wraps);

/* What is done to a part of a region. */
typedef int64_t (*region_function)(const vm_region_info *info, addr_t start, addr_t length,
                                   unsigned argument);
/* Calls `function` for each part of the range that is mapped, as Linux does; -ENOMEM where a part of
 * it isn't, once the rest is done. */
int64_t for_each_region(addr_t address, addr_t size, region_function function, unsigned argument);

#endif
