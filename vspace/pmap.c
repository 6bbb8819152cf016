/* SPDX-License-Identifier: MIT */
/* A pmap: the translation map of one of the core's address spaces, through the regions that the layer has
 * there: vregions, and what was mapped here directly. */
#include "layer.h"

/* ---- coming ------------------------------------------------------------------------------------- */

static void begin(struct pmap *pmap, struct vspace *vspace, aspace_id aid)
{
    *pmap = (struct pmap){
        .vspace = vspace, .aid = aid, .min_mappable_va = 0, .max_mappable_va = UINTPTR_MAX};
    pmap_set_funcs(pmap);
}

errval_t pmap_init(struct pmap *pmap, struct vspace *vspace, aspace_id aid)
{
    vm_aspace_info info;
    if (!pmap || !vspace)
        return LIB_ERR_INVALID_ARGS;
    int error =
        aid == vm_get_kernel_aspace_id() ? ERR_VM_INVALID_ASPACE : vm_get_aspace_info(aid, &info);
    if (error != VM_OK)
        return err_push(err_from_vm(error), LIB_ERR_PMAP_INIT);
    begin(pmap, vspace, aid);
    return SYS_ERR_OK;
}

errval_t pmap_create(struct pmap *pmap, struct vspace *vspace, genvaddr_t base, gensize_t size)
{
    if (!pmap || !vspace)
        return LIB_ERR_INVALID_ARGS;
    aspace_id aid = vm_create_aspace("vspace", base, size, false);
    if (aid < 0)
        return err_push(err_from_vm((int)aid), LIB_ERR_PMAP_INIT);
    begin(pmap, vspace, aid);
    pmap->owns_aspace = true;
    return SYS_ERR_OK;
}

errval_t pmap_current_init(struct pmap *pmap, struct vspace *vspace)
{
    errval_t error = pmap_init(pmap, vspace, vm_get_current_user_aspace_id());
    return err_is_ok(error) ? SYS_ERR_OK : err_push(error, LIB_ERR_PMAP_CURRENT_INIT);
}

errval_t pmap_set_min_mappable_va(struct pmap *pmap, genvaddr_t minva)
{
    if (!pmap || !is_page_aligned(minva) || minva >= pmap->max_mappable_va)
        return LIB_ERR_INVALID_ARGS;
    pmap->min_mappable_va = minva;
    return SYS_ERR_OK;
}

/* ---- where there is room ------------------------------------------------------------------------ */

static errval_t determine_addr_raw(struct pmap *pmap, size_t size, size_t alignment,
                                   genvaddr_t *vaddr)
{
    if (!pmap || !vaddr || page_round_up(size) == 0)
        return LIB_ERR_INVALID_ARGS;
    alignment = alignment < BASE_PAGE_SIZE ? BASE_PAGE_SIZE : alignment;
    int error = vm_find_hole(pmap->aid, page_round_up(size), alignment, pmap->min_mappable_va,
                             pmap->max_mappable_va, vaddr);
    if (error == ERR_VM_NO_REGION_SLOT)
        return err_push(err_from_vm(error), LIB_ERR_OUT_OF_VIRTUAL_ADDR);
    return err_from_vm(error);
}

static errval_t determine_addr(struct pmap *pmap, struct memobj *memobj, size_t alignment,
                               genvaddr_t *vaddr)
{
    return memobj ? determine_addr_raw(pmap, memobj->size, alignment, vaddr) : LIB_ERR_INVALID_ARGS;
}

/* ---- mapping ------------------------------------------------------------------------------------ */

static int mapping_fault(vm_store *store, vm_region *region, addr_t address, unsigned access)
{
    const struct pmap_mapping *mapping = store->data;
    struct vm_store_region where;
    (void)access;
    vm_store_get_region(region, &where);
    genpaddr_t begin = mapping->frame.base + mapping->offset + (addr_t)where.offset;
    addr_t window = address & ~(LARGE_PAGE_SIZE - 1), last = window + (LARGE_PAGE_SIZE - 1);
    addr_t first = window > where.base ? window : where.base;
    if (last - where.base > where.size - 1)
        last = where.base + (where.size - 1);
    return vm_store_map_frames(region, first, begin + (first - where.base),
                               (last - first) / VM_PAGE_SIZE + 1);
}

