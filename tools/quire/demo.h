/* SPDX-License-Identifier: MIT */
/* `quire demo sort`: a sort in a region larger than its budget. It is a program of its own, since `quire` has the
 * core on the simulated machine. */
#ifndef QUIRE_TOOL_DEMO_H
#define QUIRE_TOOL_DEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <quire/quire.h>

/* ---- options ---- */

enum demo_store_kind { DEMO_FILE, DEMO_ZSTD, DEMO_LZ4, DEMO_MEMORY };

struct demo_options {
    size_t size, budget; /* of the region; in bytes */
    enum demo_store_kind kind;
    const char *store; /* as it was given */
    const char *path;  /* DEMO_FILE */
    uint64_t seed;
    bool json, help;
};

/* 0, or a status; the message has been printed. `argv[0]` is "demo". */
int demo_options_parse(struct demo_options *options, int argc, char **argv);
/* Of the region's first half, that are sorted in memory one after the other. */
size_t demo_run_bytes(const struct demo_options *options);

/* ---- the store ---- */

/* Behind `size` bytes; 0, or a status, with the message printed. A file is new, and has no name any more. */
int demo_store_create(const struct demo_options *options, vm_store **store);
/* What of this process's memory it uses now. */
size_t demo_store_bytes(const struct demo_options *options, vm_store *store);

/* ---- records ---- */

struct record {
    uint64_t key;
    char payload[56];
};

/* Told often, and often does nothing: what is being done, and how many of how many records. */
typedef void demo_progress(const char *phase, size_t done, size_t all);

/* What doesn't depend on their order, and that order. */
struct demo_check {
    uint64_t checksum;
    bool sorted;
};

void demo_fill(struct record *records, size_t count, uint64_t seed, demo_progress *progress);
void demo_check(const struct record *records, size_t count, struct demo_check *check,
                demo_progress *progress);

/* Sorts `run` records at a time where they are, then merges these runs into `merged`. False: there is no memory to
 * remember where each run is; nothing was changed. */
bool demo_sort(struct record *records, struct record *merged, size_t count, size_t run,
               demo_progress *progress);

/* ---- the picture ---- */

/* A map of the region is drawn on standard output, and again as pages come and go. */
void demo_picture_start(const struct demo_options *options, const void *region, vm_store *store);
demo_progress demo_picture_progress;
void demo_picture_end(void);
/* The most the store has used, as far as progress has been told. */
size_t demo_picture_store_peak(void);

/* ---- figures ---- */

struct demo_figures {
    struct quire_info info;
    struct demo_check before, after;
    size_t records, runs;
    size_t peak; /* of this process's memory, as the kernel says */
    size_t store_bytes;
    double fill, sort, check;   /* seconds */
    double plain;               /* below 0: there was no memory for that */
    bool plain_sorted, is_good; /* is_good: sorted, the same set, and within the budget */
};

/* Bytes of a line of /proc, which is in kB; 0: it isn't there. */
size_t demo_proc_bytes(const char *path, const char *name);
void demo_report(const struct demo_options *options, const struct demo_figures *figures);

#endif
