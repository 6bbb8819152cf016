/* SPDX-License-Identifier: MIT */
/* CAR: clock with adaptive replacement. S. Bansal and D. Modha, FAST 2004, figure 2. INACTIVE is T1, pages
 * accessed once of late; ACTIVE is T2, those accessed again; the ghosts are B1 and B2. The capacity c is what
 * is on the two queues now. Ghosts aren't counted but aged: the youngest of each list, up to its limit. */
#include "page.h"

static size_t capacity(const struct vm_page_pool *pool)
{
    size_t pages = pool->count[VM_PAGE_INACTIVE] + pool->count[VM_PAGE_ACTIVE];
    return pages > 0 ? pages : 1;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* A step of the target: the longer the other list of ghosts is than the one that was hit, the larger. */
static size_t step(const struct vm_ghosts *ghosts, enum vm_ghost_list hit, enum vm_ghost_list other)
{
    size_t of_hit = ghosts->count[hit] + 1, of_other = ghosts->count[other];
    return of_other > of_hit ? of_other / of_hit : 1;
}

static enum vm_ghost_list take_ghost(struct vm_page_pool *pool, uint64_t key)
{
    size_t c = capacity(pool), recent = pool->count[VM_PAGE_INACTIVE];
    size_t b1 = c - smaller(recent, c);
    size_t limit[3] = {0, b1, c - smaller(smaller(b1, pool->ghosts.count[VM_GHOST_RECENT]), c)};
    return vm_ghosts_take(&pool->ghosts, key, limit);
}

static bool insert(struct vm_page_pool *pool, struct vm_page *page, uint64_t key)
{
    enum vm_ghost_list ghost = take_ghost(pool, key);
    if (ghost == VM_GHOST_RECENT)
        pool->target = smaller(
            pool->target + step(&pool->ghosts, VM_GHOST_RECENT, VM_GHOST_FREQUENT), capacity(pool));
    else if (ghost == VM_GHOST_FREQUENT)
        pool->target -=
            smaller(step(&pool->ghosts, VM_GHOST_FREQUENT, VM_GHOST_RECENT), pool->target);
    page_queue_append(pool, page, ghost == VM_GHOST_NONE ? VM_PAGE_INACTIVE : VM_PAGE_ACTIVE);
    return ghost != VM_GHOST_NONE;
}

static void referenced(struct vm_page_pool *pool, struct vm_page *page)
{
    (void)pool;
    __atomic_store_n(&page->referenced, 1, __ATOMIC_RELAXED);
}

/* The queue whose hand moves next. */
static int queue_of_victim(const struct vm_page_pool *pool)
{
    size_t recent = pool->count[VM_PAGE_INACTIVE];
    bool from_recent = recent > 0 && recent >= (pool->target > 0 ? pool->target : 1);
    return from_recent || pool->count[VM_PAGE_ACTIVE] == 0 ? VM_PAGE_INACTIVE : VM_PAGE_ACTIVE;
}

static struct vm_page *victim(struct vm_page_pool *pool, unsigned *budget)
{
    for (; *budget > 0; (*budget)--) {
        int state = queue_of_victim(pool);
        if (pool->count[state] == 0)
            return NULL;
        struct vm_page *page = pool->queue[state].next;
        bool used = __atomic_exchange_n(&page->referenced, 0, __ATOMIC_RELAXED);
        page_queue_remove(pool, page);
        page_queue_append(pool, page, used ? VM_PAGE_ACTIVE : state);
        if (!used && policy_may_go(pool, page)) {
            (*budget)--;
            return page;
        }
    }
    return NULL;
}

static void ghost(struct vm_page_pool *pool, const struct vm_page *page, uint64_t key)
{
    vm_ghosts_add(&pool->ghosts,
                  page->state == VM_PAGE_ACTIVE ? VM_GHOST_FREQUENT : VM_GHOST_RECENT, key);
}

const struct vm_policy vm_policy_car = {
    .name = "CAR",
    .published = "S. Bansal, D. Modha: CAR: Clock with Adaptive Replacement, FAST 2004",
    .insert = insert,
    .referenced = referenced,
    .victim = victim,
    .ghost = ghost,
};
