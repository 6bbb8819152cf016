/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;

static void begin(void)
{
    file = scenario_file(SPOT, 1, LOCK_RW, REGION_NO_PRIVATE_MAP);
    OK(sim_write_byte(SPOT, 11));
}

static int sync_page(void)
{
    return vm_sync_range(program, SPOT, PAGE);
}

static int write_and_unmap(void)
{
    (void)sim_write_byte(SPOT + 1, 12);
    return vm_unmap_range(program, SPOT, PAGE);
}

static void end(void)
{
    int synced = scenario_result(0);
    MUST(synced == VM_OK || synced == ERR_VM_PAGE_NOT_PRESENT, "the sync: %d", synced);
    MUST(scenario_result(1) == VM_OK, "the unmapping has failed");
    MUST(sim_file_references(file) == 0, "the file stays referenced");
    MUST(scenario_excuses(ERR_IO) || sim_file_data(file)[0] == 11, "the first write is lost");
    MUST(scenario_excuses(ERR_IO) || sim_file_data(file)[1] == 12, "the second write is lost");
}

const struct scenario scenario_sync_against_last_unmap = {
    .name = "sync-against-last-unmap",
    .text =
        "a sync holds a file's cache as its last mapping goes: whoever is last writes what is left",
    .begin = begin,
    .actor = {{.name = "syncer", .run = sync_page}, {.name = "unmapper", .run = write_and_unmap}},
    .end = end,
};
