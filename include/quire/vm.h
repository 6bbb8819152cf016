/* SPDX-License-Identifier: MIT */
/* Quire's virtual memory manager, as a kernel sees it: NewOS's vm_* interface and what NewOS lacked.
 *
 * All sizes and addresses are in bytes. Unless a function says otherwise it may sleep, may be called
 * from any thread once vm_init has returned, takes no lock over to the caller, and on any error has
 * changed nothing. */
#ifndef QUIRE_VM_H
#define QUIRE_VM_H

#include <quire/types.h>

#define VM_NAME_LENGTH 32 /* of a region or an address space, with its NUL; longer names are cut */

/* ---- starting and ending ------------------------------------------------------------------------ */

#define VM_MAX_PHYSICAL_RANGES 32
#define VM_MAX_BOOT_REGIONS 16
#define VM_MAX_CPUS 64

struct vm_range {
    addr_t base;
    addr_t size;
};

/* A part of the kernel's address space that the boot code has mapped already. */
struct vm_boot_region {
    const char *name;
    addr_t base;   /* page aligned */
    addr_t size;   /* a multiple of the page size */
    unsigned lock; /* LOCK_KERNEL and what else holds */
};

/* For a host whose frames' bytes don't stay at one address: what becomes of frames, and copies between them.
 * With it, host_frame_ptr is linear only over frames that were taken together and not for a cache. They are
 * called under locks of the core's, so they may spin, but not sleep or fail, nor call the core. */
struct vm_frame_hooks {
    /* `count` frames in a row are in use from here on; for the page of a cache, or for tables, metadata and
     * the host. */
    void (*taken)(addr_t physical, size_t count, bool for_cache);
    /* Nobody will read the frame's bytes again. */
    void (*freed)(addr_t physical);
    /* The bytes of a whole frame: `from` may be mapped, and be moved by the host meanwhile. */
    void (*copy)(addr_t to, addr_t from);
};

/* Bytes of the core's for each frame there is: the first frames that aren't taken have them, and ghosts (see vm_policy_car)
 * behind. */
#define VM_FRAME_OVERHEAD 64

/* What the boot code hands over. The tables at `kernel_root` must have all top-level entries of the
 * kernel half that will ever be used: each user space gets a copy of them when it is created. */
typedef struct kernel_args {
    /* The frames that exist, ascending, page aligned, and those of them that are taken for good. */
    unsigned physical_memory_ranges;
    struct vm_range physical_memory_range[VM_MAX_PHYSICAL_RANGES];
    unsigned physical_allocated_ranges;
    struct vm_range physical_allocated_range[VM_MAX_PHYSICAL_RANGES];
    /* Translation: the format, and the root table in use. 0: the core makes an empty one. */
    const struct vm_tmap_format *format;
    addr_t kernel_root;
    /* The kernel's address space, and where in it regions without a fixed address go. */
    addr_t kernel_base, kernel_size;
    addr_t kernel_alloc_base;
    /* The range that any user address space must lie in. */
    addr_t user_base, user_size;
    unsigned boot_regions;
    struct vm_boot_region boot_region[VM_MAX_BOOT_REGIONS];
    unsigned num_cpus;
    bool overcommit; /* true: promises are not limited by memory */
    /* Which page goes when memory is short; NULL: CAR. */
    const struct vm_policy *policy;
    /* Threads that free frames and write files' pages before anybody has to wait for it, started by
     * vm_init_postthread. 0: whoever needs a frame sees to it himself. */
    unsigned page_daemons;
    /* How often who finds a lock taken looks again before he sleeps (host_wait). 0: where no other CPU can let it go
     * meanwhile. */
    unsigned lock_spins;
    /* NULL: frames stay where host_frame_ptr says. Else the host calls neither vm_cache_read nor _write. */
    const struct vm_frame_hooks *frames;
} kernel_args;

#define VM_MAX_PAGE_DAEMONS 8
/* CAR (S. Bansal, D. Modha, FAST 2004), CLOCK (F. Corbato, 1968) and two lists (T. Johnson, D. Shasha,
 * VLDB 1994). */
extern const struct vm_policy vm_policy_car, vm_policy_clock, vm_policy_two_lists;

extern const struct vm_tmap_format vm_tmap_x86_64;

/* Starts the core: pages, tables, the kernel's address space with the boot regions, the debugger's
 * commands. Called once, on one CPU, before any thread: it doesn't sleep. ERR_INVALID_ARGS for
 * arguments that contradict themselves, ERR_NO_MEMORY. */
int vm_init(kernel_args *ka);
/* Once host_wait works. */
int vm_init_postsem(kernel_args *ka);
/* Once host_thread_create works: starts the page daemons, and the thread that logs changes of the
 * commitment's limit. */
int vm_init_postthread(kernel_args *ka);

/* What an ended system had left over; all zero when everything was given back. */
struct vm_leftovers {
    size_t aspaces, regions, caches, pages, metadata_bytes, threads, swap_slots;
    int64_t committed;
};

