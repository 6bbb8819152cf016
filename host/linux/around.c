/* SPDX-License-Identifier: MIT */
/* What a store has read next to the page that was wanted is shown with it. The pages lie next to each other in
 * the spares, as a rule: then that is one call for all. */
#include "linux.h"

#define WINDOW 16
#define WINDOW_SIZE (WINDOW * VM_PAGE_SIZE)

struct run {
    addr_t address;
    addr_t places[WINDOW];
    uint32_t frames[WINDOW];
    size_t count;
};

static void take_window(addr_t address, void *unused)
{
    (void)unused;
    place_lock(address);
}

/* => window locked. The frame is ours to move, if it is out of sight and nothing is shown at the address. */
static bool may_show(addr_t address, uint32_t frame)
{
    if (is_regions(__atomic_load_n(&nodes[frame].at, __ATOMIC_ACQUIRE)) ||
        place_find(address) != NO_NODE || !frame_try_move(frame))
        return false;
    if (!is_regions(nodes[frame].at))
        return true;
    frame_moved(frame);
    return false;
}

/* => window locked */
static void show(struct run *run)
{
    addr_t done = 0;
    if (run->count > 0)
        (void)uffd_copy_run(run->address, run->places[0], run->count * VM_PAGE_SIZE, false, &done);
    for (size_t i = 0; i < run->count; i++) {
        if (i < done / VM_PAGE_SIZE) {
            place_insert(run->frames[i], run->address + i * VM_PAGE_SIZE);
            frame_leave_place(run->frames[i], run->places[i]);
        }
        frame_moved(run->frames[i]);
    }
    run->count = 0;
}

/* => window locked */
static void add(struct run *run, addr_t address, uint32_t frame)
{
    addr_t place = nodes[frame].at;
    size_t size = run->count * VM_PAGE_SIZE;
    if (run->count > 0 && (address != run->address + size || place != run->places[0] + size))
        show(run);
    if (run->count == 0)
        run->address = address;
    run->places[run->count] = place;
    run->frames[run->count++] = frame;
}

void fill_around(addr_t address, addr_t first, addr_t end)
{
    addr_t physical[WINDOW], window = address & ~(WINDOW_SIZE - 1);
    struct run run = {.count = 0};
    if (first < window)
        first = window;
    if (end > window + WINDOW_SIZE)
        end = window + WINDOW_SIZE;
    if (first >= end) /* of a region that is no longer this address's */
        return;
    size_t count = (end - first) / VM_PAGE_SIZE;
    vm_translate_run(process.aspace, first, count, take_window, NULL, physical);
    for (size_t i = 0; i < count; i++)
        if (physical[i] != 0 && may_show(first + i * VM_PAGE_SIZE, frame_of(physical[i])))
            add(&run, first + i * VM_PAGE_SIZE, frame_of(physical[i]));
    show(&run);
    unlock(place_lock_of(address));
}
