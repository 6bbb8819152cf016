/* SPDX-License-Identifier: MIT */
/* Whose regions are: a pointer of whoever manages them, which the core keeps and gives back. */
#include "aspace.h"
#include "range.h"
#include "region.h"

int vm_set_region_owner(aspace_id aid, region_id rid, void *owner)
{
    vm_address_space *aspace;
    int error = aspace_get_locked(aid, &aspace);
    if (error != VM_OK)
        return error;
    vm_region *region = vm_get_region_by_id(rid);
    if (region && region->aspace == aspace)
        region->owner = owner;
    else
        error = ERR_VM_INVALID_REGION;
    aspace_put_locked(aspace);
    vm_put_region(region);
    return error;
}

int vm_find_owner(aspace_id aid, addr_t address, struct vm_owner *found)
{
    vm_address_space *aspace;
    struct map_cursor cursor;
    if (!found)
        return ERR_INVALID_ARGS;
    int error = aspace_get_read_locked(aid, &aspace);
    if (error != VM_OK)
        return error;
    const vm_region *region = address <= aspace->virtual_map.last
                                  ? map_first(&aspace->virtual_map, address, &cursor)
                                  : NULL;
    if (region)
        *found = (struct vm_owner){.owner = region->owner,
                                   .base = region->base,
                                   .size = region->size,
                                   .offset = region->cache_offset,
                                   .lock = region->lock | (region->cached ? REGION_CACHED : 0u),
                                   .wiring = region_shown_wiring(region),
                                   .id = region->id};
    aspace_put_read_locked(aspace);
    return region ? VM_OK : ERR_NOT_FOUND;
}
