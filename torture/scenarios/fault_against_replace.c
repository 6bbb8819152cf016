/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 1);
}

static int write_both(void)
{
    int error = sim_write_byte(SPOT, 11);
    return error == VM_OK ? sim_write_byte(SPOT + PAGE, 12) : error;
}

static int replace(void)
{
    void *at = PTR(SPOT);
    region_id id = vm_create_anonymous_region(program, "new", &at, REGION_ADDR_REPLACE, PAGE,
                                              REGION_WIRING_LAZY, LOCK_RW);
    if (id < 0)
        return (int)id;
    int seen = sim_read_byte(SPOT);
    MUST(scenario_either(seen, 0, 11), "the new region shows %d", seen);
    return VM_OK;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    int seen = sim_read_byte(SPOT);
    MUST(seen == 0 || seen == 11, "the new region shows %d", seen);
    scenario_expect(SPOT, seen);
    scenario_expect(SPOT + PAGE, 12);
}

const struct scenario scenario_fault_against_replace = {
    .name = "fault-against-replace",
    .text = "a new region takes the place of one that is being written: no write finds a hole",
    .begin = begin,
    .actor = {{.name = "writer", .run = write_both}, {.name = "replacer", .run = replace}},
    .end = end,
};
