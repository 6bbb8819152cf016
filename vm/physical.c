/* SPDX-License-Identifier: MIT */
/* Physical memory, for hosts: what an address translates to, windows on frames, frames to own. */
#include "aspace.h"
#include "cache.h"
#include "fault.h"
#include "print.h"
#include "range.h"
#include "system.h"

int vm_get_page_mapping(aspace_id aid, addr_t vaddr, addr_t *paddr)
{
    if (!paddr)
        return ERR_INVALID_ARGS;
    vm_address_space *aspace = vm_get_aspace_by_id(aid);
    if (!aspace)
        return ERR_VM_INVALID_ASPACE;
    const struct vm_virtual_map *map = &aspace->virtual_map;
    int error = ERR_VM_PAGE_NOT_PRESENT;
    if (vaddr >= map->base && vaddr <= map->last) {
        vm_mutex_lock(&aspace->translation_map.lock, VM_RANK_TMAP);
        error = tmap_query(&aspace->translation_map, vaddr, paddr);
        vm_mutex_unlock(&aspace->translation_map.lock);
    }
    vm_put_aspace(aspace);
    return error;
}

int vm_get_physical_page(addr_t paddr, addr_t *vaddr, int flags)
{
    if (!vaddr || (flags != PHYSICAL_PAGE_NO_WAIT && flags != PHYSICAL_PAGE_CAN_WAIT))
        return ERR_INVALID_ARGS;
    if (!vm_page_at(paddr))
        return ERR_VM_BAD_ADDRESS;
    *vaddr = (addr_t)(uintptr_t)host_frame_ptr(paddr);
    return VM_OK;
}

int vm_put_physical_page(addr_t vaddr)
{
    for (unsigned i = 0; i < vm_system.pages.range_count; i++) {
        const struct vm_page_range *range = &vm_system.pages.range[i];
        addr_t base = (addr_t)(uintptr_t)host_frame_ptr(range->first << VM_PAGE_SHIFT);
        if (vaddr - base < range->count << VM_PAGE_SHIFT)
            return VM_OK;
    }
    return ERR_VM_BAD_ADDRESS;
}

static void give(struct vm_page *page, size_t count, addr_t *physical)
{
    for (size_t i = 0; i < count; i++)
        page[i].is_hosts = true;
    *physical = vm_page_physical(page);
}

int vm_allocate_frames(size_t count, bool clear, addr_t *physical)
{
    if (count == 0 || !physical)
        return ERR_INVALID_ARGS;
    struct vm_page *page = count == 1 ? vm_page_allocate(VM_PAGE_WIRED, clear, VM_INJECT_FRAME)
                                      : vm_page_allocate_run(count, clear);
    if (!page)
        return ERR_NO_MEMORY;
    give(page, count, physical);
    return VM_OK;
}

int vm_allocate_reserved_frame(addr_t *physical)
{
    if (!physical)
        return ERR_INVALID_ARGS;
    struct vm_page *page = VM_INJECT(VM_INJECT_FRAME) ? NULL : page_take_reserved();
    if (!page)
        return ERR_NO_MEMORY;
    give(page, 1, physical);
    return VM_OK;
}

/* => nothing: what others are given or give back meanwhile may count or not */
static void count_in(const struct vm_page_range *range, uint64_t first, uint64_t end,
                     struct vm_frame_count *count)
{
    uint64_t from = first > range->first ? first : range->first;
    uint64_t to = end < range->first + range->count ? end : range->first + range->count;
    for (uint64_t number = from; number < to; number++) {
        count->memory++;
        count->hosts += range->pages[number - range->first].is_hosts;
    }
}

void vm_count_frames(addr_t physical, addr_t size, struct vm_frame_count *count)
{
    uint64_t first = physical >> VM_PAGE_SHIFT;
    *count = (struct vm_frame_count){0};
    for (unsigned i = 0; i < vm_system.pages.range_count; i++)
        count_in(&vm_system.pages.range[i], first, first + (size >> VM_PAGE_SHIFT), count);
}

/* ---- holding ------------------------------------------------------------------------------------ */

/* The page that is mapped there is in use once more. ERR_VM_PAGE_NOT_PRESENT: it has gone again.
 * ERR_UNSUPPORTED: it is no memory. */
static int use_mapped(vm_address_space *aspace, addr_t address, addr_t *physical)
{
    vm_mutex_lock(&aspace->translation_map.lock, VM_RANK_TMAP);
    int error = tmap_query(&aspace->translation_map, address, physical);
    struct vm_page *page = error == VM_OK ? vm_page_at(*physical) : NULL;
    if (page && page->cache)
        vm_page_use(page);
    else if (error == VM_OK)
        error = ERR_UNSUPPORTED;
    vm_mutex_unlock(&aspace->translation_map.lock);
    return error;
}

int vm_hold_page(aspace_id aid, addr_t address, unsigned access, addr_t *physical)
{
    if (!physical)
        return ERR_INVALID_ARGS;
    vm_address_space *aspace = vm_get_aspace_by_id(aid);
    if (!aspace)
        return ERR_VM_INVALID_ASPACE;
    int error;
    do {
        error = vm_soft_fault(aspace, address, access);
        if (error == VM_OK)
            error = use_mapped(aspace, address, physical);
    } while (error == ERR_VM_PAGE_NOT_PRESENT);
    vm_put_aspace(aspace);
    return error;
}

void vm_unhold_page(addr_t physical, bool modified)
{
    struct vm_page *page = vm_page_at(physical);
    VM_ASSERT(page != NULL && page->map_count > 0);
    if (modified)
        page_set_modified(page);
    cache_unhold_page(page);
}

void vm_free_frames(addr_t physical, size_t count)
{
    struct vm_page *page = vm_page_at(physical);
    VM_ASSERT(page != NULL && !(physical & VM_PAGE_MASK));
    for (size_t i = 0; i < count; i++) {
        VM_ASSERT(page[i].state == VM_PAGE_WIRED && !page[i].cache);
        page[i].is_hosts = false;
        vm_page_free(&page[i], false);
    }
}
