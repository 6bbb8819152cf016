/* SPDX-License-Identifier: MIT */
/* Page faults.
 *
 * One try runs with the map read-locked from the look at the region to the mapping of the page, so
 * nothing that was checked can change in between. What has to sleep (a page that is busy, a page
 * that a store must read) lets everything go, sleeps, and starts again from nothing.
 *
 *   the region's top cache ..... has the page .......... map it, writable if the region is
 *     |                          busy .................. wait, again
 *     |                          its store has it ...... read it, again
 *   a source below ............. has the page .......... read: map it, not writable
 *     |                                                  write: copy it into the top, map that
 *   nothing, anywhere .......... a cleared page, in the top for a write, in the bottom for a read
 *
 * The top stays locked all the way, and so does the first below it that regions map (`pull`); the others
 * only while they are looked at. */
#include "fault.h"

#include <quire/host.h>

#include "cache.h"
#include "frame.h"
#include "mapping.h"
#include "pagein.h"
#include "print.h"
#include "reclaim.h"
#include "resize.h"
#include "system.h"

#define TRY_AGAIN 1

struct fault {
    vm_address_space *aspace;
    addr_t address; /* of the page */
    unsigned access;
    size_t ahead; /* read at once, if it isn't 0, wherever a cluster ends */
    vm_region *region;
    off_t offset;      /* in the caches */
    vm_cache_ref *top; /* locked */
    vm_cache_ref *at;  /* locked: where the walk has got to */
    /* Locked, or NULL: the first cache below the top that regions map, too. What it shows must be
     * its own before the top shows it: its next write would otherwise leave us a stale page. Not one
     * that is hidden: what it shows isn't seen. */
    vm_cache_ref *pull;
    struct vm_page *page; /* found at `at`, or NULL */
    bool found;           /* it was there already */
    bool in_store;        /* the store of `at`, or swap, has it */
    bool in_swap;
    bool skipping; /* temporary caches don't show through any more */
    bool hidden;   /* nor does `at` */
    bool paged_in; /* a try before this one has read from the store */
};

/* ---- permission --------------------------------------------------------------------------------- */

static int check_access(const vm_region *region, unsigned access)
{
    unsigned lock = region->lock;
    if (region->is_device && (lock & LOCK_NO_READ))
        return ERR_VM_PF_FATAL; /* a null region: nothing ever will be there */
    if ((lock & LOCK_NO_READ) || ((access & VM_ACCESS_USER) && (lock & LOCK_KERNEL)) ||
        ((access & VM_ACCESS_WRITE) && !(lock & LOCK_RW)) ||
        ((access & VM_ACCESS_EXECUTE) && !(lock & LOCK_EXECUTE)))
        return ERR_VM_PF_BAD_PERM;
    return VM_OK;
}

/* => map: read-locked */
static int find_region(struct fault *f)
{
    if (f->aspace->state != VM_ASPACE_NORMAL)
        return ERR_VM_PF_BAD_ADDRESS;
    f->region = vm_virtual_map_lookup(&f->aspace->virtual_map, f->address);
    if (!f->region)
        return ERR_VM_PF_BAD_ADDRESS;
    f->offset = region_offset(f->region, f->address);
    return check_access(f->region, f->access);
}

/* ---- the walk ----------------------------------------------------------------------------------- */

static void unlock_walk(struct fault *f)
{
    if (f->at != f->top)
        cache_unlock(f->at);
    if (f->pull)
        cache_unlock(f->pull);
    cache_unlock(f->top);
}

/* One cache down. */
static void step_down(struct fault *f)
{
    vm_cache_ref *here = f->at;
    f->at = here->cache->source;
    cache_lock(f->at);
    if (here == f->top)
        return;
    if (!f->pull && !f->hidden && cache_has_regions(here))
        f->pull = here;
    else
        cache_unlock(here);
}

static struct vm_page *look(struct fault *f)
{
    f->in_store = f->in_swap = false;
    if (f->skipping && f->at->temporary)
        return NULL;
    struct vm_page *page = vm_cache_lookup_page(f->at, f->offset);
    f->in_store = f->in_swap = cache_is_swapped(page);
    if (cache_is_skip(page))
        f->skipping = true;
    return cache_is_page(page) ? page : NULL;
}

/* Down the chain to a page, to a store that has it, or to the bottom. => map: read-locked.
 * Leaves the top and `at` locked. */
static void walk_chain(struct fault *f)
{
    cache_lock(f->top);
    for (;; step_down(f)) {
        f->hidden = f->skipping;
        f->page = look(f);
        if (!f->page && !f->in_store)
            f->in_store = cache_store_has_page(f->at, f->offset);
        if (f->page || f->in_store || !f->at->cache->source)
            return;
    }
}

