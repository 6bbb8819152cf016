/* SPDX-License-Identifier: MIT */
/* Where structures come from: the core's metadata, or what the user has set. */
#include "layer.h"

static const struct vspace_allocator core_memory = {vm_meta_alloc, vm_meta_free, vm_meta_alloc,
                                                    vm_meta_free};
static const struct vspace_allocator *allocator = &core_memory;

void vspace_set_allocator(const struct vspace_allocator *other)
{
    allocator = other ? other : &core_memory;
}

void layer_clear(void *memory, size_t size)
{
    unsigned char *bytes = memory;
    for (size_t i = 0; i < size; i++)
        bytes[i] = 0;
}

static void *cleared(void *memory, size_t size)
{
    if (memory)
        layer_clear(memory, size);
    return memory;
}

void *layer_alloc(size_t size)
{
    return cleared(allocator->alloc(size), size);
}

void layer_free(void *memory, size_t size)
{
    if (memory)
        allocator->free(memory, size);
}

void *layer_pinned_alloc(size_t size)
{
    return cleared(allocator->pinned_alloc(size), size);
}

void layer_pinned_free(void *memory, size_t size)
{
    if (memory)
        allocator->pinned_free(memory, size);
}
