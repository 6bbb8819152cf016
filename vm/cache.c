/* SPDX-License-Identifier: MIT */
/* Caches: coming, references, pages, regions, going. A cache goes with the last reference on its
 * vm_cache_ref; it gives up its source then, which may be that one's last, and so on: a loop. */
#include "cache.h"

#include "count.h"
#include "mapping.h"
#include "meta.h"
#include "print.h"
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
    cache->ref = ref;
    return ref;
}

static void free_cache(vm_cache *cache)
{
    cache->magic = 0;
    vm_atomic_count(&vm_system.caches, (size_t)-1);
    vm_meta_free(cache, sizeof *cache);
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

/* A vnode's reference keeps its cache, so that can be looked at without the lock. */
static void note_acquired(vm_cache_ref *ref)
{
    if (ref->is_vnode)
        ref->cache->store->ops->acquire_ref(ref->cache->store);
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

/* The frames of a cache that nobody sees any more. */
static void free_pages(vm_cache *cache)
{
    uint64_t key = 0;
    while (cache->page_count > 0) {
        void *found = radix_next(&cache->pages, &key);
        void **leaf = radix_leaf(&cache->pages, key);
        VM_ASSERT(found != NULL);
        for (unsigned i = key & (RADIX_SLOTS - 1); i < RADIX_SLOTS; i++) {
            struct vm_page *page = leaf[i];
            if (!page || page == VM_CACHE_SKIP)
                continue;
            VM_ASSERT(page->busy == 0);
            cache->page_count--;
            vm_page_orphan(page);
        }
        key = (key | (RADIX_SLOTS - 1)) + 1;
    }
    radix_clear(&cache->pages);
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

/* A vnode's references are given back under the vnode lock, so that nobody finds the cache through
 * the vnode as the last one goes. Returns the source to release. */
static vm_cache_ref *release_vnode_ref(vm_cache_ref *ref)
{
    /* A copy: unless this is the last reference, the store may go with the last meanwhile. */
    vm_store store = *ref->cache->store;
    vm_mutex_lock(&vm_system.vnode_lock, VM_RANK_VNODE);
    write_before_last(ref);
    bool last = vm_atomic_sub_fetch(&ref->ref_count, 1, __ATOMIC_ACQ_REL) == 0;
    if (last)
        host_vnode_clear_cache(store.data, ref);
    vm_mutex_unlock(&vm_system.vnode_lock);
    vm_cache_ref *source = last ? destroy(ref) : NULL;
    store.ops->release_ref(&store);
    return source;
}

/* Merges rather than leave a middle with one consumer: of those who release at the same time, the one
 * before the last sees a count of 2. Returns the source to release. */
static vm_cache_ref *release_temporary_ref(vm_cache_ref *ref)
{
    uint32_t count = vm_atomic_load(&ref->ref_count, __ATOMIC_ACQUIRE);
    bool tried = false;
    for (;;) {
        if (count == 2 && !tried && !list_is_empty(&ref->consumers)) {
            tried = true;
            if (chain_try_merge(ref))
                return destroy(ref);
            count = vm_atomic_load(&ref->ref_count, __ATOMIC_ACQUIRE);
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
        ref = ref->is_vnode ? release_vnode_ref(ref) : release_temporary_ref(ref);
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

int vm_cache_insert_page(vm_cache_ref *ref, struct vm_page *page, off_t offset)
{
    vm_cache *cache = ref->cache;
    uint64_t key = key_of(offset);
    void **leaf = radix_leaf(&cache->pages, key);
    if (!leaf) {
        if (radix_insert(&cache->pages, key, page) != VM_OK)
            return ERR_NO_MEMORY;
    } else if (leaf[key & (RADIX_SLOTS - 1)]) {
        void *old = radix_replace(&cache->pages, key, page);
        VM_ASSERT(old == VM_CACHE_SKIP);
    } else {
        radix_set(leaf, key, page);
    }
    page->cache = cache;
    page->offset = key;
    cache->page_count++;
    return VM_OK;
}

static void detach_page(vm_cache *cache, struct vm_page *page)
{
    VM_ASSERT(page->cache == cache && page->busy == 0);
    cache->page_count--;
    vm_page_orphan(page);
}

/* busy.pml: remove_page */
void vm_cache_remove_page(vm_cache_ref *ref, struct vm_page *page)
{
    void *removed = radix_remove(&ref->cache->pages, page->offset);
    VM_ASSERT(removed == page);
    detach_page(ref->cache, page);
}

void cache_forget_hidden(vm_cache_ref *ref, off_t first)
{
    vm_cache *cache = ref->cache;
    uint64_t key = key_of(first);
    void *found;
    for (; (found = radix_next(&cache->pages, &key)) != NULL; key++)
        if (found == VM_CACHE_SKIP)
            (void)radix_remove(&cache->pages, key);
}

void cache_remove_pages(vm_cache_ref *ref, off_t first, off_t last)
{
    vm_cache *cache = ref->cache;
    uint64_t key = key_of(first), end = key_of(last);
    struct vm_page *page;
    while ((page = radix_next(&cache->pages, &key)) != NULL && key <= end) {
        if (page != VM_CACHE_SKIP && page->busy == 0)
            vm_cache_remove_page(ref, page);
        if (key++ == end)
            break;
    }
}

void cache_hide_key(vm_cache_ref *ref, uint64_t key)
{
    vm_cache *cache = ref->cache;
    struct vm_page *page = radix_lookup(&cache->pages, key);
    if (!page) {
        (void)radix_insert(&cache->pages, key, VM_CACHE_SKIP);
    } else if (page != VM_CACHE_SKIP) {
        (void)radix_replace(&cache->pages, key, VM_CACHE_SKIP);
        detach_page(cache, page);
    }
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
        off_t region_end = region->cache_offset + (off_t)(region->size - 1);
        off_t from = first > region->cache_offset ? first : region->cache_offset;
        off_t to = last < region_end ? last : region_end;
        if (from <= to)
            mapping_remove(region, region->base + (addr_t)(from - region->cache_offset),
                           region->base + (addr_t)(to - region->cache_offset));
    }
}
