/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static region_id region;
static sim_file *file;

static void begin(void)
{
    file = scenario_file(SPOT, 2, LOCK_RW, REGION_NO_PRIVATE_MAP);
    region = scenario_find(SPOT);
}

static int read_both(void)
{
    int one = sim_read_byte(SPOT);
    MUST(scenario_either(one, 1, ERR_VM_PF_BAD_ADDRESS), "the first page: %d", one);
    int other = sim_read_byte(SPOT + PAGE);
    MUST(scenario_either(other, 2, ERR_VM_PF_BAD_ADDRESS), "the second page: %d", other);
    MUST(one != ERR_VM_PF_BAD_ADDRESS || other < 0, "the region is back");
    return other;
}

static int delete_region(void)
{
    return vm_delete_region(program, region);
}

static void end(void)
{
    MUST(scenario_result(1) == VM_OK, "the deletion has failed");
    scenario_expect(SPOT, ERR_VM_PF_BAD_ADDRESS);
    MUST(sim_file_references(file) == 0, "the file stays referenced");
}

const struct scenario scenario_fault_against_delete_region = {
    .name = "fault-against-delete-region",
    .text = "a file's region is deleted while its pages are read: the file's bytes, or no region",
    .begin = begin,
    .actor = {{.name = "reader", .run = read_both}, {.name = "deleter", .run = delete_region}},
    .end = end,
};
