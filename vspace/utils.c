/* SPDX-License-Identifier: MIT */
/* Helpers that make an object and map it, in the current vspace. */
#include "layer.h"

/* What a helper is to make. */
struct wish {
    enum memobj_type type;
    size_t size; /* of whole pages, once checked */
    vregion_flags_t flags;
    size_t alignment;
    bool fixed;
    genvaddr_t base;
    struct capref frame; /* ONE_FRAME, ONE_FRAME_ONE_MAP */
    vfs_handle_t file;   /* MEMOBJ_VFS */
    off_t offset;
    size_t filesize;
};

static errval_t create(const struct wish *wish, struct memobj *memobj)
{
    switch (wish->type) {
    case ONE_FRAME:
        return memobj_create_one_frame((struct memobj_one_frame *)memobj, wish->size, 0);
    case ONE_FRAME_ONE_MAP:
        return memobj_create_one_frame_one_map((struct memobj_one_frame_one_map *)memobj,
                                               wish->size, 0);
    case MEMOBJ_VFS:
        return memobj_create_vfs((struct memobj_vfs *)memobj, wish->size, 0, wish->file,
                                 wish->offset, wish->filesize);
    case MEMOBJ_APPEND:
        return memobj_create_append((struct memobj_append *)memobj, wish->size, 0);
    default:
        return memobj_create_anon((struct memobj_anon *)memobj, wish->size, 0);
    }
}

static enum err_code creation_error(enum memobj_type type)
{
    switch (type) {
    case ONE_FRAME:
        return LIB_ERR_MEMOBJ_CREATE_ONE_FRAME;
    case ONE_FRAME_ONE_MAP:
        return LIB_ERR_MEMOBJ_CREATE_ONE_FRAME_ONE_MAP;
    case MEMOBJ_VFS:
        return LIB_ERR_MEMOBJ_CREATE_VFS;
    default:
        return LIB_ERR_MEMOBJ_CREATE_ANON;
    }
}

static bool has_frame(const struct wish *wish)
{
    return wish->type == ONE_FRAME || wish->type == ONE_FRAME_ONE_MAP;
}

static errval_t map_wish(const struct wish *wish, struct vspace *vspace, struct memobj *memobj,
                         struct vregion *vregion)
{
    errval_t error = wish->fixed ? vregion_map_fixed(vregion, vspace, memobj, 0, wish->size,
                                                     wish->base, wish->flags)
                                 : vregion_map_aligned(vregion, vspace, memobj, 0, wish->size,
                                                       wish->flags, wish->alignment);
    if (err_is_fail(error))
        return err_push(error, LIB_ERR_VREGION_MAP);
    if (!has_frame(wish) || !flags_allow_access(wish->flags))
        return SYS_ERR_OK;
    error = memobj->f.pagefault(memobj, vregion, 0, PAGEFLT_NULL);
    return err_is_ok(error) ? SYS_ERR_OK : err_push(error, LIB_ERR_MEMOBJ_PAGEFAULT_HANDLER);
}

static errval_t fill_wish(const struct wish *wish, struct memobj *memobj)
{
    if (!has_frame(wish))
        return SYS_ERR_OK;
    errval_t error = memobj->f.fill(memobj, 0, wish->frame, wish->size);
    return err_is_ok(error) ? SYS_ERR_OK : err_push(error, LIB_ERR_MEMOBJ_FILL);
}

/* In structures of the caller's. */
static errval_t make_in(const struct wish *wish, struct memobj *memobj, struct vregion *vregion)
{
    struct vspace *vspace = get_current_vspace();
    if (!vspace)
        return LIB_ERR_VSPACE_VREGION_NOT_FOUND;
    if (!memobj || !vregion)
        return LIB_ERR_INVALID_ARGS;
    errval_t error = create(wish, memobj);
    if (err_is_fail(error))
        return err_push(error, creation_error(wish->type));
    error = fill_wish(wish, memobj);
    if (err_is_ok(error))
        error = map_wish(wish, vspace, memobj, vregion);
    if (err_is_fail(error))
        (void)memobj_destroy(memobj, false); /* and the vregion, if there is one */
    return error;
}

static size_t size_of_type(enum memobj_type type)
{
    switch (type) {
    case ONE_FRAME:
        return sizeof(struct memobj_one_frame);
    case MEMOBJ_VFS:
        return sizeof(struct memobj_vfs);
    default:
        return sizeof(struct memobj_anon);
    }
}

