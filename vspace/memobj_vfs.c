/* SPDX-License-Identifier: MIT */
/* Objects of a file: what is filled is read from it, through the file's cache, and zeros behind its part. */
#include "layer.h"

static struct memobj_vfs *vfs_of(struct memobj *memobj)
{
    return (struct memobj_vfs *)memobj;
}

/* How much of [offset, offset + size) of the object is the file's. */
static size_t part_of_file(const struct memobj_vfs *vfs, genvaddr_t offset, size_t size)
{
    if (offset >= vfs->filesize)
        return 0;
    return size < vfs->filesize - offset ? size : vfs->filesize - offset;
}

/* The file may be shorter than it was, or than its part was said to be. */
static bool is_past_end(const struct memobj_vfs *vfs, off_t position, size_t length)
{
    return position + (off_t)length > host_vnode_size(vfs->vh);
}

static errval_t copy(struct memobj_vfs *vfs, const struct memobj_frame_list *frame, bool to_file)
{
    vm_cache_ref *cache;
    size_t length = part_of_file(vfs, frame->offset, frame->size), done;
    off_t position = vfs->offset + (off_t)frame->offset;
    char *window = frame_window(frame->frame, frame->foffset);
    if (!window)
        return LIB_ERR_MEMOBJ_FILL;
    int error = vm_get_vnode_cache(vfs->vh, &cache);
    if (error != VM_OK)
        return err_from_vm(error);
    bool is_short = to_file && length > 0 && is_past_end(vfs, position, length);
    if (length > 0)
        error = to_file ? vm_cache_write(cache, position, window, length, false, &done)
                        : vm_cache_read(cache, position, window, length, false, &done);
    if (length > 0 && error == VM_OK && to_file)
        error = vm_cache_sync(cache, position, position + (off_t)(length - 1));
    vm_put_cache(cache);
    if (error == VM_OK && is_short)
        error = ERR_VM_PF_PAST_END;
    if (error == VM_OK && !to_file)
        layer_clear(window + length, frame->size - length);
    return err_from_vm(error);
}

static errval_t read_frame(struct memobj *memobj, const struct memobj_frame_list *frame)
{
    return copy(vfs_of(memobj), frame, false);
}

static const struct memobj_kind kind = {.type = MEMOBJ_VFS, .prepare = read_frame};

/* The first frame that ends above *offset, in use so that it stays, and nobody else writes it: what he has read
 * may be old by now. *offset is set to its end. */
static struct memobj_frame_list *use_next(struct memobj *memobj, genvaddr_t *offset,
                                          genvaddr_t last)
{
    struct memobj_frame_list *frame;
    lock_take(&memobj->store->lock);
    do {
        frame = frames_above(&memobj->frames, *offset);
        if (frame && frame->offset > last)
            frame = NULL;
    } while (memobj_wait_for_frame(memobj, frame));
    LAYER_STEP();
    if (frame) {
        frame->users++;
        *offset = frame->offset + frame->size;
    }
    lock_give(&memobj->store->lock);
    return frame;
}

static void end_use(struct memobj *memobj, struct memobj_frame_list *frame)
{
    lock_take(&memobj->store->lock);
    frame->users--;
    lock_give(&memobj->store->lock);
    host_wake(&frame->users, UINT32_MAX);
}

static errval_t flush(struct memobj *memobj, genvaddr_t first, genvaddr_t last)
{
    struct memobj_frame_list *frame;
    errval_t error = SYS_ERR_OK;
    while (err_is_ok(error) && first <= last && (frame = use_next(memobj, &first, last))) {
        error = copy(vfs_of(memobj), frame, true);
        end_use(memobj, frame);
    }
    return error;
}

errval_t memobj_flush_vfs(struct memobj *memobj, struct vregion *vregion)
{
    genvaddr_t first = 0, last = INT64_MAX;
    bool shown = true;
    if (!memobj || memobj->type != MEMOBJ_VFS || !memobj->store)
        return LIB_ERR_INVALID_ARGS;
    if (vregion) {
        lock_take(&memobj->lock);
        shown = memobj_shows(memobj, vregion);
        first = vregion->offset;
        last = first + (vregion->size - 1);
        lock_give(&memobj->lock);
    }
    return shown ? flush(memobj, first, last) : LIB_ERR_VSPACE_VREGION_NOT_FOUND;
}

/* What is in the frames is in the file then; but for what is written while this runs. */
static errval_t free_written(struct memobj *memobj, size_t size, struct capref *frames,
                             size_t num_frames)
{
    errval_t error = memobj_flush_vfs(memobj, NULL);
    if (error == LIB_ERR_INVALID_ARGS)
        return error;
    return err_is_ok(error) ? memobj_pager_free(memobj, size, frames, num_frames)
                            : err_push(error, LIB_ERR_MEMOBJ_PAGER_FREE);
}

errval_t memobj_create_vfs(struct memobj_vfs *memobj, size_t size, memobj_flags_t flags,
                           vfs_handle_t vh, off_t offset, size_t filesize)
{
    if (!memobj || !vh || offset < 0 || filesize > size || size > INT64_MAX - VM_PAGE_MASK ||
        offset > (off_t)(INT64_MAX - VM_PAGE_MASK - size))
        return LIB_ERR_INVALID_ARGS;
    memobj->vh = vh;
    memobj->offset = offset;
    memobj->filesize = filesize;
    errval_t error =
        memobj_create(&memobj->anon.m, &kind, size, flags, memobj->anon.first, MEMOBJ_FIRST_FRAMES);
    if (err_is_ok(error))
        memobj->anon.m.f.pager_free = free_written;
    return error;
}

errval_t memobj_destroy_vfs(struct memobj *memobj)
{
    return memobj_destroy_type(memobj, MEMOBJ_VFS);
}
