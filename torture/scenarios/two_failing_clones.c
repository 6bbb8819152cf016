/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define FIRST (SPOT + PAGES(16))
#define SECOND (SPOT + PAGES(32))

static region_id region;

static void begin(void)
{
    region = scenario_wired_tail(SPOT, 2);
}

static int one(void)
{
    return scenario_clone(region, FIRST);
}

static int other(void)
{
    return scenario_clone(region, SECOND);
}

static void end(void)
{
    vm_region_info info;
    MUST(scenario_result(0) != VM_OK && scenario_result(1) != VM_OK, "a clone has come");
    OK(vm_get_region_info(region, &info));
    MUST(info.inherit == VM_INHERIT_COPY, "no clone has come, and the next fork shares the region");
}

const struct scenario scenario_two_failing_clones = {
    .name = "two-failing-clones",
    .text = "two clones of a region fail: forks copy it, as before",
    .begin = begin,
    .actor = {{.name = "one", .run = one}, {.name = "other", .run = other}},
    .end = end,
};
