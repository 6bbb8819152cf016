/* SPDX-License-Identifier: MIT */
/* Policies to compare with, as they were published: LRU; CAR with exact ghosts (Bansal and Modha, FAST
 * 2004); SIEVE (Zhang and others, NSDI 2024); S3-FIFO (Yang and others, SOSP 2023) with one bit a page,
 * since an MMU counts no accesses. */
#include <stdlib.h>

#include "policies.h"

enum { NOWHERE, FIRST, SECOND, FIRST_GHOSTS, SECOND_GHOSTS, LISTS };

struct node {
    uint32_t next, prev;
    uint8_t list, referenced;
};

/* Lists of pages, the oldest first. A page is on one; node[pages + list] is the list itself. */
struct lists {
    struct node *node;
    uint32_t pages;
    size_t capacity, count[LISTS];
};

static struct lists lists_begin(const struct trace *trace, size_t capacity)
{
    struct lists lists = {.pages = trace->distinct, .capacity = capacity};
    lists.node = must_allocate((size_t)lists.pages + LISTS, sizeof(struct node));
    for (uint32_t list = 0; list < LISTS; list++) {
        struct node *head = &lists.node[lists.pages + list];
        head->next = head->prev = lists.pages + list;
    }
    return lists;
}

static void leave(struct lists *lists, uint32_t page)
{
    struct node *node = &lists->node[page];
    lists->node[node->prev].next = node->next;
    lists->node[node->next].prev = node->prev;
    lists->count[node->list]--;
    node->list = NOWHERE;
}

static void move_to(struct lists *lists, uint32_t page, uint8_t list)
{
    struct node *node = &lists->node[page];
    if (node->list != NOWHERE)
        leave(lists, page);
    uint32_t head = lists->pages + list;
    *node = (struct node){.next = head, .prev = lists->node[head].prev, .list = list};
    lists->node[node->prev].next = page;
    lists->node[head].prev = page;
    lists->count[list]++;
}

static uint32_t oldest(const struct lists *lists, uint8_t list)
{
    return lists->node[lists->pages + list].next;
}

static bool is_full(const struct lists *lists)
{
    return lists->count[FIRST] + lists->count[SECOND] == lists->capacity;
}

static bool is_present(const struct lists *lists, uint32_t page)
{
    return lists->node[page].list == FIRST || lists->node[page].list == SECOND;
}

/* Misses, where a hit sets the page's bit and `bring` does all else. */
static size_t count_with(const struct trace *trace, size_t capacity,
                         void (*bring)(struct lists *lists, uint32_t page, size_t *state))
{
    struct lists lists = lists_begin(trace, capacity);
    size_t misses = 0, state = 0;
    for (size_t i = 0; i < trace->count; i++) {
        if (is_present(&lists, trace->page[i])) {
            lists.node[trace->page[i]].referenced = 1;
        } else {
            bring(&lists, trace->page[i], &state);
            misses++;
        }
    }
    free(lists.node);
    return misses;
}

/* ---- LRU ---------------------------------------------------------------------------------------- */

size_t count_lru(const struct trace *trace, size_t capacity)
{
    struct lists lists = lists_begin(trace, capacity);
    size_t misses = 0;
    for (size_t i = 0; i < trace->count; i++) {
        bool present = is_present(&lists, trace->page[i]);
        if (!present && is_full(&lists))
            leave(&lists, oldest(&lists, FIRST));
        move_to(&lists, trace->page[i], FIRST);
        misses += !present;
    }
    free(lists.node);
    return misses;
}

/* ---- CAR: T1, T2, B1 and B2 are FIRST, SECOND and their ghosts --------------------------------------- */

static void car_replace(struct lists *lists, size_t target)
{
    for (;;) {
        bool first = lists->count[FIRST] >= (target > 1 ? target : 1);
        uint32_t page = oldest(lists, first ? FIRST : SECOND);
        if (!lists->node[page].referenced) {
            move_to(lists, page, first ? FIRST_GHOSTS : SECOND_GHOSTS);
            return;
        }
        move_to(lists, page, SECOND);
    }
}

