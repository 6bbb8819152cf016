/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 2, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
}

static int wire(void)
{
    return vm_wire_range(program, SPOT, PAGES(2));
}

static int unmap(void)
{
    return vm_unmap_range(program, SPOT + PAGE, PAGE);
}

static void end(void)
{
    int wired = scenario_result(0);
    MUST(wired == VM_OK || wired == ERR_VM_PAGE_NOT_PRESENT, "the wiring: %d", wired);
    MUST(scenario_result(1) == VM_OK, "the unmapping has failed");
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT + PAGE, ERR_VM_PF_BAD_ADDRESS);
    OK(vm_unwire_range(program, SPOT, PAGE));
}

const struct scenario scenario_wire_against_unmap = {
    .name = "wire-against-unmap",
    .text = "a page is unmapped while it is being wired: nothing of it stays",
    .begin = begin,
    .actor = {{.name = "wirer", .run = wire}, {.name = "unmapper", .run = unmap}},
    .end = end,
};
