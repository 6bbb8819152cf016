/* SPDX-License-Identifier: MIT */
/* Caches: the pages of one object, with the store they come from; and the references through which
 * everybody else knows them.
 *
 * A vm_cache_ref is what regions, sources and vnodes point at; it has the lock. A vm_cache is what
 * holds the pages. They are two, so that a fork can put a new, empty cache under an old reference, and
 * a merge can take one away, without touching whoever points at the reference. */
#ifndef VM_CACHE_H
#define VM_CACHE_H

#include <quire/store.h>

#include "list.h"
#include "page.h"
#include "radix.h"
#include "region.h"

#define VM_CACHE_REF_MAGIC 0x766d6372u /* 'vmcr' */
#define VM_CACHE_MAGIC 0x766d6361u     /* 'vmca' */

/* Everything but ref_count (atomic) and what says otherwise is guarded by `lock`, which also guards
 * the cache below it. */
struct vm_cache_ref {
    uint32_t magic;
    uint32_t ref_count; /* regions, consumers, and whoever holds one meanwhile */
    struct vm_mutex lock;
    /* These two hold for all caches that will ever be under it, so they are read without the lock. */
    bool temporary; /* their pages have no other home: anonymous memory */
    bool is_vnode;
    bool is_written_back; /* is on the list of files' caches: its store writes */
    /* How often it was made mappable by regions that overlap; 0: they don't. While they may, nothing is
     * freed or given back by a partial unmap. */
    uint32_t sharers;
    uint32_t coming; /* clones that are about to map it */
    bool visited;    /* the checker's */
    /* Forks that may have put pages below it which private clones still show, and for how many of them
     * that is over: until then no write may hide such a page. */
    uint64_t forks, settled;
    bool
        written; /* nobody has found a vnode's since its write-back, nor failed to write; guarded by the
                     vnode lock, but for who has a reference and sets it to false */
    uint32_t write_errors; /* that write-back has met; and the last of them */
    int write_error;
    struct list_link
        vnode_link; /* on the list of what is written back; guarded by the vnode lock */
    vm_cache *cache;
    struct list_link regions;   /* that map this cache */
    struct list_link consumers; /* caches whose source this is */
    vm_cache_ref *walk_next;    /* guarded by the walk lock */
};

struct vm_cache {
    uint32_t magic;
    uint32_t busy_count;  /* pages that a store reads or writes */
    vm_cache_ref *ref;    /* changes with both that and the source locked */
    vm_cache_ref *source; /* what shows through where this one has no page; a reference */
    struct list_link consumer_link;
    vm_store *store;
    struct radix pages; /* by offset / VM_PAGE_SIZE: vm_page, or one of the following */
    size_t page_count, swapped_count;
    uint64_t serial; /* a name for the ghosts of its pages: no other cache has it */
    off_t virtual_size;
};

/* In `pages`: here is no page, and no temporary cache below may show through, either. What discarding
 * a page leaves where a source still has one. */
#define VM_CACHE_SKIP ((struct vm_page *)1)
/* The same, where a discardable page was forgotten. */
#define VM_CACHE_LOST ((struct vm_page *)5)

static inline bool cache_is_page(const void *value)
{
    return value && ((uintptr_t)value & 7) == 0;
}

static inline bool cache_is_skip(const void *value)
{
    return ((uintptr_t)value & 3) == 1;
}

/* The page is at a slot of swap. */
static inline bool cache_is_swapped(const void *value)
{
    return ((uintptr_t)value & 7) == 2;
}

static inline void *cache_swapped(uint32_t slot)
{
    return (void *)((uintptr_t)slot << 3 | 2);
}

static inline uint32_t cache_slot_of(const void *value)
{
    return (uint32_t)((uintptr_t)value >> 3);
}

/* What becomes of a page that is busy, when it no longer is; the later the stronger. */
enum cache_fate {
    CACHE_FATE_STAY,
    CACHE_FATE_GO,   /* it was dropped meanwhile */
    CACHE_FATE_HIDE, /* and leaves VM_CACHE_SKIP */
};

/* Puts the only reference on the list of those whose pages are written back. => vnode lock held */
void cache_note_file(vm_cache_ref *ref);

/* Reclaim looks with neither lock held: it must see the reference as it was made. */
static inline void cache_set_ref(vm_cache *cache, vm_cache_ref *ref)
{
    __atomic_store_n(&cache->ref, ref, __ATOMIC_RELEASE);
}

static inline void cache_lock(vm_cache_ref *ref)
{
    vm_mutex_lock(&ref->lock, VM_RANK_CACHE);
}

/* => ref: locked. Whether regions map it, or may be about to. */
static inline bool cache_has_regions(const vm_cache_ref *ref)
{
    return ref->coming > 0 || !list_is_empty(&ref->regions);
}

static inline void cache_unlock(vm_cache_ref *ref)
{
    vm_mutex_unlock(&ref->lock);
}

/* The cache of a store, whose it becomes. NULL: no memory; the store is left. */
vm_cache *vm_cache_create(vm_store *store);
/* With one reference. NULL: no memory; the cache is left. */
vm_cache_ref *vm_cache_ref_create(vm_cache *cache);
/* A cache that got no reference goes; its store is left. */
void vm_cache_abandon(vm_cache *cache);
/* A new cache of `size` bytes on `store`, with a reference. On failure the store is destroyed, too;
 * a NULL store is such a failure. */
vm_cache_ref *cache_create_for(vm_store *store, off_t size, bool temporary);

