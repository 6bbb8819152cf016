/* SPDX-License-Identifier: MIT */
/* Pages are busy while the store writes them, so they neither go nor get mapped; they may still be
 * written through mappings that exist, which makes them modified again. */
#include "writeback.h"

#include <quire/host.h>

#include "mapping.h"
#include "pagein.h"
#include "print.h"
#include "system.h"

struct writeback {
    vm_cache_ref *ref;
    off_t end; /* of the file, before the write */
    uint64_t key;
    addr_t frames[VM_CLUSTER];
    struct vm_page *pages[VM_CLUSTER];
    size_t count;
    size_t written[VM_CLUSTER]; /* bytes */
    unsigned failures;
};

/* => cache: locked. Somebody else writes it, or is about to, to free its frame: it isn't there yet, and if he
 * can't, it is modified again. */
static bool is_anothers(const struct vm_page *page)
{
    return page->busy != 0 && (page->writing || page->modified);
}

/* => cache: locked, let go meanwhile */
static void wait_for_writer(vm_cache_ref *ref, struct vm_page *page)
{
    vm_page_will_wait(page);
    cache_unlock(ref);
    (void)vm_page_wait(page, false);
    cache_lock(ref);
}

/* => cache: locked, let go meanwhile. Makes the next modified pages in a row busy. False: there are
 * none. What is past the end waits until the file is longer: nothing would be written of it. */
static bool collect_run(struct writeback *run, uint64_t *key, uint64_t last)
{
    struct vm_page *page;
    run->count = 0;
    run->end = cache_end(run->ref);
    while (run->count < VM_CLUSTER && (page = radix_next(&run->ref->cache->pages, key)) != NULL &&
           *key <= last) {
        if (run->count > 0 && *key != run->key + run->count)
            break;
        if (run->count == 0 && is_anothers(page)) {
            wait_for_writer(run->ref, page);
            continue;
        }
        if (page->busy == 0 && page->modified &&
            !cache_is_past_end(run->ref, (off_t)(*key << VM_PAGE_SHIFT))) {
            if (run->count == 0)
                run->key = *key;
            cache_begin_busy(run->ref->cache, page);
            page->writing = true;
            page_clear_modified(page);
            run->frames[run->count] = vm_page_physical(page);
            run->pages[run->count++] = page;
        } else if (run->count > 0) {
            break;
        }
        (*key)++;
    }
    return run->count > 0;
}

bool writeback_has_more(vm_cache_ref *ref, const struct vm_page *page)
{
    off_t left = cache_end(ref) - (off_t)(page->offset << VM_PAGE_SHIFT);
    const unsigned char *frame = host_frame_ptr(vm_page_physical(page));
    size_t within = VM_PAGE_SIZE;
    if (left < (off_t)VM_PAGE_SIZE)
        within = left < 0 ? 0 : (size_t)left;
    while (within < VM_PAGE_SIZE && frame[within] == 0)
        within++;
    return within < VM_PAGE_SIZE;
}

static bool is_short(uint64_t key, size_t done, off_t end)
{
    off_t left = end - (off_t)(key << VM_PAGE_SHIFT);
    return done < VM_PAGE_SIZE && (off_t)done < left;
}

bool writeback_is_short(const struct vm_page *page, size_t done, off_t end)
{
    return is_short(page->offset, done, end);
}

static int write_once(vm_store *store, uint64_t key, const addr_t *frames, size_t count,
                      size_t *done)
{
    *done = 0;
    vm_assert_no_locks();
    if (VM_INJECT(VM_INJECT_STORE_WRITE))
        return ERR_IO;
    if (!store->ops->write)
        return ERR_UNSUPPORTED;
    int error = store->ops->write(store, (off_t)(key << VM_PAGE_SHIFT), frames, count, done);
    if (error == VM_OK)
        VM_COUNT_ADD(page_outs, count);
    return error;
}

/* One call of the store. */
static int write_part(vm_store *store, uint64_t key, const addr_t *frames, size_t count,
                      size_t *written)
{
    size_t done;
    int error = write_once(store, key, frames, count, &done);
    for (size_t i = 0; i < count; i++)
        written[i] = error == VM_OK ? writeback_done(done, i) : 0;
    return error;
}

