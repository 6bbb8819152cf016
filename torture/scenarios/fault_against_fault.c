/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RW);
}

static int write_first(void)
{
    return sim_write_byte(SPOT, 1);
}

static int write_second(void)
{
    return sim_write_byte(SPOT + 1, 2);
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a write has failed");
    MUST(sim_read_byte(SPOT) == 1 && sim_read_byte(SPOT + 1) == 2,
         "a write is lost: the page was filled twice");
}

const struct scenario scenario_fault_against_fault = {
    .name = "fault-against-fault",
    .text = "two CPUs write to one fresh page for the first time: it is filled once",
    .begin = begin,
    .actor = {{.name = "first", .run = write_first}, {.name = "second", .run = write_second}},
    .end = end,
};
