/* SPDX-License-Identifier: MIT */
/* Ghosts: sets of four, found by a hash. Which of a list are the youngest is told by their ages, so no
 * links are kept. A new ghost takes an empty place of its set, or that of the oldest there. */
#include "policy.h"

#define WAYS 4

static struct vm_ghost *set_of(const struct vm_ghosts *ghosts, uint64_t key)
{
    return &ghosts->table[(size_t)key & (ghosts->size - 1) & ~(size_t)(WAYS - 1)];
}

/* The list is in the two lowest bits, which are never both 0. */
static uint32_t tag_of(uint64_t key, enum vm_ghost_list list)
{
    return ((uint32_t)(key >> 32) & ~3u) | (uint32_t)list;
}

static enum vm_ghost_list list_of(const struct vm_ghost *ghost)
{
    return (enum vm_ghost_list)(ghost->tag & 3u);
}

/* How many have come to its list since. */
static uint32_t age_of(const struct vm_ghosts *ghosts, const struct vm_ghost *ghost)
{
    return ghosts->added[list_of(ghost)] - ghost->age;
}

static void forget(struct vm_ghosts *ghosts, struct vm_ghost *ghost)
{
    if (ghost->tag != 0)
        ghosts->count[list_of(ghost)]--;
    *ghost = (struct vm_ghost){0};
}

void vm_ghosts_init(struct vm_ghosts *ghosts, struct vm_ghost *memory, size_t size)
{
    *ghosts = (struct vm_ghosts){.table = memory, .size = size};
}

static struct vm_ghost *find(const struct vm_ghosts *ghosts, uint64_t key)
{
    struct vm_ghost *set = set_of(ghosts, key);
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].tag != 0 && (set[i].tag & ~3u) == (tag_of(key, VM_GHOST_NONE) & ~3u))
            return &set[i];
    return NULL;
}

/* The place of its set that is empty, or has been there longest. */
static struct vm_ghost *place_for(const struct vm_ghosts *ghosts, uint64_t key)
{
    struct vm_ghost *set = set_of(ghosts, key), *best = set;
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].tag == 0)
            return &set[i];
        if (age_of(ghosts, &set[i]) > age_of(ghosts, best))
            best = &set[i];
    }
    return best;
}

void vm_ghosts_add(struct vm_ghosts *ghosts, enum vm_ghost_list list, uint64_t key)
{
    struct vm_ghost *ghost = find(ghosts, key);
    if (!ghost)
        ghost = place_for(ghosts, key);
    forget(ghosts, ghost);
    *ghost = (struct vm_ghost){.tag = tag_of(key, list), .age = ++ghosts->added[list]};
    ghosts->count[list]++;
}

enum vm_ghost_list vm_ghosts_take(struct vm_ghosts *ghosts, uint64_t key, const size_t limit[3])
{
    struct vm_ghost *ghost = find(ghosts, key);
    if (!ghost)
        return VM_GHOST_NONE;
    enum vm_ghost_list list = list_of(ghost);
    bool remembered = age_of(ghosts, ghost) < limit[list];
    forget(ghosts, ghost);
    return remembered ? list : VM_GHOST_NONE;
}