static void mapping_destroy(vm_store *store)
{
    layer_pinned_free(store->data, sizeof(struct pmap_mapping));
}

static const struct vm_store_ops mapping_ops = {.destroy = mapping_destroy, .fault = mapping_fault};

static int make_mapping(struct pmap *pmap, struct capref frame, size_t offset, size_t size,
                        struct pmap_mapping **made, vm_cache_ref **cache)
{
    struct pmap_mapping *mapping = layer_pinned_alloc(sizeof *mapping);
    if (!mapping)
        return ERR_NO_MEMORY;
    *mapping = (struct pmap_mapping){.owner = {pmap, false},
                                     .store = {.ops = &mapping_ops, .data = mapping},
                                     .frame = frame,
                                     .offset = offset};
    *made = mapping;
    int error = vm_create_cache(&mapping->store, (off_t)size, cache);
    if (error != VM_OK)
        mapping_destroy(&mapping->store);
    return error;
}

/* => pmap: locked. The translations, all of them. */
static int populate(const struct pmap *pmap, genvaddr_t vaddr, size_t size)
{
    int error = VM_OK;
    genvaddr_t last = vaddr + (size - 1);
    while (error == VM_OK && vaddr <= last) {
        error = vm_fault_aspace(pmap->aid, vaddr, fault_to_access(PAGEFLT_READ));
        vaddr = (vaddr | (LARGE_PAGE_SIZE - 1)) + 1;
    }
    return error;
}

errval_t pmap_map_locked(struct pmap *pmap, genvaddr_t vaddr, struct capref frame, size_t offset,
                         size_t size, vregion_flags_t flags)
{
    struct pmap_mapping *mapping;
    vm_cache_ref *cache;
    void *at = (void *)vaddr;
    lock_check(&pmap->lock);
    int error = make_mapping(pmap, frame, offset, size, &mapping, &cache);
    if (error != VM_OK)
        return err_push(err_from_vm(error), LIB_ERR_PMAP_DO_MAP);
    region_id id = vm_map_cache(pmap->aid, "pmap", &at, REGION_ADDR_EXACT_ADDRESS, size,
                                flags_to_lock(flags) | flags_to_cacheability(flags),
                                REGION_NO_PRIVATE_MAP, cache, 0);
    if (id > 0)
        (void)vm_set_region_owner(pmap->aid, id, &mapping->owner);
    vm_put_cache(cache);
    if (id == ERR_VM_NO_REGION_SLOT)
        return err_push(err_from_vm((int)id), LIB_ERR_PMAP_EXISTING_MAPPING);
    error = id < 0 ? (int)id : VM_OK;
    if (error == VM_OK && flags_allow_access(flags)) {
        error = populate(pmap, vaddr, size);
        if (error != VM_OK)
            (void)vm_delete_region(pmap->aid, id);
    }
    return error == VM_OK ? SYS_ERR_OK : err_push(err_from_vm(error), LIB_ERR_PMAP_DO_MAP);
}

static errval_t check_map(const struct pmap *pmap, struct capref frame, size_t offset, size_t size,
                          vregion_flags_t flags)
{
    if (!pmap || size == 0 || !flags_are_known(flags))
        return LIB_ERR_INVALID_ARGS;
    if (!capref_is_good(frame))
        return LIB_ERR_PMAP_FRAME_IDENTIFY;
    return offset < frame.bytes && size <= frame.bytes - offset ? SYS_ERR_OK
                                                                : LIB_ERR_PMAP_FRAME_SIZE;
}

static errval_t map(struct pmap *pmap, genvaddr_t vaddr, struct capref frame, size_t offset,
                    size_t size, vregion_flags_t flags, size_t *retoffset, size_t *retsize)
{
    errval_t error = check_map(pmap, frame, offset, size, flags);
    if (err_is_fail(error))
        return error;
    size = page_round_up(size + (offset & VM_PAGE_MASK));
    offset &= ~VM_PAGE_MASK;
    lock_take(&pmap->lock);
    error = pmap_map_locked(pmap, vaddr, frame, offset, size, flags);
    lock_give(&pmap->lock);
    if (err_is_ok(error) && retoffset)
        *retoffset = offset;
    if (err_is_ok(error) && retsize)
        *retsize = size;
    return error;
}

