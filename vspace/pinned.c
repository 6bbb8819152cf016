/* SPDX-License-Identifier: MIT */
/* Memory for lists that is always there, and some of it kept for when there is none. */
#include "layer.h"

static size_t unit_size(enum slab_type type)
{
    switch (type) {
    case VREGION_LIST:
        return VSPACE_PINNED_UNIT * sizeof(struct vregion);
    case FRAME_LIST:
        return VSPACE_PINNED_UNIT * sizeof(struct memobj_frame_list);
    }
    return 0;
}

/* Changes with the reserve locked, but is looked at without, too. */
static void set_unit(struct vspace_reserve *reserve, enum slab_type type, void *unit)
{
    __atomic_store_n(&reserve->unit[type], unit, __ATOMIC_RELAXED);
}

/* Puts `unit` into the reserve, or gives it back where there is one. */
static void keep(struct vspace_reserve *reserve, enum slab_type type, void *unit)
{
    lock_take(&reserve->lock);
    if (!reserve->unit[type]) {
        set_unit(reserve, type, unit);
        unit = NULL;
    }
    lock_give(&reserve->lock);
    layer_pinned_free(unit, unit_size(type));
}

static void *take(struct vspace_reserve *reserve, enum slab_type type)
{
    lock_take(&reserve->lock);
    void *unit = reserve->unit[type];
    set_unit(reserve, type, NULL);
    lock_give(&reserve->lock);
    return unit;
}

static bool fill_reserve(struct vspace_reserve *reserve, enum slab_type type)
{
    if (__atomic_load_n(&reserve->unit[type], __ATOMIC_RELAXED))
        return true;
    void *unit = layer_pinned_alloc(unit_size(type));
    if (unit)
        keep(reserve, type, unit);
    return unit != NULL;
}

errval_t vspace_pinned_init(void)
{
    struct vspace_reserve *reserve = get_current_reserve();
    if (!reserve || !fill_reserve(reserve, VREGION_LIST) || !fill_reserve(reserve, FRAME_LIST))
        return LIB_ERR_VSPACE_PINNED_INIT;
    return SYS_ERR_OK;
}

errval_t vspace_pinned_alloc(void **retbuf, enum slab_type slab_type)
{
    struct vspace_reserve *reserve = get_current_reserve();
    if (!retbuf)
        return LIB_ERR_INVALID_ARGS;
    if (unit_size(slab_type) == 0)
        return LIB_ERR_VSPACE_PINNED_INVALID_TYPE;
    *retbuf = layer_pinned_alloc(unit_size(slab_type));
    if (*retbuf && reserve)
        (void)fill_reserve(reserve, slab_type);
    else if (reserve)
        *retbuf = take(reserve, slab_type);
    return *retbuf ? SYS_ERR_OK : LIB_ERR_VSPACE_PINNED_ALLOC;
}

errval_t vspace_pinned_free(void *buf, enum slab_type slab_type)
{
    if (!buf)
        return LIB_ERR_INVALID_ARGS;
    if (unit_size(slab_type) == 0)
        return LIB_ERR_VSPACE_PINNED_INVALID_TYPE;
    layer_pinned_free(buf, unit_size(slab_type));
    return SYS_ERR_OK;
}

void vspace_reserve_end(struct vspace_reserve *reserve)
{
    layer_pinned_free(take(reserve, VREGION_LIST), unit_size(VREGION_LIST));
    layer_pinned_free(take(reserve, FRAME_LIST), unit_size(FRAME_LIST));
}
