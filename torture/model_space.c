/* SPDX-License-Identifier: MIT */
#include "model_space.h"

static struct place *place_at(unsigned space, unsigned page)
{
    return &model.place[space][page];
}

/* ---- spans -------------------------------------------------------------------------------------- */

int span_check(unsigned space, addr_t address, addr_t size, struct span *span)
{
    addr_t last = SPACE_BASE + WINDOW * VM_PAGE_SIZE - 1;
    if (size == 0)
        return ERR_INVALID_ARGS;
    if (address % VM_PAGE_SIZE != 0 || address < SPACE_BASE || address > last ||
        size - 1 > last - address)
        return ERR_VM_BAD_ADDRESS;
    *span = (struct span){space, (unsigned)((address - SPACE_BASE) / VM_PAGE_SIZE),
                          (unsigned)((size + VM_PAGE_SIZE - 1) / VM_PAGE_SIZE)};
    return VM_OK;
}

bool span_is_free(const struct span *span)
{
    for (unsigned i = 0; i < span->count; i++)
        if (place_at(span->space, span->first + i)->object != NULL)
            return false;
    return true;
}

/* All of the window is within one gap. */
bool is_guarded(const struct span *span)
{
    unsigned above = span->first + span->count;
    while (above < WINDOW && place_at(span->space, above)->object == NULL)
        above++;
    return above < WINDOW && (place_at(span->space, above)->lock & REGION_GROWS_DOWN) != 0;
}

bool span_has_hole(const struct span *span)
{
    for (unsigned i = 0; i < span->count; i++)
        if (place_at(span->space, span->first + i)->object == NULL)
            return true;
    return false;
}

/* ---- regions ------------------------------------------------------------------------------------ */

struct span region_at(unsigned space, unsigned page)
{
    struct span span = {space, page, 0};
    uint32_t serial = place_at(space, page)->serial;
    if (place_at(space, page)->object == NULL)
        return span;
    while (span.first > 0 && place_at(space, span.first - 1)->object != NULL &&
           place_at(space, span.first - 1)->serial == serial)
        span.first--;
    while (span.first + span.count < WINDOW &&
           place_at(space, span.first + span.count)->object != NULL &&
           place_at(space, span.first + span.count)->serial == serial)
        span.count++;
    return span;
}

unsigned model_region(unsigned space, unsigned page, unsigned *first)
{
    struct span span = region_at(space, page);
    *first = span.first;
    return span.count;
}

void region_split(unsigned space, unsigned page)
{
    if (page == 0 || page >= WINDOW || place_at(space, page)->object == NULL)
        return;
    struct span span = region_at(space, page);
    if (span.first == page)
        return;
    uint32_t serial = ++model.next_serial;
    for (unsigned i = page; i < span.first + span.count; i++)
        place_at(space, i)->serial = serial;
}

void span_isolate(const struct span *span)
{
    region_split(span->space, span->first + span->count);
    region_split(span->space, span->first);
}

static bool could_be_one(const struct place *a, const struct place *b)
{
    return a->object == b->object && a->offset + 1 == b->offset && a->lock == b->lock &&
           a->max_lock == b->max_lock && a->wiring == b->wiring && a->mapping == b->mapping &&
           a->inherit == b->inherit && a->charged == b->charged && a->promised == b->promised &&
           a->charged_to_share == b->charged_to_share;
}

void span_join(const struct span *span)
{
    for (unsigned page = span->first; page <= span->first + span->count && page < WINDOW; page++) {
        if (page == 0)
            continue;
        const struct place *a = place_at(span->space, page - 1), *b = a + 1;
        if (a->object == NULL || b->object == NULL || a->serial == b->serial || !could_be_one(a, b))
            continue;
        struct span upper = region_at(span->space, page);
        for (unsigned i = 0; i < upper.count; i++)
            place_at(span->space, page + i)->serial = a->serial;
    }
}

/* How many pages of other regions show the object. */
static unsigned other_places(const struct object *object, const struct span *but)
{
    unsigned count = 0;
    for (unsigned s = 0; s < SPACES; s++)
        for (unsigned p = 0; p < WINDOW; p++) {
            bool own = s == but->space && p >= but->first && p < but->first + but->count;
            count += !own && model.place[s][p].object == object;
        }
    return count;
}

