/* SPDX-License-Identifier: MIT */
/* The model's objects: cells over a parent, and nothing else. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#define OBJECTS (SPACES * WINDOW * 4)
#define PAGE_BYTES 4096

static struct object objects[OBJECTS];
static unsigned used; /* no object behind this one is in use */
static uint8_t zeros[PAGE_BYTES];

/* ---- pages -------------------------------------------------------------------------------------- */

static uint8_t *free_pages; /* each begins with the next */

static uint8_t *new_page(void)
{
    uint8_t *page = free_pages;
    if (page != NULL)
        memcpy(&free_pages, page, sizeof(free_pages));
    else
        page = malloc(PAGE_BYTES);
    if (page == NULL)
        abort();
    return page;
}

static void clear_cell(struct cell *cell)
{
    if (cell->state == CELL_OWN) {
        memcpy(cell->bytes, &free_pages, sizeof(free_pages));
        free_pages = cell->bytes;
    }
    *cell = (struct cell){CELL_ABSENT, NULL};
}

static void set_cell(struct cell *cell, const uint8_t *bytes)
{
    uint8_t *page = new_page();
    memcpy(page, bytes, PAGE_BYTES);
    clear_cell(cell);
    *cell = (struct cell){CELL_OWN, page};
}

/* ---- objects ------------------------------------------------------------------------------------ */

struct object *object_new(enum object_kind kind, struct object *parent, unsigned first)
{
    unsigned i = 0;
    while (i < OBJECTS && objects[i].kind != OBJECT_UNUSED)
        i++;
    if (i == OBJECTS)
        abort();
    if (i >= used)
        used = i + 1;
    objects[i].kind = kind;
    objects[i].parent = parent;
    objects[i].first = first;
    objects[i].shared = false;
    objects[i].committed = 0;
    return &objects[i];
}

static void free_object(struct object *object)
{
    for (unsigned i = 0; i < CELLS; i++)
        if (object->cell[i].state != CELL_ABSENT)
            clear_cell(&object->cell[i]);
    object->kind = OBJECT_UNUSED;
}

bool object_fits(const struct object *object, unsigned first, unsigned pages)
{
    if (object->kind == OBJECT_FILE)
        return first + pages <= FILE_PAGES + CELLS;
    return first >= object->first && first + pages <= object->first + CELLS;
}

struct cell *object_cell(struct object *object, unsigned offset)
{
    return &object->cell[offset - object->first];
}

struct object *object_copy(const struct object *object)
{
    struct object *copy = object_new(OBJECT_MEMORY, object->parent, object->first);
    for (unsigned i = 0; i < CELLS; i++) {
        if (object->cell[i].state == CELL_OWN)
            set_cell(&copy->cell[i], object->cell[i].bytes);
        else
            copy->cell[i].state = object->cell[i].state;
    }
    return copy;
}

struct object *object_root_file(struct object *object)
{
    while (object->parent != NULL)
        object = object->parent;
    return object->kind == OBJECT_FILE ? object : NULL;
}

bool object_has_children(const struct object *object)
{
    for (unsigned i = 0; i < used; i++)
        if (objects[i].kind == OBJECT_MEMORY && objects[i].parent == object)
            return true;
    return false;
}

/* ---- contents ----------------------------------------------------------------------------------- */

static uint8_t *file_page(const struct object *file, unsigned offset)
{
    struct model_file *f = &model.file[file->file];
    return (size_t)offset * PAGE_BYTES < f->size ? f->view[offset] : NULL;
}

/* Where the page is: the object that has a cell of its own, or the one at the bottom. */
static struct object *find_owner(struct object *object, unsigned offset)
{
    bool only_file = false;
    while (object->kind == OBJECT_MEMORY) {
        enum cell_state state =
            object_fits(object, offset, 1) ? object_cell(object, offset)->state : CELL_ABSENT;
        if (state == CELL_OWN && !only_file)
            return object;
        only_file |= state == CELL_ZERO;
        if (object->parent == NULL)
            return object;
        object = object->parent;
    }
    return object;
}

