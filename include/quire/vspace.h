/* SPDX-License-Identifier: MIT */
/* Barrelfish's interface to virtual memory, for who pages by himself: vspace, vregion, memobj and pmap, a
 * layer over <quire/vm.h>.
 *
 * A memory object (memobj) holds frames that its user has filled in; a vregion shows a part of it; a vspace
 * is the ordered set of vregions of an address space; a pmap is that space's translation map. A fault on what
 * was not filled is an error for its user, who fills it and lets the thread go on: nothing is ever made up. In
 * a Linux process that is libquire's QUIRE_MODE_VSPACE, with its upcall (<quire/quire.h>).
 *
 * All structures are the caller's, zeroed or not, and must stay where they are until they are destroyed.
 * Unless a function says otherwise it may sleep, may be called from any thread, and on any error has changed
 * nothing. A NULL where none is allowed is LIB_ERR_INVALID_ARGS. Addresses, offsets and alignments are of
 * whole pages; sizes are rounded up to them. Flags that memobj.h doesn't know are LIB_ERR_INVALID_ARGS, and so is
 * what was destroyed; what is mapped already must not be mapped again. */
#ifndef QUIRE_VSPACE_H
#define QUIRE_VSPACE_H

#include <quire/memobj.h>

struct vspace;
struct pmap;
struct slot_allocator; /* capabilities take no slots here: NULL will do */

/* ---- translation maps --------------------------------------------------------------------------- */

struct pmap_mapping_info {
    genvaddr_t vaddr; /* of the page asked for */
    size_t size;      /* a page */
    struct capref cap;
    genvaddr_t offset; /* of the page in that */
    vregion_flags_t flags;
};

struct pmap_res_info {
    size_t vnode_used; /* page tables */
    size_t vnode_free; /* none are kept */
    size_t slots_used; /* pages mapped */
};

/* A run of pages that one frame after the other is mapped at. */
struct pmap_dump_info {
    genvaddr_t vaddr;
    genpaddr_t paddr;
    gensize_t size;
    vregion_flags_t flags;
};

/* All ret* may be NULL.
 *
 *   determine_addr      a free range for the object, aligned (0: to a page). LIB_ERR_OUT_OF_VIRTUAL_ADDR.
 *                       A hint: it may be taken the next moment
 *   determine_addr_raw  the same for a size
 *   map                 a frame where no vregion is; the flags are rights, and caching.
 *                       LIB_ERR_PMAP_EXISTING_MAPPING, LIB_ERR_PMAP_FRAME_IDENTIFY, LIB_ERR_PMAP_FRAME_SIZE
 *   unmap               the translations in a range; what `map` has mapped goes. *retsize: bytes that were
 *                       mapped. LIB_ERR_PMAP_FIND_VNODE: the first page isn't; holes behind it are fine.
 *                       LIB_ERR_PMAP_UNMAP around QUIRE_ERR_NO_MEMORY: that much is unmapped, the rest isn't
 *   modify_flags        the rights in a range. LIB_ERR_PMAP_NOT_MAPPED: not all of it is a vregion's, or
 *                       `map`'s
 *   lookup              what is mapped at an address; info may be NULL. LIB_ERR_PMAP_FIND_VNODE
 *   serialise           all translations as bytes, for another pmap. LIB_ERR_SERIALISE_BUFOVERFLOW
 *   deserialise         maps what serialise wrote, as `map` would: all or nothing.
 *                       LIB_ERR_DESERIALISE: no such bytes, or of memory that isn't frames any more
 *   dump                translations as text for people's tools: up to `length` runs, *written of them
 *   measure_res         what the tables take
 *   create_pts_pinned   the page tables for a range, which stay until the vspace is destroyed, so that to map there
 *                       takes no memory for them. The flags say nothing: rights are the pages'.
 *                       LIB_ERR_PMAP_ALLOC_VNODE around the core's reason: none that wasn't there is
 *   get_leaf_pt         where the core has the table of the lowest level for an address: for looking at, in the
 *                       machine's format, as long as it is pinned or something is mapped by it. There is no
 *                       capability of it, and no other way to change it than by this interface.
 *                       LIB_ERR_PMAP_GET_PTABLE around QUIRE_ERR_PAGE_NOT_PRESENT: there is none */