static bool any_short(uint64_t key, const size_t *written, size_t count, off_t end)
{
    size_t i = 0;
    while (i < count && !is_short(key + i, written[i], end))
        i++;
    return i < count;
}

/* The pages that weren't written at once, each by itself. */
static int write_singly(vm_store *store, uint64_t key, const addr_t *frames, size_t count,
                        off_t end, size_t *written, unsigned *failures)
{
    int error = VM_OK;
    for (size_t i = 0; i < count && *failures < WRITEBACK_GIVES_UP; i++) {
        if (!is_short(key + i, written[i], end))
            continue;
        int result = write_part(store, key + i, &frames[i], 1, &written[i]);
        *failures = is_short(key + i, written[i], end) ? *failures + 1 : 0;
        error = error == VM_OK ? result : error;
    }
    return error;
}

int writeback_write(vm_store *store, uint64_t key, const addr_t *frames, size_t count, off_t end,
                    size_t *written, unsigned *failures)
{
    int error = write_part(store, key, frames, count, written);
    if (error == ERR_UNSUPPORTED)
        return error;
    *failures = any_short(key, written, count, end) ? *failures + 1 : 0;
    if (count == 1 || *failures == 0 || *failures >= WRITEBACK_GIVES_UP)
        return error;
    return write_singly(store, key, frames, count, end, written, failures);
}

/* => cache: locked. The page's write has ended; with this error, unless all of it was written. */
static int finish_page(struct writeback *run, size_t i, int error, off_t end)
{
    struct vm_page *page = run->pages[i];
    size_t written = run->written[i];
    bool failed = error != VM_OK && written == 0;
    page->no_write = error == ERR_UNSUPPORTED;
    page->writing = false;
    if (error == VM_OK && writeback_is_short(page, written, run->end < end ? run->end : end))
        error = ERR_IO;
    if (failed || writeback_is_short(page, written, end) || writeback_has_more(run->ref, page))
        page_set_modified(page);
    cache_end_busy(run->ref->cache, page);
    return error;
}

/* => nothing locked. What couldn't be written stays modified; what was too short is a failure. */
static int write_run(struct writeback *run)
{
    int error = writeback_write(run->ref->cache->store, run->key, run->frames, run->count, run->end,
                                run->written, &run->failures);
    cache_lock(run->ref);
    off_t end = cache_end(run->ref);
    for (size_t i = 0; i < run->count; i++)
        error = finish_page(run, i, error, end);
    cache_unlock(run->ref);
    /* A file that lives in its cache has nowhere else to go. */
    return error == ERR_UNSUPPORTED ? VM_OK : error;
}

/* => cache: locked. What the MMU knows of writes moves into the pages. */
static void clean_regions(vm_cache_ref *ref)
{
    list_for_each(link, &ref->regions)
    {
        vm_region *region = list_member(link, vm_region, cache_link);
        mapping_clean(region, region->base, region_last(region));
    }
}

int writeback_range(vm_cache_ref *ref, off_t first, off_t last)
{
    struct writeback run = {.ref = ref};
    uint64_t key = (uint64_t)first >> VM_PAGE_SHIFT, end = (uint64_t)last >> VM_PAGE_SHIFT;
    int error = VM_OK;
    cache_lock(ref);
    clean_regions(ref);
    while (run.failures < WRITEBACK_GIVES_UP && key <= end && collect_run(&run, &key, end)) {
        cache_unlock(ref);
        int result = write_run(&run);
        error = error == VM_OK ? result : error;
        cache_lock(ref);
    }
    cache_unlock(ref);
    return error;
}

void writeback_last(vm_cache_ref *ref)
{
    int error = writeback_range(ref, 0, INT64_MAX);
    if (error != VM_OK)
        vm_print("a file's modified pages are lost: %s\n", vm_error_text(error));
}

/* ---- errors that nobody waited for -------------------------------------------------------------- */

void writeback_note_error(vm_cache_ref *ref, int error)
{
    if (error == VM_OK || error == ERR_UNSUPPORTED)
        return;
    ref->write_error = error;
    ref->write_errors++;
    vm_atomic_store(&ref->written, false, __ATOMIC_RELEASE); /* the last reference tries again */
    VM_COUNT(write_errors);
}

