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

/* => tmap: locked. ERR_NO_MEMORY: for a table */
static int map_frame(struct vm_translation_map *tmap, addr_t address, uint64_t new)
{
    const struct vm_tmap_format *format = tmap->format;
    uint64_t *entry = tmap_entry(tmap, address, true);
    if (!entry)
        return ERR_NO_MEMORY;
    uint64_t old = *entry;
    if (tmap_is_present(format, old) && !((old ^ new) & ~(format->accessed | format->dirty)))
        return VM_OK;
    *entry = new;
    if (tmap_is_present(format, old))
        tmap_flush(tmap, address, 1);
    else
        tmap_used(tmap, address, 1);
    return VM_OK;
}

int vm_store_map_frames(vm_region *region, addr_t address, addr_t physical, size_t count)
{
    struct vm_translation_map *tmap = &region->aspace->translation_map;
    unsigned protection = mapping_protection(region, true);
    int error = VM_OK;
    vm_mutex_lock(&tmap->lock, VM_RANK_TMAP);
    for (addr_t done = 0; error == VM_OK && done < count * VM_PAGE_SIZE; done += VM_PAGE_SIZE)
        error = map_frame(tmap, address + done,
                          tmap_make_entry(tmap->format, physical + done, protection));
    vm_mutex_unlock(&tmap->lock);
    return error;
}

int vm_store_map_frame(vm_region *region, addr_t address, addr_t physical)
{
    return vm_store_map_frames(region, address, physical, 1);
}

void vm_store_get_region(const vm_region *region, struct vm_store_region *where)
{
    *where = (struct vm_store_region){region->base, region->size, region->cache_offset};
}
