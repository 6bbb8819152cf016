/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static int fork_program(void)
{
    child = vm_copy_aspace(program, "child");
    return child < 0 ? (int)child : VM_OK;
}

static void end(void)
{
    MUST(scenario_result(1) == VM_OK, "the fork failed: %d", scenario_result(1));
    scenario_expect_child(SPOT, 1);
    scenario_expect_child(SPOT + PAGE, 2);
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT + PAGE, 2);
}

const struct scenario scenario_reclaim_against_fork = {
    .name = "reclaim-against-fork",
    .text = "pages go while a fork puts their cache below another: the child has them all",
    .begin = scenario_two_pages,
    .actor = {{.name = "reclaimer", .run = scenario_reclaim},
              {.name = "forker", .run = fork_program}},
    .end = end,
    .swap = 64,
};
