/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 5, LOCK_RW);
    OK(vm_keep_tables(program, SPOT, PAGES(5)));
    scenario_fill_memory();
}

static int write(void)
{
    return sim_write_byte(SPOT + PAGES(2), 11);
}

static int thief(void)
{
    sim_swap_block(sim_boot_swap(), false);
    int error = sim_write_byte(SPOT + PAGES(3), 12);
    return error == VM_OK ? sim_write_byte(SPOT + PAGES(4), 13) : error;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK || scenario_excuses(scenario_result(0)), "the write: %d",
         scenario_result(0));
    MUST(scenario_result(1) == VM_OK || scenario_excuses(scenario_result(1)), "the thief: %d",
         scenario_result(1));
    scenario_free_memory();
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT + PAGE, 2);
    if (scenario_result(0) == VM_OK)
        scenario_expect(SPOT + PAGES(2), 11);
}

const struct scenario scenario_fault_against_thief = {
    .name = "fault-against-thief",
    .text =
        "frames that come free are taken by another, whose pages can go: there is memory for both",
    .begin = begin,
    .actor = {{.name = "writer", .run = write}, {.name = "thief", .run = thief}},
    .end = end,
    .swap = 64,
};
