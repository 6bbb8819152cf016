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

static int unmap(void)
{
    return vm_unmap_range(program, SPOT, PAGES(2));
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    int one = scenario_child_byte(SPOT), other = scenario_child_byte(SPOT + PAGE);
    MUST((one == 1 && other == 2) || (one == ERR_VM_PF_BAD_ADDRESS && other == one),
         "the child has %d and %d", one, other);
    scenario_expect(SPOT, ERR_VM_PF_BAD_ADDRESS);
}

const struct scenario scenario_fork_against_unmap = {
    .name = "fork-against-unmap",
    .text = "a program forks while it unmaps a region: the child has all of it, or none",
    .begin = begin,
    .actor = {{.name = "forker", .run = fork_program}, {.name = "unmapper", .run = unmap}},
    .end = end,
};
