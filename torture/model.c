/* SPDX-License-Identifier: MIT */
/* What each operation must do, by the contract of <quire/vm.h>: first everything is checked, in the order
 * in which the contract's errors come, then everything is done. */
#include "model.h"

#include <string.h>

#include "model_space.h"

struct model model;

/* ---- new regions -------------------------------------------------------------------------------- */

/* A region to be: its pages' common properties, and where it goes. */
struct request {
    addr_t address, size;
    unsigned addr_type;
    struct place place; /* of its first page */
    int64_t promise;    /* for its object */
};

static struct request request_of(addr_t address, addr_t size, int32_t addr_type)
{
    return (struct request){.address = address, .size = size, .addr_type = (unsigned)addr_type};
}

static int check_create(const struct operation *o, struct request *r, unsigned lock,
                        unsigned wiring)
{
    if (r->size == 0 || (lock & ~(LOCK_MASK | REGION_FLAGS_MASK)) ||
        ((lock & LOCK_NO_READ) && (lock & (LOCK_RW | LOCK_EXECUTE))) ||
        r->addr_type > REGION_ADDR_TOP || wiring > REGION_WIRING_WIRED_CONTIG)
        return ERR_INVALID_ARGS;
    if (r->size > (addr_t)INT64_MAX - VM_PAGE_MASK)
        return ERR_VM_BAD_ADDRESS;
    r->size = (r->size + VM_PAGE_MASK) & ~VM_PAGE_MASK;
    if (o->twist == TWIST_NO_SPACE)
        return ERR_VM_INVALID_ASPACE;
    return wiring > REGION_WIRING_WIRED ? ERR_INVALID_ARGS : VM_OK;
}

static void insert(const struct span *span, struct place place)
{
    place.serial = ++model.next_serial;
    for (unsigned i = 0; i < span->count; i++) {
        model.place[span->space][span->first + i] = place;
        place.offset++;
    }
}

/* The object is made, and what it promises granted; on an error the caller drops the object. */
static void put_region(const struct request *r, const struct span *span, struct answer *answer)
{
    if (r->addr_type == REGION_ADDR_REPLACE)
        span_remove(span);
    insert(span, r->place);
    answer->address = SPACE_BASE + span->first * VM_PAGE_SIZE;
    if (r->place.wiring != REGION_WIRING_WIRED)
        return;
    answer->result = bring_in(span);
    if (answer->result != VM_OK)
        span_remove(span);
}

static void finish_create(unsigned space, struct request *r, struct answer *answer)
{
    struct span span;
    if (!may_promise(r->promise)) {
        answer->result = ERR_VM_WOULD_OVERCOMMIT;
        return;
    }
    answer->result = find_place(space, r->address, r->size, r->addr_type, &span);
    if (answer->result != VM_OK)
        return;
    (void)promise(r->place.object, r->promise);
    put_region(r, &span, answer);
}

#define STACK_PAGES ((unsigned)(VM_STACK_LIMIT / VM_PAGE_SIZE))

static void do_create(const struct operation *o, struct answer *answer)
{
    unsigned lock = (unsigned)o->argument[3] | (o->twist == TWIST_BAD_BITS ? 0x400u : 0);
    unsigned wiring = (unsigned)o->argument[4];
    struct request r = request_of(operation_address(o), operation_size(o), o->argument[2]);
    answer->result = check_create(o, &r, lock, wiring);
    if (answer->result != VM_OK)
        return;
    bool shared = lock & REGION_SHARED, stack = lock & REGION_GROWS_DOWN;
    unsigned pages = r.size / VM_PAGE_SIZE > WINDOW ? WINDOW : (unsigned)(r.size / VM_PAGE_SIZE);
    r.place = (struct place){.offset = stack ? STACK_PAGES - pages : 0,
                             .lock = lock,
                             .max_lock = LOCK_RW,
                             .wiring = (uint8_t)wiring,
                             .inherit = shared ? VM_INHERIT_SHARE : VM_INHERIT_COPY};
    bool overcommit = lock & REGION_OVERCOMMIT;
    r.place.charged = !shared && !overcommit && fills_frames(false, lock);
    if (r.place.charged || (shared && !overcommit))
        r.promise = (int64_t)r.size;
    r.place.object = object_new(OBJECT_MEMORY, NULL, stack ? STACK_PAGES - CELLS / 2 : 0);
    r.place.object->shared = r.place.promised = shared;
    finish_create(o->space, &r, answer);
}

