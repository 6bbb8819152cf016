/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;

static void begin(void)
{
    file = scenario_file(SPOT, 2, LOCK_RW, REGION_NO_PRIVATE_MAP);
    OK(sim_write_byte(SPOT, 7));
}

static int unmap(void)
{
    return vm_unmap_range(program, SPOT, PAGES(2));
}

static void end(void)
{
    MUST(scenario_result(1) == VM_OK, "the unmapping failed: %d", scenario_result(1));
    MUST(sim_file_references(file) == 0, "%u references are left", sim_file_references(file));
    MUST(sim_file_data(file)[0] == 7 || scenario_excuses(ERR_IO), "the write is not in the file");
}

const struct scenario scenario_reclaim_of_a_file_against_unmap = {
    .name = "reclaim-of-a-file-against-unmap",
    .text = "the last mapping of a file goes as its pages do: it is written, and nobody holds it",
    .begin = begin,
    .actor = {{.name = "reclaimer", .run = scenario_reclaim}, {.name = "unmapper", .run = unmap}},
    .end = end,
    .swap = 64,
};
