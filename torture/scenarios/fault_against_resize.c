/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static region_id region;

static void begin(void)
{
    region = scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 1);
}

static int write(void)
{
    int error = sim_write_byte(SPOT + PAGE, 11);
    return error == VM_OK ? sim_write_byte(SPOT + PAGE, 12) : error;
}

static int shrink(void)
{
    int error = vm_resize_region(program, region, PAGE);
    if (error == VM_OK)
        MUST(sim_read_byte(SPOT + PAGE) == ERR_VM_PF_BAD_ADDRESS, "what was cut off is there");
    return error;
}

static void end(void)
{
    int wrote = scenario_result(0);
    MUST(scenario_either(wrote, VM_OK, ERR_VM_PF_BAD_ADDRESS), "the write: %d", wrote);
    MUST(scenario_result(1) == VM_OK, "the resizing has failed");
    scenario_expect(SPOT + PAGE, ERR_VM_PF_BAD_ADDRESS);
    OK(vm_resize_region(program, region, PAGES(2)));
    scenario_expect(SPOT + PAGE, 0);
    scenario_expect(SPOT, 1);
}

const struct scenario scenario_fault_against_resize = {
    .name = "fault-against-resize",
    .text = "a region gets shorter while its last page is written: the page goes, and comes back "
            "as zeros",
    .begin = begin,
    .actor = {{.name = "writer", .run = write}, {.name = "resizer", .run = shrink}},
    .end = end,
};
