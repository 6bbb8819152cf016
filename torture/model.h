/* SPDX-License-Identifier: MIT */
/* The reference model: what an operation must answer, and what everybody must see afterwards. It has no
 * trees, no chains that merge and no translations: for each page of each space what it shows, and for
 * each object its pages' bytes. Commitment is a sum. */
#ifndef QUIRE_TORTURE_MODEL_H
#define QUIRE_TORTURE_MODEL_H

#include "operation.h"

/* Pages of an object that can be shown: at most so many behind its first one. */
#define CELLS 96

enum cell_state {
    CELL_ABSENT, /* what is below shows */
    CELL_ZERO, /* was discarded over memory that still has a page: of what is below only a file shows */
    CELL_OWN
};

struct cell {
    enum cell_state state;
    uint8_t *bytes; /* OWN: a page */
};

enum object_kind { OBJECT_UNUSED, OBJECT_MEMORY, OBJECT_FILE, OBJECT_DEVICE, OBJECT_NOTHING };

struct object {
    enum object_kind kind;
    struct object *parent; /* shows where this one has no cell; NULL: zeros */
    bool shared;           /* mapped by regions that may overlap */
    bool alive;            /* while garbage is looked for */
    int64_t committed;
    unsigned first; /* the offset of cell[0], in pages */
    unsigned file;  /* FILE: which */
    struct cell cell[CELLS];
};

/* One page of a space. Pages of one region have its serial number and consecutive offsets. */
struct place {
    struct object *object; /* NULL: nothing is mapped */
    unsigned offset;
    uint32_t serial;
    unsigned lock, max_lock; /* lock: with the REGION_* flags */
    uint8_t wiring, mapping, inherit;
    bool charged;
    bool promised;         /* what it shares, others have been charged for */
    bool charged_to_share; /* the charge came with the first sharer */
};

struct model_file {
    struct object *object;
    bool open;   /* somebody shows it, so it has a cache */
    size_t size; /* bytes */
    uint8_t view[FILE_PAGES + CELLS]
                [4096]; /* as the cache has it: behind the end, too, while open */
};

struct model {
    struct place place[SPACES][WINDOW];
    struct model_file file[FILES];
    uint8_t device[DEVICE_PAGES][4096];
    int64_t committed, max_commit;
    uint32_t next_serial;
    bool lost; /* a stack has outgrown its object's cells: the trace ends here */
};
extern struct model model;

#define ANSWER_BYTES (3 * 4096)
struct answer {
    int result;     /* VM_OK, or the error */
    addr_t address; /* of a new or moved region, or a hole */
    size_t length;  /* of `bytes`, as far as the access got */
    uint8_t bytes[ANSWER_BYTES];
};

void model_start(int64_t max_commit);
/* Whether the model can follow: an object that outgrows its cells can't be followed, and the operation is
 * left out on both sides. */
bool model_can_follow(const struct operation *operation);
void model_do(const struct operation *operation, struct answer *answer);

/* The region that a page belongs to: its first page, and how many. Nothing mapped: 0. */
unsigned model_region(unsigned space, unsigned page, unsigned *first);
/* What the page shows to a read, or NULL: it can't be read (behind a file's end). */
const uint8_t *model_shows(const struct place *place);

/* ---- model_object.c ---- */
struct object *object_new(enum object_kind kind, struct object *parent, unsigned first);
bool object_fits(const struct object *object, unsigned first, unsigned pages);
struct cell *object_cell(struct object *object, unsigned offset);
/* A copy of its cells over the same parent: what a fork or a separation makes. */
struct object *object_copy(const struct object *object);
/* The page's bytes, as seen through the object. NULL: behind the end of the file at the bottom. */
const uint8_t *object_page(struct object *object, unsigned offset);
/* A read through an object, `is_mapped` says of which others: the first of them below it keeps the page that
 * it shows then, as if it had been written. */
void object_pull(struct object *object, unsigned offset,
                 bool (*is_mapped)(const struct object *object));
/* The page for a write: its own copy from now on, where it is memory. NULL: behind the end. */
uint8_t *object_write(struct object *object, unsigned offset);
/* The cells go, and what is below shows no more of memory. */
void object_hide(struct object *object, unsigned first, unsigned pages);
void object_drop(struct object *object, unsigned first, unsigned pages);
bool object_has_children(const struct object *object);
/* The file at the bottom, or NULL. */
struct object *object_root_file(struct object *object);
void object_truncate_all(struct object *file, unsigned first);
/* Objects that no place and no object shows any more go. */
void object_collect(void);
void object_reset(void);

#endif
