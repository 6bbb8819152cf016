/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static region_id region;

static void begin(void)
{
    region = scenario_region(SPOT, 1, LOCK_RW);
    OK(vm_wire_range(program, SPOT, PAGE));
}

static int grow(void)
{
    return vm_resize_region(program, region, PAGES(2));
}

static int unmap(void)
{
    return vm_unmap_range(program, SPOT, PAGES(2));
}

static void end(void)
{
    int grown = scenario_result(0);
    MUST(grown == VM_OK || grown == ERR_VM_INVALID_REGION, "the growth: %d", grown);
    MUST(scenario_result(1) == VM_OK, "the unmapping has failed");
    scenario_expect(SPOT, ERR_VM_PF_BAD_ADDRESS);
    scenario_expect(SPOT + PAGE, ERR_VM_PF_BAD_ADDRESS);
}

const struct scenario scenario_wired_growth_against_unmap = {
    .name = "wired-growth-against-unmap",
    .text = "a wired region grows, and its new pages come in, while it is unmapped: nothing stays",
    .begin = begin,
    .actor = {{.name = "grower", .run = grow}, {.name = "unmapper", .run = unmap}},
    .end = end,
};