int vm_cache_take_error(vm_cache_ref *cache, uint32_t *seen)
{
    cache_lock(cache);
    int error = *seen != cache->write_errors ? cache->write_error : VM_OK;
    *seen = cache->write_errors;
    cache_unlock(cache);
    return error;
}

/* ---- writing without being asked ---------------------------------------------------------------- */

#define SECOND ((uint64_t)1000000000)
#define OLD (5 * SECOND)

/* Of all frames: above the first whoever modifies writes back himself, above the second daemons do. */
static size_t most_modified(void)
{
    return vm_system.pages.total / 4;
}

static size_t many_modified(void)
{
    return vm_system.pages.total / 8;
}

static size_t modified_now(void)
{
    return vm_atomic_load(&vm_system.modified_file_pages, __ATOMIC_RELAXED);
}

int vm_cache_sync(vm_cache_ref *cache, off_t first, off_t last)
{
    if (first < 0 || last < first)
        return ERR_INVALID_ARGS;
    return writeback_range(cache, first, last);
}

/* The file behind `file` on the list, or (NULL) the first, with a reference; NULL: there is none. Who has a
 * reference on a file finds it where it was, so nobody who goes round leaves one out. What is on the list has
 * references: the last one goes with it. */
static vm_cache_ref *next_file(const vm_cache_ref *file)
{
    vm_cache_ref *ref = NULL;
    vm_mutex_lock(&vm_system.vnode_lock, VM_RANK_VNODE);
    const struct list_link *head = &vm_system.vnode_caches;
    const struct list_link *link = file ? file->vnode_link.prev : head->prev;
    if (link != head) {
        ref = list_member(link, vm_cache_ref, vnode_link);
        vm_cache_acquire_ref(ref);
    }
    vm_mutex_unlock(&vm_system.vnode_lock);
    return ref;
}

static int write_file(vm_cache_ref *ref, bool note)
{
    int error = writeback_range(ref, 0, INT64_MAX);
    cache_lock(ref);
    if (note)
        writeback_note_error(ref, error);
    cache_unlock(ref);
    return error;
}

/* The files that there are, the oldest first, until no more than `enough` pages are modified. */
static int write_files(size_t enough, bool note)
{
    int first_error = VM_OK;
    size_t files = vm_atomic_load(&vm_system.vnode_cache_count, __ATOMIC_RELAXED);
    vm_cache_ref *ref = NULL;
    for (size_t i = 0; i < files && (enough == 0 || modified_now() > enough); i++) {
        vm_cache_ref *before = ref;
        ref = next_file(before);
        if (before)
            vm_cache_release_ref(before);
        if (!ref)
            return first_error;
        int error = write_file(ref, note);
        if (first_error == VM_OK)
            first_error = error;
    }
    if (ref)
        vm_cache_release_ref(ref);
    return first_error;
}

int vm_sync_files(void)
{
    return write_files(0, false);
}

void writeback_limit(vm_cache_ref *ref)
{
    if (__builtin_expect(modified_now() <= most_modified(), 1))
        return;
    int error = writeback_range(ref, 0, INT64_MAX);
    cache_lock(ref);
    writeback_note_error(ref, error);
    cache_unlock(ref);
    if (modified_now() > most_modified())
        (void)write_files(most_modified(), true);
}

bool writeback_is_pending(void)
{
    return modified_now() > 0;
}

void writeback_old(void)
{
    uint64_t *since = &vm_system.reclaim.dirty_since, now = host_time_ns();
    if (modified_now() == 0) {
        vm_atomic_store(since, 0, __ATOMIC_RELAXED);
        return;
    }
    uint64_t first = vm_atomic_load(since, __ATOMIC_RELAXED);
    if (first == 0)
        vm_atomic_store(since, now, __ATOMIC_RELAXED);
    else if (now - first >= OLD || modified_now() > many_modified()) {
        vm_atomic_store(since, 0, __ATOMIC_RELAXED);
        (void)write_files(0, true);
    }
}
