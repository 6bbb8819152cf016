/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 1);
}

static int reclaim(void)
{
    (void)vm_reclaim(2);
    return VM_OK;
}

static int write(void)
{
    return sim_write_byte(SPOT, 11);
}

static void end(void)
{
    MUST(scenario_result(1) == VM_OK, "the write failed: %d", scenario_result(1));
    scenario_expect(SPOT, 11);
    scenario_expect(SPOT + PAGE, 2);
}

const struct scenario scenario_reclaim_against_writer = {
    .name = "reclaim-against-writer",
    .text = "a page goes while it is written: what is written is there",
    .begin = begin,
    .actor = {{.name = "reclaimer", .run = reclaim}, {.name = "writer", .run = write}},
    .end = end,
    .swap = 64,
};
