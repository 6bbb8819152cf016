/* SPDX-License-Identifier: MIT */
/* A vspace: the vregions of an address space, in a list by address. Where they are, and what is between them,
 * the core's map knows; the list is a chain through them. */
#include "layer.h"

errval_t vspace_init(struct vspace *vspace, struct pmap *pmap)
{
    if (!vspace || !pmap)
        return LIB_ERR_INVALID_ARGS;
    if (pmap->vspace != vspace)
        return LIB_ERR_VSPACE_INIT;
    *vspace = (struct vspace){.pmap = pmap};
    return vspace_layout_init(&vspace->layout);
}

struct pmap *vspace_get_pmap(const struct vspace *vspace)
{
    return vspace->pmap;
}

/* ---- the list ----------------------------------------------------------------------------------- */

/* The first vregion that ends above the address, or NULL. */
static struct vregion *first_above(const struct vspace *vspace, genvaddr_t address)
{
    struct vm_owner found;
    while (pmap_next_region(vspace->pmap, &address, &found))
        if (((struct vspace_owner *)found.owner)->is_vregion)
            return found.owner;
    return NULL;
}

/* => pmap: locked. The region is in the core's map already. */
static void link_region(struct vspace *vspace, struct vregion *vregion)
{
    genvaddr_t end = vregion->base + vregion->size;
    lock_check(&vspace->pmap->lock);
    struct vregion *next = end == 0 ? NULL : first_above(vspace, end);
    struct vregion *prev = next ? next->prev : vspace->tail;
    LAYER_STEP();
    vregion->next = next;
    vregion->prev = prev;
    *(next ? &next->prev : &vspace->tail) = vregion;
    *(prev ? &prev->next : &vspace->head) = vregion;
}

/* => pmap: locked */
static void unlink_region(struct vspace *vspace, struct vregion *vregion)
{
    lock_check(&vspace->pmap->lock);
    *(vregion->next ? &vregion->next->prev : &vspace->tail) = vregion->prev;
    *(vregion->prev ? &vregion->prev->next : &vspace->head) = vregion->next;
    vregion->next = vregion->prev = NULL;
}

/* ---- adding ------------------------------------------------------------------------------------- */

static errval_t check_region(const struct vregion *vregion)
{
    const struct memobj *memobj = vregion->memobj;
    if (vregion->size == 0 || page_round_up(vregion->size) == 0 ||
        !flags_are_known(vregion->flags) || (memobj && !memobj->store))
        return LIB_ERR_INVALID_ARGS;
    if (!is_page_aligned(vregion->base) || !is_page_aligned(vregion->offset))
        return LIB_ERR_VREGION_BAD_ALIGNMENT;
    if (!memobj)
        return SYS_ERR_OK;
    genvaddr_t end = memobj_end(memobj);
    if (vregion->offset >= end || page_round_up(vregion->size) > end - vregion->offset)
        return LIB_ERR_MEMOBJ_WRONG_OFFSET;
    return SYS_ERR_OK;
}

/* What a vregion without an object shows: nothing. */
static int make_nothing(gensize_t size, vm_cache_ref **cache)
{
    vm_store *store = vm_store_create_null();
    int error = store ? vm_create_cache(store, (off_t)size, cache) : ERR_NO_MEMORY;
    if (store && error != VM_OK)
        store->ops->destroy(store);
    return error;
}

/* => pmap: locked */
static int map_region(const struct vspace *vspace, struct vregion *vregion)
{
    void *at = (void *)vregion->base;
    struct memobj *memobj = vregion->memobj;
    vm_cache_ref *cache = memobj ? memobj->cache : NULL;
    unsigned lock = memobj ? flags_to_lock(vregion->flags) : LOCK_NO_READ;
    int error = memobj ? VM_OK : make_nothing(vregion->size, &cache);
    if (error != VM_OK)
        return error;
    region_id id = vm_map_cache(vspace->pmap->aid, "vregion", &at, REGION_ADDR_EXACT_ADDRESS,
                                vregion->size, lock | flags_to_cacheability(vregion->flags),
                                REGION_NO_PRIVATE_MAP, cache, (off_t)vregion->offset);
    if (id > 0)
        (void)vm_set_region_owner(vspace->pmap->aid, id, &vregion->owner);
    if (!memobj)
        vm_put_cache(cache);
    return id < 0 ? (int)id : VM_OK;
}

bool vspace_has_region(const struct vspace *vspace, const struct vregion *vregion)
{
    struct vm_owner found;
    return vm_find_owner(vspace->pmap->aid, vregion->base, &found) == VM_OK &&
           found.owner == &vregion->owner;
}

errval_t vspace_insert_region(struct vspace *vspace, struct vregion *vregion)
{
    errval_t error = check_region(vregion);
    if (err_is_fail(error))
        return error;
    *vregion = (struct vregion){.owner = {vspace->pmap, true},
                                .vspace = vspace,
                                .memobj = vregion->memobj,
                                .offset = vregion->offset,
                                .size = page_round_up(vregion->size),
                                .base = vregion->base,
                                .flags = vregion->flags};
    lock_take(&vspace->pmap->lock);
    int failure = map_region(vspace, vregion);
    if (failure == VM_OK) {
        link_region(vspace, vregion);
        vregion_set_added(vregion, true);
    }
    lock_give(&vspace->pmap->lock);
    if (failure == ERR_VM_NO_REGION_SLOT)
        return err_push(err_from_vm(failure), LIB_ERR_VSPACE_REGION_OVERLAP);
    return err_from_vm(failure);
}

errval_t vspace_add_vregion(struct vspace *vspace, struct vregion *vregion)
{
    if (!vspace || !vregion || !vspace->pmap || vspace_has_region(vspace, vregion))
        return LIB_ERR_INVALID_ARGS;
    return vspace_insert_region(vspace, vregion);
}