static void do_map_file(const struct operation *o, struct answer *answer)
{
    unsigned lock = (unsigned)o->argument[3] & ~REGION_NO_WRITE;
    unsigned max_lock = (unsigned)o->argument[3] & REGION_NO_WRITE ? LOCK_RO : LOCK_RW;
    bool private = o->argument[4] != 0;
    struct request r = request_of(operation_address(o), operation_size(o), o->argument[2]);
    lock |= o->twist == TWIST_BAD_BITS ? 0x400u : 0;
    answer->result = check_create(o, &r, lock, REGION_WIRING_LAZY);
    if (answer->result == VM_OK && !private && (lock & LOCK_RW) && max_lock == LOCK_RO)
        answer->result = ERR_PERMISSION_DENIED;
    if (answer->result != VM_OK)
        return;
    struct object *file = model.file[o->argument[5]].object;
    r.place = (struct place){.object = file,
                             .offset = (unsigned)o->argument[6],
                             .lock = lock,
                             .max_lock = max_lock,
                             .mapping = private ? REGION_PRIVATE_MAP : REGION_NO_PRIVATE_MAP,
                             .inherit = private ? VM_INHERIT_COPY : VM_INHERIT_SHARE};
    if (private) {
        r.place.object = object_new(OBJECT_MEMORY, file, 0);
        r.place.charged = (lock & LOCK_RW) && !(lock & REGION_OVERCOMMIT);
        r.promise = r.place.charged ? (int64_t)r.size : 0;
    }
    finish_create(o->space, &r, answer);
}

static void do_map_device(const struct operation *o, struct answer *answer)
{
    unsigned lock = (unsigned)o->argument[3] | (o->twist == TWIST_BAD_BITS ? 0x400u : 0);
    unsigned frame = (unsigned)o->argument[4];
    struct request r = request_of(operation_address(o), operation_size(o), o->argument[2]);
    if (r.size != 0 && r.size > (addr_t)INT64_MAX) { /* there are no such physical addresses */
        answer->result = ERR_VM_BAD_ADDRESS;
        return;
    }
    answer->result = check_create(o, &r, lock, REGION_WIRING_LAZY);
    if (answer->result != VM_OK)
        return;
    r.place = (struct place){.object = object_new(OBJECT_DEVICE, NULL, frame),
                             .offset = frame,
                             .lock = lock,
                             .max_lock = LOCK_RW,
                             .inherit = VM_INHERIT_SHARE};
    finish_create(o->space, &r, answer);
}

static void do_create_null(const struct operation *o, struct answer *answer)
{
    struct request r = request_of(operation_address(o), operation_size(o), o->argument[2]);
    answer->result = check_create(o, &r, LOCK_NO_READ, REGION_WIRING_LAZY);
    if (answer->result != VM_OK)
        return;
    r.place = (struct place){.object = object_new(OBJECT_NOTHING, NULL, 0),
                             .lock = LOCK_NO_READ,
                             .max_lock = LOCK_RO,
                             .inherit = VM_INHERIT_SHARE};
    finish_create(o->space, &r, answer);
}

/* ---- sharing ------------------------------------------------------------------------------------ */

/* What must be promised before others share the region's object. */
static int64_t promise_to_share(const struct span *region)
{
    const struct place *place = &model.place[region->space][region->first];
    bool promised = place->charged || place->promised || (place->lock & REGION_OVERCOMMIT);
    return place->object->kind != OBJECT_MEMORY || promised ? 0
                                                            : (int64_t)region->count * PAGE_BYTES;
}

static void share(const struct span *region)
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

static void set_inherit(const struct span *region, int inherit)
{
    for (unsigned i = 0; i < region->count; i++)
        model.place[region->space][region->first + i].inherit = (uint8_t)inherit;
}

static int check_source(const struct span *source, unsigned lock, bool private)
{
    if (source->count == 0)
        return ERR_VM_INVALID_REGION;
    const struct place *place = &model.place[source->space][source->first];
    bool device = place->object->kind == OBJECT_DEVICE || place->object->kind == OBJECT_NOTHING;
    if (!private && (lock & LOCK_RW) && !(place->max_lock & LOCK_RW))
        return ERR_PERMISSION_DENIED;
    return private && device ? ERR_UNSUPPORTED : VM_OK;
}

