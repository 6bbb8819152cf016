/* SPDX-License-Identifier: MIT */
/* Pages are busy while the store writes them, so they neither go nor get mapped; they may still be
 * written through mappings that exist, which makes them modified again. */
#include "writeback.h"

#include <quire/host.h>
#include <quire/vm.h>

#include "mapping.h"
#include "pagein.h"
#include "print.h"
#include "system.h"

struct writeback {
    vm_cache_ref *ref;
    uint64_t key;
    addr_t frames[VM_CLUSTER];
    struct vm_page *pages[VM_CLUSTER];
    size_t count;
};

/* => cache: locked. Makes the next modified pages in a row busy. False: there are none. What is past
 * the end waits until the file is longer: nothing would be written of it. */
static bool collect_run(struct writeback *run, uint64_t *key, uint64_t last)
{
    struct vm_page *page;
    run->count = 0;
    while (run->count < VM_CLUSTER && (page = radix_next(&run->ref->cache->pages, key)) != NULL &&
           *key <= last) {
        if (run->count > 0 && *key != run->key + run->count)
            break;
        if (page->busy == 0 && page->modified &&
            !cache_is_past_end(run->ref, (off_t)(*key << VM_PAGE_SHIFT))) {
            if (run->count == 0)
                run->key = *key;
            vm_page_set_busy(page);
            run->ref->cache->busy_count++;
            page->modified = 0;
            run->frames[run->count] = vm_page_physical(page);
            run->pages[run->count++] = page;
        } else if (run->count > 0) {
            break;
        }
        if ((*key)++ == last)
            break;
    }
    return run->count > 0;
}

/* => cache: locked. Whether the page has bytes behind the file's end that aren't 0: they were not written,
 * but will have to be when the file is longer. */
static bool has_more(const struct writeback *run, size_t at)
{
    off_t offset = (off_t)((run->key + at) << VM_PAGE_SHIFT), end = cache_end(run->ref);
    const unsigned char *frame = host_frame_ptr(run->frames[at]);
    size_t within = end <= offset ? 0 : VM_PAGE_SIZE;
    if (end > offset && end - offset < (off_t)VM_PAGE_SIZE)
        within = (size_t)(end - offset);
    while (within < VM_PAGE_SIZE && frame[within] == 0)
        within++;
    return within < VM_PAGE_SIZE;
}

/* => nothing locked. A failed write leaves the pages modified. */
static int write_run(struct writeback *run)
{
    vm_store *store = run->ref->cache->store;
    size_t done = 0;
    int error = ERR_UNSUPPORTED;
    if (VM_INJECT(VM_INJECT_STORE_WRITE))
        error = ERR_IO;
    else if (store->ops->write)
        error = store->ops->write(store, (off_t)(run->key << VM_PAGE_SHIFT), run->frames,
                                  run->count, &done);
    cache_lock(run->ref);
    for (size_t i = 0; i < run->count; i++) {
        if (error != VM_OK || has_more(run, i))
            run->pages[i]->modified = 1;
        run->ref->cache->busy_count--;
        vm_page_clear_busy(run->pages[i]);
    }
    cache_unlock(run->ref);
    if (error == VM_OK)
        VM_COUNT_ADD(page_outs, run->count);
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
    while (error == VM_OK && key <= end && collect_run(&run, &key, end)) {
        cache_unlock(ref);
        error = write_run(&run);
        cache_lock(ref);
    }
    cache_unlock(ref);
    return error;
}

int vm_cache_sync(vm_cache_ref *cache, off_t first, off_t last)
{
    if (first < 0 || last < first)
        return ERR_INVALID_ARGS;
    return writeback_range(cache, first, last);
}

void writeback_last(vm_cache_ref *ref)
{
    int error = writeback_range(ref, 0, INT64_MAX);
    if (error != VM_OK)
        vm_print("a file's modified pages are lost: %s\n", vm_error_text(error));
}
