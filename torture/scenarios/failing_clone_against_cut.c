/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define CLONE (SPOT + PAGES(16))
#define HALF (SPOT + PAGES(2))

static region_id region;

static void begin(void)
{
    region = scenario_wired_tail(SPOT, 4);
}

static int clone(void)
{
    return scenario_clone(region, CLONE);
}

static int cut(void)
{
    return vm_advise_range(program, HALF, PAGES(2), VM_ADVICE_RANDOM);
}

static void end(void)
{
    vm_region_info info;
    MUST(scenario_result(0) != VM_OK, "the clone has come");
    MUST(scenario_result(1) == VM_OK, "the advice: %d", scenario_result(1));
    OK(vm_get_region_info(region, &info));
    MUST(info.inherit == VM_INHERIT_COPY, "the next fork shares the region");
    OK(vm_get_region_info(scenario_find(HALF), &info));
    MUST(info.inherit == VM_INHERIT_COPY, "the next fork shares what was cut off");
}

const struct scenario scenario_failing_clone_against_cut = {
    .name = "failing-clone-against-cut",
    .text = "a region is cut while a clone of it fails: forks copy both pieces, as before",
    .begin = begin,
    .actor = {{.name = "cloner", .run = clone}, {.name = "cutter", .run = cut}},
    .end = end,
};
