/* SPDX-License-Identifier: MIT */
/* What the stores of this folder share. */
#ifndef STORE_COMMON_H
#define STORE_COMMON_H

#include <quire/host.h>
#include <quire/stores.h>
#include <quire/vm.h>

/* Zeroed address space that uses memory where it is written; NULL: there is none. */
void *store_reserve(size_t bytes);
void store_release(void *memory, size_t bytes);
/* The pages inside [memory, memory + bytes) use no memory until they are written again. */
void store_give_back(void *memory, size_t bytes);

/* Whether an operation on *count pages may begin; *count is cut at the end, which is `pages` pages from 0.
 * VM_OK, ERR_INVALID_ARGS, ERR_VM_PF_PAST_END. */
int store_clamp(off_t offset, size_t *count, size_t pages);

static inline size_t store_page_of(off_t offset)
{
    return (size_t)offset >> VM_PAGE_SHIFT;
}

#endif
