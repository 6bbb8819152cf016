/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static int unmap(void)
{
    return vm_unmap_range(program, SPOT, PAGES(2));
}

static void end(void)
{
    vm_info info;
    MUST(scenario_result(1) == VM_OK, "the unmapping failed: %d", scenario_result(1));
    vm_get_info(&info);
    MUST(info.free_swap_slots == info.swap_slots, "a slot is left");
    scenario_expect(SPOT, ERR_VM_PF_BAD_ADDRESS);
}

const struct scenario scenario_reclaim_against_unmap = {
    .name = "reclaim-against-unmap",
    .text = "a region is unmapped while its pages go: neither a frame nor a slot is left",
    .begin = scenario_two_pages,
    .actor = {{.name = "reclaimer", .run = scenario_reclaim}, {.name = "unmapper", .run = unmap}},
    .end = end,
    .swap = 64,
};