const uint8_t *object_page(struct object *object, unsigned offset)
{
    struct object *owner = find_owner(object, offset);
    if (owner->kind == OBJECT_DEVICE)
        return model.device[offset];
    if (owner->kind == OBJECT_FILE)
        return file_page(owner, offset);
    if (!object_fits(owner, offset, 1) || object_cell(owner, offset)->state != CELL_OWN)
        return zeros;
    /* At the bottom an own page may be hidden from above. */
    bool hidden = false;
    for (struct object *at = object; at != owner; at = at->parent)
        hidden |= object_fits(at, offset, 1) && object_cell(at, offset)->state == CELL_ZERO;
    return hidden ? zeros : object_cell(owner, offset)->bytes;
}

uint8_t *object_write(struct object *object, unsigned offset)
{
    if (object->kind == OBJECT_DEVICE)
        return model.device[offset];
    if (object->kind == OBJECT_FILE)
        return file_page(object, offset);
    struct cell *cell = object_cell(object, offset);
    const uint8_t *now = object_page(object, offset);
    if (now == NULL)
        return NULL;
    if (cell->state != CELL_OWN)
        set_cell(cell, now);
    return cell->bytes;
}

void object_pull(struct object *object, unsigned offset,
                 bool (*is_mapped)(const struct object *object))
{
    for (struct object *at = object; at != NULL && at->kind == OBJECT_MEMORY; at = at->parent) {
        enum cell_state state =
            object_fits(at, offset, 1) ? object_cell(at, offset)->state : CELL_ABSENT;
        if (at != object && is_mapped(at)) {
            const uint8_t *now = object_page(at, offset);
            if (state != CELL_OWN && now != NULL && object_fits(at, offset, 1))
                set_cell(object_cell(at, offset), now);
            return;
        }
        if (state != CELL_ABSENT)
            return;
    }
}

void object_drop(struct object *object, unsigned first, unsigned pages)
{
    for (unsigned i = 0; i < pages; i++)
        clear_cell(object_cell(object, first + i));
}

void object_hide(struct object *object, unsigned first, unsigned pages)
{
    object_drop(object, first, pages);
    if (object->parent == NULL || object->parent->kind != OBJECT_MEMORY)
        return;
    for (unsigned i = 0; i < pages; i++)
        object_cell(object, first + i)->state = CELL_ZERO;
}

void object_truncate_all(struct object *file, unsigned first)
{
    for (unsigned i = 0; i < used; i++) {
        struct object *object = &objects[i];
        if (object->kind != OBJECT_MEMORY || object_root_file(object) != file)
            continue;
        for (unsigned at = 0; at < CELLS; at++)
            if (object->first + at >= first)
                clear_cell(&object->cell[at]);
    }
}

/* ---- garbage ------------------------------------------------------------------------------------ */

static void mark(struct object *object)
{
    for (; object != NULL && !object->alive; object = object->parent)
        object->alive = true;
}

static void mark_all(void)
{
    for (unsigned i = 0; i < used; i++)
        objects[i].alive = false;
    for (unsigned s = 0; s < SPACES; s++)
        for (unsigned p = 0; p < WINDOW; p++)
            if (model.place[s][p].object != NULL)
                mark(model.place[s][p].object);
}

/* The last who showed a file has gone: what was behind its end is forgotten with its cache. */
static void close_file(struct model_file *file)
{
    size_t within = file->size % PAGE_BYTES;
    file->open = false;
    if (within != 0)
        memset(&file->view[file->size / PAGE_BYTES][within], 0, PAGE_BYTES - within);
}

void object_collect(void)
{
    mark_all();
    for (unsigned i = 0; i < used; i++) {
        struct object *object = &objects[i];
        if (object->kind == OBJECT_UNUSED)
            continue;
        if (object->kind == OBJECT_FILE) {
            if (model.file[object->file].open && !object->alive)
                close_file(&model.file[object->file]);
            model.file[object->file].open = object->alive;
        } else if (!object->alive) {
            model.committed -= object->committed;
            free_object(object);
        }
    }
    while (used > 0 && objects[used - 1].kind == OBJECT_UNUSED)
        used--;
}

void object_reset(void)
{
    for (unsigned i = 0; i < used; i++)
        free_object(&objects[i]);
    used = 0;
}