/* ---- what can be done at once ------------------------------------------------------------------- */

static void copy_frame(addr_t to, addr_t from)
{
    if (vm_system.frames)
        vm_system.frames->copy(to, from);
    else
        vm_frame_copy(host_frame_ptr(to), host_frame_ptr(from));
}

/* A new page in `ref`, cleared or a copy. => cache: locked */
static int new_page(struct fault *f, vm_cache_ref *ref, const struct vm_page *original,
                    struct vm_page **made)
{
    struct vm_page *page = vm_page_allocate(VM_PAGE_ACTIVE, !original, VM_INJECT_FRAME);
    if (!page)
        return ERR_NO_MEMORY;
    if (vm_cache_insert_page(ref, page, f->offset) != VM_OK) {
        vm_page_free(page, false);
        return ERR_NO_MEMORY;
    }
    if (original) {
        copy_frame(vm_page_physical(page), vm_page_physical(original));
        page_set_modified(page);
        VM_COUNT(copies);
    } else {
        if (f->access & VM_ACCESS_WRITE)
            page_set_modified(page); /* it is about to be: no zeros that could go at once */
        VM_COUNT(zero_fills);
    }
    *made = page;
    return VM_OK;
}

static int zero_fill(struct fault *f)
{
    vm_cache_ref *ref = f->at;
    if (cache_is_past_end(f->at, f->offset))
        return ERR_VM_PF_PAST_END;
    if (f->access & VM_ACCESS_WRITE)
        ref = f->top;
    else if (f->pull)
        ref = f->pull;
    else if (f->hidden && f->at->temporary)
        ref = f->top;
    return new_page(f, ref, NULL, &f->page);
}

/* Whether each consumer of `source` but the top has a page of its own there: then the page is
 * visible through the top alone. Siblings have no order among them: try, and leave it if one is busy. */
static bool only_top_sees(const struct fault *f)
{
    if (!f->at->temporary || f->top->cache->source != f->at || cache_has_regions(f->at) ||
        f->page->wire_count > 0)
        return false;
    list_for_each(link, &f->at->consumers)
    {
        vm_cache *cache = list_member(link, vm_cache, consumer_link);
        vm_cache_ref *sibling = cache->ref;
        if (sibling == f->top)
            continue;
        if (!vm_mutex_try_lock(&sibling->lock, VM_RANK_CACHE))
            return false;
        bool own = vm_cache_lookup_page(sibling, f->offset) != NULL;
        cache_unlock(sibling);
        if (!own)
            return false;
    }
    return true;
}

/* The last who sees a source's page gets it without a copy. */
static int move_to_top(struct fault *f)
{
    vm_cache *source = f->at->cache;
    struct vm_page *page = f->page;
    if (radix_reserve(&f->top->cache->pages, page->offset) != VM_OK)
        return ERR_NO_MEMORY;
    (void)radix_remove(&source->pages, page->offset);
    source->page_count--;
    VM_COUNT(reuses);
    return vm_cache_insert_page(f->top, page, f->offset);
}

/* No region that maps `ref` may go on showing the page below; the faulting one's mapping of the top is
 * about to be replaced anyway. => ref: locked */
static int copy_to(struct fault *f, vm_cache_ref *ref)
{
    int error = new_page(f, ref, f->page, &f->page);
    if (error == VM_OK && (ref != f->top || !list_has_one(&ref->regions)))
        cache_unmap(ref, f->offset, f->offset + (off_t)VM_PAGE_MASK);
    return error;
}

/* The page for a write, or what a read may see, out of the one found below the top. */
static int bring_up(struct fault *f)
{
    if (!(f->access & VM_ACCESS_WRITE))
        return f->pull ? copy_to(f, f->pull) : VM_OK;
    return only_top_sees(f) ? move_to_top(f) : copy_to(f, f->top);
}

/* Whether the pages of `at` show in the region wherever the top has none. There is nothing to pull: the
 * page that was found would be in another cache by now. */
static bool shows_through(const struct fault *f)
{
    return !f->skipping && (f->at == f->top || f->top->cache->source == f->at);
}

/* Neighbours are none of this fault's business. */
static bool is_alone(const struct fault *f)
{
    return f->region->advice == VM_ADVICE_RANDOM && !(f->access & VM_ACCESS_CLUSTER);
}

