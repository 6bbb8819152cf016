/* SPDX-License-Identifier: MIT */
#include "linux_omit.h"

#include "generate.h"
#include "model_space.h"

static const struct place *place_of(const struct operation *o, unsigned page)
{
    return &model.place[o->space][page];
}

/* ---- whatever the state ------------------------------------------------------------------------- */

static bool has_call(unsigned kind)
{
    switch (kind) {
    case OPERATION_MAP_DEVICE:
    case OPERATION_CREATE_NULL:
    case OPERATION_CLONE:
    case OPERATION_WIRE:
    case OPERATION_UNWIRE:
    case OPERATION_RESIDENCY:
    case OPERATION_FIND_HOLE:
    case OPERATION_LIMIT:
        return false;
    default:
        return true;
    }
}

static bool is_range(const struct operation *o)
{
    return o->kind <= OPERATION_FIND_HOLE && o->kind != OPERATION_DELETE_REGION &&
           o->kind != OPERATION_RESIZE;
}

static bool is_new_region(const struct operation *o)
{
    return o->kind == OPERATION_CREATE || o->kind == OPERATION_MAP_FILE;
}

static bool has_odd_size(const struct operation *o)
{
    bool is_resize = o->kind == OPERATION_RESIZE, is_move = o->kind == OPERATION_MOVE;
    if (!is_range(o) && !is_resize)
        return false;
    if (o->twist == TWIST_HUGE)
        return is_resize || is_move || o->kind == OPERATION_SYNC;
    if (operation_size(o) == 0)
        return !is_new_region(o) && o->kind != OPERATION_UNMAP && !is_resize;
    return (is_range(o) && o->argument[0] + o->argument[1] > WINDOW) ||
           (is_move && o->argument[3] + o->argument[4] > WINDOW);
}

static bool has_odd_twist(const struct operation *o)
{
    if (o->twist == TWIST_NO_SPACE || o->twist == TWIST_OTHER_SPACE || o->twist == TWIST_LONG)
        return true;
    return o->twist == TWIST_BAD_BITS && o->kind <= OPERATION_FIND_HOLE &&
           o->kind != OPERATION_PROTECT;
}

static bool has_odd_lock(const struct operation *o)
{
    if (!is_new_region(o) && o->kind != OPERATION_PROTECT)
        return false;
    unsigned lock = (unsigned)o->argument[o->kind == OPERATION_PROTECT ? 2 : 3];
    bool stack = lock & REGION_GROWS_DOWN, shared = lock & REGION_SHARED;
    if ((lock & LOCK_KERNEL) || ((lock & LOCK_NO_READ) && (lock & (LOCK_RW | LOCK_EXECUTE))))
        return true;
    switch (o->kind) {
    case OPERATION_CREATE:
        return (stack && shared) || o->argument[4] != REGION_WIRING_LAZY;
    case OPERATION_MAP_FILE:
        return stack || shared;
    default:
        return (lock & ~LOCK_MASK) != 0;
    }
}

/* ---- new regions and moves ---------------------------------------------------------------------- */

/* Whether Linux has something like this addr_type; `to` is where the region shall go. */
static bool has_odd_target(unsigned addr_type, const struct span *to, bool is_move)
{
    switch (addr_type) {
    case REGION_ADDR_REPLACE:
        return false;
    case REGION_ADDR_EXACT_ADDRESS:
        return is_move && !span_is_free(to);
    case REGION_ADDR_HINT:
        return !span_is_free(to) || is_guarded(to);
    default:
        return true;
    }
}

static bool is_denied(const struct operation *o)
{
    unsigned lock = (unsigned)o->argument[3];
    return o->kind == OPERATION_MAP_FILE && o->argument[4] == 0 && (lock & LOCK_RW) &&
           (lock & REGION_NO_WRITE);
}

static bool omits_new_region(const struct operation *o)
{
    struct span to = {o->space, (unsigned)o->argument[0], 0};
    bool hint = o->argument[2] == REGION_ADDR_HINT;
    bool exact = o->argument[2] == REGION_ADDR_EXACT_ADDRESS;
    int error = span_check(o->space, operation_address(o), operation_size(o), &to);
    if (is_denied(o) && (error != VM_OK || (exact && !span_is_free(&to))))
        return true;
    return (hint && error != VM_OK) || has_odd_target((unsigned)o->argument[2], &to, false);
}

/* Growth of shared anonymous memory. */
static bool outgrows(const struct operation *o, const struct span *region, unsigned pages)
{
    const struct object *object = place_of(o, region->first)->object;
    return object->kind == OBJECT_MEMORY && object->shared && pages > region->count;
}

static bool omits_resize(const struct operation *o)
{
    struct span region = region_at(o->space, (unsigned)o->argument[0]);
    unsigned pages = (unsigned)o->argument[1];
    return region.count > 0 && (region.first + pages > WINDOW || outgrows(o, &region, pages));
}

