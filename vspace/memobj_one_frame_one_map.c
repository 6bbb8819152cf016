/* SPDX-License-Identifier: MIT */
/* Objects of one frame in one vregion. */
#include "layer.h"

static const struct memobj_kind kind = {
    .type = ONE_FRAME_ONE_MAP, .maps_once = true, .place = memobj_place_only_one};

errval_t memobj_create_one_frame_one_map(struct memobj_one_frame_one_map *memobj, size_t size,
                                         memobj_flags_t flags)
{
    return memobj ? memobj_create(&memobj->m, &kind, size, flags, memobj->first, 1)
                  : LIB_ERR_INVALID_ARGS;
}

errval_t memobj_destroy_one_frame_one_map(struct memobj *memobj)
{
    return memobj_destroy_type(memobj, ONE_FRAME_ONE_MAP);
}
