/* SPDX-License-Identifier: MIT */
/* Objects of one frame, of which a fault maps a chunk. */
#include "layer.h"

static genvaddr_t within_chunk(const struct memobj *memobj, genvaddr_t offset, genvaddr_t *first,
                               genvaddr_t *last)
{
    size_t chunk = ((const struct memobj_one_frame_lazy *)memobj)->chunk_size;
    *first = offset - offset % chunk;
    *last = *first + (chunk - 1);
    return offset;
}

static const struct memobj_kind kind = {
    .type = ONE_FRAME_LAZY, .place = memobj_place_only_one, .spread = within_chunk};

errval_t memobj_create_one_frame_lazy(struct memobj_one_frame_lazy *memobj, size_t size,
                                      memobj_flags_t flags, struct capref frame, size_t chunk_size)
{
    if (!memobj || chunk_size == 0 || !is_page_aligned(chunk_size))
        return LIB_ERR_INVALID_ARGS;
    memobj->chunk_size = chunk_size;
    errval_t error = memobj_create(&memobj->m, &kind, size, flags, memobj->first, 1);
    if (err_is_fail(error))
        return error;
    error = memobj_fill(&memobj->m, 0, frame, 0);
    if (err_is_fail(error))
        (void)memobj_destroy(&memobj->m, false);
    return error;
}

errval_t memobj_destroy_one_frame_lazy(struct memobj *memobj)
{
    return memobj_destroy_type(memobj, ONE_FRAME_LAZY);
}
