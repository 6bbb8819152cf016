/* SPDX-License-Identifier: MIT */
/* Operations of a trace, each on Quire and on the world, with all that can be compared at once. */
#ifndef QUIRE_TORTURE_PROCESS_PERFORM_H
#define QUIRE_TORTURE_PROCESS_PERFORM_H

#include "call.h"
#include "world.h"

void perform_call(const struct call *call);

/* One group of them in each file. */
void perform_on_regions(const struct call *call);
void perform_on_range(const struct call *call);
void perform_access(const struct call *call);
void perform_system_call(const struct call *call);

/* What the arguments and the twist stand for. */
struct range {
    struct region *region; /* NULL: there is none at all */
    size_t first, count;   /* pages */
    unsigned char *at;     /* as it is given */
    size_t size;
    int error; /* what quire.h says of such a range */
};
struct range perform_range(const struct call *call);
/* The flags are set in, or taken from, pages of it. */
void perform_mark(const struct range *range, uint8_t set, uint8_t clear);
bool perform_any(const struct range *range, uint8_t flags);

#endif
