/* SPDX-License-Identifier: MIT */
#include "store_lock.h"

#include <quire/host.h>

void store_lock(struct store_mutex *mutex)
{
    uint32_t free = 0;
    if (__atomic_compare_exchange_n(&mutex->word, &free, 1, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
        return;
    while (__atomic_exchange_n(&mutex->word, 2, __ATOMIC_ACQUIRE) != 0)
        (void)host_wait(&mutex->word, 2, VM_NO_DEADLINE, false);
}

void store_unlock(struct store_mutex *mutex)
{
    if (__atomic_exchange_n(&mutex->word, 0, __ATOMIC_RELEASE) == 2)
        host_wake(&mutex->word, 1);
}

static bool try_take(uint32_t *taken)
{
    uint32_t free = 0;
    return __atomic_compare_exchange_n(taken, &free, 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* pool->count: all are taken */
static uint32_t try_all(struct store_pool *pool)
{
    uint32_t place = 0;
    while (place < pool->count && !try_take(&pool->taken[place]))
        place++;
    return place;
}

/* A place that is given back behind the look at `turn` changes it; one before is found. */
uint32_t store_pool_take(struct store_pool *pool)
{
    uint32_t place = try_all(pool);
    if (place < pool->count)
        return place;
    __atomic_fetch_add(&pool->waiting, 1, __ATOMIC_SEQ_CST);
    for (;;) {
        uint32_t turn = __atomic_load_n(&pool->turn, __ATOMIC_SEQ_CST);
        place = try_all(pool);
        if (place < pool->count)
            break;
        (void)host_wait(&pool->turn, turn, VM_NO_DEADLINE, false);
    }
    __atomic_fetch_sub(&pool->waiting, 1, __ATOMIC_SEQ_CST);
    return place;
}

void store_pool_put(struct store_pool *pool, uint32_t place)
{
    __atomic_store_n(&pool->taken[place], 0, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&pool->turn, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&pool->waiting, __ATOMIC_SEQ_CST) > 0)
        host_wake(&pool->turn, 1);
}
