/* SPDX-License-Identifier: MIT */
/* What is done between the short steps of the index: writing and reading below, cleaning. */
#include "store_common.h"
#include "store_log_index.h"

/* ---- writing below ------------------------------------------------------------------------------ */

/* => append. What couldn't be written there is tried elsewhere the next time. */
static void open_elsewhere(struct store_log *log)
{
    store_lock(&log->index);
    uint32_t old = log->open, new = segments_first(&log->segments, LIST_FREE);
    if (new != SEGMENT_NONE) {
        struct segment *from = log_segment(log, old), *to = log_segment(log, new);
        for (uint32_t page = from->first_blob; page != 0; page = log->blob[page - 1].next)
            log->blob[page - 1].segment = new + LOG_FIRST;
        to->first_blob = from->first_blob;
        to->live = from->live;
        from->first_blob = from->live = 0;
        segments_move(&log->segments, new, LIST_NONE, true);
        log->open = new;
        log_settle(log, old);
    }
    store_unlock(&log->index);
}

/* => append */
static int write_open(struct store_log *log)
{
    size_t done = 0, count = (log->open_used + VM_PAGE_MASK) >> VM_PAGE_SHIFT;
    if (log->arena || log->open_written)
        return VM_OK;
    int error = log->below->ops->write(log->below, (off_t)log->open * (off_t)log->segments.bytes,
                                       log->open_frame, count, &done);
    if (error == VM_OK && done < log->open_used)
        error = ERR_IO;
    if (error != VM_OK)
        open_elsewhere(log);
    log->open_written = error == VM_OK;
    return error;
}

/* ---- cleaning ----------------------------------------------------------------------------------- */

/* => append. Pins one with at most `most` live bytes, which its blobs' copies then find room for. */
static uint32_t choose(struct store_log *log, uint32_t most)
{
    store_lock(&log->index);
    uint32_t victim = segments_emptiest(&log->segments, most);
    if (victim != SEGMENT_NONE)
        log_segment(log, victim)->pins++;
    store_unlock(&log->index);
    return victim;
}

static int read_segment(struct store_log *log, uint32_t number)
{
    size_t done = 0, used = log_segment(log, number)->used;
    if (log->arena)
        return VM_OK;
    int error =
        log->below->ops->read(log->below, (off_t)number * (off_t)log->segments.bytes,
                              log->clean_frame, (used + VM_PAGE_MASK) >> VM_PAGE_SHIFT, &done);
    return error == VM_OK && done < used ? ERR_IO : error;
}

/* => append; the open segment has room for so much. False: there is none that is worth it. */
static bool clean(struct store_log *log, uint32_t most)
{
    for (;;) {
        uint32_t victim = choose(log, most);
        if (victim == SEGMENT_NONE)
            return false;
        int error = read_segment(log, victim);
        store_lock(&log->index);
        struct segment *s = log_segment(log, victim);
        while (error == VM_OK && s->first_blob != 0) {
            size_t page = s->first_blob - 1;
            log_copy_out(log, &log->blob[page], log->clean_frame, log->moving);
            log_put_blob(log, page, log->moving, log->blob[page].length);
        }
        log->figures.cleanings += error == VM_OK;
        if (error != VM_OK && s->live > 0)
            segments_move(&log->segments, victim, LIST_BAD, true);
        log_unpin(log, victim);
        store_unlock(&log->index);
        if (error == VM_OK)
            return true;
    }
}

/* => index. Memory that nothing live is in should be Linux's. */
static bool is_wasteful(const struct store_log *log)
{
    size_t live = log->figures.bytes;
    return log->arena && log_used_bytes(log) > live + live / 4 + 4 * (size_t)log->segments.bytes;
}

/* ---- appending ---------------------------------------------------------------------------------- */

/* => index, let go meanwhile. */
static void wait_for_pinned(struct store_log *log)
{
    while (log->segments.length[LIST_FREE] == 0 && log->segments.length[LIST_PINNED] > 0) {
        uint32_t turn = log->turn;
        store_unlock(&log->index);
        (void)host_wait(&log->turn, turn, VM_NO_DEADLINE, false);
        store_lock(&log->index);
    }
}

/* => append. With the last free segment comes a cleaning that must leave room for `length` bytes, after which another
 * is free. Where memory is wasted the new segment's first half is for what is in emptier ones. */
static void clean_into_open(struct store_log *log, uint32_t length, bool is_last)
{
    uint32_t half = log->segments.bytes / 2;
    bool more = !is_last || clean(log, log->segments.bytes - length);
    while (more && log->open_used < half) {
        store_lock(&log->index);
        more = is_wasteful(log);
        store_unlock(&log->index);
        more = more && clean(log, half);
    }
}

/* => append */
static int open_next(struct store_log *log, uint32_t length)
{
    uint32_t most = log->segments.bytes - length;
    int error = write_open(log);
    if (error != VM_OK)
        return error;
    store_lock(&log->index);
    wait_for_pinned(log);
    uint32_t left = log->segments.length[LIST_FREE], old = log->open;
    bool is_possible =
        left > 1 || (left == 1 && segments_emptiest(&log->segments, most) != SEGMENT_NONE);
    if (is_possible) {
        log_segment(log, old)->used = log->open_used;
        log_take_free(log);
        log_settle(log, old);
    }
    store_unlock(&log->index);
    if (is_possible)
        clean_into_open(log, length, left == 1);
    return is_possible ? VM_OK : ERR_NO_MEMORY;
}

