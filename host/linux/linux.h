/* SPDX-License-Identifier: MIT */
/* What the files of the Linux host share. Nothing here calls malloc or takes a lock of libc's: it runs in
 * signal handlers. Order of locks: the regions' (calls), one region's limit's (tried, never waited for
 * without end), the core's, the one of what goes away, then a window of places (or all, in order), then the leaves
 * (pending, bad pages, the ring, room, stores, what is read ahead, memory of regions). */
#ifndef QUIRE_LINUX_H
#define QUIRE_LINUX_H

#include <quire/host.h>
#include <quire/quire.h>
#include <quire/vm.h>

#include <sys/uio.h>

#define MODES (QUIRE_MODE_HANDLER + 1)
#define PAGES_AT_ONCE 64 /* places that are dropped with one call, at most */
#define SPARE_WORDS                                                                                \
    7 /* of bits, one for each spare: 64 for faults, and for reading ahead those that the budget pays */

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
    size_t ahead; /* pages that are read ahead with one call */
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
/* Linux writes each entry of a range that it protects, whatever it was: so many cost as much as one call. */
#define ENTRIES_OF_A_CALL 8
void uffd_protect(addr_t address, addr_t size);
/* In SIGNAL mode, of what has been moved to an address that no region has. */
void uffd_protect_moved(addr_t address, addr_t size);
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
 * ones (garbage, to be dropped) and replicas. `at` is guarded by its window; for frames that are shown nowhere, by who
 * has the frame. */
struct node {
    addr_t at;     /* a frame's place; 0: nowhere yet */
    uint32_t next; /* in its bucket, + 1 */
    uint32_t
        pins; /* of frames: who uses the place; NODE_MOVES: it changes. Of replicas: the frame */
    uint8_t state;
    bool has_page; /* of frames: that of the arena is in use, or may hold bytes */
};
#define NODE_MOVES 0x80000000u
enum { NODE_QUEUED = 1, NODE_GOING, NODE_CLAIMED }; /* states of pending nodes */
#define NO_NODE UINT32_MAX

extern struct node *nodes;
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

size_t place_bytes(size_t frames);
void place_start(void *memory);
uint32_t *place_lock_of(addr_t address);
/* => no window locked. Locks that of the address, where pages are shown: its chunk isn't away. */
void place_lock(addr_t address);
/* The same with `held` locked, which may be the same window; *address is looked at again then. False: not now. */
bool place_try_lock_beside(addr_t address, const uint32_t *held);
void place_unlock_beside(addr_t address, const uint32_t *held);
/* All windows, so that nothing is shown or dropped meanwhile. */
void place_lock_all(void);
void place_unlock_all(void);
/* The address is about to be looked for. */
void place_prefetch(addr_t address);
void place_prefetch_node(addr_t address); /* => the window locked */
/* => the window locked */
uint32_t place_find(addr_t address);
void place_insert(uint32_t node, addr_t address);
void place_remove(uint32_t node);
/* Fills that had begun have ended. */
void place_wait_for_fills(void);
/* Locks the window at which the frame is shown. False: it is shown nowhere. */
bool place_lock_frame(uint32_t frame);

/* ---- the host's own memory (arena.c) ---- */
int arena_start(void); /* ERR_NO_MEMORY */
void arena_stop(void);
/* For place_start; zeros. */
void *arena_tables(void);
addr_t arena_spare(size_t index);
/* Where a frame is that isn't shown, nor in a spare. */
addr_t arena_frame(size_t frame);

/* ---- frames (frames.c) ---- */
extern const struct vm_frame_hooks frame_hooks;
void frames_start(void);
/* The frame's place doesn't change until unpin. Waits while it does. => no window locked */
void *frame_pin(uint32_t frame);
/* => a window locked. NULL: it would have to wait. */
void *frame_try_pin(uint32_t frame);
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
/* `is_absent`: Linux says that nothing is shown there. */
int fault_resolve(addr_t address, unsigned access, bool is_absent);

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
/* In a child, whose range is free, as in other modes. */
void show_forget(void);

