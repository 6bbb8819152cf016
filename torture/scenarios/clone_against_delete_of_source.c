/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define TWIN (SPOT + PAGES(16))

static region_id region;

static void begin(void)
{
    region = scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 7);
}

static int make_clone(void)
{
    void *at = PTR(TWIN);
    region_id id = vm_clone_region(program, "twin", &at, REGION_ADDR_EXACT_ADDRESS, region,
                                   REGION_PRIVATE_MAP, LOCK_RW);
    return id < 0 ? (int)id : VM_OK;
}

static int delete_source(void)
{
    return vm_delete_region(program, region);
}

static void end(void)
{
    int cloned = scenario_result(0);
    MUST(cloned == VM_OK || cloned == ERR_VM_INVALID_REGION, "the clone: %d", cloned);
    MUST(scenario_result(1) == VM_OK, "the deletion has failed");
    scenario_expect(SPOT, ERR_VM_PF_BAD_ADDRESS);
    scenario_expect(TWIN, cloned == VM_OK ? 7 : ERR_VM_PF_BAD_ADDRESS);
    if (cloned == VM_OK)
        OK(sim_write_byte(TWIN + PAGE, 9));
}

const struct scenario scenario_clone_against_delete_of_source = {
    .name = "clone-against-delete-of-source",
    .text = "a region is cloned privately while it is deleted: no clone, or one with all it showed",
    .begin = begin,
    .actor = {{.name = "cloner", .run = make_clone}, {.name = "deleter", .run = delete_source}},
    .end = end,
};