static void remove_region(const struct span *region)
{
    struct place *place = place_at(region->space, region->first);
    struct object *object = place->object;
    if (object->kind == OBJECT_MEMORY && object->shared && other_places(object, region) == 0)
        (void)promise(object, -object->committed);
    if (object->kind == OBJECT_MEMORY && !object->shared) {
        if (place->charged)
            (void)promise(object, -(int64_t)region->count * PAGE_BYTES);
        if (!object_has_children(object) && other_places(object, region) > 0)
            object_drop(object, place->offset, region->count);
    }
    for (unsigned i = 0; i < region->count; i++)
        place[i] = (struct place){.object = NULL};
}

void span_remove(const struct span *span)
{
    span_isolate(span);
    for (unsigned page = span->first; page < span->first + span->count; page++)
        if (place_at(span->space, page)->object != NULL) {
            struct span region = region_at(span->space, page);
            remove_region(&region);
        }
}

/* ---- promises ----------------------------------------------------------------------------------- */

bool may_promise(int64_t bytes)
{
    return bytes <= 0 ||
           (model.committed <= model.max_commit && bytes <= model.max_commit - model.committed);
}

bool promise(struct object *object, int64_t bytes)
{
    if (!may_promise(bytes))
        return false;
    model.committed += bytes;
    object->committed += bytes;
    return true;
}

bool only_writes_fill(const struct place *place)
{
    return place->object->parent != NULL && place->object->parent->kind == OBJECT_FILE;
}

bool fills_frames(bool only_by_writing, unsigned lock)
{
    if (only_by_writing)
        return (lock & LOCK_RW) != 0;
    return (lock & LOCK_NO_READ) == 0;
}

/* ---- places for regions ------------------------------------------------------------------------- */

/* The lowest, or highest, free pages of that number in [low, high). */
static int find_hole(unsigned space, unsigned count, unsigned high, bool top, struct span *span)
{
    bool found = false;
    for (unsigned first = 0; first + count <= high; first++) {
        struct span here = {space, first, count};
        if (!span_is_free(&here) || is_guarded(&here) || (found && !top))
            continue;
        *span = here;
        found = true;
    }
    return found ? VM_OK : ERR_VM_NO_REGION_SLOT;
}

int find_place(unsigned space, addr_t address, addr_t size, unsigned addr_type, struct span *span)
{
    unsigned count = size > WINDOW * VM_PAGE_SIZE ? WINDOW + 1 : (unsigned)(size / VM_PAGE_SIZE);
    unsigned high = WINDOW;
    int error = span_check(space, address, size, span);
    switch (addr_type) {
    case REGION_ADDR_ANY_ADDRESS:
        return find_hole(space, count, WINDOW, false, span);
    case REGION_ADDR_TOP:
        if (address <= SPACE_BASE && address != 0)
            return ERR_VM_NO_REGION_SLOT;
        if (address != 0 && address < SPACE_BASE + WINDOW * VM_PAGE_SIZE)
            high = (unsigned)((address - SPACE_BASE) / VM_PAGE_SIZE);
        return find_hole(space, count, high, true, span);
    case REGION_ADDR_HINT:
        if (error == VM_OK && span_is_free(span) && !is_guarded(span))
            return VM_OK;
        return find_hole(space, count, WINDOW, true, span);
    case REGION_ADDR_EXACT_ADDRESS:
        if (error != VM_OK)
            return error;
        return span_is_free(span) ? VM_OK : ERR_VM_NO_REGION_SLOT;
    default:
        return error;
    }
}

/* ---- growing ------------------------------------------------------------------------------------ */

/* Whether another region shows pages [from, from + more) of the object. */
static bool others_show(const struct span *region, const struct object *object, unsigned from,
                        unsigned more)
{
    for (unsigned s = 0; s < SPACES; s++)
        for (unsigned p = 0; p < WINDOW; p++) {
            const struct place *place = &model.place[s][p];
            bool own =
                s == region->space && p >= region->first && p < region->first + region->count;
            if (!own && place->object == object && place->offset >= from &&
                place->offset < from + more)
                return true;
        }
    return false;
}

