/* SPDX-License-Identifier: MIT */
/* What the files of the Linux host share. Nothing here calls malloc or takes a lock of libc's: it runs in
 * signal handlers. Order of locks: the regions' (calls), one region's limit's (tried, never waited for
 * without end), the core's, then a window of places, then the leaves (pending, bad pages, the ring, room, stores). */
#ifndef QUIRE_LINUX_H
#define QUIRE_LINUX_H

#include <quire/host.h>
#include <quire/quire.h>
#include <quire/vm.h>

#include <sys/uio.h>

#define MODES (QUIRE_MODE_HANDLER + 1)
#define PAGES_AT_ONCE 64 /* places that are dropped with one call, at most */

/* ---- state (process.c) ---- */
struct process {
    uint32_t running;     /* from quire_start to quire_stop, in the process that has started it */
    bool is_ending;       /* nothing is mapped any more; guarded by the regions' lock */
    enum quire_mode mode; /* of regions that don't say */
    int uffd[MODES];      /* -1: no region has needed it yet */
    uint64_t features[MODES]; /* of the userfaultfd, QU_FEATURE_* */
    addr_t base, size;        /* where regions are */
    aspace_id aid;
    vm_address_space *aspace;
    addr_t root; /* of its tables */
    size_t frames;
    size_t spares, batch, replicas;
    size_t budget;
    unsigned handlers;
    bool overcommit;
};
extern struct process process;

static inline bool is_regions(addr_t address)
{
    return address - process.base < process.size;
}

