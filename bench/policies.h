/* SPDX-License-Identifier: MIT */
/* Traces of pages, and how many misses a policy has on one. */
#ifndef QUIRE_BENCH_POLICIES_H
#define QUIRE_BENCH_POLICIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pages are numbered from 0 as they first appear, and none comes twice in a row. */
struct trace {
    uint32_t *page;
    size_t count;
    uint32_t distinct;
};

/* A file of numbers of 32 bits. False: it can't be read, or its pages aren't numbered so. */
bool trace_read(struct trace *trace, const char *path);
/* Made up from a seed: "zipf", "zipf+scan", "loop", "phases". False: no such name. */
bool trace_make(struct trace *trace, const char *name, size_t count);
void trace_free(struct trace *trace);

/* The misses in a memory of `capacity` pages; a page's first access is one. */
size_t count_opt(const struct trace *trace, size_t capacity);
size_t count_lru(const struct trace *trace, size_t capacity);
size_t count_clock(const struct trace *trace, size_t capacity);
size_t count_two_lists(const struct trace *trace, size_t capacity);
size_t count_car(const struct trace *trace, size_t capacity);
size_t count_exact_car(const struct trace *trace, size_t capacity);
size_t count_sieve(const struct trace *trace, size_t capacity);
size_t count_s3_fifo(const struct trace *trace, size_t capacity);

/* Memory that is there, cleared. */
void *must_allocate(size_t count, size_t size);

#endif
