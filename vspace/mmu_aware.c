/* SPDX-License-Identifier: MIT */
/* A region that grows at its end as a heap does, and shrinks there. */
#include "layer.h"

/* What is mapped beyond that and not used goes back. */
#define KEPT_UNUSED ((gensize_t)1 << 20)

errval_t vspace_mmu_aware_init(struct vspace_mmu_aware *state, size_t size)
{
    return vspace_mmu_aware_init_aligned(state, NULL, size, 0, VREGION_FLAGS_READ_WRITE);
}

errval_t vspace_mmu_aware_init_aligned(struct vspace_mmu_aware *state,
                                       struct slot_allocator *slot_allocator, size_t size,
                                       size_t alignment, vregion_flags_t flags)
{
    (void)slot_allocator;
    if (!state || !get_current_vspace())
        return LIB_ERR_INVALID_ARGS;
    state->size = page_round_up(size);
    state->alignment = alignment;
    state->consumed = 0;
    state->offset = state->mapoffset = 0;
    state->lock.word = LOCK_FREE;
    errval_t error = memobj_create_anon(&state->memobj, state->size, 0);
    if (err_is_fail(error))
        return err_push(error, LIB_ERR_MEMOBJ_CREATE_ANON);
    error = vregion_map_aligned(&state->vregion, get_current_vspace(), &state->memobj.m, 0,
                                state->size, flags, alignment);
    if (err_is_ok(error))
        return SYS_ERR_OK;
    (void)memobj_destroy(&state->memobj.m, false);
    return err_push(error, LIB_ERR_VREGION_MAP);
}

/* Puts a frame behind what is mapped. */
static errval_t map_frame(struct vspace_mmu_aware *state, struct capref frame, gensize_t size)
{
    struct memobj *memobj = &state->memobj.m;
    struct capref back;
    genvaddr_t at;
    errval_t error = memobj->f.fill(memobj, state->mapoffset, frame, size);
    if (err_is_fail(error))
        return err_push(error, LIB_ERR_MEMOBJ_FILL);
    error = memobj->f.pagefault(memobj, &state->vregion, state->mapoffset, PAGEFLT_NULL);
    if (err_is_fail(error)) {
        (void)memobj_unfill_last(memobj, state->mapoffset, &back, &at);
        return err_push(error, LIB_ERR_MEMOBJ_PAGEFAULT_HANDLER);
    }
    state->mapoffset += size;
    return SYS_ERR_OK;
}

static errval_t grow(struct vspace_mmu_aware *state, gensize_t bytes)
{
    struct capref frame;
    if (bytes > state->size - state->mapoffset)
        return LIB_ERR_VSPACE_MMU_AWARE_NO_SPACE;
    errval_t error = frame_create(&frame, bytes, NULL);
    if (err_is_fail(error))
        return bytes > VM_PAGE_SIZE ? err_push(error, LIB_ERR_FRAME_CREATE_MS_CONSTRAINTS) : error;
    error = map_frame(state, frame, bytes);
    if (err_is_fail(error))
        (void)cap_destroy(frame);
    return error;
}

/* => state: locked */
static errval_t take(struct vspace_mmu_aware *state, size_t req_size, void **retbuf,
                     size_t *retsize)
{
    gensize_t left = state->mapoffset - state->offset, size = req_size;
    if (req_size > left) {
        gensize_t missing = page_round_up(req_size - left);
        errval_t error = missing == 0 ? LIB_ERR_VSPACE_MMU_AWARE_NO_SPACE : grow(state, missing);
        if (err_is_fail(error))
            return error;
        size = state->mapoffset - state->offset;
    }
    *retbuf = (void *)vspace_layout_genvaddr_to_lvaddr(&state->vregion.vspace->layout,
                                                       state->vregion.base + state->offset);
    *retsize = size;
    state->offset += size;
    state->consumed += size;
    return SYS_ERR_OK;
}

errval_t vspace_mmu_aware_map(struct vspace_mmu_aware *state, size_t req_size, void **retbuf,
                              size_t *retsize)
{
    if (!state || !retbuf || !retsize || req_size == 0)
        return LIB_ERR_INVALID_ARGS;
    lock_take(&state->lock);
    errval_t error = take(state, req_size, retbuf, retsize);
    lock_give(&state->lock);
    return error;
}

/* => state: locked. Frames at or above `offset` go, the last first, up to one that is pinned. */
static void give_back(struct vspace_mmu_aware *state, genvaddr_t offset)
{
    struct capref frame;
    genvaddr_t at;
    while (err_is_ok(memobj_unfill_last(&state->memobj.m, offset, &frame, &at))) {
        (void)cap_destroy(frame);
        state->mapoffset = at;
    }
}

errval_t vspace_mmu_aware_unmap(struct vspace_mmu_aware *state, lvaddr_t base, size_t bytes)
{
    if (!state)
        return LIB_ERR_INVALID_ARGS;
    lock_take(&state->lock);
    lvaddr_t end = vspace_layout_genvaddr_to_lvaddr(&state->vregion.vspace->layout,
                                                    state->vregion.base + state->offset);
    bool is_end = bytes <= state->consumed && base == end - bytes;
    if (is_end) {
        state->offset -= bytes;
        state->consumed -= bytes;
        if (state->mapoffset - state->offset > KEPT_UNUSED)
            give_back(state, state->offset);
    }
    lock_give(&state->lock);
    return is_end ? SYS_ERR_OK : LIB_ERR_INVALID_ARGS;
}

static bool is_empty(const struct memobj *memobj)
{
    lock_take(&memobj->store->lock);
    bool empty = !frames_last(&memobj->frames);
    lock_give(&memobj->store->lock);
    return empty;
}

errval_t vspace_mmu_aware_reset(struct vspace_mmu_aware *state, struct capref frame, size_t size)
{
    errval_t error = LIB_ERR_MEMOBJ_PIN_REGION;
    if (!state || !capref_is_good(frame) || size == 0 || size > frame.bytes)
        return LIB_ERR_INVALID_ARGS;
    if (page_round_up(size) > state->size)
        return LIB_ERR_VSPACE_MMU_AWARE_NO_SPACE;
    lock_take(&state->lock);
    give_back(state, 0);
    state->offset = state->consumed = 0;
    if (is_empty(&state->memobj.m)) {
        state->mapoffset = 0;
        error = map_frame(state, frame, page_round_up(size));
    }
    lock_give(&state->lock);
    return error;
}

errval_t vspace_mmu_aware_destroy(struct vspace_mmu_aware *state)
{
    if (!state)
        return LIB_ERR_INVALID_ARGS;
    errval_t error = memobj_destroy_anon(&state->memobj.m, true);
    if (err_is_ok(error)) /* it has no room */
        state->size = state->consumed = state->offset = state->mapoffset = 0;
    return error;
}
