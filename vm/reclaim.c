/* SPDX-License-Identifier: MIT */
/* One batch: pages of one cache that lie together and are to go.
 *
 *   find     a victim, by the policy; its cache, against the lock order, by a tried reference
 *   gather   those beside it that are as old; all are busy from here on
 *   unmap    wherever they are mapped; what was accessed meanwhile stays
 *   part     clean ones go; modified ones are written, with nothing locked
 *   finish   what is written goes, but for what somebody waits for
 *
 * These are evict.pml: find_victim, gather, unmap, part, write_out
 * Nothing here allocates memory. What is busy meanwhile may be dropped (its fate), or its cache put below
 * another by a fork; merges wait. */
#include "reclaim.h"

#include "cache.h"
#include "mapping.h"
#include "pagein.h"
#include "print.h"
#include "system.h"
#include "writeback.h"

#define POOL (&vm_system.pages)
#define BUDGET 64 /* pages that the policy looks at under one hold of the page lock */

struct batch {
    struct vm_page *victim;
    vm_cache_ref *ref;    /* with a reference */
    vm_cache *cache;      /* under it when this began */
    bool desperate;       /* accessed pages go, too */
    uint64_t first, last; /* keys that are none of its business lie outside */
    struct vm_page *page[VM_CLUSTER];
    off_t end; /* of its file, before the write */
    size_t count;
    size_t freed;
};

/* ---- finding and gathering ---------------------------------------------------------------------- */

static uint64_t ghost_key(const vm_cache *cache, const struct vm_page *page)
{
    return vm_ghost_key(cache->serial, page->offset);
}

/* A cache goes, and a reference on it, only after the page lock was taken once more than its pages have
 * left it (page_lock_barrier): both are memory still. */
static bool find_victim(struct batch *b, unsigned *budget)
{
    vm_cache_ref *ref = NULL;
    vm_mutex_lock(&POOL->lock, VM_RANK_PAGE);
    b->victim = POOL->policy->victim(POOL, budget);
    vm_cache *cache = b->victim ? __atomic_load_n(&b->victim->cache, __ATOMIC_ACQUIRE) : NULL;
    if (cache)
        ref = __atomic_load_n(&cache->ref, __ATOMIC_ACQUIRE);
    if (ref && !cache_try_acquire_ref(ref))
        ref = NULL;
    vm_mutex_unlock(&POOL->lock);
    b->ref = ref;
    return ref != NULL;
}

/* => cache: locked */
static bool can_go(const struct batch *b, const struct vm_page *page)
{
    return page->busy == 0 && vm_atomic_load(&page->wire_count, __ATOMIC_RELAXED) == 0 &&
           !page->no_write && (b->desperate || !page->referenced);
}

static bool goes_along(const struct batch *b, const struct vm_page *page)
{
    return cache_is_page(page) && can_go(b, page) && page->state == b->victim->state &&
           (!page_is_young(page) || page->born == b->victim->born) && policy_may_go(POOL, page);
}

/* Each is likely to be in no cache of the CPU's: rather at once than one after another. */
static void prefetch_pages(void **slots)
{
    for (unsigned i = 0; i < VM_CLUSTER; i++)
        if (cache_is_page(slots[i]))
            __builtin_prefetch(slots[i]);
}

/* Leaves the reference's lock held, if there is something to do. */
static bool gather(struct batch *b)
{
    struct vm_page *victim = b->victim;
    cache_lock(b->ref);
    b->cache = b->ref->cache;
    if (__atomic_load_n(&victim->cache, __ATOMIC_RELAXED) != b->cache || !can_go(b, victim)) {
        cache_unlock(b->ref);
        return false;
    }
    uint64_t first = victim->offset - victim->offset % VM_CLUSTER;
    void **leaf = radix_leaf(&b->cache->pages, victim->offset); /* a cluster lies in one */
    page_expect(ghost_key(b->cache, victim));
    prefetch_pages(leaf + (first & (RADIX_SLOTS - 1)));
    for (uint64_t key = first; key < first + VM_CLUSTER; key++) {
        if (key < b->first || key > b->last)
            continue;
        struct vm_page *page = leaf[key & (RADIX_SLOTS - 1)];
        if (page != victim && !goes_along(b, page))
            continue;
        cache_begin_busy(b->cache, page);
        b->page[b->count++] = page;
    }
    return true;
}

/* ---- unmapping ---------------------------------------------------------------------------------- */

/* => ref: locked. In the regions of `ref` itself. */
static void unmap_run(const struct batch *b, vm_cache_ref *ref, uint64_t first, uint64_t last)
{
    off_t from = (off_t)(first << VM_PAGE_SHIFT);
    off_t to = (off_t)(last << VM_PAGE_SHIFT) + (off_t)VM_PAGE_MASK;
    list_for_each(link, &ref->regions)
    {
        vm_region *region = list_member(link, vm_region, cache_link);
        addr_t base, end;
        if (region_is_wired(region) || !region_clip(region, from, to, &base, &end))
            continue;
        if (b->desperate)
            mapping_remove(region, base, end);
        else
            mapping_remove_idle(region, base, end);
    }
}

