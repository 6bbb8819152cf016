/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 3, LOCK_RW);
    scenario_number(SPOT, 3, 1); /* the third stays, and so does the page table */
}

static int write_both(void)
{
    int error = sim_write_byte(SPOT, 11);
    return error == VM_OK ? sim_write_byte(SPOT + PAGE, 12) : error;
}

static int unmap(void)
{
    int error = vm_unmap_range(program, SPOT, PAGES(2));
    if (error == VM_OK)
        MUST(sim_read_byte(SPOT) == ERR_VM_PF_BAD_ADDRESS, "a page is there after its unmapping");
    return error;
}

static void end(void)
{
    MUST(scenario_either(scenario_result(0), VM_OK, ERR_VM_PF_BAD_ADDRESS), "the write: %d",
         scenario_result(0));
    MUST(scenario_result(1) == VM_OK, "the unmapping has failed");
    scenario_expect(SPOT, ERR_VM_PF_BAD_ADDRESS);
    scenario_expect(SPOT + PAGE, ERR_VM_PF_BAD_ADDRESS);
}

const struct scenario scenario_fault_against_unmap = {
    .name = "fault-against-unmap",
    .text = "one CPU writes to two pages, another unmaps them: done or refused, and then nothing "
            "is there",
    .begin = begin,
    .actor = {{.name = "writer", .run = write_both}, {.name = "unmapper", .run = unmap}},
    .end = end,
};
