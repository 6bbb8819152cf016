/* SPDX-License-Identifier: MIT */
/* CLOCK: one queue is the circle, its head is where the hand is, and a referenced page gets another
 * round. It remembers nothing. */
#include "page.h"

static bool clock_insert(struct vm_page_pool *pool, struct vm_page *page, uint64_t key)
{
    (void)key;
    policy_add(pool, page, VM_PAGE_ACTIVE);
    return false;
}

static struct vm_page *clock_victim(struct vm_page_pool *pool, unsigned *budget)
{
    for (; *budget > 0; --*budget) {
        struct vm_page *page = policy_oldest(pool, VM_PAGE_ACTIVE);
        if (!page)
            return NULL;
        policy_move(pool, page, VM_PAGE_ACTIVE);
        if (!policy_stays(pool, page)) {
            --*budget;
            return page;
        }
    }
    return NULL;
}

static void clock_ghost(struct vm_page_pool *pool, const struct vm_page *page, uint64_t key)
{
    (void)pool;
    (void)page;
    (void)key;
}

const struct vm_policy vm_policy_clock = {
    .name = "clock",
    .published = "Corbato 1968",
    .insert = clock_insert,
    .referenced = policy_set_referenced,
    .victim = clock_victim,
    .ghost = clock_ghost,
};
