/* SPDX-License-Identifier: MIT */
/* What flags mean to the core. */
#include "layer.h"

unsigned flags_to_lock(vregion_flags_t flags)
{
    unsigned rights = flags & (VREGION_FLAGS_READ | VREGION_FLAGS_WRITE | VREGION_FLAGS_EXECUTE);
    if (rights == 0 || (flags & VREGION_FLAGS_GUARD))
        return LOCK_NO_READ;
    return (rights & VREGION_FLAGS_WRITE ? LOCK_RW : LOCK_RO) |
           (rights & VREGION_FLAGS_EXECUTE ? LOCK_EXECUTE : 0u);
}

vregion_flags_t flags_of_lock(unsigned lock)
{
    if (lock & LOCK_NO_READ)
        return VREGION_FLAGS_NONE;
    return (lock & REGION_CACHED ? 0u : VREGION_FLAGS_NOCACHE) | VREGION_FLAGS_READ |
           (lock & LOCK_RW ? VREGION_FLAGS_WRITE : 0u) |
           (lock & LOCK_EXECUTE ? VREGION_FLAGS_EXECUTE : 0u);
}

unsigned flags_to_cacheability(vregion_flags_t flags)
{
    unsigned past = VREGION_FLAGS_NOCACHE | VREGION_FLAGS_MPB | VREGION_FLAGS_WRITE_COMBINING;
    return flags & past ? 0u : REGION_CACHED;
}

unsigned fault_to_access(vm_fault_type_t type)
{
    static const unsigned access[] = {VM_ACCESS_READ, VM_ACCESS_READ, VM_ACCESS_WRITE,
                                      VM_ACCESS_EXECUTE};
    return access[type] | VM_ACCESS_USER;
}