/* Maps what else is in memory around a page that was read. */
static void map_around(struct fault *f)
{
    struct vm_page *around[VM_CLUSTER];
    addr_t window = f->address & ~(VM_CLUSTER * VM_PAGE_SIZE - 1);
    addr_t first = window > f->region->base ? window : f->region->base;
    addr_t last = window + (VM_CLUSTER * VM_PAGE_SIZE - 1);
    if (last > region_last(f->region))
        last = region_last(f->region);
    size_t count = (last - first) / VM_PAGE_SIZE + 1, present = 0;
    off_t end = cache_end(f->at);
    for (size_t i = 0; i < count; i++) {
        off_t offset = region_offset(f->region, first + i * VM_PAGE_SIZE);
        struct vm_page *page = vm_cache_lookup_page(f->at, offset);
        bool usable = cache_is_page(page) && page->busy == 0 && offset < end &&
                      (f->at == f->top || !vm_cache_lookup_page(f->top, offset));
        around[i] = usable ? page : NULL;
        present += usable;
    }
    if (present > 1)
        VM_COUNT_ADD(mapped_around, mapping_install_around(f->region, first, around, count));
}

/* => top and at: locked, f->page found or made */
static int map_page(struct fault *f)
{
    bool found = f->found && f->page->cache == f->at->cache;
    if (found && f->at->is_vnode && !f->paged_in)
        VM_COUNT(file_pages_shared);
    vm_atomic_count(&f->region->faults, 1);
    if (region_is_wired(f->region) && f->page->wire_count == 0 && !page_may_wire(1))
        return ERR_NO_MEMORY;
    int error = mapping_install(f->region, f->address, f->page, f->page->cache == f->top->cache);
    if (error == VM_OK && found && !(f->access & VM_ACCESS_WRITE) && f->at->cache->page_count > 1 &&
        !is_alone(f) && shows_through(f) &&
        (!region_is_wired(f->region) || page_may_wire(VM_CLUSTER)))
        map_around(f);
    return error;
}

static int resolve(struct fault *f)
{
    int error = VM_OK;
    f->found = f->page != NULL;
    if (!f->page)
        error = zero_fill(f);
    else if (f->at != f->top)
        error = bring_up(f);
    return error == VM_OK ? map_page(f) : error;
}

/* ---- what has to sleep -------------------------------------------------------------------------- */

static void unlock_all(struct fault *f)
{
    unlock_walk(f);
    vm_read_unlock(&f->aspace->virtual_map.lock);
}

/* busy.pml: wait_for */
static int wait_for_page(struct fault *f)
{
    struct vm_page *page = f->page;
    vm_page_will_wait(page);
    unlock_all(f);
    int error = vm_page_wait(page, true);
    return error == VM_OK ? TRY_AGAIN : error;
}

/* busy.pml: read_page */
static int read_page(struct fault *f)
{
    struct vm_pagein in;
    struct region_reading *reading = &f->region->reading;
    uint64_t key = (uint64_t)f->offset >> VM_PAGE_SHIFT;
    size_t most = is_alone(f)    ? 1
                  : f->in_swap   ? pagein_window(reading, key)
                  : f->ahead > 0 ? f->ahead
                                 : VM_CLUSTER;
    if (f->in_swap || f->ahead == 0)
        most = pagein_in_cluster(f->offset, most);
    int error = pagein_begin(&in, f->at, f->offset, most);
    if (error == VM_OK && f->in_swap) {
        vm_atomic_count(&f->region->refaults, 1);
        pagein_note(reading, key, in.count);
    }
    unlock_all(f);
    if (error == VM_OK)
        error = pagein_finish(&in);
    f->paged_in = true;
    return error == VM_OK ? TRY_AGAIN : error;
}

/* The cache in which a page is about to hide one from private clones that may still show it; or NULL. */
static vm_cache_ref *unsettled(const struct fault *f)
{
    vm_cache_ref *ref = f->access & VM_ACCESS_WRITE ? f->top : f->pull;
    bool hides = ref && f->page && f->at != f->top;
    return hides && ref->settled != ref->forks ? ref : NULL;
}

static int settle(struct fault *f, vm_cache_ref *ref)
{
    uint64_t forks = ref->forks;
    vm_cache_acquire_ref(ref);
    unlock_all(f);
    chain_settle(ref, forks);
    vm_cache_release_ref(ref);
    return TRY_AGAIN;
}

/* ---- one try, and all of them ------------------------------------------------------------------- */

/* The store resolves it. => map: read-locked */
static int store_fault(struct fault *f)
{
    vm_store *store = f->top->cache->store; /* a device's cache stays */
    int error = store->ops->fault(store, f->region, f->address, f->access);
    vm_read_unlock(&f->aspace->virtual_map.lock);
    return error;
}

