/* SPDX-License-Identifier: MIT */
/* A vregion: a range of a vspace that shows a part of an object. */
#include "layer.h"

static errval_t prepare(struct vregion *vregion, struct vspace *vspace, struct memobj *memobj,
                        size_t offset, size_t size, vregion_flags_t flags)
{
    if (!vregion || !vspace || !vspace->pmap || !memobj || !memobj->store || size == 0 ||
        page_round_up(size) == 0 || !flags_are_known(flags) || vspace_has_region(vspace, vregion))
        return LIB_ERR_INVALID_ARGS;
    *vregion = (struct vregion){.vspace = vspace,
                                .memobj = memobj,
                                .offset = offset,
                                .size = page_round_up(size),
                                .flags = flags};
    return SYS_ERR_OK;
}

/* It is in the vspace: now the object. */
static errval_t map_object(struct vregion *vregion)
{
    errval_t error = vregion->memobj->f.map_region(vregion->memobj, vregion);
    if (err_is_ok(error))
        return SYS_ERR_OK;
    (void)vspace_remove_vregion(vregion->vspace, vregion);
    return err_push(error, LIB_ERR_MEMOBJ_MAP_REGION);
}

static size_t alignment_for(vregion_flags_t flags, size_t alignment)
{
    size_t page = flags & VREGION_FLAGS_HUGE    ? HUGE_PAGE_SIZE
                  : flags & VREGION_FLAGS_LARGE ? LARGE_PAGE_SIZE
                                                : BASE_PAGE_SIZE;
    return alignment > page ? alignment : page;
}

/* A free range is a hint: again, if somebody was faster. */
static errval_t add_somewhere(struct vregion *vregion, size_t alignment)
{
    struct pmap *pmap = vregion->vspace->pmap;
    errval_t error;
    do {
        error = pmap->f.determine_addr_raw(pmap, vregion->size, alignment, &vregion->base);
        if (err_is_fail(error))
            return err_push(error, LIB_ERR_PMAP_DETERMINE_ADDR);
        error = vspace_insert_region(vregion->vspace, vregion);
    } while (err_no(error) == LIB_ERR_VSPACE_REGION_OVERLAP);
    return err_is_ok(error) ? SYS_ERR_OK : err_push(error, LIB_ERR_VSPACE_ADD_REGION);
}

errval_t vregion_map_aligned(struct vregion *vregion, struct vspace *vspace, struct memobj *memobj,
                             size_t offset, size_t size, vregion_flags_t flags, size_t alignment)
{
    errval_t error = prepare(vregion, vspace, memobj, offset, size, flags);
    if (err_is_ok(error) && (alignment & (alignment - 1)) != 0)
        error = LIB_ERR_VREGION_BAD_ALIGNMENT;
    if (err_is_ok(error))
        error = add_somewhere(vregion, alignment_for(flags, alignment));
    return err_is_ok(error) ? map_object(vregion) : error;
}

errval_t vregion_map(struct vregion *vregion, struct vspace *vspace, struct memobj *memobj,
                     size_t offset, size_t size, vregion_flags_t flags)
{
    return vregion_map_aligned(vregion, vspace, memobj, offset, size, flags, 0);
}

errval_t vregion_map_fixed(struct vregion *vregion, struct vspace *vspace, struct memobj *memobj,
                           size_t offset, size_t size, genvaddr_t addr, vregion_flags_t flags)
{
    errval_t error = prepare(vregion, vspace, memobj, offset, size, flags);
    if (err_is_fail(error))
        return error;
    if (!is_page_aligned(addr))
        return LIB_ERR_VREGION_BAD_ALIGNMENT;
    vregion->base = addr;
    error = vspace_insert_region(vspace, vregion);
    if (err_is_fail(error))
        return err_push(error, LIB_ERR_VSPACE_ADD_REGION);
    return map_object(vregion);
}

/* Nobody finds it any more. */
static void wait_for_users(struct vregion *vregion, uint32_t but)
{
    uint32_t users;
    while ((users = __atomic_load_n(&vregion->users, __ATOMIC_ACQUIRE)) > but)
        (void)host_wait(&vregion->users, users, VM_NO_DEADLINE, false);
}

/* An object need not have been told that it is shown. */
static bool leaves_object(struct vregion *vregion)
{
    struct memobj *memobj = vregion->memobj;
    errval_t error = memobj ? memobj->f.unmap_region(memobj, vregion) : SYS_ERR_OK;
    return err_is_ok(error) || err_no(error) == LIB_ERR_VSPACE_VREGION_NOT_FOUND;
}

errval_t vregion_end(struct vregion *vregion, uint32_t holds)
{
    if (!vregion_is_added(vregion) || !leaves_object(vregion) ||
        err_is_fail(vspace_remove_vregion(vregion->vspace, vregion)))
        return LIB_ERR_VREGION_NOT_FOUND;
    wait_for_users(vregion, holds);
    return SYS_ERR_OK;
}

errval_t vregion_destroy(struct vregion *vregion)
{
    return vregion ? vregion_end(vregion, 0) : SYS_ERR_OK;
}

errval_t vregion_pagefault_handler(struct vregion *vregion, genvaddr_t vaddr, vm_fault_type_t type)
{
    if (!vregion || !vregion->memobj)
        return LIB_ERR_INVALID_ARGS;
    if (vaddr - vregion->base >= vregion->size)
        return LIB_ERR_VREGION_NOT_FOUND;
    genvaddr_t offset = vregion->offset + (vaddr - vregion->base);
    return vregion->memobj->f.pagefault(vregion->memobj, vregion, offset, type);
}

struct vspace *vregion_get_vspace(const struct vregion *vregion)
{
    return vregion->vspace;
}

struct memobj *vregion_get_memobj(const struct vregion *vregion)
{
    return vregion->memobj;
}

genvaddr_t vregion_get_base_addr(const struct vregion *vregion)
{
    return vregion->base;
}

genvaddr_t vregion_get_offset(const struct vregion *vregion)
{
    return vregion->offset;
}

gensize_t vregion_get_size(const struct vregion *vregion)
{
    return vregion->size;
}

vregion_flags_t vregion_get_flags(const struct vregion *vregion)
{
    return vregion->flags;
}
