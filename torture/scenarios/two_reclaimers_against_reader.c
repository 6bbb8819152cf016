/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

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
    .begin = scenario_two_pages,
    .actor = {{.name = "first", .run = scenario_reclaim},
              {.name = "second", .run = scenario_reclaim},
              {.name = "reader", .run = read}},
    .end = end,
    .swap = 64,
};
