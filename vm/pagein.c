/* SPDX-License-Identifier: MIT */
/* Busy frames go into the cache under its lock; the store fills them under none; then they are pages.
 * Whoever finds one busy waits for it, so a page is read once, whoever asks. */
#include "pagein.h"

#include "print.h"
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

/* => cache: locked */
static int insert_busy(struct vm_pagein *in, off_t offset)
{
    struct vm_page *page = vm_page_allocate(VM_PAGE_ACTIVE, false, VM_INJECT_FRAME);
    if (!page)
        return ERR_NO_MEMORY;
    if (vm_cache_insert_page(in->ref, page, offset) != VM_OK) {
        vm_page_free(page, false);
        return ERR_NO_MEMORY;
    }
    vm_page_set_busy(page);
    in->ref->cache->busy_count++;
    in->page[in->count++] = page;
    return VM_OK;
}

/* busy.pml: pagein_begin */
int pagein_begin(struct vm_pagein *in, vm_cache_ref *ref, off_t offset)
{
    *in = (struct vm_pagein){.ref = ref, .offset = offset};
    if (insert_busy(in, offset) != VM_OK)
        return ERR_NO_MEMORY;
    size_t room = VM_CLUSTER - ((uint64_t)offset >> VM_PAGE_SHIFT) % VM_CLUSTER;
    while (in->count < room) {
        off_t next = offset + (off_t)(in->count * VM_PAGE_SIZE);
        if (vm_cache_lookup_page(ref, next) || !cache_store_has_page(ref, next) ||
            insert_busy(in, next) != VM_OK)
            break;
    }
    vm_cache_acquire_ref(ref);
    return VM_OK;
}

/* A short read leaves bytes of somebody else's in the frames. */
static void clear_behind(const struct vm_pagein *in, size_t done)
{
    for (size_t at = done; at < in->count * VM_PAGE_SIZE;) {
        unsigned char *frame = host_frame_ptr(vm_page_physical(in->page[at / VM_PAGE_SIZE]));
        size_t from = at % VM_PAGE_SIZE;
        for (size_t i = from; i < VM_PAGE_SIZE; i++)
            frame[i] = 0;
        at += VM_PAGE_SIZE - from;
    }
}

/* busy.pml: pagein_finish */
int pagein_finish(struct vm_pagein *in)
{
    addr_t frames[VM_CLUSTER];
    size_t done = 0;
    vm_store *store = in->ref->cache->store;
    vm_assert_no_locks();
    for (size_t i = 0; i < in->count; i++)
        frames[i] = vm_page_physical(in->page[i]);
    int error = VM_INJECT(VM_INJECT_STORE_READ)
                    ? ERR_IO
                    : store->ops->read(store, in->offset, frames, in->count, &done);
    if (error == VM_OK && VM_INJECT(VM_INJECT_SHORT_READ))
        done /= 2;
    VM_ASSERT(done <= in->count * VM_PAGE_SIZE);
    clear_behind(in, done);
    if (error == VM_OK)
        VM_COUNT_ADD(page_ins, in->count);
    cache_lock(in->ref);
    for (size_t i = 0; i < in->count; i++) {
        in->ref->cache->busy_count--;
        vm_page_clear_busy(in->page[i]);
        if (error != VM_OK)
            vm_cache_remove_page(in->ref, in->page[i]);
    }
    cache_unlock(in->ref);
    vm_cache_release_ref(in->ref);
    return error;
}
