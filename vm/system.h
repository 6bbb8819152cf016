/* SPDX-License-Identifier: MIT */
/* All of the core's state, so that a system can be started and ended as a whole. */
#ifndef VM_SYSTEM_H
#define VM_SYSTEM_H

#include <quire/vm.h>

#include "atomic.h"
#include "commit.h"
#include "list.h"
#include "meta.h"
#include "page.h"
#include "radix.h"
#include "reclaim.h"
#include "swap.h"
#include "tmap/tmap.h"

/* What has happened; each a plain atomic count. */
struct vm_counters {
    uint64_t read_faults, write_faults, execute_faults;
    uint64_t zero_fills, copies, reuses, page_ins, mapped_around, failed_faults, kernel_recoveries;
    uint64_t page_outs, tlb_flushes, forks, merges, file_pages_shared;
    uint64_t swap_ins, swap_outs, evictions, clean_evictions, discarded, refaults, kept,
        collections;
    uint64_t reclaim_waits, write_errors;
    uint64_t reads,
        copy_reads; /* of stores and swap; of these for vm_cache_read and vm_cache_write */
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
    const struct vm_frame_hooks *frames; /* or NULL */
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
    struct list_link vnode_caches; /* guarded by the vnode lock, as is how many there are */
    size_t vnode_cache_count;
    struct vm_swap swap;
    struct vm_reclaim reclaim;
    size_t caches, table_pages;             /* atomic */
    size_t modified_file_pages, file_pages; /* atomic */
    uint64_t next_cache_serial;
    uint32_t busy_pages;
    struct vm_counters counters;
};

extern struct vm_system vm_system;

#define VM_COUNT(name) vm_atomic_count(&vm_system.counters.name, 1)
#define VM_COUNT_ADD(name, n) vm_atomic_count(&vm_system.counters.name, (n))

#endif
