/* SPDX-License-Identifier: MIT */
/* The host's own memory, in a row:
 *
 *   spares | tables of places | frame 0, with the core's structures | the other frames
 *   <- used for good, so in huge pages, as far as it fills them ----------------------> | <- a page each
 *
 * A disk writes to what is one piece for it with fewer requests; and a fault that looks up twenty structures finds
 * them in few pages. */
#include "linux.h"

#include <sys/mman.h>

#define HUGE_SIZE ((size_t)2 << 20)

static char *arena, *frames;
static size_t arena_size, frames_size;

static size_t size_of_spares(void)
{
    return process.spares * VM_PAGE_SIZE;
}

static size_t size_of_tables(void)
{
    return (place_bytes(process.frames) + VM_PAGE_MASK) & ~VM_PAGE_MASK;
}

/* Whole huge pages, of whose bytes none is ever given back to Linux. In VSPACE mode little of them would be used. */
static size_t size_of_huge(void)
{
    size_t for_good = size_of_spares() + size_of_tables() + process.frames * VM_FRAME_OVERHEAD;
    return process.mode == QUIRE_MODE_VSPACE ? 0 : for_good & ~(HUGE_SIZE - 1);
}

/* Written first: a huge page that was read before is split by the first write (before Linux 6.13). Linux without huge
 * pages goes on with small ones. */
static void make_huge(size_t size)
{
    if (madvise(arena, size, MADV_HUGEPAGE) != 0)
        return;
    for (size_t at = 0; at < size; at += HUGE_SIZE)
        ((volatile char *)arena)[at] = 0;
}

/* Where a huge page can begin, if there is to be one. */
static bool map(void)
{
    size_t slack = size_of_huge() > 0 ? HUGE_SIZE : 0;
    char *at = mmap(NULL, arena_size + slack, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return false;
    size_t before = slack > 0 ? -(addr_t)at & (HUGE_SIZE - 1) : 0;
    arena = at + before;
    if (before > 0)
        munmap(at, before);
    if (slack > before)
        munmap(arena + arena_size, slack - before);
    (void)madvise(arena, arena_size, MADV_DONTFORK);
    (void)madvise(arena, arena_size, MADV_NOHUGEPAGE);
    make_huge(size_of_huge());
    return true;
}

int arena_start(void)
{
    bool is_shared = process.mode == QUIRE_MODE_VSPACE; /* frames are elsewhere */
    size_t before = size_of_spares() + size_of_tables();
    frames_size = process.frames * VM_PAGE_SIZE;
    arena_size = before + (is_shared ? 0 : frames_size);
    if (!map())
        return ERR_NO_MEMORY;
    frames = is_shared ? show_start(frames_size) : arena + before;
    if (frames != MAP_FAILED)
        return VM_OK;
    munmap(arena, arena_size);
    return ERR_NO_MEMORY;
}

void arena_stop(void)
{
    if (process.mode == QUIRE_MODE_VSPACE) {
        munmap(frames, frames_size);
        show_stop();
    }
    munmap(arena, arena_size);
}

void *arena_tables(void)
{
    return arena + size_of_spares();
}

addr_t arena_spare(size_t index)
{
    return (addr_t)(uintptr_t)arena + index * VM_PAGE_SIZE;
}

addr_t arena_frame(size_t frame)
{
    return (addr_t)(uintptr_t)frames + frame * VM_PAGE_SIZE;
}
