/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;

static void begin(void)
{
    file = scenario_file(SPOT, 2, LOCK_RW, REGION_NO_PRIVATE_MAP);
    OK(sim_write_byte(SPOT, 11));
}

static int write_second(void)
{
    return sim_write_byte(SPOT + PAGE, 12);
}

static int sync_both(void)
{
    int error = vm_sync_range(program, SPOT, PAGES(2));
    if (error == VM_OK)
        MUST(sim_file_data(file)[0] == 11, "a byte that was there is not in the file");
    return error;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT + PAGE, 12);
    OK(vm_sync_range(program, SPOT, PAGES(2)));
    MUST(sim_file_data(file)[PAGE] == 12, "the write is not in the file");
}

const struct scenario scenario_fault_against_sync = {
    .name = "fault-against-sync",
    .text = "a file's mapping is synced while another page of it is written for the first time",
    .begin = begin,
    .actor = {{.name = "writer", .run = write_second}, {.name = "syncer", .run = sync_both}},
    .end = end,
};
