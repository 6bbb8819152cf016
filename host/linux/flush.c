/* SPDX-License-Identifier: MIT */
/* What the core takes away. What is shown may still be read: see docs/design.md. */
#include "linux.h"

#define WINDOW_SIZE (16 * VM_PAGE_SIZE)

/* => window locked. The program can write there. */
static bool allows(addr_t address)
{
    uint32_t node = place_find(address);
    return node != NO_NODE && node_is_frame(node) && place_allows(node);
}

/* => window locked. After Linux was told: who reads `writable` without the lock relies on it. */
static void now_forbidden(addr_t address)
{
    place_allow(place_find(address), false);
}

/* => window locked. All of these the program can write. */
static void forbid(addr_t first, addr_t end)
{
    uffd_protect(first, end - first);
    for (addr_t at = first; at < end; at += VM_PAGE_SIZE)
        now_forbidden(at);
}

/* Runs of pages are protected with one call. `end` is behind the last. */
static void flush_window(addr_t first, addr_t end)
{
    uint32_t *word = place_lock_of(first);
    size_t run = 0;
    lock(word);
    for (addr_t at = first; at <= end; at += VM_PAGE_SIZE) {
        if (at < end && allows(at)) {
            run += VM_PAGE_SIZE;
        } else if (run > 0) {
            forbid(at - run, at);
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

/* Whether the frame is shown there, and may be written. No lock: the answer is old, unless no fill begins. */
static bool is_writable_in(uint32_t frame, addr_t first, addr_t end)
{
    addr_t at = __atomic_load_n(&nodes[frame].at, __ATOMIC_ACQUIRE);
    return at >= first && at < end && place_allows(frame);
}

/* False: Linux didn't protect the range as a whole. */
static bool protect_all(addr_t first, addr_t end)
{
    addr_t low = end, high = first;
    for (uint32_t frame = 0; frame < process.frames; frame++) {
        if (!is_writable_in(frame, first, end))
            continue;
        addr_t at = __atomic_load_n(&nodes[frame].at, __ATOMIC_ACQUIRE);
        low = at < low ? at : low;
        high = at > high ? at : high;
    }
    return low > high || uffd_try_protect(low, high - low + VM_PAGE_SIZE);
}

static void forbid_frame(uint32_t frame, addr_t first, addr_t end, bool is_protected)
{
    if (!place_lock_frame(frame))
        return;
    addr_t at = nodes[frame].at;
    if (is_writable_in(frame, first, end)) {
        if (is_protected)
            now_forbidden(at);
        else
            forbid(at, at + VM_PAGE_SIZE);
    }
    unlock(place_lock_of(at));
}

/* By the frames that are shown in the range, which is protected as a whole, if Linux can (before 6.4 it can't over
 * several of its mappings). The core holds its lock, so no fill begins. */
static void flush_many(addr_t first, addr_t end)
{
    place_wait_for_fills();
    bool is_protected = protect_all(first, end);
    for (uint32_t frame = 0; frame < process.frames; frame++)
        if (is_writable_in(frame, first, end))
            forbid_frame(frame, first, end, is_protected);
}

#define FEW (64 * VM_PAGE_SIZE)

void host_tlb_flush(addr_t root, uint64_t cpus, addr_t start, size_t count)
{
    (void)cpus;
    if (!is_regions(start) || root != process.root)
        return; /* of a space that nobody translates */
    addr_t end = process.base + process.size;
    if (count < (end - start) / VM_PAGE_SIZE)
        end = start + count * VM_PAGE_SIZE;
    if (process.mode == QUIRE_MODE_VSPACE)
        show_flush(start, end);
    else if (end - start <= FEW)
        flush_few(start, end);
    else
        flush_many(start, end);
}

bool flush_changed(addr_t address)
{
    uint32_t *word = place_lock_of(address);
    lock(word);
    if (allows(address))
        forbid(address, address + VM_PAGE_SIZE);
    bool changed = dirty_take(address);
    unlock(word);
    return changed;
}
