/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static region_id region;

static void begin(void)
{
    void *at = PTR(SPOT);
    region = vm_create_anonymous_region(program, "wanted", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                        REGION_WIRING_LAZY, LOCK_RW);
    OK(region);
    scenario_region(SPOT + PAGE, 1, LOCK_RO);
}

static int find(void)
{
    region_id found = vm_find_region_by_name(program, "wanted");
    MUST(found == region || found == ERR_NOT_FOUND, "%ld is found", (long)found);
    return found == region ? VM_OK : (int)found;
}

static int delete_region(void)
{
    int error = vm_delete_region(program, region);
    if (error == VM_OK)
        MUST(vm_find_region_by_name(program, "wanted") == ERR_NOT_FOUND,
             "it is found when deleted");
    return error;
}

static int unmap_neighbour(void)
{
    return vm_unmap_range(program, SPOT + PAGE, PAGE);
}

static void end(void)
{
    MUST(scenario_result(1) == VM_OK && scenario_result(2) == VM_OK, "a call has failed");
    scenario_expect(SPOT, ERR_VM_PF_BAD_ADDRESS);
}

const struct scenario scenario_name_lookup_against_delete = {
    .name = "name-lookup-against-delete",
    .text = "a region is looked for by its name while it and its neighbour go: it is found, or not",
    .begin = begin,
    .actor = {{.name = "finder", .run = find},
              {.name = "deleter", .run = delete_region},
              {.name = "neighbour", .run = unmap_neighbour}},
    .end = end,
};
