/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define TWIN (SPOT + PAGES(16))

static region_id region;

static void begin(void)
{
    region = scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
}

static int make_clone(void)
{
    void *at = PTR(TWIN);
    region_id id = vm_clone_region(program, "twin", &at, REGION_ADDR_EXACT_ADDRESS, region,
                                   REGION_NO_PRIVATE_MAP, LOCK_RW);
    return id < 0 ? (int)id : VM_OK;
}

static int fork_program(void)
{
    child = vm_copy_aspace(program, "child");
    return child < 0 ? (int)child : VM_OK;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    OK(sim_write_byte(TWIN, 11));
    scenario_expect(SPOT, 11);
    int source = scenario_child_byte(SPOT), twin = scenario_child_byte(TWIN);
    MUST((source == 1 && twin == ERR_VM_PF_BAD_ADDRESS) || (source == 11 && twin == 11),
         "the child has %d and %d", source, twin);
}

const struct scenario scenario_fork_against_shared_clone = {
    .name = "fork-against-shared-clone",
    .text = "a program forks while it makes a shared clone: copied without the clone, or shared "
            "with it",
    .begin = begin,
    .actor = {{.name = "cloner", .run = make_clone}, {.name = "forker", .run = fork_program}},
    .end = end,
};