int log_append(struct store_log *log, size_t page, const void *bytes, size_t length)
{
    int error = VM_OK;
    if (length == 0) {
        log_put_zero(log, page);
        return VM_OK;
    }
    store_lock(&log->append);
    while (error == VM_OK && log->open_used + length > log->segments.bytes)
        error = open_next(log, (uint32_t)length);
    if (error == VM_OK) {
        store_lock(&log->index);
        log_put_blob(log, page, bytes, length);
        store_unlock(&log->index);
    }
    store_unlock(&log->append);
    return error;
}

/* ---- fetching ----------------------------------------------------------------------------------- */

/* => index. Adds the pages behind the first whose blobs follow in its segment. */
static void extend(const struct store_log *log, size_t page, size_t most,
                   struct log_fetched *fetched)
{
    while (fetched->count < most && fetched->count < LOG_MOST_PAGES) {
        const struct log_blob *last = &fetched->blob[fetched->count - 1];
        const struct log_blob *next = &log->blob[page + fetched->count];
        if (next->segment != last->segment || next->offset != last->offset + last->length)
            break;
        fetched->blob[fetched->count++] = *next;
    }
}

/* Copies the first page's blob where it is in memory; else pins its segment. */
static void find(struct store_log *log, size_t page, size_t most, struct log_fetched *fetched)
{
    store_lock(&log->index);
    struct log_blob *blob = &fetched->blob[0];
    *blob = log->blob[page];
    fetched->count = 1;
    fetched->origin = blob->offset & ~VM_PAGE_MASK;
    fetched->is_copied =
        blob->segment < LOG_FIRST || log->arena || blob->segment - LOG_FIRST == log->open;
    if (!fetched->is_copied) {
        extend(log, page, most, fetched);
        log_segment(log, blob->segment - LOG_FIRST)->pins++;
    } else if (blob->segment >= LOG_FIRST) {
        log_copy_out(log, blob, log->open_frame, fetched->bytes);
    }
    store_unlock(&log->index);
}

/* => the segment: pinned */
static int read_blobs(struct store_log *log, struct log_fetched *fetched)
{
    const struct log_blob *last = &fetched->blob[fetched->count - 1];
    uint32_t number = last->segment - LOG_FIRST;
    size_t done = 0, bytes = (size_t)last->offset + last->length - fetched->origin;
    off_t at = (off_t)number * (off_t)log->segments.bytes + (off_t)fetched->origin;
    int error = log->below->ops->read(log->below, at, fetched->frame,
                                      (bytes + VM_PAGE_MASK) >> VM_PAGE_SHIFT, &done);
    store_lock(&log->index);
    log_unpin(log, number);
    store_unlock(&log->index);
    return error == VM_OK && done < bytes ? ERR_IO : error;
}

/* What can't be read with its neighbours is tried without them. */
int log_fetch(struct store_log *log, size_t page, size_t most, struct log_fetched *fetched)
{
    int error = VM_OK;
    do {
        find(log, page, error == VM_OK ? most : 1, fetched);
        if (fetched->is_copied)
            return VM_OK;
        error = read_blobs(log, fetched);
    } while (error != VM_OK && fetched->count > 1);
    return error;
}

const void *log_bytes(struct log_fetched *fetched, size_t i)
{
    const struct log_blob *blob = &fetched->blob[i];
    if (!fetched->is_copied)
        log_copy_frames(fetched->frame, blob->offset - fetched->origin, fetched->bytes,
                        blob->length);
    return fetched->bytes;
}

/* ---- beginning and end -------------------------------------------------------------------------- */

int log_begin(struct store_log *log, size_t pages, uint32_t segments, uint32_t segment_pages,
              bool in_memory)
{
    uint32_t bytes = segment_pages * (uint32_t)VM_PAGE_SIZE;
    log->pages = pages;
    log->blob = store_reserve(pages * sizeof *log->blob);
    log->arena = in_memory ? store_reserve((size_t)segments * bytes) : NULL;
    if (!segments_begin(&log->segments, segments, bytes) || !log->blob ||
        (in_memory && !log->arena))
        return ERR_NO_MEMORY;
    log_take_free(log);
    return VM_OK;
}

void log_end(struct store_log *log)
{
    store_release(log->blob, log->pages * sizeof *log->blob);
    store_release(log->arena, (size_t)log->segments.count * log->segments.bytes);
    segments_end(&log->segments);
}

/* All but the open segment and the free one are full but for less than a page each. */
size_t log_keeps(const struct store_log *log)
{
    size_t each = (log->segments.bytes >> VM_PAGE_SHIFT) - 1;
    size_t room = (log->segments.count - LOG_SPARE) * each;
    return room < log->pages ? room : log->pages;
}

void log_figures(struct store_log *log, struct vm_store_compressed_info *figures)
{
    store_lock(&log->index);
    *figures = log->figures;
    figures->used = log_used_bytes(log);
    figures->space = (size_t)log->segments.count * log->segments.bytes;
    figures->bad_segments = log->segments.length[LIST_BAD];
    store_unlock(&log->index);
}
