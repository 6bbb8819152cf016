/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 1);
}

static int fork_program(void)
{
    child = vm_copy_aspace(program, "child");
    return child < 0 ? (int)child : VM_OK;
}

static int share(void)
{
    return vm_set_inheritance(program, SPOT, PAGES(2), VM_INHERIT_SHARE);
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_number(SPOT, 2, 11);
    int one = scenario_child_byte(SPOT), other = scenario_child_byte(SPOT + PAGE);
    MUST((one == 1 && other == 2) || (one == 11 && other == 12), "the child has %d and %d", one,
         other);
}

const struct scenario scenario_fork_against_inheritance = {
    .name = "fork-against-inheritance",
    .text = "a program forks while its region becomes one to share: all of it is copied, or shared",
    .begin = begin,
    .actor = {{.name = "forker", .run = fork_program}, {.name = "sharer", .run = share}},
    .end = end,
};
