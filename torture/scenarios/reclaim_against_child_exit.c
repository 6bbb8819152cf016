/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_two_pages();
    scenario_fork();
    OK(sim_write_byte(SPOT + PAGE, 3));
}

static int exit_child(void)
{
    return vm_unmap_range(child, SPOT, PAGES(2));
}

static void end(void)
{
    vm_region_info info;
    MUST(scenario_result(1) == VM_OK, "the child's end failed: %d", scenario_result(1));
    OK(vm_get_region_info(scenario_find(SPOT), &info));
    MUST(info.chain_depth == 1, "%u caches, and nobody else shows them", info.chain_depth);
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT + PAGE, 3);
}

const struct scenario scenario_reclaim_against_child_exit = {
    .name = "reclaim-against-child-exit",
    .text = "pages that a child shares go while it ends: caches are merged, whoever is last",
    .begin = begin,
    .actor = {{.name = "reclaimer", .run = scenario_reclaim}, {.name = "exit", .run = exit_child}},
    .end = end,
    .swap = 64,
};