struct pmap_funcs {
    errval_t (*determine_addr)(struct pmap *pmap, struct memobj *memobj, size_t alignment,
                               genvaddr_t *vaddr);
    errval_t (*determine_addr_raw)(struct pmap *pmap, size_t size, size_t alignment,
                                   genvaddr_t *vaddr);
    errval_t (*map)(struct pmap *pmap, genvaddr_t vaddr, struct capref frame, size_t offset,
                    size_t size, vregion_flags_t flags, size_t *retoffset, size_t *retsize);
    errval_t (*unmap)(struct pmap *pmap, genvaddr_t vaddr, size_t size, size_t *retsize);
    errval_t (*modify_flags)(struct pmap *pmap, genvaddr_t vaddr, size_t size,
                             vregion_flags_t flags, size_t *retsize);
    errval_t (*lookup)(struct pmap *pmap, genvaddr_t vaddr, struct pmap_mapping_info *info);
    errval_t (*create_pts_pinned)(struct pmap *pmap, genvaddr_t vaddr, size_t bytes,
                                  vregion_flags_t flags);
    errval_t (*get_leaf_pt)(struct pmap *pmap, genvaddr_t vaddr, lvaddr_t *ret_va);
    errval_t (*serialise)(struct pmap *pmap, void *buffer, size_t length);
    errval_t (*deserialise)(struct pmap *pmap, const void *buffer, size_t length);
    errval_t (*dump)(struct pmap *pmap, struct pmap_dump_info *buffer, size_t length,
                     size_t *written);
    errval_t (*measure_res)(struct pmap *pmap, struct pmap_res_info *info);
};

struct pmap {
    struct pmap_funcs f;
    struct vspace *vspace;
    aspace_id aid;
    genvaddr_t min_mappable_va, max_mappable_va; /* for determine_addr; the second is exclusive */
    /* Guards the list of vregions, and what `map` has mapped. */
    struct vspace_lock lock;
    bool owns_aspace;
};

/* Over an address space of the caller's, which nobody else may make a vspace of, or map in where vregions
 * are. LIB_ERR_PMAP_INIT: no such space, or the kernel's. */
errval_t pmap_init(struct pmap *pmap, struct vspace *vspace, aspace_id aid);
/* Over a new address space, which vspace_destroy deletes. LIB_ERR_PMAP_INIT around the core's reason. */
errval_t pmap_create(struct pmap *pmap, struct vspace *vspace, genvaddr_t base, gensize_t size);
/* LIB_ERR_VSPACE_CURRENT_INIT's part for the running thread's space. LIB_ERR_PMAP_CURRENT_INIT */
errval_t pmap_current_init(struct pmap *pmap, struct vspace *vspace);
/* Where determine_addr searches. */
errval_t pmap_set_min_mappable_va(struct pmap *pmap, genvaddr_t minva);
/* How many bytes `serialise` needs at the moment. */
errval_t pmap_serialised_size(struct pmap *pmap, size_t *bytes);

/* ---- vregions ----------------------------------------------------------------------------------- */

/* What the core's regions have for an owner: a vregion, or what pmap->f.map has made. */
struct vspace_owner {
    struct pmap *pmap;
    bool is_vregion;
};

struct vregion {
    struct vspace_owner owner;
    struct vspace *vspace;
    struct memobj *memobj;
    genvaddr_t offset; /* in the object, of `base` */
    gensize_t size;
    genvaddr_t base;
    vregion_flags_t flags;
    struct vregion *next, *prev;  /* of the vspace, by base */
    struct vregion *next_mapping; /* of the memobj */
    uint32_t users;               /* faults under way */
    bool added;
    size_t made; /* by a helper, of so many bytes; 0: the caller's */
};

