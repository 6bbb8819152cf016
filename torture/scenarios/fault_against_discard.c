/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    OK(sim_write_byte(SPOT + 1, 1));
}

static int write(void)
{
    return sim_write_byte(SPOT, 5);
}

static int discard(void)
{
    int error = vm_discard_range(program, SPOT, PAGE);
    if (error == VM_OK) {
        int seen = sim_read_byte(SPOT + 1);
        MUST(scenario_either(seen, 0, 0), "a discarded byte is %d", seen);
    }
    return error;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    int seen = sim_read_byte(SPOT);
    MUST(seen == 0 || seen == 5, "the byte is %d", seen);
    scenario_expect(SPOT, seen);
    scenario_expect(SPOT + 1, 0);
}

const struct scenario scenario_fault_against_discard = {
    .name = "fault-against-discard",
    .text =
        "a page is discarded while it is written: the write is before or behind, the rest is zero",
    .begin = begin,
    .actor = {{.name = "writer", .run = write}, {.name = "discarder", .run = discard}},
    .end = end,
};
