/* SPDX-License-Identifier: MIT */
/* The segments of a log, each on one list: free, emptied but pinned, unreadable, or in use, by how full they are.
 * The open one is on none. All of it is guarded by the log's index lock. */
#ifndef STORE_SEGMENTS_H
#define STORE_SEGMENTS_H

#include <quire/types.h>

#define SEGMENT_NONE UINT32_MAX
#define SEGMENT_CLASSES 9 /* by eighths of a segment that are live */

enum segment_list { LIST_NONE, LIST_FREE, LIST_PINNED, LIST_BAD, LIST_CLASS };
#define SEGMENT_LISTS ((uint32_t)LIST_CLASS + SEGMENT_CLASSES)

struct segment {
    uint32_t next, prev; /* on its list */
    uint32_t list;       /* enum segment_list */
    uint32_t first_blob; /* a page's number + 1; 0: none */
    uint32_t used;       /* bytes that were added, up to when it was closed */
    uint32_t live;       /* of these: bytes of blobs */
    uint32_t pins;       /* reads of it under way */
    bool kept;           /* free, and its memory is still there */
};

struct segments {
    struct segment *all; /* behind them the heads of the lists */
    uint32_t count;
    uint32_t bytes; /* of each */
    uint32_t length[SEGMENT_LISTS];
};

/* False: no memory. All are free. */
bool segments_begin(struct segments *segments, uint32_t count, uint32_t bytes);
void segments_end(struct segments *segments);
uint32_t segments_first(const struct segments *segments, uint32_t list);
/* Behind `number` on its list; SEGMENT_NONE: it is the last. */
uint32_t segments_next(const struct segments *segments, uint32_t number);
/* Moves it to another list: its end, or its beginning. */
void segments_move(struct segments *segments, uint32_t number, uint32_t list, bool to_end);
/* The list for one that is in use. */
uint32_t segments_class(const struct segments *segments, uint32_t number);
/* One in use with at most so many live bytes, from the emptiest class that has one. */
uint32_t segments_emptiest(const struct segments *segments, uint32_t most);

#endif
