/* SPDX-License-Identifier: MIT */
/* OPT (Belady, IBM Systems Journal 1966): the page goes whose next access is furthest away. */
#include <stdlib.h>

#include "policies.h"

/* A heap of the pages that are in memory; the root's next access is the furthest. */
struct heap {
    uint32_t *page;  /* by place, from 1 */
    uint32_t *place; /* by page; 0: not in memory */
    uint32_t *next;  /* by page: when it is accessed again */
    uint32_t count;
};

static void set(struct heap *heap, uint32_t place, uint32_t page)
{
    heap->page[place] = page;
    heap->place[page] = place;
}

static void rise(struct heap *heap, uint32_t place)
{
    uint32_t page = heap->page[place];
    for (; place > 1 && heap->next[heap->page[place / 2]] < heap->next[page]; place /= 2)
        set(heap, place, heap->page[place / 2]);
    set(heap, place, page);
}

static void sink(struct heap *heap)
{
    uint32_t page = heap->page[1], place = 1;
    while (2 * place <= heap->count) {
        uint32_t child = 2 * place;
        if (child < heap->count &&
            heap->next[heap->page[child]] < heap->next[heap->page[child + 1]])
            child++;
        if (heap->next[heap->page[child]] <= heap->next[page])
            break;
        set(heap, place, heap->page[child]);
        place = child;
    }
    set(heap, place, page);
}

static void drop_root(struct heap *heap)
{
    heap->place[heap->page[1]] = 0;
    heap->page[1] = heap->page[heap->count--];
    if (heap->count > 0)
        sink(heap);
}

/* By access: when the same page is accessed the next time. */
static uint32_t *find_next(const struct trace *trace)
{
    uint32_t *next = must_allocate(trace->count, sizeof(*next));
    uint32_t *last = must_allocate(trace->distinct, sizeof(*last));
    for (size_t i = trace->count; i-- > 0;) {
        uint32_t later = last[trace->page[i]];
        next[i] = later > 0 ? later : UINT32_MAX;
        last[trace->page[i]] = (uint32_t)i;
    }
    free(last);
    return next;
}

static bool opt_access(struct heap *heap, uint32_t page, uint32_t next, size_t capacity)
{
    bool present = heap->place[page] != 0;
    if (!present && heap->count == capacity)
        drop_root(heap);
    heap->next[page] = next;
    if (!present)
        set(heap, ++heap->count, page);
    rise(heap, heap->place[page]);
    return present;
}

size_t count_opt(const struct trace *trace, size_t capacity)
{
    struct heap heap = {0};
    size_t misses = 0;
    uint32_t *next = find_next(trace);
    heap.page = must_allocate(capacity + 1, sizeof(uint32_t));
    heap.place = must_allocate(trace->distinct, sizeof(uint32_t));
    heap.next = must_allocate(trace->distinct, sizeof(uint32_t));
    for (size_t i = 0; i < trace->count; i++)
        misses += !opt_access(&heap, trace->page[i], next[i], capacity);
    free(next);
    free(heap.page);
    free(heap.place);
    free(heap.next);
    return misses;
}
