/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define BELOW (SPOT - PAGES(2))

static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RW | REGION_GROWS_DOWN);
}

static int push(void)
{
    return sim_write_byte(SPOT - PAGE, 11);
}

static int map_below(void)
{
    void *at = PTR(BELOW);
    region_id id = vm_create_anonymous_region(program, "below", &at, REGION_ADDR_EXACT_ADDRESS,
                                              PAGE, REGION_WIRING_LAZY, LOCK_RO);
    return id < 0 ? (int)id : VM_OK;
}

static void end(void)
{
    int pushed = scenario_result(0);
    MUST(pushed == VM_OK || pushed == ERR_VM_PF_BAD_ADDRESS, "the push: %d", pushed);
    MUST(scenario_result(1) == VM_OK, "the mapping: %d", scenario_result(1));
    scenario_expect(SPOT - PAGE, pushed == VM_OK ? 11 : ERR_VM_PF_BAD_ADDRESS);
    MUST(sim_write_byte(BELOW, 1) == ERR_VM_PF_BAD_PERM, "the mapping below may be written");
}

const struct scenario scenario_stack_growth_against_mapping_below = {
    .name = "stack-growth-against-mapping-below",
    .text =
        "a stack grows while something is mapped inside its guard gap: grown before, or not at all",
    .begin = begin,
    .actor = {{.name = "pusher", .run = push}, {.name = "mapper", .run = map_below}},
    .end = end,
};
