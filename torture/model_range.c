/* SPDX-License-Identifier: MIT */
/* The model's operations on ranges, and on regions that are there. */
#include "model_space.h"

#include <string.h>

/* ---- ranges ------------------------------------------------------------------------------------- */

static int do_unmap(const struct operation *o)
{
    struct span span;
    int error = get_span(o, &span);
    if (error == VM_OK)
        span_remove(&span);
    return error;
}

/* Cuts the range off where the first hole is. ERR_PERMISSION_DENIED: a region before it may not get
 * this protection. */
static int survey(struct span *span, unsigned lock, bool *hole)
{
    unsigned i = 0;
    for (; i < span->count; i++) {
        const struct place *place = &model.place[span->space][span->first + i];
        if (place->object == NULL)
            break;
        if ((lock & LOCK_RW) && !(place->max_lock & LOCK_RW) &&
            place->mapping == REGION_NO_PRIVATE_MAP)
            return ERR_PERMISSION_DENIED;
    }
    *hole = i < span->count;
    span->count = i;
    return VM_OK;
}

static bool needs_promise(const struct place *place, unsigned lock)
{
    return fills_frames(only_writes_fill(place), lock) && !place->charged && !place->promised &&
           !(place->lock & REGION_OVERCOMMIT) && place->object->kind == OBJECT_MEMORY;
}

static int charge_range(const struct span *span, unsigned lock)
{
    int64_t total = 0;
    struct place *place = &model.place[span->space][span->first];
    for (unsigned i = 0; i < span->count; i++)
        total += needs_promise(&place[i], lock) ? PAGE_BYTES : 0;
    if (!may_promise(total))
        return ERR_VM_WOULD_OVERCOMMIT;
    for (unsigned i = 0; i < span->count; i++)
        if (needs_promise(&place[i], lock)) {
            (void)promise(place[i].object, PAGE_BYTES);
            place[i].charged = true;
        }
    return VM_OK;
}

static int do_protect(const struct operation *o)
{
    struct span span;
    bool hole;
    unsigned lock = (unsigned)o->argument[2] | (o->twist == TWIST_BAD_BITS ? 0x400u : 0);
    if ((lock & ~LOCK_MASK) || ((lock & LOCK_NO_READ) && (lock & (LOCK_RW | LOCK_EXECUTE))))
        return ERR_INVALID_ARGS;
    int error = get_span(o, &span);
    if (error == VM_OK)
        error = survey(&span, lock, &hole);
    if (error != VM_OK)
        return error;
    if (span.count == 0)
        return ERR_VM_PAGE_NOT_PRESENT;
    if (charge_range(&span, lock) != VM_OK)
        return ERR_VM_WOULD_OVERCOMMIT;
    span_isolate(&span);
    for (unsigned i = 0; i < span.count; i++) {
        struct place *place = &model.place[span.space][span.first + i];
        place->lock = lock | (place->lock & (REGION_FLAGS_MASK | LOCK_KERNEL));
    }
    span_join(&span);
    return hole ? ERR_VM_PAGE_NOT_PRESENT : VM_OK;
}

static int do_inherit(const struct operation *o)
{
    struct span span;
    if (o->argument[2] > VM_INHERIT_NONE || o->twist == TWIST_BAD_BITS)
        return ERR_INVALID_ARGS;
    int error = get_span(o, &span);
    if (error == VM_OK && span_has_hole(&span))
        error = ERR_VM_PAGE_NOT_PRESENT;
    if (error != VM_OK)
        return error;
    span_isolate(&span);
    set_inherit(&span, o->argument[2]);
    span_join(&span);
    return VM_OK;
}

/* Each region's part in turn; a hole is said at the end. */
static int do_discard(const struct operation *o)
{
    struct span span;
    int error = get_span(o, &span);
    for (unsigned i = 0; error == VM_OK && i < span.count; i++) {
        const struct place *place = &model.place[span.space][span.first + i];
        if (place->object == NULL)
            continue;
        if (place->wiring != REGION_WIRING_LAZY)
            return ERR_INVALID_ARGS;
        if (place->object->kind == OBJECT_MEMORY && !place->object->shared &&
            !object_has_children(place->object))
            object_hide(place->object, place->offset, 1);
    }
    return error == VM_OK && span_has_hole(&span) ? ERR_VM_PAGE_NOT_PRESENT : error;
}

