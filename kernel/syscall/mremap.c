/* SPDX-License-Identifier: MIT */
/* mremap. */
#include "memory.h"

enum { MREMAP_MAYMOVE = 1, MREMAP_FIXED = 2, MREMAP_DONTUNMAP = 4 };

struct remap {
    addr_t old, old_size, new_size, new;
    unsigned flags;
    aspace_id space;
    vm_region_info info; /* of the region at `old` */
};

static bool overlaps(const struct remap *remap)
{
    return remap->old < remap->new + remap->new_size && remap->new < remap->old + remap->old_size;
}

static int check_target(const struct remap *remap)
{
    if ((remap->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) == 0)
        return 0;
    if ((remap->new &VM_PAGE_MASK) != 0 || remap->new_size > USER_TOP ||
        remap->new > USER_TOP - remap->new_size)
        return -EINVAL;
    return overlaps(remap) ? -EINVAL : 0;
}

static int check(struct remap *remap)
{
    unsigned flags = remap->flags;
    if ((flags & ~(unsigned)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0)
        return -EINVAL;
    if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0 && (flags & MREMAP_MAYMOVE) == 0)
        return -EINVAL;
    if ((flags & MREMAP_DONTUNMAP) != 0 && remap->old_size != remap->new_size)
        return -EINVAL;
    if ((remap->old & VM_PAGE_MASK) != 0)
        return -EINVAL;
    remap->old_size = page_round_up(remap->old_size);
    remap->new_size = page_round_up(remap->new_size);
    if (remap->new_size == 0 || remap->new_size > USER_TOP)
        return -EINVAL;
    int error = check_target(remap);
    if (error != 0)
        return error;
    if (!region_at(remap->space, remap->old, &remap->info))
        return -EFAULT;
    return (flags & MREMAP_FIXED) != 0 && remap->new < USER_BASE ? -EPERM : 0;
}

static bool is_shared(const vm_region_info *info)
{
    return (info->lock & REGION_SHARED) != 0 ||
           (info->vnode != NULL && info->mapping == REGION_NO_PRIVATE_MAP);
}

/* From an old size of 0: the same object once more. Only a whole region can be had twice here. */
static int64_t map_again(const struct remap *remap)
{
    void *address = (void *)remap->new;
    int type = REGION_ADDR_REPLACE;
    if (!is_shared(&remap->info) || remap->info.base != remap->old)
        return -EINVAL;
    if ((remap->flags & MREMAP_MAYMOVE) == 0)
        return -ENOMEM;
    if ((remap->flags & MREMAP_FIXED) == 0) {
        address = (void *)mapping_top(process_current()->memory);
        type = REGION_ADDR_TOP;
    }
    region_id region =
        vm_clone_region(remap->space, remap->info.name, &address, type, remap->info.id,
                        REGION_NO_PRIVATE_MAP, remap->info.lock & LOCK_MASK);
    if (region < 0)
        return errno_from_vm((int)region);
    int error = remap->new_size == remap->info.size
                    ? VM_OK
                    : vm_resize_region(remap->space, region, remap->new_size);
    if (error != VM_OK) {
        (void)vm_delete_region(remap->space, region);
        return errno_from_vm(error);
    }
    return (int64_t)(addr_t)address;
}

/* What MREMAP_DONTUNMAP leaves behind: the same range, with nothing in it. */
static int64_t leave_empty(const struct remap *remap, int64_t moved_to)
{
    void *address = (void *)remap->old;
    region_id region = vm_create_anonymous_region(
        remap->space, remap->info.name, &address, REGION_ADDR_EXACT_ADDRESS, remap->old_size,
        REGION_WIRING_LAZY, remap->info.lock & (LOCK_MASK | REGION_OVERCOMMIT));
    return region < 0 ? errno_from_vm((int)region) : moved_to;
}

static int64_t move(const struct remap *remap)
{
    bool fixed = (remap->flags & MREMAP_FIXED) != 0, keep = (remap->flags & MREMAP_DONTUNMAP) != 0;
    addr_t top = mapping_top(process_current()->memory);
    void *address = (void *)(fixed ? remap->new : top);
    if (keep && (remap->info.vnode != NULL || is_shared(&remap->info)))
        return -EINVAL;
    int error = vm_move_range(remap->space, remap->old, remap->old_size, remap->new_size, &address,
                              fixed ? REGION_ADDR_REPLACE : REGION_ADDR_TOP);
    if (error == ERR_VM_PAGE_NOT_PRESENT)
        return -EFAULT;
    if (error != VM_OK)
        return error == ERR_VM_BAD_ADDRESS ? -ENOMEM : errno_from_vm(error);
    int64_t result = (int64_t)(addr_t)address;
    return keep ? leave_empty(remap, result) : result;
}

/* Cuts off what is too much; the rest stays where it is. */
static int64_t shrink(const struct remap *remap)
{
    addr_t less = remap->old_size - remap->new_size;
    int error =
        less == 0 ? VM_OK : vm_unmap_range(remap->space, remap->old + remap->new_size, less);
    return error == VM_OK ? (int64_t)remap->old
                          : (error == ERR_VM_BAD_ADDRESS ? -EINVAL : errno_from_vm(error));
}

static int64_t grow(const struct remap *remap)
{
    const vm_region_info *info = &remap->info;
    addr_t end = info->base + info->size;
    if (remap->old_size > end - remap->old)
        return -EFAULT;
    if (remap->old_size == end - remap->old) {
        addr_t size = remap->old - info->base + remap->new_size;
        int error = ERR_VM_NO_REGION_SLOT;
        if (remap->new_size <= USER_TOP - remap->old)
            error = vm_resize_region(remap->space, info->id, size);
        if (error == VM_OK)
            return (int64_t)remap->old;
        if (error != ERR_VM_NO_REGION_SLOT && error != ERR_VM_BAD_ADDRESS)
            return errno_from_vm(error);
    }
    return (remap->flags & MREMAP_MAYMOVE) != 0 ? move(remap) : -ENOMEM;
}

int64_t sys_mremap(struct trap_frame *frame)
{
    struct remap remap = {
        .old = ARGUMENT(0),
        .old_size = SIZE(1),
        .new_size = SIZE(2),
        .flags = UNSIGNED(3),
        .new = ARGUMENT(4),
        .space = process_current()->memory->id,
    };
    int error = check(&remap);
    if (error != 0)
        return error;
    if (remap.old_size == 0)
        return map_again(&remap);
    if ((remap.flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0) {
        if (remap.old_size > remap.info.base + remap.info.size - remap.old &&
            remap.old_size <= remap.new_size)
            return -EFAULT;
        return move(&remap);
    }
    return remap.new_size <= remap.old_size ? shrink(&remap) : grow(&remap);
}
