/* SPDX-License-Identifier: MIT */
/* Barrelfish's interface to virtual memory, for who pages by himself: vspace, vregion, memobj and pmap, a
 * layer over <quire/vm.h>.
 *
 * A memory object (memobj) holds frames that its user has filled in; a vregion shows a part of it; a vspace
 * is the ordered set of vregions of an address space; a pmap is that space's translation map. A fault on what
 * was not filled is an error for its user, who fills it and lets the thread go on: nothing is ever made up.
 *
 * All structures are the caller's, zeroed or not, and must stay where they are until they are destroyed.
 * Unless a function says otherwise it may sleep, may be called from any thread, and on any error has changed
 * nothing. A NULL where none is allowed is LIB_ERR_INVALID_ARGS. Addresses, offsets and alignments are of
 * whole pages; sizes are rounded up to them. */
#ifndef QUIRE_VSPACE_H
#define QUIRE_VSPACE_H

#include <quire/errval.h>
#include <quire/store.h>
#include <quire/vm.h>

#define BASE_PAGE_SIZE VM_PAGE_SIZE
#define LARGE_PAGE_SIZE ((addr_t)2 << 20)
#define HUGE_PAGE_SIZE ((addr_t)1 << 30)

typedef addr_t lvaddr_t;   /* a virtual address as a program of this machine uses it */
typedef addr_t genvaddr_t; /* one in a vspace; or an offset in an object */
typedef addr_t genpaddr_t; /* a physical address; or an offset in a frame */
typedef addr_t gensize_t;
typedef uint32_t vregion_flags_t;
typedef uint32_t vs_prot_flags_t; /* the same bits */
typedef uint32_t memobj_flags_t;  /* none are known: 0 */
typedef uint32_t vm_fault_type_t;

/* vm_fault_type_t. NULL is no access: whoever calls a handler with it wants as much mapped as the object maps
 * at once. */
enum { PAGEFLT_NULL = 0, PAGEFLT_READ = 1, PAGEFLT_WRITE = 2, PAGEFLT_EXEC = 3 };

/* vregion_flags_t. Without READ, WRITE and EXECUTE, or with GUARD, nothing may touch it. NOCACHE, MPB and
 * WRITE_COMBINING go past the CPU's caches. LARGE and HUGE align addresses and map page by page. */
#define VREGION_FLAGS_NONE 0x0u
#define VREGION_FLAGS_READ 0x1u
#define VREGION_FLAGS_WRITE 0x2u
#define VREGION_FLAGS_EXECUTE 0x4u
#define VREGION_FLAGS_NOCACHE 0x8u
#define VREGION_FLAGS_MPB 0x10u
#define VREGION_FLAGS_GUARD 0x20u
#define VREGION_FLAGS_LARGE 0x40u
#define VREGION_FLAGS_HUGE 0x80u
#define VREGION_FLAGS_WRITE_COMBINING 0x100u
#define VREGION_FLAGS_MASK 0x1ffu
#define VREGION_FLAGS_VTD_SNOOP 0x800u /* taken, and without effect */
#define VREGION_FLAGS_READ_WRITE                                                                   \
    (VREGION_FLAGS_READ | VREGION_FLAGS_WRITE | VREGION_FLAGS_VTD_SNOOP)
#define VREGION_FLAGS_READ_EXECUTE                                                                 \
    (VREGION_FLAGS_READ | VREGION_FLAGS_EXECUTE | VREGION_FLAGS_VTD_SNOOP)
#define VREGION_FLAGS_READ_WRITE_NOCACHE (VREGION_FLAGS_READ_WRITE | VREGION_FLAGS_NOCACHE)
#define VREGION_FLAGS_READ_WRITE_MPB (VREGION_FLAGS_READ_WRITE | VREGION_FLAGS_MPB)

struct vspace;
struct vregion;
struct memobj;
struct memobj_kind;
struct memobj_store;
struct memobj_pin;
struct pmap;
struct slot_allocator; /* capabilities take no slots here: NULL will do */

/* The layer's own. */
struct vspace_lock {
    uint32_t word;
};

/* ---- memory for structures ----------------------------------------------------------------------- */

/* `alloc` is for the helpers that return a memobj and a vregion they have made: the heap's malloc, once there
 * is one. `pinned_alloc` is for the lists of frames: its memory is always there, and it calls nothing of this
 * layer. Both give NULL when there is none. */
struct vspace_allocator {
    void *(*alloc)(size_t size);
    void (*free)(void *memory, size_t size);
    void *(*pinned_alloc)(size_t size);
    void (*pinned_free)(void *memory, size_t size);
};
/* NULL: vm_meta_alloc for both, as in the beginning. Not while anything was allocated. */
void vspace_set_allocator(const struct vspace_allocator *allocator);

