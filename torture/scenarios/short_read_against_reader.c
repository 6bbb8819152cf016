/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define SHORT 100

static sim_file *file;

static void begin(void)
{
    file = scenario_file(SPOT, 2, LOCK_RO, REGION_NO_PRIVATE_MAP);
    sim_file_shorten_reads(file, SHORT);
}

static int read_behind(void)
{
    int seen = sim_read_byte(SPOT + SHORT);
    MUST(scenario_either(seen, 0, 0), "behind what the store gave is %d", seen);
    return seen;
}

static int read_other_page(void)
{
    int seen = sim_read_byte(SPOT + PAGE);
    MUST(scenario_either(seen, 0, 2), "the second page is %d", seen);
    return seen;
}

static void end(void)
{
    MUST(scenario_result(0) == 0, "the first reader got %d", scenario_result(0));
    scenario_expect(SPOT + SHORT - 1, 1);
    scenario_expect(SPOT + SHORT, 0);
    scenario_expect(SPOT + PAGE, scenario_result(1));
}

const struct scenario scenario_short_read_against_reader = {
    .name = "short-read-against-reader",
    .text =
        "a store gives less than it was asked for while another thread waits: the rest is zeros",
    .begin = begin,
    .actor = {{.name = "first", .run = read_behind}, {.name = "second", .run = read_other_page}},
    .end = end,
};
