/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 3, LOCK_RW);
    scenario_number(SPOT, 3, 1);
}

static int cut_and_join(void)
{
    int error = vm_protect_range(program, SPOT + PAGE, PAGE, LOCK_RO);
    return error == VM_OK ? vm_protect_range(program, SPOT + PAGE, PAGE, LOCK_RW) : error;
}

static int write_all(void)
{
    int error = sim_write_byte(SPOT, 11);
    int middle = sim_write_byte(SPOT + PAGE, 12);
    MUST(scenario_either(middle, VM_OK, ERR_VM_PF_BAD_PERM), "the middle: %d", middle);
    return error == VM_OK ? sim_write_byte(SPOT + PAGES(2), 13) : error;
}

static void end(void)
{
    vm_region_info info;
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT, 11);
    scenario_expect(SPOT + PAGES(2), 13);
    OK(sim_write_byte(SPOT + PAGE, 14));
    OK(vm_get_region_info(scenario_find(SPOT), &info));
    MUST(info.size == PAGES(3), "the pieces are not one again");
}

const struct scenario scenario_protect_and_join_against_faults = {
    .name = "protect-and-join-against-faults",
    .text = "a region is cut in three and joined again while all of it is written: only the middle "
            "may refuse",
    .begin = begin,
    .actor = {{.name = "protector", .run = cut_and_join}, {.name = "writer", .run = write_all}},
    .end = end,
};
