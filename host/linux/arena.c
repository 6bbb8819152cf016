/* SPDX-License-Identifier: MIT */
/* The host's own memory, in a row:
 *
 *   spares | tables of places, who has a page here | frame 0, with the core's structures | the other frames
 *   <- used for good, so in huge pages, as far as it fills them ----------------------> | <- a page each
 *
 * A disk writes to what is one piece for it with fewer requests; and a fault that looks up twenty structures finds
 * them in few pages. */
#include "linux.h"

#include <sys/mman.h>

#define HUGE_SIZE ((size_t)2 << 20)

static char *mapping, *arena, *frames;
static size_t mapping_size, frames_size;

static size_t size_of_spares(void)
{
    return process.spares * VM_PAGE_SIZE;
}

static size_t size_of_tables(void)
{
    return (place_bytes(process.frames) + process.frames + VM_PAGE_MASK) & ~VM_PAGE_MASK;
}

/* Of the bytes before it none is ever given back to Linux. In VSPACE mode frames are elsewhere. */
static size_t size_for_good(void)
{
    size_t of_core = process.mode == QUIRE_MODE_VSPACE ? 0 : process.frames * VM_FRAME_OVERHEAD;
    return size_of_spares() + size_of_tables() + of_core;
}

/* Linux without huge pages goes on with small ones. */
static void advise(size_t size)
{
    size_t huge = size_for_good() & ~(HUGE_SIZE - 1);
    if (huge > 0)
        (void)madvise(arena, huge, MADV_HUGEPAGE);
    if (huge < size)
        (void)madvise(arena + huge, size - huge, MADV_NOHUGEPAGE);
    (void)madvise(arena, size, MADV_DONTFORK);
}

static bool map(size_t size)
{
    mapping_size = size + HUGE_SIZE;
    mapping = mmap(NULL, mapping_size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return false;
    arena = (char *)(((addr_t)mapping + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1));
    advise(size);
    return true;
}

int arena_start(void)
{
    bool is_shared = process.mode == QUIRE_MODE_VSPACE;
    size_t before = size_of_spares() + size_of_tables();
    frames_size = process.frames * VM_PAGE_SIZE;
    if (!map(before + (is_shared ? 0 : frames_size)))
        return ERR_NO_MEMORY;
    frames = is_shared ? show_start(frames_size) : arena + before;
    if (frames != MAP_FAILED)
        return VM_OK;
    munmap(mapping, mapping_size);
    return ERR_NO_MEMORY;
}

void arena_stop(void)
{
    if (process.mode == QUIRE_MODE_VSPACE) {
        munmap(frames, frames_size);
        show_stop();
    }
    munmap(mapping, mapping_size);
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