/* ---- ranges ------------------------------------------------------------------------------------- */

static errval_t check_range(const struct pmap *pmap, genvaddr_t vaddr, size_t size)
{
    if (!pmap || size == 0 || !is_page_aligned(vaddr) || page_round_up(size) == 0 ||
        page_round_up(size) - 1 > UINTPTR_MAX - vaddr)
        return LIB_ERR_INVALID_ARGS;
    return SYS_ERR_OK;
}

static bool is_mapped(const struct pmap *pmap, genvaddr_t vaddr)
{
    addr_t physical;
    return vm_get_page_mapping(pmap->aid, vaddr, &physical) == VM_OK;
}

/* => pmap: locked. The part of a region of ours that is in [*first, last]. */
static int unmap_part(struct pmap *pmap, const struct vm_owner *found, genvaddr_t first,
                      genvaddr_t last, size_t *unmapped)
{
    const struct vspace_owner *owner = found->owner;
    genvaddr_t end = found->base + (found->size - 1);
    lock_check(&pmap->lock);
    first = found->base > first ? found->base : first;
    last = end < last ? end : last;
    size_t mapped = 0;
    genpaddr_t physical;
    for (genvaddr_t at = first; pmap_next_page(pmap, &at, last, &physical); at += VM_PAGE_SIZE)
        mapped += VM_PAGE_SIZE;
    int error = owner->is_vregion ? vm_discard_range(pmap->aid, first, last - first + 1)
                                  : vm_unmap_range(pmap->aid, first, last - first + 1);
    *unmapped += error == VM_OK ? mapped : 0;
    return error;
}

static errval_t unmap(struct pmap *pmap, genvaddr_t vaddr, size_t size, size_t *retsize)
{
    struct vm_owner found;
    size_t unmapped = 0;
    int error = VM_OK;
    addr_t at = vaddr;
    errval_t refusal = check_range(pmap, vaddr, size);
    if (err_is_fail(refusal))
        return refusal;
    genvaddr_t last = vaddr + (page_round_up(size) - 1);
    lock_take(&pmap->lock);
    bool present =
        pmap_next_region(pmap, &at, &found) && found.base <= vaddr && is_mapped(pmap, vaddr);
    if (present)
        do
            error = unmap_part(pmap, &found, vaddr, last, &unmapped);
        while (error == VM_OK && pmap_next_region(pmap, &at, &found) && found.base <= last);
    lock_give(&pmap->lock);
    if (!present)
        return LIB_ERR_PMAP_FIND_VNODE;
    if (retsize)
        *retsize = unmapped;
    return error == VM_OK ? SYS_ERR_OK : err_push(err_from_vm(error), LIB_ERR_PMAP_UNMAP);
}

/* => pmap: locked. Whether all of [vaddr, last] is ours. */
static bool is_covered(const struct pmap *pmap, genvaddr_t vaddr, genvaddr_t last)
{
    struct vm_owner found;
    addr_t at = vaddr;
    lock_check(&pmap->lock);
    while (pmap_next_region(pmap, &at, &found) && found.base <= vaddr) {
        if (found.base + (found.size - 1) >= last)
            return true;
        vaddr = at;
    }
    return false;
}

static errval_t modify_flags(struct pmap *pmap, genvaddr_t vaddr, size_t size,
                             vregion_flags_t flags, size_t *retsize)
{
    errval_t refusal = check_range(pmap, vaddr, size);
    int error = VM_OK;
    if (err_is_fail(refusal) || !flags_are_known(flags))
        return LIB_ERR_INVALID_ARGS;
    size = page_round_up(size);
    lock_take(&pmap->lock);
    bool covered = is_covered(pmap, vaddr, vaddr + (size - 1));
    if (covered)
        error = vm_protect_range(pmap->aid, vaddr, size, flags_to_lock(flags));
    lock_give(&pmap->lock);
    if (!covered)
        return LIB_ERR_PMAP_NOT_MAPPED;
    if (error != VM_OK)
        return err_push(err_from_vm(error), LIB_ERR_PMAP_MODIFY_FLAGS);
    if (retsize)
        *retsize = size;
    return SYS_ERR_OK;
}

