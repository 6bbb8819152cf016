/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RW);
    scenario_region(SPOT + PAGE, 1, LOCK_RO);
    OK(sim_write_byte(SPOT, 1));
}

static int unmap(void)
{
    return vm_unmap_range(program, SPOT, PAGE);
}

static int read_fresh(void)
{
    int seen = sim_read_byte(SPOT + PAGE);
    MUST(scenario_either(seen, 0, 0), "fresh memory is %d", seen);
    return seen;
}

static void end(void)
{
    struct sim_translation translation;
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == 0, "a call has failed");
    MUST(sim_look_up(SPOT + PAGE, &translation), "the page that was mapped isn't there");
    scenario_expect(SPOT, ERR_VM_PF_BAD_ADDRESS);
}

const struct scenario scenario_table_free_against_fault = {
    .name = "table-free-against-fault",
    .text = "a page table's only entry goes while a fault puts another one there: the table stays, "
            "or is new",
    .begin = begin,
    .actor = {{.name = "unmapper", .run = unmap}, {.name = "reader", .run = read_fresh}},
    .end = end,
};
