/* SPDX-License-Identifier: MIT */
#include "perform.h"

#define STRANGE ((size_t)0xdead000000000000)

static void twist(const struct call *call, struct range *range)
{
    const struct region *region = range->region;
    range->error = ERR_VM_INVALID_REGION;
    switch (call->twist) {
    case TWIST_EMPTY:
        range->size = 0;
        range->error = ERR_INVALID_ARGS;
        return;
    case TWIST_LONG:
        range->size = (region->pages - range->first) * PAGE + 1;
        return;
    case TWIST_HUGE:
        range->size = SIZE_MAX - call->argument[3] % 3;
        return;
    case TWIST_BEHIND:
        range->at = region->at + region->pages * PAGE;
        return;
    case TWIST_NULL:
        range->at = NULL;
        return;
    case TWIST_FOREIGN:
        range->at = (unsigned char *)&world;
        return;
    case TWIST_STRANGE:
        range->at = (unsigned char *)STRANGE; // NOLINT(performance-no-int-to-ptr)
        return;
    case TWIST_UNALIGNED:
        range->at += 5;
        range->size -= 5 + call->argument[3] % 100;
        break;
    default:
        break;
    }
    range->error = VM_OK;
}

struct range perform_range(const struct call *call)
{
    struct range range = {.region = world_choose(call->argument[0])};
    if (range.region == NULL)
        return range;
    range.first = call->argument[1] % range.region->pages;
    range.count = 1 + call->argument[2] % (range.region->pages - range.first);
    range.at = range.region->at + range.first * PAGE;
    range.size = range.count * PAGE;
    twist(call, &range);
    return range;
}

void perform_mark(const struct range *range, uint8_t set, uint8_t clear)
{
    for (size_t i = range->first; i < range->first + range->count; i++) {
        uint8_t *page = &range->region->page[i];
        *page = (uint8_t)((*page & ~clear) | set);
    }
}

bool perform_any(const struct range *range, uint8_t flags)
{
    for (size_t i = range->first; i < range->first + range->count; i++)
        if (range->region->page[i] & flags)
            return true;
    return false;
}

/* ---- failures ----------------------------------------------------------------------------------- */

/* What a page of the region's shows may be zeros from here on. */
static void may_poison(const struct disk *disk)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct region *region = &world.region[i];
        if (region->at == NULL || region->from != disk || !region->poisons)
            continue;
        for (size_t page = 0; page < region->pages; page++)
            region->page[page] |= PAGE_MAY_BE_ZERO | PAGE_MAY_COME_BACK;
    }
}

static void make_fail(const struct call *call)
{
    struct disk *disk = world.disk[call->argument[0] % DISKS];
    if (disk == NULL || call->argument[1] % 4 == 0)
        disk = world.swap;
    uint32_t *times = call->kind == CALL_FAIL_READS ? &disk->fail_reads : &disk->fail_writes;
    if (call->kind == CALL_FAIL_READS)
        may_poison(disk);
    outcome->failures++;
    world.ever_failing = true;
    __atomic_store_n(times, 1 + call->argument[2] % 3, __ATOMIC_RELAXED);
}

/* ---- all ---------------------------------------------------------------------------------------- */

void perform_call(const struct call *call)
{
    outcome->operations++;
    if (call->kind <= CALL_RESTART)
        perform_on_regions(call);
    else if (call->kind <= CALL_ADD)
        perform_access(call);
    else if (call->kind <= CALL_LIMIT)
        perform_on_range(call);
    else if (call->kind <= CALL_PEEK || call->kind == CALL_FORK)
        perform_system_call(call);
    else if (call->kind <= CALL_FAIL_WRITES)
        make_fail(call);
    else if (call->kind == CALL_FAIL_NOTHING)
        world_fail_nothing();
    else
        world_compare();
}
