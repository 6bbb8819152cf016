/* SPDX-License-Identifier: MIT */
/* The same operations on the core, in the simulator, and the comparison of everything. */
#ifndef QUIRE_TORTURE_PERFORM_H
#define QUIRE_TORTURE_PERFORM_H

#include "model.h"

/* A machine with the traces' spaces and files; the model is started, too. */
void perform_start(unsigned cpus);
/* Deletes the spaces; the machine ends with nothing left over. */
void perform_end(void);
void perform(const struct operation *operation, struct answer *answer);

/* Ends the run with a sentence where the core answers something else than the model. */
void compare_answers(const struct operation *operation, const struct answer *core,
                     const struct answer *expected);
/* The same for all that the model knows: regions, every translation there is with its bytes and rights,
 * commitment. Reads nothing in: what isn't mapped yet stays so. */
void compare_all(void);
/* What vm_sync_range has promised: the files have the bytes. */
void compare_synced(const struct operation *operation);
/* The bytes of all pages, read as programs do, and the files. */
void compare_contents(void);

extern aspace_id perform_space[SPACES];

#endif