/* => the source may be cloned. What the clone is like. */
static struct request clone_request(const struct operation *o, const struct span *source)
{
    const struct place *place = &model.place[source->space][source->first];
    bool private = o->argument[4] != 0;
    struct request r = request_of(SPACE_BASE + (addr_t)o->argument[0] * VM_PAGE_SIZE,
                                  source->count * VM_PAGE_SIZE, o->argument[2]);
    r.address += o->twist == TWIST_UNALIGNED;
    r.place = (struct place){.object = place->object,
                             .offset = place->offset,
                             .lock = (unsigned)o->argument[3],
                             .max_lock = private ? LOCK_RW : place->max_lock,
                             .wiring = place->wiring,
                             .mapping = private ? REGION_PRIVATE_MAP : REGION_NO_PRIVATE_MAP,
                             .inherit = private ? VM_INHERIT_COPY : VM_INHERIT_SHARE};
    r.place.promised = !private && place->object->kind == OBJECT_MEMORY;
    r.place.charged = private && !(r.place.lock & REGION_OVERCOMMIT) &&
                      fills_frames(place->object->kind == OBJECT_FILE, r.place.lock);
    r.promise = r.place.charged ? (int64_t)r.size : 0;
    return r;
}

static void put_clone(const struct operation *o, const struct span *source, struct request *r,
                      const struct span *span, struct answer *answer)
{
    struct place before = model.place[source->space][source->first];
    bool was_shared = before.object->shared, private = o->argument[4] != 0;
    int64_t promised = private ? 0 : promise_to_share(source);
    if (private) {
        r->place.object = object_new(OBJECT_MEMORY, before.object, before.object->first);
        (void)promise(r->place.object, r->promise);
    } else {
        share(source);
        set_inherit(source, VM_INHERIT_SHARE);
    }
    put_region(r, span, answer);
    if (answer->result == VM_OK || private)
        return;
    /* Nobody shares it after all. */
    struct place *now = &model.place[source->space][source->first];
    before.object->shared = was_shared;
    for (unsigned i = 0; i < source->count && now->object == before.object; i++) {
        now[i].inherit = before.inherit;
        now[i].charged = before.charged;
        now[i].charged_to_share = before.charged_to_share;
    }
    if (now->object == before.object)
        (void)promise(before.object, -promised);
}

static void do_clone(const struct operation *o, struct answer *answer)
{
    unsigned lock = (unsigned)o->argument[3];
    bool private = o->argument[4] != 0;
    struct request check = request_of(0, VM_PAGE_SIZE, o->argument[2]);
    struct span source = region_at((unsigned)o->argument[1], (unsigned)o->argument[5]), span;
    answer->result = check_create(o, &check, lock, REGION_WIRING_LAZY);
    if (answer->result == VM_OK)
        answer->result = check_source(&source, lock, private);
    if (answer->result != VM_OK)
        return;
    struct request r = clone_request(o, &source);
    int64_t first = private ? 0 : promise_to_share(&source);
    if (!may_promise(first) || !may_promise(first + r.promise)) {
        answer->result = ERR_VM_WOULD_OVERCOMMIT;
        return;
    }
    answer->result = find_place(o->space, r.address, r.size, r.addr_type, &span);
    if (answer->result == VM_OK)
        put_clone(o, &source, &r, &span, answer);
}

/* ---- ranges ------------------------------------------------------------------------------------- */

/* The operation's range in its space. */
static int get_span(const struct operation *o, struct span *span)
{
    if (o->twist == TWIST_NO_SPACE)
        return ERR_VM_INVALID_ASPACE;
    return span_check(o->space, operation_address(o), operation_size(o), span);
}

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
    span_isolate(&span);
    error = charge_range(&span, lock);
    for (unsigned i = 0; i < span.count && error == VM_OK; i++) {
        struct place *place = &model.place[span.space][span.first + i];
        place->lock = lock | (place->lock & (REGION_FLAGS_MASK | LOCK_KERNEL));
    }
    span_join(&span);
    return error == VM_OK && hole ? ERR_VM_PAGE_NOT_PRESENT : error;
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

/* The two ranges are cut out and the growth, if any, is prepared; or, on an error, what can be one is
 * joined again. */
