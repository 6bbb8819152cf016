/* SPDX-License-Identifier: MIT */
/* Capabilities of frames: by value, without rights or slots. */
#include "layer.h"

bool capref_is_null(struct capref cap)
{
    return cap.type == ObjType_Null;
}

static int make_frame(struct capref *dest, size_t bytes, size_t *retbytes)
{
    genpaddr_t base;
    if (!dest || bytes == 0 || page_round_up(bytes) == 0)
        return ERR_INVALID_ARGS;
    bytes = page_round_up(bytes);
    int error = vm_allocate_frames(bytes / VM_PAGE_SIZE, true, &base);
    if (error != VM_OK)
        return error;
    *dest = (struct capref){base, bytes, ObjType_Frame};
    if (retbytes)
        *retbytes = bytes;
    return VM_OK;
}

static errval_t make_frame_or(enum err_code code, struct capref *dest, size_t bytes,
                              size_t *retbytes)
{
    int error = make_frame(dest, bytes, retbytes);
    if (error == ERR_INVALID_ARGS)
        return LIB_ERR_INVALID_ARGS;
    return error == VM_OK ? SYS_ERR_OK : err_push(err_from_vm(error), code);
}

errval_t frame_alloc(struct capref *dest, size_t bytes, size_t *retbytes)
{
    return make_frame_or(LIB_ERR_FRAME_ALLOC, dest, bytes, retbytes);
}

errval_t frame_create(struct capref *dest, size_t bytes, size_t *retbytes)
{
    return make_frame_or(LIB_ERR_FRAME_CREATE, dest, bytes, retbytes);
}

static bool is_run(genpaddr_t base, gensize_t bytes)
{
    return bytes > 0 && is_page_aligned(base | bytes) && is_physical(base, bytes);
}

static bool is_memory(genpaddr_t base, gensize_t bytes)
{
    struct vm_frame_count count;
    vm_count_frames(base, bytes, &count);
    return count.memory > 0;
}

bool frames_are_there(genpaddr_t base, gensize_t bytes)
{
    struct vm_frame_count count;
    if (!is_run(base, bytes))
        return false;
    vm_count_frames(base, bytes, &count);
    return count.hosts == count.memory;
}

bool capref_is_good(struct capref cap)
{
    struct vm_frame_count count;
    if ((cap.type != ObjType_Frame && cap.type != ObjType_DevFrame) || !is_run(cap.base, cap.bytes))
        return false;
    vm_count_frames(cap.base, cap.bytes, &count);
    return cap.type == ObjType_DevFrame ? count.memory == 0
                                        : count.hosts == cap.bytes / VM_PAGE_SIZE;
}

errval_t devframe_create(struct capref *dest, genpaddr_t base, size_t bytes)
{
    gensize_t size = page_round_up(bytes);
    if (!dest || size == 0)
        return LIB_ERR_INVALID_ARGS;
    if (!is_run(base, size) || is_memory(base, size))
        return LIB_ERR_FRAME_CREATE;
    *dest = (struct capref){base, size, ObjType_DevFrame};
    return SYS_ERR_OK;
}

errval_t frame_identify(struct capref frame, struct frame_identity *identity)
{
    if (!identity)
        return LIB_ERR_INVALID_ARGS;
    if (!capref_is_good(frame))
        return LIB_ERR_FRAME_IDENTIFY;
    *identity = (struct frame_identity){frame.base, frame.bytes};
    return SYS_ERR_OK;
}

errval_t cap_destroy(struct capref cap)
{
    if (!capref_is_good(cap))
        return LIB_ERR_CAP_DESTROY;
    if (cap.type == ObjType_Frame)
        vm_free_frames(cap.base, cap.bytes / VM_PAGE_SIZE);
    return SYS_ERR_OK;
}

void *frame_window(struct capref frame, genpaddr_t offset)
{
    addr_t window;
    if (frame.type != ObjType_Frame ||
        vm_get_physical_page(frame.base + offset, &window, PHYSICAL_PAGE_CAN_WAIT) != VM_OK)
        return NULL;
    return (void *)window;
}