/* Ends the core: stops its threads, deletes the kernel's address space and reports what others
 * forgot. Afterwards vm_init may be called again. For hosts that end, and tests. */
void vm_shutdown(struct vm_leftovers *left);

/* ---- address spaces ----------------------------------------------------------------------------- */

/* Creates an address space over [base, base + size). A user space must lie inside
 * kernel_args.user_*; `kernel` is for the core itself and ERR_INVALID_ARGS afterwards.
 * ERR_INVALID_ARGS, ERR_VM_BAD_ADDRESS, ERR_NO_MEMORY. */
aspace_id vm_create_aspace(const char *name, addr_t base, addr_t size, bool kernel);

/* Deletes all regions and gives up the creator's reference; the structure goes with the last one.
 * Faults under way end before, or find it gone. ERR_VM_INVALID_ASPACE, also when it is being deleted
 * already; ERR_INVALID_ARGS for the kernel's. */
int vm_delete_aspace(aspace_id aid);

/* Creates an address space with the contents of `source`: private and anonymous regions are shared
 * copy-on-write, shared ones shared, those marked VM_INHERIT_NONE left out. The regions' wiring is
 * not inherited. ERR_VM_INVALID_ASPACE, also for the kernel's; ERR_INVALID_ARGS (name is NULL),
 * ERR_VM_WOULD_OVERCOMMIT, ERR_NO_MEMORY. */
aspace_id vm_copy_aspace(aspace_id source, const char *name);

/* These give a reference (NULL: no such space), which vm_put_aspace takes back. */
vm_address_space *vm_get_aspace_by_id(aspace_id aid);
vm_address_space *vm_get_kernel_aspace(void);
vm_address_space *vm_get_current_user_aspace(void);
aspace_id vm_get_kernel_aspace_id(void);
aspace_id vm_get_current_user_aspace_id(void);
void vm_put_aspace(vm_address_space *aspace);
aspace_id vm_aspace_id(const vm_address_space *aspace);
/* A pointer of whoever manages the space; copies begin with NULL. ERR_VM_INVALID_ASPACE. */
int vm_set_aspace_owner(aspace_id aid, void *owner);
void *vm_aspace_owner(const vm_address_space *aspace);

/* Walks all address spaces in ascending order of their ids; spaces may come and go meanwhile. Each
 * one is returned with a reference. */
struct hash_iterator {
    aspace_id next;
};
int vm_aspace_walk_start(struct hash_iterator *i);
vm_address_space *vm_aspace_walk_next(struct hash_iterator *i);

/* A CPU starts, or stops, to translate by this address space: between the two calls flushes reach
 * it. Enter before loading the root, leave after loading another. They don't sleep. Enter returns
 * the physical address of the root table. */
addr_t vm_enter_aspace(vm_address_space *aspace, unsigned cpu);
void vm_leave_aspace(vm_address_space *aspace, unsigned cpu);

/* ---- regions ------------------------------------------------------------------------------------ */

/* addr_type: what *address asks for; it is set to where the region is. */
enum {
    REGION_ADDR_ANY_ADDRESS = 0,   /* wherever there is room; the lowest hole */
    REGION_ADDR_EXACT_ADDRESS = 1, /* there, or ERR_VM_NO_REGION_SLOT */
    REGION_ADDR_REPLACE = 2,       /* there, and what is there is unmapped (both or neither, but
                                      for a wiring that then finds no memory) */
    REGION_ADDR_HINT = 3,          /* there if that is free, aligned and in no stack's guard gap,
                                      else the highest hole */
    REGION_ADDR_TOP = 4,           /* the highest hole below *address (0: below the end) */
};

/* mapping */
enum {
    REGION_NO_PRIVATE_MAP = 0, /* writes reach the object */
    REGION_PRIVATE_MAP = 1,    /* writes stay in this region: copy-on-write (MAP_PRIVATE) */
};

/* wiring */
enum {
    REGION_WIRING_LAZY = 0,          /* pages come with the first access */
    REGION_WIRING_WIRED = 1,         /* all pages are there when the call returns, and stay */
    REGION_WIRING_WIRED_ALREADY = 2, /* boot code has mapped them: adopt. Kernel space only. */
    REGION_WIRING_WIRED_CONTIG = 3,  /* as WIRED, in one physical run. Kernel space only. */
};

/* lock: who may do what. LOCK_RO is a readable page. */
#define LOCK_RO 0x0u
#define LOCK_RW 0x1u
#define LOCK_KERNEL 0x2u /* not for programs; needed for regions in the kernel's space */
#define LOCK_EXECUTE 0x4u
#define LOCK_NO_READ 0x8u /* alone: a guard, nothing may touch it */
#define LOCK_MASK 0xfu
/* and, or-ed in when the region is created, what it is: */
#define REGION_SHARED 0x10u     /* forks share it, they don't copy it (anonymous regions) */
#define REGION_GROWS_DOWN 0x20u /* a stack: a fault below it, up to the limit, extends it */
#define REGION_OVERCOMMIT 0x40u /* nothing is charged for it */
#define REGION_FLAGS_MASK 0x70u
/* for vm_map_vnode: the file isn't open for writing, so a shared mapping may never be writable */
#define REGION_NO_WRITE 0x80u
/* for vm_map_cache: what its store maps is no device */
#define REGION_CACHED 0x100u

