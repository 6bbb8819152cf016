/* SPDX-License-Identifier: MIT */
/* The way of every new region into its address space. */
#include "create.h"

#include "aspace.h"
#include "contents.h"
#include "range.h"
#include "reclaim.h"
#include "region.h"
#include "system.h"

int create_check(struct create_request *r)
{
    if (!r->name || !r->address || r->size == 0 || (r->lock & ~(LOCK_MASK | REGION_FLAGS_MASK)) ||
        ((r->lock & LOCK_NO_READ) && (r->lock & (LOCK_RW | LOCK_EXECUTE))) ||
        (r->mapping != REGION_NO_PRIVATE_MAP && r->mapping != REGION_PRIVATE_MAP) ||
        r->addr_type < REGION_ADDR_ANY_ADDRESS || r->addr_type > REGION_ADDR_TOP ||
        r->wiring < REGION_WIRING_LAZY || r->wiring > REGION_WIRING_WIRED_CONTIG)
        return ERR_INVALID_ARGS;
    if (r->size > (addr_t)INT64_MAX - VM_PAGE_MASK)
        return ERR_VM_BAD_ADDRESS;
    r->size = (r->size + VM_PAGE_MASK) & ~VM_PAGE_MASK;
    return VM_OK;
}

int create_check_object(const struct create_request *r)
{
    if ((off_t)r->size > INT64_MAX - r->offset)
        return ERR_INVALID_ARGS;
    return region_rights(r->lock, r->mapping) & ~r->max_lock ? ERR_PERMISSION_DENIED : VM_OK;
}

static int check_aspace(const struct create_request *r, const vm_address_space *aspace)
{
    bool kernel = aspace == vm_system.kernel_aspace;
    if (kernel ? !(r->lock & LOCK_KERNEL) : r->wiring > REGION_WIRING_WIRED)
        return ERR_INVALID_ARGS;
    return VM_OK;
}

/* ---- into the map ------------------------------------------------------------------------------- */

/* => map: write-locked. Finds the place, makes room there if asked to, and puts the region in. All
 * that can fail comes first. */
static int find_and_insert_region_slot(vm_address_space *aspace, const struct create_request *r,
                                       vm_region *region, struct range_removed *removed)
{
    struct range_place place = {r->size, r->addr_type, (addr_t)(uintptr_t)*r->address};
    int error = range_find_place(aspace, &place);
    if (error != VM_OK)
        return error;
    /* Two more for the splits of what is replaced. */
    bool replace = r->addr_type == REGION_ADDR_REPLACE;
    error = map_reserve(&aspace->virtual_map, replace ? 3 : 1);
    if (error == VM_OK)
        error = region_register(region);
    if (error != VM_OK) {
        map_unreserve(&aspace->virtual_map);
        return error;
    }
    addr_t last = place.address + (r->size - 1);
    if (replace && range_isolate(aspace, place.address, last) != VM_OK) {
        region_unregister(region);
        return ERR_NO_MEMORY;
    }
    if (replace)
        range_remove(aspace, place.address, last, removed);
    region->base = place.address;
    region->size = r->size;
    map_insert(&aspace->virtual_map, region);
    return VM_OK;
}

/* => cache: locked */
static int charge_region(vm_region *region, addr_t size)
{
    vm_cache *cache = region->cache_ref->cache;
    region->promised = region->cache_ref->sharers > 0;
    if (!region_needs_promise(region, region->lock))
        return VM_OK;
    int error = cache_charge(cache, (int64_t)size);
    region->charged = error == VM_OK;
    return error;
}

static int charge_locked(vm_region *region, addr_t size)
{
    cache_lock(region->cache_ref);
    int error = charge_region(region, size);
    cache_unlock(region->cache_ref);
    return error;
}

static vm_region *make_region(const struct create_request *r, vm_address_space *aspace,
                              vm_cache_ref *ref)
{
    vm_region *region = _vm_create_region_struct(aspace, r->name, r->wiring, r->lock);
    if (!region)
        return NULL;
    region->cache_ref = ref;
    region->cache_offset = r->offset;
    region->mapping = (uint8_t)r->mapping;
    region->inherit = (uint8_t)r->inherit;
    region->max_lock = r->max_lock;
    region->errors_seen = ref->write_errors;
    region->cached = r->cached;
    region->is_device = !ref->temporary && ref->cache->store->ops->fault;
    /* A private copy is nobody else's yet. */
    region->reads_fill =
        r->mapping == REGION_PRIVATE_MAP ? ref->cache->source->temporary : !r->shows_file;
    return region;
}

