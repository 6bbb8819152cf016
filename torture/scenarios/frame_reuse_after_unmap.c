/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define FRESH (SPOT + PAGES(16))

static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RW);
    scenario_region(FRESH, 2, LOCK_RW);
    scenario_number(SPOT, 1, 1);
    OK(sim_write_byte(FRESH + PAGE, 2)); /* so that the page table stays */
}

static int write_often(void)
{
    int error = VM_OK;
    for (uint8_t i = 1; i <= 3 && error == VM_OK; i++)
        error = sim_write_byte(SPOT, i);
    return error;
}

/* The frame that has just become free is the next to be taken. */
static int unmap_and_use(void)
{
    int error = vm_unmap_range(program, SPOT, PAGE);
    if (error == VM_OK)
        error = sim_write_byte(FRESH + 1, 1);
    return error;
}

static void end(void)
{
    MUST(scenario_either(scenario_result(0), VM_OK, ERR_VM_PF_BAD_ADDRESS), "the write: %d",
         scenario_result(0));
    MUST(scenario_result(1) == VM_OK, "the unmapping or the fresh page has failed");
    scenario_expect(FRESH, 0);
    scenario_expect(FRESH + 1, 1);
}

const struct scenario scenario_frame_reuse_after_unmap = {
    .name = "frame-reuse-after-unmap",
    .text = "a CPU writes through its TLB while another unmaps the page and uses its frame anew",
    .begin = begin,
    .actor = {{.name = "writer", .run = write_often}, {.name = "unmapper", .run = unmap_and_use}},
    .end = end,
};
