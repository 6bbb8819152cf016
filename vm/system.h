/* SPDX-License-Identifier: MIT */
/* All of the core's state, so that a system can be started and ended as a whole. */
#ifndef VM_SYSTEM_H
#define VM_SYSTEM_H

#include <quire/vm.h>

#include "atomic.h"
#include "commit.h"
#include "meta.h"
#include "page.h"
#include "radix.h"
#include "tmap/tmap.h"

/* What has happened; each a plain atomic count. */
struct vm_counters {
    uint64_t page_faults, read_faults, write_faults, execute_faults;
    uint64_t zero_fills, copies, reuses, page_ins, mapped_around, failed_faults, kernel_recoveries;
    uint64_t page_outs, tlb_flushes, forks, merges, file_pages_shared;
    size_t most_regions, most_aspaces;
    unsigned deepest_chain;
};

struct vm_system {
    bool started, thread_started;
    struct vm_page_pool pages;
    struct vm_meta meta;
    struct vm_commitment commitment;
    int64_t host_committed;

    const struct vm_tmap_format *format;
    addr_t user_base, user_size;
    addr_t kernel_root, kernel_alloc_base;
    uint64_t all_cpus;
    vm_address_space *kernel_aspace;
    struct tmap_shared kernel_slots;

    struct vm_mutex table_lock; /* guards the two tables and the numbers below */
    struct radix aspace_table, region_table;
    aspace_id next_aspace_id;
    region_id next_region_id;
    size_t aspaces, regions;

    struct vm_mutex vnode_lock; /* guards which cache is a vnode's against its last reference */
    /* Held for writing by the one walk over consumers (it uses walk_next), for reading by who puts
     * caches below a reference. */
    struct vm_rwlock walk_lock;
    size_t caches, table_pages; /* atomic */
    uint32_t busy_pages;
    struct vm_counters counters;
};

extern struct vm_system vm_system;

#define VM_COUNT(name) vm_atomic_count(&vm_system.counters.name, 1)
#define VM_COUNT_ADD(name, n) vm_atomic_count(&vm_system.counters.name, (n))

#endif