/* A guard gap is kept free below a region that grows down: 256 pages, Linux's figure since the
 * "stack clash" attacks (CVE-2017-1000364). */
#define VM_STACK_GUARD_PAGES 256
/* How large a region that grows down may become: Linux's default for RLIMIT_STACK. */
#define VM_STACK_LIMIT ((addr_t)8 << 20)

/* Common to all that create a region:
 *   ERR_VM_INVALID_ASPACE  no such address space, or it is being deleted
 *   ERR_INVALID_ARGS       size 0, a name that is NULL, unknown bits or values
 *   ERR_VM_BAD_ADDRESS     not page aligned, not inside the address space, wraps
 *   ERR_VM_NO_REGION_SLOT  taken, or no hole
 *   ERR_VM_WOULD_OVERCOMMIT, ERR_NO_MEMORY
 * Sizes are rounded up to whole pages. */

/* Zeroed memory. */
region_id vm_create_anonymous_region(aspace_id aid, const char *name, void **address, int addr_type,
                                     addr_t size, int wiring, unsigned lock);
/* Device memory, or any frames the core doesn't own. phys_addr need not be aligned; *address then
 * has the same offset in its page. ERR_INVALID_ARGS also when it is the core's own memory (kernel
 * spaces may). Forks share it. */
region_id vm_map_physical_memory(aspace_id aid, const char *name, void **address, int addr_type,
                                 addr_t size, unsigned lock, addr_t phys_addr);
/* Keeps a range free: any access to it is ERR_VM_PF_FATAL. */
region_id vm_create_null_region(aspace_id aid, const char *name, void **address, int addr_type,
                                addr_t size);
/* The file at `path` from `offset` (rounded down to a page) on. Also what host_vnode_from_path says.
 * A shared, writable mapping needs write access to the file. */
region_id vm_map_file(aspace_id aid, const char *name, void **address, int addr_type, addr_t size,
                      unsigned lock, int mapping, const char *path, off_t offset);
/* The same for a file the host has open. The region keeps its own reference on the vnode. */
region_id vm_map_vnode(aspace_id aid, const char *name, void **address, int addr_type, addr_t size,
                       unsigned lock, int mapping, void *vnode, off_t offset);
/* A cache over a store of the host's own, for vm_map_cache, with one reference, which vm_put_cache gives back.
 * The store is the cache's from here on: with the last reference (the caller's or a region's) what is modified
 * is written, if it can write, and its destroy is called. `size` is of the whole object, in bytes; a fault
 * behind it fails only if the store has a `size` that says so. On an error the store is left.
 * ERR_INVALID_ARGS (also a store that has a cache, or no destroy), ERR_NO_MEMORY. Doesn't sleep. */
int vm_create_cache(vm_store *store, off_t size, vm_cache_ref **cache);
/* The object of a cache, from `offset` (page aligned) on; the region keeps a reference of its own. The same
 * cache may be mapped any number of times, at any offsets. ERR_INVALID_ARGS, ERR_PERMISSION_DENIED
 * (REGION_NO_WRITE, and `lock` would write); ERR_UNSUPPORTED: a private mapping where the store has `fault`.
 * With REGION_CACHED in `lock`, the frames that `fault` maps go through the CPUs' caches, as memory does and a
 * device doesn't. */
region_id vm_map_cache(aspace_id aid, const char *name, void **address, int addr_type, addr_t size,
                       unsigned lock, int mapping, vm_cache_ref *cache, off_t offset);
/* Maps once more what region `source_region` (in any address space) maps: its whole size. The new
 * region may not be writable, or executable, where the source's object may not: ERR_PERMISSION_DENIED.
 * ERR_VM_INVALID_REGION. A private clone is MAP_PRIVATE, no snapshot; a read through it is one by the
 * source, too: where that is private itself, it keeps the page that it shows then. Of a device or null
 * region it is ERR_UNSUPPORTED. */
region_id vm_clone_region(aspace_id aid, const char *name, void **address, int addr_type,
                          region_id source_region, int mapping, unsigned lock);

/* Makes `owner` what vm_find_owner finds for a region: for who manages regions of his own. It stays with all
 * pieces, which join with none of another owner; copies of the space have none. ERR_VM_INVALID_ASPACE,
 * ERR_VM_INVALID_REGION. */
int vm_set_region_owner(aspace_id aid, region_id rid, void *owner);
struct vm_owner {
    void *owner; /* NULL: none */
    addr_t base, size;
    off_t offset;  /* of base, in the cache */
    unsigned lock; /* with REGION_CACHED */
    int wiring;    /* as in vm_region_info */
    region_id id;
};
/* Of the first region that ends above `address`. ERR_NOT_FOUND: there is none; ERR_VM_INVALID_ASPACE,
 * ERR_INVALID_ARGS (found is NULL). */
