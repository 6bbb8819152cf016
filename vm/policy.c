/* SPDX-License-Identifier: MIT */
/* What the policies share. */
#include "cache.h"

/* Nothing shows through its cache, so if it was never written it is zeros, as what comes in its place. The
 * cache is memory as long as the page lock is held. */
static bool may_be_zeros(const struct vm_page *page)
{
    const vm_cache *cache = __atomic_load_n(&page->cache, __ATOMIC_ACQUIRE);
    return !page->modified && cache && !__atomic_load_n(&cache->source, __ATOMIC_RELAXED);
}

bool policy_may_go(const struct vm_page_pool *pool, const struct vm_page *page)
{
    if (page->is_file)
        return !page->no_write;
    return pool->can_swap || page->swap != 0 || page->discardable || may_be_zeros(page);
}

/* The next but one: what takes the oldest off its queue comes to the next. */
struct vm_page *policy_oldest(const struct vm_page_pool *pool, int state)
{
    if (pool->count[state] == 0)
        return NULL;
    struct vm_page *oldest = pool->queue[state].next;
    __builtin_prefetch(oldest->next->next, 1);
    return oldest;
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
