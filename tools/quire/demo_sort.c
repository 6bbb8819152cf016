/* SPDX-License-Identifier: MIT */
/* Sorting what is larger than memory: runs that fit are sorted where they are, then merged. Each byte is read
 * twice and written twice, always in sequence. */
#include "demo.h"

#include <stdlib.h>

#define FEW 16 /* so many are sorted by insertion */

static void insertion_sort(struct record *records, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct record moving = records[i];
        size_t at = i;
        for (; at > 0 && records[at - 1].key > moving.key; at--)
            records[at] = records[at - 1];
        records[at] = moving;
    }
}

static void swap(struct record *one, struct record *other)
{
    struct record kept = *one;
    *one = *other;
    *other = kept;
}

static uint64_t median(uint64_t a, uint64_t b, uint64_t c)
{
    if (a > b)
        return b > c ? b : a > c ? c : a;
    return a > c ? a : b > c ? c : b;
}

/* How many come first, at least one and not all; none of them is larger than one of the others. */
static size_t partition(struct record *records, size_t count)
{
    uint64_t pivot = median(records[0].key, records[count / 2].key, records[count - 1].key);
    size_t low = 0, high = count - 1;
    for (;;) {
        while (records[low].key < pivot)
            low++;
        while (records[high].key > pivot)
            high--;
        if (low >= high)
            return low > 0 ? low : 1;
        swap(&records[low++], &records[high--]);
    }
}

struct part {
    struct record *records;
    size_t count;
};

/* The larger part waits: as many wait as a size_t has bits, at most. */
static void sort_run(struct record *records, size_t count)
{
    struct part waiting[8 * sizeof(size_t)];
    size_t parts = 0;
    for (;;) {
        while (count > FEW) {
            size_t first = partition(records, count);
            struct part low = {records, first}, high = {records + first, count - first};
            waiting[parts++] = first > count - first ? low : high;
            struct part next = first > count - first ? high : low;
            records = next.records;
            count = next.count;
        }
        insertion_sort(records, count);
        if (parts == 0)
            return;
        parts--;
        records = waiting[parts].records;
        count = waiting[parts].count;
    }
}

/* ---- merging: a heap of what is left of each run, the smallest key first ------------------------- */

struct rest {
    const struct record *next, *end;
};

static void sift_down(struct rest *heap, size_t count, size_t at)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && heap[child + 1].next->key < heap[child].next->key)
            child++;
        if (heap[at].next->key <= heap[child].next->key)
            return;
        struct rest kept = heap[at];
        heap[at] = heap[child];
        heap[child] = kept;
    }
}

static void merge(struct rest *heap, size_t runs, struct record *merged, demo_progress *progress,
                  size_t count)
{
    for (size_t at = runs / 2; at-- > 0;)
        sift_down(heap, runs, at);
    for (size_t i = 0; i < count; i++) {
        merged[i] = *heap[0].next++;
        if (heap[0].next == heap[0].end)
            heap[0] = heap[--runs];
        sift_down(heap, runs, 0);
        progress("merging", i + 1, count);
    }
}

bool demo_sort(struct record *records, struct record *merged, size_t count, size_t run,
               demo_progress *progress)
{
    size_t runs = 0;
    struct rest *heap = calloc((count + run - 1) / run, sizeof *heap);
    if (heap == NULL)
        return false;
    for (size_t at = 0; at < count; at += run) {
        size_t length = count - at < run ? count - at : run;
        sort_run(records + at, length);
        heap[runs++] = (struct rest){records + at, records + at + length};
        progress("sorting", at + length, count);
    }
    merge(heap, runs, merged, progress, count);
    free(heap);
    return true;
}
