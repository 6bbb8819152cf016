/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RO);
    MUST(sim_read_byte(SPOT) == 0, "fresh memory isn't zero");
}

static int write(void)
{
    return sim_write_byte(SPOT, 1);
}

static int protect(void)
{
    int error = vm_protect_range(program, SPOT, PAGE, LOCK_RW);
    if (error == VM_OK) {
        int after = sim_write_byte(SPOT + 1, 2);
        MUST(scenario_either(after, VM_OK, VM_OK), "a write after the right has come: %d", after);
    }
    return error;
}

static void end(void)
{
    int wrote = scenario_result(0);
    MUST(scenario_either(wrote, VM_OK, ERR_VM_PF_BAD_PERM), "the write: %d", wrote);
    MUST(scenario_result(1) == VM_OK, "the protection has failed");
    scenario_expect(SPOT, wrote == VM_OK ? 1 : 0);
    OK(sim_write_byte(SPOT + 1, 3));
    scenario_expect(SPOT + 1, 3);
}

const struct scenario scenario_fault_against_gaining_write = {
    .name = "fault-against-gaining-write",
    .text = "a read-only page becomes writable while a CPU tries to write: from then on it may",
    .begin = begin,
    .actor = {{.name = "writer", .run = write}, {.name = "protector", .run = protect}},
    .end = end,
};
