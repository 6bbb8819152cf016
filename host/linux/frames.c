/* SPDX-License-Identifier: MIT */
/* Where frames' bytes are: at an address of regions, in a spare page, or in the arena, at the frame's own page.
 * Spares are few, and the first that is free is taken: what a store reads next to each other lies next to each
 * other, and one page after another is read to where the last was, which this CPU's caches have. */
#include "linux.h"

#include <sched.h>
#include <string.h>

static uint64_t free_spares[SPARE_WORDS]; /* a bit for each; atomic */

void frames_start(void)
{
    for (size_t i = 0, left = process.spares; i < SPARE_WORDS; i++, left -= left < 64 ? left : 64)
        free_spares[i] = left == 0 ? 0 : UINT64_MAX >> (left < 64 ? 64 - left : 0);
}

void *host_frame_ptr(addr_t physical)
{
    uint32_t frame = frame_of(physical);
    if (__builtin_expect(frame >= process.frames, 0))
        panic("no frame at", (long)physical);
    addr_t at = __atomic_load_n(&nodes[frame].at, __ATOMIC_ACQUIRE);
    return (char *)(at != 0 ? at : arena_frame(frame)) + (physical & VM_PAGE_MASK);
}

/* ---- places out of sight ------------------------------------------------------------------------ */

/* 0: all of the word's are in use. */
static addr_t take_spare_of(size_t word)
{
    uint64_t free = __atomic_load_n(&free_spares[word], __ATOMIC_RELAXED);
    while (free != 0)
        if (__atomic_compare_exchange_n(&free_spares[word], &free, free & (free - 1), true,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return arena_spare(word * 64 + (size_t)__builtin_ctzll(free));
    return 0;
}

/* 0: all are in use. */
static addr_t take_spare(void)
{
    addr_t spare = take_spare_of(0);
    for (size_t word = 1; word < SPARE_WORDS && spare == 0; word++)
        spare = take_spare_of(word);
    return spare;
}

static void put_spare(addr_t spare)
{
    size_t index = (spare - arena_spare(0)) >> VM_PAGE_SHIFT;
    __atomic_fetch_or(&free_spares[index / 64], (uint64_t)1 << index % 64, __ATOMIC_RELEASE);
}

static bool is_spare(addr_t place)
{
    return place - arena_spare(0) < process.spares * VM_PAGE_SIZE;
}

addr_t frame_hidden_place(uint32_t frame)
{
    addr_t place = nodes[frame].has_page ? 0 : take_spare();
    if (place != 0)
        return place;
    nodes[frame].has_page = true;
    return arena_frame(frame);
}

void frame_leave_place(uint32_t frame, addr_t place)
{
    if (is_spare(place)) {
        put_spare(place);
    } else if (place == arena_frame(frame)) {
        zap_page(place);
        nodes[frame].has_page = false;
    }
}

/* ---- who uses them ------------------------------------------------------------------------------ */

static void add_pin(uint32_t frame)
{
    uint32_t *pins = &nodes[frame].pins, old = __atomic_load_n(pins, __ATOMIC_RELAXED);
    for (;;) {
        if (old & NODE_MOVES) {
            __builtin_ia32_pause();
            old = __atomic_load_n(pins, __ATOMIC_RELAXED);
        } else if (__atomic_compare_exchange_n(pins, &old, old + 1, false, __ATOMIC_ACQUIRE,
                                               __ATOMIC_RELAXED)) {
            return;
        }
    }
}

static addr_t place_of(uint32_t frame)
{
    return __atomic_load_n(&nodes[frame].at, __ATOMIC_ACQUIRE);
}

/* With its chunk: Linux may be asked to read there, and would find nothing where that is away. */
void *frame_pin(uint32_t frame)
{
    add_pin(frame);
    if (is_regions(place_of(frame)))
        away_keep(place_of(frame));
    return host_frame_ptr(physical_of(frame));
}

static void drop_pin(uint32_t frame)
{
    __atomic_fetch_sub(&nodes[frame].pins, 1, __ATOMIC_RELEASE);
}

void *frame_try_pin(uint32_t frame)
{
    add_pin(frame);
    if (!is_regions(place_of(frame)) || away_try_keep(place_of(frame)))
        return host_frame_ptr(physical_of(frame));
    drop_pin(frame);
    return NULL;
}

void frame_unpin(uint32_t frame)
{
    if (is_regions(place_of(frame)))
        away_let(place_of(frame));
    drop_pin(frame);
}

#define LOOK_AGAIN_NS 100000

void frame_wait_for_pins(uint32_t frame)
{
    uint32_t pins = __atomic_load_n(&nodes[frame].pins, __ATOMIC_ACQUIRE);
    if (pins != 0 && !(pins & NODE_MOVES))
        (void)host_wait(&nodes[frame].pins, pins, host_time_ns() + LOOK_AGAIN_NS, false);
    else
        sched_yield();
}

bool frame_try_move(uint32_t frame)
{
    uint32_t none = 0;
    return __atomic_compare_exchange_n(&nodes[frame].pins, &none, NODE_MOVES, false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void frame_moved(uint32_t frame)
{
    __atomic_store_n(&nodes[frame].pins, 0, __ATOMIC_RELEASE);
}

/* ---- what the core does with them --------------------------------------------------------------- */

static void note_taken(addr_t physical, size_t count, bool for_cache)
{
    uint32_t first = frame_of(physical);
    for (uint32_t frame = first; frame < first + count; frame++) {
        if (!for_cache)
            nodes[frame].has_page = true;
        addr_t place = for_cache ? frame_hidden_place(frame) : arena_frame(frame);
        __atomic_store_n(&nodes[frame].at, place, __ATOMIC_RELEASE);
    }
}

/* A fill may take it out of sight meanwhile, as it is no longer what is to be shown there. */
static void note_freed(addr_t physical)
{
    uint32_t frame = frame_of(physical);
    if (is_regions(__atomic_load_n(&nodes[frame].at, __ATOMIC_ACQUIRE)) && pending_add(frame))
        return;
    addr_t place = __atomic_exchange_n(&nodes[frame].at, 0, __ATOMIC_ACQ_REL);
    if (is_spare(place))
        put_spare(place);
}

/* A function of its own, so that a checker of races can be told of it: Linux has ordered these reads behind the
 * program's writes, by taking the right to write away. */
__attribute__((noinline)) void copy_page(void *to, const void *from)
{
    memcpy(to, from, VM_PAGE_SIZE);
}

static void copy_frame(addr_t to, addr_t from)
{
    uint32_t frame = frame_of(from);
    copy_page(host_frame_ptr(to), frame_pin(frame));
    frame_unpin(frame);
}

const struct vm_frame_hooks frame_hooks = {note_taken, note_freed, copy_frame};
