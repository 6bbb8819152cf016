/* SPDX-License-Identifier: MIT */
/* Which page goes when memory is short. A policy is a table of functions over two queues, ACTIVE and
 * INACTIVE, of which the oldest page is at the head, and over ghosts: what it remembers of pages that
 * have gone. All is guarded by the page lock. */
#ifndef VM_POLICY_H
#define VM_POLICY_H

#include <quire/types.h>

struct vm_page;
struct vm_page_pool;

struct vm_policy {
    const char *name;
    const char *published; /* where the algorithm is from */
    /* A page that is on no queue has come; `key` names its place (vm_ghost_key). Puts it on a queue.
     * Whether a ghost of it was there: it had gone not long ago. */
    bool (*insert)(struct vm_page_pool *pool, struct vm_page *page, uint64_t key);
    /* The page has been accessed, at most once in a generation. */
    void (*referenced)(struct vm_page_pool *pool, struct vm_page *page);
    /* The page to go next, which is on its queue still, but at the tail; or NULL. Looks at no more than
     * *budget pages, and takes those off it. Pages that can't go (policy_may_go) are passed over. NULL
     * with some budget left: there are no pages. */
    struct vm_page *(*victim)(struct vm_page_pool *pool, unsigned *budget);
    /* The page goes, from its queue or, where it had to be written first (vm_page.was_active), not long after
     * it was taken off it. */
    void (*ghost)(struct vm_page_pool *pool, const struct vm_page *page, uint64_t key);
};

/* CAR (the default), CLOCK, and two lists. */
extern const struct vm_policy vm_policy_car, vm_policy_clock, vm_policy_two_lists;

/* Ghosts: a table of as many as there are frames, 8 bytes each, found by a hash of the key. In two
 * lists; a new one takes the place of the oldest of its set of four. */
enum vm_ghost_list { VM_GHOST_NONE, VM_GHOST_RECENT, VM_GHOST_FREQUENT, VM_GHOST_LISTS };

struct vm_ghost {
    uint32_t tag; /* of the key, and the list; 0: empty */
    uint32_t age; /* the list's `added` when it came */
};

struct vm_ghosts {
    struct vm_ghost *table;
    size_t size;                                           /* a power of two, at least 4 */
    uint32_t count[VM_GHOST_LISTS], added[VM_GHOST_LISTS]; /* in the table; ever */
};

/* What a place in a cache is called: `serial` is the cache's. */
static inline uint64_t vm_ghost_key(uint64_t serial, uint64_t offset)
{
    uint64_t key = (serial * 0x9e3779b97f4a7c15u) ^ (offset * 0xc2b2ae3d27d4eb4fu);
    key ^= key >> 29;
    key *= 0xbf58476d1ce4e5b9u;
    return key ^ (key >> 32);
}

/* `memory` has `size` zeroed ghosts. */
void vm_ghosts_init(struct vm_ghosts *ghosts, struct vm_ghost *memory, size_t size);
void vm_ghosts_add(struct vm_ghosts *ghosts, enum vm_ghost_list list, uint64_t key);
/* The key is about to be looked for. */
void vm_ghosts_prefetch(const struct vm_ghosts *ghosts, uint64_t key);
/* Takes the ghost of `key` out, if it is there and among the `limit` youngest of its list, and says on
 * which it was; limit[list]. */
enum vm_ghost_list vm_ghosts_take(struct vm_ghosts *ghosts, uint64_t key,
                                  const size_t limit[VM_GHOST_LISTS]);

/* The queues: pages come at the tail. */
void page_queue_append(struct vm_page_pool *pool, struct vm_page *page, int state);
void page_queue_remove(struct vm_page_pool *pool, struct vm_page *page);

/* What the policies share. */
struct vm_page *policy_oldest(const struct vm_page_pool *pool, int state);
/* A page that has come: what referenced it before doesn't count. */
void policy_add(struct vm_page_pool *pool, struct vm_page *page, int state);
void policy_move(struct vm_page_pool *pool, struct vm_page *page, int state);
void policy_set_referenced(struct vm_page_pool *pool, struct vm_page *page);
/* The hand passes: whether the page stays, since it has been referenced or may not go. */
bool policy_stays(const struct vm_page_pool *pool, struct vm_page *page);

#endif
