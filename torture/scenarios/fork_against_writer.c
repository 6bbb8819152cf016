/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 1);
}

static int write_in_order(void)
{
    int error = sim_write_byte(SPOT, 11);
    return error == VM_OK ? sim_write_byte(SPOT + PAGE, 12) : error;
}

static int fork_program(void)
{
    child = vm_copy_aspace(program, "child");
    return child < 0 ? (int)child : VM_OK;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a write or the fork failed");
    scenario_expect(SPOT, 11);
    scenario_expect(SPOT + PAGE, 12);
    int one = scenario_child_byte(SPOT), other = scenario_child_byte(SPOT + PAGE);
    MUST((one == 1 || one == 11) && (other == 2 || other == 12), "the child has %d and %d", one,
         other);
    MUST(other == 2 || one == 11, "the child has the second write without the first");
    scenario_expect_child(SPOT, one);
}

const struct scenario scenario_fork_against_writer = {
    .name = "fork-against-writer",
    .text = "a program writes twice while it forks: the child has none, the first, or both",
    .begin = begin,
    .actor = {{.name = "writer", .run = write_in_order}, {.name = "forker", .run = fork_program}},
    .end = end,
};
