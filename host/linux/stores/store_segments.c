/* SPDX-License-Identifier: MIT */
#include "store_segments.h"

#include "store_common.h"

static size_t memory_of(uint32_t count)
{
    return (count + (size_t)SEGMENT_LISTS) * sizeof(struct segment);
}

static void unlink_from(struct segments *segments, uint32_t number)
{
    struct segment *s = &segments->all[number];
    segments->all[s->prev].next = s->next;
    segments->all[s->next].prev = s->prev;
    segments->length[s->list]--;
}

static void link_before(struct segments *segments, uint32_t number, uint32_t next, uint32_t list)
{
    struct segment *s = &segments->all[number];
    s->next = next;
    s->prev = segments->all[next].prev;
    s->list = list;
    segments->all[s->prev].next = number;
    segments->all[next].prev = number;
    segments->length[list]++;
}

bool segments_begin(struct segments *segments, uint32_t count, uint32_t bytes)
{
    *segments = (struct segments){.count = count, .bytes = bytes};
    segments->all = store_reserve(memory_of(count));
    if (!segments->all)
        return false;
    for (uint32_t list = 0; list < SEGMENT_LISTS; list++)
        segments->all[count + list].next = segments->all[count + list].prev = count + list;
    for (uint32_t i = 0; i < count; i++)
        link_before(segments, i, count + LIST_FREE, LIST_FREE);
    return true;
}

void segments_end(struct segments *segments)
{
    store_release(segments->all, memory_of(segments->count));
}

uint32_t segments_first(const struct segments *segments, uint32_t list)
{
    uint32_t first = segments->all[segments->count + list].next;
    return first < segments->count ? first : SEGMENT_NONE;
}

uint32_t segments_next(const struct segments *segments, uint32_t number)
{
    uint32_t next = segments->all[number].next;
    return next < segments->count ? next : SEGMENT_NONE;
}

void segments_move(struct segments *segments, uint32_t number, uint32_t list, bool to_end)
{
    uint32_t head = segments->count + list;
    if (segments->all[number].list == list)
        return;
    unlink_from(segments, number);
    link_before(segments, number, to_end ? head : segments->all[head].next, list);
}

uint32_t segments_class(const struct segments *segments, uint32_t number)
{
    return LIST_CLASS + segments->all[number].live / (segments->bytes / (SEGMENT_CLASSES - 1));
}

uint32_t segments_emptiest(const struct segments *segments, uint32_t most)
{
    for (uint32_t list = LIST_CLASS; list < SEGMENT_LISTS; list++)
        for (uint32_t s = segments_first(segments, list); s != SEGMENT_NONE;
             s = segments_next(segments, s))
            if (segments->all[s].live <= most)
                return s;
    return SEGMENT_NONE;
}
