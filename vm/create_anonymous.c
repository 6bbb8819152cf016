/* SPDX-License-Identifier: MIT */
/* Regions of anonymous memory, in all wirings. */
#include "aspace.h"
#include "create.h"
#include "range.h"
#include "system.h"

/* A page that boot code has mapped at `address` becomes the cache's. => cache: locked */
static int adopt_page(vm_address_space *aspace, vm_cache_ref *ref, addr_t address, off_t offset)
{
    struct vm_translation_map *tmap = &aspace->translation_map;
    addr_t physical;
    int error = tmap_query(tmap, address, &physical, NULL);
    if (error != VM_OK)
        return error;
    struct vm_page *page = vm_page_at(physical);
    if (!page || page->state != VM_PAGE_UNUSED || !tmap_entry(tmap, address, false))
        return ERR_INVALID_ARGS;
    error = vm_cache_insert_page(ref, page, offset);
    if (error != VM_OK)
        return error;
    page->map_count = 1;
    vm_page_wire(page);
    tmap_used(tmap, address, 1);
    return VM_OK;
}

static void abandon_page(vm_address_space *aspace, vm_cache_ref *ref, addr_t address, off_t offset)
{
    struct vm_page *page = vm_cache_lookup_page(ref, offset);
    (void)radix_remove(&ref->cache->pages, page->offset);
    ref->cache->page_count--;
    page->cache = NULL;
    page->map_count = page->wire_count = 0;
    vm_page_set_state(page, VM_PAGE_UNUSED);
    tmap_used(&aspace->translation_map, address, -1);
}

/* Adopts the pages of [base, base + size), or, with `back`, leaves the first `size` bytes again. */
int create_adopt_pages(vm_address_space *aspace, vm_cache_ref *ref, addr_t base, addr_t size,
                       bool back)
{
    int error = VM_OK;
    addr_t done = 0;
    cache_lock(ref);
    vm_mutex_lock(&aspace->translation_map.lock, VM_RANK_TMAP);
    for (; !back && done < size; done += VM_PAGE_SIZE)
        if ((error = adopt_page(aspace, ref, base + done, (off_t)done)) != VM_OK)
            break;
    if (back)
        done = size;
    for (; (back || error != VM_OK) && done > 0; done -= VM_PAGE_SIZE)
        abandon_page(aspace, ref, base + done - VM_PAGE_SIZE, (off_t)(done - VM_PAGE_SIZE));
    vm_mutex_unlock(&aspace->translation_map.lock);
    cache_unlock(ref);
    return error;
}

/* => cache: nobody else's */
static int insert_run(vm_cache_ref *ref, addr_t size)
{
    size_t count = size / VM_PAGE_SIZE, done = 0;
    struct vm_page *run = vm_page_allocate_run(count, true);
    if (!run)
        return ERR_NO_MEMORY;
    cache_lock(ref);
    while (done < count &&
           vm_cache_insert_page(ref, &run[done], (off_t)(done * VM_PAGE_SIZE)) == VM_OK)
        done++;
    cache_unlock(ref);
    if (done == count)
        return VM_OK;
    for (size_t i = done; i < count; i++)
        vm_page_free(&run[i], true);
    return ERR_NO_MEMORY;
}

/* What is promised as a whole, or must be there, before the cache is mapped. */
static int prepare_anonymous(const struct create_request *r, vm_cache_ref *ref)
{
    int error = VM_OK;
    if (r->lock & REGION_SHARED) {
        cache_lock(ref);
        ref->sharers = 1;
        if (!(r->lock & REGION_OVERCOMMIT))
            error = cache_charge(ref->cache, (int64_t)r->size);
        cache_unlock(ref);
    }
    if (error == VM_OK && r->wiring == REGION_WIRING_WIRED_CONTIG)
        error = insert_run(ref, r->size);
    return error;
}

region_id vm_create_anonymous_region(aspace_id aid, const char *name, void **address, int addr_type,
                                     addr_t size, int wiring, unsigned lock)
{
    vm_address_space *aspace;
    addr_t last;
    struct create_request r = {.aid = aid,
                               .name = name,
                               .address = address,
                               .addr_type = addr_type,
                               .size = size,
                               .wiring = wiring,
                               .lock = lock,
                               .max_lock = REGION_RIGHTS,
                               .inherit =
                                   lock & REGION_SHARED ? VM_INHERIT_SHARE : VM_INHERIT_COPY};
    int error = create_begin(&r, &aspace);
    if (error != VM_OK)
        return error;
    if (wiring == REGION_WIRING_WIRED_ALREADY)
        error = addr_type == REGION_ADDR_EXACT_ADDRESS
                    ? range_check(aspace, (addr_t)(uintptr_t)*address, r.size, &last)
                    : ERR_INVALID_ARGS;
    if (error != VM_OK) {
        vm_put_aspace(aspace);
        return error;
    }
    off_t virtual_size = (off_t)r.size;
    if (lock & REGION_GROWS_DOWN) {
        virtual_size = r.size < VM_STACK_LIMIT ? (off_t)VM_STACK_LIMIT : virtual_size;
        r.offset = virtual_size - (off_t)r.size;
    }
    vm_cache_ref *ref = cache_create_for(vm_store_create_anonymous_noswap(), virtual_size, true);
    error = ref ? prepare_anonymous(&r, ref) : ERR_NO_MEMORY;
    if (error == VM_OK)
        return create_finish(&r, aspace, ref);
    if (ref)
        vm_cache_release_ref(ref);
    vm_put_aspace(aspace);
    return error;
}
