/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static uint8_t written;

static void begin(void)
{
    written = 0;
    scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 0));
}

static int write_often(void)
{
    int error = VM_OK;
    for (uint8_t i = 1; i <= 3; i++) {
        error = sim_write_byte(SPOT, i);
        if (error != VM_OK)
            return error;
        written = i;
    }
    return error;
}

static int protect(void)
{
    int error = vm_protect_range(program, SPOT, PAGE, LOCK_RO);
    if (error != VM_OK)
        return error;
    int seen = sim_read_byte(SPOT);
    error = sim_write_byte(SPOT, 99);
    MUST(error == ERR_VM_PF_BAD_PERM, "a write after the right has gone: %d", error);
    MUST(sim_read_byte(SPOT) == seen, "the page changes after the right has gone");
    return VM_OK;
}

static void end(void)
{
    MUST(scenario_either(scenario_result(0), VM_OK, ERR_VM_PF_BAD_PERM), "the writes: %d",
         scenario_result(0));
    MUST(scenario_result(1) == VM_OK, "the protection has failed");
    scenario_expect(SPOT, written);
}

const struct scenario scenario_fault_against_losing_write = {
    .name = "fault-against-losing-write",
    .text =
        "a page loses the right to write while a CPU writes: then no write goes through any more",
    .begin = begin,
    .actor = {{.name = "writer", .run = write_often}, {.name = "protector", .run = protect}},
    .end = end,
};
