/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RW);
    scenario_number(SPOT, 1, 1);
    OK(sim_write_byte(SPOT + 1, 2));
    scenario_fork();
}

static int write_parent(void)
{
    return sim_write_byte(SPOT, 11);
}

static int write_child(void)
{
    return sim_write_byte(SPOT, 21);
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a write has failed");
    scenario_expect(SPOT, 11);
    scenario_expect(SPOT + 1, 2);
    scenario_expect_child(SPOT, 21);
    scenario_expect_child(SPOT + 1, 2);
}

const struct scenario scenario_parent_and_child_break_page = {
    .name = "parent-and-child-break-page",
    .text = "parent and child write to a page they share since the fork: each has its own",
    .begin = begin,
    .actor = {{.name = "parent", .run = write_parent},
              {.name = "child", .run = write_child, .in_child = true}},
    .end = end,
};
