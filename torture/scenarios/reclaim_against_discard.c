/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static int discard(void)
{
    return vm_discard_range(program, SPOT, PAGE);
}

static void end(void)
{
    MUST(scenario_result(1) == VM_OK, "the discard failed: %d", scenario_result(1));
    scenario_expect(SPOT, 0);
    scenario_expect(SPOT + PAGE, 2);
}

const struct scenario scenario_reclaim_against_discard = {
    .name = "reclaim-against-discard",
    .text = "a page is discarded while it goes to swap: it doesn't come back",
    .begin = scenario_two_pages,
    .actor = {{.name = "reclaimer", .run = scenario_reclaim},
              {.name = "discarder", .run = discard}},
    .end = end,
    .swap = 64,
};
