/* SPDX-License-Identifier: MIT */
/* Objects with a frame for each node: stride after stride of the object is the next node's. The list has the
 * nodes' parts one behind the other. */
#include "layer.h"

static const struct memobj_numa *numa_of(const struct memobj *memobj)
{
    return (const struct memobj_numa *)memobj;
}

static bool begins_stride(const struct memobj *memobj, genvaddr_t offset)
{
    return offset % numa_of(memobj)->stride == 0;
}

static genvaddr_t place_of_node(const struct memobj *memobj, genvaddr_t node, gensize_t *unit)
{
    const struct memobj_numa *numa = numa_of(memobj);
    *unit = numa->node_size;
    return (node < numa->node_count ? node : numa->node_count) * numa->node_size;
}

static errval_t place_node(struct memobj *memobj, struct memobj_frame_list *frame)
{
    const struct memobj_numa *numa = numa_of(memobj);
    gensize_t unit;
    if (frame->offset >= numa->node_count)
        return LIB_ERR_MEMOBJ_WRONG_OFFSET;
    if (frame->size < numa->node_size)
        return LIB_ERR_PMAP_FRAME_SIZE;
    frame->offset = place_of_node(memobj, frame->offset, &unit);
    frame->size = unit;
    return SYS_ERR_OK;
}

static genvaddr_t spread_over_nodes(const struct memobj *memobj, genvaddr_t offset,
                                    genvaddr_t *first, genvaddr_t *last)
{
    const struct memobj_numa *numa = numa_of(memobj);
    size_t number = offset / numa->stride, within = offset % numa->stride;
    *first = offset - within;
    *last = *first + (numa->stride - 1);
    return number % numa->node_count * numa->node_size + number / numa->node_count * numa->stride +
           within;
}

static const struct memobj_kind kind = {.type = MEMOBJ_NUMA,
                                        .maps_once = true,
                                        .place_of_number = place_of_node,
                                        .accepts_offset = begins_stride,
                                        .place = place_node,
                                        .spread = spread_over_nodes};

/* How often `part` goes into `size`, the last time perhaps not as a whole. */
static size_t parts_of(size_t size, size_t part)
{
    return size / part + (size % part != 0);
}

errval_t memobj_create_numa(struct memobj_numa *memobj, size_t size, memobj_flags_t flags,
                            size_t node_count, size_t stride)
{
    if (!memobj || node_count == 0 || stride == 0 || !is_page_aligned(stride) ||
        stride > INT64_MAX / 2 || size > INT64_MAX / 2)
        return LIB_ERR_INVALID_ARGS;
    memobj->node_count = node_count;
    memobj->stride = stride;
    memobj->node_size = parts_of(parts_of(size, stride), node_count) * stride;
    if (node_count > INT64_MAX / memobj->node_size)
        return LIB_ERR_INVALID_ARGS;
    return memobj_create(&memobj->m, &kind, size, flags, memobj->first, MEMOBJ_FIRST_FRAMES);
}

errval_t memobj_destroy_numa(struct memobj *memobj)
{
    return memobj_destroy_type(memobj, MEMOBJ_NUMA);
}
