/* SPDX-License-Identifier: MIT */
/* Device memory: a fault maps the frame at the same offset from the store's base. */
#include <quire/store.h>

#include "aspace.h"
#include "cache.h"
#include "mapping.h"
#include "meta.h"

static void device_destroy(vm_store *store)
{
    vm_meta_free(store, sizeof *store);
}

static int device_fault(vm_store *store, vm_region *region, addr_t address, unsigned access)
{
    (void)access;
    addr_t base = (addr_t)(uintptr_t)store->data;
    return vm_store_map_frame(region, address, base + (addr_t)region_offset(region, address));
}

static const struct vm_store_ops device_ops = {
    .destroy = device_destroy,
    .fault = device_fault,
};

vm_store *vm_store_create_device(addr_t base)
{
    vm_store *store = meta_alloc_clear(sizeof *store);
    if (store) {
        store->magic = VM_STORE_MAGIC;
        store->ops = &device_ops;
        store->data = (void *)(uintptr_t)base;
    }
    return store;
}

int vm_store_map_frame(vm_region *region, addr_t address, addr_t physical)
{
    struct vm_translation_map *tmap = &region->aspace->translation_map;
    unsigned protection = mapping_protection(region, true);
    vm_mutex_lock(&tmap->lock, VM_RANK_TMAP);
    uint64_t *entry = tmap_entry(tmap, address, true);
    if (entry) {
        bool was_present = tmap_is_present(tmap->format, *entry);
        *entry = tmap_make_entry(tmap->format, physical, protection);
        if (was_present)
            tmap_flush(tmap, address, 1);
        else
            tmap_used(tmap, address, 1);
    }
    vm_mutex_unlock(&tmap->lock);
    return entry ? VM_OK : ERR_NO_MEMORY;
}
