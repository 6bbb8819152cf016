/* SPDX-License-Identifier: MIT */
/* A vnode's cache, copies through it, and what happens to it when the file gets shorter. */
#include "file.h"

#include <quire/host.h>

#include "cache.h"
#include "frame.h"
#include "mapping.h"
#include "pagein.h"
#include "print.h"
#include "reclaim.h"
#include "system.h"
#include "user.h"
#include "writeback.h"

/* ---- the one cache of a vnode ------------------------------------------------------------------- */

static vm_cache_ref *find_cache(void *vnode)
{
    vm_mutex_lock(&vm_system.vnode_lock, VM_RANK_VNODE);
    vm_cache_ref *ref = host_vnode_get_cache(vnode);
    if (ref) {
        vm_cache_acquire_ref(ref);
        ref->written = false;
    }
    vm_mutex_unlock(&vm_system.vnode_lock);
    return ref;
}

/* A vnode's cache is on the list from when others can find it until its last reference goes. */
static bool install_cache(void *vnode, vm_cache_ref *made)
{
    vm_mutex_lock(&vm_system.vnode_lock, VM_RANK_VNODE);
    bool installed = host_vnode_set_cache(vnode, made);
    if (installed)
        cache_note_file(made);
    vm_mutex_unlock(&vm_system.vnode_lock);
    return installed;
}

int vm_get_vnode_cache(void *vnode, vm_cache_ref **cache)
{
    vm_cache_ref *made = NULL;
    while ((*cache = find_cache(vnode)) == NULL) {
        made = cache_create_for(vm_store_create_vnode(vnode), INT64_MAX, false);
        if (!made)
            return ERR_NO_MEMORY;
        host_vnode_acquire(vnode); /* what the first reference stands for */
        made->is_vnode = made->is_written_back = true;
        if (install_cache(vnode, made)) {
            *cache = made;
            return VM_OK;
        }
        vm_cache_release_ref(made); /* somebody was faster: look for his */
    }
    return VM_OK;
}

void vm_put_cache(vm_cache_ref *cache)
{
    vm_cache_release_ref(cache);
}

/* ---- copying through the cache ------------------------------------------------------------------ */

/* => cache: locked, and let go. A new page where neither cache nor store has one. */
static int add_clear_page(vm_cache_ref *ref, off_t offset, struct vm_page **page)
{
    *page = vm_page_allocate(VM_PAGE_ACTIVE, true, VM_INJECT_FRAME);
    if (!*page)
        return ERR_NO_MEMORY;
    int error = vm_cache_insert_page(ref, *page, offset);
    if (error != VM_OK)
        vm_page_free(*page, true);
    return error;
}

static int read_for_copy(struct vm_pagein *in)
{
    int error = pagein_finish(in);
    VM_COUNT(copy_reads);
    return error;
}

/* One try: the page at `offset`, held, or TRY_AGAIN after a sleep. */
#define TRY_AGAIN 1
static int try_hold_page(vm_cache_ref *ref, off_t offset, struct vm_page **page)
{
    struct vm_pagein in;
    int error = VM_OK;
    cache_lock(ref);
    *page = vm_cache_lookup_page(ref, offset);
    if (*page && (*page)->busy) {
        vm_page_will_wait(*page);
        cache_unlock(ref);
        error = vm_page_wait(*page, true);
        return error == VM_OK ? TRY_AGAIN : error;
    }
    if (!*page && cache_store_has_page(ref, offset)) {
        error = pagein_begin(&in, ref, offset, pagein_in_cluster(offset, VM_CLUSTER));
        cache_unlock(ref);
        if (error == VM_OK)
            error = read_for_copy(&in);
        return error == VM_OK ? TRY_AGAIN : error;
    }
    if (!*page)
        error = add_clear_page(ref, offset, page);
    if (error == VM_OK) {
        vm_page_use(*page);
        page_note_access(*page);
    }
    cache_unlock(ref);
    return error;
}

/* The page stays, without a lock or the busy flag: the copy may fault on a mapping of this very page. */
static int hold_page(vm_cache_ref *ref, off_t offset, struct vm_page **page)
{
    int result;
    struct reclaim_attempt attempt = {0};
    do {
        reclaim_note_shortage(&attempt);
        result = try_hold_page(ref, offset, page);
        if (result == ERR_NO_MEMORY)
            result = reclaim_for(&attempt, TRY_AGAIN);
    } while (result == TRY_AGAIN);
    return result;
}

static void unhold_page(vm_cache_ref *ref, struct vm_page *page, bool modified)
{
    cache_lock(ref);
    if (modified)
        page_set_modified(page);
    cache_unhold_page(page);
    cache_unlock(ref);
}

static int copy_bytes(void *to, const void *from, size_t length, bool user)
{
    if (user)
        return user_memcpy(to, from, length);
    for (size_t i = 0; i < length; i++)
        ((char *)to)[i] = ((const char *)from)[i];
    return VM_OK;
}

