/* SPDX-License-Identifier: MIT */
/* Busy frames go into the cache under its lock; the store fills them under none; then they are pages.
 * Whoever finds one busy waits for it, so a page is read once, whoever asks. */
#include "pagein.h"

#include "print.h"
#include "swap.h"
#include "system.h"

bool cache_store_has_page(vm_cache_ref *ref, off_t offset)
{
    vm_store *store = ref->cache->store;
    return store->ops->has_page && store->ops->has_page(store, offset);
}

off_t cache_end(vm_cache_ref *ref)
{
    vm_store *store = ref->cache->store;
    return store->ops->size ? store->ops->size(store) : INT64_MAX;
}

bool cache_is_past_end(vm_cache_ref *ref, off_t offset)
{
    return offset >= cache_end(ref);
}

/* => cache: locked. False: there is no memory. */
static bool insert_busy(struct vm_pagein *in, off_t offset)
{
    page_expect(vm_ghost_key(in->cache->serial, (uint64_t)offset >> VM_PAGE_SHIFT));
    struct vm_page *page = vm_page_allocate(VM_PAGE_ACTIVE, false, VM_INJECT_FRAME);
    if (!page)
        return false;
    if (vm_cache_insert_page(in->ref, page, offset) != VM_OK) {
        vm_page_free(page, false);
        return false;
    }
    cache_begin_busy(in->cache, page);
    in->page[in->count++] = page;
    return true;
}

/* => cache: locked. Whether the next page can be read in the same go: what swap has of it is behind what it
 * has of the last. */
static bool follows(const struct vm_pagein *in, off_t offset)
{
    const void *value = vm_cache_lookup_page(in->ref, offset);
    if (in->swap != 0)
        return cache_is_swapped(value) && cache_slot_of(value) == in->swap + in->count;
    return !value && cache_store_has_page(in->ref, offset);
}

/* ---- how much at once ---------------------------------------------------------------------------- */

static uint8_t get(const uint8_t *field)
{
    return __atomic_load_n(field, __ATOMIC_RELAXED);
}

/* The stream that `key` continues, or VM_STREAMS. */
static unsigned find_stream(const struct region_reading *reading, uint64_t key)
{
    unsigned i = 0;
    while (i < VM_STREAMS && __atomic_load_n(&reading->expected[i], __ATOMIC_RELAXED) != key)
        i++;
    return i;
}

size_t pagein_window(const struct region_reading *reading, uint64_t key)
{
    size_t window = get(&reading->window);
    if (window == 0)
        return VM_CLUSTER;
    if (find_stream(reading, key) == VM_STREAMS)
        return window > 1 ? window / 2 : 1;
    return window < VM_CLUSTER ? window * 2 : VM_CLUSTER;
}

void pagein_note(struct region_reading *reading, uint64_t key, size_t count)
{
    unsigned stream = find_stream(reading, key);
    if (stream == VM_STREAMS) {
        stream = get(&reading->next) % VM_STREAMS;
        __atomic_store_n(&reading->next, (uint8_t)(stream + 1), __ATOMIC_RELAXED);
    }
    __atomic_store_n(&reading->window, (uint8_t)pagein_window(reading, key), __ATOMIC_RELAXED);
    __atomic_store_n(&reading->expected[stream], key + count, __ATOMIC_RELAXED);
}

size_t pagein_in_cluster(off_t offset, size_t most)
{
    size_t room = VM_CLUSTER - ((uint64_t)offset >> VM_PAGE_SHIFT) % VM_CLUSTER;
    return room < most ? room : most;
}

/* ---- beginning and ending ------------------------------------------------------------------------ */

