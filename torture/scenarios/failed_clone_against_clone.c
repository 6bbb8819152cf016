/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define TWIN (SPOT + PAGES(16))
#define OTHER (SPOT + PAGES(32))

static region_id region;

static void begin(void)
{
    region = scenario_region(SPOT, 1, LOCK_RW);
    scenario_region(TWIN, 1, LOCK_RW); /* in the one clone's place */
    OK(sim_write_byte(SPOT, 1));
}

static int clone_to(addr_t address)
{
    void *at = PTR(address);
    region_id id = vm_clone_region(program, "clone", &at, REGION_ADDR_EXACT_ADDRESS, region,
                                   REGION_NO_PRIVATE_MAP, LOCK_RW);
    return id < 0 ? (int)id : VM_OK;
}

static int fail_to_clone(void)
{
    return clone_to(TWIN);
}

static int clone(void)
{
    return clone_to(OTHER);
}

static void end(void)
{
    vm_region_info info;
    MUST(scenario_result(0) == ERR_VM_NO_REGION_SLOT, "the one clone: %d", scenario_result(0));
    MUST(scenario_result(1) == VM_OK, "the other clone has failed");
    OK(vm_get_region_info(region, &info));
    MUST(info.inherit == VM_INHERIT_SHARE, "a fork parts the region from its clone");
    scenario_fork();
    OK(sim_write_byte(SPOT, 11));
    scenario_expect(OTHER, 11);
    scenario_expect_child(SPOT, 11);
    scenario_expect_child(OTHER, 11);
}

const struct scenario scenario_failed_clone_against_clone = {
    .name = "failed-clone-against-clone",
    .text = "a clone is tried in vain while another is made: forks share what those two show",
    .begin = begin,
    .actor = {{.name = "in-vain", .run = fail_to_clone}, {.name = "cloner", .run = clone}},
    .end = end,
};