static int do_holes_only(const struct operation *o)
{
    struct span span;
    int error = get_span(o, &span);
    return error == VM_OK && span_has_hole(&span) ? ERR_VM_PAGE_NOT_PRESENT : error;
}

static int do_wire(const struct operation *o, bool wired)
{
    struct span span;
    int error = get_span(o, &span);
    return error == VM_OK ? wire(&span, wired) : error;
}

static void do_find_hole(const struct operation *o, struct answer *answer)
{
    addr_t size = operation_size(o), align = VM_PAGE_SIZE << (unsigned)o->argument[4];
    unsigned low = (unsigned)o->argument[2], high = (unsigned)o->argument[3];
    if (size == 0 || low >= high || o->twist == TWIST_BAD_BITS) {
        answer->result = ERR_INVALID_ARGS;
        return;
    }
    answer->result = o->twist == TWIST_NO_SPACE && size <= UINTPTR_MAX - VM_PAGE_MASK
                         ? ERR_VM_INVALID_ASPACE
                         : ERR_VM_NO_REGION_SLOT;
    size = size > WINDOW * VM_PAGE_SIZE ? (WINDOW + 1) * VM_PAGE_SIZE : size;
    struct span span = {o->space, low, (unsigned)((size + VM_PAGE_MASK) / VM_PAGE_SIZE)};
    for (; span.first + span.count <= high && answer->result == ERR_VM_NO_REGION_SLOT;
         span.first++) {
        addr_t base = SPACE_BASE + span.first * VM_PAGE_SIZE;
        if (base % align != 0 || !span_is_free(&span) || is_guarded(&span))
            continue;
        answer->result = VM_OK;
        answer->address = base;
    }
}

/* ---- growing, shrinking, moving ----------------------------------------------------------------- */

/* The offset behind the region's last page. */
static unsigned region_end(const struct span *region)
{
    return model.place[region->space][region->first].offset + region->count;
}

static void grow_places(const struct span *region, unsigned more)
{
    struct place *place = &model.place[region->space][region->first];
    for (unsigned i = region->count; i < region->count + more; i++) {
        place[i] = place[0];
        place[i].offset += i;
    }
}

static int grow(const struct span *region, unsigned pages)
{
    struct span more = {region->space, region->first + region->count, pages - region->count};
    if (region->first + pages > WINDOW || !span_is_free(&more))
        return ERR_VM_NO_REGION_SLOT;
    int error = prepare_growth(region, region_end(region), more.count);
    if (error != VM_OK)
        return error;
    bool wired = model.place[region->space][region->first].wiring == REGION_WIRING_WIRED;
    grow_places(region, more.count);
    return wired ? bring_in(&more) : VM_OK;
}

static int do_resize(const struct operation *o)
{
    struct span region =
        region_at(o->twist == TWIST_OTHER_SPACE ? (o->space + 1u) % SPACES : o->space,
                  (unsigned)o->argument[0]);
    addr_t size = operation_size(o);
    if (size == 0)
        return ERR_INVALID_ARGS;
    if (size > (addr_t)INT64_MAX - VM_PAGE_MASK)
        return ERR_VM_NO_REGION_SLOT;
    if (o->twist == TWIST_NO_SPACE)
        return ERR_VM_INVALID_ASPACE;
    if (region.count == 0 || o->twist == TWIST_OTHER_SPACE)
        return ERR_VM_INVALID_REGION;
    unsigned pages = (unsigned)((size + VM_PAGE_MASK) / VM_PAGE_SIZE);
    if (pages == region.count)
        return VM_OK;
    if (pages > region.count)
        return grow(&region, pages);
    struct span rest = {region.space, region.first + pages, region.count - pages};
    span_remove(&rest);
    return VM_OK;
}

static bool overlap(const struct span *a, const struct span *b)
{
    return a->first < b->first + b->count && b->first < a->first + a->count;
}

