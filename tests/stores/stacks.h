/* SPDX-License-Identifier: MIT */
/* Every store, and every stack of two that makes sense, by its name. */
#ifndef STORES_STACKS_H
#define STORES_STACKS_H

#include "support.h"

struct stack {
    const char *name;
    vm_store *(*make)(size_t pages);
};

extern const struct stack stacks[];
extern const size_t stack_count;

#endif
