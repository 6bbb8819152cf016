/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 1);
    scenario_fork();
}

static int discard(void)
{
    int error = vm_discard_range(program, SPOT, PAGE);
    if (error == VM_OK) {
        int seen = sim_read_byte(SPOT);
        MUST(scenario_either(seen, 0, 0), "what was discarded is %d", seen);
    }
    return error;
}

static int exit_child(void)
{
    return vm_delete_aspace(child);
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT, 0);
    scenario_expect(SPOT + PAGE, 2);
}

const struct scenario scenario_discard_against_child_exit = {
    .name = "discard-against-child-exit",
    .text = "a page that a fork has put below is discarded while the chain merges: it doesn't come "
            "back",
    .begin = begin,
    .actor = {{.name = "discarder", .run = discard}, {.name = "child", .run = exit_child}},
    .end = end,
};
