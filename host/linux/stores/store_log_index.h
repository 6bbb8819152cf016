/* SPDX-License-Identifier: MIT */
/* The log's steps, for store_log.c. => index, where nothing else is said */
#ifndef STORE_LOG_INDEX_H
#define STORE_LOG_INDEX_H

#include "store_log.h"

static inline struct segment *log_segment(struct store_log *log, uint32_t number)
{
    return &log->segments.all[number];
}

/* Takes the first free segment to be the open one. => append, too */
void log_take_free(struct store_log *log);
/* Puts a segment that isn't open where it belongs. */
void log_settle(struct store_log *log, uint32_t number);
/* One read of it is over. */
void log_unpin(struct store_log *log, uint32_t number);
/* Adds to the open segment, where there is room. => append, too */
void log_put_blob(struct store_log *log, size_t page, const uint8_t *bytes, size_t length);
/* => nothing locked */
void log_put_zero(struct store_log *log, size_t page);
/* The blob's bytes, of a segment in memory, or in `frames`, which are all of its segment. */
void log_copy_out(const struct store_log *log, const struct log_blob *blob, const addr_t *frames,
                  uint8_t *bytes);
/* `length` bytes from `offset` of the first frame on. => nothing locked */
void log_copy_frames(const addr_t *frames, size_t offset, uint8_t *bytes, size_t length);
/* Of all segments that aren't free. */
size_t log_used_bytes(const struct store_log *log);

#endif
