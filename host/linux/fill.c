/* SPDX-License-Identifier: MIT */
/* Showing a frame at an address, and taking one out of sight.
 *
 *   the frame is shown there .......... a write: lift the protection
 *   something else is shown there ..... it goes: garbage is dropped, a frame moves out of sight
 *   the frame is out of sight ......... a copy from there, which then is its place
 *   it is shown elsewhere ............. nobody may write it: a replica; else it moves
 *
 * Whoever would have to wait for another lets go and begins again from the core's tables. */
#include "linux.h"

#include <string.h>

/* => window locked. The frame is shown at an address of it. */
int displace(uint32_t node)
{
    if (!frame_try_move(node))
        return FILL_AGAIN;
    addr_t at = nodes[node].at, place = frame_hidden_place(node);
    if (page_bits_have(&writable_pages, at))
        uffd_protect(at, VM_PAGE_SIZE);
    copy_page((void *)place, (const void *)at);
    zap_page(at);
    place_remove(node);
    __atomic_store_n(&nodes[node].at, place, __ATOMIC_RELEASE);
    frame_moved(node);
    return FILL_DONE;
}

int clear_place(uint32_t node)
{
    if (node_is_frame(node))
        return displace(node);
    if (!node_is_replica(node))
        return pending_claim(node) ? FILL_DONE : FILL_AGAIN;
    replica_drop(node);
    return FILL_DONE;
}

/* Where the table of places knows of nothing, nothing is, but for what marks an error. */
static int copy_to(addr_t address, addr_t from, bool writable)
{
    int error = uffd_copy(address, from, writable);
    if (error != ERR_TIMED_OUT)
        return error;
    zap_page(address);
    return uffd_copy(address, from, writable);
}

static void note_writable(addr_t address)
{
    page_bits_add(&writable_pages, address);
    page_bits_add(&written_pages, address);
}

static void now_at(uint32_t frame, addr_t address, bool writable)
{
    place_insert(frame, address);
    if (writable)
        note_writable(address);
}

static int show_hidden(addr_t address, uint32_t frame, bool writable)
{
    if (!frame_try_move(frame))
        return FILL_AGAIN;
    addr_t place = nodes[frame].at;
    int error = is_regions(place) ? FILL_AGAIN : copy_to(address, place, writable);
    if (error == VM_OK) {
        now_at(frame, address, writable);
        frame_leave_place(frame, place);
    }
    frame_moved(frame);
    return error;
}

/* => both windows locked */
static int move(addr_t from, addr_t to, uint32_t frame, bool writable)
{
    if (nodes[frame].at != from || !frame_try_move(frame))
        return FILL_AGAIN;
    if (page_bits_have(&writable_pages, from))
        uffd_protect(from, VM_PAGE_SIZE);
    int error = copy_to(to, from, writable);
    if (error == VM_OK) {
        zap_page(from);
        place_remove(frame);
        now_at(frame, to, writable);
    }
    frame_moved(frame);
    return error;
}

static int share(addr_t from, addr_t to, uint32_t frame, bool writable)
{
    const uint32_t *held = place_lock_of(to);
    if (!writable && !page_bits_have(&writable_pages, from))
        return replica_show(frame, to);
    if (!place_try_lock_beside(from, held))
        return FILL_AGAIN;
    int error = move(from, to, frame, writable);
    place_unlock_beside(from, held);
    return error;
}

static void allow_writes(addr_t address)
{
    note_writable(address);
    uffd_unprotect(address);
}

static int fill_locked(addr_t address, uint32_t frame, bool writable)
{
    if (writable && !replica_drop_all(frame, place_lock_of(address)))
        return FILL_AGAIN;
    uint32_t node = place_find(address);
    if (node == frame) {
        if (writable)
            allow_writes(address);
        uffd_wake(address);
        return FILL_DONE;
    }
    if (node != NO_NODE && clear_place(node) != FILL_DONE)
        return FILL_AGAIN;
    addr_t place = __atomic_load_n(&nodes[frame].at, __ATOMIC_ACQUIRE);
    if (is_regions(place))
        return share(place, address, frame, writable);
    return show_hidden(address, frame, writable);
}

int fill(addr_t address, uint32_t frame, bool writable)
{
    int result = fill_locked(address, frame, writable);
    unlock(place_lock_of(address));
    return result;
}

/* ---- settling ----------------------------------------------------------------------------------- */

static void settle_frame(uint32_t frame, addr_t first, addr_t last)
{
    addr_t at;
    while ((at = __atomic_load_n(&nodes[frame].at, __ATOMIC_ACQUIRE)) >= first && at <= last) {
        if (!place_lock_frame(frame))
            return;
        at = nodes[frame].at;
        int result = at >= first && at <= last ? displace(frame) : FILL_DONE;
        unlock(place_lock_of(at));
        if (result == FILL_AGAIN)
            frame_wait_for_pins(frame);
    }
}

void settle(addr_t first, addr_t last)
{
    for (uint32_t frame = 0; frame < process.frames; frame++)
        settle_frame(frame, first, last);
    replica_settle(first, last);
    pending_drain();
}