/* The two ranges are cut out and the growth, if any, is prepared; or, on an error, nothing is cut. */
static int prepare_move(const struct span *old, const struct span *kept, const struct span *to,
                        bool replace)
{
    struct place before[WINDOW];
    int error = VM_OK;
    memcpy(before, model.place[old->space], sizeof(before));
    span_isolate(kept);
    if (kept->count < old->count)
        span_isolate(old);
    if (replace)
        span_isolate(to);
    if (to->count > kept->count)
        error = prepare_growth(kept, region_end(kept), to->count - kept->count);
    if (error != VM_OK)
        memcpy(model.place[old->space], before, sizeof(before));
    return error;
}

static void carry(const struct span *kept, const struct span *to)
{
    struct place moved[WINDOW];
    struct place *from = &model.place[kept->space][kept->first];
    memcpy(moved, from, kept->count * sizeof(moved[0]));
    memset(from, 0, kept->count * sizeof(moved[0]));
    memcpy(&model.place[to->space][to->first], moved, kept->count * sizeof(moved[0]));
}

static void do_move(const struct operation *o, struct answer *answer)
{
    struct span old, to;
    addr_t new_size = (addr_t)o->argument[4] * VM_PAGE_SIZE;
    bool replace = o->argument[2] == REGION_ADDR_REPLACE;
    answer->result = new_size == 0 ? ERR_INVALID_ARGS : get_span(o, &old);
    if (answer->result != VM_OK)
        return;
    struct span region = region_at(o->space, old.first);
    if (region.count == 0 || region.first + region.count < old.first + old.count) {
        answer->result = ERR_VM_PAGE_NOT_PRESENT;
        return;
    }
    answer->result = o->argument[2] > REGION_ADDR_TOP
                         ? ERR_INVALID_ARGS
                         : find_place(o->space, SPACE_BASE + (addr_t)o->argument[3] * VM_PAGE_SIZE,
                                      new_size, (unsigned)o->argument[2], &to);
    if (answer->result == VM_OK && replace && overlap(&old, &to))
        answer->result = ERR_INVALID_ARGS;
    if (answer->result != VM_OK)
        return;
    struct span kept = old;
    kept.count = to.count < old.count ? to.count : old.count;
    answer->result = prepare_move(&old, &kept, &to, replace);
    if (answer->result != VM_OK)
        return;
    if (replace)
        span_remove(&to);
    carry(&kept, &to);
    struct span moved = {to.space, to.first, kept.count};
    if (to.count > kept.count)
        grow_places(&moved, to.count - kept.count);
    struct span rest = {old.space, old.first + kept.count, old.count - kept.count};
    if (rest.count > 0)
        span_remove(&rest);
    answer->address = SPACE_BASE + to.first * VM_PAGE_SIZE;
    if (model.place[to.space][to.first].wiring == REGION_WIRING_WIRED)
        (void)bring_in(&to);
}

int do_delete_region(const struct operation *o)
{
    bool other = o->twist == TWIST_OTHER_SPACE;
    struct span region =
        region_at(other ? (o->space + 1u) % SPACES : o->space, (unsigned)o->argument[0]);
    if (o->twist == TWIST_NO_SPACE)
        return ERR_VM_INVALID_ASPACE;
    if (region.count == 0 || other)
        return ERR_VM_INVALID_REGION;
    span_remove(&region);
    return VM_OK;
}

void do_with_range(const struct operation *o, struct answer *answer)
{
    switch (o->kind) {
    case OPERATION_UNMAP:
        answer->result = do_unmap(o);
        break;
    case OPERATION_PROTECT:
        answer->result = do_protect(o);
        break;
    case OPERATION_RESIZE:
        answer->result = do_resize(o);
        break;
    case OPERATION_MOVE:
        do_move(o, answer);
        break;
    case OPERATION_DISCARD:
        answer->result = do_discard(o);
        break;
    case OPERATION_SYNC:
    case OPERATION_RESIDENCY:
        answer->result = do_holes_only(o);
        break;
    case OPERATION_WIRE:
    case OPERATION_UNWIRE:
        answer->result = do_wire(o, o->kind == OPERATION_WIRE);
        break;
    case OPERATION_INHERIT:
        answer->result = do_inherit(o);
        break;
    case OPERATION_FIND_HOLE:
        do_find_hole(o, answer);
        break;
    }
}
