/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static aspace_id second;

static void begin(void)
{
    second = 0;
    scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 1);
    scenario_fork();
    OK(sim_write_byte(SPOT, 11));
}

static int fork_again(void)
{
    second = vm_copy_aspace(program, "second");
    return second < 0 ? (int)second : VM_OK;
}

static int exit_child(void)
{
    return vm_delete_aspace(child);
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    child = second; /* the runner deletes it */
    scenario_expect(SPOT, 11);
    scenario_expect(SPOT + PAGE, 2);
    scenario_expect_child(SPOT, 11);
    scenario_expect_child(SPOT + PAGE, 2);
}

const struct scenario scenario_fork_against_child_exit = {
    .name = "fork-against-child-exit",
    .text = "a program forks while an earlier child exits: its chain grows and merges at once",
    .begin = begin,
    .actor = {{.name = "forker", .run = fork_again}, {.name = "child", .run = exit_child}},
    .end = end,
};