/* ---- frames ------------------------------------------------------------------------------------- */

enum objtype { ObjType_Null, ObjType_Frame, ObjType_DevFrame };

/* A capability of a run of frames, by value: copies are the same frames. */
struct capref {
    genpaddr_t base;
    gensize_t bytes;
    enum objtype type;
};
#define NULL_CAP ((struct capref){0, 0, ObjType_Null})

struct frame_identity {
    genpaddr_t base;
    gensize_t bytes;
};

static inline bool capref_is_null(struct capref cap)
{
    return cap.type == ObjType_Null;
}

/* Cleared memory in one physical run. *retbytes (or NULL): how much. LIB_ERR_FRAME_ALLOC or, by the second,
 * LIB_ERR_FRAME_CREATE, around QUIRE_ERR_NO_MEMORY. */
errval_t frame_alloc(struct capref *dest, size_t bytes, size_t *retbytes);
errval_t frame_create(struct capref *dest, size_t bytes, size_t *retbytes);
/* What isn't memory of the core's: LIB_ERR_FRAME_CREATE where it is, or isn't page aligned. */
errval_t devframe_create(struct capref *dest, genpaddr_t base, size_t bytes);
/* LIB_ERR_FRAME_IDENTIFY: of no frame. */
errval_t frame_identify(struct capref frame, struct frame_identity *identity);
/* Gives memory back, which must be in no object and mapped nowhere. LIB_ERR_CAP_DESTROY: NULL_CAP. */
errval_t cap_destroy(struct capref cap);

/* ---- memory objects ----------------------------------------------------------------------------- */

enum memobj_type {
    ANONYMOUS,         /* frames anywhere, mapped as they are touched */
    ONE_FRAME,         /* one, mapped as a whole */
    ONE_FRAME_LAZY,    /* one, mapped in chunks */
    PINNED,            /* frames anywhere, mapped as they are filled, in one vregion */
    ONE_FRAME_ONE_MAP, /* one, in one vregion */
    MEMOBJ_VFS,        /* frames anywhere, read from a file as they are filled */
    MEMOBJ_FIXED,      /* a number of frames of one size, in one vregion */
    MEMOBJ_NUMA,       /* a frame for each node, in turn by strides, in one vregion */
    MEMOBJ_APPEND,     /* frames one behind the other, in one vregion */
};

/* What all types can do. `offset` is one in the object; `range` a size from there on.
 *
 *   map_region    the vregion is about to show the object. LIB_ERR_MEMOBJ_VREGION_ALREADY_MAPPED: it may be
 *                 shown once; LIB_ERR_MEMOBJ_MAP_REGION: it has that vregion, or not at this offset
 *   unmap_region  it no longer does; its pins go, and its translations. LIB_ERR_VSPACE_VREGION_NOT_FOUND
 *   protect       the rights of a part. LIB_ERR_MEMOBJ_WRONG_OFFSET: not all of it is in the vregion
 *   pin           maps a part in the vregion, and keeps the frames there. LIB_ERR_MEMOBJ_WRONG_OFFSET: not
 *                 all of it is filled, or in the vregion
 *   unpin         ends a pin of the same vregion, offset and range. LIB_ERR_MEMOBJ_UNPIN_REGION
 *   fill          a frame (`size` bytes from its start; 0: all of it) is at `offset` from now on.
 *                 LIB_ERR_MEMOBJ_WRONG_OFFSET: none goes there; LIB_ERR_MEMOBJ_DUPLICATE_FILL: something is;
 *                 LIB_ERR_PMAP_FRAME_SIZE: the frame is smaller; LIB_ERR_MEMOBJ_FILL: not so
 *   fill_foff     the same from `foffset` in the frame on
 *   unfill        takes out the first frame at or above `offset`: mapped nowhere, it is the caller's.
 *                 LIB_ERR_MEMOBJ_UNFILL_TOO_HIGH_OFFSET: there is none; LIB_ERR_MEMOBJ_PIN_REGION: it is
 *                 pinned. *ret_frame, *ret_offset may be NULL
 *   pagefault     maps what shows `offset` in the vregion. LIB_ERR_MEMOBJ_WRONG_OFFSET: it was not filled
 *   pager_free    takes out frames of at least `size` bytes, at most num_frames, none of them pinned. Who
 *                 wants their contents back saves them, and fills a frame when they are missed; the rest of
 *                 `frames` is NULL_CAP. LIB_ERR_MEMOBJ_PAGER_FREE: there aren't as many
 *
 * LIB_ERR_NOT_IMPLEMENTED: this type has no such operation. */
