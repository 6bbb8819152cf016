/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define TWIN (SPOT + PAGES(16))

static region_id region;

static void begin(void)
{
    region = scenario_region(SPOT, 1, LOCK_RW);
}

static int write(void)
{
    return sim_write_byte(SPOT, 5);
}

static int make_clone(void)
{
    void *at = PTR(TWIN);
    region_id id = vm_clone_region(program, "twin", &at, REGION_ADDR_EXACT_ADDRESS, region,
                                   REGION_NO_PRIVATE_MAP, LOCK_RW);
    if (id < 0)
        return (int)id;
    int seen = sim_read_byte(TWIN);
    MUST(scenario_either(seen, 0, 5), "the clone shows %d", seen);
    return VM_OK;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(TWIN, 5);
    OK(sim_write_byte(TWIN, 6));
    scenario_expect(SPOT, 6);
}

const struct scenario scenario_fault_against_shared_clone = {
    .name = "fault-against-shared-clone",
    .text = "fresh memory is written while it is cloned to be shared: both show the same, for ever",
    .begin = begin,
    .actor = {{.name = "writer", .run = write}, {.name = "cloner", .run = make_clone}},
    .end = end,
};