static bool omits_move(const struct operation *o)
{
    const int32_t *a = o->argument;
    struct span old = {o->space, (unsigned)a[0], (unsigned)a[1]};
    struct span to = {o->space, (unsigned)a[3], (unsigned)a[4]};
    struct span region = region_at(o->space, old.first);
    bool overlap = old.first < to.first + to.count && to.first < old.first + old.count;
    if (has_odd_target((unsigned)a[2], &to, true))
        return true;
    if (region.count == 0)
        return overlap;
    return region.first + region.count < old.first + old.count || outgrows(o, &old, to.count);
}

/* ---- ranges ------------------------------------------------------------------------------------- */

/* Denied, but not at the first page. */
static bool omits_protect(const struct operation *o)
{
    for (int32_t i = 0; i < o->argument[1] && o->argument[0] + i < WINDOW; i++) {
        const struct place *place = place_of(o, (unsigned)(o->argument[0] + i));
        if (place->object == NULL || !(o->argument[2] & (int32_t)LOCK_RW))
            return false;
        if (!(place->max_lock & LOCK_RW) && place->mapping == REGION_NO_PRIVATE_MAP)
            return i > 0;
    }
    return false;
}

static bool omits_inherit(const struct operation *o)
{
    for (int32_t i = 0; i < o->argument[1] && o->argument[0] + i < WINDOW; i++) {
        const struct place *place = place_of(o, (unsigned)(o->argument[0] + i));
        if (place->object == NULL)
            return true;
        bool private = place->object->kind == OBJECT_MEMORY && !place->object->shared;
        if (o->argument[2] == (private ? VM_INHERIT_SHARE : VM_INHERIT_COPY))
            return true;
    }
    return o->argument[2] > VM_INHERIT_NONE;
}

/* ---- accesses ----------------------------------------------------------------------------------- */

/* A hole below a stack, with something below it that only the core's guard gap minds. */
static bool grows_otherwise(const struct operation *o, unsigned page)
{
    struct span here = {o->space, page, 1};
    unsigned below = page;
    if (place_of(o, page)->object != NULL || !is_guarded(&here))
        return false;
    while (below > 0 && place_of(o, below - 1)->object == NULL)
        below--;
    return below > 0 && (place_of(o, below - 1)->lock & (LOCK_NO_READ | REGION_GROWS_DOWN)) != 0;
}

/* Whether a write to bytes up to `end` of the page is one behind its file's end. */
static bool writes_past_end(const struct operation *o, unsigned page, size_t end)
{
    const struct place *place = place_of(o, page);
    if (place->object == NULL || place->object->kind != OBJECT_FILE)
        return false;
    size_t size = model.file[place->object->file].size;
    return size / VM_PAGE_SIZE == place->offset && size % VM_PAGE_SIZE != 0 &&
           end > size % VM_PAGE_SIZE;
}

static bool omits_access(const struct operation *o)
{
    size_t first = (size_t)o->argument[0] * VM_PAGE_SIZE;
    size_t end = first + (size_t)o->argument[1] + (size_t)o->argument[2];
    for (unsigned page = (unsigned)o->argument[0]; page < WINDOW && page * VM_PAGE_SIZE < end;
         page++) {
        size_t left = end - page * VM_PAGE_SIZE;
        if (grows_otherwise(o, page))
            return true;
        if (o->kind == OPERATION_WRITE &&
            writes_past_end(o, page, left < VM_PAGE_SIZE ? left : VM_PAGE_SIZE))
            return true;
    }
    return false;
}

static bool omits_execution(const struct operation *o)
{
    const struct place *place = place_of(o, (unsigned)o->argument[0]);
    struct span page = {o->space, (unsigned)o->argument[0], 1};
    if (o->argument[2] != 1)
        return true;
    if (place->object == NULL)
        return is_guarded(&page);
    const uint8_t *shown = model_shows(place);
    bool allowed = (place->lock & LOCK_EXECUTE) != 0, untouchable = place->lock & LOCK_NO_READ;
    if (shown == NULL)
        return !allowed && !untouchable;
    return allowed && shown[o->argument[1]] != RETURN_BYTE;
}

/* ---- all ---------------------------------------------------------------------------------------- */

static bool omits_in_this_state(const struct operation *o)
{
    switch (o->kind) {
    case OPERATION_CREATE:
    case OPERATION_MAP_FILE:
        return omits_new_region(o);
    case OPERATION_DELETE_REGION:
        return place_of(o, (unsigned)o->argument[0])->object == NULL;
    case OPERATION_RESIZE:
        return omits_resize(o);
    case OPERATION_MOVE:
        return omits_move(o);
    case OPERATION_PROTECT:
        return omits_protect(o);
    case OPERATION_INHERIT:
        return omits_inherit(o);
    case OPERATION_READ:
    case OPERATION_WRITE:
        return omits_access(o);
    case OPERATION_EXECUTE:
        return omits_execution(o);
    default:
        return false;
    }
}

bool linux_omits(const struct operation *o)
{
    return !has_call(o->kind) || has_odd_twist(o) || has_odd_size(o) || has_odd_lock(o) ||
           !model_can_follow(o) || omits_in_this_state(o);
}
