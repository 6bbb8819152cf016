/* SPDX-License-Identifier: MIT */
/* Page tables as hosts and users see them: kept for what will be mapped, and looked at. */
#include "aspace.h"
#include "reclaim.h"

static int get_aspace(aspace_id aid, addr_t address, addr_t size, vm_address_space **aspace)
{
    *aspace = vm_get_aspace_by_id(aid);
    if (!*aspace)
        return ERR_VM_INVALID_ASPACE;
    const struct vm_virtual_map *map = &(*aspace)->virtual_map;
    if (size != 0 && ((address | size) & VM_PAGE_MASK) == 0 && address >= map->base &&
        address <= map->last && size - 1 <= map->last - address)
        return VM_OK;
    vm_put_aspace(*aspace);
    return ERR_VM_BAD_ADDRESS;
}

static int keep(struct vm_translation_map *tmap, addr_t address, addr_t size)
{
    vm_mutex_lock(&tmap->lock, VM_RANK_TMAP);
    int error = tmap_keep(tmap, address, address + (size - 1));
    vm_mutex_unlock(&tmap->lock);
    return error;
}

int vm_keep_tables(aspace_id aid, addr_t address, addr_t size)
{
    vm_address_space *aspace;
    int error = get_aspace(aid, address, size, &aspace);
    if (error != VM_OK)
        return error;
    size_t most = size / VM_PAGE_SIZE / 512 + 3;
    error = page_may_wire(most) ? keep(&aspace->translation_map, address, size) : ERR_NO_MEMORY;
    if (error == ERR_NO_MEMORY && page_may_wire(most) && vm_reclaim(most) > 0)
        error = keep(&aspace->translation_map, address, size);
    vm_put_aspace(aspace);
    return error;
}

int vm_release_tables(aspace_id aid)
{
    vm_address_space *aspace = vm_get_aspace_by_id(aid);
    if (!aspace)
        return ERR_VM_INVALID_ASPACE;
    struct vm_translation_map *tmap = &aspace->translation_map;
    vm_mutex_lock(&tmap->lock, VM_RANK_TMAP);
    tmap_release(tmap, aspace->virtual_map.base, aspace->virtual_map.last);
    vm_mutex_unlock(&tmap->lock);
    vm_put_aspace(aspace);
    return VM_OK;
}

int vm_get_leaf_table(aspace_id aid, addr_t address, addr_t *table)
{
    vm_address_space *aspace;
    int error = get_aspace(aid, address & ~VM_PAGE_MASK, VM_PAGE_SIZE, &aspace);
    if (error != VM_OK)
        return error;
    struct vm_translation_map *tmap = &aspace->translation_map;
    vm_mutex_lock(&tmap->lock, VM_RANK_TMAP);
    const uint64_t *entry = tmap_entry(tmap, address, false);
    vm_mutex_unlock(&tmap->lock);
    if (entry)
        *table = (addr_t)entry & ~VM_PAGE_MASK;
    vm_put_aspace(aspace);
    return entry ? VM_OK : ERR_VM_PAGE_NOT_PRESENT;
}
