/* SPDX-License-Identifier: MIT */
/* Pages that are still shown though their frames are free: what is there is what was there when they left, so
 * it may go later, and many at once. */
#include "linux.h"

#include <sched.h>

static uint32_t pending_lock;
static uint32_t free_nodes[2 * PAGES_AT_ONCE], queue[2 * PAGES_AT_ONCE];
static size_t free_count, queued;
static uint32_t going; /* drains under way */

static uint32_t first_node(void)
{
    return (uint32_t)process.frames;
}

void pending_start(void)
{
    pending_lock = going = 0;
    queued = 0;
    free_count = 2 * process.batch;
    for (uint32_t i = 0; i < free_count; i++)
        free_nodes[i] = first_node() + i;
}

/* NO_NODE: all are on their way. */
static uint32_t take_node(void)
{
    uint32_t node = NO_NODE;
    lock(&pending_lock);
    if (free_count > 0)
        node = free_nodes[--free_count];
    unlock(&pending_lock);
    return node;
}

/* Whether it is time to drop what is queued. */
static bool enqueue(uint32_t node)
{
    lock(&pending_lock);
    queue[queued++] = node;
    bool full = queued >= process.batch;
    unlock(&pending_lock);
    return full;
}

static size_t take_queue(uint32_t *taken)
{
    lock(&pending_lock);
    size_t count = queued < process.batch ? queued : process.batch;
    queued -= count;
    for (size_t i = 0; i < count; i++)
        taken[i] = queue[i];
    for (size_t i = 0; i < queued; i++)
        queue[i] = queue[count + i];
    if (count > 0)
        __atomic_fetch_add(&going, 1, __ATOMIC_RELAXED);
    unlock(&pending_lock);
    return count;
}

/* Locks the window of a queued node. False: a fill has claimed it. */
static bool lock_node(uint32_t node)
{
    addr_t at = __atomic_load_n(&nodes[node].at, __ATOMIC_ACQUIRE);
    place_lock(at);
    if (nodes[node].state == NODE_QUEUED)
        return true;
    unlock(place_lock_of(at));
    return false;
}

static void drop(const uint32_t *taken, size_t count)
{
    struct iovec ranges[PAGES_AT_ONCE];
    uint32_t mine[PAGES_AT_ONCE];
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if (!lock_node(taken[i]))
            continue;
        nodes[taken[i]].state = NODE_GOING;
        away_keep(nodes[taken[i]].at);
        unlock(place_lock_of(nodes[taken[i]].at));
        ranges[found] = (struct iovec){(void *)nodes[taken[i]].at, VM_PAGE_SIZE};
        mine[found++] = taken[i];
    }
    zap(ranges, found);
    for (size_t i = 0; i < found; i++) {
        uint32_t *word = place_lock_of(nodes[mine[i]].at);
        lock(word);
        place_remove(mine[i]);
        away_let(nodes[mine[i]].at);
        unlock(word);
    }
}

static void drain(void)
{
    uint32_t taken[PAGES_AT_ONCE];
    size_t count = take_queue(taken);
    if (count == 0)
        return;
    drop(taken, count);
    lock(&pending_lock);
    for (size_t i = 0; i < count; i++)
        free_nodes[free_count++] = taken[i];
    __atomic_fetch_sub(&going, 1, __ATOMIC_RELEASE);
    unlock(&pending_lock);
}

void pending_drain(void)
{
    drain();
    drain();
    while (__atomic_load_n(&going, __ATOMIC_ACQUIRE) != 0)
        sched_yield();
}

/* It was not needed after all. */
static void put_node(uint32_t node)
{
    lock(&pending_lock);
    free_nodes[free_count++] = node;
    unlock(&pending_lock);
}

bool pending_add(uint32_t frame)
{
    uint32_t node;
    while ((node = take_node()) == NO_NODE) {
        drain();
        sched_yield();
    }
    if (!place_lock_frame(frame)) {
        put_node(node);
        return false;
    }
    addr_t at = nodes[frame].at;
    place_remove(frame);
    __atomic_store_n(&nodes[frame].at, 0, __ATOMIC_RELEASE);
    nodes[node].state = NODE_QUEUED;
    place_insert(node, at);
    unlock(place_lock_of(at));
    if (enqueue(node))
        drain();
    return true;
}

bool pending_claim(uint32_t node)
{
    if (nodes[node].state != NODE_QUEUED)
        return false;
    nodes[node].state = NODE_CLAIMED;
    zap_page(nodes[node].at);
    place_remove(node);
    return true;
}
