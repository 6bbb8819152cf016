/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 1);
    scenario_fork();
}

static int live(void)
{
    int error = sim_write_byte(SPOT, 11);
    int seen = error == VM_OK ? sim_read_byte(SPOT + PAGE) : error;
    MUST(scenario_either(seen, 2, ERR_VM_PF_BAD_ADDRESS), "the child: %d", seen);
    return seen;
}

static int delete_space(void)
{
    return vm_delete_aspace(child);
}

static void end(void)
{
    MUST(scenario_result(1) == VM_OK, "the deletion has failed");
    MUST(vm_delete_aspace(child) == ERR_VM_INVALID_ASPACE, "the space is there after its deletion");
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT + PAGE, 2);
}

const struct scenario scenario_fault_against_delete_space = {
    .name = "fault-against-delete-space",
    .text = "a space is deleted while its program runs: it finds its memory, or nothing",
    .begin = begin,
    .actor = {{.name = "program", .run = live, .in_child = true},
              {.name = "deleter", .run = delete_space}},
    .end = end,
};
