/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 3, LOCK_RW);
    scenario_fill_memory();
}

static int write(void)
{
    return sim_write_byte(SPOT + PAGES(2), 11);
}

static int go_on(void)
{
    sim_swap_block(sim_boot_swap(), false);
    return VM_OK;
}

static void end(void)
{
    MUST(sim_swap_writes(sim_boot_swap()) > 0, "nothing was written");
    MUST(scenario_result(0) == VM_OK, "the write: %d", scenario_result(0));
    scenario_free_memory();
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT + PAGE, 2);
    scenario_expect(SPOT + PAGES(2), 11);
}

const struct scenario scenario_fault_against_page_out = {
    .name = "fault-against-page-out",
    .text = "a fault finds no frame while the only pages to go are being written: it waits for one",
    .begin = begin,
    .actor = {{.name = "writer", .run = write}, {.name = "disk", .run = go_on}},
    .end = end,
    .swap = 64,
};
