/* SPDX-License-Identifier: MIT */
/* The table of what is shown where: nodes in buckets by address. The 16 pages of a window have one lock and
 * buckets side by side. */
#include "linux.h"

#define LOCKS 256
#define WINDOW_SHIFT 16
#define WINDOW_PAGES 16

struct node *nodes;
static uint32_t *heads;  /* node + 1 */
static size_t windows;   /* a power of two: groups of buckets */
static size_t lock_mask; /* what shares buckets shares a lock, too: no more locks than groups */
static struct {
    uint32_t word;
} __attribute__((aligned(64))) locks[LOCKS];

static size_t window_count(size_t frames)
{
    size_t count = 1;
    while (count * WINDOW_PAGES < frames + frames / 2)
        count *= 2;
    return count;
}

static size_t node_count(size_t frames)
{
    return frames + 3 * PAGES_AT_ONCE;
}

size_t place_bytes(size_t frames)
{
    return node_count(frames) * sizeof(struct node) +
           window_count(frames) * WINDOW_PAGES * sizeof(uint32_t);
}

/* The memory is zeros. */
void place_start(void *memory)
{
    nodes = memory;
    heads = (uint32_t *)(void *)(nodes + node_count(process.frames));
    windows = window_count(process.frames);
    lock_mask = (windows < LOCKS ? windows : LOCKS) - 1;
    for (size_t i = 0; i < LOCKS; i++)
        locks[i].word = 0;
}

static uint64_t hash_of(addr_t address)
{
    return (uint64_t)(address >> WINDOW_SHIFT) * 0x9e3779b97f4a7c15u >> 32;
}

uint32_t *place_lock_of(addr_t address)
{
    return &locks[hash_of(address) & lock_mask].word;
}

/* ---- locks -------------------------------------------------------------------------------------- */

void place_lock(addr_t address)
{
    uint32_t *word = place_lock_of(address);
    lock(word);
    while (__builtin_expect(away_is(address), 0)) {
        unlock(word);
        (void)away_return(address);
        lock(word);
    }
}

bool place_try_lock_beside(addr_t address, const uint32_t *held)
{
    uint32_t *word = place_lock_of(address);
    if (word != held && !try_lock(word))
        return false;
    if (away_try_return(address))
        return true;
    place_unlock_beside(address, held);
    return false;
}

void place_unlock_beside(addr_t address, const uint32_t *held)
{
    uint32_t *word = place_lock_of(address);
    if (word != held)
        unlock(word);
}

void place_lock_all(void)
{
    for (size_t i = 0; i <= lock_mask; i++)
        lock(&locks[i].word);
}

void place_unlock_all(void)
{
    for (size_t i = 0; i <= lock_mask; i++)
        unlock(&locks[i].word);
}

/* ---- the table ---------------------------------------------------------------------------------- */

static uint32_t *head_of(addr_t address)
{
    return &heads[(hash_of(address) & (windows - 1)) * WINDOW_PAGES +
                  (address >> VM_PAGE_SHIFT) % WINDOW_PAGES];
}

void place_prefetch(addr_t address)
{
    __builtin_prefetch(place_lock_of(address), 1);
    __builtin_prefetch(head_of(address), 1);
}

void place_prefetch_node(addr_t address)
{
    uint32_t at = *head_of(address);
    if (at != 0)
        __builtin_prefetch(&nodes[at - 1], 1);
}

uint32_t place_find(addr_t address)
{
    uint32_t at = *head_of(address);
    while (at != 0 && nodes[at - 1].at != address)
        at = nodes[at - 1].next;
    return at - 1; /* NO_NODE, where it is 0 */
}

void place_insert(uint32_t node, addr_t address)
{
    uint32_t *head = head_of(address);
    __atomic_store_n(&nodes[node].at, address, __ATOMIC_RELEASE);
    nodes[node].next = *head;
    *head = node + 1;
}

void place_remove(uint32_t node)
{
    uint32_t *link = head_of(nodes[node].at);
    while (*link != node + 1)
        link = &nodes[*link - 1].next;
    *link = nodes[node].next;
    (void)page_bits_take(&writable_pages, nodes[node].at);
}

bool place_lock_frame(uint32_t frame)
{
    for (;;) {
        addr_t at = __atomic_load_n(&nodes[frame].at, __ATOMIC_ACQUIRE);
        if (!is_regions(at))
            return false;
        place_lock(at);
        if (__atomic_load_n(&nodes[frame].at, __ATOMIC_ACQUIRE) == at)
            return true;
        unlock(place_lock_of(at));
    }
}

void place_wait_for_fills(void)
{
    for (size_t i = 0; i < LOCKS; i++)
        if (__atomic_load_n(&locks[i].word, __ATOMIC_ACQUIRE) != 0) {
            lock(&locks[i].word);
            unlock(&locks[i].word);
        }
}
