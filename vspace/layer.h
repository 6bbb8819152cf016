/* SPDX-License-Identifier: MIT */
/* What the files of the layer share. */
#ifndef VSPACE_LAYER_H
#define VSPACE_LAYER_H

#include <quire/vspace.h>

#include "lock.h"

/* ---- sizes and flags ---- */

/* 0 where it would wrap. */
static inline addr_t page_round_up(addr_t size)
{
    return (size + VM_PAGE_MASK) & ~VM_PAGE_MASK;
}

static inline bool is_page_aligned(addr_t address)
{
    return (address & VM_PAGE_MASK) == 0;
}

/* The core's protection for flags; and REGION_CACHED or not. */
unsigned flags_to_lock(vregion_flags_t flags);
vregion_flags_t flags_of_lock(unsigned lock);
unsigned flags_to_cacheability(vregion_flags_t flags);
/* No others than those of memobj.h. */
static inline bool flags_are_known(vregion_flags_t flags)
{
    return !(flags & ~(VREGION_FLAGS_MASK | VREGION_FLAGS_VTD_SNOOP));
}
/* Those that protection sets; the others stay what they were when the vregion was mapped. */
#define FLAGS_OF_RIGHTS                                                                            \
    (VREGION_FLAGS_READ | VREGION_FLAGS_WRITE | VREGION_FLAGS_EXECUTE | VREGION_FLAGS_GUARD |      \
     VREGION_FLAGS_VTD_SNOOP)
/* VM_ACCESS_*; none counts as reading. */
unsigned fault_to_access(vm_fault_type_t type);
/* Whether anything may touch it. */
static inline bool flags_allow_access(vregion_flags_t flags)
{
    return !(flags_to_lock(flags) & LOCK_NO_READ);
}

/* Where physical addresses end: a page table's entry has no room for more. */
#define PHYSICAL_END ((genpaddr_t)1 << 52)
static inline bool is_physical(genpaddr_t base, gensize_t bytes)
{
    return bytes <= PHYSICAL_END && base <= PHYSICAL_END - bytes;
}

/* ---- memory for structures (allocate.c) ---- */

void *layer_alloc(size_t size);
void layer_free(void *memory, size_t size);
void *layer_pinned_alloc(size_t size);
void layer_pinned_free(void *memory, size_t size);
/* Clears and copies: the layer has no library. */
void layer_clear(void *memory, size_t size);

/* ---- frames (capref.c) ---- */

/* Whether it names frames that there are: memory that was given and not given back, or a device's. What others
 * destroy meanwhile is theirs to know. */
bool capref_is_good(struct capref cap);
/* Whether what is memory of it, if anything, is such frames. */
bool frames_are_there(genpaddr_t base, gensize_t bytes);
/* Where the layer can read and write the frame. NULL: it is no memory. */
void *frame_window(struct capref frame, genpaddr_t offset);

/* ---- the frames of an object (memobj_frames.c) ---- */
/* => store: locked, all of them */

void frames_init(struct memobj_frames *frames, const struct vspace_lock *lock,
                 struct memobj_frame_list *first, size_t count);
/* An unused one. NULL: no memory. */
struct memobj_frame_list *frames_take(struct memobj_frames *frames);
void frames_give(struct memobj_frames *frames, struct memobj_frame_list *frame);
/* The one that contains the offset, or NULL. */
struct memobj_frame_list *frames_at(const struct memobj_frames *frames, genvaddr_t offset);
/* The first that ends above the offset, or NULL. */
struct memobj_frame_list *frames_above(const struct memobj_frames *frames, genvaddr_t offset);
struct memobj_frame_list *frames_last(const struct memobj_frames *frames);
void frames_insert(struct memobj_frames *frames, struct memobj_frame_list *frame);
void frames_remove(struct memobj_frames *frames, struct memobj_frame_list *frame);
/* Gives back the memory of those that were allocated. */
void frames_destroy(struct memobj_frames *frames);

/* ---- objects (memobj.c) ---- */

/* What the core's cache has. It is there until the last who maps the cache has gone: forks may map it
 * longer than the object is. */
struct memobj_store {
    vm_store store;
    struct vspace_lock lock;
    struct memobj *memobj; /* NULL: gone */
};

