/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    void *at = PTR(SPOT);
    OK(vm_map_physical_memory(program, "device", &at, REGION_ADDR_EXACT_ADDRESS, PAGE, LOCK_RW,
                              SIM_DEVICE_LOW));
}

static int write(void)
{
    return sim_write_byte(SPOT, 1);
}

static int fork_program(void)
{
    child = vm_copy_aspace(program, "child");
    return child < 0 ? (int)child : VM_OK;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect_child(SPOT, 1);
    OK(sim_write_byte(SPOT, 2));
    scenario_expect_child(SPOT, 2);
}

const struct scenario scenario_device_against_fork = {
    .name = "device-against-fork",
    .text = "a program writes to a device while it forks: parent and child have the one device",
    .begin = begin,
    .actor = {{.name = "writer", .run = write}, {.name = "forker", .run = fork_program}},
    .end = end,
};
