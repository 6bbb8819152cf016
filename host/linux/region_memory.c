/* SPDX-License-Identifier: MIT */
/* Memory of regions stays regions': a fault that comes late still uses the one that it has found, which another thread
 * has unmapped meanwhile. What it looks at then is wrong for its address, and what it counts is a count too many; in a
 * structure of the core's it would be a broken one. */
#include "regions.h"

static struct region *unused;
static uint32_t unused_lock;

void region_memory_start(void)
{
    unused = NULL;
    unused_lock = 0;
}

void region_memory_stop(void)
{
    for (struct region *next, *region = unused; region; region = next) {
        next = region->next_unused;
        vm_meta_free(region, sizeof *region);
    }
    unused = NULL;
}

struct region *region_allocate(void)
{
    lock(&unused_lock);
    struct region *region = unused;
    if (region)
        unused = region->next_unused;
    unlock(&unused_lock);
    return region ? region : vm_meta_alloc(sizeof *region);
}

void region_free(struct region *region)
{
    lock(&unused_lock);
    region->next_unused = unused;
    unused = region;
    unlock(&unused_lock);
}