struct memobj_funcs {
    errval_t (*map_region)(struct memobj *memobj, struct vregion *vregion);
    errval_t (*unmap_region)(struct memobj *memobj, struct vregion *vregion);
    errval_t (*protect)(struct memobj *memobj, struct vregion *vregion, genvaddr_t offset,
                        size_t range, vs_prot_flags_t flags);
    errval_t (*pin)(struct memobj *memobj, struct vregion *vregion, genvaddr_t offset,
                    size_t range);
    errval_t (*unpin)(struct memobj *memobj, struct vregion *vregion, genvaddr_t offset,
                      size_t range);
    errval_t (*fill)(struct memobj *memobj, genvaddr_t offset, struct capref frame, size_t size);
    errval_t (*fill_foff)(struct memobj *memobj, genvaddr_t offset, struct capref frame,
                          size_t size, genpaddr_t foffset);
    errval_t (*unfill)(struct memobj *memobj, genvaddr_t offset, struct capref *ret_frame,
                       genvaddr_t *ret_offset);
    errval_t (*pagefault)(struct memobj *memobj, struct vregion *vregion, genvaddr_t offset,
                          vm_fault_type_t type);
    errval_t (*pager_free)(struct memobj *memobj, size_t size, struct capref *frames,
                           size_t num_frames);
};

/* A frame in an object; a skip list by offset. */
#define MEMOBJ_FRAME_LEVELS 6
struct memobj_frame_list {
    genvaddr_t offset; /* in the object */
    gensize_t size;
    struct capref frame;
    genpaddr_t foffset; /* in the frame */
    uint32_t users;     /* that read it with nothing locked */
    struct memobj_frame_list *next[MEMOBJ_FRAME_LEVELS];
    struct memobj_frame_list *chunk; /* in the first of those allocated together */
};

struct memobj_frames {
    struct memobj_frame_list *head[MEMOBJ_FRAME_LEVELS];
    struct memobj_frame_list *free;   /* by next[0] */
    struct memobj_frame_list *chunks; /* allocated, to be given back at the end */
    uint64_t random;                  /* of the levels */
    genvaddr_t hand;                  /* pager_free goes on here */
};

struct memobj {
    size_t size; /* as asked for */
    memobj_flags_t flags;
    enum memobj_type type;
    struct memobj_funcs f;
    /* the layer's */
    const struct memobj_kind *kind;
    struct memobj_store *store; /* its lock guards `frames` and `pins` */
    vm_cache_ref *cache;
    struct vspace_lock lock; /* guards `regions` */
    struct vregion *regions;
    struct memobj_frames frames;
    struct memobj_pin *pins;
    size_t made;     /* by a helper, of so many bytes; 0: the caller's */
    uint32_t ending; /* threads that take a region off it and will look whether it was the last */
};

/* How many frames an object holds before it asks for memory. */
#define MEMOBJ_FIRST_FRAMES 16
struct memobj_anon {
    struct memobj m;
    struct memobj_frame_list first[MEMOBJ_FIRST_FRAMES];
};
struct memobj_pinned {
    struct memobj m;
    struct memobj_frame_list first[MEMOBJ_FIRST_FRAMES];
};
struct memobj_append {
    struct memobj m;
    struct memobj_frame_list first[MEMOBJ_FIRST_FRAMES];
};
struct memobj_one_frame {
    struct memobj m;
    struct memobj_frame_list first[1];
};
struct memobj_one_frame_one_map {
    struct memobj m;
    struct memobj_frame_list first[1];
};
struct memobj_one_frame_lazy {
    struct memobj m;
    size_t chunk_size;
    struct memobj_frame_list first[1];
};
struct memobj_fixed {
    struct memobj m;
    size_t count, chunk_size;
    struct memobj_frame_list first[MEMOBJ_FIRST_FRAMES];
};
struct memobj_numa {
    struct memobj m;
    size_t node_count, stride;
    gensize_t node_size; /* what a node's frame must have */
    struct memobj_frame_list first[MEMOBJ_FIRST_FRAMES];
};
/* An open file: a vnode of the host's (host.h), which must stay. */
typedef void *vfs_handle_t;
struct memobj_vfs {
    struct memobj_anon anon;
    vfs_handle_t vh;
    off_t offset;
    size_t filesize;
};

/* LIB_ERR_INVALID_ARGS: a size of 0, or unknown flags; LIB_ERR_MALLOC_FAIL. */
errval_t memobj_create_anon(struct memobj_anon *memobj, size_t size, memobj_flags_t flags);
errval_t memobj_create_pinned(struct memobj_pinned *memobj, size_t size, memobj_flags_t flags);
errval_t memobj_create_one_frame(struct memobj_one_frame *memobj, size_t size,
                                 memobj_flags_t flags);
errval_t memobj_create_one_frame_one_map(struct memobj_one_frame_one_map *memobj, size_t size,
                                         memobj_flags_t flags);