/* The region gets an object of its own, with what it shows now. */
static void separate(const struct span *region, int64_t grown)
{
    struct place *place = &model.place[region->space][region->first];
    struct object *old = place->object, *own = object_copy(old);
    int64_t moved = grown + (place->charged ? (int64_t)region->count * PAGE_BYTES : 0);
    old->committed -= moved;
    own->committed += moved;
    for (unsigned i = 0; i < region->count; i++)
        place[i].object = own;
}

/* What is missing for `more` pages beside all that show the object now: at most those pages. */
static int64_t promise_for_all(const struct object *object, unsigned more)
{
    static const struct span nobody;
    int64_t all = (int64_t)more * PAGE_BYTES;
    int64_t missing =
        ((int64_t)other_places(object, &nobody) + more) * PAGE_BYTES - object->committed;
    return missing < 0 ? 0 : missing < all ? missing : all;
}

int prepare_growth(const struct span *region, unsigned from, unsigned more)
{
    struct place *place = &model.place[region->space][region->first];
    struct object *object = place->object;
    int64_t bytes = 0;
    if (object->kind == OBJECT_DEVICE || object->kind == OBJECT_NOTHING)
        return ERR_UNSUPPORTED;
    if (object->kind != OBJECT_MEMORY)
        return VM_OK;
    if (object->shared && !(place->lock & REGION_OVERCOMMIT))
        bytes = promise_for_all(object, more);
    else if (place->charged)
        bytes = (int64_t)more * PAGE_BYTES;
    if (!promise(object, bytes))
        return ERR_VM_WOULD_OVERCOMMIT;
    if (!object->shared && others_show(region, object, from, more))
        separate(region, bytes);
    for (unsigned offset = from; offset < from + more; offset++)
        if (!others_show(region, place->object, offset, 1))
            object_hide(place->object, offset, 1);
    return VM_OK;
}

/* ---- faults ------------------------------------------------------------------------------------- */

/* The stack above the page grows down to it. */
static int grow_stack(unsigned space, unsigned page)
{
    unsigned above = page;
    while (above < WINDOW && place_at(space, above)->object == NULL)
        above++;
    for (unsigned below = 0; below < page; below++)
        if (place_at(space, below)->object != NULL)
            return ERR_VM_PF_BAD_ADDRESS; /* all of the window is within the guard gap */
    if (above == WINDOW)
        return ERR_VM_PF_BAD_ADDRESS;
    struct place stack = *place_at(space, above);
    unsigned more = above - page;
    if (!(stack.lock & REGION_GROWS_DOWN) || more > stack.offset ||
        stack.object->kind == OBJECT_DEVICE || stack.object->kind == OBJECT_NOTHING)
        return ERR_VM_PF_BAD_ADDRESS;
    if (!object_fits(stack.object, stack.offset - more, more)) {
        model.lost = true;
        return ERR_VM_PF_BAD_ADDRESS;
    }
    struct span region = region_at(space, above);
    int error = prepare_growth(&region, stack.offset - more, more);
    if (error != VM_OK)
        return error;
    stack = *place_at(space, above);
    for (unsigned i = 0; i < more; i++) {
        *place_at(space, page + i) = stack;
        place_at(space, page + i)->offset = stack.offset - more + i;
    }
    return VM_OK;
}

static int check_access(const struct place *place, unsigned access)
{
    bool device = place->object->kind == OBJECT_DEVICE || place->object->kind == OBJECT_NOTHING;
    if (device && (place->lock & LOCK_NO_READ))
        return ERR_VM_PF_FATAL;
    if ((place->lock & LOCK_NO_READ) ||
        ((access & VM_ACCESS_USER) && (place->lock & LOCK_KERNEL)) ||
        ((access & VM_ACCESS_WRITE) && !(place->lock & LOCK_RW)) ||
        ((access & VM_ACCESS_EXECUTE) && !(place->lock & LOCK_EXECUTE)))
        return ERR_VM_PF_BAD_PERM;
    return place->object->kind == OBJECT_NOTHING ? ERR_VM_PF_FATAL : VM_OK;
}