/* Shows [offset, offset + size) of the object where there is room. LIB_ERR_VREGION_BAD_ALIGNMENT;
 * LIB_ERR_MEMOBJ_WRONG_OFFSET: beyond the object's end; LIB_ERR_PMAP_DETERMINE_ADDR,
 * LIB_ERR_VSPACE_ADD_REGION, LIB_ERR_MEMOBJ_MAP_REGION around the reason. */
errval_t vregion_map(struct vregion *vregion, struct vspace *vspace, struct memobj *memobj,
                     size_t offset, size_t size, vregion_flags_t flags);
/* `alignment`: a power of two, or 0. */
errval_t vregion_map_aligned(struct vregion *vregion, struct vspace *vspace, struct memobj *memobj,
                             size_t offset, size_t size, vregion_flags_t flags, size_t alignment);
errval_t vregion_map_fixed(struct vregion *vregion, struct vspace *vspace, struct memobj *memobj,
                           size_t offset, size_t size, genvaddr_t addr, vregion_flags_t flags);
/* Takes it out of the vspace, and off the object, and waits for faults on it, so it must not be called by one;
 * then the structure is the caller's. NULL is fine. LIB_ERR_VREGION_NOT_FOUND: it isn't mapped. */
errval_t vregion_destroy(struct vregion *vregion);
/* What the object's `pagefault` says. LIB_ERR_VREGION_NOT_FOUND: the address isn't in it. */
errval_t vregion_pagefault_handler(struct vregion *vregion, genvaddr_t vaddr, vm_fault_type_t type);

struct vspace *vregion_get_vspace(const struct vregion *vregion);
struct memobj *vregion_get_memobj(const struct vregion *vregion);
genvaddr_t vregion_get_base_addr(const struct vregion *vregion);
genvaddr_t vregion_get_offset(const struct vregion *vregion);
gensize_t vregion_get_size(const struct vregion *vregion);
vregion_flags_t vregion_get_flags(const struct vregion *vregion);

/* ---- vspaces ------------------------------------------------------------------------------------ */

/* How addresses of the machine and of the vspace go together: gen = lv + offset. */
struct vspace_layout {
    gensize_t granularity;
    genvaddr_t offset;
};

struct vspace {
    struct pmap *pmap;
    struct vspace_layout layout;
    struct vregion *head, *tail; /* in the order of addresses */
    bool is_current;             /* made by vspace_current_init */
};

/* The vspace of the running thread's program, in the core's space that it runs in. init_domain: it is the
 * first of its domain, and the vspace is made; else it must be there. Needs no memory for the first domain of
 * all. LIB_ERR_VSPACE_CURRENT_INIT: no address space, or one that has a vspace already (or, for others of the
 * domain, none); LIB_ERR_PMAP_CURRENT_INIT, LIB_ERR_VSPACE_PINNED_INIT, LIB_ERR_MALLOC_FAIL. */
errval_t vspace_current_init(bool init_domain);
/* For a host whose programs fork, in the child, which has one thread and no vspace, whatever others were doing. */
void vspace_forget(void);
/* NULL: none. */
struct vspace *get_current_vspace(void);
struct pmap *get_current_pmap(void);

/* LIB_ERR_VSPACE_INIT: the pmap is another's. */
errval_t vspace_init(struct vspace *vspace, struct pmap *pmap);
/* Destroys all vregions, forgets what the pmap has mapped, deletes the address space if the pmap made it, and
 * frees what vspace_current_init made. Objects and frames are left. Nobody may use the vspace meanwhile; its
 * address space may have gone already.
 * LIB_ERR_VSPACE_DESTROY around the reason. */
errval_t vspace_destroy(struct vspace *vspace);
struct pmap *vspace_get_pmap(const struct vspace *vspace);

/* Puts a vregion with its base, size, object (NULL: none, a range kept free), offset and flags into the list
 * and the address space; its other members are set. The object isn't told.
 * LIB_ERR_VSPACE_REGION_OVERLAP, LIB_ERR_VREGION_BAD_ALIGNMENT, LIB_ERR_MEMOBJ_WRONG_OFFSET,
 * LIB_ERR_INVALID_ARGS: no size. */
