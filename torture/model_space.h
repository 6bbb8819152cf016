/* SPDX-License-Identifier: MIT */
/* What the model's operations are made of: regions as runs of pages, places for new ones, promises. */
#ifndef QUIRE_TORTURE_MODEL_SPACE_H
#define QUIRE_TORTURE_MODEL_SPACE_H

#include "model.h"

#define PAGE_BYTES 4096

/* Pages [first, first + count) of a space. */
struct span {
    unsigned space, first, count;
};

/* The contract's checks of a range from outside. */
int span_check(unsigned space, addr_t address, addr_t size, struct span *span);
bool span_is_free(const struct span *span);
/* Whether it lies in the guard gap of a stack above. */
bool is_guarded(const struct span *span);
/* Whether a page of it isn't mapped. */
bool span_has_hole(const struct span *span);

struct span region_at(unsigned space, unsigned page);
void region_split(unsigned space, unsigned page);
/* Region boundaries at both ends. */
void span_isolate(const struct span *span);
/* Joins what could be one, around and in it. */
void span_join(const struct span *span);
/* Unmaps: promises and pages that nobody else needs go. */
void span_remove(const struct span *span);

/* More promises; false: too many. */
bool promise(struct object *object, int64_t bytes);
bool may_promise(int64_t bytes);
/* Whether a region with this protection can come to fill frames that must be promised. */
bool fills_frames(bool only_by_writing, unsigned lock);
/* What is read of a private mapping of a file is the file's. */
bool only_writes_fill(const struct place *place);

/* What a region needs to show `more` pages more, from the offset `from` on: promises, and an object of its
 * own where other regions show them. */
int prepare_growth(const struct span *region, unsigned from, unsigned more);

/* Where a new region goes, by addr_type. */
int find_place(unsigned space, addr_t address, addr_t size, unsigned addr_type, struct span *span);

/* A page fault: VM_OK, and the page is there to be read or written. */
int model_fault(unsigned space, unsigned page, unsigned access);
/* Faults all pages in, in order, for what their regions allow. */
int bring_in(const struct span *span);
int wire(const struct span *span, bool wired);

/* A new region of pages like `place`, which is the first. */
void insert(const struct span *span, struct place place);
/* What must be promised before others share the region's object. */
int64_t promise_to_share(const struct span *region);
void share(const struct span *region);
void set_inherit(const struct span *region, int inherit);
/* The operation's range in its space. */
int get_span(const struct operation *operation, struct span *span);

/* The operations, by what they do. */
void create_any(const struct operation *operation, struct answer *answer);    /* model_create.c */
void do_with_range(const struct operation *operation, struct answer *answer); /* model_range.c */
int do_delete_region(const struct operation *operation);

#endif
