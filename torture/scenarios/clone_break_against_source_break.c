/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define TWIN (SPOT + PAGES(16))

static void begin(void)
{
    void *at = PTR(TWIN);
    region_id region = scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    OK(sim_write_byte(SPOT + 1, 2));
    OK(vm_clone_region(program, "twin", &at, REGION_ADDR_EXACT_ADDRESS, region, REGION_PRIVATE_MAP,
                       LOCK_RW));
    scenario_fork();
}

static int write_clone(void)
{
    return sim_write_byte(TWIN, 21);
}

static int write_source(void)
{
    return sim_write_byte(SPOT, 11);
}

static int write_child(void)
{
    return sim_write_byte(SPOT, 31);
}

static void end(void)
{
    for (unsigned i = 0; i < 3; i++)
        MUST(scenario_result(i) == VM_OK, "write %u has failed", i);
    scenario_expect(TWIN, 21);
    scenario_expect(TWIN + 1, 2);
    scenario_expect(SPOT, 11);
    scenario_expect(SPOT + 1, 2);
    scenario_expect_child(SPOT, 31);
    scenario_expect_child(SPOT + 1, 2);
}

const struct scenario scenario_clone_break_against_source_break = {
    .name = "clone-break-against-source-break",
    .text = "a private clone, its source and a child write to one page at once: three pages, each "
            "whole",
    .begin = begin,
    .actor = {{.name = "clone", .run = write_clone},
              {.name = "source", .run = write_source},
              {.name = "child", .run = write_child, .in_child = true}},
    .end = end,
};