int vm_find_owner(aspace_id aid, addr_t address, struct vm_owner *found);
/* Takes away the translations by which regions of the cache itself show [first, last] (bytes): the next
 * access is a fault. Private mappings keep what they show. ERR_INVALID_ARGS. */
int vm_cache_unmap(vm_cache_ref *cache, off_t first, off_t last);

/* Maps what region `source_region` (in any user space) shows now: a copy of it as a fork makes one, with its size
 * and protection. ERR_VM_INVALID_REGION; ERR_UNSUPPORTED: it shows a file or a store itself, or a device. */
region_id vm_snapshot_region(aspace_id aid, const char *name, void **address, int addr_type,
                             region_id source_region);

/* Unmaps and forgets a region. A fault under way either ends before or finds the region gone: when
 * this returns, none can map anything there. ERR_VM_INVALID_ASPACE,
 * ERR_VM_INVALID_REGION: also when it is in another space, or is being deleted. */
int vm_delete_region(aspace_id aid, region_id rid);

/* A reference on the structure (NULL: no such region); the region may be deleted meanwhile. */
vm_region *vm_get_region_by_id(region_id rid);
void vm_put_region(vm_region *region);
/* The first of that name in the order of addresses. ERR_VM_INVALID_ASPACE, ERR_NOT_FOUND. */
region_id vm_find_region_by_name(aspace_id aid, const char *name);

enum { VM_INHERIT_COPY = 0, VM_INHERIT_SHARE = 1, VM_INHERIT_NONE = 2 };

typedef struct vm_region_info {
    region_id id;
    addr_t base;
    addr_t size;
    unsigned lock; /* with the REGION_* flags */
    int wiring;
    char name[VM_NAME_LENGTH];
    int mapping;
    int inherit;
    off_t cache_offset;    /* of `base` in the object */
    void *vnode;           /* the file at the bottom of the chain, not referenced, or NULL */
    size_t resident_pages; /* mapped now */
    unsigned chain_depth;  /* caches from the region down; 1: no copy-on-write */
    int advice;            /* VM_ADVICE_NORMAL, SEQUENTIAL or RANDOM */
    size_t modified_pages; /* of those resident */
    size_t swapped_pages;  /* that it sees in swap */
    size_t unmapped_pages; /* that it sees of memory, in frames, mapped nowhere */
    size_t working_set;    /* accessed between the last two collections of accessed bits */
    uint64_t faults;       /* that mapped a page; refaults: that had to read one from swap first */
    uint64_t refaults;
    size_t shared_pages;          /* of those resident: mapped elsewhere, too */
    size_t shared_modified_pages; /* both */
    size_t memory_pages;          /* of those resident: not a file's */
    size_t referenced_pages;      /* of those resident: accessed not long ago */
    size_t discardable_pages;     /* of those resident: VM_ADVICE_FREE */
    uint64_t proportional_size;   /* in bytes: a page that n map counts an nth */
    uint64_t
        proportional_swap; /* the same of what it sees in swap; of each cache at most 64 regions and 64 consumers count */
} vm_region_info;

/* ERR_INVALID_ARGS (info is NULL), ERR_VM_INVALID_REGION. */
int vm_get_region_info(region_id id, vm_region_info *info);
/* The first region that ends above *cookie, which is then set to its end: from 0, all regions in
 * order, as /proc/PID/maps wants them. ERR_NOT_FOUND behind the last; ERR_VM_INVALID_ASPACE,
 * ERR_INVALID_ARGS. */
int vm_get_next_region_info(aspace_id aid, addr_t *cookie, vm_region_info *info);

/* The sums over a space's regions. */
typedef struct vm_aspace_info {
    size_t size; /* in bytes */
    size_t regions, resident_pages, modified_pages, swapped_pages, unmapped_pages, working_set,
        wired_pages;
    uint64_t faults, refaults;
    size_t table_pages; /* frames of its translation map */
} vm_aspace_info;

/* ERR_INVALID_ARGS (info is NULL), ERR_VM_INVALID_ASPACE. */
int vm_get_aspace_info(aspace_id aid, vm_aspace_info *info);

/* ---- ranges ------------------------------------------------------------------------------------- */
/* `address` must be page aligned (ERR_VM_BAD_ADDRESS); sizes are rounded up; 0 is ERR_INVALID_ARGS;
 * a range that leaves the address space is ERR_VM_BAD_ADDRESS. Regions are split as needed, which can
 * be ERR_NO_MEMORY. No such address space: ERR_VM_INVALID_ASPACE. */

/* Unmaps whatever is there; holes are fine. ERR_NO_MEMORY: a split found none. */
int vm_unmap_range(aspace_id aid, addr_t address, addr_t size);
/* Sets the protection. As POSIX has it, a hole is ERR_VM_PAGE_NOT_PRESENT after the regions before
 * it have changed (no other partial effect). ERR_PERMISSION_DENIED: more than the object allows.
 * ERR_VM_WOULD_OVERCOMMIT: a private mapping of a file gets writable, or memory readable. */
