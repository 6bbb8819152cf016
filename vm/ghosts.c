/* SPDX-License-Identifier: MIT */
/* Ghosts: what a policy remembers of pages that have gone. A table of sets of four; a ghost knows how
 * many were on its list before it, so how many came since is how old it is. That counts those that were
 * taken out since, too: the order is a list's, the length of it an estimate. */
#include "policy.h"

#define WAYS 4
#define LIST_BITS 2
#define LIST_MASK ((1u << LIST_BITS) - 1)

static struct vm_ghost *set_of(const struct vm_ghosts *ghosts, uint64_t key)
{
    return &ghosts->table[(key & (ghosts->size / WAYS - 1)) * WAYS];
}

/* From bits that don't choose the set. */
static uint32_t tag_of(uint64_t key, enum vm_ghost_list list)
{
    return (uint32_t)(key >> 32) << LIST_BITS | list;
}

static enum vm_ghost_list list_of(const struct vm_ghost *ghost)
{
    return (enum vm_ghost_list)(ghost->tag & LIST_MASK);
}

/* How many have come to its list with it and since. */
static uint32_t age_of(const struct vm_ghosts *ghosts, const struct vm_ghost *ghost)
{
    return ghosts->added[list_of(ghost)] - ghost->age;
}

static struct vm_ghost *find(const struct vm_ghosts *ghosts, uint64_t key)
{
    struct vm_ghost *set = set_of(ghosts, key);
    for (int i = 0; i < WAYS; i++)
        if (list_of(&set[i]) != VM_GHOST_NONE &&
            (set[i].tag & ~LIST_MASK) == tag_of(key, VM_GHOST_NONE))
            return &set[i];
    return NULL;
}

/* Lists differ in length, so what counts is how far along its own a ghost is. */
static bool is_older(const struct vm_ghosts *ghosts, const struct vm_ghost *a,
                     const struct vm_ghost *b)
{
    uint64_t count_a = ghosts->count[list_of(a)], count_b = ghosts->count[list_of(b)];
    return age_of(ghosts, a) * count_b > age_of(ghosts, b) * count_a;
}

/* An empty place, or that of the oldest. */
static struct vm_ghost *choose_place(const struct vm_ghosts *ghosts, uint64_t key)
{
    struct vm_ghost *set = set_of(ghosts, key), *oldest = set;
    for (int i = 0; i < WAYS; i++) {
        if (list_of(&set[i]) == VM_GHOST_NONE)
            return &set[i];
        if (is_older(ghosts, &set[i], oldest))
            oldest = &set[i];
    }
    return oldest;
}

static void forget(struct vm_ghosts *ghosts, struct vm_ghost *ghost)
{
    if (list_of(ghost) != VM_GHOST_NONE)
        ghosts->count[list_of(ghost)]--;
    ghost->tag = 0;
}

void vm_ghosts_init(struct vm_ghosts *ghosts, struct vm_ghost *memory, size_t size)
{
    *ghosts = (struct vm_ghosts){.table = memory, .size = size};
}

void vm_ghosts_prefetch(const struct vm_ghosts *ghosts, uint64_t key)
{
    __builtin_prefetch(set_of(ghosts, key), 1);
}

void vm_ghosts_add(struct vm_ghosts *ghosts, enum vm_ghost_list list, uint64_t key)
{
    struct vm_ghost *ghost = find(ghosts, key);
    if (!ghost)
        ghost = choose_place(ghosts, key);
    forget(ghosts, ghost);
    *ghost = (struct vm_ghost){.tag = tag_of(key, list), .age = ghosts->added[list]++};
    ghosts->count[list]++;
}

enum vm_ghost_list vm_ghosts_take(struct vm_ghosts *ghosts, uint64_t key,
                                  const size_t limit[VM_GHOST_LISTS])
{
    struct vm_ghost *ghost = find(ghosts, key);
    if (!ghost)
        return VM_GHOST_NONE;
    enum vm_ghost_list list = list_of(ghost);
    bool is_known = age_of(ghosts, ghost) <= limit[list];
    forget(ghosts, ghost); /* an older one, too: its page is back */
    return is_known ? list : VM_GHOST_NONE;
}
