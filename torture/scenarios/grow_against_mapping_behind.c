/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static region_id region;

static void begin(void)
{
    region = scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
}

static int grow(void)
{
    return vm_resize_region(program, region, PAGES(2));
}

static int map_behind(void)
{
    void *at = PTR(SPOT + PAGE);
    region_id id = vm_create_anonymous_region(program, "behind", &at, REGION_ADDR_EXACT_ADDRESS,
                                              PAGE, REGION_WIRING_LAZY, LOCK_RO);
    return id < 0 ? (int)id : VM_OK;
}

static void end(void)
{
    int grown = scenario_result(0), mapped = scenario_result(1);
    MUST((grown == VM_OK && mapped == ERR_VM_NO_REGION_SLOT) ||
             (mapped == VM_OK && grown == ERR_VM_NO_REGION_SLOT),
         "the growth: %d, the mapping: %d", grown, mapped);
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT + PAGE, 0);
    int wrote = sim_write_byte(SPOT + PAGE, 2);
    MUST(wrote == (grown == VM_OK ? VM_OK : ERR_VM_PF_BAD_PERM), "a write behind: %d", wrote);
}

const struct scenario scenario_grow_against_mapping_behind = {
    .name = "grow-against-mapping-behind",
    .text =
        "a region grows over addresses that are mapped at the same time: one of the two gets them",
    .begin = begin,
    .actor = {{.name = "grower", .run = grow}, {.name = "mapper", .run = map_behind}},
    .end = end,
};
