/* SPDX-License-Identifier: MIT */
/* How much of a region is in memory at most. Pages that are pinned don't count, nor do those that can't go by
 * themselves, since a snapshot has them, too. */
#include "regions.h"

#include <time.h>

#define CHUNK (64 * VM_PAGE_SIZE)

/* The core's region at or behind *at, up to `end`, that isn't pinned: *at to *last. */
static bool find_part(addr_t *at, addr_t end, addr_t *last)
{
    vm_region_info info;
    addr_t cookie = *at;
    while (cookie < end && vm_get_next_region_info(process.aid, &cookie, &info) == VM_OK &&
           info.base < end) {
        if (info.wiring != REGION_WIRING_LAZY)
            continue;
        *at = info.base > *at ? info.base : *at;
        *last = info.base + (info.size - 1);
        return true;
    }
    return false;
}

static size_t count_chunk(addr_t at, addr_t size)
{
    uint8_t resident[CHUNK / VM_PAGE_SIZE];
    size_t count = 0;
    if (vm_get_residency(process.aid, at, size, resident) == VM_OK)
        for (size_t i = 0; i < size / VM_PAGE_SIZE; i++)
            count += resident[i];
    return count;
}

static void page_out(addr_t first, addr_t end)
{
    if (first < end)
        (void)vm_advise_range(process.aid, first, end - first, VM_ADVICE_PAGEOUT);
}

/* How many pages have gone. */
static size_t evict_chunk(addr_t at, addr_t size, addr_t spare)
{
    size_t before = count_chunk(at, size);
    if (before == 0)
        return 0;
    bool is_in = spare - at < size;
    page_out(at, is_in ? spare : at + size);
    if (is_in)
        page_out(spare + VM_PAGE_SIZE, at + size);
    size_t after = count_chunk(at, size);
    return after < before ? before - after : 0;
}

/* Pages go, chunk by chunk in the order of addresses, up to `end`. How many have gone. */
static size_t evict_up_to(struct region *region, addr_t end, size_t pages, addr_t spare)
{
    addr_t at = region->base + region->hand, last;
    size_t freed = 0;
    while (freed < pages && find_part(&at, end, &last)) {
        addr_t left = (last < end ? last + 1 : end) - at, size = left < CHUNK ? left : CHUNK;
        freed += evict_chunk(at, size, spare);
        at += size;
    }
    region->hand = freed < pages ? 0 : at - region->base;
    return freed;
}

/* Once round at most. False: that wasn't enough. */
static bool evict(struct region *region, size_t pages, addr_t spare)
{
    addr_t begun = region->base + region->hand;
    size_t freed = evict_up_to(region, region->base + region->size, pages, spare);
    if (freed < pages)
        freed += evict_up_to(region, begun, pages - freed, spare);
    return freed >= pages;
}

/* Of all the core's regions that it was split into, but for those that are pinned. */
static size_t count_resident(const struct region *region)
{
    addr_t cookie = region->base, end = region->base + region->size;
    size_t pages = 0;
    vm_region_info info;
    while (cookie < end && vm_get_next_region_info(process.aid, &cookie, &info) == VM_OK &&
           info.base < end)
        if (info.wiring == REGION_WIRING_LAZY)
            pages += info.resident_pages;
    return pages;
}

/* What counts before the next look: what was there at the last, and may be. Both are read without the lock. */
static void set_counts(struct region *region, size_t resident, size_t staying)
{
    __atomic_store_n(&region->resident, resident, __ATOMIC_RELAXED);
    __atomic_store_n(&region->staying, staying, __ATOMIC_RELAXED);
    __atomic_store_n(&region->brought, 0, __ATOMIC_RELAXED);
}

/* => limit_lock. What stays although it should go is tried again, more of it each time, since some day it may. */
static void keep(struct region *region, size_t limit, addr_t spare)
{
    size_t staying = region->staying, most = limit - limit / 8 + staying;
    size_t now = count_resident(region);
    if (now > most && !evict(region, now - most, spare))
        most = now = staying = count_resident(region);
    else
        staying -= (staying + 7) / 8;
    set_counts(region, now < most ? now : most, staying);
}

/* With what one fault brings, which is `most`. */
static bool is_over(const struct region *region, size_t limit, size_t most)
{
    size_t brought = __atomic_load_n(&region->brought, __ATOMIC_RELAXED);
    size_t resident = __atomic_load_n(&region->resident, __ATOMIC_RELAXED);
    size_t staying = __atomic_load_n(&region->staying, __ATOMIC_RELAXED);
    return resident + brought + most > limit + staying;
}

#define PAUSE_NS 50000
#define MOST_PAUSES 400

/* Threads that go on bringing pages while one evicts would outrun it; but a store that uses the region which it
 * writes for must not wait for itself, so nobody waits long. */
void limit_count(struct region *region, size_t limit, size_t most, addr_t spare)
{
    struct timespec pause = {0, PAUSE_NS};
    __atomic_fetch_add(&region->brought, most, __ATOMIC_RELAXED);
    for (unsigned pauses = 0; is_over(region, limit, most); pauses++) {
        if (try_lock(&region->limit_lock)) {
            if (is_over(region, limit, most))
                keep(region, limit, spare);
            unlock(&region->limit_lock);
            return;
        }
        if (pauses == MOST_PAUSES)
            return;
        (void)nanosleep(&pause, NULL);
    }
}

void limit_look(struct region *region)
{
    size_t limit = __atomic_load_n(&region->limit, __ATOMIC_RELAXED);
    if (limit == 0)
        return;
    __atomic_store_n(&region->brought, limit, __ATOMIC_RELAXED);
    limit_count(region, limit, 1, NO_PAGE);
}
