/* SPDX-License-Identifier: MIT */
/* CLOCK: one queue and one hand. F. Corbato: A paging experiment with the Multics system, 1968. */
#include "page.h"

static bool insert(struct vm_page_pool *pool, struct vm_page *page, uint64_t key)
{
    (void)key;
    page_queue_append(pool, page, VM_PAGE_ACTIVE);
    return false;
}

static void referenced(struct vm_page_pool *pool, struct vm_page *page)
{
    (void)pool;
    __atomic_store_n(&page->referenced, 1, __ATOMIC_RELAXED);
}

static struct vm_page *victim(struct vm_page_pool *pool, unsigned *budget)
{
    while (*budget > 0) {
        /* What was made inactive by advice goes first. */
        int state = pool->count[VM_PAGE_INACTIVE] > 0 ? VM_PAGE_INACTIVE : VM_PAGE_ACTIVE;
        if (pool->count[state] == 0)
            return NULL;
        struct vm_page *page = pool->queue[state].next;
        (*budget)--;
        bool used = __atomic_exchange_n(&page->referenced, 0, __ATOMIC_RELAXED);
        page_queue_remove(pool, page);
        page_queue_append(pool, page, VM_PAGE_ACTIVE);
        if (!used && policy_may_go(pool, page))
            return page;
    }
    return NULL;
}

static void ghost(struct vm_page_pool *pool, const struct vm_page *page, uint64_t key)
{
    (void)pool, (void)page, (void)key;
}

const struct vm_policy vm_policy_clock = {
    .name = "CLOCK",
    .published = "F. Corbato: A paging experiment with the Multics system, MIT 1968",
    .insert = insert,
    .referenced = referenced,
    .victim = victim,
    .ghost = ghost,
};
