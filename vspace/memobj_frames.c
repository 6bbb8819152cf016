/* SPDX-License-Identifier: MIT */
/* The frames of an object: a skip list (W. Pugh, 1990) by offset, in which none overlap. Its nodes come
 * with the object, and then in units from pinned memory. */
#include "layer.h"

void frames_init(struct memobj_frames *frames, const struct vspace_lock *lock,
                 struct memobj_frame_list *first, size_t count)
{
    layer_clear(frames, sizeof *frames);
    frames->lock = lock;
    frames->random = 0x9e3779b97f4a7c15u;
    for (size_t i = count; i > 0; i--)
        frames_give(frames, &first[i - 1]);
}

static bool refill(struct memobj_frames *frames)
{
    void *unit;
    if (err_is_fail(vspace_pinned_alloc(&unit, FRAME_LIST)))
        return false;
    struct memobj_frame_list *first = unit;
    for (size_t i = VSPACE_PINNED_UNIT; i > 0; i--)
        frames_give(frames, &first[i - 1]);
    first->chunk = frames->chunks;
    frames->chunks = first;
    return true;
}

struct memobj_frame_list *frames_take(struct memobj_frames *frames)
{
    lock_check(frames->lock);
    if (!frames->free && !refill(frames))
        return NULL;
    struct memobj_frame_list *frame = frames->free;
    LAYER_STEP();
    frames->free = frame->next[0];
    return frame;
}

void frames_give(struct memobj_frames *frames, struct memobj_frame_list *frame)
{
    frame->next[0] = frames->free;
    frames->free = frame;
}

/* The pointers that lead past all that end at or below the offset: `before[i]` on each level. */
static void find(struct memobj_frames *frames, genvaddr_t offset,
                 struct memobj_frame_list ***before)
{
    struct memobj_frame_list **links = frames->head;
    lock_check(frames->lock);
    for (size_t i = MEMOBJ_FRAME_LEVELS; i > 0; i--) {
        while (links[i - 1] && links[i - 1]->offset + (links[i - 1]->size - 1) < offset)
            links = links[i - 1]->next;
        before[i - 1] = &links[i - 1];
    }
}

struct memobj_frame_list *frames_above(const struct memobj_frames *frames, genvaddr_t offset)
{
    struct memobj_frame_list *const *links = frames->head;
    lock_check(frames->lock);
    for (size_t i = MEMOBJ_FRAME_LEVELS; i > 0; i--)
        while (links[i - 1] && links[i - 1]->offset + (links[i - 1]->size - 1) < offset)
            links = links[i - 1]->next;
    return links[0];
}

struct memobj_frame_list *frames_at(const struct memobj_frames *frames, genvaddr_t offset)
{
    struct memobj_frame_list *frame = frames_above(frames, offset);
    return frame && frame->offset <= offset ? frame : NULL;
}

struct memobj_frame_list *frames_last(const struct memobj_frames *frames)
{
    struct memobj_frame_list *last = NULL;
    lock_check(frames->lock);
    struct memobj_frame_list *const *links = frames->head;
    for (size_t i = MEMOBJ_FRAME_LEVELS; i > 0; i--)
        while (links[i - 1]) {
            last = links[i - 1];
            links = last->next;
        }
    return last;
}

/* One level, and with a chance of a quarter each one more. */
static size_t choose_levels(struct memobj_frames *frames)
{
    size_t levels = 1;
    uint64_t x = frames->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    frames->random = x;
    for (; levels < MEMOBJ_FRAME_LEVELS && (x & 3) == 0; x >>= 2)
        levels++;
    return levels;
}

void frames_insert(struct memobj_frames *frames, struct memobj_frame_list *frame)
{
    struct memobj_frame_list **before[MEMOBJ_FRAME_LEVELS];
    size_t levels = choose_levels(frames);
    find(frames, frame->offset, before);
    LAYER_STEP();
    for (size_t i = 0; i < MEMOBJ_FRAME_LEVELS; i++)
        frame->next[i] = i < levels ? *before[i] : NULL;
    for (size_t i = 0; i < levels; i++)
        *before[i] = frame;
}

void frames_remove(struct memobj_frames *frames, struct memobj_frame_list *frame)
{
    struct memobj_frame_list **before[MEMOBJ_FRAME_LEVELS];
    find(frames, frame->offset, before);
    LAYER_STEP();
    for (size_t i = 0; i < MEMOBJ_FRAME_LEVELS; i++)
        if (*before[i] == frame)
            *before[i] = frame->next[i];
}

void frames_destroy(struct memobj_frames *frames)
{
    while (frames->chunks) {
        struct memobj_frame_list *first = frames->chunks;
        frames->chunks = first->chunk;
        (void)vspace_pinned_free(first, FRAME_LIST);
    }
    layer_clear(frames, sizeof *frames);
}
