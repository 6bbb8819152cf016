/* SPDX-License-Identifier: MIT */
/* Physical page frames: what each is used for, and the queues of them. page.c has the table of states
 * and transitions. */
#ifndef VM_PAGE_H
#define VM_PAGE_H

#include <quire/vm.h>

#include "inject.h"
#include "lock.h"
#include "policy.h"

enum vm_page_state {
    VM_PAGE_FREE,
    VM_PAGE_CLEAR,
    VM_PAGE_ACTIVE,
    VM_PAGE_INACTIVE,
    VM_PAGE_MODIFIED,
    VM_PAGE_MODIFIED_TEMPORARY,
    VM_PAGE_WIRED,
    VM_PAGE_UNUSED,
    VM_PAGE_STATES
};

/* One for each frame, for ever: a pointer to one never dangles, though the frame may get another use.
 * Guarded by: `page lock` next, prev, state, born; by the cache's lock cache, offset, modified and
 * referenced (setting these two needs none), busy, swap, fate, discardable, writing; map_count and
 * wire_count are atomic. `cache` changes to NULL before the cache goes, and who holds the page lock may
 * look meanwhile (reclaim.c). */
struct vm_page {
    struct vm_page *next, *prev;
    vm_cache *cache; /* NULL: free, a table, metadata or the host's */
    uint64_t offset; /* in the cache, in pages */
    uint32_t busy;   /* 0; 1: a store reads or writes it; 2: and somebody waits here for the end */
    uint32_t map_count;  /* translations to it, and holds; for a page table its entries in use */
    uint32_t wire_count; /* translations among them by wired regions, and the host's own wiring */
    uint32_t number;     /* physical address / VM_PAGE_SIZE */
    uint8_t state;
    uint8_t
        modified; /* since it was read; the hardware's dirty bits are harvested into it. 1: counted
                            in modified_file_pages, 2: not */
    uint8_t referenced;  /* since a policy's hand has passed; likewise, of accessed bits */
    uint8_t born;        /* the pool's generation when it came: see page_note_access */
    uint32_t swap;       /* the slot that has its bytes, if it isn't modified; 0: none */
    uint8_t is_file;     /* of a file's cache, or of memory's */
    uint8_t fate;        /* of a busy page: what becomes of it when it is no longer busy */
    uint8_t discardable; /* its bytes may be forgotten instead of written */
    bool no_write : 1;   /* its store has said that it can't write: it is modified, and stays */
    bool writing : 1;    /* it is busy because its store writes it */
    bool was_active : 1; /* when page_dequeue took it off its queue */
    bool is_hosts : 1;   /* vm_allocate_frames has given it */
    uint32_t checked;    /* the checker's own count of mappings */
};

struct vm_page_range {
    uint64_t first, count; /* page numbers */
    struct vm_page *pages;
};

struct vm_page_pool {
    struct vm_mutex lock;
    unsigned range_count;
    struct vm_page_range range[VM_MAX_PHYSICAL_RANGES];
    struct vm_page queue[VM_PAGE_STATES]; /* heads; only next and prev are used */
    size_t count[VM_PAGE_STATES];
    size_t total;
    size_t array_frames; /* that hold the vm_page structures, and the ghosts */
    /* Free frames that pages of programs leave for tables and metadata, and those that these, too, leave
     * for who writes pages out. Where fewer are free than `low`, the daemons work until it is `high`. */
    struct vm_reserves {
        size_t user, system, low, high;
    } reserve;
    uint32_t waiting;  /* threads that wait for free frames; atomic */
    uint32_t freed;    /* changes as frames get free; they wait here */
    uint32_t shortage; /* how often there was no frame; atomic */
    const struct vm_policy *policy;
    size_t target;      /* the policy's own: CAR's p, how many pages INACTIVE should have */
    uint8_t generation; /* how often accessed bits were collected */
    bool can_swap;      /* pages of memory, too, have a place to go */
    struct vm_ghosts ghosts;
};

/* Whether a policy may choose the page. => page lock */
bool policy_may_go(const struct vm_page_pool *pool, const struct vm_page *page);

/* Sets up one vm_page for each frame; those taken are UNUSED, the rest free. Single-threaded. */
int vm_page_init(const kernel_args *ka);