/* => map: write-locked. The clone has come; what isn't populated can't fail any more. No fork sees one of the two
 * without the other. */
static void begin_sharing(struct create_request *r, vm_region *region)
{
    vm_region *source = r->shares->aspace == region->aspace ? r->shares : NULL;
    if (create_is_populated(r))
        region_begin_clone(source, region, &r->clone);
    else if (source)
        region_set_inherit(source, VM_INHERIT_SHARE);
}

static void end_sharing(vm_address_space *aspace, const struct create_request *r, bool success)
{
    vm_write_lock(&aspace->virtual_map.lock, VM_RANK_MAP);
    region_end_clone(aspace, &r->clone, success);
    aspace_write_unlock(aspace);
}

/* Puts a region over `ref`, or over a private copy of it. The caller keeps his reference. */
static int map_backing_store(vm_address_space *aspace, vm_cache_ref *ref, struct create_request *r,
                             region_id *id)
{
    struct range_removed removed;
    int error = VM_OK;
    if (r->mapping == REGION_PRIVATE_MAP)
        error = chain_private(ref, &ref);
    else
        vm_cache_acquire_ref(ref);
    if (error != VM_OK)
        return error;
    vm_region *region = make_region(r, aspace, ref);
    error = region ? charge_locked(region, r->size) : ERR_NO_MEMORY;
    range_removed_init(&removed);
    if (error == VM_OK) {
        vm_write_lock(&aspace->virtual_map.lock, VM_RANK_MAP);
        error = aspace->state == VM_ASPACE_NORMAL
                    ? find_and_insert_region_slot(aspace, r, region, &removed)
                    : ERR_VM_INVALID_ASPACE;
        if (error == VM_OK) {
            cache_lock(ref);
            vm_cache_insert_region(ref, region);
            cache_unlock(ref);
            if (r->shares)
                begin_sharing(r, region);
            *id = region->id;
            *r->address = (void *)region->base;
        }
        aspace_write_unlock(aspace);
        range_removed_release(&removed);
    }
    if (error == VM_OK)
        return VM_OK;
    if (region && region->charged) {
        cache_lock(ref);
        cache_uncharge(ref->cache, (int64_t)r->size);
        cache_unlock(ref);
    }
    vm_put_region(region);
    vm_cache_release_ref(ref);
    return error;
}

/* All pages of a wired region are there when its creation returns. */
static int populate(vm_address_space *aspace, const struct create_request *r, region_id id)
{
    addr_t base = (addr_t)(uintptr_t)*r->address;
    int error = contents_bring_in(aspace, base, base + (r->size - 1));
    if (error != VM_OK)
        (void)vm_delete_region(aspace->id, id);
    if (r->shares)
        end_sharing(aspace, r, error == VM_OK);
    return error;
}

/* The common end of all creators: the reference on the cache is given back. */
region_id create_finish(struct create_request *r, vm_address_space *aspace, vm_cache_ref *ref)
{
    region_id id = ERR_NO_MEMORY;
    bool adopts = r->wiring == REGION_WIRING_WIRED_ALREADY;
    addr_t base = (addr_t)(uintptr_t)*r->address;
    int error = ref ? VM_OK : ERR_NO_MEMORY;
    if (error == VM_OK && adopts)
        error = create_adopt_pages(aspace, ref, base, r->size, false);
    if (error == VM_OK) {
        error = map_backing_store(aspace, ref, r, &id);
        if (error != VM_OK && adopts)
            (void)create_adopt_pages(aspace, ref, base, r->size, true);
    }
    if (ref)
        vm_cache_release_ref(ref);
    if (error == VM_OK && create_is_populated(r))
        error = populate(aspace, r, id);
    vm_put_aspace(aspace);
    return error == VM_OK ? id : error;
}

/* The checks before anything is made: *aspace with a reference. */
int create_begin(struct create_request *r, vm_address_space **aspace)
{
    int error = create_check(r);
    if (error != VM_OK)
        return error;
    reclaim_ensure();
    *aspace = vm_get_aspace_by_id(r->aid);
    if (!*aspace)
        return ERR_VM_INVALID_ASPACE;
    error = check_aspace(r, *aspace);
    if (error != VM_OK)
        vm_put_aspace(*aspace);
    return error;
}
