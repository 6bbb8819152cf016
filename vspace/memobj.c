/* SPDX-License-Identifier: MIT */
/* Memory objects: coming, the store through which the core's faults find their frames, going. */
#include "layer.h"

/* One fault maps no more than what one page table holds. */
#define MOST_AT_ONCE LARGE_PAGE_SIZE

/* ---- what is where ------------------------------------------------------------------------------ */

genvaddr_t memobj_end(const struct memobj *memobj)
{
    return page_round_up(memobj->size);
}

bool memobj_find_run(const struct memobj *memobj, genvaddr_t offset, struct memobj_run *run)
{
    genvaddr_t place = offset, first = 0, last = UINTPTR_MAX;
    lock_check(&memobj->store->lock);
    if (memobj->kind->spread)
        place = memobj->kind->spread(memobj, offset, &first, &last);
    run->frame = frames_at(&memobj->frames, place);
    if (!run->frame)
        return false;
    genvaddr_t within = place - run->frame->offset;
    genvaddr_t behind = run->frame->size - 1 - within;
    run->first = offset - first > within ? offset - within : first;
    run->last = last - offset > behind ? offset + behind : last;
    run->physical = run->frame->frame.base + run->frame->foffset + within - (offset - run->first);
    return true;
}

/* ---- faults ------------------------------------------------------------------------------------- */

/* Cuts [*first, *last] to what is in [low, high]. */
static void cut(genvaddr_t *first, genvaddr_t *last, genvaddr_t low, genvaddr_t high)
{
    if (*first < low)
        *first = low;
    if (*last > high)
        *last = high;
}

/* => store: locked */
static int map_around(const struct memobj *memobj, vm_region *region, addr_t address)
{
    struct vm_store_region where;
    struct memobj_run run;
    vm_store_get_region(region, &where);
    genvaddr_t begin = (genvaddr_t)where.offset;
    genvaddr_t offset = begin + (address - where.base);
    if (!memobj_find_run(memobj, offset, &run))
        return ERR_NOT_FOUND;
    genvaddr_t first = run.first, last = run.last, window = offset & ~(MOST_AT_ONCE - 1);
    cut(&first, &last, begin, begin + (where.size - 1));
    cut(&first, &last, window, window + (MOST_AT_ONCE - 1));
    return vm_store_map_frames(region, where.base + (first - begin),
                               run.physical + (first - run.first),
                               (last - first) / VM_PAGE_SIZE + 1);
}

/* => map: read-locked. The core has checked what the region allows. */
static int store_fault(vm_store *of, vm_region *region, addr_t address, unsigned access)
{
    struct memobj_store *store = of->data;
    (void)access;
    lock_take(&store->lock);
    int error = store->memobj ? map_around(store->memobj, region, address) : ERR_NOT_FOUND;
    lock_give(&store->lock);
    return error;
}

static void store_destroy(vm_store *of)
{
    layer_pinned_free(of->data, sizeof(struct memobj_store));
}

static const struct vm_store_ops store_ops = {.destroy = store_destroy, .fault = store_fault};

/* Where the run around the offset ends; its beginning, where nothing is there. */
static genvaddr_t end_of_run(struct memobj *memobj, genvaddr_t offset)
{
    struct memobj_run run;
    lock_take(&memobj->store->lock);
    genvaddr_t last = memobj_find_run(memobj, offset, &run) ? run.last : offset;
    lock_give(&memobj->store->lock);
    genvaddr_t window = offset | (MOST_AT_ONCE - 1);
    return last < window ? last : window;
}

bool vregion_is_guarded(const struct vregion *vregion, genvaddr_t offset, genvaddr_t *last)
{
    struct vm_owner found;
    genvaddr_t address = vregion->base + (offset - vregion->offset);
    *last = offset;
    if (vm_find_owner(vregion->vspace->pmap->aid, address, &found) != VM_OK)
        return false;
    *last = offset + (found.base + (found.size - 1) - address);
    return found.lock & LOCK_NO_READ;
}

errval_t memobj_map_filled(struct memobj *memobj, const struct vregion *vregion, genvaddr_t first,
                           genvaddr_t last, bool no_guards)
{
    genvaddr_t end, run;
    for (; first <= last; first = end + 1) {
        genvaddr_t address = vregion->base + (first - vregion->offset);
        if (vregion_is_guarded(vregion, first, &end) && !no_guards)
            continue;
        int error =
            vm_fault_aspace(vregion->vspace->pmap->aid, address, fault_to_access(PAGEFLT_READ));
        if (error == ERR_NOT_FOUND)
            return LIB_ERR_MEMOBJ_WRONG_OFFSET;
        if (error != VM_OK)
            return err_push(err_from_vm(error), LIB_ERR_MEMOBJ_PAGEFAULT_HANDLER);
        run = end_of_run(memobj, first);
        end = run < end ? run : end;
    }
    return SYS_ERR_OK;
}

