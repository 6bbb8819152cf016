/* SPDX-License-Identifier: MIT */
/* A log of blobs, at most one for each page: where each is, in segments of memory or of another store's space.
 *
 * `append` is held by the one who adds blobs, also while a segment is written or read below. `index` guards where
 * blobs are, and is held for copies only. What is written below isn't written over before nothing in it is live and
 * nobody reads it. */
#ifndef STORE_LOG_H
#define STORE_LOG_H

#include <quire/stores.h>

#include "store_lock.h"
#include "store_segments.h"

#define LOG_MOST_PAGES 16 /* of a segment */
#define LOG_LEAST_SEGMENTS 4
#define LOG_SPARE 3 /* segments beyond those that pages which don't shrink fill */

/* log_blob.segment, else a segment's number + LOG_FIRST */
enum { LOG_NONE, LOG_ZERO, LOG_FIRST };

struct log_blob {
    uint32_t segment;
    uint32_t next, prev; /* in its segment: a page's number + 1 */
    uint16_t offset, length;
};

struct store_log {
    struct store_mutex append;
    uint32_t open;      /* the segment that is added to; changes with `index` held, too */
    uint32_t open_used; /* bytes */
    bool open_written;
    uint8_t moving[VM_PAGE_SIZE];

    struct store_mutex index;
    size_t pages;
    struct log_blob *blob;
    struct segments segments;
    uint32_t turn; /* counts pinned segments that have become free */
    uint32_t kept; /* free segments that keep their memory for the next */
    struct vm_store_compressed_info figures;

    uint8_t *arena; /* in memory, or NULL: */
    vm_store *below;
    addr_t open_frame[LOG_MOST_PAGES], clean_frame[LOG_MOST_PAGES];
};

/* ERR_NO_MEMORY; log_end is called in any case. The frames and what is below are set by the caller: they stay
 * his. */
int log_begin(struct store_log *log, size_t pages, uint32_t segments, uint32_t segment_pages,
              bool in_memory);
void log_end(struct store_log *log);
/* How many pages there is room for, whatever they are. */
size_t log_keeps(const struct store_log *log);
void log_figures(struct store_log *log, struct vm_store_compressed_info *figures);

/* `length` bytes are the page's from now on; 0: it is all zeros. ERR_NO_MEMORY: no room; what the store below says.
 * Then it is as it was. */
int log_append(struct store_log *log, size_t page, const void *bytes, size_t length);
void log_forget(struct store_log *log, size_t page);
bool log_has(struct store_log *log, size_t page);

/* What log_fetch has found of some pages in a row. */
struct log_fetched {
    size_t count;
    struct log_blob blob[LOG_MOST_PAGES];
    addr_t frame[LOG_MOST_PAGES]; /* the caller's; unused in memory */
    size_t origin;                /* offset in the segment of the first frame's first byte */
    bool is_copied;               /* the one blob is in `bytes` already */
    uint8_t bytes[VM_PAGE_SIZE];
};
/* From `page` on, at least one and at most `most`. What the store below says. */
int log_fetch(struct store_log *log, size_t page, size_t most, struct log_fetched *fetched);
/* The bytes of blob `i`, in fetched->bytes. */
const void *log_bytes(struct log_fetched *fetched, size_t i);

#endif
