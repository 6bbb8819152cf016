/* SPDX-License-Identifier: MIT */
/* The regions of quire.h: what Linux and the core know of each, and how one is found by an address. */
#ifndef QUIRE_LINUX_REGIONS_H
#define QUIRE_LINUX_REGIONS_H

#include "linux.h"

#include <signal.h>

/* Each region begins a unit of its own, so the unit of an address says the region. */
#define UNIT_SIZE ((addr_t)2 << 20)
#define CLUSTER (16 * VM_PAGE_SIZE) /* what the core reads at once, at most */

struct region {
    addr_t base, size;   /* size: of whole pages */
    vm_store *store;     /* wrapped; NULL: memory */
    vm_cache_ref *cache; /* of it, with a reference */
    size_t granule;      /* in bytes; 0: by the pattern of faults */
    addr_t expected[4];  /* where faults that come in sequence would go on; WAS_EXPECTED: they do */
    uint32_t next_expected;
    size_t limit; /* in pages; 0: none */
    uint32_t limit_lock;
    size_t brought; /* pages that came since `resident` was counted; atomic */
    size_t resident;
    size_t staying; /* pages that don't go, and don't count */
    addr_t hand;    /* where eviction for the limit goes on */
    enum quire_mode mode;
    bool read_only, is_private, writes_store, holds_memory, is_reserved;
    struct region *next_unused;
    bool is_left; /* it goes, and nothing more is read ahead; guarded by ahead.c's lock */
};

/* Memory for regions; NULL. It may be read by faults that are late, so it is never anything else (region_memory.c). */
struct region *region_allocate(void);
void region_free(struct region *region);
void region_memory_start(void);
void region_memory_stop(void); /* => no fault goes on */

int regions_start(void);
void regions_stop(void);
/* Of any address in the range of regions; NULL. No lock: who hasn't locked regions may find one that goes. */
struct region *region_of(addr_t address);
/* => regions locked */
void region_insert(struct region *region);
void region_remove(struct region *region);
/* => regions locked. The region goes, but for its store; what is modified stays in its cache. */
void region_delete(struct region *region);
/* The store goes, too. => nothing locked, unless the store is kept: its end may unmap a region */
void region_end(struct region *region);
/* Both, and what is modified is written; the error of that. => regions locked, let go meanwhile: no store is waited for
 * with the lock */
int region_leave(struct region *region);
/* The same of all, and of those that others let go; the first error of its own. */
int regions_leave(void);
/* A place of the size for a new region; shows it, once the core has the region. => regions locked */
int region_find_place(addr_t size, addr_t *base);
int region_show(addr_t base, addr_t size, bool read_only, enum quire_mode mode);
/* Whole pages of no rights, in which nothing is, and which no child of fork gets. ERR_NO_MEMORY: no mapping is left */
int region_hide(addr_t base, addr_t size);
/* How faults at the address are taken, or were, if it is no region now. */
enum quire_mode region_mode(addr_t address);

/* => regions locked. What its memory needs beside pages is promised, too (reserve.c). ERR_VM_WOULD_OVERCOMMIT */
void reserve_start(void);
int reserve_for(struct region *region);
void reserve_end(struct region *region);
/* Whether so much may be pinned beside what was promised. */
bool reserve_may_pin(addr_t size);
/* Whether a part of a region may become another than its neighbours. */
bool reserve_may_split(addr_t first, addr_t size);

/* What a fault in the region does before and after the core's. The first gives what is added to its access. */
unsigned region_before_fault(struct region *region, addr_t address);
void region_after_fault(struct region *region, addr_t address, unsigned access);

/* Whether the page is in memory, or there is none. */
bool region_has(addr_t address);

/* ---- reading ahead: what (ahead.c), by whom (readers.c) ---- */
#define NO_PAGE ((addr_t)0)
#define MOST_READERS 3
/* What a reader takes: clusters from `at` to `end`, process.ahead pages at most, which are shown from `first` on. */
struct piece {
    struct region *region;
    size_t slot; /* of who reads it */
    addr_t at, end, first;
};
void ahead_start(void);
/* Whether there is any stream: else the next three functions have nothing to do, and needn't be called. */
extern uint32_t ahead_used;
static inline bool ahead_is_used(void)
{
    return __atomic_load_n(&ahead_used, __ATOMIC_RELAXED) != 0;
}
/* If the page is being read ahead: until it is shown, or it takes long, since a store may use regions for what the reader
 * waits for. => nothing locked */
void ahead_wait_for(const struct region *region, addr_t address);
/* The core must be asked for the page. Whether it is one of a sequence that is read ahead. => nothing locked */
bool ahead_fault(const struct region *region, addr_t address);
/* The page has been shown. */
void ahead_shown(const struct region *region, addr_t address);
/* Faults have come in sequence, and this one reads the cluster of the address. */
void ahead_begin(struct region *region, addr_t address);
/* What is to be read next by this reader, until ahead_finish; *more: there is work for others. False: nothing. */
bool ahead_take(size_t reader, struct piece *piece, bool *more);
/* With an error nothing more is read behind it. */
void ahead_finish(const struct piece *piece, int error);
/* Nothing more is read ahead now; or from here on. */
void ahead_drop(const struct region *region);
void ahead_forbid(struct region *region);
/* No reader is at the region any more, when nothing is read ahead. The pointer isn't followed. => nothing locked, and
 * not called by what a read of this region needs */
void ahead_wait(const struct region *region);

void readers_start(void); /* in a child, too, which has none of them */
void readers_stop(void);
/* There is something to read. May be called in a fault. */
void readers_wake(void);
/* A region may be read ahead: the first reader comes, if this process may have another thread. => not in a fault */
void readers_need(void);
/* Reads and shows a piece that was taken; an error of it is nobody's. */
void piece_read(const struct piece *piece);
bool reader_is_busy(void); /* this thread reads a piece */
/* Whether this thread reads ahead from the store just now. */
bool reader_reads(const vm_store *store);

/* So many pages have been brought, at most (limit.c). The page at `spare` stays, for it isn't shown yet: where no other
 * can go it would be brought and taken without end. */
void limit_count(struct region *region, size_t limit, size_t most, addr_t spare);
/* More pages count than before. */
void limit_look(struct region *region);

/* A call of quire.h, from here to there: ERR_UNSUPPORTED where Quire doesn't run in this process. Signals that
 * a handler could take are held back: a handler may use a region, and this thread may have locks; nor is it
 * cancelled meanwhile. */
struct call {
    sigset_t before;
    int cancel;
};
int call_begin(struct call *call);
int call_begin_with_regions(struct call *call); /* and the regions locked */
int call_end(struct call *call, int result);
int call_end_with_regions(struct call *call, int result);

#endif