int vm_protect_range(aspace_id aid, addr_t address, addr_t size, unsigned lock);
/* Grows or shrinks a region at its end, in place. ERR_VM_NO_REGION_SLOT: no room. A wired region that
 * has grown but finds no memory for its new pages stays grown: ERR_NO_MEMORY. Device memory can't
 * grow: ERR_UNSUPPORTED. ERR_VM_INVALID_REGION, ERR_VM_WOULD_OVERCOMMIT. */
int vm_resize_region(aspace_id aid, region_id rid, addr_t new_size);
/* Moves the pages at [address, address + size), which must be part of one region, to *new_address
 * (by addr_type, as for new regions) with new_size; what is left of the old range is unmapped.
 * Wired pages are brought in again; if that finds no memory they come lazily. mremap.
 * ERR_VM_PAGE_NOT_PRESENT: no single region there. */
int vm_move_range(aspace_id aid, addr_t address, addr_t size, addr_t new_size, void **new_address,
                  int addr_type);
/* The lowest free range of `size` bytes, aligned to `alignment` (a power of two, at least a page),
 * inside [low, high). Only a hint: it may be taken the next moment. ERR_VM_NO_REGION_SLOT: there is
 * none; ERR_INVALID_ARGS: another alignment, or low isn't below high. */
int vm_find_hole(aspace_id aid, addr_t size, addr_t alignment, addr_t low, addr_t high,
                 addr_t *address);
/* Forgets private pages: the next access sees the object below, or zeros. What others share or have
 * cloned stays. MADV_DONTNEED: mapped parts are done before a hole gives ERR_VM_PAGE_NOT_PRESENT. Wired
 * pages: ERR_INVALID_ARGS. */
int vm_discard_range(aspace_id aid, addr_t address, addr_t size);
/* Writes modified pages of shared mappings of files, and of caches whose store writes, back. ERR_VM_PAGE_NOT_PRESENT: a hole. */
int vm_sync_range(aspace_id aid, addr_t address, addr_t size);
/* One byte a page: 1 where an access would find the page in memory. ERR_VM_PAGE_NOT_PRESENT. */
int vm_get_residency(aspace_id aid, addr_t address, addr_t size, uint8_t *pages);
/* Brings all pages in and keeps them (mlock); unwire undoes it. ERR_VM_PAGE_NOT_PRESENT: a hole. What was
 * wired before stays so where a wiring fails. ERR_NO_MEMORY, also where more than three quarters of the
 * frames would be wired. */
int vm_wire_range(aspace_id aid, addr_t address, addr_t size);
int vm_unwire_range(aspace_id aid, addr_t address, addr_t size);
/* How the range will be used. Advice for access (NORMAL, SEQUENTIAL, RANDOM) stays with the regions; the
 * rest is done now. All but FREE change nothing that a program can read. */
enum {
    VM_ADVICE_NORMAL = 0,
    VM_ADVICE_RANDOM = 1,     /* no page is read or mapped but the one that is accessed */
    VM_ADVICE_SEQUENTIAL = 2, /* kept with the region, for who asks: pages are read as for NORMAL */
    VM_ADVICE_WILL_NEED = 3,  /* read now, as far as there are frames; mapped by the first access */
    VM_ADVICE_COLD = 4,       /* the next to go */
    VM_ADVICE_PAGEOUT = 5,    /* go now */
    VM_ADVICE_FREE = 6, /* private memory's bytes may be forgotten, until the page is written again:
                                 it then reads as zeros. MADV_FREE */
};
/* ERR_INVALID_ARGS: unknown; FREE, COLD or PAGEOUT of wired pages; FREE of a mapping of a file or of shared
 * memory. ERR_VM_PAGE_NOT_PRESENT: a hole, after the rest was done. Of WILL_NEED and PAGEOUT nothing is
 * heard that fails. */
int vm_advise_range(aspace_id aid, addr_t address, addr_t size, int advice);
/* Ends FREE: what is still there stays. *lost: a page that was free to go has gone, was not accessed since, and what was in it
 * must be made again. ERR_INVALID_ARGS (lost is NULL), ERR_VM_PAGE_NOT_PRESENT: a hole, after the rest was
 * done. */
int vm_keep_range(aspace_id aid, addr_t address, addr_t size, bool *lost);
/* What a fork does with it: VM_INHERIT_*. ERR_VM_PAGE_NOT_PRESENT: a hole. */
int vm_set_inheritance(aspace_id aid, addr_t address, addr_t size, int inherit);

/* ---- faults ------------------------------------------------------------------------------------- */

/* A page fault at `address` by the instruction at `fault_address`. VM_OK: go on, at *newip where that
 * is not 0 (a kernel instruction whose fault could not be resolved, but has a fault handler).
 * Otherwise ERR_VM_PF_*, ERR_NO_MEMORY, ERR_IO, ERR_INTERRUPTED: the program's signal, or, when
 * is_user is false, a bug in the kernel. Called with interrupts on; may sleep. */
