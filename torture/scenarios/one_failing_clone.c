/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define CLONE (SPOT + PAGES(16))

static region_id region;

static void begin(void)
{
    region = scenario_wired_tail(SPOT, 2);
}

static int clone(void)
{
    return scenario_clone(region, CLONE);
}

static void end(void)
{
    vm_region_info info;
    MUST(scenario_result(0) != VM_OK, "the clone has come");
    OK(vm_get_region_info(region, &info));
    MUST(info.inherit == VM_INHERIT_COPY, "no clone has come, and the next fork shares the region");
}

const struct scenario scenario_one_failing_clone = {
    .name = "one-failing-clone",
    .text = "a clone of a region fails, with nobody else there: forks copy it, as before",
    .begin = begin,
    .actor = {{.name = "cloner", .run = clone}},
    .end = end,
};
