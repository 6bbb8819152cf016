/* SPDX-License-Identifier: MIT */
/* Chains of caches: what copy-on-write is made of.
 *
 *   region -> ref -> cache (top, has what was written since) -> source ref -> cache -> ... -> bottom
 *
 * chain_snapshot, a fork:           chain_try_merge, when one child is left:
 *   R -> A         R -> T1 -> M -> A        R -> T1 -> M -> A     =>   R -> A + T1
 *             =>       C -> T2 -^
 * R, whom all regions know, stays; only the cache under it changes. */
#include "cache.h"

#include "mapping.h"
#include "meta.h"
#include "print.h"
#include "system.h"

void chain_link(vm_cache *cache, vm_cache_ref *source)
{
    vm_cache_acquire_ref(source);
    cache->source = source;
    list_add_head(&source->consumers, &cache->consumer_link);
}

vm_cache_ref *chain_step(vm_cache_ref *top, vm_cache_ref *at)
{
    vm_cache_ref *source = at->cache->source;
    if (source)
        cache_lock(source);
    if (at != top)
        cache_unlock(at);
    return source;
}

unsigned chain_depth(vm_cache_ref *ref, void **bottom_vnode)
{
    unsigned depth = 0;
    for (vm_cache_ref *at = ref; at; at = chain_step(ref, at)) {
        const vm_cache *cache = at->cache;
        if (bottom_vnode)
            *bottom_vnode = cache->ref->is_vnode ? cache->store->data : NULL;
        depth++;
    }
    return depth;
}

/* => ref: locked */
static void note_depth(vm_cache_ref *ref)
{
    unsigned depth = chain_depth(ref, NULL);
    if (depth > vm_atomic_load(&vm_system.counters.deepest_chain, __ATOMIC_RELAXED))
        vm_atomic_store(&vm_system.counters.deepest_chain, depth, __ATOMIC_RELAXED);
}

int chain_private(vm_cache_ref *ref, vm_cache_ref **copy)
{
    vm_cache_ref *top = cache_create_for(vm_store_create_anonymous_noswap(), 0, true);
    if (!top)
        return ERR_NO_MEMORY;
    cache_lock(ref);
    top->cache->virtual_size = ref->cache->virtual_size;
    chain_link(top->cache, ref);
    cache_unlock(ref);
    cache_lock(top);
    note_depth(top);
    cache_unlock(top);
    *copy = top;
    return VM_OK;
}

/* => ref: locked. Nothing was written above its source: a copy can stand on that directly. */
static bool is_transparent(const vm_cache_ref *ref)
{
    const vm_cache *cache = ref->cache;
    return cache->source && !cache->pages.root;
}

static void write_protect_regions(vm_cache_ref *ref)
{
    list_for_each(link, &ref->regions)
    {
        vm_region *region = list_member(link, vm_region, cache_link);
        (void)mapping_write_protect(region, region->base, region_last(region));
    }
}

/* => ref: locked. Puts `top`, new and empty, under `ref`, and what was there under `middle`. Whoever
 * finds `old` through its source reads old->ref, so that changes with the source locked; by a page of it,
 * at any time: so `middle`, whose lock is nobody's, is complete before. */
static void push(vm_cache_ref *ref, vm_cache_ref *middle, vm_cache *top)
{
    vm_cache *old = ref->cache;
    vm_cache_ref *below = old->source;
    if (below)
        cache_lock(below);
    middle->cache = old;
    ref->cache = top;
    cache_set_ref(top, ref);
    top->virtual_size = old->virtual_size;
    /* The promise goes with who may still write. */
    top->store->committed_size = old->store->committed_size;
    old->store->committed_size = 0;
    top->source = middle;
    list_add_head(&middle->consumers, &top->consumer_link);
    cache_set_ref(old, middle);
    /* From here on `middle` and what is below may merge, and `old` may be gone. */
    if (below)
        cache_unlock(below);
}

/* => ref: locked */
static int push_new_top(vm_cache_ref *ref, vm_cache_ref **middle)
{
    vm_store *store = vm_store_create_anonymous_noswap();
    vm_cache *top = store ? vm_cache_create(store) : NULL;
    *middle = top ? vm_cache_ref_create(top) : NULL;
    if (*middle) {
        (*middle)->temporary = true;
        push(ref, *middle, top);
        return VM_OK;
    }
    if (top) {
        vm_meta_free(top, sizeof *top); /* no page was ever its */
        vm_atomic_count(&vm_system.caches, (size_t)-1);
    }
    if (store)
        store->ops->destroy(store);
    return ERR_NO_MEMORY;
}

static void unmap_all(vm_cache_ref *ref, void *top)
{
    if (ref != top)
        cache_unmap(ref, 0, INT64_MAX);
}

/* What they had mapped of its pages has gone below it, where `ref` may hide it one day. */
void chain_settle(vm_cache_ref *ref, uint64_t forks)
{
    chain_walk_consumers(ref, unmap_all, ref);
    cache_lock(ref);
    if (ref->settled < forks)
        ref->settled = forks;
    cache_unlock(ref);
}

