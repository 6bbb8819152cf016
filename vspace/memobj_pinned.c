/* SPDX-License-Identifier: MIT */
/* Pinned objects: what is filled is mapped then and there, and no access to it is ever a fault. */
#include "layer.h"

static const struct memobj_kind kind = {.type = PINNED, .maps_once = true, .maps_filled = true};

errval_t memobj_create_pinned(struct memobj_pinned *memobj, size_t size, memobj_flags_t flags)
{
    return memobj
               ? memobj_create(&memobj->m, &kind, size, flags, memobj->first, MEMOBJ_FIRST_FRAMES)
               : LIB_ERR_INVALID_ARGS;
}

errval_t memobj_destroy_pinned(struct memobj *memobj)
{
    return memobj_destroy_type(memobj, PINNED);
}
