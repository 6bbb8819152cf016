/* SPDX-License-Identifier: MIT */
/* Two lists, as in 2Q: a page comes to INACTIVE, and to ACTIVE if it has been referenced when it gets to
 * the head, or if it went not long ago. Here ACTIVE's pages get to INACTIVE again before they go. */
#include "page.h"

/* 2Q's Kin and Kout: the part of all pages that INACTIVE should have, and of as many ghosts, the part that
 * is remembered. */
#define INACTIVE_PART 4
#define GHOST_PART 2

static size_t all_pages(const struct vm_page_pool *pool)
{
    return pool->count[VM_PAGE_INACTIVE] + pool->count[VM_PAGE_ACTIVE];
}

static bool two_lists_insert(struct vm_page_pool *pool, struct vm_page *page, uint64_t key)
{
    size_t kept = all_pages(pool) / GHOST_PART;
    const size_t limit[VM_GHOST_LISTS] = {[VM_GHOST_RECENT] = kept};
    bool found = vm_ghosts_take(&pool->ghosts, key, limit) != VM_GHOST_NONE;
    policy_add(pool, page, found ? VM_PAGE_ACTIVE : VM_PAGE_INACTIVE);
    return found;
}

/* A page comes over from ACTIVE if INACTIVE is short of them. */
static void balance(struct vm_page_pool *pool, unsigned *budget)
{
    struct vm_page *page = policy_oldest(pool, VM_PAGE_ACTIVE);
    if (!page || pool->count[VM_PAGE_INACTIVE] > all_pages(pool) / INACTIVE_PART)
        return;
    --*budget;
    policy_move(pool, page, policy_stays(pool, page) ? VM_PAGE_ACTIVE : VM_PAGE_INACTIVE);
}

/* NULL: the oldest of INACTIVE stays, on ACTIVE; or there is none. */
static struct vm_page *look_at_inactive(struct vm_page_pool *pool, unsigned *budget)
{
    struct vm_page *page = policy_oldest(pool, VM_PAGE_INACTIVE);
    if (!page)
        return NULL;
    --*budget;
    bool stays = policy_stays(pool, page);
    policy_move(pool, page, stays ? VM_PAGE_ACTIVE : VM_PAGE_INACTIVE);
    return stays ? NULL : page;
}

static struct vm_page *two_lists_victim(struct vm_page_pool *pool, unsigned *budget)
{
    struct vm_page *page = NULL;
    while (!page && *budget > 0 && all_pages(pool) > 0) {
        balance(pool, budget);
        if (*budget > 0)
            page = look_at_inactive(pool, budget);
    }
    return page;
}

static void two_lists_ghost(struct vm_page_pool *pool, const struct vm_page *page, uint64_t key)
{
    (void)page;
    vm_ghosts_add(&pool->ghosts, VM_GHOST_RECENT, key);
}

const struct vm_policy vm_policy_two_lists = {
    .name = "two-lists",
    .published = "Johnson and Shasha, VLDB 1994",
    .insert = two_lists_insert,
    .referenced = policy_set_referenced,
    .victim = two_lists_victim,
    .ghost = two_lists_ghost,
};
