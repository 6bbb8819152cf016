/* SPDX-License-Identifier: MIT */
/* What Linux is to do, and what it must say by the model. Made before any process is started, and in shared
 * memory: forks don't copy it. */
#ifndef QUIRE_TORTURE_LINUX_PLAN_H
#define QUIRE_TORTURE_LINUX_PLAN_H

#include "model.h"
#include "trace.h"

enum linux_step_kind { STEP_OPERATION, STEP_WINDOW, STEP_FILE };

/* What a page shows to a read: `bytes`, or why it can't be read. */
struct linux_page {
    int result;
    uint8_t *bytes; /* NULL: zeros */
};

struct linux_step {
    enum linux_step_kind kind;
    unsigned space; /* whose process does it */
    size_t at;      /* the operation in the trace */
    struct operation operation;
    int result;              /* by the model */
    addr_t base, size;       /* of the region that is resized or deleted; size: of a file's write */
    uint8_t *bytes;          /* that are read; FILE: all of it */
    size_t length;           /* of `bytes` */
    struct linux_page *page; /* WINDOW */
};

struct linux_chunk;
struct linux_plan {
    struct trace kept; /* without what is left out */
    size_t *kept_at;   /* where each was in the trace */
    struct linux_step *step;
    size_t count, room;
    struct linux_chunk *chunks;
    bool used[SPACES];
    uint8_t *last_page[SPACES][WINDOW]; /* that was kept of each; NULL: none */
    uint8_t *last_file[FILES];          /* room for the largest */
    bool cut;                           /* a promise was refused, or the model was lost */
};

/* The contents of all windows and files are compared after so many operations, and at the end. */
void linux_plan_make(struct linux_plan *plan, const struct trace *trace, unsigned compare_every);
void linux_plan_free(struct linux_plan *plan);

/* Runs the steps in processes of their own. False, with outcome->text, where Linux says something else. */
bool linux_plan_run(const struct linux_plan *plan, struct trace_outcome *outcome);

/* ---- linux_call.c: in a process ---- */

/* Once, before the first step: faults are caught from now on, and the window is empty. What is in the way
 * there, or NULL. */
const char *linux_call_start(void);
/* Makes a memfd; false: it can't. */
bool linux_call_open_files(void);
/* Does the step (any but a fork), and compares. False, with the difference in text[size]. */
bool linux_call(const struct linux_step *step, char *text, size_t size);

#endif