static void unmap_from(vm_cache_ref *ref, void *argument)
{
    const struct batch *b = argument;
    for (size_t i = 0, next; i < b->count; i = next) {
        bool mapped = false;
        for (next = i; next < b->count && b->page[next]->offset == b->page[i]->offset + (next - i);
             next++)
            mapped |= vm_atomic_load(&b->page[next]->map_count, __ATOMIC_RELAXED) > 0;
        if (mapped)
            unmap_run(b, ref, b->page[i]->offset, b->page[next - 1]->offset);
    }
}

static bool any_mapped(const struct batch *b)
{
    bool mapped = false;
    for (size_t i = 0; i < b->count; i++)
        mapped |= vm_atomic_load(&b->page[i]->map_count, __ATOMIC_ACQUIRE) > 0;
    return mapped;
}

/* => ref: locked. Returns the reference that has the cache, locked. Consumers are asked only where their
 * regions, too, map something: the usual page is mapped by its own cache's region. */
static vm_cache_ref *unmap(struct batch *b)
{
    unmap_from(b->ref, b);
    if (!any_mapped(b) || list_is_empty(&b->ref->consumers))
        return b->ref;
    cache_unlock(b->ref);
    chain_walk_consumers(b->ref, unmap_from, b);
    return cache_lock_holder(b->ref, b->cache);
}

/* ---- going -------------------------------------------------------------------------------------- */

/* => cache: locked. Whether nothing is lost with the frame. A page of memory that was never written is
 * zeros, as is what would come in its place, unless something shows through there: through a file nothing does. */
static bool has_home(const vm_cache *cache, const struct vm_page *page)
{
    if (page->modified)
        return false;
    return page->swap != 0 || page->discardable || !cache->source;
}

/* => cache: locked. What stands in the tree when it has gone; a slot goes with it. */
static void *left_behind(struct vm_page *page)
{
    uint32_t slot = page->swap;
    if (page->is_file)
        return NULL;
    page->swap = 0;
    if (slot != 0)
        return cache_swapped(slot);
    return page->discardable ? VM_CACHE_LOST : NULL;
}

/* => cache: locked. Somebody may want it by now. */
static bool is_wanted(const struct batch *b, const struct vm_page *page)
{
    return page->fate != CACHE_FATE_STAY || page->busy != 1 ||
           vm_atomic_load(&page->map_count, __ATOMIC_ACQUIRE) > 0 ||
           (page->referenced && !b->desperate);
}

/* => cache: locked */
static void evict(struct batch *b, struct vm_page *page)
{
    VM_DEBUG_ASSERT(!page->discardable || (!page->is_file && page->swap == 0));
    if (page->discardable)
        VM_COUNT(discarded);
    page_remember(page, ghost_key(b->cache, page));
    VM_COUNT(evictions);
    cache_end_busy_gone(b->cache, page, left_behind(page));
    b->freed++;
}

/* => cache: locked. Takes those that can go, or must stay, out of the batch; what is left is modified. */
static void part(struct batch *b, vm_cache_ref *holder)
{
    size_t left = 0;
    for (size_t i = 0; i < b->count; i++) {
        struct vm_page *page = b->page[i];
        if (page->modified)
            page->discardable = 0;
        if (is_wanted(b, page) ||
            (page->modified && page->is_file &&
             cache_is_past_end(holder, (off_t)(page->offset << VM_PAGE_SHIFT)))) {
            cache_end_busy(b->cache, page);
            VM_COUNT(kept);
        } else if (has_home(b->cache, page)) {
            VM_COUNT(clean_evictions);
            evict(b, page);
        } else {
            b->page[left++] = page;
        }
    }
    b->count = left;
}

/* ---- writing ------------------------------------------------------------------------------------ */

/* => cache: locked. From here on the pages are on no hand's way. */
static void begin_write(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        struct vm_page *page = b->page[i];
        swap_forget(page);
        page->writing = true;
        page_clear_modified(page);
        page_dequeue(page, page->is_file ? VM_PAGE_MODIFIED : VM_PAGE_MODIFIED_TEMPORARY);
    }
}

/* Each page of the batch has its slot then, or is modified again: `written` is in bytes. */
static void write_to_swap(struct batch *b, const addr_t *frames, size_t *written)
{
    for (size_t i = 0, got; i < b->count; i += got) {
        uint32_t slot = swap_allocate(b->count - i, &got);
        if (slot == 0)
            return;
        bool ok = swap_write(slot, &frames[i], got) == VM_OK;
        for (size_t at = 0; at < got; at++) {
            written[i + at] = ok ? VM_PAGE_SIZE : 0;
            if (ok)
                b->page[i + at]->swap = slot + (uint32_t)at;
            else
                swap_give_back(slot + (uint32_t)at);
        }
        if (!ok)
            return;
        VM_COUNT_ADD(swap_outs, got);
    }
}

