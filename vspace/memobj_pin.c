/* SPDX-License-Identifier: MIT */
/* Pins: parts of an object that are mapped in a vregion, and whose frames stay. */
#include "layer.h"

struct memobj_pin {
    struct memobj_pin *next;
    const struct vregion *vregion;
    genvaddr_t offset, last; /* in the object */
};

/* => store: locked */
static bool is_filled(const struct memobj *memobj, genvaddr_t first, genvaddr_t last)
{
    struct memobj_run run;
    for (; first <= last; first = run.last + 1)
        if (!memobj_find_run(memobj, first, &run))
            return false;
    return true;
}

bool memobj_is_pinned(const struct memobj *memobj, const struct memobj_frame_list *frame)
{
    const struct memobj_pin *pin = memobj->pins;
    lock_check(&memobj->store->lock);
    if (memobj->kind->place_of_number)
        return pin != NULL; /* a part of the object is a part of several frames */
    while (pin && (pin->last < frame->offset || frame->offset + (frame->size - 1) < pin->offset))
        pin = pin->next;
    return pin != NULL;
}

bool memobj_is_kept(const struct memobj *memobj, const struct memobj_frame_list *frame)
{
    return memobj->kind->maps_filled || memobj_is_pinned(memobj, frame);
}

/* The link to a pin, or to the end. => store: locked */
static struct memobj_pin **find_pin(struct memobj *memobj, const struct vregion *vregion,
                                    genvaddr_t offset, genvaddr_t last)
{
    struct memobj_pin **link = &memobj->pins;
    lock_check(&memobj->store->lock);
    while (*link &&
           ((*link)->vregion != vregion || (*link)->offset != offset || (*link)->last != last))
        link = &(*link)->next;
    return link;
}

static bool remove_pin(struct memobj *memobj, const struct vregion *vregion, genvaddr_t offset,
                       genvaddr_t last)
{
    lock_take(&memobj->store->lock);
    struct memobj_pin **link = find_pin(memobj, vregion, offset, last), *pin = *link;
    if (pin)
        *link = pin->next;
    lock_give(&memobj->store->lock);
    layer_pinned_free(pin, sizeof *pin);
    return pin != NULL;
}

/* => memobj: its regions locked. From here on nobody takes the frames out. */
static errval_t add_pin(struct memobj *memobj, const struct vregion *vregion, genvaddr_t offset,
                        genvaddr_t last)
{
    struct memobj_pin *pin = layer_pinned_alloc(sizeof *pin);
    if (!pin)
        return LIB_ERR_MALLOC_FAIL;
    *pin = (struct memobj_pin){NULL, vregion, offset, last};
    lock_take(&memobj->store->lock);
    bool filled = is_filled(memobj, offset, last);
    if (filled) {
        pin->next = memobj->pins;
        LAYER_STEP();
        memobj->pins = pin;
    }
    lock_give(&memobj->store->lock);
    if (!filled)
        layer_pinned_free(pin, sizeof *pin);
    return filled ? SYS_ERR_OK : LIB_ERR_MEMOBJ_WRONG_OFFSET;
}

/* => memobj: its regions locked */
static errval_t pin_range(struct memobj *memobj, const struct vregion *vregion, genvaddr_t offset,
                          genvaddr_t last)
{
    errval_t error = add_pin(memobj, vregion, offset, last);
    if (err_is_fail(error))
        return error;
    error = memobj_map_filled(memobj, vregion, offset, last, true);
    if (err_is_fail(error))
        (void)remove_pin(memobj, vregion, offset, last);
    return error;
}

errval_t memobj_pin(struct memobj *memobj, struct vregion *vregion, genvaddr_t offset, size_t range)
{
    errval_t error = LIB_ERR_MEMOBJ_WRONG_OFFSET;
    if (!memobj || !vregion || !memobj->store)
        return LIB_ERR_INVALID_ARGS;
    lock_take(&memobj->lock);
    if (!memobj_shows(memobj, vregion))
        error = LIB_ERR_VSPACE_VREGION_NOT_FOUND;
    else if (is_page_aligned(offset) && vregion_shows(vregion, offset, range))
        error = pin_range(memobj, vregion, offset, offset + page_round_up(range) - 1);
    lock_give(&memobj->lock);
    return error;
}

errval_t memobj_unpin(struct memobj *memobj, struct vregion *vregion, genvaddr_t offset,
                      size_t range)
{
    if (!memobj || !vregion || !memobj->store)
        return LIB_ERR_INVALID_ARGS;
    return range > 0 && remove_pin(memobj, vregion, offset, offset + page_round_up(range) - 1)
               ? SYS_ERR_OK
               : LIB_ERR_MEMOBJ_UNPIN_REGION;
}

/* Cuts [*first, *last] to its first part that is pinned in the vregion. False: there is none. */
static bool next_pinned(struct memobj *memobj, const struct vregion *vregion, genvaddr_t *first,
                        genvaddr_t *last)
{
    const struct memobj_pin *next = NULL;
    lock_take(&memobj->store->lock);
    for (const struct memobj_pin *pin = memobj->pins; pin; pin = pin->next)
        if (pin->vregion == vregion && pin->last >= *first && pin->offset <= *last &&
            (!next || pin->offset < next->offset))
            next = pin;
    if (next) {
        *first = next->offset > *first ? next->offset : *first;
        *last = next->last < *last ? next->last : *last;
    }
    lock_give(&memobj->store->lock);
    return next != NULL;
}

void memobj_map_pinned(struct memobj *memobj, const struct vregion *vregion, genvaddr_t first,
                       genvaddr_t last)
{
    lock_check(&memobj->lock);
    for (genvaddr_t end = last; next_pinned(memobj, vregion, &first, &end); end = last) {
        (void)memobj_map_filled(memobj, vregion, first, end, false);
        first = end + 1;
    }
}

void memobj_forget_pins(struct memobj *memobj, const struct vregion *vregion)
{
    struct memobj_pin *gone = NULL;
    lock_take(&memobj->store->lock);
    struct memobj_pin **link = &memobj->pins;
    while (*link) {
        struct memobj_pin *pin = *link;
        if (pin->vregion != vregion) {
            link = &pin->next;
            continue;
        }
        *link = pin->next;
        pin->next = gone;
        gone = pin;
    }
    lock_give(&memobj->store->lock);
    while (gone) {
        struct memobj_pin *next = gone->next;
        layer_pinned_free(gone, sizeof *gone);
        gone = next;
    }
}