static int try_fault(struct fault *f)
{
    vm_read_lock(&f->aspace->virtual_map.lock, VM_RANK_MAP);
    int error = find_region(f);
    if (error != VM_OK) {
        vm_read_unlock(&f->aspace->virtual_map.lock);
        return error;
    }
    f->top = f->at = f->region->cache_ref;
    f->pull = NULL;
    f->skipping = false;
    if (f->region->is_device)
        return store_fault(f);
    walk_chain(f);
    /* What is written before a file gets longer is there, but not yet in the file. */
    if (f->page && !f->at->temporary && cache_is_past_end(f->at, f->offset)) {
        unlock_all(f);
        return ERR_VM_PF_PAST_END;
    }
    if (f->page && f->page->busy)
        return wait_for_page(f);
    if (f->in_store)
        return read_page(f);
    vm_cache_ref *hiding = unsettled(f);
    if (hiding)
        return settle(f, hiding);
    error = resolve(f);
    unlock_all(f);
    return error;
}

static void count_fault(unsigned access)
{
    if (access & VM_ACCESS_WRITE)
        VM_COUNT(write_faults);
    else if (access & VM_ACCESS_EXECUTE)
        VM_COUNT(execute_faults);
    else
        VM_COUNT(read_faults);
}

static int soft_fault(vm_address_space *aspace, addr_t address, unsigned access, size_t ahead)
{
    struct fault f = {
        .aspace = aspace, .address = address & ~VM_PAGE_MASK, .access = access, .ahead = ahead};
    int result;
    bool grown = false;
    struct reclaim_attempt attempt = {0};
    count_fault(access);
    if (access & VM_ACCESS_CLUSTER)
        reclaim_ensure_pages(ahead > VM_CLUSTER ? ahead : VM_CLUSTER);
    do {
        reclaim_note_shortage(&attempt);
        result = try_fault(&f);
        if (result == ERR_VM_PF_BAD_ADDRESS && !grown) {
            result = region_grow_stack(aspace, f.address);
            grown = result == VM_OK;
            if (grown)
                result = TRY_AGAIN;
        }
        if (result == ERR_NO_MEMORY)
            result = reclaim_for(&attempt, TRY_AGAIN);
    } while (result == TRY_AGAIN);
    if (result != VM_OK)
        VM_COUNT(failed_faults);
    return result;
}

int vm_soft_fault(vm_address_space *aspace, addr_t address, unsigned access)
{
    return soft_fault(aspace, address, access, 0);
}

/* ---- for hosts ---------------------------------------------------------------------------------- */

static bool is_user_address(addr_t address)
{
    return address - vm_system.user_base < vm_system.user_size;
}

/* Without a reference: the running thread has one on its program's, and the kernel's stays. A
 * program's access to the kernel's space is refused there, by the region's protection. */
static vm_address_space *aspace_of(addr_t address)
{
    return is_user_address(address) ? host_current_aspace() : vm_system.kernel_aspace;
}

int vm_handle_fault(addr_t address, addr_t fault_address, unsigned access, addr_t *newip)
{
    vm_address_space *aspace = aspace_of(address);
    int error = aspace ? vm_soft_fault(aspace, address, access) : ERR_VM_PF_BAD_ADDRESS;
    *newip = 0;
    if (error != VM_OK && !(access & VM_ACCESS_USER)) {
        *newip = host_fault_handler(fault_address);
        if (*newip != 0) {
            VM_COUNT(kernel_recoveries);
            error = VM_OK;
        }
    }
    return error;
}

int vm_page_fault(addr_t address, addr_t fault_address, bool is_write, bool is_user, addr_t *newip)
{
    /* An instruction that faults on its own address was being fetched. */
    unsigned kind = is_write                   ? VM_ACCESS_WRITE
                    : address == fault_address ? VM_ACCESS_EXECUTE
                                               : VM_ACCESS_READ;
    return vm_handle_fault(address, fault_address, kind | (is_user ? VM_ACCESS_USER : 0u), newip);
}

int vm_fault_aspace(aspace_id aid, addr_t address, unsigned access)
{
    vm_address_space *aspace = vm_get_aspace_by_id(aid);
    if (!aspace)
        return ERR_VM_INVALID_ASPACE;
    int error = vm_soft_fault(aspace, address, access);
    vm_put_aspace(aspace);
    return error;
}

int vm_fault_address_space(vm_address_space *aspace, addr_t address, unsigned access)
{
    return vm_soft_fault(aspace, address, access);
}

int vm_fault_ahead(vm_address_space *aspace, addr_t address, unsigned access, size_t pages)
{
    return soft_fault(aspace, address, access | VM_ACCESS_CLUSTER,
                      pages < VM_MOST_AHEAD ? pages : VM_MOST_AHEAD);
}
