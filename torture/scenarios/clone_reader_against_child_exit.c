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
    scenario_fork();
}

static int read_clone(void)
{
    int one = sim_read_byte(TWIN);
    MUST(scenario_either(one, 1, 5), "the clone shows %d", one);
    int other = sim_read_byte(TWIN);
    MUST(one < 0 || scenario_either(other, one, 5), "the clone shows %d after %d", other, one);
    return other;
}

static int write_source(void)
{
    int error = sim_write_byte(SPOT, 5);
    if (error == VM_OK) {
        int seen = sim_read_byte(TWIN);
        MUST(scenario_either(seen, 5, 5), "the clone shows %d after the write", seen);
    }
    return error;
}

static int exit_child(void)
{
    return vm_delete_aspace(child);
}

static void end(void)
{
    MUST(scenario_result(1) == VM_OK && scenario_result(2) == VM_OK, "a call has failed");
    scenario_expect(SPOT, 5);
    scenario_expect(TWIN, 5);
}

const struct scenario scenario_clone_reader_against_child_exit = {
    .name = "clone-reader-against-child-exit",
    .text = "a private clone is read and its source written while the source's chain merges",
    .begin = begin,
    .actor = {{.name = "reader", .run = read_clone},
              {.name = "writer", .run = write_source},
              {.name = "child", .run = exit_child}},
    .end = end,
};
