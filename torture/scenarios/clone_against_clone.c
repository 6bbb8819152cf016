/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define TWIN (SPOT + PAGES(16))
#define THIRD (SPOT + PAGES(32))

static region_id region;

static void begin(void)
{
    region = scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
}

static int make_clone(addr_t base, int mapping)
{
    void *at = PTR(base);
    region_id id =
        vm_clone_region(program, "clone", &at, REGION_ADDR_REPLACE, region, mapping, LOCK_RW);
    return id < 0 ? (int)id : VM_OK;
}

static int clone_shared(void)
{
    return make_clone(TWIN, REGION_NO_PRIVATE_MAP);
}

static int clone_private(void)
{
    int error = make_clone(THIRD, REGION_PRIVATE_MAP);
    return error == VM_OK ? sim_write_byte(THIRD, 31) : error;
}

static int write_source(void)
{
    return sim_write_byte(SPOT, 11);
}

static void end(void)
{
    for (unsigned i = 0; i < 3; i++)
        MUST(scenario_result(i) == VM_OK, "call %u has failed", i);
    scenario_expect(SPOT, 11);
    scenario_expect(TWIN, 11);
    scenario_expect(THIRD, 31);
}

const struct scenario scenario_clone_against_clone = {
    .name = "clone-against-clone",
    .text = "one region is cloned twice, shared and privately, while it is written",
    .begin = begin,
    .actor = {{.name = "sharer", .run = clone_shared},
              {.name = "copier", .run = clone_private},
              {.name = "writer", .run = write_source}},
    .end = end,
};