/* => ref: locked. Where the copy of `ref` stands on. */
static int make_source(vm_cache_ref *ref, vm_cache_ref **source)
{
    if (is_transparent(ref)) {
        *source = ref->cache->source;
        return VM_OK;
    }
    if (push_new_top(ref, source) != VM_OK)
        return ERR_NO_MEMORY;
    write_protect_regions(ref);
    return VM_OK;
}

int chain_snapshot(vm_cache_ref *ref, vm_cache_ref **copy)
{
    vm_cache_ref *source;
    vm_cache_ref *child = cache_create_for(vm_store_create_anonymous_noswap(), 0, true);
    if (!child)
        return ERR_NO_MEMORY;
    /* A walk that goes on would miss what goes below `ref` now. */
    vm_read_lock(&vm_system.walk_lock, VM_RANK_WALK);
    cache_lock(ref);
    if (make_source(ref, &source) != VM_OK) {
        cache_unlock(ref);
        vm_read_unlock(&vm_system.walk_lock);
        vm_cache_release_ref(child);
        return ERR_NO_MEMORY;
    }
    child->cache->virtual_size = ref->cache->virtual_size;
    cache_lock(source);
    chain_link(child->cache, source);
    cache_unlock(source);
    uint64_t forks = list_is_empty(&ref->consumers) ? 0 : ++ref->forks;
    if (forks > 0)
        vm_cache_acquire_ref(source); /* so that it doesn't merge meanwhile */
    note_depth(ref);
    cache_unlock(ref);
    vm_read_unlock(&vm_system.walk_lock);
    if (forks > 0) {
        chain_settle(ref, forks);
        vm_cache_release_ref(source);
    }
    *copy = child;
    return VM_OK;
}

/* ---- merging ------------------------------------------------------------------------------------ */

/* A hidden page that is still mapped, through a consumer of the top, keeps the two apart. */
static bool is_mapped(const struct vm_page *page)
{
    return cache_is_page(page) && vm_atomic_load(&page->map_count, __ATOMIC_ACQUIRE) > 0;
}

/* => both locked. What is at one place of `from` is now at the same of `to`. */
static void move_value(vm_cache *from, vm_cache *to, struct vm_page *value)
{
    if (cache_is_page(value)) {
        from->page_count--;
        to->page_count++;
        page_set_cache(value, to);
    } else if (cache_is_swapped(value)) {
        from->swapped_count--;
        to->swapped_count++;
    }
}

/* => source: locked. What nobody can see, and nobody maps, has left its place. */
static void free_hidden(vm_cache *source, struct vm_page *value)
{
    if (!cache_is_page(value)) {
        cache_forget_value(source, value);
        return;
    }
    source->page_count--;
    page_set_cache(value, NULL);
    vm_page_free(value, false);
}

/* => both locked. Moves what only the source has into the top. Stops where memory ends: each page
 * is in one of them, so what shows stays the same. */
static bool move_up(vm_cache *top, vm_cache *source)
{
    uint64_t key = 0;
    struct vm_page *page;
    for (; (page = radix_next(&source->pages, &key)) != NULL; key++) {
        bool hidden = radix_lookup(&top->pages, key) != NULL;
        if (hidden ? is_mapped(page) : radix_insert(&top->pages, key, page) != VM_OK)
            return false;
        (void)radix_remove(&source->pages, key);
        if (hidden)
            free_hidden(source, page);
        else
            move_value(source, top, page);
    }
    return true;
}

/* => both locked. Puts the top's pages over the source's: cheaper, when it has fewer. All nodes are
 * there before anything moves, since a page mapped writable must not stay behind in a source. */
static bool move_down(vm_cache *top, vm_cache *source)
{
    uint64_t key = 0;
    struct vm_page *page;
    for (; radix_next(&top->pages, &key); key++)
        if (is_mapped(radix_lookup(&source->pages, key)) ||
            radix_reserve(&source->pages, key) != VM_OK)
            return false;
    for (key = 0; (page = radix_next(&top->pages, &key)) != NULL; key++) {
        struct vm_page *old = radix_lookup(&source->pages, key);
        if (old)
            (void)radix_replace(&source->pages, key, page);
        else
            (void)radix_insert(&source->pages, key, page);
        if (old)
            free_hidden(source, old);
        move_value(top, source, page);
    }
    radix_clear(&top->pages);
    return true;
}

/* => ref, middle and, if there is one, below: locked. Makes one cache of the two, and the middle an
 * empty reference on an empty cache. Exchanges the caches when the pages went down. */
static bool merge(vm_cache_ref *ref, vm_cache_ref *middle, vm_cache_ref *below)
{
    vm_cache *top = ref->cache, *source = middle->cache;
    bool down = top->page_count + top->swapped_count < source->page_count + source->swapped_count;
    if (!(down ? move_down(top, source) : move_up(top, source)))
        return false;
    vm_cache *kept = down ? source : top, *left = down ? top : source;
    list_remove(&top->consumer_link);
    list_remove(&source->consumer_link);
    if (below)
        list_add_head(&below->consumers, &kept->consumer_link);
    kept->source = below;
    left->source = NULL;
    kept->virtual_size = top->virtual_size;
    off_t committed = top->store->committed_size + source->store->committed_size;
    left->store->committed_size = 0;
    kept->store->committed_size = committed;
    ref->cache = kept;
    cache_set_ref(kept, ref);
    middle->cache = left;
    cache_set_ref(left, middle);
    return true;
}

