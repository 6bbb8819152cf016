/* SPDX-License-Identifier: MIT */
/* What promised memory needs beside its pages: page tables, and the structures by which pages and slots of swap are
 * found. The core's ledger has pages alone, and a sixteenth that is never promised for all the rest; that is too little
 * where regions are small or few of their pages are used, and where swap is many times the budget. */
#include "regions.h"

#define OF_REGION 1536 /* the most that a region's structures take */
#define OF_NODE 600    /* of the core's trees, for 64 pages; with its part of those above */
#define NODE_SIZE (64 * VM_PAGE_SIZE)

static size_t structures; /* bytes, of all regions; changed under the regions' lock */

void reserve_start(void)
{
    structures = 0;
}

static size_t structures_of(const struct region *region)
{
    return OF_REGION + (region->size + NODE_SIZE - 1) / NODE_SIZE * OF_NODE;
}

static size_t tables_of(const struct region *region)
{
    return (region->size + UNIT_SIZE - 1) / UNIT_SIZE * VM_PAGE_SIZE;
}

/* Pins and structures together leave an eighth of the budget to pages. What structures have already counts twice:
 * as wired, and as promised. */
static bool fits(size_t promised, size_t pinned)
{
    vm_info info;
    vm_get_info(&info);
    size_t most = process.frames - process.frames / 8;
    return info.wired_pages + pinned + promised / VM_PAGE_SIZE <= most;
}

bool reserve_may_pin(addr_t size)
{
    size_t promised = __atomic_load_n(&structures, __ATOMIC_RELAXED);
    return promised == 0 || fits(promised, size / VM_PAGE_SIZE);
}

/* Whether the core's region there begins before the address. */
static bool cuts(addr_t address)
{
    struct vm_owner found;
    return vm_find_owner(process.aid, address, &found) == VM_OK && found.base < address;
}

bool reserve_may_split(addr_t first, addr_t size)
{
    size_t promised = __atomic_load_n(&structures, __ATOMIC_RELAXED);
    if (promised == 0)
        return true;
    size_t more = ((size_t)cuts(first) + (size_t)cuts(first + size)) * OF_REGION;
    return more == 0 || fits(promised + more, 0);
}

/* Tables go with the pages that swap takes; structures stay, and leave half of the budget to pages. */
int reserve_for(struct region *region)
{
    size_t more = structures_of(region);
    if (process.overcommit || !region->holds_memory)
        return VM_OK;
    if (more > process.budget / 2 - structures || !fits(structures + more, 0) ||
        vm_commit((int64_t)(more + tables_of(region))) != VM_OK)
        return ERR_VM_WOULD_OVERCOMMIT;
    __atomic_store_n(&structures, structures + more, __ATOMIC_RELAXED);
    region->is_reserved = true;
    return VM_OK;
}

void reserve_end(struct region *region)
{
    if (!region->is_reserved)
        return;
    (void)vm_commit(-(int64_t)(structures_of(region) + tables_of(region)));
    __atomic_store_n(&structures, structures - structures_of(region), __ATOMIC_RELAXED);
    region->is_reserved = false;
}
