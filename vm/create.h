/* SPDX-License-Identifier: MIT */
/* What all calls that create a region have in common. */
#ifndef VM_CREATE_H
#define VM_CREATE_H

#include "cache.h"
#include "region.h"

/* What is asked of map_backing_store. */
struct create_request {
    aspace_id aid;
    const char *name;
    void **address;
    int addr_type;
    addr_t size; /* of whole pages, once checked */
    int wiring;
    unsigned lock;
    int mapping;
    int inherit;
    off_t offset;
    unsigned max_lock;
    bool shows_file;           /* it shares a private mapping of a file: only writes fill frames */
    bool cached;               /* frames that a store maps aren't those of devices */
    vm_region *shares;         /* what it is a shared clone of, with a reference, or NULL */
    struct region_clone clone; /* how that is known to its source */
};

/* The checks that need no address space, rounding the size. */
int create_check(struct create_request *r);
/* Whether the part of an object that is asked for can exist, and allows what is asked. The size is of whole
 * pages. ERR_INVALID_ARGS, ERR_PERMISSION_DENIED. */
int create_check_object(const struct create_request *r);
/* The checks before anything is made: *aspace with a reference. */
int create_begin(struct create_request *r, vm_address_space **aspace);
/* Whether all its pages are to be there when its creation returns, which may fail after it has come. */
static inline bool create_is_populated(const struct create_request *r)
{
    return r->wiring == REGION_WIRING_WIRED || r->wiring == REGION_WIRING_WIRED_CONTIG;
}
/* The common end: maps `ref` (NULL: there was no memory for it), and gives that reference and the one
 * on the space back. The region's id, or an error. */
region_id create_finish(struct create_request *r, vm_address_space *aspace, vm_cache_ref *ref);

/* Pages that boot code has mapped become the cache's, wired; or, with `back`, are left again.
 * (create_anonymous.c) */
int create_adopt_pages(vm_address_space *aspace, vm_cache_ref *ref, addr_t base, addr_t size,
                       bool back);

/* What a fork does with a mapping of an object: a private one is copied. */
static inline int create_inherit_of(int mapping)
{
    return mapping == REGION_PRIVATE_MAP ? VM_INHERIT_COPY : VM_INHERIT_SHARE;
}

#endif
