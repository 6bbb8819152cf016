/* SPDX-License-Identifier: MIT */
/* Traces from files, and made-up ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "policies.h"

#define NOT_SEEN UINT32_MAX

void *must_allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory) {
        fputs("policies: no memory\n", stderr);
        exit(1);
    }
    return memory;
}

void trace_free(struct trace *trace)
{
    free(trace->page);
    *trace = (struct trace){0};
}

/* ---- from a file -------------------------------------------------------------------------------- */

static bool is_in_order(struct trace *trace)
{
    for (size_t i = 0; i < trace->count; i++) {
        if (trace->page[i] > trace->distinct || (i > 0 && trace->page[i] == trace->page[i - 1]))
            return false;
        trace->distinct += trace->page[i] == trace->distinct;
    }
    return trace->distinct >= 4;
}

bool trace_read(struct trace *trace, const char *path)
{
    struct stat status;
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    bool good = fstat(fileno(file), &status) == 0 && status.st_size > 0;
    if (good) {
        trace->count = (size_t)status.st_size / sizeof(uint32_t);
        trace->page = must_allocate(trace->count + 1, sizeof(uint32_t));
        good = fread(trace->page, sizeof(uint32_t), trace->count, file) == trace->count;
    }
    fclose(file);
    return good && is_in_order(trace);
}

/* ---- made up ------------------------------------------------------------------------------------ */

#define PAGES 4096

static uint64_t random_state;
static uint32_t number_of[64 * PAGES]; /* by the page's name */

static uint32_t random_below(uint32_t end)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((random_state >> 32) * end) >> 32);
}

static void append(struct trace *trace, uint32_t name)
{
    if (number_of[name] == NOT_SEEN)
        number_of[name] = trace->distinct++;
    if (trace->count == 0 || trace->page[trace->count - 1] != number_of[name])
        trace->page[trace->count++] = number_of[name];
}

/* The page of rank i is accessed in proportion to 1 / (i + 1). */
static uint32_t random_zipf(uint32_t pages)
{
    static double sum[PAGES];
    if (sum[0] == 0)
        for (uint32_t i = 0; i < PAGES; i++)
            sum[i] = (i > 0 ? sum[i - 1] : 0) + 1.0 / (i + 1);
    double at = sum[pages - 1] * random_below(1u << 31) / (double)(1u << 31);
    uint32_t first = 0, last = pages - 1;
    while (first < last) {
        uint32_t middle = (first + last) / 2;
        if (sum[middle] > at)
            last = middle;
        else
            first = middle + 1;
    }
    return first;
}

static void make_zipf(struct trace *trace, size_t count)
{
    while (trace->count < count)
        append(trace, random_zipf(PAGES));
}

/* A scan of as many other pages, 512 of them each time 2,048 have been accessed. */
static void make_zipf_and_scan(struct trace *trace, size_t count)
{
    uint32_t scanned = 0;
    while (trace->count < count) {
        for (unsigned i = 0; i < 2048 && trace->count < count; i++)
            append(trace, random_zipf(PAGES));
        for (unsigned i = 0; i < 512 && trace->count < count; i++)
            append(trace, PAGES + scanned++ % PAGES);
    }
}

static void make_loop(struct trace *trace, size_t count)
{
    for (uint32_t i = 0; trace->count < count; i++)
        append(trace, i % PAGES);
}

/* Each eighth of the trace has a set of pages of its own, and one in sixteen accesses is of a set that
 * all have. */
static void make_phases(struct trace *trace, size_t count)
{
    uint32_t set = PAGES / 8;
    while (trace->count < count) {
        uint32_t phase = 1 + (uint32_t)(trace->count * 8 / count);
        append(trace, random_zipf(set) + (random_below(16) == 0 ? 0 : phase * set));
    }
}

static const struct {
    const char *name;
    void (*make)(struct trace *trace, size_t count);
} makers[] = {
    {"zipf", make_zipf},
    {"zipf+scan", make_zipf_and_scan},
    {"loop", make_loop},
    {"phases", make_phases},
};

bool trace_make(struct trace *trace, const char *name, size_t count)
{
    for (size_t i = 0; i < sizeof(makers) / sizeof(*makers); i++)
        if (strcmp(name, makers[i].name) == 0) {
            random_state = 1;
            memset(number_of, 0xff, sizeof(number_of));
            trace->page = must_allocate(count, sizeof(uint32_t));
            makers[i].make(trace, count);
            return true;
        }
    return false;
}
