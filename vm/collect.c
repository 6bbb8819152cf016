/* SPDX-License-Identifier: MIT */
/* Collecting accessed bits: over all address spaces, region by region, through the leaf tables. */
#include "reclaim.h"

#include "aspace.h"
#include "mapping.h"
#include "system.h"

#define RECLAIM (&vm_system.reclaim)
/* Pages that have gone before the next collection is due, at least: two batches. */
#define SHORTEST 32

/* As often as a quarter of the younger pages has gone: a page that is used is seen to be before a hand
 * reaches it. */
static bool is_due(void)
{
    size_t due = vm_system.pages.count[VM_PAGE_INACTIVE] / 4;
    return vm_atomic_load(&RECLAIM->gone, __ATOMIC_RELAXED) >= (due > SHORTEST ? due : SHORTEST);
}

/* => map: read-locked */
static void collect_space(vm_address_space *aspace)
{
    struct map_cursor cursor;
    vm_region *region = map_first(&aspace->virtual_map, 0, &cursor);
    for (; region; region = map_next(&cursor)) {
        if (region->is_device)
            continue;
        __atomic_store_n(&region->working_set, mapping_collect(region), __ATOMIC_RELAXED);
    }
}

static void next_generation(void)
{
    vm_mutex_lock(&vm_system.pages.lock, VM_RANK_PAGE);
    vm_system.pages.generation++;
    vm_mutex_unlock(&vm_system.pages.lock);
}

static void collect_all(void)
{
    struct hash_iterator all;
    vm_address_space *aspace;
    next_generation();
    (void)vm_aspace_walk_start(&all);
    while ((aspace = vm_aspace_walk_next(&all)) != NULL) {
        vm_read_lock(&aspace->virtual_map.lock, VM_RANK_MAP);
        collect_space(aspace);
        vm_read_unlock(&aspace->virtual_map.lock);
        vm_put_aspace(aspace);
    }
    VM_COUNT(collections);
}

void reclaim_collect(void)
{
    uint32_t nobody = 0;
    if (!is_due() || !vm_atomic_compare_exchange(&RECLAIM->collecting, &nobody, 1, false,
                                                 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    vm_atomic_store(&RECLAIM->gone, 0, __ATOMIC_RELAXED);
    collect_all();
    vm_atomic_store(&RECLAIM->collecting, 0, __ATOMIC_RELEASE);
}
