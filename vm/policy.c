/* SPDX-License-Identifier: MIT */
/* What the policies share. */
#include "page.h"

struct vm_page *policy_oldest(const struct vm_page_pool *pool, int state)
{
    return pool->count[state] > 0 ? pool->queue[state].next : NULL;
}

void policy_add(struct vm_page_pool *pool, struct vm_page *page, int state)
{
    __atomic_store_n(&page->referenced, 0, __ATOMIC_RELAXED);
    page_queue_append(pool, page, state);
}

void policy_move(struct vm_page_pool *pool, struct vm_page *page, int state)
{
    page_queue_remove(pool, page);
    page_queue_append(pool, page, state);
}

void policy_set_referenced(struct vm_page_pool *pool, struct vm_page *page)
{
    (void)pool;
    __atomic_store_n(&page->referenced, 1, __ATOMIC_RELAXED);
}

bool policy_stays(const struct vm_page_pool *pool, struct vm_page *page)
{
    bool referenced = __atomic_exchange_n(&page->referenced, 0, __ATOMIC_RELAXED);
    return referenced || !policy_may_go(pool, page);
}
