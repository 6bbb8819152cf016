/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static size_t before;

static size_t caches(void)
{
    vm_info info;
    vm_get_info(&info);
    return info.caches;
}

static void begin(void)
{
    before = caches();
    scenario_two_pages();
    scenario_fork();
}

static int unmap(void)
{
    return vm_unmap_range(program, SPOT, PAGES(2));
}

static int unmap_in_child(void)
{
    return vm_unmap_range(child, SPOT, PAGES(2));
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "an unmapping has failed");
    MUST(caches() == before, "there were %zu caches, now %zu", before, caches());
}

const struct scenario scenario_owners_exit_together = {
    .name = "owners-exit-together",
    .text =
        "both who share a cache leave it at once: there is nobody to merge it with, and it goes",
    .begin = begin,
    .actor = {{.name = "parent", .run = unmap}, {.name = "child", .run = unmap_in_child}},
    .end = end,
};
