/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 1);
    (void)vm_reclaim(2);
}

static int read(void)
{
    return sim_read_byte(SPOT);
}

static int discard(void)
{
    return vm_discard_range(program, SPOT, PAGE);
}

static void end(void)
{
    MUST(scenario_either(scenario_result(0), 0, 1), "the reader saw %d", scenario_result(0));
    MUST(scenario_result(1) == VM_OK, "the discard failed: %d", scenario_result(1));
    scenario_expect(SPOT, 0);
    scenario_expect(SPOT + PAGE, 2);
}

const struct scenario scenario_page_in_against_discard = {
    .name = "page-in-against-discard",
    .text = "a page is discarded while it comes from swap: it was there, or is zeros, and then is "
            "zeros",
    .begin = begin,
    .actor = {{.name = "reader", .run = read}, {.name = "discarder", .run = discard}},
    .end = end,
    .swap = 64,
};