/* In new structures. */
static errval_t make(const struct wish *wish, struct memobj **ret_memobj,
                     struct vregion **ret_vregion)
{
    size_t size = size_of_type(wish->type);
    struct memobj *memobj = layer_alloc(size);
    struct vregion *vregion = layer_alloc(sizeof *vregion);
    errval_t error = memobj && vregion ? make_in(wish, memobj, vregion) : LIB_ERR_MALLOC_FAIL;
    if (err_is_fail(error)) {
        layer_free(memobj, size);
        layer_free(vregion, sizeof *vregion);
        return error;
    }
    memobj->made = size;
    vregion->made = sizeof *vregion;
    if (ret_memobj)
        *ret_memobj = memobj;
    if (ret_vregion)
        *ret_vregion = vregion;
    return SYS_ERR_OK;
}

static void return_address(const struct vregion *vregion, void **retaddr, size_t *retsize)
{
    if (retaddr)
        *retaddr =
            (void *)vspace_layout_genvaddr_to_lvaddr(&vregion->vspace->layout, vregion->base);
    if (retsize)
        *retsize = vregion->size;
}

/* As make, for those that return where it is. */
static errval_t make_at(const struct wish *wish, void **retaddr, size_t *retsize,
                        struct memobj **ret_memobj, struct vregion **ret_vregion)
{
    struct vregion *vregion;
    errval_t error = make(wish, ret_memobj, &vregion);
    if (err_is_fail(error))
        return error;
    return_address(vregion, retaddr, retsize);
    if (ret_vregion)
        *ret_vregion = vregion;
    return SYS_ERR_OK;
}

/* ---- addresses only ----------------------------------------------------------------------------- */

static errval_t map_nomalloc(const struct wish *wish, struct memobj *memobj,
                             struct vregion *vregion, void **retaddr, size_t *retsize)
{
    errval_t error = make_in(wish, memobj, vregion);
    if (err_is_ok(error))
        return_address(vregion, retaddr, retsize);
    return error;
}

errval_t vspace_map_anon_nomalloc(void **retaddr, struct memobj_anon *memobj,
                                  struct vregion *vregion, size_t size, size_t *retsize,
                                  vregion_flags_t flags, size_t alignment)
{
    struct wish wish = {
        .type = ANONYMOUS, .size = page_round_up(size), .flags = flags, .alignment = alignment};
    return map_nomalloc(&wish, (struct memobj *)memobj, vregion, retaddr, retsize);
}

errval_t vspace_map_append_nomalloc(void **retaddr, struct memobj_append *memobj,
                                    struct vregion *vregion, size_t size, size_t *retsize,
                                    vregion_flags_t flags, size_t alignment)
{
    struct wish wish = {
        .type = MEMOBJ_APPEND, .size = page_round_up(size), .flags = flags, .alignment = alignment};
    return map_nomalloc(&wish, (struct memobj *)memobj, vregion, retaddr, retsize);
}

errval_t vspace_map_anon_aligned(void **retaddr, struct memobj **ret_memobj,
                                 struct vregion **ret_vregion, size_t size, size_t *retsize,
                                 vregion_flags_t flags, size_t alignment)
{
    struct wish wish = {
        .type = ANONYMOUS, .size = page_round_up(size), .flags = flags, .alignment = alignment};
    return make_at(&wish, retaddr, retsize, ret_memobj, ret_vregion);
}

errval_t vspace_map_anon_attr(void **retaddr, struct memobj **ret_memobj,
                              struct vregion **ret_vregion, size_t size, size_t *retsize,
                              vregion_flags_t flags)
{
    return vspace_map_anon_aligned(retaddr, ret_memobj, ret_vregion, size, retsize, flags, 0);
}

errval_t vspace_map_anon_fixed(genvaddr_t base, size_t size, vregion_flags_t flags,
                               struct vregion **ret_vregion, struct memobj **ret_memobj)
{
    struct wish wish = {.type = ANONYMOUS,
                        .size = page_round_up(size),
                        .flags = flags,
                        .fixed = true,
                        .base = base};
    return make(&wish, ret_memobj, ret_vregion);
}

/* ---- one frame ---------------------------------------------------------------------------------- */

