/* SPDX-License-Identifier: MIT */
/* Objects of a number of frames of one size, in one vregion that begins with one of them. */
#include "layer.h"

static size_t chunk_of(const struct memobj *memobj)
{
    return ((const struct memobj_fixed *)memobj)->chunk_size;
}

static bool begins_chunk(const struct memobj *memobj, genvaddr_t offset)
{
    return offset % chunk_of(memobj) == 0;
}

static errval_t place_chunk(struct memobj *memobj, struct memobj_frame_list *frame)
{
    size_t chunk = chunk_of(memobj);
    if (!begins_chunk(memobj, frame->offset))
        return LIB_ERR_MEMOBJ_FILL;
    if (frame->size < chunk)
        return LIB_ERR_PMAP_FRAME_SIZE;
    frame->size = chunk;
    return SYS_ERR_OK;
}

static const struct memobj_kind kind = {
    .type = MEMOBJ_FIXED, .maps_once = true, .accepts_offset = begins_chunk, .place = place_chunk};

errval_t memobj_create_fixed(struct memobj_fixed *memobj, size_t size, memobj_flags_t flags,
                             size_t count, size_t chunk_size)
{
    if (!memobj || chunk_size == 0 || !is_page_aligned(chunk_size) || size % chunk_size != 0 ||
        size / chunk_size != count)
        return LIB_ERR_INVALID_ARGS;
    memobj->count = count;
    memobj->chunk_size = chunk_size;
    return memobj_create(&memobj->m, &kind, size, flags, memobj->first, MEMOBJ_FIRST_FRAMES);
}

errval_t memobj_destroy_fixed(struct memobj *memobj)
{
    return memobj_destroy_type(memobj, MEMOBJ_FIXED);
}
