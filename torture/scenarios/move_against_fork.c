/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define PLACE (SPOT + PAGES(16))

static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
}

static int move(void)
{
    void *to = PTR(PLACE);
    return vm_move_range(program, SPOT, PAGE, PAGE, &to, REGION_ADDR_EXACT_ADDRESS);
}

static int fork_program(void)
{
    child = vm_copy_aspace(program, "child");
    return child < 0 ? (int)child : VM_OK;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    OK(sim_write_byte(PLACE, 11));
    int old = scenario_child_byte(SPOT), new = scenario_child_byte(PLACE);
    MUST((old == 1 && new == ERR_VM_PF_BAD_ADDRESS) || (new == 1 && old == ERR_VM_PF_BAD_ADDRESS),
         "the child has %d and %d", old, new);
}

const struct scenario scenario_move_against_fork = {
    .name = "move-against-fork",
    .text = "a region moves while its program forks: the child has it at one place, with its bytes",
    .begin = begin,
    .actor = {{.name = "mover", .run = move}, {.name = "forker", .run = fork_program}},
    .end = end,
};
