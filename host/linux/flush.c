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

/* => window locked. All of these the program can write. They may be of several of Linux's mappings. */
static void forbid(addr_t first, addr_t end)
{
    bool is_protected = end - first > VM_PAGE_SIZE && uffd_try_protect(first, end - first);
    for (addr_t at = first; at < end; at += VM_PAGE_SIZE) {
        if (!is_protected)
            uffd_protect(at, VM_PAGE_SIZE);
        now_forbidden(at);
    }
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

typedef uint64_t __attribute__((may_alias)) eight_bytes;

/* The first from `frame` on; process.frames: none. They are few, as a rule, and looked at by eights. */
static uint32_t next_writable(uint32_t frame)
{
    const eight_bytes *eights = (const eight_bytes *)(const void *)may_write;
    while (frame < process.frames) {
        if (frame % 8 == 0 && __atomic_load_n(&eights[frame / 8], __ATOMIC_ACQUIRE) == 0)
            frame += 8;
        else if (place_allows(frame))
            return frame;
        else
            frame++;
    }
    return (uint32_t)process.frames;
}

/* Whether the frame is shown there, and may be written. No lock: the answer is old, unless no fill begins. */
static bool is_writable_in(uint32_t frame, addr_t first, addr_t end)
{
    addr_t at = __atomic_load_n(&nodes[frame].at, __ATOMIC_ACQUIRE);
    return at >= first && at < end && place_allows(frame);
}

/* Linux writes each entry of a range that it protects, whatever it was: so many cost as much as one call. */
#define ENTRIES_OF_A_CALL 8

/* False: the range wasn't protected as a whole. */
static bool protect_all(addr_t first, addr_t end)
{
    addr_t low = end, high = first;
    size_t count = 0;
    for (uint32_t frame = next_writable(0); frame < process.frames;
         frame = next_writable(frame + 1)) {
        if (!is_writable_in(frame, first, end))
            continue;
        addr_t at = __atomic_load_n(&nodes[frame].at, __ATOMIC_ACQUIRE);
        low = at < low ? at : low;
        high = at > high ? at : high;
        count++;
    }
    if (count == 0)
        return true;
    addr_t size = high - low + VM_PAGE_SIZE;
    return count * ENTRIES_OF_A_CALL >= size / VM_PAGE_SIZE && uffd_try_protect(low, size);
}

/* Of one that wasn't protected with the range. */
static void forbid_frame(uint32_t frame, addr_t first, addr_t end)
{
    if (!place_lock_frame(frame))
        return;
    addr_t at = nodes[frame].at;
    if (is_writable_in(frame, first, end))
        forbid(at, at + VM_PAGE_SIZE);
    unlock(place_lock_of(at));
}

/* By the frames that are shown in the range, which is protected as a whole where many may be written, if Linux can
 * (before 6.4 it can't over several of its mappings). The core holds its lock, so no fill begins, and nobody else allows
 * a write: without the windows' locks one can say that there is none. */
static void flush_many(addr_t first, addr_t end)
{
    place_wait_for_fills();
    bool is_protected = protect_all(first, end);
    for (uint32_t frame = next_writable(0); frame < process.frames;
         frame = next_writable(frame + 1)) {
        if (!is_writable_in(frame, first, end))
            continue;
        if (is_protected)
            place_allow(frame, false);
        else
            forbid_frame(frame, first, end);
    }
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
