/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 3, LOCK_RW);
    scenario_number(SPOT, 3, 1);
    scenario_fork();
    OK(sim_write_byte(SPOT + PAGES(2), 13));
}

static int write_and_read(void)
{
    int error = sim_write_byte(SPOT, 11);
    int seen = error == VM_OK ? sim_read_byte(SPOT + PAGE) : error;
    MUST(scenario_either(seen, 2, 2), "the second page is %d", seen);
    return seen;
}

static int exit_child(void)
{
    return vm_delete_aspace(child);
}

static void end(void)
{
    vm_region_info info;
    MUST(scenario_result(0) == 2 && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT, 11);
    scenario_expect(SPOT + PAGE, 2);
    scenario_expect(SPOT + PAGES(2), 13);
    OK(vm_get_region_info(scenario_find(SPOT), &info));
    MUST(info.chain_depth == 1, "the chain is %u caches deep", info.chain_depth);
}

const struct scenario scenario_child_exit_against_writer = {
    .name = "child-exit-against-writer",
    .text = "a child exits, so its parent's chain becomes one cache again, while the parent writes",
    .begin = begin,
    .actor = {{.name = "writer", .run = write_and_read}, {.name = "child", .run = exit_child}},
    .end = end,
};