/* ---- what an address shows ---------------------------------------------------------------------- */

/* The frame that a mapped page is of, unless it has been taken out meanwhile. => pmap: locked, so that a vregion
 * isn't destroyed. Something is mapped: there is an object. */
static bool find_cap(const struct vm_owner *found, genvaddr_t vaddr, genpaddr_t page,
                     struct capref *cap)
{
    const struct vspace_owner *owner = found->owner;
    struct memobj_run run;
    if (!owner->is_vregion) {
        *cap = mapping_of(owner)->frame;
        return true;
    }
    const struct memobj *memobj = ((const struct vregion *)found->owner)->memobj;
    genvaddr_t offset = (genvaddr_t)found->offset + (vaddr - found->base);
    lock_take(&memobj->store->lock);
    bool same =
        memobj_find_run(memobj, offset, &run) && run.physical + (offset - run.first) == page;
    if (same)
        *cap = run.frame->frame;
    lock_give(&memobj->store->lock);
    return same;
}

static errval_t lookup(struct pmap *pmap, genvaddr_t vaddr, struct pmap_mapping_info *info)
{
    struct vm_owner found;
    struct capref cap = NULL_CAP;
    addr_t physical = 0, at = vaddr;
    if (!pmap)
        return LIB_ERR_INVALID_ARGS;
    vaddr &= ~VM_PAGE_MASK;
    lock_take(&pmap->lock);
    bool mapped = pmap_next_region(pmap, &at, &found) && found.base <= vaddr &&
                  vm_get_page_mapping(pmap->aid, vaddr, &physical) == VM_OK &&
                  find_cap(&found, vaddr, physical, &cap);
    lock_give(&pmap->lock);
    if (!mapped)
        return LIB_ERR_PMAP_FIND_VNODE;
    if (info)
        *info = (struct pmap_mapping_info){.vaddr = vaddr,
                                           .size = VM_PAGE_SIZE,
                                           .cap = cap,
                                           .offset = physical - cap.base,
                                           .flags = flags_of_lock(found.lock)};
    return SYS_ERR_OK;
}

/* ---- page tables -------------------------------------------------------------------------------- */

/* Rights are the pages', so the flags say nothing here. */
static errval_t create_pts_pinned(struct pmap *pmap, genvaddr_t vaddr, size_t bytes,
                                  vregion_flags_t flags)
{
    errval_t refusal = check_range(pmap, vaddr, bytes);
    (void)flags;
    if (err_is_fail(refusal))
        return refusal;
    int error = vm_keep_tables(pmap->aid, vaddr, page_round_up(bytes));
    return error == VM_OK ? SYS_ERR_OK : err_push(err_from_vm(error), LIB_ERR_PMAP_ALLOC_VNODE);
}

static errval_t get_leaf_pt(struct pmap *pmap, genvaddr_t vaddr, lvaddr_t *ret_va)
{
    if (!pmap || !ret_va)
        return LIB_ERR_INVALID_ARGS;
    int error = vm_get_leaf_table(pmap->aid, vaddr, ret_va);
    return error == VM_OK ? SYS_ERR_OK : err_push(err_from_vm(error), LIB_ERR_PMAP_GET_PTABLE);
}

void pmap_set_funcs(struct pmap *pmap)
{
    pmap->f = (struct pmap_funcs){
        .determine_addr = determine_addr,
        .determine_addr_raw = determine_addr_raw,
        .map = map,
        .unmap = unmap,
        .modify_flags = modify_flags,
        .lookup = lookup,
        .create_pts_pinned = create_pts_pinned,
        .get_leaf_pt = get_leaf_pt,
        .serialise = pmap_serialise,
        .deserialise = pmap_deserialise,
        .dump = pmap_dump,
        .measure_res = pmap_measure_res,
    };
}
