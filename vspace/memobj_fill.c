/* SPDX-License-Identifier: MIT */
/* Frames that come into an object, and leave it. */
#include "layer.h"

/* ---- coming ------------------------------------------------------------------------------------- */

/* What the caller says, checked by itself: *frame is what is to be put in. */
static errval_t check_fill(const struct memobj *memobj, genvaddr_t offset, struct capref cap,
                           size_t size, genpaddr_t foffset, struct memobj_frame_list *frame)
{
    if (!capref_is_good(cap))
        return LIB_ERR_FRAME_IDENTIFY;
    if (!is_page_aligned(foffset) || (!memobj->kind->place_of_number && !is_page_aligned(offset)))
        return LIB_ERR_MEMOBJ_FILL;
    if (foffset >= cap.bytes || size > cap.bytes - foffset)
        return LIB_ERR_PMAP_FRAME_SIZE;
    size = size == 0 ? cap.bytes - foffset : page_round_up(size);
    if (offset >= memobj_end(memobj) || size - 1 > (size_t)INT64_MAX - offset)
        return LIB_ERR_MEMOBJ_WRONG_OFFSET;
    *frame = (struct memobj_frame_list){
        .offset = offset, .size = size, .frame = cap, .foffset = foffset};
    return SYS_ERR_OK;
}

static bool is_taken(const struct memobj *memobj, const struct memobj_frame_list *frame)
{
    lock_check(&memobj->store->lock);
    const struct memobj_frame_list *above = frames_above(&memobj->frames, frame->offset);
    return above && above->offset <= frame->offset + (frame->size - 1);
}

/* => store: locked. Where it goes, if nothing is there. */
static errval_t place(struct memobj *memobj, struct memobj_frame_list *frame)
{
    if (memobj->kind->place) {
        errval_t error = memobj->kind->place(memobj, frame);
        if (err_is_fail(error))
            return error;
    }
    return is_taken(memobj, frame) ? LIB_ERR_MEMOBJ_DUPLICATE_FILL : SYS_ERR_OK;
}

/* => store: locked */
static errval_t put_in(struct memobj *memobj, const struct memobj_frame_list *what)
{
    struct memobj_frame_list placed = *what;
    errval_t error = place(memobj, &placed);
    if (err_is_fail(error))
        return error;
    struct memobj_frame_list *frame = frames_take(&memobj->frames);
    if (!frame)
        return LIB_ERR_SLAB_REFILL;
    frame->offset = placed.offset;
    frame->size = placed.size;
    frame->frame = placed.frame;
    frame->foffset = placed.foffset;
    frame->users = 0;
    frames_insert(&memobj->frames, frame);
    return SYS_ERR_OK;
}

/* What the type does with a frame before it is seen; not with one for which there is no place. */
static errval_t prepare(struct memobj *memobj, const struct memobj_frame_list *frame)
{
    struct memobj_frame_list trial = *frame;
    if (!memobj->kind->prepare)
        return SYS_ERR_OK;
    lock_take(&memobj->store->lock);
    errval_t error = place(memobj, &trial);
    lock_give(&memobj->store->lock);
    return err_is_ok(error) ? memobj->kind->prepare(memobj, frame) : error;
}

/* Takes a frame out, and from wherever it shows. => store: locked */
static void take_out(struct memobj *memobj, struct memobj_frame_list *frame)
{
    bool everywhere = memobj->kind->place_of_number != NULL;
    lock_check(&memobj->store->lock);
    frames_remove(&memobj->frames, frame);
    (void)vm_cache_unmap(memobj->cache, everywhere ? 0 : (off_t)frame->offset,
                         everywhere ? INT64_MAX : (off_t)(frame->offset + (frame->size - 1)));
}

/* => memobj: its regions locked. A frame that has come is mapped, or goes again. */
static errval_t map_new(struct memobj *memobj, genvaddr_t first, genvaddr_t last)
{
    const struct vregion *vregion = memobj->regions;
    lock_check(&memobj->lock);
    if (!vregion)
        return SYS_ERR_OK;
    genvaddr_t low = vregion->offset, high = low + (vregion->size - 1);
    errval_t error = memobj_map_filled(memobj, vregion, first > low ? first : low,
                                       last < high ? last : high, false);
    if (err_is_ok(error))
        return error;
    lock_take(&memobj->store->lock);
    struct memobj_frame_list *frame = frames_at(&memobj->frames, first);
    take_out(memobj, frame);
    frames_give(&memobj->frames, frame);
    lock_give(&memobj->store->lock);
    return error;
}

errval_t memobj_fill_foff(struct memobj *memobj, genvaddr_t offset, struct capref cap, size_t size,
                          genpaddr_t foffset)
{
    struct memobj_frame_list frame;
    if (!memobj || !memobj->store)
        return LIB_ERR_INVALID_ARGS;
    errval_t error = check_fill(memobj, offset, cap, size, foffset, &frame);
    if (err_is_ok(error))
        error = prepare(memobj, &frame);
    if (err_is_fail(error))
        return error;
    bool maps = memobj->kind->maps_filled;
    if (maps)
        lock_take(&memobj->lock);
    lock_take(&memobj->store->lock);
    error = put_in(memobj, &frame);
    lock_give(&memobj->store->lock);
    if (maps) {
        if (err_is_ok(error))
            error = map_new(memobj, offset, offset + (frame.size - 1));
        lock_give(&memobj->lock);
    }
    return error;
}

errval_t memobj_fill(struct memobj *memobj, genvaddr_t offset, struct capref cap, size_t size)
{
    return memobj_fill_foff(memobj, offset, cap, size, 0);
}

