/* SPDX-License-Identifier: MIT */
/* What a range of regions allows, and what a fork does with it. */
#include "aspace.h"
#include "cache.h"
#include "commit.h"
#include "mapping.h"
#include "range.h"
#include "system.h"

/* What a change of protection would do, before it does it. */
struct plan {
    addr_t first, last; /* up to a hole, if there is one */
    bool hole;
};

/* => map: write-locked. How far the range is covered. ERR_PERMISSION_DENIED: a region in it may not
 * get this protection. */
static int survey(const vm_address_space *aspace, unsigned lock, struct plan *plan)
{
    struct map_cursor cursor;
    addr_t covered = plan->first; /* up to here, exclusively */
    vm_region *region = map_first(&aspace->virtual_map, plan->first, &cursor);
    for (; region && region->base <= covered; region = map_next(&cursor)) {
        if (region_rights(lock, region->mapping) & ~region->max_lock)
            return ERR_PERMISSION_DENIED;
        if (region_last(region) >= plan->last)
            return VM_OK;
        covered = region_last(region) + 1;
    }
    plan->hole = true;
    plan->last = covered - 1;
    return VM_OK;
}

/* How many bytes of the region are in the plan. */
static off_t part_of(const vm_region *region, const struct plan *plan)
{
    addr_t first = region->base > plan->first ? region->base : plan->first;
    addr_t last = region_last(region) < plan->last ? region_last(region) : plan->last;
    return (off_t)(last - first + 1);
}

/* => map: write-locked. Charges the ledger with what all of them will be promised, or nothing. */
static int charge_range(const vm_address_space *aspace, const struct plan *plan, unsigned lock,
                        off_t *total)
{
    struct map_cursor cursor;
    *total = 0;
    vm_region *region = map_first(&aspace->virtual_map, plan->first, &cursor);
    for (; region && region->base <= plan->last; region = map_next(&cursor))
        *total += region_needs_promise(region, lock) ? part_of(region, plan) : 0;
    if (*total == 0)
        return VM_OK;
    if (VM_INJECT(VM_INJECT_COMMIT) || vm_commit_charge(*total) != VM_OK)
        return ERR_VM_WOULD_OVERCOMMIT;
    return VM_OK;
}

/* Its part of what charge_range has charged. */
static void take_promise(vm_region *region)
{
    cache_lock(region->cache_ref);
    region->cache_ref->cache->store->committed_size += (off_t)region->size;
    region->charged = true;
    cache_unlock(region->cache_ref);
}

static void set_lock(vm_region *region, unsigned lock)
{
    unsigned old = region->lock;
    unsigned new = lock | (old & (REGION_FLAGS_MASK | LOCK_KERNEL));
    if (new == old)
        return;
    cache_lock(region->cache_ref);
    region->lock = new;
    mapping_update(region, region->base, region_last(region));
    cache_unlock(region->cache_ref);
}

/* => map: write-locked. What can fail comes before the first change. */
static int protect(vm_address_space *aspace, struct plan *plan, unsigned lock)
{
    struct map_cursor cursor;
    off_t charged = 0;
    int error = survey(aspace, lock, plan);
    if (error != VM_OK || plan->last < plan->first)
        return error;
    error = charge_range(aspace, plan, lock, &charged);
    if (error != VM_OK)
        return error;
    if (range_isolate(aspace, plan->first, plan->last) != VM_OK) {
        (void)vm_commit_charge(-charged);
        return ERR_NO_MEMORY;
    }
    vm_region *region = map_first(&aspace->virtual_map, plan->first, &cursor);
    for (; region && region->base <= plan->last; region = map_next(&cursor)) {
        if (region_needs_promise(region, lock))
            take_promise(region);
        set_lock(region, lock);
    }
    range_join(aspace, plan->first, plan->last);
    return VM_OK;
}

int vm_protect_range(aspace_id aid, addr_t address, addr_t size, unsigned lock)
{
    vm_address_space *aspace;
    struct plan plan = {.first = address};
    if ((lock & ~LOCK_MASK) || ((lock & LOCK_NO_READ) && (lock & (LOCK_RW | LOCK_EXECUTE))))
        return ERR_INVALID_ARGS;
    reclaim_ensure();
    int error = aspace_get_locked(aid, &aspace);
    if (error != VM_OK)
        return error;
    error = range_check(aspace, address, size, &plan.last);
    if (error == VM_OK)
        error = protect(aspace, &plan, lock);
    aspace_put_locked(aspace);
    return error == VM_OK && plan.hole ? ERR_VM_PAGE_NOT_PRESENT : error;
}

int vm_set_inheritance(aspace_id aid, addr_t address, addr_t size, int inherit)
{
    vm_address_space *aspace;
    struct map_cursor cursor;
    struct plan plan = {.first = address};
    if (inherit < VM_INHERIT_COPY || inherit > VM_INHERIT_NONE)
        return ERR_INVALID_ARGS;
    reclaim_ensure();
    int error = aspace_get_locked(aid, &aspace);
    if (error != VM_OK)
        return error;
    error = range_check(aspace, address, size, &plan.last);
    if (error == VM_OK)
        error = survey(aspace, LOCK_RO, &plan);
    if (error == VM_OK && plan.hole)
        error = ERR_VM_PAGE_NOT_PRESENT;
    if (error == VM_OK)
        error = range_isolate(aspace, plan.first, plan.last);
    if (error == VM_OK) {
        vm_region *region = map_first(&aspace->virtual_map, plan.first, &cursor);
        for (; region && region->base <= plan.last; region = map_next(&cursor))
            region_set_inherit(region, (uint8_t)inherit);
        range_join(aspace, plan.first, plan.last);
    }
    aspace_put_locked(aspace);
    return error;
}
