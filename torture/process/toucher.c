/* SPDX-License-Identifier: MIT */
#include "toucher.h"

#include "access.h"
#include "call.h"
#include "world.h"

static pthread_t thread;
static bool runs;
static uint32_t stop;

/* A disk that fails is SIGBUS here, too. */
static void touch(uint64_t *seed)
{
    const struct region *region = world_choose((uint32_t)call_random(seed));
    size_t page = region != NULL ? call_random(seed) % region->pages : 0;
    if (region != NULL && page_is_readable(region, page))
        (void)access_touch(region->at + page * PAGE);
}

static void *touch_on(void *unused)
{
    uint64_t seed = world.way.seed;
    (void)unused;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        pthread_mutex_lock(&world.coming);
        touch(&seed);
        pthread_mutex_unlock(&world.coming);
    }
    return NULL;
}

void toucher_start(unsigned threads)
{
    stop = 0;
    runs = threads > 0;
    if (runs && pthread_create(&thread, NULL, touch_on, NULL) != 0)
        violation("there is no thread to be had");
}

void toucher_stop(void)
{
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    if (runs)
        pthread_join(thread, NULL);
    runs = false;
}
