/* SPDX-License-Identifier: MIT */
/* What a pmap has, in the order of addresses: regions, and the pages that are mapped in them. */
#include "layer.h"

bool pmap_next_region(const struct pmap *pmap, addr_t *address, struct vm_owner *found)
{
    const struct vspace_owner *owner;
    while (vm_find_owner(pmap->aid, *address, found) == VM_OK) {
        *address = found->base + found->size;
        owner = found->owner;
        LAYER_STEP();
        if (owner && owner->pmap == pmap)
            return true;
    }
    return false;
}

bool pmap_next_page(const struct pmap *pmap, genvaddr_t *address, genvaddr_t last,
                    genpaddr_t *physical)
{
    lvaddr_t table;
    genvaddr_t end;
    for (genvaddr_t at = *address; at <= last; at = end + 1) {
        *address = at;
        if (vm_get_page_mapping(pmap->aid, at, physical) == VM_OK)
            return true;
        /* Where there is no table, no page of it is. */
        bool none = vm_get_leaf_table(pmap->aid, at, &table) != VM_OK;
        end = at | (none ? LARGE_PAGE_SIZE - 1 : VM_PAGE_MASK);
    }
    return false;
}
