/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

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
    .begin = scenario_two_pages,
    .actor = {{.name = "reclaimer", .run = scenario_reclaim}, {.name = "writer", .run = write}},
    .end = end,
    .swap = 64,
};
