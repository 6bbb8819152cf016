/* SPDX-License-Identifier: MIT */
/* Caches: coming, references, pages, regions, going. A cache goes with the last reference on its
 * vm_cache_ref; it gives up its source then, which may be that one's last, and so on: a loop. */
#include "cache.h"

#include "count.h"
#include "mapping.h"
#include "meta.h"
#include "print.h"
#include "swap.h"
#include "system.h"
#include "writeback.h"

/* ---- coming ------------------------------------------------------------------------------------- */

vm_cache *vm_cache_create(vm_store *store)
{
    vm_cache *cache = meta_alloc_clear(sizeof *cache);
    if (!cache)
        return NULL;
    cache->magic = VM_CACHE_MAGIC;
    cache->store = store;
    cache->serial = vm_atomic_fetch_add(&vm_system.next_cache_serial, 1, __ATOMIC_RELAXED);
    list_init(&cache->consumer_link);
    store->cache = cache;
    vm_atomic_count(&vm_system.caches, 1);
    return cache;
}

vm_cache_ref *vm_cache_ref_create(vm_cache *cache)
{
    vm_cache_ref *ref = meta_alloc_clear(sizeof *ref);
    if (!ref)
        return NULL;
    ref->magic = VM_CACHE_REF_MAGIC;
    ref->ref_count = 1;
    ref->cache = cache;
    list_init(&ref->regions);
    list_init(&ref->consumers);
    list_init(&ref->vnode_link);
    cache_set_ref(cache, ref);
    return ref;
}

static void free_cache(vm_cache *cache)
{
    cache->magic = 0;
    vm_atomic_count(&vm_system.caches, (size_t)-1);
    vm_meta_free(cache, sizeof *cache);
}

void vm_cache_abandon(vm_cache *cache)
{
    cache->store->cache = NULL;
    free_cache(cache);
}

vm_cache_ref *cache_create_for(vm_store *store, off_t size, bool temporary)
{
    vm_cache *cache = store ? vm_cache_create(store) : NULL;
    vm_cache_ref *ref = cache ? vm_cache_ref_create(cache) : NULL;
    if (ref) {
        cache->virtual_size = size;
        ref->temporary = temporary;
        return ref;
    }
    if (cache)
        free_cache(cache);
    if (store)
        store->ops->destroy(store);
    return NULL;
}

/* ---- references --------------------------------------------------------------------------------- */

/* What isn't temporary keeps its cache, so that can be looked at without the lock. */
static void note_acquired(vm_cache_ref *ref)
{
    vm_store *store = ref->temporary ? NULL : ref->cache->store;
    if (store && store->ops->acquire_ref)
        store->ops->acquire_ref(store);
}

/* Before the reference is given back: it may be the last, with which the store goes. A vnode hears of it
 * afterwards. */
static void note_released(vm_cache_ref *ref)
{
    vm_store *store = ref->temporary || ref->is_vnode ? NULL : ref->cache->store;
    if (store && store->ops->release_ref)
        store->ops->release_ref(store);
}

void vm_cache_acquire_ref(vm_cache_ref *ref)
{
    count_reference(&ref->ref_count);
    note_acquired(ref);
}

