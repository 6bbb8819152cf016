/* SPDX-License-Identifier: MIT */
/* CAR, which is ARC for accessed bits: two clocks, of pages that came once (INACTIVE, its T1) and of
 * pages that were referenced since or came back (ACTIVE, its T2). A ghost that comes back says which of
 * them is too small, and moves the target, the size that INACTIVE should have.
 *
 * Other than in the paper, the capacity is whatever the queues have; the ghosts' order is that of
 * vm_ghosts; the older half of the ghosts don't count; and steps of the target have a longest.
 * docs/bench.md says what the last two are for. */
#include "page.h"

/* A step of the target is at most 8 pages, or a 32nd of the capacity if that is more. */
#define STEP_PAGES 8
#define STEP_PART 32

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t half(size_t n)
{
    return n - n / 2;
}

/* The paper has as many ghosts that INACTIVE and its own are no more than the capacity, all pages and
 * all ghosts no more than twice that. */
static void set_limits(const struct vm_page_pool *pool, size_t capacity,
                       size_t limit[VM_GHOST_LISTS])
{
    size_t pages = pool->count[VM_PAGE_INACTIVE] + pool->count[VM_PAGE_ACTIVE];
    size_t recent = capacity - pool->count[VM_PAGE_INACTIVE];
    size_t there = least(pool->ghosts.count[VM_GHOST_RECENT], recent);
    limit[VM_GHOST_RECENT] = half(recent);
    limit[VM_GHOST_FREQUENT] = half(2 * capacity - pages - there);
}

/* By how many times the other list is longer than `of`, where the ghost was, so it isn't 0. */
static size_t choose_step(size_t of, size_t other, size_t capacity)
{
    size_t longest = most(STEP_PAGES, capacity / STEP_PART);
    return most(1, least(other / of, longest));
}

static void adapt(struct vm_page_pool *pool, enum vm_ghost_list found, size_t capacity,
                  const size_t size[VM_GHOST_LISTS])
{
    size_t recent = size[VM_GHOST_RECENT], frequent = size[VM_GHOST_FREQUENT];
    if (found == VM_GHOST_RECENT)
        pool->target += choose_step(recent, frequent, capacity);
    else
        pool->target -= least(pool->target, choose_step(frequent, recent, capacity));
    pool->target = least(pool->target, capacity);
}

static bool insert_known(struct vm_page_pool *pool, struct vm_page *page, uint64_t key)
{
    size_t capacity = pool->count[VM_PAGE_INACTIVE] + pool->count[VM_PAGE_ACTIVE] + 1;
    size_t limit[VM_GHOST_LISTS], size[VM_GHOST_LISTS];
    set_limits(pool, capacity, limit);
    for (int list = VM_GHOST_RECENT; list <= VM_GHOST_FREQUENT; list++)
        size[list] = least(pool->ghosts.count[list], limit[list]);
    enum vm_ghost_list found = vm_ghosts_take(&pool->ghosts, key, limit);
    if (found != VM_GHOST_NONE)
        adapt(pool, found, capacity, size);
    policy_add(pool, page, found == VM_GHOST_NONE ? VM_PAGE_INACTIVE : VM_PAGE_ACTIVE);
    return found != VM_GHOST_NONE;
}

/* As long as nothing has gone, nothing can come back: most faults of most systems. */
static bool car_insert(struct vm_page_pool *pool, struct vm_page *page, uint64_t key)
{
    if (pool->ghosts.count[VM_GHOST_RECENT] + pool->ghosts.count[VM_GHOST_FREQUENT] > 0)
        return insert_known(pool, page, key);
    policy_add(pool, page, VM_PAGE_INACTIVE);
    return false;
}

/* `only_inactive`: so many of ACTIVE's pages may not go that it's the other's turn. */
static struct vm_page *next_page(const struct vm_page_pool *pool, bool only_inactive)
{
    size_t inactive = pool->count[VM_PAGE_INACTIVE];
    bool turn = only_inactive || inactive >= pool->target;
    struct vm_page *page = turn ? policy_oldest(pool, VM_PAGE_INACTIVE) : NULL;
    if (!page)
        page = policy_oldest(pool, VM_PAGE_ACTIVE);
    return page ? page : policy_oldest(pool, VM_PAGE_INACTIVE);
}

/* What may not go ends up on ACTIVE, as if it were referenced: INACTIVE is for pages that leave. */
static struct vm_page *car_victim(struct vm_page_pool *pool, unsigned *budget)
{
    unsigned stuck = 0, patience = (*budget + 1) / 2;
    while (*budget > 0) {
        struct vm_page *page = next_page(pool, stuck >= patience);
        if (!page)
            return NULL;
        --*budget;
        if (!policy_stays(pool, page)) {
            policy_move(pool, page, page->state);
            return page;
        }
        stuck += page->state == VM_PAGE_ACTIVE && !policy_may_go(pool, page);
        policy_move(pool, page, VM_PAGE_ACTIVE);
    }
    return NULL;
}

static void car_ghost(struct vm_page_pool *pool, const struct vm_page *page, uint64_t key)
{
    bool frequent = page->state == VM_PAGE_ACTIVE || page->was_active;
    vm_ghosts_add(&pool->ghosts, frequent ? VM_GHOST_FREQUENT : VM_GHOST_RECENT, key);
}

const struct vm_policy vm_policy_car = {
    .name = "car",
    .published = "Bansal and Modha, FAST 2004",
    .insert = car_insert,
    .referenced = policy_set_referenced,
    .victim = car_victim,
    .ghost = car_ghost,
};
