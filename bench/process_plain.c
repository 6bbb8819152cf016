/* SPDX-License-Identifier: MIT */
/* The file mapped, with no limit of its own; and a pool of pages that a program fills itself: a hash, a clock, pread. */
#include "process.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static unsigned char *mapped;
static size_t mapped_size;
static int file;

static unsigned char *start_mmap(int fd, size_t size, size_t budget)
{
    (void)budget;
    mapped_size = size;
    mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED)
        fail("mmap");
    return mapped;
}

static unsigned char *start_random(int fd, size_t size, size_t budget)
{
    start_mmap(fd, size, budget);
    if (madvise(mapped, size, MADV_RANDOM) != 0)
        fail("madvise");
    return mapped;
}

static void finish_mmap(void)
{
    if (msync(mapped, mapped_size, MS_SYNC) != 0)
        fail("msync");
}

static uint64_t linux_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_minflt + usage.ru_majflt);
}

const struct way way_mmap = {"mmap", 0, true, start_mmap, NULL, finish_mmap, linux_faults};
const struct way way_mmap_random = {"mmap-random", 0,           true,        start_random,
                                    NULL,          finish_mmap, linux_faults};

/* ---- the pool ----------------------------------------------------------------------------------- */

static unsigned char *frames;
static uint32_t *page_of, *frame_of; /* both + 1 */
static unsigned char *used, *dirty;
static size_t frame_count, hand;
static uint64_t misses;

static unsigned char *start_pool(int fd, size_t size, size_t budget)
{
    file = fd;
    frame_count = budget / PAGE;
    frames = mmap(NULL, budget, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page_of = calloc(frame_count, sizeof *page_of);
    frame_of = calloc(size / PAGE, sizeof *frame_of);
    used = calloc(frame_count, 1);
    dirty = calloc(frame_count, 1);
    if (frames == MAP_FAILED || !page_of || !frame_of || !used || !dirty)
        fail("the pool");
    return NULL;
}

static void write_frame(size_t frame)
{
    if (dirty[frame] &&
        pwrite(file, frames + frame * PAGE, PAGE, (off_t)((page_of[frame] - 1) * PAGE)) < 0)
        fail("pwrite");
    dirty[frame] = 0;
}

static size_t take_frame(void)
{
    while (used[hand]) {
        used[hand] = 0;
        hand = (hand + 1) % frame_count;
    }
    size_t frame = hand;
    hand = (hand + 1) % frame_count;
    if (page_of[frame] != 0) {
        write_frame(frame);
        frame_of[page_of[frame] - 1] = 0;
    }
    return frame;
}

static uint64_t *find_pool(size_t offset, bool write)
{
    uint32_t page = (uint32_t)(offset / PAGE);
    size_t frame = frame_of[page];
    if (frame-- == 0) {
        misses++;
        frame = take_frame();
        if (pread(file, frames + frame * PAGE, PAGE, (off_t)(page * PAGE)) != (ssize_t)PAGE)
            fail("pread");
        page_of[frame] = page + 1;
        frame_of[page] = (uint32_t)frame + 1;
    }
    used[frame] = 1;
    dirty[frame] |= write;
    return (uint64_t *)(void *)(frames + frame * PAGE + offset % PAGE);
}

static void finish_pool(void)
{
    for (size_t frame = 0; frame < frame_count; frame++)
        write_frame(frame);
}

static uint64_t pool_misses(void)
{
    return misses;
}

const struct way way_pool = {"pool", 0, false, start_pool, find_pool, finish_pool, pool_misses};
