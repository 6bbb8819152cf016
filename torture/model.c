/* SPDX-License-Identifier: MIT */
/* What each operation must do, by the contract of <quire/vm.h>: first everything is checked, in the order
 * in which the contract's errors come, then everything is done. */
#include "model.h"

#include <string.h>

#include "model_space.h"

struct model model;

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
        create_any(o, answer);
    else if (o->kind >= OPERATION_UNMAP && o->kind <= OPERATION_FIND_HOLE)
        do_with_range(o, answer);
    else
        do_other(o, answer);
    if (leaves_garbage(o->kind))
        object_collect();
}
