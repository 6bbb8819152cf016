/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define TWIN (SPOT + PAGES(16))

static sim_file *file;

static void begin(void)
{
    void *at = PTR(TWIN);
    file = scenario_file(SPOT, 1, LOCK_RW, REGION_NO_PRIVATE_MAP);
    OK(vm_map_vnode(program, "twin", &at, REGION_ADDR_EXACT_ADDRESS, PAGE, LOCK_RW,
                    REGION_NO_PRIVATE_MAP, file, 0));
    OK(sim_write_byte(SPOT, 11));
    OK(sim_write_byte(TWIN + 1, 12));
}

static int unmap_first(void)
{
    return vm_unmap_range(program, SPOT, PAGE);
}

static int unmap_second(void)
{
    return vm_unmap_range(program, TWIN, PAGE);
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    MUST(sim_file_references(file) == 0, "the file stays referenced");
    MUST(scenario_excuses(ERR_IO) || sim_file_data(file)[0] == 11, "the first write is lost");
    MUST(scenario_excuses(ERR_IO) || sim_file_data(file)[1] == 12, "the second write is lost");
}

const struct scenario scenario_last_unmaps_together = {
    .name = "last-unmaps-together",
    .text =
        "the last two mappings of a file go at once: its writes are in the file, its cache is gone",
    .begin = begin,
    .actor = {{.name = "first", .run = unmap_first}, {.name = "second", .run = unmap_second}},
    .end = end,
};
