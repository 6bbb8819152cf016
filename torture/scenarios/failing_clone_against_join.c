/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define CLONE (SPOT + PAGES(16))
#define HALF (SPOT + PAGES(2))

static region_id region;

static void begin(void)
{
    region = scenario_wired_tail(SPOT, 4);
    OK(vm_set_inheritance(program, HALF, PAGES(2), VM_INHERIT_SHARE));
}

static int clone(void)
{
    return scenario_clone(region, CLONE);
}

static int join(void)
{
    return vm_protect_range(program, SPOT, PAGES(4), LOCK_RW);
}

static void end(void)
{
    vm_region_info info;
    MUST(scenario_result(0) != VM_OK, "the clone has come");
    MUST(scenario_result(1) == VM_OK, "the protection: %d", scenario_result(1));
    OK(vm_get_region_info(region, &info));
    MUST(info.inherit == VM_INHERIT_COPY, "the next fork shares the region");
    OK(vm_get_region_info(scenario_find(HALF), &info));
    MUST(info.inherit == VM_INHERIT_SHARE, "the next fork copies what it was to share");
}

const struct scenario scenario_failing_clone_against_join = {
    .name = "failing-clone-against-join",
    .text =
        "a clone of a region fails, which meanwhile could join one that forks share: each stays "
        "as it was",
    .begin = begin,
    .actor = {{.name = "cloner", .run = clone}, {.name = "joiner", .run = join}},
    .end = end,
};