errval_t vspace_remove_vregion(struct vspace *vspace, struct vregion *vregion)
{
    errval_t error = LIB_ERR_VSPACE_VREGION_NOT_FOUND;
    if (!vspace || !vregion)
        return LIB_ERR_INVALID_ARGS;
    if (!vspace->pmap)
        return error;
    lock_take(&vspace->pmap->lock);
    if (vregion_is_added(vregion) && vregion->vspace == vspace) {
        /* No region is cut, so that can only fail where the whole address space has gone. */
        (void)vm_unmap_range(vspace->pmap->aid, vregion->base, vregion->size);
        unlink_region(vspace, vregion);
        vregion_set_added(vregion, false);
        error = SYS_ERR_OK;
    }
    lock_give(&vspace->pmap->lock);
    return error;
}

/* ---- looking up --------------------------------------------------------------------------------- */

/* => pmap: locked, so that what is found isn't freed before it has been looked at */
static struct vregion *region_at(const struct vspace *vspace, genvaddr_t address)
{
    struct vm_owner found;
    lock_check(&vspace->pmap->lock);
    if (vm_find_owner(vspace->pmap->aid, address, &found) != VM_OK || found.base > address)
        return NULL;
    const struct vspace_owner *owner = found.owner;
    return owner && owner->pmap == vspace->pmap && owner->is_vregion ? found.owner : NULL;
}

struct vregion *vspace_get_region(struct vspace *vspace, const void *addr)
{
    if (!vspace || !vspace->pmap)
        return NULL;
    genvaddr_t address = vspace_layout_lvaddr_to_genvaddr(&vspace->layout, (lvaddr_t)addr);
    lock_take(&vspace->pmap->lock);
    struct vregion *vregion = region_at(vspace, address);
    lock_give(&vspace->pmap->lock);
    return vregion;
}

struct vregion *vspace_hold_region(struct vspace *vspace, genvaddr_t address)
{
    lock_take(&vspace->pmap->lock);
    struct vregion *vregion = region_at(vspace, address);
    if (vregion)
        (void)__atomic_add_fetch(&vregion->users, 1, __ATOMIC_RELAXED);
    lock_give(&vspace->pmap->lock);
    return vregion;
}

void vspace_release_region(struct vregion *vregion)
{
    /* Who waits may hold it once himself. */
    if (__atomic_sub_fetch(&vregion->users, 1, __ATOMIC_ACQ_REL) <= 1)
        host_wake(&vregion->users, UINT32_MAX);
}

errval_t vspace_pagefault_handler(struct vspace *vspace, lvaddr_t lvaddr, vm_fault_type_t type)
{
    if (!vspace || !vspace->pmap)
        return LIB_ERR_INVALID_ARGS;
    genvaddr_t address = vspace_layout_lvaddr_to_genvaddr(&vspace->layout, lvaddr);
    struct vregion *vregion = vspace_hold_region(vspace, address);
    if (!vregion)
        return LIB_ERR_VSPACE_PAGEFAULT_ADDR_NOT_FOUND;
    errval_t error = vregion_pagefault_handler(vregion, address, type);
    vspace_release_region(vregion);
    return err_is_ok(error) ? SYS_ERR_OK : err_push(error, LIB_ERR_VREGION_PAGEFAULT_HANDLER);
}

/* ---- ending ------------------------------------------------------------------------------------- */

static void will_end(struct memobj *memobj)
{
    lock_take(&memobj->lock);
    memobj->ending++;
    lock_give(&memobj->lock);
}

/* What a helper made goes with the last of its regions, by the last who looks: nobody does afterwards. */
static void has_ended(struct memobj *memobj)
{
    lock_take(&memobj->lock);
    bool last = --memobj->ending == 0 && !memobj->regions;
    size_t made = last ? memobj->made : 0;
    lock_give(&memobj->lock);
    if (made > 0) {
        (void)memobj_destroy(memobj, false);
        layer_free(memobj, made);
    }
}

errval_t vspace_end_region(struct vregion *vregion, uint32_t holds)
{
    struct memobj *memobj = vregion->memobj;
    size_t made = vregion->made;
    if (memobj)
        will_end(memobj);
    errval_t error = vregion_end(vregion, holds);
    if (err_is_ok(error) && made > 0)
        layer_free(vregion, made);
    if (err_is_fail(error) && holds > 0)
        vspace_release_region(vregion);
    if (memobj)
        has_ended(memobj);
    return err_is_ok(error) ? SYS_ERR_OK : err_push(error, LIB_ERR_VREGION_DESTROY);
}

/* What pmap->f.map has mapped, and nobody has unmapped. */
static void forget_mappings(struct pmap *pmap)
{
    struct vm_owner found;
    addr_t at = 0;
    lock_take(&pmap->lock);
    while (pmap_next_region(pmap, &at, &found))
        (void)vm_unmap_range(pmap->aid, found.base, found.size);
    lock_give(&pmap->lock);
}

errval_t vspace_destroy(struct vspace *vspace)
{
    if (!vspace || !vspace->pmap)
        return LIB_ERR_INVALID_ARGS;
    struct pmap *pmap = vspace->pmap;
    while (vspace->head) {
        errval_t error = vspace_end_region(vspace->head, 0);
        if (err_is_fail(error))
            return err_push(error, LIB_ERR_VSPACE_DESTROY);
    }
    forget_mappings(pmap);
    (void)vm_release_tables(pmap->aid); /* the space may have gone */
    if (pmap->owns_aspace)
        (void)vm_delete_aspace(pmap->aid);
    vspace->pmap = NULL;
    pmap->vspace = NULL;
    vspace_current_end(vspace);
    return SYS_ERR_OK;
}
