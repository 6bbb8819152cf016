/* SPDX-License-Identifier: MIT */
/* What a trace knows of the process that pages itself: for each region an array of bytes that must be what the
 * region shows, and for each page what may be done there. This is the contract of quire.h, and nothing else. */
#ifndef QUIRE_TORTURE_PROCESS_WORLD_H
#define QUIRE_TORTURE_PROCESS_WORLD_H

#include <pthread.h>

#include "disk.h"

#define PAGE ((size_t)VM_PAGE_SIZE)
#define SLOTS 8
#define DISKS (2 * SLOTS)
#define MOST_PAGES 300 /* of a region */

/* How Quire is started; written at the head of a saved trace. */
struct way {
    uint64_t seed;     /* what the trace was made of */
    unsigned mode;     /* of regions that don't say: QUIRE_MODE_SIGNAL or HANDLER */
    unsigned mixed;    /* some say, and are of the other */
    unsigned quarters; /* of a MiB: the budget */
    unsigned daemons, handlers;
    unsigned policy; /* of policies[] */
    unsigned overcommit;
    unsigned touchers; /* threads that read beside everything else, 0 or 1 */
};
extern const struct vm_policy *const policies[];
#define POLICIES 3

/* Of a page. */
enum {
    PAGE_PROTECTED = 1,
    PAGE_PINNED = 2,
    PAGE_WRITTEN = 4,        /* quire_changed must say so */
    PAGE_TOUCHED = 8,        /* may say so */
    PAGE_MAY_BE_ZERO = 16,   /* what was in it may be forgotten at any time, until it is written */
    PAGE_MAY_COME_BACK = 32, /* and if it is zeros, that needn't stay so */
};

struct region {
    unsigned char *at; /* NULL: a free slot */
    unsigned char *bytes;
    uint8_t page[MOST_PAGES];
    size_t pages;
    size_t end;        /* pages behind it are behind the store's end */
    struct disk *disk; /* its own; NULL: memory, or a snapshot */
    struct disk *from; /* where reads may come from: also of a snapshot */
    size_t offset;     /* in the disk, in pages */
    enum quire_mode mode;
    bool read_only, writes;
    bool poisons; /* reads that fail are zeros */
    bool shares;  /* it is a snapshot, or has had one: pages may be shown elsewhere */
    bool limited; /* it has had a limit: what comes may push out what came before */
    bool cut;     /* the core may have pieces of it: a snapshot may be refused */
};

struct world {
    struct way way;
    struct region region[SLOTS];
    struct disk *disk[DISKS], *swap;
    size_t frames;
    size_t promised;   /* pages of memory and private regions */
    size_t pinned;     /* pages */
    bool ever_failing; /* a disk was told to fail once */
    /* For the thread that reads: held where regions come and go, and where it reads. */
    pthread_mutex_t coming;
};
extern struct world world;

/* What the trace has done, and where it is; in memory that outlives its process. */
struct outcome {
    bool failed;
    size_t at; /* the operation */
    char text[512];
    uint64_t operations, faults, read, written, evicted, verified, signals, failures, refused,
        system_calls;
};
extern struct outcome *outcome;

/* Ends the process with this as what is wrong. */
_Noreturn void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));

void world_start(const struct way *way);
/* All regions go, everything is looked at, Quire is stopped. */
void world_stop(void);
/* Every byte of every region. */
void world_compare(void);

/* ---- disks ---- */
/* One that the world knows, of so many pages. */
struct disk *world_add_disk(size_t pages, uint64_t pattern);
bool world_is_failing(void);
void world_fail_nothing(void);
/* Disks that Quire has destroyed go, and nothing is wrong with any. */
void world_look_at_disks(void);
/* The disk has what the region shows in these pages, of the end. */
void world_compare_disk(const struct region *region, size_t first, size_t count);

/* ---- regions ---- */
struct region *world_free_slot(void);
/* Any that is there; NULL: none is. */
struct region *world_choose(uint32_t number);
/* The region is no more. */
void world_forget(struct region *region);
bool page_is_readable(const struct region *region, size_t page);
bool page_is_writable(const struct region *region, size_t page);

/* ---- errors ---- */
/* The call must have given this. ERR_NO_MEMORY is counted, and good, where `may_lack`. */
bool expect(const char *what, int error, int expected);
/* It may have given any error, since a disk was failing before. */
bool expect_unless_failing(const char *what, int error, bool was_failing);

#endif
