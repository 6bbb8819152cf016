/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 7));
}

static int read_often(void)
{
    int before = 7, seen = 7;
    for (unsigned i = 0; i < 3; i++) {
        seen = sim_read_byte(SPOT);
        MUST(scenario_either(seen, before, ERR_VM_PF_BAD_PERM), "reads %d after %d", seen, before);
        before = seen;
    }
    return seen;
}

static int protect(void)
{
    int error = vm_protect_range(program, SPOT, PAGE, LOCK_NO_READ);
    if (error == VM_OK)
        MUST(sim_read_byte(SPOT) == ERR_VM_PF_BAD_PERM, "a read after the right has gone");
    return error;
}

static void end(void)
{
    MUST(scenario_result(1) == VM_OK, "the protection has failed");
    scenario_expect(SPOT, ERR_VM_PF_BAD_PERM);
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RW));
    scenario_expect(SPOT, 7);
}

const struct scenario scenario_fault_against_losing_read = {
    .name = "fault-against-losing-read",
    .text =
        "a page becomes unreadable while a CPU reads: once refused, always refused; the bytes stay",
    .begin = begin,
    .actor = {{.name = "reader", .run = read_often}, {.name = "protector", .run = protect}},
    .end = end,
};
