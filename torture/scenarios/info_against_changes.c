/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static region_id region;

static void begin(void)
{
    region = scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 1);
}

static int ask(void)
{
    vm_region_info info;
    int error = vm_get_region_info(region, &info);
    if (error != VM_OK)
        return error;
    MUST(info.base == SPOT && (info.size == PAGE || info.size == PAGES(2)),
         "the region is %#lx at %#lx", (unsigned long)info.size, (unsigned long)info.base);
    MUST(info.resident_pages * PAGE <= info.size, "%zu pages are mapped", info.resident_pages);
    MUST(info.chain_depth == 1 || info.chain_depth == 2, "the chain is %u deep", info.chain_depth);
    return VM_OK;
}

static int shrink(void)
{
    return vm_resize_region(program, region, PAGE);
}

static int fork_program(void)
{
    child = vm_copy_aspace(program, "child");
    return child < 0 ? (int)child : VM_OK;
}

static void end(void)
{
    vm_region_info info;
    for (unsigned i = 0; i < 3; i++)
        MUST(scenario_result(i) == VM_OK, "call %u has failed", i);
    OK(vm_get_region_info(region, &info));
    MUST(info.size == PAGE && info.chain_depth == 2, "size %#lx, depth %u",
         (unsigned long)info.size, info.chain_depth);
    scenario_expect(SPOT, 1);
    scenario_expect_child(SPOT, 1);
}

const struct scenario scenario_info_against_changes = {
    .name = "info-against-changes",
    .text =
        "a region is asked about while it shrinks and its program forks: each answer fits together",
    .begin = begin,
    .actor = {{.name = "asker", .run = ask},
              {.name = "resizer", .run = shrink},
              {.name = "forker", .run = fork_program}},
    .end = end,
};
