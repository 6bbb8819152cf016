/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define TWIN (SPOT + PAGES(16))

static region_id region;

static void begin(void)
{
    region = scenario_region(SPOT, 1, LOCK_RW);
    scenario_region(TWIN, 1, LOCK_RW); /* in the clone's place */
    OK(sim_write_byte(SPOT, 1));
}

static int fail_to_clone(void)
{
    void *at = PTR(TWIN);
    region_id id = vm_clone_region(program, "twin", &at, REGION_ADDR_EXACT_ADDRESS, region,
                                   REGION_NO_PRIVATE_MAP, LOCK_RW);
    MUST(id < 0, "two regions are at one address");
    return (int)id;
}

static int fork_program(void)
{
    child = vm_copy_aspace(program, "child");
    return child < 0 ? (int)child : VM_OK;
}

static void end(void)
{
    vm_region_info info;
    MUST(scenario_result(0) == ERR_VM_NO_REGION_SLOT, "the clone: %d", scenario_result(0));
    MUST(scenario_result(1) == VM_OK, "the fork has failed");
    OK(sim_write_byte(SPOT, 11));
    scenario_expect_child(SPOT, 1);
    OK(vm_get_region_info(region, &info));
    MUST(info.inherit == VM_INHERIT_COPY, "the next fork shares the region");
}

const struct scenario scenario_failed_clone_against_fork = {
    .name = "failed-clone-against-fork",
    .text =
        "a program forks while a clone of its region is tried in vain: the fork copies, as ever",
    .begin = begin,
    .actor = {{.name = "cloner", .run = fail_to_clone}, {.name = "forker", .run = fork_program}},
    .end = end,
};
