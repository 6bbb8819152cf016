/* SPDX-License-Identifier: MIT */
/* Two lists: a page begins as inactive, is active once it is accessed again, and inactive again where the
 * active ones are the larger part. After T. Johnson and D. Shasha's 2Q, VLDB 1994, without its ghosts. */
#include "page.h"

static bool insert(struct vm_page_pool *pool, struct vm_page *page, uint64_t key)
{
    (void)key;
    page_queue_append(pool, page, VM_PAGE_INACTIVE);
    return false;
}

static void referenced(struct vm_page_pool *pool, struct vm_page *page)
{
    (void)pool;
    __atomic_store_n(&page->referenced, 1, __ATOMIC_RELAXED);
}

/* The oldest of `state` goes to the tail of `used`, or of `idle`, by whether it was accessed. */
static struct vm_page *turn(struct vm_page_pool *pool, int state, int used, int idle,
                            bool *was_used)
{
    struct vm_page *page = pool->queue[state].next;
    *was_used = __atomic_exchange_n(&page->referenced, 0, __ATOMIC_RELAXED);
    page_queue_remove(pool, page);
    page_queue_append(pool, page, *was_used ? used : idle);
    return page;
}

static struct vm_page *victim(struct vm_page_pool *pool, unsigned *budget)
{
    bool used;
    for (; *budget > 0; (*budget)--) {
        if (pool->count[VM_PAGE_ACTIVE] > pool->count[VM_PAGE_INACTIVE]) {
            (void)turn(pool, VM_PAGE_ACTIVE, VM_PAGE_ACTIVE, VM_PAGE_INACTIVE, &used);
            continue;
        }
        if (pool->count[VM_PAGE_INACTIVE] == 0)
            return NULL;
        struct vm_page *page =
            turn(pool, VM_PAGE_INACTIVE, VM_PAGE_ACTIVE, VM_PAGE_INACTIVE, &used);
        if (!used && policy_may_go(pool, page)) {
            (*budget)--;
            return page;
        }
    }
    return NULL;
}

static void ghost(struct vm_page_pool *pool, const struct vm_page *page, uint64_t key)
{
    (void)pool, (void)page, (void)key;
}

const struct vm_policy vm_policy_two_lists = {
    .name = "two lists",
    .published = "T. Johnson, D. Shasha: 2Q, VLDB 1994",
    .insert = insert,
    .referenced = referenced,
    .victim = victim,
    .ghost = ghost,
};