/* What makes a type. */
struct memobj_kind {
    enum memobj_type type;
    bool maps_once;    /* in one vregion */
    bool maps_filled;  /* at once, and for good */
    bool from_the_end; /* frames are taken out as they were appended */
    /* Offsets of fill and unfill are numbers: where the list has what belongs to one, and how far that of the
     * next is. Any part of such a frame may show anywhere. NULL: they are offsets. */
    genvaddr_t (*place_of_number)(const struct memobj *memobj, genvaddr_t number, gensize_t *unit);
    /* Whether a vregion may begin there. NULL: yes. */
    bool (*accepts_offset)(const struct memobj *memobj, genvaddr_t offset);
    /* Sets where in the list a new frame goes, from the offset it has; a place that is taken is found later.
     * NULL: there. => store: locked */
    errval_t (*place)(struct memobj *memobj, struct memobj_frame_list *frame);
    /* Before it is put in. NULL: nothing. => nothing locked */
    errval_t (*prepare)(struct memobj *memobj, const struct memobj_frame_list *frame);
    /* Where in the list an offset of the object is; [*first, *last] is around it and mapped with it, all in a
     * row. NULL: there, and the frame. */
    genvaddr_t (*spread)(const struct memobj *memobj, genvaddr_t offset, genvaddr_t *first,
                         genvaddr_t *last);
};

errval_t memobj_create(struct memobj *memobj, const struct memobj_kind *kind, size_t size,
                       memobj_flags_t flags, struct memobj_frame_list *first, size_t count);
errval_t memobj_destroy(struct memobj *memobj, bool delete_caps);
errval_t memobj_destroy_type(struct memobj *memobj, enum memobj_type type);

/* `place` of the types with one frame. */
errval_t memobj_place_only_one(struct memobj *memobj, struct memobj_frame_list *frame);

/* What is mapped together, by offsets in the object. */
struct memobj_run {
    genvaddr_t first, last;
    genpaddr_t physical; /* of first */
    struct memobj_frame_list *frame;
};
/* Around an offset. False: it was not filled. => store: locked */
bool memobj_find_run(const struct memobj *memobj, genvaddr_t offset, struct memobj_run *run);
/* The end of the object, in whole pages. */
genvaddr_t memobj_end(const struct memobj *memobj);
/* Whether nobody may touch what shows an offset of the object; *last: as far as that is so, or isn't. */
bool vregion_is_guarded(const struct vregion *vregion, genvaddr_t offset, genvaddr_t *last);
/* Maps [first, last] of the object in a vregion that shows it. What nobody may touch is left out, or, with
 * no_guards, an error. LIB_ERR_MEMOBJ_WRONG_OFFSET: it isn't all filled; what comes before is mapped.
 * => store: not locked */
errval_t memobj_map_filled(struct memobj *memobj, const struct vregion *vregion, genvaddr_t first,
                           genvaddr_t last, bool no_guards);
/* Waits for who reads the frame (or NULL: nobody). Whether it had to: then the frame may be another, or none.
 * => store: locked, but not while it waits */
bool memobj_wait_for_frame(struct memobj *memobj, struct memobj_frame_list *frame);
/* Takes out the last frame, if it is at or above `offset`. */
errval_t memobj_unfill_last(struct memobj *memobj, genvaddr_t offset, struct capref *frame,
                            genvaddr_t *at);

/* The operations, common to all types. (memobj_regions.c) */
errval_t memobj_map_region(struct memobj *memobj, struct vregion *vregion);
errval_t memobj_unmap_region(struct memobj *memobj, struct vregion *vregion);
errval_t memobj_protect(struct memobj *memobj, struct vregion *vregion, genvaddr_t offset,
                        size_t range, vs_prot_flags_t flags);
errval_t memobj_pagefault(struct memobj *memobj, struct vregion *vregion, genvaddr_t offset,
                          vm_fault_type_t type);
/* (memobj_pin.c) */
errval_t memobj_pin(struct memobj *memobj, struct vregion *vregion, genvaddr_t offset,
                    size_t range);
errval_t memobj_unpin(struct memobj *memobj, struct vregion *vregion, genvaddr_t offset,
                      size_t range);
/* Whether a pager must leave it: also where all frames are there for good. */
bool memobj_is_kept(const struct memobj *memobj, const struct memobj_frame_list *frame);
bool memobj_is_pinned(const struct memobj *memobj, const struct memobj_frame_list *frame);
void memobj_forget_pins(struct memobj *memobj, const struct vregion *vregion);
/* Maps what is pinned of [first, last] in the vregion, as far as it may be touched and there is memory for tables.
 * => memobj: its regions locked */