errval_t vspace_map_one_frame_attr_aligned(void **retaddr, size_t size, struct capref frame,
                                           vregion_flags_t flags, size_t alignment,
                                           struct memobj **retmemobj, struct vregion **retvregion)
{
    struct wish wish = {.type = ONE_FRAME,
                        .size = page_round_up(size),
                        .flags = flags,
                        .alignment = alignment,
                        .frame = frame};
    return make_at(&wish, retaddr, NULL, retmemobj, retvregion);
}

errval_t vspace_map_one_frame_attr(void **retaddr, size_t size, struct capref frame,
                                   vregion_flags_t flags, struct memobj **retmemobj,
                                   struct vregion **retvregion)
{
    return vspace_map_one_frame_attr_aligned(retaddr, size, frame, flags, 0, retmemobj, retvregion);
}

errval_t vspace_map_one_frame(void **retaddr, size_t size, struct capref frame,
                              struct memobj **retmemobj, struct vregion **retvregion)
{
    return vspace_map_one_frame_attr(retaddr, size, frame, VREGION_FLAGS_READ_WRITE, retmemobj,
                                     retvregion);
}

errval_t vspace_map_one_frame_fixed_attr(lvaddr_t addr, size_t size, struct capref frame,
                                         vregion_flags_t flags, struct memobj **retmemobj,
                                         struct vregion **retvregion)
{
    struct wish wish = {.type = ONE_FRAME,
                        .size = page_round_up(size),
                        .flags = flags,
                        .fixed = true,
                        .base = vspace_lvaddr_to_genvaddr(addr),
                        .frame = frame};
    return make(&wish, retmemobj, retvregion);
}

errval_t vspace_map_one_frame_fixed(lvaddr_t addr, size_t size, struct capref frame,
                                    struct memobj **retmemobj, struct vregion **retvregion)
{
    return vspace_map_one_frame_fixed_attr(addr, size, frame, VREGION_FLAGS_READ_WRITE, retmemobj,
                                           retvregion);
}

errval_t vspace_map_one_frame_one_map(struct memobj_one_frame_one_map *memobj,
                                      struct vregion *vregion, size_t size, struct capref frame)
{
    struct wish wish = {.type = ONE_FRAME_ONE_MAP,
                        .size = page_round_up(size),
                        .flags = VREGION_FLAGS_READ_WRITE,
                        .frame = frame};
    return make_in(&wish, (struct memobj *)memobj, vregion);
}

/* ---- files -------------------------------------------------------------------------------------- */

errval_t vspace_map_file_aligned(size_t alignment, size_t size, vregion_flags_t flags,
                                 vfs_handle_t file, off_t offset, size_t filesize,
                                 struct vregion **ret_vregion, struct memobj **ret_memobj)
{
    struct wish wish = {.type = MEMOBJ_VFS,
                        .size = page_round_up(size),
                        .flags = flags,
                        .alignment = alignment,
                        .file = file,
                        .offset = offset,
                        .filesize = filesize};
    return make(&wish, ret_memobj, ret_vregion);
}

errval_t vspace_map_file(size_t size, vregion_flags_t flags, vfs_handle_t file, off_t offset,
                         size_t filesize, struct vregion **ret_vregion, struct memobj **ret_memobj)
{
    return vspace_map_file_aligned(0, size, flags, file, offset, filesize, ret_vregion, ret_memobj);
}

errval_t vspace_map_file_fixed(genvaddr_t base, size_t size, vregion_flags_t flags,
                               vfs_handle_t file, off_t offset, size_t filesize,
                               struct vregion **ret_vregion, struct memobj **ret_memobj)
{
    struct wish wish = {.type = MEMOBJ_VFS,
                        .size = page_round_up(size),
                        .flags = flags,
                        .fixed = true,
                        .base = base,
                        .file = file,
                        .offset = offset,
                        .filesize = filesize};
    return make(&wish, ret_memobj, ret_vregion);
}

/* ---- away --------------------------------------------------------------------------------------- */

errval_t vspace_unmap(const void *buf)
{
    struct vspace *vspace = get_current_vspace();
    if (!vspace)
        return LIB_ERR_VSPACE_VREGION_NOT_FOUND;
    genvaddr_t address = vspace_layout_lvaddr_to_genvaddr(&vspace->layout, (lvaddr_t)buf);
    struct vregion *vregion = vspace_hold_region(vspace, address);
    return vregion ? vspace_end_region(vregion, 1) : LIB_ERR_VSPACE_VREGION_NOT_FOUND;
}
