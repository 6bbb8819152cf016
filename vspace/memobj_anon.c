/* SPDX-License-Identifier: MIT */
/* Anonymous objects: frames anywhere, in any number of vregions. */
#include "layer.h"

static const struct memobj_kind kind = {.type = ANONYMOUS};

errval_t memobj_create_anon(struct memobj_anon *memobj, size_t size, memobj_flags_t flags)
{
    return memobj
               ? memobj_create(&memobj->m, &kind, size, flags, memobj->first, MEMOBJ_FIRST_FRAMES)
               : LIB_ERR_INVALID_ARGS;
}

errval_t memobj_destroy_anon(struct memobj *memobj, bool delete_caps)
{
    if (!memobj || memobj->type != ANONYMOUS || !memobj->store)
        return LIB_ERR_INVALID_ARGS;
    return memobj_destroy(memobj, delete_caps);
}