int vm_page_fault(addr_t address, addr_t fault_address, bool is_write, bool is_user, addr_t *newip);
/* The same for hosts that know more: `access` is VM_ACCESS_*. */
int vm_handle_fault(addr_t address, addr_t fault_address, unsigned access, addr_t *newip);
/* Resolves an access in any address space, as if a thread of it had faulted. */
int vm_fault_aspace(aspace_id aid, addr_t address, unsigned access);
/* The same for who has a reference. */
int vm_fault_address_space(vm_address_space *aspace, addr_t address, unsigned access);
/* The same for who reads before others ask: up to so many pages from this one on that a store has, and that aren't in
 * memory, are read with one call, VM_MOST_AHEAD at most, as far as there are frames. Those around this one are mapped. */
#define VM_MOST_AHEAD 128
int vm_fault_ahead(vm_address_space *aspace, addr_t address, unsigned access, size_t pages);

/* What an MMU does, for a host that has to do it itself: looks `address` up in the tables, and if they allow
 * it to be read, and written or executed where `access` says so (that it is by a program is not looked at), marks the entry accessed and, for a write, dirty. *writable: more writes need no look. `found` is
 * called before a flush of the address can begin: it may take a lock that host_tlb_flush takes, too.
 * ERR_VM_PAGE_NOT_PRESENT: a fault, `found` is not called. */
typedef void vm_found(addr_t address, void *argument);
int vm_translate(vm_address_space *aspace, addr_t address, unsigned access, vm_found *found,
                 void *argument, addr_t *physical, bool *writable);

/* The same for reads of `count` pages in a row below one table of the lowest level, which aren't accessed yet and
 * so are not marked: physical[i] is 0 where a read would fault. `found` is called once, for the first. */
void vm_translate_run(vm_address_space *aspace, addr_t address, size_t count, vm_found *found,
                      void *argument, addr_t *physical);

/* A fault is about to be taken at the address: its entry will be in the CPU's caches. */
void vm_prefetch_translation(vm_address_space *aspace, addr_t address);

/* ---- page tables -------------------------------------------------------------------------------- */

/* The page tables for a range are there, whatever is mapped by them, and stay until they are released or the space
 * goes: a fault there finds memory for its tables. ERR_NO_MEMORY: none that wasn't there is;
 * ERR_VM_INVALID_ASPACE, ERR_VM_BAD_ADDRESS (not page aligned, not in the space, wraps, or no size). */
int vm_keep_tables(aspace_id aid, addr_t address, addr_t size);
/* All of the space: from here on they go with what is mapped by them. ERR_VM_INVALID_ASPACE. */
int vm_release_tables(aspace_id aid);
/* The table of the lowest level on the way to `address`: where the core reads and writes it. It is for looking at, by
 * the format's bits, since CPUs and others change it, and must be kept, or have something mapped.
 * ERR_VM_PAGE_NOT_PRESENT: there is none; ERR_VM_INVALID_ASPACE, ERR_VM_BAD_ADDRESS. */
int vm_get_leaf_table(aspace_id aid, addr_t address, addr_t *table);

/* ---- pages and physical memory ------------------------------------------------------------------ */

/* ERR_VM_PAGE_NOT_PRESENT where nothing is mapped. */
int vm_get_page_mapping(aspace_id aid, addr_t vaddr, addr_t *paddr);
#define PHYSICAL_PAGE_NO_WAIT 0
#define PHYSICAL_PAGE_CAN_WAIT 1
/* Makes a physical page addressable for the kernel; any offset in it is kept. ERR_VM_BAD_ADDRESS:
 * no memory there. Never has to wait here: frames have a permanent window. */
int vm_get_physical_page(addr_t paddr, addr_t *vaddr, int flags);
/* ERR_VM_BAD_ADDRESS: not such an address. */
int vm_put_physical_page(addr_t vaddr);

/* Brings in the page at `address` for `access` (VM_ACCESS_*) and keeps it where it is, so that the host may
 * use the frame: *physical is where `address` is. It stays in its region only as long as the program leaves
 * it there. Each hold is ended by vm_unhold_page. The errors of a fault; ERR_VM_INVALID_ASPACE,
 * ERR_INVALID_ARGS; ERR_UNSUPPORTED for device memory. */
int vm_hold_page(aspace_id aid, addr_t address, unsigned access, addr_t *physical);
/* `modified`: the host has written to it. Doesn't sleep but for a lock. (What is written to a frame in another
 * way, through vm_get_physical_page or by a device, is lost when the page goes, unless the program writes to
 * the page, too.) */
void vm_unhold_page(addr_t physical, bool modified);

/* `count` frames in a row for the host's own use, wired. Cleared if `clear`. Doesn't sleep.
 * ERR_NO_MEMORY, ERR_INVALID_ARGS. */
int vm_allocate_frames(size_t count, bool clear, addr_t *physical);
void vm_free_frames(addr_t physical, size_t count);
/* Of the pages of [physical, physical + size), both page aligned: how many are memory of the core's, and of how many of
 * these vm_allocate_frames, or the next, is why. Says nothing of what others take or give back meanwhile. */
