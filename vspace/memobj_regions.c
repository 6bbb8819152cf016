/* SPDX-License-Identifier: MIT */
/* Which vregions show an object, and what is done to one of them. */
#include "layer.h"

bool memobj_shows(const struct memobj *memobj, const struct vregion *vregion)
{
    const struct vregion *at = memobj->regions;
    lock_check(&memobj->lock);
    while (at && at != vregion)
        at = at->next_mapping;
    return at != NULL;
}

bool vregion_shows(const struct vregion *vregion, genvaddr_t offset, size_t range)
{
    return range > 0 && offset >= vregion->offset && offset - vregion->offset < vregion->size &&
           range - 1 <= vregion->size - 1 - (offset - vregion->offset);
}

/* => memobj: its regions locked */
static errval_t check_map(const struct memobj *memobj, const struct vregion *vregion)
{
    const struct memobj_kind *kind = memobj->kind;
    if (memobj_shows(memobj, vregion))
        return LIB_ERR_MEMOBJ_MAP_REGION;
    if (kind->maps_once && memobj->regions)
        return LIB_ERR_MEMOBJ_VREGION_ALREADY_MAPPED;
    if (kind->accepts_offset && !kind->accepts_offset(memobj, vregion->offset))
        return LIB_ERR_MEMOBJ_MAP_REGION;
    return SYS_ERR_OK;
}

/* => memobj: its regions locked. What is filled in [at, last], of an object that maps at once. */
static errval_t map_present(struct memobj *memobj, const struct vregion *vregion, genvaddr_t at,
                            genvaddr_t last)
{
    while (at <= last) {
        lock_take(&memobj->store->lock);
        const struct memobj_frame_list *frame = frames_above(&memobj->frames, at);
        genvaddr_t first = frame && frame->offset > at ? frame->offset : at;
        genvaddr_t end = frame ? frame->offset + (frame->size - 1) : 0;
        lock_give(&memobj->store->lock);
        if (!frame || first > last)
            break;
        errval_t error = memobj_map_filled(memobj, vregion, first, end < last ? end : last, false);
        if (err_is_fail(error))
            return error;
        at = end + 1;
    }
    return SYS_ERR_OK;
}

errval_t memobj_map_region(struct memobj *memobj, struct vregion *vregion)
{
    if (!memobj || !vregion || !memobj->store || vregion->memobj != memobj ||
        !vregion_is_added(vregion))
        return LIB_ERR_INVALID_ARGS;
    lock_take(&memobj->lock);
    errval_t error = check_map(memobj, vregion);
    if (err_is_ok(error) && memobj->kind->maps_filled)
        error =
            map_present(memobj, vregion, vregion->offset, vregion->offset + (vregion->size - 1));
    if (err_is_ok(error)) {
        vregion->next_mapping = memobj->regions;
        LAYER_STEP();
        memobj->regions = vregion;
    }
    lock_give(&memobj->lock);
    return error;
}

errval_t memobj_unmap_region(struct memobj *memobj, struct vregion *vregion)
{
    if (!memobj || !vregion)
        return LIB_ERR_INVALID_ARGS;
    lock_take(&memobj->lock);
    struct vregion **link = &memobj->regions;
    while (*link && *link != vregion)
        link = &(*link)->next_mapping;
    bool found = *link == vregion;
    LAYER_STEP();
    if (found) {
        *link = vregion->next_mapping;
        vregion->next_mapping = NULL;
        memobj_forget_pins(memobj, vregion);
        if (vregion_is_added(vregion)) /* else its addresses may be another's */
            (void)vm_discard_range(vregion->vspace->pmap->aid, vregion->base, vregion->size);
    }
    lock_give(&memobj->lock);
    return found ? SYS_ERR_OK : LIB_ERR_VSPACE_VREGION_NOT_FOUND;
}

/* => memobj: its regions locked */
static errval_t protect(struct memobj *memobj, struct vregion *vregion, genvaddr_t offset,
                        size_t range, vs_prot_flags_t flags)
{
    struct pmap *pmap = vregion->vspace->pmap;
    genvaddr_t address = vregion->base + (offset - vregion->offset);
    errval_t error = pmap->f.modify_flags(pmap, address, range, flags, NULL);
    if (err_is_fail(error))
        return err_push(error, LIB_ERR_PMAP_MODIFY_FLAGS);
    if (page_round_up(range) == vregion->size)
        vregion->flags = (vregion->flags & ~FLAGS_OF_RIGHTS) | (flags & FLAGS_OF_RIGHTS);
    /* If there is no memory for tables, the accesses map it. */
    genvaddr_t last = offset + (page_round_up(range) - 1);
    if (memobj->kind->maps_filled)
        (void)map_present(memobj, vregion, offset, last);
    memobj_map_pinned(memobj, vregion, offset, last);
    return SYS_ERR_OK;
}

errval_t memobj_protect(struct memobj *memobj, struct vregion *vregion, genvaddr_t offset,
                        size_t range, vs_prot_flags_t flags)
{
    errval_t error = LIB_ERR_MEMOBJ_WRONG_OFFSET;
    if (!memobj || !vregion || !memobj->store || !flags_are_known(flags))
        return LIB_ERR_INVALID_ARGS;
    lock_take(&memobj->lock);
    if (!memobj_shows(memobj, vregion))
        error = LIB_ERR_VSPACE_VREGION_NOT_FOUND;
    else if (is_page_aligned(offset) && vregion_shows(vregion, offset, range))
        error = protect(memobj, vregion, offset, range, flags);
    lock_give(&memobj->lock);
    return error;
}

/* All that goes with the offset, for who asks for more than a fault. */
static errval_t map_unit(struct memobj *memobj, const struct vregion *vregion, genvaddr_t offset)
{
    genvaddr_t first = vregion->offset, last = first + (vregion->size - 1), end;
    struct memobj_run run;
    lock_take(&memobj->store->lock);
    bool found = memobj_find_run(memobj, offset, &run);
    lock_give(&memobj->store->lock);
    if (!found)
        return LIB_ERR_MEMOBJ_WRONG_OFFSET;
    if (!memobj->kind->place_of_number) {
        first = run.first > first ? run.first : first;
        last = run.last < last ? run.last : last;
    }
    if (vregion_is_guarded(vregion, offset, &end))
        return err_push(err_from_vm(ERR_VM_PF_FATAL), LIB_ERR_MEMOBJ_PAGEFAULT_HANDLER);
    return memobj_map_filled(memobj, vregion, first, last, false);
}

errval_t memobj_pagefault(struct memobj *memobj, struct vregion *vregion, genvaddr_t offset,
                          vm_fault_type_t type)
{
    if (!memobj || !vregion || !memobj->store || vregion->memobj != memobj || type > PAGEFLT_EXEC)
        return LIB_ERR_INVALID_ARGS;
    if (!vregion_is_added(vregion)) /* any more */
        return LIB_ERR_VSPACE_VREGION_NOT_FOUND;
    if (!vregion_shows(vregion, offset, 1))
        return LIB_ERR_MEMOBJ_WRONG_OFFSET;
    if (type == PAGEFLT_NULL)
        return map_unit(memobj, vregion, offset);
    int error = vm_fault_aspace(vregion->vspace->pmap->aid,
                                vregion->base + (offset - vregion->offset), fault_to_access(type));
    if (error == ERR_NOT_FOUND)
        return LIB_ERR_MEMOBJ_WRONG_OFFSET;
    return error == VM_OK ? SYS_ERR_OK
                          : err_push(err_from_vm(error), LIB_ERR_MEMOBJ_PAGEFAULT_HANDLER);
}
