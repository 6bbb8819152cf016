/* SPDX-License-Identifier: MIT */
/* Objects that grow frame behind frame, and shrink from their end, in one vregion from the start. */
#include "layer.h"

static bool is_start(const struct memobj *memobj, genvaddr_t offset)
{
    (void)memobj;
    return offset == 0;
}

static errval_t place_behind(struct memobj *memobj, struct memobj_frame_list *frame)
{
    const struct memobj_frame_list *last = frames_last(&memobj->frames);
    bool behind = !last || frame->offset >= last->offset + last->size;
    return behind || frames_at(&memobj->frames, frame->offset) ? SYS_ERR_OK : LIB_ERR_MEMOBJ_FILL;
}

static const struct memobj_kind kind = {.type = MEMOBJ_APPEND,
                                        .maps_once = true,
                                        .from_the_end = true,
                                        .accepts_offset = is_start,
                                        .place = place_behind};

errval_t memobj_create_append(struct memobj_append *memobj, size_t size, memobj_flags_t flags)
{
    return memobj
               ? memobj_create(&memobj->m, &kind, size, flags, memobj->first, MEMOBJ_FIRST_FRAMES)
               : LIB_ERR_INVALID_ARGS;
}

errval_t memobj_destroy_append(struct memobj *memobj)
{
    return memobj_destroy_type(memobj, MEMOBJ_APPEND);
}
