/* SPDX-License-Identifier: MIT */
/* Regions over devices, and over nothing. */
#include "aspace.h"
#include "create.h"
#include "system.h"

static bool is_translatable(addr_t last)
{
    const struct vm_tmap_format *format = vm_system.format;
    return last >> VM_PAGE_SHIFT <= format->frame_mask >> format->frame_shift;
}

/* Whether a run of physical addresses touches memory of the core's. */
static bool is_memory(addr_t base, addr_t size)
{
    for (unsigned i = 0; i < vm_system.pages.range_count; i++) {
        addr_t first = vm_system.pages.range[i].first << VM_PAGE_SHIFT;
        addr_t bytes = vm_system.pages.range[i].count << VM_PAGE_SHIFT;
        if (base < first ? first - base < size : base - first < bytes)
            return true;
    }
    return false;
}

region_id vm_map_physical_memory(aspace_id aid, const char *name, void **address, int addr_type,
                                 addr_t size, unsigned lock, addr_t phys_addr)
{
    vm_address_space *aspace;
    addr_t within = phys_addr & VM_PAGE_MASK;
    struct create_request r = {.aid = aid,
                               .name = name,
                               .address = address,
                               .addr_type = addr_type,
                               .size = size,
                               .lock = lock,
                               .max_lock = REGION_RIGHTS,
                               .inherit = VM_INHERIT_SHARE};
    if (size == 0)
        return ERR_INVALID_ARGS;
    if (size > UINTPTR_MAX - within || phys_addr - within > UINTPTR_MAX - (size + within - 1) ||
        !is_translatable(phys_addr + (size - 1)))
        return ERR_VM_BAD_ADDRESS;
    r.size = size + within;
    int error = create_begin(&r, &aspace);
    if (error != VM_OK)
        return error;
    if (aspace != vm_system.kernel_aspace && is_memory(phys_addr - within, r.size)) {
        vm_put_aspace(aspace);
        return ERR_INVALID_ARGS;
    }
    vm_cache_ref *ref =
        cache_create_for(vm_store_create_device(phys_addr - within), (off_t)r.size, false);
    region_id id = create_finish(&r, aspace, ref);
    if (id > 0)
        *address = (char *)*address + within;
    return id;
}

region_id vm_create_null_region(aspace_id aid, const char *name, void **address, int addr_type,
                                addr_t size)
{
    vm_address_space *aspace;
    struct create_request r = {.aid = aid,
                               .name = name,
                               .address = address,
                               .addr_type = addr_type,
                               .size = size,
                               .lock = LOCK_NO_READ |
                                       (aid == vm_get_kernel_aspace_id() ? LOCK_KERNEL : LOCK_RO),
                               .max_lock = LOCK_EXECUTE, /* of nothing: each fault is fatal */
                               .inherit = VM_INHERIT_SHARE};
    int error = create_begin(&r, &aspace);
    if (error != VM_OK)
        return error;
    return create_finish(&r, aspace,
                         cache_create_for(vm_store_create_null(), (off_t)r.size, false));
}
