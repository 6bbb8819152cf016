/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static region_id region;
static addr_t copy;

static void begin(void)
{
    region = scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 1);
}

static int snapshot(void)
{
    void *at = NULL;
    region_id id = vm_snapshot_region(program, "snapshot", &at, REGION_ADDR_ANY_ADDRESS, region);
    copy = (addr_t)at;
    return id < 0 ? (int)id : VM_OK;
}

static int delete (void)
{
    return vm_delete_region(program, region);
}

static void end(void)
{
    int error = scenario_result(0);
    MUST(error == VM_OK || error == ERR_VM_INVALID_REGION, "the snapshot: %d", error);
    MUST(scenario_result(1) == VM_OK, "the deletion has failed");
    scenario_expect(SPOT, ERR_VM_PF_BAD_ADDRESS);
    if (error == VM_OK) {
        scenario_expect(copy, 1);
        scenario_expect(copy + PAGE, 2);
    }
}

const struct scenario scenario_snapshot_against_delete_of_source = {
    .name = "snapshot-against-delete-of-source",
    .text = "a region goes while a snapshot is made of it: it has all pages, or there is none",
    .begin = begin,
    .actor = {{.name = "snapshot", .run = snapshot}, {.name = "deleter", .run = delete}},
    .end = end,
};
