/* SPDX-License-Identifier: MIT */
/* The model's new regions, clones among them. */
#include "model_space.h"

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

/* ---- clones ------------------------------------------------------------------------------------- */

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

void create_any(const struct operation *o, struct answer *answer)
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