void vm_cache_acquire_ref(vm_cache_ref *ref);
/* False: it is going already. */
bool cache_try_acquire_ref(vm_cache_ref *ref);
/* => nothing locked. The last one destroys the cache, and gives up its source, and so on down. */
void vm_cache_release_ref(vm_cache_ref *ref);

/* => cache: locked, all of the following */
/* May be none: see cache_is_page. */
struct vm_page *vm_cache_lookup_page(vm_cache_ref *ref, off_t offset);
/* No page is there; a slot becomes the page's. ERR_NO_MEMORY: not where there was something. */
int vm_cache_insert_page(vm_cache_ref *ref, struct vm_page *page, off_t offset);
void vm_cache_insert_region(vm_cache_ref *ref, vm_region *region);
void vm_cache_remove_region(vm_cache_ref *ref, vm_region *region);
/* Puts VM_CACHE_SKIP at a key that was reserved, in place of a page if there is one. */
void cache_hide_key(vm_cache_ref *ref, uint64_t key);
/* Drops the pages in [first, last], those in swap, too; busy ones as soon as they no longer are. */
void cache_remove_pages(vm_cache_ref *ref, off_t first, off_t last);
/* Puts `value`, which is no page, in place of a page that isn't busy. Its frame is freed now, or by its last user. */
void cache_replace_page(vm_cache *cache, struct vm_page *page, void *value);
/* A value that is no page leaves `pages`: its slot is free again. */
void cache_forget_value(vm_cache *cache, const void *value);
/* A page is busy, and no longer. The second applies its fate, the third puts `value` in place of a page whose
 * fate it is to stay. */
void cache_begin_busy(vm_cache *cache, struct vm_page *page);
void cache_end_busy(vm_cache *cache, struct vm_page *page);
void cache_end_busy_gone(vm_cache *cache, struct vm_page *page, void *value);
/* => nothing locked, with a reference on `ref`, which had `cache`, some of whose pages the caller has made
 * busy. Locks the reference that has it now: forks may have put it below. */
vm_cache_ref *cache_lock_holder(vm_cache_ref *ref, const vm_cache *cache);
/* => `holder` of cache_lock_holder locked, and let go, with the reference on `ref`. A merge that could not
 * be because something was busy, there or in the cache above, is tried again. */
void cache_put_holder(vm_cache_ref *ref, vm_cache_ref *holder);
/* Takes out each VM_CACHE_SKIP from `first` on: no cache below has a page there any more. */
void cache_forget_hidden(vm_cache_ref *ref, off_t first);
/* Charges the store `bytes` more: ERR_VM_WOULD_OVERCOMMIT. */
#define cache_charge(cache, bytes)                                                                 \
    (VM_INJECT(VM_INJECT_COMMIT) ? ERR_VM_WOULD_OVERCOMMIT : cache_charge_store((cache), (bytes)))
int cache_charge_store(vm_cache *cache, int64_t bytes);
/* What is shared was promised as a whole: that is given back with the last who maps it. */
void cache_settle_shared(vm_cache_ref *ref);
/* Gives `bytes` of the charge back. */
void cache_uncharge(vm_cache *cache, int64_t bytes);

/* Ends a vm_page_use that kept a page while no lock was held. */
void cache_unhold_page(struct vm_page *page);

/* ---- chains (chain.c) --------------------------------------------------------------------------- */

/* => source: locked; the cache is nobody else's yet. Takes a reference on the source. */
void chain_link(vm_cache *cache, vm_cache_ref *source);
/* A private copy of what `ref` shows from now on, or, as a snapshot, now: a new reference on a new cache.
 * For a snapshot the writable mappings of `ref` lose that right. => nothing locked but maps.
 * ERR_NO_MEMORY. */
int chain_private(vm_cache_ref *ref, vm_cache_ref **copy);
int chain_snapshot(vm_cache_ref *ref, vm_cache_ref **copy);
/* Up to so many forks of `ref`, private clones of it show none of its pages any more: they look again.
 * => nothing locked, with a reference */
void chain_settle(vm_cache_ref *ref, uint64_t forks);
/* What has become of the caller's reference on a middle. */
enum chain_release {
    CHAIN_KEPT,    /* it is his still: there is nothing to merge */
    CHAIN_VISITED, /* the same, but others had references for a while: it may be possible by now */
    CHAIN_GIVEN, /* given back: something is busy, and who ends that tries again (cache_put_holder) */
    CHAIN_MERGED, /* given back, and the consumer's: the two are one */
};
/* If `ref` is a middle that, but for the caller's reference, only its one consumer knows, the two
 * become one: `ref` has no reference left then, and an empty cache. => nothing locked */
enum chain_release chain_try_merge(vm_cache_ref *ref);
/* => top and at locked. Locks the source of `at` and lets `at` go, unless it is the top; so nothing
 * below can merge or go away meanwhile. NULL: there is no source, and `at` is unlocked likewise. */
vm_cache_ref *chain_step(vm_cache_ref *top, vm_cache_ref *at);
/* => ref locked. Caches from here down; *bottom, if asked for, is the vnode there, or NULL. */
unsigned chain_depth(vm_cache_ref *ref, void **bottom_vnode);

/* Calls `visit` for `ref` and each cache that can see its pages, one at a time, each locked.
 * => nothing locked */
typedef void chain_visit(vm_cache_ref *ref, void *argument);
void chain_walk_consumers(vm_cache_ref *ref, chain_visit *visit, void *argument);

/* Unmaps the pages of `ref` in [first, last] everywhere. => cache: locked; only regions that map
 * `ref` itself are reached. */
void cache_unmap(vm_cache_ref *ref, off_t first, off_t last);

#endif
