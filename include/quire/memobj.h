/* SPDX-License-Identifier: MIT */
/* Memory objects (memobj), and the frames they are filled with: the part of <quire/vspace.h> that needs no
 * vspace. What is said there holds here. */
#ifndef QUIRE_MEMOBJ_H
#define QUIRE_MEMOBJ_H

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

struct vregion;
struct memobj;
struct memobj_kind;
struct memobj_store;
struct memobj_pin;

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

/* A capability of a run of frames, by value: copies are the same frames, or a part of them. One that names memory which
 * no frame_alloc has given, or which was destroyed, is of no frame: LIB_ERR_FRAME_IDENTIFY, LIB_ERR_PMAP_FRAME_IDENTIFY
 * or LIB_ERR_CAP_DESTROY from whoever takes it, LIB_ERR_INVALID_ARGS from vspace_mmu_aware_reset. */
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

bool capref_is_null(struct capref cap);

/* Cleared memory in one physical run. *retbytes (or NULL): how much. LIB_ERR_FRAME_ALLOC or, by the second,
 * LIB_ERR_FRAME_CREATE, around QUIRE_ERR_NO_MEMORY. */
errval_t frame_alloc(struct capref *dest, size_t bytes, size_t *retbytes);
errval_t frame_create(struct capref *dest, size_t bytes, size_t *retbytes);
/* What isn't memory of the core's: LIB_ERR_FRAME_CREATE where it is, or isn't page aligned. */
errval_t devframe_create(struct capref *dest, genpaddr_t base, size_t bytes);
/* LIB_ERR_FRAME_IDENTIFY: of no frame. */
errval_t frame_identify(struct capref frame, struct frame_identity *identity);
/* Gives memory back, which must be in no object and mapped nowhere. LIB_ERR_CAP_DESTROY: it is of no frame. */
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
 *   protect       the rights of a part; other flags stay as they are. LIB_ERR_MEMOBJ_WRONG_OFFSET: not all of
 *                 it is in the vregion
 *   pin           maps a part in the vregion, and keeps the frames there. LIB_ERR_MEMOBJ_WRONG_OFFSET: not
 *                 all of it is filled, or in the vregion
 *   unpin         ends a pin of the same vregion, offset and range. LIB_ERR_MEMOBJ_UNPIN_REGION
 *   fill          a frame (`size` bytes from its start; 0: all of it) is at `offset` from now on.
 *                 LIB_ERR_MEMOBJ_WRONG_OFFSET: none goes there; LIB_ERR_MEMOBJ_DUPLICATE_FILL: something is;
 *                 LIB_ERR_PMAP_FRAME_SIZE: the frame is smaller; LIB_ERR_MEMOBJ_FILL: not so
 *   fill_foff     the same from `foffset` in the frame on
 *   unfill        takes out the first frame at or above `offset`: mapped nowhere, it is the caller's.
 *                 LIB_ERR_MEMOBJ_UNFILL_TOO_HIGH_OFFSET: there is none; LIB_ERR_MEMOBJ_PIN_REGION: it is
 *                 pinned. *ret_frame, *ret_offset may be NULL. In a PINNED object, too: who takes a frame out says
 *                 that nobody needs it there
 *   pagefault     maps what shows `offset` in the vregion. LIB_ERR_MEMOBJ_WRONG_OFFSET: it was not filled;
 *                 LIB_ERR_VSPACE_VREGION_NOT_FOUND: the vregion has been taken out
 *   pager_free    takes out frames of at least `size` bytes, at most num_frames, none of them pinned. Who
 *                 wants their contents back saves them, and fills a frame when they are missed; the rest of
 *                 `frames` is NULL_CAP. LIB_ERR_MEMOBJ_PAGER_FREE: there aren't as many; those of a PINNED object
 *                 are none
 *
 * All types have all of them; LIB_ERR_NOT_IMPLEMENTED is for objects of the user's own. */
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
    const struct vspace_lock *lock;   /* that of the store */
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
 * error. It makes no file longer: QUIRE_ERR_PF_PAST_END, and what is there is written, where the file is too
 * short. Then pager_free takes nothing out, either. */
errval_t memobj_flush_vfs(struct memobj *memobj, struct vregion *vregion);

#endif