/* A frame that is nobody else's, in `state`; cleared if asked for. NULL: none is left. `class` is
 * what a failure on request goes by. Never waits, so it may be called under any lock but the queues'. */
#define vm_page_allocate(state, clear, class)                                                      \
    (VM_INJECT(class) ? NULL : page_take((state), (clear)))
/* `count` frames in a row, WIRED; returns the first. */
#define vm_page_allocate_run(count, clear)                                                         \
    (VM_INJECT(VM_INJECT_FRAME) ? NULL : page_take_run((count), (clear)))
struct vm_page *page_take(enum vm_page_state state, bool clear);
struct vm_page *page_take_run(size_t count, bool clear);
/* For who writes pages out: from the reserve that others leave. */
struct vm_page *page_take_reserved(void);
/* Whether `more` pages may be wired: three quarters of the frames at most. No lock: it may be a few more. */
bool page_may_wire(size_t more);
/* Frames that a page of a program could get. No lock: a figure. */
size_t page_available(void);
/* The frame has no mapping, no cache and isn't busy. `is_clear`: all its bytes are known to be 0. */
void vm_page_free(struct vm_page *page, bool is_clear);
void vm_page_set_state(struct vm_page *page, enum vm_page_state state);
/* NULL: not memory of the core's. */
struct vm_page *vm_page_at(addr_t physical);
const char *page_state_to_text(int state);

/* Waits until the page may no longer be busy; the caller has set `busy` to 2 under the cache's lock
 * and has let all locks go since. ERR_INTERRUPTED, where `killable`. */
int vm_page_wait(struct vm_page *page, bool killable);
/* Both => the page's cache: locked */
void vm_page_set_busy(struct vm_page *page);
void vm_page_clear_busy(struct vm_page *page);
/* => the page's cache: locked, page busy. Announces a waiter. */
void vm_page_will_wait(struct vm_page *page);

/* In map_count: the page has left its cache, and the last user frees it. */
#define VM_PAGE_ORPHAN 0x80000000u

/* One more, or less, that uses the frame: a translation, or somebody who copies from or to it with no
 * lock held. True: it was the last of an orphan, which the caller is to free once no TLB knows it. */
void vm_page_use(struct vm_page *page);
bool vm_page_unuse(struct vm_page *page);
/* The page leaves its cache: freed now, or by its last user. => the cache: locked */
void vm_page_orphan(struct vm_page *page);

/* A mapping by a wired region, or the host, pins the frame. => the page's cache: locked, or private */
void vm_page_wire(struct vm_page *page);
void vm_page_unwire(struct vm_page *page);

/* ---- what the policy is told ---- */

/* What page_enqueue, or page_remember, will look for soon. */
void page_expect(uint64_t key);
/* A page with no cache so far is one of `cache`, and ages from here on. => the cache: locked. Whether the
 * policy remembered it. */
bool page_enqueue(struct vm_page *page, uint64_t key);
/* The page is to go once it is written: it is in `state` meanwhile. Or it stays after all, where it was.
 * => the cache: locked, both */
void page_dequeue(struct vm_page *page, enum vm_page_state state);
void page_requeue(struct vm_page *page);
/* The page goes: the policy remembers it. => the cache: locked */
void page_remember(struct vm_page *page, uint64_t key);
/* It will be the next to go, if nobody accesses it. => the cache: locked */
void page_deactivate(struct vm_page *page);
/* It was accessed. Doesn't count before the second collection after it came: the access that brought it
 * is no second one. No locks needed. */
void page_note_access(struct vm_page *page);
/* Whether it came that recently. */
bool page_is_young(const struct vm_page *page);
/* The flag `modified`; a file's modified pages are counted. */
void page_set_modified(struct vm_page *page);
void page_clear_modified(struct vm_page *page);
/* Whoever has looked at a page under the page lock before this call has ended. */
void page_lock_barrier(void);

static inline void page_set_cache(struct vm_page *page, vm_cache *cache)
{
    __atomic_store_n(&page->cache, cache, __ATOMIC_RELEASE);
}

static inline addr_t vm_page_physical(const struct vm_page *page)
{
    return (addr_t)page->number << VM_PAGE_SHIFT;
}

unsigned vm_page_check(void);

#endif
