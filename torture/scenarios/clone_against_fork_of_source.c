/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define TWIN (SPOT + PAGES(16))

static void begin(void)
{
    void *at = PTR(TWIN);
    region_id region = scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    OK(vm_clone_region(program, "twin", &at, REGION_ADDR_EXACT_ADDRESS, region, REGION_PRIVATE_MAP,
                       LOCK_RW));
    MUST(sim_read_byte(TWIN) == 1, "the clone doesn't show its source");
}

static int write_and_look(void)
{
    int error = sim_write_byte(SPOT, 5);
    if (error != VM_OK)
        return error;
    int seen = sim_read_byte(TWIN);
    MUST(scenario_either(seen, 5, 5), "the clone shows %d after the write", seen);
    return VM_OK;
}

static int fork_program(void)
{
    child = vm_copy_aspace(program, "child");
    return child < 0 ? (int)child : VM_OK;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT, 5);
    scenario_expect(TWIN, 5);
}

const struct scenario scenario_clone_against_fork_of_source = {
    .name = "clone-against-fork-of-source",
    .text = "a program forks while the source of a private clone is written: the clone shows the "
            "write at once",
    .begin = begin,
    .actor = {{.name = "writer", .run = write_and_look}, {.name = "forker", .run = fork_program}},
    .end = end,
};
