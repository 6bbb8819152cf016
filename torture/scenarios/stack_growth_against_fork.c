/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RW | REGION_GROWS_DOWN);
    OK(sim_write_byte(SPOT, 1));
}

static int push(void)
{
    return sim_write_byte(SPOT - PAGE, 11);
}

static int fork_program(void)
{
    child = vm_copy_aspace(program, "child");
    return child < 0 ? (int)child : VM_OK;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT - PAGE, 11);
    int seen = scenario_child_byte(SPOT - PAGE);
    MUST(seen == 0 || seen == 11, "the child's stack has %d", seen);
    scenario_expect_child(SPOT, 1);
    OK(sim_write_byte(SPOT - PAGE, 12));
    scenario_expect_child(SPOT - PAGE, seen);
}

const struct scenario scenario_stack_growth_against_fork = {
    .name = "stack-growth-against-fork",
    .text = "a stack grows while its program forks: the child has the push, or zeros there",
    .begin = begin,
    .actor = {{.name = "pusher", .run = push}, {.name = "forker", .run = fork_program}},
    .end = end,
};