/* ---- leaving ------------------------------------------------------------------------------------ */

bool memobj_wait_for_frame(struct memobj *memobj, struct memobj_frame_list *frame)
{
    lock_check(&memobj->store->lock);
    uint32_t users = frame ? frame->users : 0;
    if (users == 0)
        return false;
    lock_give(&memobj->store->lock);
    (void)host_wait(&frame->users, users, VM_NO_DEADLINE, false);
    lock_take(&memobj->store->lock);
    return true;
}

/* => store: locked, but not while it waits for who reads the frame. The first at or above `offset`, or the
 * last if that is. */
static struct memobj_frame_list *find_unused(struct memobj *memobj, genvaddr_t offset, bool last)
{
    struct memobj_frame_list *frame;
    do {
        frame = frames_above(&memobj->frames, offset);
        if (frame && frame->offset < offset)
            frame = frame->next[0];
        if (frame && last)
            frame = frames_last(&memobj->frames);
    } while (memobj_wait_for_frame(memobj, frame));
    return frame;
}

static errval_t unfill(struct memobj *memobj, genvaddr_t offset, bool last, struct capref *cap,
                       genvaddr_t *at)
{
    errval_t error = SYS_ERR_OK;
    lock_take(&memobj->store->lock);
    struct memobj_frame_list *frame = find_unused(memobj, offset, last);
    if (!frame) {
        error = LIB_ERR_MEMOBJ_UNFILL_TOO_HIGH_OFFSET;
    } else if (memobj_is_pinned(memobj, frame)) {
        error = LIB_ERR_MEMOBJ_PIN_REGION;
    } else {
        take_out(memobj, frame);
        *cap = frame->frame;
        *at = frame->offset;
        frames_give(&memobj->frames, frame);
    }
    lock_give(&memobj->store->lock);
    return error;
}

errval_t memobj_unfill_last(struct memobj *memobj, genvaddr_t offset, struct capref *frame,
                            genvaddr_t *at)
{
    return unfill(memobj, offset, true, frame, at);
}

errval_t memobj_unfill(struct memobj *memobj, genvaddr_t offset, struct capref *ret_frame,
                       genvaddr_t *ret_offset)
{
    struct capref cap;
    genvaddr_t at;
    if (!memobj || !memobj->store)
        return LIB_ERR_INVALID_ARGS;
    bool maps = memobj->kind->maps_filled; /* then a fill may be about to map it */
    gensize_t unit = 1;
    if (memobj->kind->place_of_number)
        offset = memobj->kind->place_of_number(memobj, offset, &unit);
    if (maps)
        lock_take(&memobj->lock);
    errval_t error = unfill(memobj, offset, memobj->kind->from_the_end, &cap, &at);
    if (maps)
        lock_give(&memobj->lock);
    if (err_is_fail(error))
        return error;
    if (ret_frame)
        *ret_frame = cap;
    if (ret_offset)
        *ret_offset = at / unit;
    return SYS_ERR_OK;
}

/* ---- for pagers --------------------------------------------------------------------------------- */

static bool may_go(const struct memobj *memobj, const struct memobj_frame_list *frame)
{
    return frame->users == 0 && !memobj_is_kept(memobj, frame);
}

/* => store: locked. The next that may go in the order of offsets, round and round; or the last. */
static struct memobj_frame_list *next_victim(struct memobj *memobj)
{
    struct memobj_frames *frames = &memobj->frames;
    lock_check(&memobj->store->lock);
    if (memobj->kind->from_the_end) {
        struct memobj_frame_list *last = frames_last(frames);
        return last && may_go(memobj, last) ? last : NULL;
    }
    struct memobj_frame_list *first = frames_above(frames, frames->hand), *frame;
    for (frame = first; frame; frame = frame->next[0])
        if (may_go(memobj, frame))
            return frame;
    for (frame = frames->head[0]; frame != first; frame = frame->next[0])
        if (may_go(memobj, frame))
            return frame;
    return NULL;
}

/* => store: locked. Takes out what is wanted: a chain; how much it is. */
static gensize_t take_victims(struct memobj *memobj, size_t size, size_t most,
                              struct memobj_frame_list **taken)
{
    gensize_t freed = 0;
    *taken = NULL;
    for (size_t count = 0; freed < size && count < most; count++) {
        struct memobj_frame_list *frame = next_victim(memobj);
        if (!frame)
            break;
        take_out(memobj, frame);
        memobj->frames.hand = frame->offset + frame->size;
        freed += frame->size;
        frame->next[0] = *taken;
        *taken = frame;
    }
    return freed;
}

errval_t memobj_pager_free(struct memobj *memobj, size_t size, struct capref *frames,
                           size_t num_frames)
{
    struct memobj_frame_list *taken, *next;
    size_t count = 0;
    if (!memobj || !memobj->store || !frames || size == 0)
        return LIB_ERR_INVALID_ARGS;
    lock_take(&memobj->store->lock);
    genvaddr_t hand = memobj->frames.hand;
    bool enough = take_victims(memobj, size, num_frames, &taken) >= size;
    for (; taken; taken = next) {
        next = taken->next[0];
        if (enough) {
            frames[count++] = taken->frame;
            frames_give(&memobj->frames, taken);
        } else {
            frames_insert(&memobj->frames, taken);
        }
    }
    if (!enough)
        memobj->frames.hand = hand;
    lock_give(&memobj->store->lock);
    for (; enough && count < num_frames; count++)
        frames[count] = NULL_CAP;
    return enough ? SYS_ERR_OK : LIB_ERR_MEMOBJ_PAGER_FREE;
}
