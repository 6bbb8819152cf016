/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static aspace_id second;

static void begin(void)
{
    second = 0;
    scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
}

static int fork_first(void)
{
    child = vm_copy_aspace(program, "child");
    return child < 0 ? (int)child : VM_OK;
}

static int fork_second(void)
{
    second = vm_copy_aspace(program, "second");
    return second < 0 ? (int)second : VM_OK;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a fork has failed");
    OK(sim_write_byte(SPOT, 11));
    scenario_expect_child(SPOT, 1);
    sim_set_aspace(second);
    MUST(sim_write_byte(SPOT, 12) == VM_OK, "the second child can't write");
    scenario_expect(SPOT, 11);
    scenario_expect_child(SPOT, 1);
    OK(sim_delete_aspace(second));
}

const struct scenario scenario_fork_against_fork = {
    .name = "fork-against-fork",
    .text = "two threads fork one program at once: three spaces, each with its own bytes",
    .begin = begin,
    .actor = {{.name = "first", .run = fork_first}, {.name = "second", .run = fork_second}},
    .end = end,
};