/* => ref and middle: locked, the two references on the middle the caller's and the consumer's. Takes
 * both, so that nobody who finds the middle through the cache below can get one; with that locked,
 * nobody looks meanwhile. */
static enum chain_release claim_and_merge(vm_cache_ref *ref, vm_cache_ref *middle)
{
    vm_cache_ref *below = middle->cache->source;
    enum chain_release what = CHAIN_VISITED;
    uint32_t both = 2;
    if (below)
        cache_lock(below);
    if (vm_atomic_compare_exchange(&middle->ref_count, &both, 0, false, __ATOMIC_ACQ_REL,
                                   __ATOMIC_RELAXED))
        what = merge(ref, middle, below) ? CHAIN_MERGED : CHAIN_KEPT;
    if (what == CHAIN_KEPT)
        vm_atomic_store(&middle->ref_count, 2, __ATOMIC_RELEASE);
    if (below)
        cache_unlock(below);
    return what;
}

/* => middle: locked. Only its one consumer, and the caller, know it; a region's reference would be a
 * third. */
static enum chain_release may_merge(const vm_cache_ref *middle)
{
    if (vm_atomic_load(&middle->ref_count, __ATOMIC_ACQUIRE) != 2)
        return CHAIN_VISITED;
    return middle->temporary && list_has_one(&middle->consumers) ? CHAIN_MERGED : CHAIN_KEPT;
}

/* The one consumer, with a reference; NULL: there is nothing to merge, and *what says why. */
static vm_cache_ref *get_only_consumer(vm_cache_ref *middle, enum chain_release *what)
{
    vm_cache_ref *ref = NULL;
    cache_lock(middle);
    *what = may_merge(middle);
    if (*what == CHAIN_MERGED) {
        ref = list_member(middle->consumers.next, vm_cache, consumer_link)->ref;
        *what = CHAIN_KEPT;
    }
    if (ref && !cache_try_acquire_ref(ref))
        ref = NULL;
    cache_unlock(middle);
    return ref;
}

/* => ref and middle: locked, so what is busy stays it: who ends that will have the last reference but one. */
static enum chain_release give_back(vm_cache_ref *middle)
{
    uint32_t both = 2;
    return vm_atomic_compare_exchange(&middle->ref_count, &both, 1, false, __ATOMIC_ACQ_REL,
                                      __ATOMIC_RELAXED)
               ? CHAIN_GIVEN
               : CHAIN_VISITED;
}

/* => ref and middle: locked */
static enum chain_release merge_or_give_back(vm_cache_ref *ref, vm_cache_ref *middle)
{
    enum chain_release what = ref->cache->source == middle ? may_merge(middle) : CHAIN_KEPT;
    if (what != CHAIN_MERGED)
        return what;
    bool idle = ref->cache->busy_count == 0 && middle->cache->busy_count == 0;
    return idle ? claim_and_merge(ref, middle) : give_back(middle);
}

/* evict.pml: try_merge */
enum chain_release chain_try_merge(vm_cache_ref *middle)
{
    enum chain_release what;
    vm_cache_ref *ref = get_only_consumer(middle, &what);
    if (!ref)
        return what;
    cache_lock(ref);
    cache_lock(middle);
    what = merge_or_give_back(ref, middle);
    cache_unlock(middle);
    cache_unlock(ref);
    if (what == CHAIN_MERGED)
        VM_COUNT(merges);
    vm_cache_release_ref(ref);
    return what;
}

/* ---- walking ------------------------------------------------------------------------------------ */

/* => ref: locked, walk lock. Puts its consumers, each with a reference, in front of the list. */
static void add_consumers(vm_cache_ref *ref, vm_cache_ref **list)
{
    list_for_each(link, &ref->consumers)
    {
        vm_cache_ref *consumer = list_member(link, vm_cache, consumer_link)->ref;
        if (!cache_try_acquire_ref(consumer))
            continue;
        consumer->walk_next = *list;
        *list = consumer;
    }
}

/* The references given back on the way are never a file's last: consumers are temporary, and the
 * caller has one on `ref`. */
void chain_walk_consumers(vm_cache_ref *ref, chain_visit *visit, void *argument)
{
    vm_cache_ref *list = ref, *next;
    vm_write_lock(&vm_system.walk_lock, VM_RANK_WALK);
    vm_cache_acquire_ref(ref);
    ref->walk_next = NULL;
    for (; list; list = next) {
        vm_cache_ref *at = list;
        next = at->walk_next;
        cache_lock(at);
        visit(at, argument);
        add_consumers(at, &next);
        cache_unlock(at);
        vm_cache_release_ref(at);
    }
    vm_write_unlock(&vm_system.walk_lock);
}