/* ---- coming ------------------------------------------------------------------------------------- */

static const struct memobj_funcs common_funcs = {
    .map_region = memobj_map_region,
    .unmap_region = memobj_unmap_region,
    .protect = memobj_protect,
    .pin = memobj_pin,
    .unpin = memobj_unpin,
    .fill = memobj_fill,
    .fill_foff = memobj_fill_foff,
    .unfill = memobj_unfill,
    .pagefault = memobj_pagefault,
    .pager_free = memobj_pager_free,
};

static errval_t make_cache(struct memobj *memobj)
{
    struct memobj_store *store = layer_pinned_alloc(sizeof *store);
    if (!store)
        return LIB_ERR_MALLOC_FAIL;
    store->store = (vm_store){.ops = &store_ops, .data = store};
    store->memobj = memobj;
    memobj->store = store;
    int error = vm_create_cache(&store->store, (off_t)memobj_end(memobj), &memobj->cache);
    if (error == VM_OK)
        return SYS_ERR_OK;
    store_destroy(&store->store);
    memobj->store = NULL;
    return err_push(err_from_vm(error), LIB_ERR_MALLOC_FAIL);
}

errval_t memobj_create(struct memobj *memobj, const struct memobj_kind *kind, size_t size,
                       memobj_flags_t flags, struct memobj_frame_list *first, size_t count)
{
    if (size == 0 || size > INT64_MAX - VM_PAGE_MASK || flags != 0)
        return LIB_ERR_INVALID_ARGS;
    layer_clear(memobj, sizeof *memobj);
    memobj->size = size;
    memobj->flags = flags;
    memobj->type = kind->type;
    memobj->kind = kind;
    memobj->f = common_funcs;
    errval_t error = make_cache(memobj);
    if (err_is_ok(error))
        frames_init(&memobj->frames, &memobj->store->lock, first, count);
    return error;
}

/* ---- going -------------------------------------------------------------------------------------- */

/* Makes the object's frames a list by capability, in which each is once. */
static void sort_caps(struct memobj *memobj, struct memobj_frames *caps)
{
    struct memobj_frame_list *frame = memobj->frames.head[0], *next;
    frames_init(caps, &memobj->store->lock, NULL, 0);
    lock_take(&memobj->store->lock);
    for (; frame; frame = next) {
        next = frame->next[0];
        frame->offset = frame->frame.base;
        if (!frames_at(caps, frame->offset))
            frames_insert(caps, frame);
    }
    lock_give(&memobj->store->lock);
}

static void destroy_caps(struct memobj *memobj)
{
    struct memobj_frames caps;
    sort_caps(memobj, &caps);
    for (const struct memobj_frame_list *frame = caps.head[0]; frame; frame = frame->next[0])
        (void)cap_destroy(frame->frame);
}

static struct vregion *first_region(struct memobj *memobj)
{
    lock_take(&memobj->lock);
    struct vregion *vregion = memobj->regions;
    lock_give(&memobj->lock);
    return vregion;
}

static errval_t destroy_regions(struct memobj *memobj)
{
    for (;;) {
        struct vregion *vregion = first_region(memobj);
        if (!vregion)
            return SYS_ERR_OK;
        errval_t error = vregion_destroy(vregion);
        if (err_is_fail(error))
            return err_push(error, LIB_ERR_VREGION_DESTROY);
        if (vregion->made > 0)
            layer_free(vregion, vregion->made);
    }
}

errval_t memobj_destroy(struct memobj *memobj, bool delete_caps)
{
    struct memobj_store *store = memobj->store;
    errval_t error = destroy_regions(memobj);
    if (err_is_fail(error))
        return error;
    lock_take(&store->lock);
    store->memobj = NULL;
    (void)vm_cache_unmap(memobj->cache, 0, INT64_MAX); /* by forks */
    lock_give(&store->lock);
    if (delete_caps)
        destroy_caps(memobj);
    frames_destroy(&memobj->frames);
    vm_put_cache(memobj->cache);
    memobj->store = NULL;
    memobj->cache = NULL;
    return SYS_ERR_OK;
}

errval_t memobj_destroy_type(struct memobj *memobj, enum memobj_type type)
{
    if (!memobj || memobj->type != type || !memobj->store)
        return LIB_ERR_INVALID_ARGS;
    return memobj_destroy(memobj, false);
}
