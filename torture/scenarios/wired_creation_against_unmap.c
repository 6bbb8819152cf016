/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT + PAGES(4), 1, LOCK_RW);
}

static int create_wired(void)
{
    void *at = PTR(SPOT);
    region_id id = vm_create_anonymous_region(program, "wired", &at, REGION_ADDR_EXACT_ADDRESS,
                                              PAGES(2), REGION_WIRING_WIRED, LOCK_RW);
    return id < 0 ? (int)id : VM_OK;
}

static int unmap(void)
{
    return vm_unmap_range(program, SPOT, PAGES(2));
}

static void end(void)
{
    int created = scenario_result(0);
    MUST(created == VM_OK, "the creation: %d", created);
    MUST(scenario_result(1) == VM_OK, "the unmapping has failed");
    int seen = sim_read_byte(SPOT);
    MUST(seen == ERR_VM_PF_BAD_ADDRESS || seen == 0, "the page is %d", seen);
    scenario_expect(SPOT, seen);
    scenario_expect(SPOT + PAGE, seen);
}

const struct scenario scenario_wired_creation_against_unmap = {
    .name = "wired-creation-against-unmap",
    .text =
        "a wired region is unmapped while its pages are brought in: all of it is there, or nothing",
    .begin = begin,
    .actor = {{.name = "creator", .run = create_wired}, {.name = "unmapper", .run = unmap}},
    .end = end,
};