errval_t vspace_add_vregion(struct vspace *vspace, struct vregion *vregion);
/* The object isn't told. LIB_ERR_VSPACE_VREGION_NOT_FOUND: it isn't this vspace's. */
errval_t vspace_remove_vregion(struct vspace *vspace, struct vregion *vregion);
/* NULL: there is none. It stays as long as nobody destroys it. */
struct vregion *vspace_get_region(struct vspace *vspace, const void *addr);
/* LIB_ERR_VSPACE_PAGEFAULT_ADDR_NOT_FOUND: no vregion is there; LIB_ERR_VREGION_PAGEFAULT_HANDLER around
 * what the object said. The thread may go on where it is SYS_ERR_OK. */
errval_t vspace_pagefault_handler(struct vspace *vspace, lvaddr_t lvaddr, vm_fault_type_t type);

errval_t vspace_layout_init(struct vspace_layout *layout);
genvaddr_t vspace_layout_lvaddr_to_genvaddr(const struct vspace_layout *layout, lvaddr_t lvaddr);
lvaddr_t vspace_layout_genvaddr_to_lvaddr(const struct vspace_layout *layout, genvaddr_t genvaddr);
/* By the current vspace's layout. */
genvaddr_t vspace_lvaddr_to_genvaddr(lvaddr_t lvaddr);
lvaddr_t vspace_genvaddr_to_lvaddr(genvaddr_t genvaddr);

/* ---- helpers: all in the current vspace --------------------------------------------------------- */
/* They make an object, and map it. What they return by pointer to pointer (each may be NULL) they have
 * allocated, and vspace_unmap frees it, an object with the last vregion that shows it. The frames are the
 * caller's. LIB_ERR_MALLOC_FAIL, LIB_ERR_MEMOBJ_CREATE_*, LIB_ERR_VREGION_MAP and others around a reason;
 * LIB_ERR_VSPACE_VREGION_NOT_FOUND: there is no current vspace. */

/* Only addresses: frames are filled later. */
errval_t vspace_map_anon_nomalloc(void **retaddr, struct memobj_anon *memobj,
                                  struct vregion *vregion, size_t size, size_t *retsize,
                                  vregion_flags_t flags, size_t alignment);
errval_t vspace_map_anon_attr(void **retaddr, struct memobj **ret_memobj,
                              struct vregion **ret_vregion, size_t size, size_t *retsize,
                              vregion_flags_t flags);
errval_t vspace_map_anon_aligned(void **retaddr, struct memobj **ret_memobj,
                                 struct vregion **ret_vregion, size_t size, size_t *retsize,
                                 vregion_flags_t flags, size_t alignment);
errval_t vspace_map_anon_fixed(genvaddr_t base, size_t size, vregion_flags_t flags,
                               struct vregion **ret_vregion, struct memobj **ret_memobj);
errval_t vspace_map_append_nomalloc(void **retaddr, struct memobj_append *memobj,
                                    struct vregion *vregion, size_t size, size_t *retsize,
                                    vregion_flags_t flags, size_t alignment);

/* A frame, mapped at once. */
errval_t vspace_map_one_frame(void **retaddr, size_t size, struct capref frame,
                              struct memobj **retmemobj, struct vregion **retvregion);
errval_t vspace_map_one_frame_attr(void **retaddr, size_t size, struct capref frame,
                                   vregion_flags_t flags, struct memobj **retmemobj,
                                   struct vregion **retvregion);
errval_t vspace_map_one_frame_attr_aligned(void **retaddr, size_t size, struct capref frame,
                                           vregion_flags_t flags, size_t alignment,
                                           struct memobj **retmemobj, struct vregion **retvregion);
errval_t vspace_map_one_frame_fixed(lvaddr_t addr, size_t size, struct capref frame,
                                    struct memobj **retmemobj, struct vregion **retvregion);
errval_t vspace_map_one_frame_fixed_attr(lvaddr_t addr, size_t size, struct capref frame,
                                         vregion_flags_t flags, struct memobj **retmemobj,
                                         struct vregion **retvregion);
