/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 1);
}

static int discard(void)
{
    return vm_discard_range(program, SPOT, PAGE);
}

static int fork_program(void)
{
    child = vm_copy_aspace(program, "child");
    return child < 0 ? (int)child : VM_OK;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT, 0);
    scenario_expect(SPOT + PAGE, 2);
    int seen = scenario_child_byte(SPOT);
    MUST(seen == 0 || seen == 1, "the child has %d", seen);
    scenario_expect_child(SPOT, seen);
    scenario_expect_child(SPOT + PAGE, 2);
}

const struct scenario scenario_discard_against_fork = {
    .name = "discard-against-fork",
    .text = "a page is discarded while its program forks: gone for the parent, old or gone for the "
            "child",
    .begin = begin,
    .actor = {{.name = "discarder", .run = discard}, {.name = "forker", .run = fork_program}},
    .end = end,
};
