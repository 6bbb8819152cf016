/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static aspace_id grandchild;

static void begin(void)
{
    grandchild = 0;
    scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 1);
    scenario_fork();
}

static int fork_child(void)
{
    grandchild = vm_copy_aspace(child, "grandchild");
    return grandchild < 0 ? (int)grandchild : VM_OK;
}

static int delete_child(void)
{
    int error = vm_delete_aspace(child);
    return error == ERR_VM_INVALID_ASPACE ? VM_OK : error;
}

static void end(void)
{
    int forked = scenario_result(0);
    MUST(forked == VM_OK || forked == ERR_VM_INVALID_ASPACE, "the fork: %d", forked);
    MUST(scenario_result(1) == VM_OK, "the deletion has failed");
    scenario_expect(SPOT, 1);
    child = grandchild; /* the runner deletes it */
    if (forked != VM_OK)
        return;
    OK(sim_write_byte(SPOT, 11));
    scenario_expect_child(SPOT, 1);
    scenario_expect_child(SPOT + PAGE, 2);
}

const struct scenario scenario_fork_against_delete_space = {
    .name = "fork-against-delete-space",
    .text = "a space is copied while it is deleted: the copy is whole, or there is none",
    .begin = begin,
    .actor = {{.name = "forker", .run = fork_child}, {.name = "deleter", .run = delete_child}},
    .end = end,
};