struct vm_frame_count {
    size_t memory, hosts;
};
void vm_count_frames(addr_t physical, addr_t size, struct vm_frame_count *count);
/* One frame for a store that needs it to write pages out, from what everybody else leaves for this. Given
 * back by vm_free_frames. Doesn't sleep. ERR_NO_MEMORY. */
int vm_allocate_reserved_frame(addr_t *physical);
/* Small memory for the host, from the core's own allocator: NULL when there is none. The size must be
 * given back as it was asked for. Doesn't sleep. */
void *vm_meta_alloc(size_t size);
void vm_meta_free(void *memory, size_t size);
/* Gives the frames that the allocator keeps for the next requests back to the free ones. */
void vm_trim(void);

/* ---- more memory than there is ------------------------------------------------------------------- */

/* Frees up to `wanted` frames, or more by a cluster; how many. It writes pages out where it must. For hosts
 * that want memory back; faults and copies do it themselves. Hold no lock that a store's write needs. */
size_t vm_reclaim(size_t wanted);

/* From here on pages of memory may go to `store`, which has room for `slots` of them: its read and write get
 * offsets below slots * VM_PAGE_SIZE, its discard those of slots that are free again. It is the core's until the
 * end, which calls its destroy. Promises may be larger by its size. `name`, which must stay, is for figures. Up
 * to eight; filled in turn. A store that needs memory to write takes it from vm_allocate_reserved_frame, or has
 * it already.
 * ERR_INVALID_ARGS (no read or write, no slots or more than 2^29 - 1), ERR_NO_MEMORY, ERR_UNSUPPORTED (a
 * ninth). */
int vm_swap_add(vm_store *store, size_t slots, const char *name);

typedef struct vm_swap_info {
    char name[VM_NAME_LENGTH];
    size_t slots, used_slots;
    uint64_t pages_written, pages_read, errors;
} vm_swap_info;
/* ERR_NOT_FOUND behind the last; ERR_INVALID_ARGS. */
int vm_get_swap_info(unsigned index, vm_swap_info *info);

/* LOW: the daemons are at work. CRITICAL: somebody found no frame and nothing to free. */
enum vm_memory_level { VM_MEMORY_NORMAL, VM_MEMORY_LOW, VM_MEMORY_CRITICAL };
/* The structure is the subscriber's; `link` is the core's. `notify` is called at each change of the level,
 * by whoever notices: it may give memory back (vm_free_frames, vm_meta_free, vm_trim, waking a thread that
 * does more), but not sleep for long, fault, sync or reclaim. */
struct vm_memory_notice {
    void (*notify)(struct vm_memory_notice *notice, enum vm_memory_level level);
    void *link[2];
};
/* ERR_INVALID_ARGS (NULL). When unsubscribe returns, no call is under way. Not from `notify`. */
int vm_memory_subscribe(struct vm_memory_notice *notice);
void vm_memory_unsubscribe(struct vm_memory_notice *notice);

/* ---- files through their cache ------------------------------------------------------------------- */

/* The one cache of a vnode, made if need be, with a reference. ERR_NO_MEMORY. */
int vm_get_vnode_cache(void *vnode, vm_cache_ref **cache);
void vm_put_cache(vm_cache_ref *cache);
/* Copies between a buffer (a program's if `user`) and the cached pages at `position`; pages are read
 * from the store as needed. *done is set also on error. The caller sees to the file's length: reading
 * past it gives zeros. ERR_INVALID_ARGS: a position below 0, or an end past the largest one;
 * ERR_VM_BAD_USER_MEMORY, ERR_NO_MEMORY, ERR_IO, ERR_INTERRUPTED. */
int vm_cache_read(vm_cache_ref *cache, off_t position, void *buffer, size_t length, bool user,
                  size_t *done);
int vm_cache_write(vm_cache_ref *cache, off_t position, const void *buffer, size_t length,
                   bool user, size_t *done);
/* Writes what is modified in [first, last] (bytes) to the file, as far as there is one: fsync. The store's
 * error: what was not written stays modified. Pages that can't be written together are written one by one, so that is only
 * what can't be written, unless 32 writes in a row have failed: then the rest isn't tried. ERR_INVALID_ARGS. */
int vm_cache_sync(vm_cache_ref *cache, off_t first, off_t last);
/* The same for all files: sync, and the host's clean end. The first error, after all have been tried. */
int vm_sync_files(void);
/* Whether pages could not be written when nobody waited (by daemons, or to free frames) since *seen was set
 * here last: VM_OK or the last error. For fsync and close: with a `seen` for each open file, begun as
 * vm_cache_take_error leaves it, each hears of an error once. vm_sync_range does the same for regions. */
int vm_cache_take_error(vm_cache_ref *cache, uint32_t *seen);
/* The file's length is now `size`: pages behind it leave every mapping and the cache, and the rest of
 * the last page is cleared. Call it after the host's own length has changed. It waits for the store's
 * reads and writes of these pages: hold nothing that they need. */