static bool is_mapped(const struct object *object)
{
    for (unsigned s = 0; s < SPACES; s++)
        for (unsigned p = 0; p < WINDOW; p++)
            if (model.place[s][p].object == object)
                return true;
    return false;
}

int model_fault(unsigned space, unsigned page, unsigned access)
{
    struct place *place = place_at(space, page);
    if (place->object == NULL) {
        int error = grow_stack(space, page);
        if (error != VM_OK)
            return error;
    }
    int error = check_access(place, access);
    if (error != VM_OK)
        return error;
    if (!(access & VM_ACCESS_WRITE))
        object_pull(place->object, place->offset, is_mapped);
    bool there = access & VM_ACCESS_WRITE ? object_write(place->object, place->offset) != NULL
                                          : object_page(place->object, place->offset) != NULL;
    return there ? VM_OK : ERR_VM_PF_PAST_END;
}

int bring_in(const struct span *span)
{
    for (unsigned page = span->first; page < span->first + span->count; page++) {
        const struct place *place = place_at(span->space, page);
        if (place->object == NULL || place->object->kind == OBJECT_DEVICE ||
            place->object->kind == OBJECT_NOTHING || (place->lock & LOCK_NO_READ))
            continue;
        int error = model_fault(span->space, page,
                                place->lock & LOCK_RW ? VM_ACCESS_WRITE : VM_ACCESS_READ);
        if (error != VM_OK)
            return error;
    }
    return VM_OK;
}

static void set_wiring(const struct span *span, int wiring)
{
    span_isolate(span);
    for (unsigned page = span->first; page < span->first + span->count; page++) {
        struct place *place = place_at(span->space, page);
        if (place->object->kind != OBJECT_DEVICE && place->object->kind != OBJECT_NOTHING)
            place->wiring = (uint8_t)wiring;
    }
    span_join(span);
}

int wire(const struct span *span, bool wired)
{
    if (span_has_hole(span))
        return ERR_VM_PAGE_NOT_PRESENT;
    int error = wired ? bring_in(span) : VM_OK;
    if (error == VM_OK) {
        set_wiring(span, wired ? REGION_WIRING_WIRED : REGION_WIRING_LAZY);
        return VM_OK;
    }
    span_isolate(span);
    span_join(span);
    return error;
}

/* ---- what operations share ---------------------------------------------------------------------- */

void insert(const struct span *span, struct place place)
{
    place.serial = ++model.next_serial;
    for (unsigned i = 0; i < span->count; i++) {
        model.place[span->space][span->first + i] = place;
        place.offset++;
    }
}

/* What must be promised before others share the region's object. */
int64_t promise_to_share(const struct span *region)
{
    const struct place *place = &model.place[region->space][region->first];
    bool promised = place->charged || place->promised || (place->lock & REGION_OVERCOMMIT);
    return place->object->kind != OBJECT_MEMORY || promised ? 0
                                                            : (int64_t)region->count * PAGE_BYTES;
}

void share(const struct span *region)
{
    struct place *place = &model.place[region->space][region->first];
    int64_t bytes = promise_to_share(region);
    if (place->object->kind != OBJECT_MEMORY)
        return;
    if (bytes > 0)
        (void)promise(place->object, bytes);
    for (unsigned i = 0; i < region->count && bytes > 0; i++)
        place[i].charged = place[i].charged_to_share = true;
    place->object->shared = true;
}

void set_inherit(const struct span *region, int inherit)
{
    for (unsigned i = 0; i < region->count; i++)
        model.place[region->space][region->first + i].inherit = (uint8_t)inherit;
}

int get_span(const struct operation *o, struct span *span)
{
    if (o->twist == TWIST_NO_SPACE)
        return ERR_VM_INVALID_ASPACE;
    return span_check(o->space, operation_address(o), operation_size(o), span);
}

const uint8_t *model_shows(const struct place *place)
{
    return object_page(place->object, place->offset);
}