static void car_make_room_for_ghosts(struct lists *lists)
{
    size_t all = 0;
    for (int list = FIRST; list < LISTS; list++)
        all += lists->count[list];
    if (lists->count[FIRST] + lists->count[FIRST_GHOSTS] == lists->capacity)
        leave(lists, oldest(lists, FIRST_GHOSTS));
    else if (all == 2 * lists->capacity)
        leave(lists, oldest(lists, SECOND_GHOSTS));
}

static void car_adapt(const struct lists *lists, bool first, size_t *target)
{
    size_t of = lists->count[first ? FIRST_GHOSTS : SECOND_GHOSTS];
    size_t step = lists->count[first ? SECOND_GHOSTS : FIRST_GHOSTS] / of;
    step = step > 1 ? step : 1;
    if (first)
        *target = *target + step < lists->capacity ? *target + step : lists->capacity;
    else
        *target -= step < *target ? step : *target;
}

static void car_bring(struct lists *lists, uint32_t page, size_t *target)
{
    bool is_ghost = lists->node[page].list != NOWHERE;
    if (is_full(lists)) {
        car_replace(lists, *target);
        if (!is_ghost)
            car_make_room_for_ghosts(lists);
    }
    if (is_ghost)
        car_adapt(lists, lists->node[page].list == FIRST_GHOSTS, target);
    move_to(lists, page, is_ghost ? SECOND : FIRST);
}

size_t count_exact_car(const struct trace *trace, size_t capacity)
{
    return count_with(trace, capacity, car_bring);
}

/* ---- SIEVE -------------------------------------------------------------------------------------- */

/* *hand is the page where it is and 1; 0 is the oldest. */
static void sieve_bring(struct lists *lists, uint32_t page, size_t *hand)
{
    if (is_full(lists)) {
        uint32_t head = lists->pages + FIRST;
        uint32_t at = *hand > 0 ? (uint32_t)(*hand - 1) : oldest(lists, FIRST);
        while (at == head || lists->node[at].referenced) {
            lists->node[at].referenced = 0;
            at = lists->node[at].next;
        }
        uint32_t next = lists->node[at].next;
        *hand = next == head ? 0 : (size_t)next + 1;
        leave(lists, at);
    }
    move_to(lists, page, FIRST);
}

size_t count_sieve(const struct trace *trace, size_t capacity)
{
    return count_with(trace, capacity, sieve_bring);
}

/* ---- S3-FIFO: FIRST is its small queue, a tenth; SECOND the main one -------------------------------- */

/* Whether a page has gone. */
static bool s3_fifo_look(struct lists *lists)
{
    bool small = lists->count[FIRST] > 0 &&
                 (lists->count[FIRST] * 10 >= lists->capacity || lists->count[SECOND] == 0);
    uint32_t page = oldest(lists, small ? FIRST : SECOND);
    if (lists->node[page].referenced) {
        move_to(lists, page, SECOND);
        return false;
    }
    if (small)
        move_to(lists, page, FIRST_GHOSTS);
    else
        leave(lists, page);
    if (lists->count[FIRST_GHOSTS] > lists->capacity - lists->capacity / 10)
        leave(lists, oldest(lists, FIRST_GHOSTS));
    return true;
}

static void s3_fifo_bring(struct lists *lists, uint32_t page, size_t *unused)
{
    (void)unused;
    bool is_ghost = lists->node[page].list == FIRST_GHOSTS;
    if (is_full(lists))
        while (!s3_fifo_look(lists))
            ;
    move_to(lists, page, is_ghost ? SECOND : FIRST);
}

size_t count_s3_fifo(const struct trace *trace, size_t capacity)
{
    return count_with(trace, capacity, s3_fifo_bring);
}
