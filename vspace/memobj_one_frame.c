/* SPDX-License-Identifier: MIT */
/* Objects of one frame, in any number of vregions. */
#include "layer.h"

errval_t memobj_place_only_one(struct memobj *memobj, struct memobj_frame_list *frame)
{
    (void)memobj;
    return frame->offset == 0 ? SYS_ERR_OK : LIB_ERR_MEMOBJ_WRONG_OFFSET;
}

static const struct memobj_kind kind = {.type = ONE_FRAME, .place = memobj_place_only_one};

errval_t memobj_create_one_frame(struct memobj_one_frame *memobj, size_t size, memobj_flags_t flags)
{
    return memobj ? memobj_create(&memobj->m, &kind, size, flags, memobj->first, 1)
                  : LIB_ERR_INVALID_ARGS;
}

errval_t memobj_destroy_one_frame(struct memobj *memobj)
{
    return memobj_destroy_type(memobj, ONE_FRAME);
}