/* busy.pml: pagein_begin */
int pagein_begin(struct vm_pagein *in, vm_cache_ref *ref, off_t offset, size_t most)
{
    in->ref = ref; /* the pages are many: they aren't cleared */
    in->cache = ref->cache;
    in->offset = offset;
    in->count = 0;
    if (!insert_busy(in, offset))
        return ERR_NO_MEMORY;
    in->swap = in->page[0]->swap;
    /* The last frame is for who asked: for a copy of the page, it may be. */
    while (in->count < most && page_available() > 1) {
        off_t next = offset + (off_t)(in->count * VM_PAGE_SIZE);
        if (!follows(in, next) || !insert_busy(in, next))
            break;
    }
    vm_cache_acquire_ref(ref);
    return VM_OK;
}

/* A short read leaves bytes of somebody else's in the frames. */
static void clear_behind(const struct vm_pagein *in, size_t count, size_t done)
{
    for (size_t at = done; at < count * VM_PAGE_SIZE;) {
        unsigned char *frame = host_frame_ptr(vm_page_physical(in->page[at / VM_PAGE_SIZE]));
        size_t from = at % VM_PAGE_SIZE;
        for (size_t i = from; i < VM_PAGE_SIZE; i++)
            frame[i] = 0;
        at += VM_PAGE_SIZE - from;
    }
}

/* A short read of a store leaves bytes that the core clears; one of swap is an error. */
static int read_pages(struct vm_pagein *in, const addr_t *frames, size_t count)
{
    size_t done = count * VM_PAGE_SIZE;
    int error;
    if (VM_INJECT(VM_INJECT_STORE_READ))
        return ERR_IO;
    if (in->swap != 0) {
        error = swap_read(in->swap, frames, count);
    } else {
        vm_store *store = in->cache->store;
        done = 0;
        error = store->ops->read(store, in->offset, frames, count, &done);
        if (error == VM_OK && VM_INJECT(VM_INJECT_SHORT_READ))
            done /= 2;
    }
    VM_ASSERT(done <= count * VM_PAGE_SIZE);
    if (error == VM_OK)
        clear_behind(in, count, done);
    return error;
}

/* How many pages have come: all, or the first, which was asked for. A sector that can't be read should not take
 * its neighbours' pages with it. */
static size_t read_what_can_be(struct vm_pagein *in, int *error)
{
    addr_t frames[VM_MOST_AHEAD];
    for (size_t i = 0; i < in->count; i++)
        frames[i] = vm_page_physical(in->page[i]);
    *error = read_pages(in, frames, in->count);
    if (*error == VM_OK)
        return in->count;
    if (in->count > 1)
        *error = read_pages(in, frames, 1);
    return *error == VM_OK ? 1 : 0;
}

/* => its cache: locked. What was in swap is there still. */
static void take_back(vm_cache *cache, struct vm_page *page)
{
    uint32_t slot = page->swap;
    page->swap = 0;
    cache_end_busy_gone(cache, page, slot != 0 ? cache_swapped(slot) : NULL);
}

/* => its cache: locked. The page is there; where swap gets short it is the only copy. */
static void settle(struct vm_page *page, bool is_short)
{
    if (page->swap != 0 && is_short) {
        swap_forget(page);
        page_set_modified(page);
    }
}

/* busy.pml: pagein_finish */
int pagein_finish(struct vm_pagein *in)
{
    int error;
    vm_assert_no_locks();
    size_t good = read_what_can_be(in, &error);
    VM_COUNT(reads);
    VM_COUNT_ADD(page_ins, good);
    if (in->swap != 0)
        VM_COUNT_ADD(swap_ins, good);
    bool is_short = swap_is_short();
    vm_cache_ref *holder = cache_lock_holder(in->ref, in->cache);
    for (size_t i = 0; i < in->count; i++) {
        struct vm_page *page = in->page[i];
        bool stays = page->fate == CACHE_FATE_STAY;
        if (stays && i >= good) {
            take_back(in->cache, page);
            continue;
        }
        cache_end_busy(in->cache, page);
        if (stays)
            settle(page, is_short);
    }
    cache_put_holder(in->ref, holder);
    return error;
}