static int prepare_move(const struct span *old, const struct span *kept, const struct span *to,
                        bool replace)
{
    int error = VM_OK;
    span_isolate(kept);
    if (kept->count < old->count)
        span_isolate(old);
    if (replace)
        span_isolate(to);
    if (to->count > kept->count)
        error = prepare_growth(kept, region_end(kept), to->count - kept->count);
    if (error == VM_OK)
        return VM_OK;
    span_join(old);
    span_join(to);
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

static int do_delete_region(const struct operation *o)
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

/* ---- accesses ----------------------------------------------------------------------------------- */

static void do_access(const struct operation *o, unsigned access, struct answer *answer)
{
    size_t at = (size_t)o->argument[0] * PAGE_BYTES + (size_t)o->argument[1];
    size_t end = at + (size_t)o->argument[2];
    answer->length = 0;
    while (at < end && answer->result == VM_OK) {
        unsigned page = (unsigned)(at / PAGE_BYTES);
        size_t within = at % PAGE_BYTES, now = PAGE_BYTES - within;
        now = now < end - at ? now : end - at;
        answer->result = page < WINDOW ? model_fault(o->space, page, access | VM_ACCESS_USER)
                                       : ERR_VM_PF_BAD_ADDRESS;
        if (answer->result != VM_OK)
            return;
        struct place *place = &model.place[o->space][page];
        if (access == VM_ACCESS_WRITE)
            memset(object_write(place->object, place->offset) + within, o->argument[3], now);
        else
            memcpy(answer->bytes + answer->length, model_shows(place) + within, now);
        answer->length += access == VM_ACCESS_WRITE ? 0 : now;
        at += now;
    }
}

/* ---- spaces ------------------------------------------------------------------------------------- */

/* What copying a space must promise, region by region. */
static int64_t promise_of_copy(const struct span *region)
{
    const struct place *place = &model.place[region->space][region->first];
    if (place->inherit == VM_INHERIT_NONE)
        return 0;
    if (place->inherit == VM_INHERIT_SHARE || place->object->kind != OBJECT_MEMORY)
        return promise_to_share(region);
    bool charged = place->charged || (place->object->shared && !(place->lock & REGION_OVERCOMMIT) &&
                                      fills_frames(only_writes_fill(place), place->lock));
    return charged ? (int64_t)region->count * PAGE_BYTES : 0;
}

static void copy_region(const struct span *region, unsigned to)
{
    struct place place = model.place[region->space][region->first];
    struct span copy = {to, region->first, region->count};
    if (place.inherit == VM_INHERIT_SHARE || place.object->kind != OBJECT_MEMORY) {
        share(region);
        place.charged = place.charged_to_share = false;
        place.promised = true;
    } else {
        int64_t bytes = promise_of_copy(region);
        place.object = object_copy(place.object);
        place.charged = bytes > 0;
        place.charged_to_share = place.promised = false;
        (void)promise(place.object, bytes);
    }
    place.wiring = REGION_WIRING_LAZY;
    insert(&copy, place);
}

static void clear_space(unsigned space)
{
    struct span all = {space, 0, WINDOW};
    span_remove(&all);
    object_collect();
}

/* The regions of a space, one after the other: the first at or behind `page`. */
static bool next_region(unsigned space, unsigned page, struct span *region)
{
    while (page < WINDOW && model.place[space][page].object == NULL)
        page++;
    if (page < WINDOW)
        *region = region_at(space, page);
    return page < WINDOW;
}

static int do_fork(const struct operation *o)
{
    unsigned to = operation_fork_target(o);
    struct span region = {0};
    int64_t total = 0;
    if (o->twist == TWIST_NO_SPACE)
        return ERR_VM_INVALID_ASPACE;
    for (unsigned page = 0; next_region(o->space, page, &region);
         page = region.first + region.count) {
        int64_t bytes = promise_of_copy(&region);
        if (!may_promise(total + bytes))
            return ERR_VM_WOULD_OVERCOMMIT;
        total += bytes;
    }
    clear_space(to);
    for (unsigned page = 0; next_region(o->space, page, &region);
         page = region.first + region.count)
        if (model.place[o->space][region.first].inherit != VM_INHERIT_NONE)
            copy_region(&region, to);
    return VM_OK;
}

/* ---- files -------------------------------------------------------------------------------------- */

static int do_truncate(const struct operation *o)
{
    struct model_file *file = &model.file[o->argument[0]];
    size_t size = (size_t)o->argument[1], within = size % PAGE_BYTES;
    unsigned first = (unsigned)((size + PAGE_BYTES - 1) / PAGE_BYTES);
    if (within != 0)
        memset(&file->view[first - 1][within], 0, PAGE_BYTES - within);
    for (unsigned i = first; i < FILE_PAGES; i++)
        memset(file->view[i], 0, PAGE_BYTES);
    file->size = size;
    object_truncate_all(file->object, first);
    return VM_OK;
}

/* Cut at the file's end, as the callers of vm_cache_read and vm_cache_write do. */
static size_t file_length(const struct operation *o)
{
    size_t size = model.file[o->argument[0]].size, position = (size_t)o->argument[1];
    size_t length = (size_t)o->argument[2];
    if (position >= size)
        return 0;
    return length < size - position ? length : size - position;
}

static void do_file(const struct operation *o, bool write, struct answer *answer)
{
    uint8_t *view = &model.file[o->argument[0]].view[0][0] + o->argument[1];
    size_t length = file_length(o);
    if (write)
        memset(view, o->argument[3], length);
    else
        memcpy(answer->bytes, view, length);
    answer->length = write ? 0 : length;
}

/* ---- all ---------------------------------------------------------------------------------------- */

void model_start(int64_t max_commit)
{
    object_reset();
    memset(&model, 0, sizeof(model));
    model.max_commit = max_commit;
    model.lost = false;
    for (unsigned i = 0; i < FILES; i++) {
        model.file[i].object = object_new(OBJECT_FILE, NULL, 0);
        model.file[i].object->file = i;
    }
}

static bool growth_fits(const struct operation *o, unsigned pages)
{
    const struct place *place = &model.place[o->space][o->argument[0]];
    struct span region = region_at(o->space, (unsigned)o->argument[0]);
    return region.count == 0 ||
           object_fits(place->object, model.place[o->space][region.first].offset, pages);
}

bool model_can_follow(const struct operation *o)
{
    switch (o->kind) {
    case OPERATION_RESIZE:
        return growth_fits(o, (unsigned)o->argument[1]);
    case OPERATION_MOVE: {
        const struct place *place = &model.place[o->space][o->argument[0]];
        return place->object == NULL ||
               object_fits(place->object, place->offset, (unsigned)o->argument[4]);
    }
    case OPERATION_CLONE: /* nor where a source is replaced by its wired clone, which may fail */
        return o->argument[2] != REGION_ADDR_REPLACE || (unsigned)o->argument[1] != o->space;
    case OPERATION_MAP_DEVICE: /* behind the device there is nothing to read */
        return o->argument[4] + o->argument[1] <= DEVICE_PAGES || o->twist == TWIST_HUGE;
    default:
        return true;
    }
}

static void do_with_range(const struct operation *o, struct answer *answer)
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

static void do_create_any(const struct operation *o, struct answer *answer)
{
    switch (o->kind) {
    case OPERATION_CREATE:
        do_create(o, answer);
        break;
    case OPERATION_MAP_FILE:
        do_map_file(o, answer);
        break;
    case OPERATION_MAP_DEVICE:
        do_map_device(o, answer);
        break;
    case OPERATION_CREATE_NULL:
        do_create_null(o, answer);
        break;
    case OPERATION_CLONE:
        do_clone(o, answer);
        break;
    }
}

static void do_other(const struct operation *o, struct answer *answer)
{
    switch (o->kind) {
    case OPERATION_DELETE_REGION:
        answer->result = do_delete_region(o);
        break;
    case OPERATION_READ:
        do_access(o, VM_ACCESS_READ, answer);
        break;
    case OPERATION_EXECUTE:
        do_access(o, VM_ACCESS_EXECUTE, answer);
        break;
    case OPERATION_WRITE:
        do_access(o, VM_ACCESS_WRITE, answer);
        break;
    case OPERATION_FORK:
        answer->result = do_fork(o);
        break;
    case OPERATION_NEW_SPACE:
        clear_space(o->space);
        break;
    case OPERATION_TRUNCATE:
        answer->result = do_truncate(o);
        break;
    case OPERATION_FILE_READ:
    case OPERATION_FILE_WRITE:
        do_file(o, o->kind == OPERATION_FILE_WRITE, answer);
        break;
    case OPERATION_LIMIT:
        model.max_commit = (int64_t)o->argument[0] * PAGE_BYTES;
        break;
    }
}

/* Whether it can take an object from the last who shows it, or leave one that nobody came to show. */
static bool leaves_garbage(unsigned kind)
{
    return kind <= OPERATION_UNMAP || kind == OPERATION_RESIZE || kind == OPERATION_MOVE ||
           kind == OPERATION_FORK || kind == OPERATION_NEW_SPACE;
}

void model_do(const struct operation *o, struct answer *answer)
{
    answer->result = VM_OK;
    answer->address = 0;
    answer->length = 0;
    if (o->kind <= OPERATION_CLONE)
        do_create_any(o, answer);
    else if (o->kind >= OPERATION_UNMAP && o->kind <= OPERATION_FIND_HOLE)
        do_with_range(o, answer);
    else
        do_other(o, answer);
    if (leaves_garbage(o->kind))
        object_collect();
}
