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

static int read(void)
{
    return sim_read_byte(SPOT + PAGE);
}

static void end(void)
{
    MUST(scenario_either(scenario_result(2), 2, 2), "the reader saw %d", scenario_result(2));
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT + PAGE, 2);
}

const struct scenario scenario_two_reclaimers_against_reader = {
    .name = "two-reclaimers-against-reader",
    .text =
        "two who reclaim and one who reads meet at the same pages: each byte is what was written",
    .begin = begin,
    .actor = {{.name = "first", .run = reclaim},
              {.name = "second", .run = reclaim},
              {.name = "reader", .run = read}},
    .end = end,
    .swap = 64,
};
