/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;

static void begin(void)
{
    file = scenario_file(SPOT, 1, LOCK_RO, REGION_NO_PRIVATE_MAP);
    sim_file_block_reads(file, true);
}

static int read_page(void)
{
    return sim_read_byte(SPOT);
}

static int kill_and_release(void)
{
    sim_kill(scenario_fiber(1));
    sim_file_block_reads(file, false);
    return VM_OK;
}

static void end(void)
{
    int one = scenario_result(0), other = scenario_result(1);
    MUST(scenario_either(one, 1, 1), "the one that lives reads %d", one);
    MUST(scenario_either(other, 1, ERR_INTERRUPTED), "the killed one reads %d", other);
    scenario_expect(SPOT, 1);
}

const struct scenario scenario_killed_waiter = {
    .name = "killed-waiter",
    .text = "a thread that waits for a page, or reads it, is killed: the page comes for the other",
    .begin = begin,
    .actor = {{.name = "reader", .run = read_page},
              {.name = "victim", .run = read_page},
              {.name = "killer", .run = kill_and_release}},
    .end = end,
};