/* ---- locks (wait.c) ---- */
void lock_slow(uint32_t *word);
void unlock_slow(uint32_t *word);
static inline void lock(uint32_t *word)
{
    uint32_t free = 0;
    if (!__atomic_compare_exchange_n(word, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        lock_slow(word);
}
static inline bool try_lock(uint32_t *word)
{
    uint32_t free = 0;
    return __atomic_compare_exchange_n(word, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}
static inline void unlock(uint32_t *word)
{
    if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2)
        unlock_slow(word);
}
_Noreturn void panic(const char *text, long value);
/* Looks whether QUIRE_LOG is set, once, before there are threads: a fault may not look beside a program's setenv. */
void log_start(void);

/* ---- the userfaultfd (uffd.c) ---- */
/* One for each mode. VM_OK; ERR_NO_MEMORY: no descriptor is left; or ERR_UNSUPPORTED, with what has failed in *why. */
int uffd_open(enum quire_mode mode, const char **why);
void uffd_close(enum quire_mode mode);
void uffd_stop(void); /* closes all */
int uffd_register(enum quire_mode mode, addr_t address, addr_t size);
/* Copies a page to where nothing is. VM_OK; ERR_NO_MEMORY; ERR_TIMED_OUT: something is there;
 * ERR_VM_PF_BAD_ADDRESS: no region of ours. */
int uffd_copy(addr_t to, addr_t from, bool writable);
/* The same for several; *done bytes were copied, on an error, too. */
int uffd_copy_run(addr_t to, addr_t from, addr_t size, bool writable, addr_t *done);
void uffd_protect(addr_t address, addr_t size);
/* False: it isn't all of one mapping of Linux's, and less than all may be protected. */
bool uffd_try_protect(addr_t address, addr_t size);
void uffd_unprotect(addr_t address);
void uffd_wake(addr_t address);
/* Where nothing is: the next accesses get SIGBUS. False: this kernel can't, or something is there. */
bool uffd_poison(addr_t address);
/* Nothing is at these ranges any more. */
void zap(struct iovec *ranges, size_t count);
void zap_page(addr_t address);

/* ---- places (place.c) ---- */
/* Whose bytes are shown at an address of regions. Nodes below process.frames are frames; then come pending
 * ones (garbage, to be dropped) and replicas. `at` and may_write are guarded by the window of `at`; for frames
 * that are shown nowhere, by who has the frame. */
struct node {
    addr_t at;     /* a frame's place; 0: nowhere yet */
    uint32_t next; /* in its bucket, + 1 */
    uint32_t
        pins; /* of frames: who uses the place; NODE_MOVES: it changes. Of replicas: the frame */
    uint8_t state;
};
#define NODE_MOVES 0x80000000u
enum { NODE_QUEUED = 1, NODE_GOING, NODE_CLAIMED }; /* states of pending nodes */
#define NO_NODE UINT32_MAX

extern struct node *nodes;
extern uint8_t *may_write; /* of each node: Linux may let the program write */
static inline bool node_is_frame(uint32_t node)
{
    return node < process.frames;
}
static inline bool node_is_replica(uint32_t node)
{
    return node >= process.frames + 2 * process.batch;
}
static inline uint32_t frame_of(addr_t physical)
{
    return (uint32_t)(physical >> VM_PAGE_SHIFT) - 1;
}
static inline addr_t physical_of(uint32_t frame)
{
    return ((addr_t)frame + 1) << VM_PAGE_SHIFT;
}

/* Whether Linux may let the program write; the order of flushes relies on it. */
static inline bool place_allows(uint32_t node)
{
    return __atomic_load_n(&may_write[node], __ATOMIC_ACQUIRE);
}
static inline void place_allow(uint32_t node, bool writable)
{
    __atomic_store_n(&may_write[node], writable, __ATOMIC_RELEASE);
}

size_t place_bytes(size_t frames);
void place_start(void *memory);
uint32_t *place_lock_of(addr_t address);
/* The address is about to be looked for. */
void place_prefetch(addr_t address);
/* => the window locked */
uint32_t place_find(addr_t address);
void place_insert(uint32_t node, addr_t address);
void place_remove(uint32_t node);
/* Fills that had begun have ended. */
void place_wait_for_fills(void);
/* Locks the window at which the frame is shown. False: it is shown nowhere. */
bool place_lock_frame(uint32_t frame);

/* ---- frames (frames.c) ---- */
extern const struct vm_frame_hooks frame_hooks;
int frames_start(void);
void frames_stop(void);
/* The frame's place doesn't change until unpin. Waits while it does. */
void *frame_pin(uint32_t frame);
void frame_unpin(uint32_t frame);
void copy_page(void *to, const void *from);
/* False: somebody uses it. Until frame_moved nobody may pin it. */
bool frame_try_move(uint32_t frame);
void frame_moved(uint32_t frame);
void frame_wait_for_pins(uint32_t frame);
/* A place out of sight, for bytes to be moved to; and the end of one. */
addr_t frame_hidden_place(uint32_t frame);
void frame_leave_place(uint32_t frame, addr_t place);

/* ---- pending (pending.c) ---- */
void pending_start(void);
/* What is at the frame's place is garbage from here on. False: it is shown nowhere. => nothing locked but the
 * core's */
bool pending_add(uint32_t frame);
/* => window locked. Drops what is queued at an address. False: somebody is about to; let go and try again. */
bool pending_claim(uint32_t node);
/* All that was queued before is gone when it returns. */
void pending_drain(void);

/* ---- replicas (replica.c) ---- */
void replica_start(void);
/* => window of `address` locked; shows a copy of the frame there. FILL_* */
int replica_show(uint32_t frame, addr_t address);
void replica_drop(uint32_t node);
/* The frame is about to be written. False: not all of its replicas could be dropped now. */
bool replica_drop_all(uint32_t frame, const uint32_t *held);
/* => nothing locked */
void replica_settle(addr_t first, addr_t last);

/* ---- filling (fill.c) ---- */
enum { FILL_DONE = 0, FILL_AGAIN = 1 }; /* or an error */
/* => window of `address` locked, and let go */
int fill(addr_t address, uint32_t frame, bool writable);
/* Shows for reads what the core's tables have around `address`, and Linux doesn't show yet. */
void fill_around(addr_t address, addr_t first, addr_t end);
/* The frame at `node`, shown at an address of the window that is locked, moves out of sight. */
int displace(uint32_t node);
/* => the window locked. What is shown there goes; FILL_* */
int clear_place(uint32_t node);
/* No page at [first, last] is shown any more. */
void settle(addr_t first, addr_t last);

/* ---- accesses that fail, in HANDLER mode (refuse.c) ---- */
void refuse_start(void);
/* What is shown at the page, garbage or not, goes; accesses get SIGBUS, for some time. */
void refuse(addr_t address);
/* Pages whose time is over are asked for again. How many milliseconds there are to the next; -1: there is none. */
int refuse_end_due(void);

/* ---- flushing (flush.c) ---- */
/* Whether the page was written since this was asked last: its next write will fault. */
bool flush_changed(addr_t address);

/* ---- faults (fault.c) ---- */
int fault_resolve(addr_t address, unsigned access);

/* ---- the program's own paging (self.c) ---- */
void self_start(quire_upcall *upcall, void *argument);
/* True: the access may be tried again. */
bool self_resolve(addr_t address, unsigned access);

/* ---- frames that can be shown at several addresses (show.c) ---- */
/* Memory for all frames, in a row; MAP_FAILED. */
void *show_start(size_t size);
void show_stop(void);
/* => window of `address` locked. FILL_*, ERR_NO_MEMORY: Linux has no room for the mapping;
 * ERR_PERMISSION_DENIED: it lets nobody execute such memory. */
int show_page(addr_t address, uint32_t frame, int protection);
/* No page of the program's space at [first, end) is shown any more. */
void show_flush(addr_t first, addr_t end);
/* In a child: nothing is shown, and the range is free, as in other modes. */
void show_forget(void);

/* ---- mappings that are held (headroom.c) ---- */
bool headroom_start(void); /* false: no memory */
void headroom_stop(void);
/* Those that are held can be had by others, until some are taken again: as many as before, if Linux has them. False:
 * it has so few that hardly a page can be shown. => who has given them takes them, nobody else meanwhile */
void headroom_give(void);
bool headroom_take(void);

/* ---- dirty (dirty.c) ---- */
int dirty_start(void);
void dirty_stop(void);
void dirty_note(addr_t address);
/* Whether it was written since this was asked last. */
bool dirty_take(addr_t address);
/* Nothing of a region was written yet. */
void dirty_forget(addr_t base, addr_t size);

/* ---- how faults come ---- */
/* From here on they may come this way, too. VM_OK, also where they do already; ERR_UNSUPPORTED (see quire_why),
 * ERR_NO_MEMORY. => regions locked, or none yet */
int faults_start(enum quire_mode mode);
int signal_of_faults(void); /* which one it is */
int signal_start(void);
void signal_stop(void);
/* False: another handler was installed since. */
bool signal_is_ours(void);
int handler_start(void);
void handler_stop(void);
void handler_forget(void); /* in a child, which has none of the threads */

/* ---- stores (store.c) ---- */
void store_start(void);
/* A store that pins frames for `of`, and sees to errors as the policy says. ERR_NO_MEMORY; ERR_INVALID_ARGS: `of`
 * has one already. */
int store_wrap(vm_store *of, const struct quire_policy *policy, vm_store **wrapped);
/* The program's store promises room for so many bytes in all, as far as it goes, until the wrapper does: its
 * `commit`. VM_OK, or what that says. */
int store_promise(vm_store *wrapped, off_t size);
/* Takes it off again: `of` is the caller's. */
void store_unwrap(vm_store *wrapped);
/* *ended becomes 1, and is woken, at its end. */
void store_tell(vm_store *wrapped, uint32_t *ended);
/* Its end won't be the end of `of`, which is the caller's again. */
void store_keep(vm_store *wrapped);
struct store_figures {
    uint64_t poisoned, read_errors, write_errors;
};
struct store_figures *store_figures(void);

#endif
