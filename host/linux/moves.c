/* SPDX-License-Identifier: MIT */
/* Moves of page tables between a region and the second range (away.c), also where Linux refuses one: it unmaps where they
 * are to go first, and then looks at the limits (mm/mremap.c: mremap_to). */
#include "linux.h"
#include "uapi.h"

#include <errno.h>
#include <sys/mman.h>

static bool is_lost; /* part of the second range may be another's */

void moves_start(void)
{
    is_lost = false;
}

bool moves_are_lost(void)
{
    return __atomic_load_n(&is_lost, __ATOMIC_ACQUIRE);
}

static bool remap(addr_t from, addr_t to, addr_t size, int flags)
{
    flags |= MREMAP_MAYMOVE | MREMAP_FIXED;
    return mremap((void *)from, size, size, flags, (void *)to) == (void *)to;
}

static bool is_mapped(addr_t address)
{
    unsigned char unused;
    return mincore((void *)address, VM_PAGE_SIZE, &unused) == 0;
}

static bool has_hole(addr_t first, addr_t end)
{
    for (addr_t at = first; at < end; at += CHUNK_SIZE)
        if (!is_mapped(at))
            return true;
    return false;
}

/* A hole in the second range would be the program's, sooner or later. */
static void fill_hole(addr_t at, addr_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    if (mmap((void *)at, size, PROT_NONE, flags, -1, 0) == (void *)at)
        (void)madvise((void *)at, size, MADV_DONTFORK);
    else if (errno != EEXIST || has_hole(at, at + size))
        __atomic_store_n(&is_lost, true, __ATOMIC_RELEASE);
}

/* What the program has locked with mlock. All that goes is one of Linux's mappings, so that one page says it. */
static bool is_locked(addr_t address)
{
    return madvise((void *)address, VM_PAGE_SIZE, QU_COLD) != 0 && errno == EINVAL;
}

/* The old place stays a region's, with nothing shown there. Of a mapping that is locked the first chunk that came back
 * would unlock the others. */
bool move_away(addr_t from, addr_t to, addr_t size)
{
    if (is_locked(from))
        return false;
    if (remap(from, to, size, QU_MREMAP_DONTUNMAP))
        return true;
    fill_hole(to, size);
    return false;
}

/* Page by page, which takes no mapping. Where nothing is Linux finds nothing to read. */
static bool copy_back(addr_t from, addr_t to)
{
    for (addr_t at = 0; at < CHUNK_SIZE; at += VM_PAGE_SIZE)
        if (uffd_copy(to + at, from + at, false) == VM_OK)
            zap_page(from + at);
        else if (errno != EFAULT)
            return false;
    return true;
}

bool move_back(addr_t from, addr_t to)
{
    if (remap(from, to, CHUNK_SIZE, QU_MREMAP_DONTUNMAP))
        return true;
    if (is_mapped(to))
        return copy_back(from, to);
    if (!remap(from, to, CHUNK_SIZE, 0)) /* what stays no larger no limit refuses */
        return false;
    fill_hole(from, CHUNK_SIZE);
    return true;
}
