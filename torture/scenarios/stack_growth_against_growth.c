/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RW | REGION_GROWS_DOWN);
    OK(sim_write_byte(SPOT, 1));
}

static int push_near(void)
{
    return sim_write_byte(SPOT - PAGE, 11);
}

static int push_far(void)
{
    return sim_write_byte(SPOT - PAGES(3), 13);
}

static void end(void)
{
    vm_region_info info;
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "the stack doesn't grow");
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT - PAGE, 11);
    scenario_expect(SPOT - PAGES(2), 0);
    scenario_expect(SPOT - PAGES(3), 13);
    OK(vm_get_region_info(scenario_find(SPOT), &info));
    MUST(info.base == SPOT - PAGES(3) && info.size == PAGES(4), "the stack is %#lx at %#lx",
         (unsigned long)info.size, (unsigned long)info.base);
}

const struct scenario scenario_stack_growth_against_growth = {
    .name = "stack-growth-against-growth",
    .text = "two threads fault below one stack at different depths: it grows to the deeper one",
    .begin = begin,
    .actor = {{.name = "near", .run = push_near}, {.name = "far", .run = push_far}},
    .end = end,
};