/* Copies `length` bytes at `position`, page by page; `write`: into the cache. */
static int copy_through(vm_cache_ref *ref, off_t position, char *buffer, size_t length, bool user,
                        bool write, size_t *done)
{
    int error = VM_OK;
    *done = 0;
    if (write)
        writeback_limit(ref);
    if (position < 0 || length > (size_t)INT64_MAX - (size_t)position)
        return ERR_INVALID_ARGS;
    if (user && !user_is_range(buffer, length))
        return ERR_VM_BAD_USER_MEMORY;
    while (*done < length && error == VM_OK) {
        struct vm_page *page;
        off_t at = position + (off_t)*done;
        size_t within = (size_t)at & VM_PAGE_MASK;
        size_t count = VM_PAGE_SIZE - within;
        if (count > length - *done)
            count = length - *done;
        error = hold_page(ref, at - (off_t)within, &page);
        if (error != VM_OK)
            break;
        char *frame = (char *)host_frame_ptr(vm_page_physical(page)) + within;
        if (write)
            error = copy_bytes(frame, buffer + *done, count, user);
        else
            error = copy_bytes(buffer + *done, frame, count, user);
        unhold_page(ref, page, write);
        if (error == VM_OK)
            *done += count;
    }
    return error;
}

int vm_cache_read(vm_cache_ref *cache, off_t position, void *buffer, size_t length, bool user,
                  size_t *done)
{
    return copy_through(cache, position, buffer, length, user, false, done);
}

int vm_cache_write(vm_cache_ref *cache, off_t position, const void *buffer, size_t length,
                   bool user, size_t *done)
{
    return copy_through(cache, position, (char *)(uintptr_t)buffer, length, user, true, done);
}

/* ---- getting shorter ---------------------------------------------------------------------------- */

/* What is behind the end leaves every mapping; private copies of it go, too (POSIX: an access there
 * is SIGBUS, also where it was written before). shootdown.pml: drop_c, drop_t */
static void drop_behind(vm_cache_ref *ref, void *first)
{
    off_t from = *(off_t *)first;
    cache_unmap(ref, from, INT64_MAX);
    cache_remove_pages(ref, from, INT64_MAX);
    cache_forget_hidden(ref, from);
}

/* => cache: locked. A page at or behind `offset` that the store reads or writes now, or NULL. */
static struct vm_page *find_busy(vm_cache_ref *ref, off_t offset)
{
    uint64_t key = (uint64_t)offset >> VM_PAGE_SHIFT;
    struct vm_page *page;
    if (ref->cache->busy_count == 0)
        return NULL;
    for (; (page = radix_next(&ref->cache->pages, &key)) != NULL; key++)
        if (page->busy)
            return page;
    return NULL;
}

/* Locks the cache with nothing at or behind `offset` under way: a read may still bring bytes that
 * the file had, and what is being written would stay. busy.pml: lock_idle */
static void lock_idle(vm_cache_ref *ref, off_t offset)
{
    struct vm_page *page;
    cache_lock(ref);
    while ((page = find_busy(ref, offset)) != NULL) {
        vm_page_will_wait(page);
        cache_unlock(ref);
        (void)vm_page_wait(page, false);
        cache_lock(ref);
    }
}

/* => cache: locked */
static void clear_tail(vm_cache_ref *ref, off_t size)
{
    size_t within = (size_t)size & VM_PAGE_MASK;
    struct vm_page *page = within ? vm_cache_lookup_page(ref, size - (off_t)within) : NULL;
    if (!page)
        return;
    char *frame = host_frame_ptr(vm_page_physical(page));
    for (size_t i = within; i < VM_PAGE_SIZE; i++)
        frame[i] = 0;
    page_set_modified(page);
}

int vm_cache_truncate(vm_cache_ref *cache, off_t size)
{
    if (size < 0)
        return ERR_INVALID_ARGS;
    off_t first = size > INT64_MAX - (off_t)VM_PAGE_MASK
                      ? INT64_MAX
                      : (size + (off_t)VM_PAGE_MASK) & ~(off_t)VM_PAGE_MASK;
    lock_idle(cache, size);
    clear_tail(cache, size);
    drop_behind(cache, &first);
    cache_unlock(cache);
    chain_walk_consumers(cache, drop_behind, &first);
    return VM_OK;
}

static void drop_file_pages(vm_cache_ref *ref, void *unused)
{
    (void)unused;
    cache_unmap(ref, 0, INT64_MAX);
    if (!ref->temporary)
        cache_remove_pages(ref, 0, INT64_MAX);
}

void vm_cache_discard(vm_cache_ref *cache)
{
    chain_walk_consumers(cache, drop_file_pages, NULL);
}
