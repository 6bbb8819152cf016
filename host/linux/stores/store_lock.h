/* SPDX-License-Identifier: MIT */
/* What the stores wait with: the host's hooks, so that a simulated CPU that waits lets others go on. */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include <quire/types.h>

struct store_mutex {
    uint32_t word; /* 0 free, 1 held, 2 held and waited for */
};

void store_lock(struct store_mutex *mutex);
void store_unlock(struct store_mutex *mutex);

/* Places that are taken one by one, by whoever comes; who finds none waits. */
#define STORE_POOL_MOST 64
struct store_pool {
    uint32_t count;
    uint32_t taken[STORE_POOL_MOST];
    uint32_t turn; /* counts places given back */
    uint32_t waiting;
};

uint32_t store_pool_take(struct store_pool *pool);
void store_pool_put(struct store_pool *pool, uint32_t place);

#endif
