/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RO));
    MUST(sim_read_byte(SPOT) == 1, "the byte is gone");
}

static int protect_and_write(void)
{
    int error = vm_protect_range(program, SPOT, PAGE, LOCK_RW);
    return error == VM_OK ? sim_write_byte(SPOT, 11) : error;
}

static int fork_program(void)
{
    child = vm_copy_aspace(program, "child");
    return child < 0 ? (int)child : VM_OK;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT, 11);
    int seen = scenario_child_byte(SPOT);
    MUST(seen == 1 || seen == 11, "the child has %d", seen);
    OK(sim_write_byte(SPOT, 12));
    scenario_expect_child(SPOT, seen);
}

const struct scenario scenario_gaining_write_against_fork = {
    .name = "gaining-write-against-fork",
    .text = "a region gets writable while its program forks: no page that the child sees becomes "
            "writable",
    .begin = begin,
    .actor = {{.name = "protector", .run = protect_and_write},
              {.name = "forker", .run = fork_program}},
    .end = end,
};