int vm_cache_truncate(vm_cache_ref *cache, off_t size);
/* Forgets all pages without writing them: the file is gone. */
void vm_cache_discard(vm_cache_ref *cache);

/* ---- commitment --------------------------------------------------------------------------------- */

/* More, or (as two's complement) less memory may be promised. */
void vm_increase_max_commit(addr_t delta);
/* For the host's own promises (the data of a ram file system): negative gives back.
 * ERR_VM_WOULD_OVERCOMMIT. Doesn't sleep. */
int vm_commit(int64_t bytes);

/* ---- figures and the debugger -------------------------------------------------------------------- */

typedef struct vm_info {
    size_t physical_page_size, physical_pages;
    int64_t max_commit, committed;
    /* pages by state */
    size_t active_pages, inactive_pages, modified_pages, modified_temporary_pages, free_pages,
        clear_pages, wired_pages, unused_pages, busy_pages;
    /* what has happened since vm_init */
    uint64_t page_faults; /* all */
    uint64_t read_faults, write_faults, execute_faults;
    uint64_t zero_fills, copies, reuses, page_ins, mapped_around, failed_faults, kernel_recoveries;
    uint64_t page_outs, tlb_flushes, forks, merges;
    uint64_t major_faults;      /* times a fault read from a store or from swap */
    uint64_t file_pages_shared; /* times a page of a file was mapped that was there already */
    uint64_t evictions;         /* pages that have left their frame */
    uint64_t clean_evictions;   /* of these: not written for it */
    uint64_t discarded;         /* of these: forgotten */
    uint64_t swap_ins, swap_outs;
    uint64_t refaults;          /* pages that came back while the policy still knew of them */
    uint64_t kept;              /* pages that were to go, but were accessed or wanted meanwhile */
    uint64_t collections;       /* passes over accessed bits */
    uint64_t reclaim_waits;     /* times a thread waited for another to free frames */
    uint64_t write_errors;      /* of writes that nobody waited for */
    size_t modified_file_pages; /* known to be */
    size_t swap_slots, free_swap_slots;
    size_t available_pages; /* free, beyond what is kept for tables and pageout */
    size_t file_pages;      /* in memory, of files */
    size_t aspaces, regions, caches, most_regions, most_aspaces;
    unsigned deepest_chain;
    enum vm_memory_level memory_level;
    size_t metadata_bytes, table_pages;
} vm_info;

void vm_get_info(vm_info *info);

/* What pages are in frames, found by looking at each frame: for figures that are wanted now and then. */
typedef struct vm_frame_info {
    size_t memory_pages, file_pages;               /* of memory, and of files */
    size_t mapped_memory_pages, mapped_file_pages; /* of these: in some address space */
    /* Of these, by what the policy takes them for: in use, and the next to go. */
    size_t active_memory_pages, inactive_memory_pages, active_file_pages, inactive_file_pages;
    size_t swap_cached_pages; /* of memory's: in swap as well, unless modified since */
    size_t writing_pages;     /* being written to a store */
    size_t discardable_pages; /* that may be forgotten */
    size_t locked_pages;      /* in wired regions */
} vm_frame_info;

/* ERR_INVALID_ARGS (info is NULL). */
int vm_get_frame_info(vm_frame_info *info);

/* Runs one line for the debugger, such as "region 0x12": output goes to host_log. ERR_NOT_FOUND: no
 * such command. "help" lists them. Takes no locks and allocates nothing: the machine should stand. */
int vm_debugger_command(const char *line);

/* Looks at every structure and says, in host_log, what contradicts what; the number of
 * contradictions. Takes locks; nothing else may run meanwhile. */
unsigned vm_check(void);

/* ---- for system calls: user_* pointers are a program's ------------------------------------------- */
/* As the function without user_; and: pointers outside user space or not accessible are
 * ERR_VM_BAD_USER_MEMORY. They work on the running thread's address space, can't use LOCK_KERNEL or
 * the kernel's wirings (ERR_PERMISSION_DENIED), and see only regions of that space. */

region_id user_vm_create_anonymous_region(char *uname, void **uaddress, int addr_type, addr_t size,
                                          int wiring, unsigned lock);
region_id user_vm_map_file(char *uname, void **uaddress, int addr_type, addr_t size, unsigned lock,
                           int mapping, const char *upath, off_t offset);
/* The source may be in another space only if that space's region is REGION_SHARED. */
region_id user_vm_clone_region(char *uname, void **uaddress, int addr_type, region_id source_region,
                               int mapping, unsigned lock);
int user_vm_delete_region(region_id id);
int user_vm_get_region_info(region_id id, vm_region_info *uinfo);
int user_vm_get_vm_info(vm_info *uinfo);

/* Copies that survive bad addresses: either side may be a program's. VM_OK or
 * ERR_VM_BAD_USER_MEMORY. A side outside user space is taken to be the kernel's. */
int user_memcpy(void *to, const void *from, size_t size);
int user_strcpy(char *to, const char *from);
int user_strncpy(char *to, const char *from, size_t size);
int user_memset(void *s, char c, size_t count);

#endif