/* The frame is filled in: also what `fill` says. A fault maps chunk_size, of whole pages. */
errval_t memobj_create_one_frame_lazy(struct memobj_one_frame_lazy *memobj, size_t size,
                                      memobj_flags_t flags, struct capref frame, size_t chunk_size);
/* `count` frames of chunk_size, which together are `size`: else LIB_ERR_INVALID_ARGS. */
errval_t memobj_create_fixed(struct memobj_fixed *memobj, size_t size, memobj_flags_t flags,
                             size_t count, size_t chunk_size);
/* Stride after stride is the next node's. `fill` and `unfill` take a node's number for an offset. */
errval_t memobj_create_numa(struct memobj_numa *memobj, size_t size, memobj_flags_t flags,
                            size_t node_count, size_t stride);
errval_t memobj_create_append(struct memobj_append *memobj, size_t size, memobj_flags_t flags);
/* [offset, offset + filesize) of a file; what is behind that, up to `size`, is zeros. `fill` reads into the
 * frame: also ERR_IO and its like. What is written reaches the file by memobj_flush_vfs and pager_free. */
errval_t memobj_create_vfs(struct memobj_vfs *memobj, size_t size, memobj_flags_t flags,
                           vfs_handle_t vh, off_t offset, size_t filesize);

/* Destroys the vregions that show it, then forgets its frames, or, with delete_caps, destroys them. The
 * structure is the caller's again. Nobody may use the object meanwhile. LIB_ERR_INVALID_ARGS: a type that the
 * function isn't for. */
errval_t memobj_destroy_anon(struct memobj *memobj, bool delete_caps);
/* Of any type; the frames are left. */
errval_t memobj_destroy_one_frame(struct memobj *memobj);
errval_t memobj_destroy_one_frame_one_map(struct memobj *memobj);
errval_t memobj_destroy_one_frame_lazy(struct memobj *memobj);
errval_t memobj_destroy_pinned(struct memobj *memobj);
errval_t memobj_destroy_fixed(struct memobj *memobj);
errval_t memobj_destroy_numa(struct memobj *memobj);
errval_t memobj_destroy_append(struct memobj *memobj);
errval_t memobj_destroy_vfs(struct memobj *memobj);

/* Writes what the vregion shows (NULL: all that is filled) to the file, as far as filesize. The file's
 * error. */
errval_t memobj_flush_vfs(struct memobj *memobj, struct vregion *vregion);

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
 *                       mapped. LIB_ERR_PMAP_FIND_VNODE: the first page isn't; holes behind it are fine
 *   modify_flags        the rights in a range. LIB_ERR_PMAP_NOT_MAPPED: not all of it is a vregion's, or
 *                       `map`'s
 *   lookup              what is mapped at an address; info may be NULL. LIB_ERR_PMAP_FIND_VNODE
 *   serialise           all translations as bytes, for another pmap. LIB_ERR_SERIALISE_BUFOVERFLOW
 *   deserialise         maps what serialise wrote, as `map` would: all or nothing.
 *                       LIB_ERR_DESERIALISE: no such bytes. The frames are taken to be what they were
 *   dump                translations as text for people's tools: up to `length` runs, *written of them
 *   measure_res         what the tables take
 *   create_pts_pinned, get_leaf_pt  LIB_ERR_NOT_IMPLEMENTED: page tables are the core's */
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
/* NULL: none. */
struct vspace *get_current_vspace(void);
struct pmap *get_current_pmap(void);

/* LIB_ERR_VSPACE_INIT: the pmap is another's. */
errval_t vspace_init(struct vspace *vspace, struct pmap *pmap);
/* Destroys all vregions, forgets what the pmap has mapped, deletes the address space if the pmap made it, and
 * frees what vspace_current_init made. Objects and frames are left. Nobody may use the vspace meanwhile.
 * LIB_ERR_VSPACE_DESTROY around the reason. */
errval_t vspace_destroy(struct vspace *vspace);
struct pmap *vspace_get_pmap(const struct vspace *vspace);

/* Puts a vregion with its base, size, object (NULL: none, a range kept free), offset and flags into the list
 * and the address space. LIB_ERR_VSPACE_REGION_OVERLAP, LIB_ERR_VREGION_BAD_ALIGNMENT,
 * LIB_ERR_INVALID_ARGS: no size; LIB_ERR_MEMOBJ_WRONG_OFFSET. */
errval_t vspace_add_vregion(struct vspace *vspace, struct vregion *vregion);
/* LIB_ERR_VSPACE_VREGION_NOT_FOUND: it isn't this vspace's. */
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

/* Destroys the vregion that `buf` is in. LIB_ERR_VSPACE_VREGION_NOT_FOUND: none. */
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