/* ---- mappings that are held (headroom.c) ---- */
bool headroom_start(void); /* false: no memory */
void headroom_stop(void);
/* Those that are held can be had by others, until some are taken again: as many as before, if Linux has them. False:
 * it has so few that hardly a page can be shown. => who has given them takes them, nobody else meanwhile */
void headroom_give(void);
bool headroom_take(void);

/* ---- a bit for each page of the range of regions (page_bits.c) ---- */
struct page_bits {
    uint64_t *words; /* atomic: windows share them */
};
/* Where Linux lets the program write, or would if the chunk weren't away: set and taken with the window locked, or no fill under way; after Linux was told,
 * since who looks without a lock relies on it. And what was written since quire_changed has asked. */
extern struct page_bits writable_pages, written_pages;
int page_bits_start(struct page_bits *bits); /* ERR_NO_MEMORY */
void page_bits_stop(struct page_bits *bits);
bool page_bits_have(const struct page_bits *bits, addr_t address);
void page_bits_add(struct page_bits *bits, addr_t address);
/* Whether it was set. */
bool page_bits_take(struct page_bits *bits, addr_t address);
/* The first of [first, end) that is set; `end`: none. */
addr_t page_bits_next(const struct page_bits *bits, addr_t first, addr_t end);
size_t page_bits_count(const struct page_bits *bits, addr_t first, addr_t end);
void page_bits_clear(struct page_bits *bits, addr_t first, addr_t end);
/* Those of a whole region, and the memory. */
void page_bits_forget(struct page_bits *bits, addr_t base, addr_t size);

/* ---- chunks that are away (away.c) ---- */
#define CHUNK_SIZE ((addr_t)2 << 20) /* what one page table of Linux's shows */
/* Of regions in SIGNAL mode. Where Linux can't do it, or has no room, nothing goes, that's all. */
void away_start(void);
void away_stop(void);
/* A second range, and a thread: before the first that may go. => regions locked */
void away_prepare(void);
void away_forget(void); /* in a child, which has no thread */
/* Chunks of this range may go, until the next call; size 0: none. => regions locked */
void away_allow(addr_t base, addr_t size);
bool away_is_allowed(addr_t first, addr_t end);
/* [first, end), whole chunks, loses the right to write as a whole: its pages are out of the program's reach until
 * somebody needs one of their chunk. False: nothing has changed. => no fill under way, nothing locked but the core's */
bool away_go(addr_t first, addr_t end);
extern size_t away_count; /* chunks that are away, or about to go; atomic */
bool away_is_slow(addr_t address);
/* => its window locked: then it doesn't go meanwhile. */
static inline bool away_is(addr_t address)
{
    return __builtin_expect(__atomic_load_n(&away_count, __ATOMIC_SEQ_CST) != 0, 0) &&
           away_is_slow(address);
}
/* => no window locked. The chunk of the address is where it belongs; whether it wasn't. */
bool away_return(addr_t address);
void away_return_all(addr_t first, addr_t end);
/* Of a region that ends: what has gone is where it belongs, and its second place counts for no limit. => regions locked */
void away_end(addr_t base, addr_t size);
/* => a window locked. False: not now. */
bool away_try_return(addr_t address);
/* The chunk doesn't go until away_let. => no window locked, or that of the address */
void away_keep(addr_t address);
void away_keep_all(addr_t first, addr_t end);
bool away_try_keep(addr_t address); /* => a window locked. False: not now; then it isn't kept. */
void away_let(addr_t address);
void away_let_all(addr_t first, addr_t end);

/* ---- moves of page tables (moves.c) ---- */
void moves_start(void);
/* Nothing may go any more, nor may the second range be unmapped: part of it may be the program's. */
bool moves_are_lost(void);
/* `size` bytes of a region go to the second range. False: Linux refuses, and nothing has changed. */
bool move_away(addr_t from, addr_t to, addr_t size);
/* A chunk, all of which is write-protected, comes back. False: not now; what has come is where it belongs. */
bool move_back(addr_t from, addr_t to);

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
