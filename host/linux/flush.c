/* SPDX-License-Identifier: MIT */
/* What the core takes away. What is shown may still be read: see docs/design.md. */
#include "linux.h"

#define WINDOW_SIZE (16 * VM_PAGE_SIZE)

/* => window locked. All of these the program can write. They may be of several of Linux's mappings. */
static void forbid(addr_t first, addr_t end)
{
    bool is_protected = end - first > VM_PAGE_SIZE && uffd_try_protect(first, end - first);
    for (addr_t at = first; at < end; at += VM_PAGE_SIZE) {
        if (!is_protected)
            uffd_protect(at, VM_PAGE_SIZE);
        (void)page_bits_take(&writable_pages, at);
    }
}

/* => window locked. Runs of pages are protected with one call. `end` is behind the last. */
static void forbid_runs(addr_t first, addr_t end)
{
    size_t run = 0;
    for (addr_t at = first; at <= end; at += VM_PAGE_SIZE) {
        if (at < end && page_bits_have(&writable_pages, at)) {
            run += VM_PAGE_SIZE;
        } else if (run > 0) {
            forbid(at - run, at);
            run = 0;
        }
    }
}

/* What is away nobody can write. */
static void flush_window(addr_t first, addr_t end)
{
    uint32_t *word = place_lock_of(first);
    lock(word); /* also where nothing is to be done: a fill there ends first */
    if (!away_is(first))
        forbid_runs(first, end);
    place_prefetch_node(first); /* its frame may be free soon */
    unlock(word);
}

static void flush_few(addr_t first, addr_t end)
{
    for (addr_t at = first, next; at < end; at = next) {
        next = (at & ~(WINDOW_SIZE - 1)) + WINDOW_SIZE;
        flush_window(at, next < end ? next : end);
    }
}

/* ---- long ranges -------------------------------------------------------------------------------- */

/* The windows in which something may be written. */
static void flush_sparse(addr_t first, addr_t end)
{
    addr_t at = first;
    while ((at = page_bits_next(&writable_pages, at, end)) < end) {
        addr_t next = (at & ~(WINDOW_SIZE - 1)) + WINDOW_SIZE;
        flush_window(at, next < end ? next : end);
        at = next;
    }
}

/* With one call, if Linux can (before 6.4 it can't over several of its mappings). */
static void flush_dense(addr_t first, addr_t end)
{
    if (uffd_try_protect(first, end - first))
        page_bits_clear(&writable_pages, first, end);
    else
        flush_sparse(first, end);
}

static bool is_dense(addr_t first, addr_t end)
{
    return page_bits_count(&writable_pages, first, end) * ENTRIES_OF_A_CALL >=
           (end - first) / VM_PAGE_SIZE;
}

static addr_t end_of_chunk(addr_t address, addr_t end)
{
    addr_t next = (address & ~(CHUNK_SIZE - 1)) + CHUNK_SIZE;
    return next < end ? next : end;
}

/* The end of the chunks, or parts of them, from `first` on that are dense. */
static addr_t end_of_dense(addr_t first, addr_t end)
{
    addr_t at = first;
    while (at < end && !away_is(at) && is_dense(at, end_of_chunk(at, end)))
        at = end_of_chunk(at, end);
    return at;
}

/* The first page of [first, end) that may be written, and isn't away. */
static addr_t next_writable(addr_t first, addr_t end)
{
    addr_t at = page_bits_next(&writable_pages, first, end);
    while (at < end && away_is(at))
        at = page_bits_next(&writable_pages, end_of_chunk(at, end), end);
    return at;
}

/* By chunks: with one call where many pages may be written, and for all neighbours that are like it; elsewhere page by
 * page. */
static void flush_parts(addr_t first, addr_t end)
{
    addr_t at = first, next;
    while ((at = next_writable(at, end)) < end) {
        addr_t begin = at & ~(CHUNK_SIZE - 1);
        begin = begin < first ? first : begin;
        if ((next = end_of_dense(begin, end)) > begin)
            flush_dense(begin, next);
        else
            flush_sparse(at, next = end_of_chunk(at, end));
        at = next;
    }
}

/* ---- ranges that go away ------------------------------------------------------------------------ */

/* So many pages take half a millisecond or more, if each is protected by itself; and as long as one range that goes away. */
#define MANY 256
#define FEW_TO_GO 16

static size_t count_writable(addr_t first, addr_t end)
{
    size_t count = 0;
    for (addr_t at = first; at < end; at = end_of_chunk(at, end))
        if (!away_is(at))
            count += page_bits_count(&writable_pages, at, end_of_chunk(at, end));
    return count;
}

/* Up to the next chunk that is away already. */
static addr_t end_of_here(addr_t first, addr_t end)
{
    addr_t at = first;
    while (at < end && !away_is(at))
        at = end_of_chunk(at, end);
    return at;
}

/* The chunks in which something may be written, with those between them. */
static void flush_away(addr_t first, addr_t end)
{
    addr_t at = first, next;
    while ((at = next_writable(at, end)) < end) {
        at &= ~(CHUNK_SIZE - 1);
        next = end_of_here(at, end);
        if (count_writable(at, next) < FEW_TO_GO || !away_go(at, next))
            flush_parts(at, next);
        at = next;
    }
}

/* The core holds its lock, so no fill begins, and nobody else allows a write: without the windows' locks one can say that
 * there is none. */
static void flush_many(addr_t first, addr_t end)
{
    addr_t whole = end & ~(CHUNK_SIZE - 1);
    place_wait_for_fills();
    if (away_is_allowed(first, whole) && count_writable(first, whole) >= MANY)
        flush_away(first, whole);
    flush_parts(first, end);
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
    if (page_bits_have(&writable_pages, address) && !away_is(address))
        forbid(address, address + VM_PAGE_SIZE);
    bool changed = page_bits_take(&written_pages, address);
    unlock(word);
    return changed;
}
