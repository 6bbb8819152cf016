/* SPDX-License-Identifier: MIT */
/* What may happen to the requests to a file or a device: they fail, or wait, on request. */
#include "internal.h"

#define MOST_STEPS 400 /* of a page, where writes take long */

static unsigned stop_at; /* pages until the machine stops; 0: it doesn't */
static uint64_t order;   /* of the pages of a write; 0: ascending, and at once */
static bool stopped;
static enum sim_disk disk;
static uint64_t pages_written;

int request_failure(struct request_plan *plan)
{
    if (plan->next == 0)
        return VM_OK;
    if (plan->next > 1) {
        plan->next--;
        return VM_OK;
    }
    if (plan->times == 0)
        return VM_OK;
    plan->times--;
    return plan->error;
}

void request_block(uint32_t *blocked, bool block)
{
    *blocked = block;
    if (!block)
        host_wake(blocked, UINT32_MAX);
}

void request_wait(uint32_t *blocked, unsigned *waiting)
{
    (*waiting)++;
    while (*blocked != 0)
        (void)host_wait(blocked, 1, VM_NO_DEADLINE, false);
    (*waiting)--;
}

/* ---- writes, page by page ----------------------------------------------------------------------- */

void request_start(void)
{
    stop_at = 0;
    order = 0;
    stopped = false;
    disk = SIM_DISK_SOUND;
    pages_written = 0;
}

void sim_stop_at_write(unsigned n, uint64_t seed)
{
    stop_at = n;
    order = seed;
}

bool sim_is_stopped(void)
{
    return stopped;
}

uint64_t sim_pages_written(void)
{
    return pages_written;
}

void sim_break_disks(enum sim_disk how)
{
    disk = how;
}

enum sim_disk request_disk(void)
{
    /* Not each time: who writes again what he has just written would mend it. */
    return pages_written % 3 == 0 ? disk : SIM_DISK_SOUND;
}

static size_t pick(size_t limit)
{
    order = order * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(order >> 33) % limit;
}

void request_page_begins(void)
{
    size_t steps = order != 0 && pick(2) == 0 ? pick(MOST_STEPS) : 1;
    while (steps-- > 0)
        fiber_step();
}

void request_order(size_t *index, size_t count)
{
    for (size_t i = 0; i < count; i++)
        index[i] = i;
    for (size_t i = count; order != 0 && i > 1; i--) {
        size_t other = pick(i), kept = index[i - 1];
        index[i - 1] = index[other];
        index[other] = kept;
    }
}

void request_page_written(void)
{
    pages_written++;
    if (stop_at == 0 || --stop_at > 0)
        return;
    stopped = true;
    sim_fail("the machine was stopped at a write");
}