bool cache_try_acquire_ref(vm_cache_ref *ref)
{
    uint32_t count = vm_atomic_load(&ref->ref_count, __ATOMIC_RELAXED);
    do {
        if (count == 0)
            return false;
        VM_ASSERT(count < VM_MAX_REFERENCES);
    } while (!vm_atomic_compare_exchange(&ref->ref_count, &count, count + 1, false,
                                         __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
    note_acquired(ref);
    return true;
}

static void free_value(vm_cache *cache, struct vm_page *value)
{
    if (!cache_is_page(value)) {
        cache_forget_value(cache, value);
        return;
    }
    VM_ASSERT(value->busy == 0);
    cache->page_count--;
    vm_page_orphan(value);
}

/* The frames and slots of a cache that nobody sees any more. Who had found it from one of its pages, under
 * the page lock, has a reference by now, or will get none. */
static void free_pages(vm_cache *cache)
{
    uint64_t key = 0;
    while (cache->page_count + cache->swapped_count > 0) {
        void *found = radix_next(&cache->pages, &key);
        void **leaf = radix_leaf(&cache->pages, key);
        VM_ASSERT(found != NULL);
        for (unsigned i = key & (RADIX_SLOTS - 1); i < RADIX_SLOTS; i++)
            if (leaf[i])
                free_value(cache, leaf[i]);
        key = (key | (RADIX_SLOTS - 1)) + 1;
    }
    radix_clear(&cache->pages);
    page_lock_barrier();
}

/* Takes the cache off its source, whose reference is then the caller's to release. */
static vm_cache_ref *unlink_source(vm_cache *cache)
{
    vm_cache_ref *source = cache->source;
    if (!source)
        return NULL;
    cache_lock(source);
    list_remove(&cache->consumer_link);
    cache_unlock(source);
    cache->source = NULL;
    return source;
}

/* The last reference is gone. Returns the source to release. */
static vm_cache_ref *destroy(vm_cache_ref *ref)
{
    vm_cache *cache = ref->cache;
    vm_store *store = cache->store;
    VM_ASSERT(list_is_empty(&ref->regions) && list_is_empty(&ref->consumers));
    VM_ASSERT(cache->busy_count == 0);
    vm_cache_ref *source = unlink_source(cache);
    free_pages(cache);
    if (store->committed_size != 0)
        (void)store->ops->commit(store, 0);
    store->ops->destroy(store);
    free_cache(cache);
    ref->magic = 0;
    vm_meta_free(ref, sizeof *ref);
    return source;
}

/* => vnode lock held, with a reference. What nobody has written back yet has its last chance with the
 * last reference. That sleeps, and others may come and go meanwhile: again, if somebody did. */
static void write_before_last(vm_cache_ref *ref)
{
    while (vm_atomic_load(&ref->ref_count, __ATOMIC_ACQUIRE) == 1 && !ref->written) {
        ref->written = true;
        vm_mutex_unlock(&vm_system.vnode_lock);
        writeback_last(ref);
        vm_mutex_lock(&vm_system.vnode_lock, VM_RANK_VNODE);
    }
}

/* => vnode lock held. A reference that lost the race for its vnode was never on the list. */
static void forget_file(vm_cache_ref *ref)
{
    if (list_is_empty(&ref->vnode_link))
        return;
    list_remove(&ref->vnode_link);
    __atomic_store_n(&vm_system.vnode_cache_count, vm_system.vnode_cache_count - 1,
                     __ATOMIC_RELAXED);
}

void cache_note_file(vm_cache_ref *ref)
{
    list_add_head(&vm_system.vnode_caches, &ref->vnode_link);
    __atomic_store_n(&vm_system.vnode_cache_count, vm_system.vnode_cache_count + 1,
                     __ATOMIC_RELAXED);
}

/* => vnode lock held. Whether it was the last. Whoever had one for a moment may have failed to write: then it comes
 * back, for who finds no reference without the lock looks elsewhere. */
static bool drop_file_ref(vm_cache_ref *ref)
{
    for (;;) {
        write_before_last(ref);
        uint32_t left = vm_atomic_sub_fetch(&ref->ref_count, 1, __ATOMIC_ACQ_REL);
        if (left > 0 || ref->written)
            return left == 0;
        vm_atomic_store(&ref->ref_count, 1, __ATOMIC_RELEASE);
    }
}

/* The last reference on what is written back is given back under the vnode lock, so that nobody finds the cache through
 * the vnode, or the list, as it goes. Returns the source to release. */
static vm_cache_ref *release_file_ref(vm_cache_ref *ref)
{
    /* A copy: unless this is the last reference, the store may go with the last meanwhile. */
    vm_store store = *ref->cache->store;
    bool is_vnode = ref->is_vnode;
    vm_mutex_lock(&vm_system.vnode_lock, VM_RANK_VNODE);
    bool last = drop_file_ref(ref);
    if (last && is_vnode)
        host_vnode_clear_cache(store.data, ref);
    if (last)
        forget_file(ref);
    vm_mutex_unlock(&vm_system.vnode_lock);
    vm_cache_ref *source = last ? destroy(ref) : NULL;
    if (is_vnode) {
        /* Who has found the cache by a page, and counted a reference, has also told the vnode. */
        page_lock_barrier();
        store.ops->release_ref(&store);
    }
    return source;
}

/* What no vnode has to hear of needs no lock, if it isn't the last. */
static bool release_one_of_many(vm_cache_ref *ref)
{
    if (ref->is_vnode)
        return false;
    uint32_t count = vm_atomic_load(&ref->ref_count, __ATOMIC_RELAXED);
    while (count > 1)
        if (vm_atomic_compare_exchange(&ref->ref_count, &count, count - 1, false, __ATOMIC_RELEASE,
                                       __ATOMIC_RELAXED))
            return true;
    return false;
}

/* evict.pml: release. Merges rather than leave a middle with one consumer: of those who release at the
 * same time, the one before the last sees a count of 2. Returns the source to release. */
static vm_cache_ref *release_other_ref(vm_cache_ref *ref)
{
    uint32_t count = vm_atomic_load(&ref->ref_count, __ATOMIC_ACQUIRE);
    bool tried = false;
    for (;;) {
        if (count == 2 && !tried && !list_is_empty(&ref->consumers)) {
            enum chain_release what = chain_try_merge(ref);
            if (what == CHAIN_MERGED)
                return destroy(ref);
            if (what == CHAIN_GIVEN)
                return NULL;
            tried = what == CHAIN_KEPT;
            count = vm_atomic_load(&ref->ref_count, __ATOMIC_ACQUIRE);
            continue;
        }
        if (vm_atomic_compare_exchange(&ref->ref_count, &count, count - 1, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE))
            return count == 1 ? destroy(ref) : NULL;
    }
}

void vm_cache_release_ref(vm_cache_ref *ref)
{
    while (ref) {
        VM_ASSERT(ref->magic == VM_CACHE_REF_MAGIC);
        note_released(ref);
        if (!ref->is_written_back)
            ref = release_other_ref(ref);
        else
            ref = release_one_of_many(ref) ? NULL : release_file_ref(ref);
    }
}

/* ---- pages -------------------------------------------------------------------------------------- */

static uint64_t key_of(off_t offset)
{
    return (uint64_t)offset >> VM_PAGE_SHIFT;
}

struct vm_page *vm_cache_lookup_page(vm_cache_ref *ref, off_t offset)
{
    return radix_lookup(&ref->cache->pages, key_of(offset));
}

/* The page comes in place of something that is none. */
static void replace_value(vm_cache *cache, uint64_t key, struct vm_page *page)
{
    const void *old = radix_replace(&cache->pages, key, page);
    VM_ASSERT(!cache_is_page(old));
    if (cache_is_swapped(old)) {
        cache->swapped_count--;
        page->swap = cache_slot_of(old);
    }
}

int vm_cache_insert_page(vm_cache_ref *ref, struct vm_page *page, off_t offset)
{
    vm_cache *cache = ref->cache;
    uint64_t key = key_of(offset);
    void **leaf = radix_leaf(&cache->pages, key);
    if (!leaf) {
        if (radix_insert(&cache->pages, key, page) != VM_OK)
            return ERR_NO_MEMORY;
    } else if (leaf[key & (RADIX_SLOTS - 1)]) {
        replace_value(cache, key, page);
    } else {
        radix_set(leaf, key, page);
    }
    bool is_new = page->cache == NULL;
    page_set_cache(page, cache);
    page->offset = key;
    cache->page_count++;
    if (is_new) {
        page->is_file = !ref->temporary;
        if (page->is_file)
            vm_atomic_count(&vm_system.file_pages, 1);
        /* It has been on a queue since it was taken: a hand may have moved it. */
        if (__atomic_load_n(&page->state, __ATOMIC_RELAXED) != VM_PAGE_WIRED &&
            page_enqueue(page, vm_ghost_key(cache->serial, key)))
            VM_COUNT(refaults);
    }
    return VM_OK;
}

static void detach_page(vm_cache *cache, struct vm_page *page)
{
    VM_ASSERT(page->cache == cache && page->busy == 0);
    cache->page_count--;
    vm_page_orphan(page);
}

/* busy.pml: remove_page */
void cache_replace_page(vm_cache *cache, struct vm_page *page, void *value)
{
    void *old = value ? radix_replace(&cache->pages, page->offset, value)
                      : radix_remove(&cache->pages, page->offset);
    VM_ASSERT(old == page);
    cache->swapped_count += cache_is_swapped(value);
    detach_page(cache, page);
}

void cache_forget_value(vm_cache *cache, const void *value)
{
    if (cache_is_swapped(value)) {
        cache->swapped_count--;
        swap_free(cache_slot_of(value));
    }
}

void cache_forget_hidden(vm_cache_ref *ref, off_t first)
{
    vm_cache *cache = ref->cache;
    uint64_t key = key_of(first);
    void *found;
    for (; (found = radix_next(&cache->pages, &key)) != NULL; key++)
        if (cache_is_skip(found))
            (void)radix_remove(&cache->pages, key);
}

static void drop_page(vm_cache *cache, struct vm_page *page, enum cache_fate fate)
{
    if (page->busy == 0)
        cache_replace_page(cache, page, fate == CACHE_FATE_HIDE ? VM_CACHE_SKIP : NULL);
    else if (page->fate < fate)
        page->fate = (uint8_t)fate;
}

void cache_remove_pages(vm_cache_ref *ref, off_t first, off_t last)
{
    vm_cache *cache = ref->cache;
    uint64_t key = key_of(first), end = key_of(last);
    struct vm_page *page;
    while ((page = radix_next(&cache->pages, &key)) != NULL && key <= end) {
        if (cache_is_page(page))
            drop_page(cache, page, CACHE_FATE_GO);
        else if (cache_is_swapped(page))
            cache_forget_value(cache, radix_remove(&cache->pages, key));
        else if (page == VM_CACHE_LOST)
            (void)radix_replace(&cache->pages, key, VM_CACHE_SKIP);
        if (key++ == end)
            break;
    }
}

void cache_hide_key(vm_cache_ref *ref, uint64_t key)
{
    vm_cache *cache = ref->cache;
    struct vm_page *page = radix_lookup(&cache->pages, key);
    if (cache_is_page(page))
        drop_page(cache, page, CACHE_FATE_HIDE);
    else if (page)
        cache_forget_value(cache, radix_replace(&cache->pages, key, VM_CACHE_SKIP));
    else
        (void)radix_insert(&cache->pages, key, VM_CACHE_SKIP);
}

/* ---- busy pages --------------------------------------------------------------------------------- */

void cache_begin_busy(vm_cache *cache, struct vm_page *page)
{
    vm_page_set_busy(page);
    cache->busy_count++;
    vm_atomic_count(&vm_system.busy_pages, 1);
}

static enum cache_fate end_busy(vm_cache *cache, struct vm_page *page)
{
    enum cache_fate fate = page->fate;
    page->fate = CACHE_FATE_STAY;
    cache->busy_count--;
    vm_page_clear_busy(page);
    return fate;
}

/* Behind the end of a page that goes: who finds no frame, and nothing busy, is told that there is no memory. */
static void count_idle(void)
{
    (void)vm_atomic_fetch_sub(&vm_system.busy_pages, 1, __ATOMIC_RELEASE);
}

void cache_end_busy(vm_cache *cache, struct vm_page *page)
{
    enum cache_fate fate = end_busy(cache, page);
    if (fate != CACHE_FATE_STAY)
        drop_page(cache, page, fate);
    count_idle();
}

void cache_end_busy_gone(vm_cache *cache, struct vm_page *page, void *value)
{
    enum cache_fate fate = end_busy(cache, page);
    VM_ASSERT(fate == CACHE_FATE_STAY);
    cache_replace_page(cache, page, value);
    count_idle();
}

vm_cache_ref *cache_lock_holder(vm_cache_ref *ref, const vm_cache *cache)
{
    vm_cache_ref *at = ref;
    cache_lock(at);
    while (at->cache != cache) {
        vm_cache_ref *below = at->cache->source;
        VM_ASSERT(below != NULL);
        cache_lock(below);
        cache_unlock(at);
        at = below;
    }
    return at;
}

void cache_put_holder(vm_cache_ref *ref, vm_cache_ref *holder)
{
    bool idle = holder->temporary && holder->cache->busy_count == 0;
    vm_cache_ref *middle = idle && !list_is_empty(&holder->consumers) ? holder : NULL;
    vm_cache_ref *below = idle ? holder->cache->source : NULL;
    if (below && !below->temporary)
        below = NULL;
    if (middle)
        vm_cache_acquire_ref(middle);
    if (below)
        vm_cache_acquire_ref(below);
    cache_unlock(holder);
    vm_cache_release_ref(middle);
    vm_cache_release_ref(below);
    vm_cache_release_ref(ref);
}

void cache_unhold_page(struct vm_page *page)
{
    if (vm_page_unuse(page)) {
        page->map_count = 0;
        vm_page_free(page, false);
    }
}

int cache_charge_store(vm_cache *cache, int64_t bytes)
{
    vm_store *store = cache->store;
    if (!store->ops->commit)
        return VM_OK;
    return store->ops->commit(store, store->committed_size + bytes);
}

void cache_uncharge(vm_cache *cache, int64_t bytes)
{
    int error = cache_charge_store(cache, -bytes);
    VM_ASSERT(error == VM_OK);
}

void cache_settle_shared(vm_cache_ref *ref)
{
    if (ref->temporary && ref->sharers > 0 && !cache_has_regions(ref))
        cache_uncharge(ref->cache, ref->cache->store->committed_size);
}

/* ---- regions ------------------------------------------------------------------------------------ */

void vm_cache_insert_region(vm_cache_ref *ref, vm_region *region)
{
    list_add_head(&ref->regions, &region->cache_link);
}

void vm_cache_remove_region(vm_cache_ref *ref, vm_region *region)
{
    (void)ref;
    list_remove(&region->cache_link);
}

void cache_unmap(vm_cache_ref *ref, off_t first, off_t last)
{
    list_for_each(link, &ref->regions)
    {
        vm_region *region = list_member(link, vm_region, cache_link);
        addr_t from, to;
        if (region_clip(region, first, last, &from, &to))
            mapping_remove(region, from, to);
    }
}