static int write_to_file(struct batch *b, const addr_t *frames, size_t *written)
{
    int error = VM_OK;
    unsigned failures = 0;
    for (size_t i = 0, next; i < b->count; i = next) {
        for (next = i; next < b->count && b->page[next]->offset == b->page[i]->offset + (next - i);)
            next++;
        int result = writeback_write(b->cache->store, b->page[i]->offset, &frames[i], next - i,
                                     b->end, &written[i], &failures);
        error = error == VM_OK ? result : error;
    }
    return error;
}

/* => cache: locked. Whether the page's bytes are where they were to go, if its file ends at `end`. */
static bool is_written(const struct vm_page *page, size_t written, off_t end)
{
    return page->is_file ? !writeback_is_short(page, written, end) : written > 0;
}

/* => cache: locked. It goes, or is one that ages. */
static void finish_page(struct batch *b, vm_cache_ref *holder, struct vm_page *page, bool written,
                        int error)
{
    page->no_write = !written && error == ERR_UNSUPPORTED;
    page->writing = false;
    if (!written || (page->is_file && writeback_has_more(holder, page)))
        page_set_modified(page);
    if (!page->modified && !is_wanted(b, page)) {
        evict(b, page);
        return;
    }
    VM_COUNT(kept);
    page_requeue(page);
    cache_end_busy(b->cache, page);
}

/* => cache: locked. Those that were written go; the first error, or ERR_IO where one was too short. */
static int finish(struct batch *b, vm_cache_ref *holder, const size_t *written, int error)
{
    off_t end = cache_end(holder);
    for (size_t i = 0; i < b->count; i++) {
        if (error == VM_OK && !is_written(b->page[i], written[i], b->end < end ? b->end : end))
            error = ERR_IO;
        finish_page(b, holder, b->page[i], is_written(b->page[i], written[i], end), error);
    }
    return error;
}

/* => holder: locked, and let go. Returns the holder, locked. */
static vm_cache_ref *write_out(struct batch *b, vm_cache_ref *holder)
{
    addr_t frames[VM_CLUSTER];
    size_t written[VM_CLUSTER] = {0};
    int error = VM_OK;
    b->end = cache_end(holder);
    begin_write(b);
    bool is_file = b->page[0]->is_file;
    cache_unlock(holder);
    for (size_t i = 0; i < b->count; i++)
        frames[i] = vm_page_physical(b->page[i]);
    if (is_file)
        error = write_to_file(b, frames, written);
    else
        write_to_swap(b, frames, written);
    holder = cache_lock_holder(b->ref, b->cache);
    error = finish(b, holder, written, error);
    if (is_file)
        writeback_note_error(holder, error);
    return holder;
}

/* ---- batches ------------------------------------------------------------------------------------ */

/* Gives the batch's reference back. How many frames are free for it. */
static size_t evict_batch(struct batch *b)
{
    if (!gather(b)) {
        vm_cache_release_ref(b->ref);
        return 0;
    }
    vm_cache_ref *holder = unmap(b);
    part(b, holder);
    if (b->count > 0)
        holder = write_out(b, holder);
    cache_put_holder(b->ref, holder);
    vm_atomic_fetch_add(&vm_system.reclaim.gone, b->freed, __ATOMIC_RELAXED);
    return b->freed;
}

static size_t reclaim_batch(bool desperate, unsigned *budget)
{
    struct batch b = {.desperate = desperate, .last = UINT64_MAX};
    return find_victim(&b, budget) ? evict_batch(&b) : 0;
}

void reclaim_pages(vm_cache_ref *ref, uint64_t first, uint64_t last)
{
    for (uint64_t key = first; key <= last; key++) {
        cache_lock(ref);
        struct vm_page *page = radix_next(&ref->cache->pages, &key);
        cache_unlock(ref);
        if (!page || key > last)
            break;
        if (!cache_is_page(page))
            continue;
        struct batch b = {
            .victim = page, .ref = ref, .desperate = true, .first = first, .last = last};
        vm_cache_acquire_ref(ref);
        (void)evict_batch(&b);
    }
}

/* The hands go round twice for those that nobody has accessed, then twice for all. */
size_t vm_reclaim(size_t wanted)
{
    size_t freed = 0;
    uint64_t aging = POOL->count[VM_PAGE_ACTIVE] + POOL->count[VM_PAGE_INACTIVE];
    uint64_t looks = 2 * aging + BUDGET;
    vm_assert_no_locks();
    swap_end_rests();
    reclaim_tell(false);
    for (int desperate = 0; desperate < 2; desperate++)
        for (uint64_t left = looks; left > 0 && freed < wanted;) {
            unsigned budget = BUDGET;
            reclaim_collect();
            freed += reclaim_batch(desperate != 0, &budget);
            unsigned looked = BUDGET - budget;
            left = looked == 0 || looked >= left ? 0 : left - looked;
        }
    reclaim_tell(freed == 0 && page_available() == 0);
    return freed;
}
