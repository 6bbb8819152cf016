/* SPDX-License-Identifier: MIT */
/* The core's own policies on a trace: what vm/ has, on pages that are numbers. */
#include <stdlib.h>

#include "page.h"
#include "policies.h"

struct memory {
    struct vm_page_pool pool;
    struct vm_page *pages;
    bool *present;
    size_t left; /* frames */
};

/* Ghosts are as many as there are frames, or up to the next power of two. */
static void begin(struct memory *memory, const struct vm_policy *policy, size_t pages,
                  size_t capacity)
{
    size_t ghosts = 4;
    while (ghosts < capacity)
        ghosts *= 2;
    *memory = (struct memory){.pool = {.policy = policy, .can_swap = true}, .left = capacity};
    for (int state = 0; state < VM_PAGE_STATES; state++)
        memory->pool.queue[state].next = memory->pool.queue[state].prev =
            &memory->pool.queue[state];
    memory->pages = must_allocate(pages, sizeof(*memory->pages));
    memory->present = must_allocate(pages, sizeof(*memory->present));
    vm_ghosts_init(&memory->pool.ghosts, must_allocate(ghosts, sizeof(struct vm_ghost)), ghosts);
}

static void end(struct memory *memory)
{
    free(memory->pages);
    free(memory->present);
    free(memory->pool.ghosts.table);
}

static uint64_t key_of(const struct memory *memory, const struct vm_page *page)
{
    return vm_ghost_key(1, (uint64_t)(page - memory->pages));
}

static void evict(struct memory *memory)
{
    struct vm_page_pool *pool = &memory->pool;
    struct vm_page *page = NULL;
    while (!page) {
        unsigned budget = 64;
        page = pool->policy->victim(pool, &budget);
    }
    pool->policy->ghost(pool, page, key_of(memory, page));
    page_queue_remove(pool, page);
    memory->present[page - memory->pages] = false;
    memory->left++;
}

static void bring(struct memory *memory, struct vm_page *page)
{
    if (memory->left == 0)
        evict(memory);
    memory->left--;
    memory->present[page - memory->pages] = true;
    memory->pool.policy->insert(&memory->pool, page, key_of(memory, page));
}

static size_t count(const struct vm_policy *policy, const struct trace *trace, size_t capacity)
{
    struct memory memory;
    size_t misses = 0;
    begin(&memory, policy, trace->distinct, capacity);
    for (size_t i = 0; i < trace->count; i++) {
        struct vm_page *page = &memory.pages[trace->page[i]];
        if (memory.present[trace->page[i]]) {
            policy->referenced(&memory.pool, page);
        } else {
            bring(&memory, page);
            misses++;
        }
    }
    end(&memory);
    return misses;
}

size_t count_clock(const struct trace *trace, size_t capacity)
{
    return count(&vm_policy_clock, trace, capacity);
}

size_t count_two_lists(const struct trace *trace, size_t capacity)
{
    return count(&vm_policy_two_lists, trace, capacity);
}

size_t count_car(const struct trace *trace, size_t capacity)
{
    return count(&vm_policy_car, trace, capacity);
}
