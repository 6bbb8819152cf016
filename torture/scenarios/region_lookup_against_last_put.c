/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static region_id region;

static void begin(void)
{
    region = scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
}

static int delete_region(void)
{
    return vm_delete_region(program, region);
}

static int look_up(void)
{
    vm_region_info info;
    vm_region *found = vm_get_region_by_id(region);
    vm_put_region(found);
    int error = vm_get_region_info(region, &info);
    MUST(error != VM_OK || (info.id == region && info.base == SPOT && info.size == PAGE),
         "another region is found");
    MUST(error != VM_OK || found != NULL, "a region that was gone is back");
    return error;
}

static int delete_again(void)
{
    return vm_delete_region(program, region);
}

static void end(void)
{
    int one = scenario_result(0), other = scenario_result(2), found = scenario_result(1);
    MUST((one == VM_OK) != (other == VM_OK), "the deletions: %d, %d", one, other);
    MUST(one == VM_OK || one == ERR_VM_INVALID_REGION, "the first deletion: %d", one);
    MUST(other == VM_OK || other == ERR_VM_INVALID_REGION, "the second deletion: %d", other);
    MUST(found == VM_OK || found == ERR_VM_INVALID_REGION, "the look: %d", found);
    scenario_expect(SPOT, ERR_VM_PF_BAD_ADDRESS);
}

const struct scenario scenario_region_lookup_against_last_put = {
    .name = "region-lookup-against-last-put",
    .text =
        "a region is looked up while two threads delete it: whole or not found, and deleted once",
    .begin = begin,
    .actor = {{.name = "deleter", .run = delete_region},
              {.name = "finder", .run = look_up},
              {.name = "deleter too", .run = delete_again}},
    .end = end,
};
