/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 3, LOCK_RW);
    scenario_number(SPOT, 3, 1);
}

static int wire_low(void)
{
    return vm_wire_range(program, SPOT, PAGES(2));
}

static int unwire_high(void)
{
    return vm_unwire_range(program, SPOT + PAGE, PAGES(2));
}

static void end(void)
{
    vm_region_info info;
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    OK(vm_get_region_info(scenario_find(SPOT), &info));
    MUST(info.wiring == REGION_WIRING_WIRED, "the first page isn't wired");
    OK(vm_get_region_info(scenario_find(SPOT + PAGES(2)), &info));
    MUST(info.wiring == REGION_WIRING_LAZY, "the last page is wired");
    OK(vm_unwire_range(program, SPOT, PAGES(3)));
    OK(vm_discard_range(program, SPOT, PAGES(3)));
    scenario_expect(SPOT + PAGE, 0);
}

const struct scenario scenario_wire_against_unwire = {
    .name = "wire-against-unwire",
    .text = "ranges that overlap are wired and unwired at once: each page is what the later call "
            "made it",
    .begin = begin,
    .actor = {{.name = "wirer", .run = wire_low}, {.name = "unwirer", .run = unwire_high}},
    .end = end,
};