void memobj_map_pinned(struct memobj *memobj, const struct vregion *vregion, genvaddr_t first,
                       genvaddr_t last);
/* (memobj_fill.c) */
errval_t memobj_fill(struct memobj *memobj, genvaddr_t offset, struct capref frame, size_t size);
errval_t memobj_fill_foff(struct memobj *memobj, genvaddr_t offset, struct capref frame,
                          size_t size, genpaddr_t foffset);
errval_t memobj_unfill(struct memobj *memobj, genvaddr_t offset, struct capref *ret_frame,
                       genvaddr_t *ret_offset);
errval_t memobj_pager_free(struct memobj *memobj, size_t size, struct capref *frames,
                           size_t num_frames);

/* => memobj: its regions locked */
bool memobj_shows(const struct memobj *memobj, const struct vregion *vregion);
/* Whether [offset, offset + range) of the object is what the vregion shows, or a part of it. */
bool vregion_shows(const struct vregion *vregion, genvaddr_t offset, size_t range);

/* ---- vspaces ---- */

/* Whether it is in a vspace: changes with the pmap locked, but is looked at without, too. */
static inline bool vregion_is_added(const struct vregion *vregion)
{
    return __atomic_load_n(&vregion->added, __ATOMIC_ACQUIRE);
}
static inline void vregion_set_added(struct vregion *vregion, bool added)
{
    __atomic_store_n(&vregion->added, added, __ATOMIC_RELEASE);
}

/* Whether it is this vspace's, whatever it says of itself. */
bool vspace_has_region(const struct vspace *vspace, const struct vregion *vregion);
/* vspace_add_vregion, of one that isn't. */
errval_t vspace_insert_region(struct vspace *vspace, struct vregion *vregion);
/* The vregion at an address, which then isn't destroyed before it is let go; or NULL. */
struct vregion *vspace_hold_region(struct vspace *vspace, genvaddr_t address);
void vspace_release_region(struct vregion *vregion);
/* vregion_destroy, by who holds it so many times. */
errval_t vregion_end(struct vregion *vregion, uint32_t holds);
/* Destroys a vregion, and frees what a helper made of it and of its object; the holds end. */
errval_t vspace_end_region(struct vregion *vregion, uint32_t holds);

/* ---- pmaps ---- */

/* What pmap->f.map has mapped; it goes with the last of its regions. */
struct pmap_mapping {
    struct vspace_owner owner;
    vm_store store;
    struct capref frame;
    genpaddr_t offset; /* in the frame */
};
static inline const struct pmap_mapping *mapping_of(const struct vspace_owner *owner)
{
    return (const struct pmap_mapping *)owner;
}

void pmap_set_funcs(struct pmap *pmap);
/* The regions of this pmap in the order of addresses, from *address on, which is set to the end. */
bool pmap_next_region(const struct pmap *pmap, addr_t *address, struct vm_owner *found);
/* The next page at or behind *address, up to last, that is mapped. */
bool pmap_next_page(const struct pmap *pmap, genvaddr_t *address, genvaddr_t last,
                    genpaddr_t *physical);
/* => pmap: locked */
errval_t pmap_map_locked(struct pmap *pmap, genvaddr_t vaddr, struct capref frame, size_t offset,
                         size_t size, vregion_flags_t flags);
errval_t pmap_serialise(struct pmap *pmap, void *buffer, size_t length);
errval_t pmap_deserialise(struct pmap *pmap, const void *buffer, size_t length);
errval_t pmap_dump(struct pmap *pmap, struct pmap_dump_info *buffer, size_t length,
                   size_t *written);
errval_t pmap_measure_res(struct pmap *pmap, struct pmap_res_info *info);
/* Calls `visit` for each run of translations. => pmap: locked */
typedef void pmap_visit_run(const struct pmap_dump_info *run, void *argument);
void pmap_for_each_run(const struct pmap *pmap, pmap_visit_run *visit, void *argument);

/* ---- the running thread's (current.c) ---- */

struct vspace_reserve {
    struct vspace_lock lock;
    void *unit[2]; /* by slab_type */
};
struct vspace_reserve *get_current_reserve(void);
/* Frees what vspace_current_init has made, if it is that. */
void vspace_current_end(struct vspace *vspace);
void vspace_reserve_end(struct vspace_reserve *reserve);

#endif
