/* SPDX-License-Identifier: MIT */
/* Copies of pages that nobody may write, shown where their frame isn't. They count in no budget of the core's,
 * so there are few, and the oldest goes first. */
#include "linux.h"

static uint32_t in_use; /* replicas that are shown; atomic */
static uint32_t next;

static uint32_t node_of(size_t index)
{
    return (uint32_t)(process.frames + 2 * process.batch + index);
}

void replica_start(void)
{
    in_use = next = 0;
}

/* => its window locked */
void replica_drop(uint32_t node)
{
    zap_page(nodes[node].at);
    place_remove(node);
    __atomic_store_n(&nodes[node].at, 0, __ATOMIC_RELEASE);
    __atomic_fetch_sub(&in_use, 1, __ATOMIC_RELAXED);
}

/* Drops what the node shows, if that can be done with `held` locked. */
static bool try_drop(uint32_t node, const uint32_t *held)
{
    addr_t at = __atomic_load_n(&nodes[node].at, __ATOMIC_ACQUIRE);
    if (at == 0)
        return true;
    if (!place_try_lock_beside(at, held))
        return false;
    bool same = nodes[node].at == at;
    if (same)
        replica_drop(node);
    place_unlock_beside(at, held);
    return same;
}

bool replica_drop_all(uint32_t frame, const uint32_t *held)
{
    bool all = true;
    if (__builtin_expect(__atomic_load_n(&in_use, __ATOMIC_ACQUIRE) == 0, 1))
        return true;
    for (size_t i = 0; i < process.replicas; i++)
        if (__atomic_load_n(&nodes[node_of(i)].pins, __ATOMIC_RELAXED) == frame)
            all &= try_drop(node_of(i), held);
    return all;
}

/* A node that shows nothing, and is the caller's; NO_NODE: others are at work. */
static uint32_t take_node(const uint32_t *held)
{
    for (size_t i = 0; i < process.replicas; i++) {
        uint32_t node = node_of(__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % process.replicas);
        uint8_t idle = 0;
        if (!__atomic_compare_exchange_n(&nodes[node].state, &idle, 1, false, __ATOMIC_ACQUIRE,
                                         __ATOMIC_RELAXED))
            continue;
        if (try_drop(node, held))
            return node;
        __atomic_store_n(&nodes[node].state, 0, __ATOMIC_RELEASE);
    }
    return NO_NODE;
}

int replica_show(uint32_t frame, addr_t address)
{
    uint32_t node = take_node(place_lock_of(address));
    if (node == NO_NODE)
        return FILL_AGAIN;
    const void *from = frame_try_pin(frame);
    int error = from ? uffd_copy(address, (addr_t)from, false) : FILL_AGAIN;
    if (from)
        frame_unpin(frame);
    if (error == VM_OK) {
        __atomic_store_n(&nodes[node].pins, frame, __ATOMIC_RELAXED);
        place_insert(node, address);
        __atomic_fetch_add(&in_use, 1, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&nodes[node].state, 0, __ATOMIC_RELEASE);
    return error;
}

void replica_settle(addr_t first, addr_t last)
{
    for (size_t i = 0; i < process.replicas; i++) {
        addr_t at = __atomic_load_n(&nodes[node_of(i)].at, __ATOMIC_ACQUIRE);
        while (at >= first && at <= last && !try_drop(node_of(i), NULL))
            at = __atomic_load_n(&nodes[node_of(i)].at, __ATOMIC_ACQUIRE);
    }
}