errval_t vspace_map_one_frame_one_map(struct memobj_one_frame_one_map *memobj,
                                      struct vregion *vregion, size_t size, struct capref frame);

errval_t vspace_map_file(size_t size, vregion_flags_t flags, vfs_handle_t file, off_t offset,
                         size_t filesize, struct vregion **ret_vregion, struct memobj **ret_memobj);
errval_t vspace_map_file_fixed(genvaddr_t base, size_t size, vregion_flags_t flags,
                               vfs_handle_t file, off_t offset, size_t filesize,
                               struct vregion **ret_vregion, struct memobj **ret_memobj);
errval_t vspace_map_file_aligned(size_t alignment, size_t size, vregion_flags_t flags,
                                 vfs_handle_t file, off_t offset, size_t filesize,
                                 struct vregion **ret_vregion, struct memobj **ret_memobj);

/* Destroys the vregion that `buf` is in. LIB_ERR_VSPACE_VREGION_NOT_FOUND: none; LIB_ERR_VREGION_DESTROY around
 * LIB_ERR_VREGION_NOT_FOUND: another thread did so meanwhile. */
errval_t vspace_unmap(const void *buf);

/* ---- a region that grows: the heap's ------------------------------------------------------------ */

struct vspace_mmu_aware {
    size_t size, alignment, consumed;
    struct vregion vregion;
    struct memobj_anon memobj;
    gensize_t offset, mapoffset; /* given out, and mapped, from the region's base on */
    struct vspace_lock lock;
};

/* In the current vspace; allocates nothing. LIB_ERR_MEMOBJ_CREATE_ANON, LIB_ERR_VREGION_MAP */
errval_t vspace_mmu_aware_init(struct vspace_mmu_aware *state, size_t size);
errval_t vspace_mmu_aware_init_aligned(struct vspace_mmu_aware *state,
                                       struct slot_allocator *slot_allocator, size_t size,
                                       size_t alignment, vregion_flags_t flags);
/* At least req_size bytes more, mapped, behind those of the call before. Frames are made as needed; memory it
 * has left over from the last is used first. LIB_ERR_VSPACE_MMU_AWARE_NO_SPACE;
 * LIB_ERR_FRAME_CREATE_MS_CONSTRAINTS: no frame of that size, try a smaller one. */
errval_t vspace_mmu_aware_map(struct vspace_mmu_aware *state, size_t req_size, void **retbuf,
                              size_t *retsize);
/* Gives back the last `bytes`, which begin at `base`. Frames go back when more than a MiB isn't used.
 * LIB_ERR_INVALID_ARGS: it isn't the end. */
errval_t vspace_mmu_aware_unmap(struct vspace_mmu_aware *state, lvaddr_t base, size_t bytes);
/* Everything was given back, and `frame`, of `size` bytes, is what the next maps use first. Frames it had are
 * destroyed. LIB_ERR_VSPACE_MMU_AWARE_NO_SPACE, and what `fill` says: then it is empty. */
errval_t vspace_mmu_aware_reset(struct vspace_mmu_aware *state, struct capref frame, size_t size);
/* Destroys the region, and the frames. */
errval_t vspace_mmu_aware_destroy(struct vspace_mmu_aware *state);

/* ---- memory that is always there ---------------------------------------------------------------- */

enum slab_type { VREGION_LIST, FRAME_LIST };
#define VSPACE_PINNED_UNIT 5 /* structures at a time */

/* Fills the current vspace's reserve: one unit of each type for when there is no memory.
 * LIB_ERR_VSPACE_PINNED_INIT */
errval_t vspace_pinned_init(void);
/* Memory for VSPACE_PINNED_UNIT structures (struct vregion, struct memobj_frame_list), which can be touched at
 * any time, also in a fault handler. LIB_ERR_VSPACE_PINNED_ALLOC, LIB_ERR_VSPACE_PINNED_INVALID_TYPE */
errval_t vspace_pinned_alloc(void **retbuf, enum slab_type slab_type);
errval_t vspace_pinned_free(void *buf, enum slab_type slab_type);

#endif
