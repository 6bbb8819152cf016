/* SPDX-License-Identifier: MIT */
/* An address space: everything a process can address. */
#ifndef VM_ASPACE_H
#define VM_ASPACE_H

#include <quire/vm.h>

#include "map.h"
#include "tmap/tmap.h"

#define VM_ASPACE_MAGIC 0x766d6173u /* 'vmas' */

enum vm_aspace_state { VM_ASPACE_NORMAL, VM_ASPACE_DELETION };

struct vm_address_space {
    uint32_t magic;
    uint32_t ref_count; /* atomic: the creator's one, and those given out */
    aspace_id id;
    struct vm_virtual_map virtual_map;
    struct vm_translation_map translation_map;
    uint32_t state; /* guarded by the map's lock */
    char name[VM_NAME_LENGTH];
    void *owner; /* atomic */
};

/* A structure with its id, not yet in the table of spaces. */
int aspace_create_struct(const char *name, addr_t base, addr_t size, bool kernel,
                         vm_address_space **created);
/* Puts it into the table: others can find it now. ERR_NO_MEMORY. */
int aspace_register(vm_address_space *aspace);
void aspace_destroy(vm_address_space *aspace);

/* => map: write-locked, and let go. A small map keeps no spare nodes. */
static inline void aspace_write_unlock(vm_address_space *aspace)
{
    struct vm_virtual_map *map = &aspace->virtual_map;
    if (map->spares > 0 && map->height <= 1)
        map_unreserve(map);
    vm_write_unlock(&map->lock);
}

/* An address space found by id, with a reference and its map write-locked. ERR_VM_INVALID_ASPACE. */
int aspace_get_locked(aspace_id aid, vm_address_space **aspace);
void aspace_put_locked(vm_address_space *aspace);
/* The same with the map read-locked. */
int aspace_get_read_locked(aspace_id aid, vm_address_space **aspace);
void aspace_put_read_locked(vm_address_space *aspace);

#endif
