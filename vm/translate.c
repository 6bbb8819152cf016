/* SPDX-License-Identifier: MIT */
/* Looking addresses up for a host that is its own MMU. */
#include "aspace.h"

/* A format may have a bit for it, or one against it. */
static bool is_executable(const struct vm_tmap_format *format, uint64_t entry)
{
    uint64_t not = format->leaf[TMAP_READ], is = format->leaf[TMAP_READ | TMAP_EXECUTE];
    return ((entry ^ is) & (not ^is)) == 0;
}

static bool allows(const struct vm_tmap_format *format, uint64_t entry, unsigned access)
{
    return tmap_is_present(format, entry) &&
           (!(access & VM_ACCESS_WRITE) || (entry & format->writable)) &&
           (!(access & VM_ACCESS_EXECUTE) || is_executable(format, entry));
}

/* => tmap: locked */
static uint64_t mark(const struct vm_tmap_format *format, uint64_t *entry, unsigned access)
{
    uint64_t bits = format->accessed | (access & VM_ACCESS_WRITE ? format->dirty : 0u);
    uint64_t old = vm_atomic_load(entry, __ATOMIC_RELAXED);
    if ((old & bits) != bits)
        old = vm_atomic_fetch_or(entry, bits, __ATOMIC_ACQ_REL);
    return old | bits;
}

int vm_translate(vm_address_space *aspace, addr_t address, unsigned access, vm_found *found,
                 void *argument, addr_t *physical, bool *writable)
{
    struct vm_translation_map *tmap = &aspace->translation_map;
    const struct vm_tmap_format *format = tmap->format;
    uint64_t both = format->writable | format->dirty;
    int error = ERR_VM_PAGE_NOT_PRESENT;
    vm_mutex_lock(&tmap->lock, VM_RANK_TMAP);
    uint64_t *entry = tmap_entry(tmap, address, false);
    if (entry && allows(format, *entry, access)) {
        uint64_t now = mark(format, entry, access);
        *physical = tmap_entry_physical(format, now) + (address & VM_PAGE_MASK);
        *writable = (now & both) == both;
        found(address, argument);
        error = VM_OK;
    }
    vm_mutex_unlock(&tmap->lock);
    return error;
}

void vm_prefetch_translation(vm_address_space *aspace, addr_t address)
{
    struct vm_translation_map *tmap = &aspace->translation_map;
    vm_mutex_lock(&tmap->lock, VM_RANK_TMAP);
    const uint64_t *entry = tmap_entry(tmap, address, false);
    if (entry)
        __builtin_prefetch(entry, 1);
    vm_mutex_unlock(&tmap->lock);
}

void vm_translate_run(vm_address_space *aspace, addr_t address, size_t count, vm_found *found,
                      void *argument, addr_t *physical)
{
    struct vm_translation_map *tmap = &aspace->translation_map;
    const struct vm_tmap_format *format = tmap->format;
    vm_mutex_lock(&tmap->lock, VM_RANK_TMAP);
    const uint64_t *entry = tmap_entry(tmap, address, false);
    for (size_t i = 0; i < count; i++)
        physical[i] =
            entry && tmap_is_present(format, entry[i]) ? tmap_entry_physical(format, entry[i]) : 0;
    found(address, argument);
    vm_mutex_unlock(&tmap->lock);
}
