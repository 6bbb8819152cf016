/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define OTHER (SPOT + PAGES(4))

static void begin(void)
{
    scenario_region(SPOT, 2, LOCK_RW);
    scenario_region(OTHER, 1, LOCK_RW);
    scenario_number(SPOT, 2, 1);
    OK(sim_write_byte(OTHER, 5));
}

static int unmap_first(void)
{
    return vm_unmap_range(program, SPOT, PAGES(2));
}

static int unmap_second(void)
{
    return vm_unmap_range(program, OTHER, PAGE);
}

/* From the tables that the first access has left in the walk cache. */
static int read_all(void)
{
    int one = sim_read_byte(OTHER), two = sim_read_byte(SPOT), three = sim_read_byte(SPOT + PAGE);
    MUST(scenario_either(one, 5, ERR_VM_PF_BAD_ADDRESS), "the other region: %d", one);
    MUST(scenario_either(two, 1, ERR_VM_PF_BAD_ADDRESS), "the first page: %d", two);
    MUST(scenario_either(three, 2, ERR_VM_PF_BAD_ADDRESS), "the second page: %d", three);
    return three;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT, ERR_VM_PF_BAD_ADDRESS);
    scenario_expect(OTHER, ERR_VM_PF_BAD_ADDRESS);
    scenario_region(SPOT, 1, LOCK_RW);
    scenario_expect(SPOT, 0);
}

const struct scenario scenario_table_free_against_walk = {
    .name = "table-free-against-walk",
    .text = "a page table empties, by two unmappings, while a CPU walks through it",
    .begin = begin,
    .actor = {{.name = "first", .run = unmap_first},
              {.name = "second", .run = unmap_second},
              {.name = "walker", .run = read_all}},
    .end = end,
};
