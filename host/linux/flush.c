/* SPDX-License-Identifier: MIT */
/* What the core takes away. What is shown may still be read: see docs/design.md. */
#include "linux.h"

/* => nothing of the host's locked. Whether the program could write there until now. */
static bool forbid(addr_t address)
{
    uint32_t *word = place_lock_of(address);
    lock(word);
    uint32_t node = place_find(address);
    bool could = node != NO_NODE && node_is_frame(node) && nodes[node].writable;
    if (could)
        nodes[node].writable = 0;
    unlock(word);
    return could;
}

/* Runs of pages are protected with one call. */
static void flush_few(addr_t first, size_t count)
{
    size_t run = 0;
    for (size_t i = 0; i <= count; i++) {
        addr_t address = first + i * VM_PAGE_SIZE;
        if (i < count && forbid(address)) {
            run++;
        } else if (run > 0) {
            uffd_protect(address - run * VM_PAGE_SIZE, run * VM_PAGE_SIZE);
            run = 0;
        }
    }
}

/* A long range: by the frames that are shown in it, and protected as a whole if there are several. A page that
 * is allowed to be written meanwhile was allowed by the tables as they are now: its next write asks again. */
static void flush_many(addr_t first, addr_t last)
{
    addr_t low = last, high = first;
    for (uint32_t frame = 0; frame < process.frames; frame++) {
        addr_t at = __atomic_load_n(&nodes[frame].at, __ATOMIC_ACQUIRE);
        if (at < first || at > last || !nodes[frame].writable || !forbid(at))
            continue;
        low = at < low ? at : low;
        high = at > high ? at : high;
    }
    if (low <= high)
        uffd_protect(low, high - low + VM_PAGE_SIZE);
}

#define FEW 64

void forbid_writes(addr_t first, addr_t last)
{
    if (last - first < FEW * VM_PAGE_SIZE)
        flush_few(first, (last - first) / VM_PAGE_SIZE + 1);
    else
        flush_many(first, last);
}

void host_tlb_flush(addr_t root, uint64_t cpus, addr_t start, size_t count)
{
    (void)root, (void)cpus;
    if (!is_regions(start))
        return; /* of the core's own space, which nobody translates */
    addr_t last = process.base + process.size - 1;
    if (count <= (last - start) / VM_PAGE_SIZE)
        last = start + (count * VM_PAGE_SIZE - 1);
    forbid_writes(start, last);
}
