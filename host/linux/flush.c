/* SPDX-License-Identifier: MIT */
/* What the core takes away. What is shown may still be read: see docs/design.md. */
#include "linux.h"

#define WINDOW_SIZE (16 * VM_PAGE_SIZE)

/* => window locked. The program could write there until now. */
static bool forbid(addr_t address)
{
    uint32_t node = place_find(address);
    if (node == NO_NODE || !node_is_frame(node) || !nodes[node].writable)
        return false;
    nodes[node].writable = 0;
    return true;
}

/* Runs of pages are protected with one call. `end` is behind the last. */
static void flush_window(addr_t first, addr_t end)
{
    uint32_t *word = place_lock_of(first);
    size_t run = 0;
    lock(word);
    for (addr_t at = first; at <= end; at += VM_PAGE_SIZE) {
        if (at < end && forbid(at)) {
            run += VM_PAGE_SIZE;
        } else if (run > 0) {
            uffd_protect(at - run, run);
            run = 0;
        }
    }
    unlock(word);
}

static void flush_few(addr_t first, addr_t end)
{
    for (addr_t at = first, next; at < end; at = next) {
        next = (at & ~(WINDOW_SIZE - 1)) + WINDOW_SIZE;
        flush_window(at, next < end ? next : end);
    }
}

/* By the frames that are shown in the range, which is protected as a whole if there are several. The core holds
 * its lock, so no fill begins. */
static void flush_many(addr_t first, addr_t end)
{
    addr_t low = end, high = first;
    place_wait_for_fills();
    for (uint32_t frame = 0; frame < process.frames; frame++) {
        addr_t at = __atomic_load_n(&nodes[frame].at, __ATOMIC_ACQUIRE);
        if (at < first || at >= end || !nodes[frame].writable)
            continue;
        lock(place_lock_of(at));
        if (forbid(at)) {
            low = at < low ? at : low;
            high = at > high ? at : high;
        }
        unlock(place_lock_of(at));
    }
    if (low <= high)
        uffd_protect(low, high - low + VM_PAGE_SIZE);
}

#define FEW (64 * VM_PAGE_SIZE)

void host_tlb_flush(addr_t root, uint64_t cpus, addr_t start, size_t count)
{
    (void)root, (void)cpus;
    if (!is_regions(start))
        return; /* of the core's own space, which nobody translates */
    addr_t end = process.base + process.size;
    if (count < (end - start) / VM_PAGE_SIZE)
        end = start + count * VM_PAGE_SIZE;
    if (end - start <= FEW)
        flush_few(start, end);
    else
        flush_many(start, end);
}

bool flush_changed(addr_t address)
{
    uint32_t *word = place_lock_of(address);
    lock(word);
    if (forbid(address))
        uffd_protect(address, VM_PAGE_SIZE);
    bool changed = dirty_take(address);
    unlock(word);
    return changed;
}
