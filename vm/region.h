/* SPDX-License-Identifier: MIT */
/* A region: a range of addresses with one protection over one cache. */
#ifndef VM_REGION_H
#define VM_REGION_H

#include <quire/vm.h>

#include "list.h"

#define VM_REGION_MAGIC 0x766d7267u /* 'vmrg' */

/* How faults have read a region's pages from swap lately: pages that would continue what was read, one for
 * each of some streams, and how many are worth reading at once. A guess: faults change it with no lock. */
#define VM_STREAMS 4
struct region_reading {
    uint64_t expected[VM_STREAMS]; /* keys in the cache */
    uint8_t next, window;          /* 0: nothing is known, read a cluster */
};

/* A shared clone under way, which may fail yet: until it has come, forks leave it out, and its source is to them what it
 * was. A region whose clones are under way, the clone, and each piece of either know the newest. => map: write-locked */
struct region_clone {
    struct region_clone *older; /* of those under way when this one came */
};

/* base, size, cache_offset and cache_ref change only with both the map write-locked and the cache
 * locked, so either lock is enough to read them. The rest is the map's, but for the reference count,
 * which is atomic, and cache_link, which is the cache's. Forks, which hold the map for reading, change
 * what is about sharing (charged, shares, charged_to_share) with the cache locked. */
struct vm_region {
    uint32_t magic;
    uint32_t ref_count; /* one of the map's, while it is mapped, and those of vm_get_region_by_id */
    region_id id;
    addr_t base, size;
    off_t cache_offset; /* of base */
    vm_cache_ref *cache_ref;
    /* NULL: deleted. Changes with the map write-locked and the tables of ids locked. */
    vm_address_space *aspace;
    struct list_link cache_link;
    unsigned lock;
    unsigned max_lock; /* of REGION_RIGHTS, what vm_protect_range may give at most */
    uint8_t wiring, mapping, inherit;
    bool is_device;  /* maps frames of no cache: nothing is counted in them */
    bool cached;     /* and yet goes through the caches of CPUs */
    void *owner;     /* whose it is: vm_set_region_owner */
    bool reads_fill; /* a page that is read is a frame of memory's; not where it is the file's */
    bool charged;    /* its size is part of what its cache's store has committed */
    uint32_t shares; /* how often it was made shared, and is */
    bool promised;   /* what it shares is part of what others have been charged for */
    bool charged_to_share;     /* and wasn't before it was shared */
    uint8_t advice;            /* how it will be accessed: NORMAL, SEQUENTIAL, RANDOM */
    uint32_t errors_seen;      /* of its cache's write errors, by msync */
    uint64_t faults, refaults; /* atomic */
    struct region_reading reading;
    struct region_clone *clones; /* NULL: `inherit` stays, whatever becomes of clones */
    size_t working_set;          /* pages accessed between the last two collections; atomic */
    char name[VM_NAME_LENGTH];
};

/* => map: write-locked. What a fork does with it from now on, whether or not clones under way come. */
static inline void region_set_inherit(vm_region *region, uint8_t inherit)
{
    region->inherit = inherit;
    region->clones = NULL;
}

/* => map: write-locked. Forks will share the clone, and its source, if that is in the same map (else NULL). */
void region_begin_clone(vm_region *source, vm_region *region, struct region_clone *clone);
/* It has come, or not; nothing in the map knows it any more. => map: write-locked */
void region_end_clone(vm_address_space *aspace, const struct region_clone *clone, bool success);

/* The addresses at which the region shows [first, last] of its cache. False: none. */
static inline bool region_clip(const struct vm_region *region, off_t first, off_t last,
                               addr_t *from, addr_t *to)
{
    off_t end = region->cache_offset + (off_t)(region->size - 1);
    if (first > end || last < region->cache_offset)
        return false;
    if (first < region->cache_offset)
        first = region->cache_offset;
    if (last > end)
        last = end;
    *from = region->base + (addr_t)(first - region->cache_offset);
    *to = region->base + (addr_t)(last - region->cache_offset);
    return true;
}

static inline addr_t region_last(const vm_region *region)
{
    return region->base + (region->size - 1);
}

static inline off_t region_offset(const vm_region *region, addr_t address)
{
    return region->cache_offset + (off_t)(address - region->base);
}

/* What an object may refuse. Writing to a private mapping is no right to the object. */
#define REGION_RIGHTS (LOCK_RW | LOCK_EXECUTE)
static inline unsigned region_rights(unsigned lock, int mapping)
{
    return lock & (mapping == REGION_PRIVATE_MAP ? LOCK_EXECUTE : REGION_RIGHTS);
}

/* In `wiring`: it is to be wired, and its pages are being brought in. */
#define REGION_WIRING_UNDER_WAY 4

/* What a caller is told. */
static inline int region_shown_wiring(const vm_region *region)
{
    return region->wiring == REGION_WIRING_UNDER_WAY ? REGION_WIRING_WIRED : region->wiring;
}

static inline bool region_is_wired(const vm_region *region)
{
    return region->wiring != REGION_WIRING_LAZY;
}

/* Whether a region with this protection can come to fill frames of its own, or of memory below it. */
static inline bool region_fills_frames(const vm_region *region, unsigned lock)
{
    if (!region->reads_fill)
        return (lock & LOCK_RW) != 0;
    return !(lock & LOCK_NO_READ);
}

/* Whether a region with this protection can come to fill frames that nobody has promised. */
bool region_needs_promise(const vm_region *region, unsigned lock);

/* A structure with a name and an id, in no table and no map yet. NULL: no memory. */
vm_region *_vm_create_region_struct(vm_address_space *aspace, const char *name, int wiring,
                                    unsigned lock);
void region_free_struct(vm_region *region);

/* Another region is to show the same memory. => cache: locked. ERR_VM_WOULD_OVERCOMMIT */
int region_make_shared(vm_region *region);
/* After region_make_shared has succeeded: it isn't, after all; or it has gone meanwhile. => map: locked,
 * cache: locked */
void region_unshare(vm_region *region);
void region_unshare_gone(vm_cache_ref *ref);

/* Gives it an id and puts it into the table of ids. ERR_NO_MEMORY. */
int region_register(vm_region *region);
/* Takes both away, and its address space. Others may have found it meanwhile: from here on it goes by
 * vm_put_region. => map: write-locked, or known to nobody */
void region_unregister(vm_region *region);
/* Gives back what the table keeps for the next ids. */
void region_tidy_table(void);
/* The region's address space, with a reference; NULL: it is deleted. => nothing locked */
vm_address_space *region_get_aspace(const vm_region *region);

#endif
