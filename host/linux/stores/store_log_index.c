/* SPDX-License-Identifier: MIT */
/* Where blobs are: short steps, each under the index lock. */
#include "store_log_index.h"

#include "store_common.h"

#include <string.h>

#define MOST_KEPT 4 /* free segments that keep their memory for the next */

/* ---- bytes -------------------------------------------------------------------------------------- */

/* Frames in a row in the segment needn't be in a row in memory. */
static size_t piece_at(const addr_t *frames, size_t offset, size_t length, uint8_t **piece)
{
    size_t within = offset & VM_PAGE_MASK, room = VM_PAGE_SIZE - within;
    *piece = (uint8_t *)host_frame_ptr(frames[offset >> VM_PAGE_SHIFT]) + within;
    return length < room ? length : room;
}

static void copy_in(const addr_t *frames, size_t offset, const uint8_t *bytes, size_t length)
{
    for (size_t at = 0, now; at < length; at += now) {
        uint8_t *piece;
        now = piece_at(frames, offset + at, length - at, &piece);
        memcpy(piece, bytes + at, now);
    }
}

void log_copy_frames(const addr_t *frames, size_t offset, uint8_t *bytes, size_t length)
{
    for (size_t at = 0, now; at < length; at += now) {
        uint8_t *piece;
        now = piece_at(frames, offset + at, length - at, &piece);
        memcpy(bytes + at, piece, now);
    }
}

static uint8_t *in_arena(const struct store_log *log, uint32_t number, size_t offset)
{
    return log->arena + (size_t)number * log->segments.bytes + offset;
}

void log_copy_out(const struct store_log *log, const struct log_blob *blob, const addr_t *frames,
                  uint8_t *bytes)
{
    if (log->arena)
        memcpy(bytes, in_arena(log, blob->segment - LOG_FIRST, blob->offset), blob->length);
    else
        log_copy_frames(frames, blob->offset, bytes, blob->length);
}

/* ---- segments ----------------------------------------------------------------------------------- */

/* => index. Below, free segments are used in turn; in memory, those first whose memory is there. */
static void free_segment(struct store_log *log, uint32_t number)
{
    struct segments *segments = &log->segments;
    bool keep = log->arena && log->kept < MOST_KEPT;
    segments_move(segments, number, LIST_FREE, !keep);
    log_segment(log, number)->kept = keep;
    log->kept += keep;
    if (log->arena && !keep)
        store_give_back(in_arena(log, number, 0), segments->bytes);
    else if (!log->arena && log->below->ops->discard)
        log->below->ops->discard(log->below, (off_t)number * (off_t)segments->bytes,
                                 segments->bytes >> VM_PAGE_SHIFT);
}

void log_settle(struct store_log *log, uint32_t number)
{
    struct segment *s = log_segment(log, number);
    if (s->live > 0 && s->list != LIST_BAD)
        segments_move(&log->segments, number, segments_class(&log->segments, number), true);
    else if (s->live == 0 && s->pins > 0)
        segments_move(&log->segments, number, LIST_PINNED, true);
    else if (s->live == 0)
        free_segment(log, number);
}

void log_unpin(struct store_log *log, uint32_t number)
{
    struct segment *s = log_segment(log, number);
    if (--s->pins > 0 || s->list != LIST_PINNED)
        return;
    free_segment(log, number);
    log->turn++;
    host_wake(&log->turn, UINT32_MAX);
}

void log_take_free(struct store_log *log)
{
    log->open = segments_first(&log->segments, LIST_FREE);
    log->open_used = 0;
    log->open_written = false;
    log->kept -= log_segment(log, log->open)->kept;
    segments_move(&log->segments, log->open, LIST_NONE, true);
}

/* ---- blobs -------------------------------------------------------------------------------------- */

/* => index */
static void count_blob(struct store_log *log, const struct log_blob *blob, size_t by)
{
    log->figures.pages += by;
    log->figures.zero_pages += blob->segment == LOG_ZERO ? by : 0;
    log->figures.raw_pages += blob->length == VM_PAGE_SIZE ? by : 0;
    log->figures.bytes += blob->length * by;
}

/* => index */
static void remove_blob(struct store_log *log, size_t page)
{
    struct log_blob *blob = &log->blob[page], old = *blob;
    if (old.segment == LOG_NONE)
        return;
    count_blob(log, &old, (size_t)-1);
    *blob = (struct log_blob){.segment = LOG_NONE};
    if (old.segment == LOG_ZERO)
        return;
    struct segment *s = log_segment(log, old.segment - LOG_FIRST);
    *(old.prev ? &log->blob[old.prev - 1].next : &s->first_blob) = old.next;
    if (old.next)
        log->blob[old.next - 1].prev = old.prev;
    s->live -= old.length;
    if (old.segment - LOG_FIRST != log->open)
        log_settle(log, old.segment - LOG_FIRST);
}

void log_put_blob(struct store_log *log, size_t page, const uint8_t *bytes, size_t length)
{
    struct segment *s = log_segment(log, log->open);
    struct log_blob *blob = &log->blob[page];
    if (log->arena)
        memcpy(in_arena(log, log->open, log->open_used), bytes, length);
    else
        copy_in(log->open_frame, log->open_used, bytes, length);
    remove_blob(log, page);
    *blob = (struct log_blob){.segment = log->open + LOG_FIRST,
                              .next = s->first_blob,
                              .offset = (uint16_t)log->open_used,
                              .length = (uint16_t)length};
    if (s->first_blob)
        log->blob[s->first_blob - 1].prev = (uint32_t)page + 1;
    s->first_blob = (uint32_t)page + 1;
    s->live += (uint32_t)length;
    log->open_used += (uint32_t)length;
    log->open_written = false;
    count_blob(log, blob, 1);
}

void log_forget(struct store_log *log, size_t page)
{
    store_lock(&log->index);
    remove_blob(log, page);
    store_unlock(&log->index);
}

bool log_has(struct store_log *log, size_t page)
{
    store_lock(&log->index);
    bool has = log->blob[page].segment != LOG_NONE;
    store_unlock(&log->index);
    return has;
}

void log_put_zero(struct store_log *log, size_t page)
{
    store_lock(&log->index);
    remove_blob(log, page);
    log->blob[page].segment = LOG_ZERO;
    count_blob(log, &log->blob[page], 1);
    store_unlock(&log->index);
}

size_t log_used_bytes(const struct store_log *log)
{
    return (size_t)(log->segments.count - log->segments.length[LIST_FREE]) * log->segments.bytes;
}
