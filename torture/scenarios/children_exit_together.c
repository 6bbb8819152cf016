/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static aspace_id second;

static void begin(void)
{
    scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 1);
    scenario_fork();
    OK(sim_write_byte(SPOT, 11));
    second = vm_copy_aspace(program, "second");
    OK(second);
}

static int exit_child(void)
{
    return vm_delete_aspace(child);
}

static int exit_second(void)
{
    return vm_delete_aspace(second);
}

static void end(void)
{
    vm_region_info info;
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "an exit has failed");
    scenario_expect(SPOT, 11);
    scenario_expect(SPOT + PAGE, 2);
    OK(sim_write_byte(SPOT + PAGE, 12));
    OK(vm_get_region_info(scenario_find(SPOT), &info));
    MUST(info.chain_depth <= 2, "the chain is %u caches deep", info.chain_depth);
}

const struct scenario scenario_children_exit_together = {
    .name = "children-exit-together",
    .text =
        "two children of two forks exit at once: the parent keeps its bytes, its chain gets short",
    .begin = begin,
    .actor = {{.name = "child", .run = exit_child}, {.name = "second", .run = exit_second}},
    .end = end,
};
