/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 3, LOCK_RW);
}

static int wire_low(void)
{
    return vm_wire_range(program, SPOT, PAGES(2));
}

static int wire_high(void)
{
    return vm_wire_range(program, SPOT + PAGE, PAGES(2));
}

static void end(void)
{
    struct sim_translation translation;
    vm_region_info info;
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    for (unsigned i = 0; i < 3; i++)
        MUST(sim_look_up(SPOT + PAGES(i), &translation), "wired page %u isn't there", i);
    OK(vm_get_region_info(scenario_find(SPOT), &info));
    MUST(info.size == PAGES(3), "pieces that are alike are not one");
    MUST(vm_discard_range(program, SPOT, PAGES(3)) == ERR_INVALID_ARGS,
         "wired pages were discarded");
    OK(vm_unwire_range(program, SPOT, PAGES(3)));
}

const struct scenario scenario_wire_against_wire = {
    .name = "wire-against-wire",
    .text = "two ranges that overlap are wired at once: all their pages are there, and wired",
    .begin = begin,
    .actor = {{.name = "low", .run = wire_low}, {.name = "high", .run = wire_high}},
    .end = end,
};
