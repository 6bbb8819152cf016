/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;

static void begin(void)
{
    file = scenario_file(SPOT, 2, LOCK_RW, REGION_NO_PRIVATE_MAP);
    scenario_number(SPOT, 2, 11);
}

static int sync_both(void)
{
    int error = vm_sync_range(program, SPOT, PAGES(2));
    MUST(error != VM_OK || sim_file_data(file)[PAGE] == 12, "what was synced is not in the file");
    return error;
}

static int write_and_sync(void)
{
    int error = sim_write_byte(SPOT, 21);
    if (error == VM_OK)
        error = vm_sync_range(program, SPOT, PAGE);
    MUST(error != VM_OK || sim_file_data(file)[0] == 21, "what was synced is not in the file");
    return error;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    MUST(sim_file_data(file)[0] == 21, "the last write is not in the file");
    MUST(sim_file_data(file)[PAGE] == 12, "the other page is not in the file");
}

const struct scenario scenario_write_backs_together = {
    .name = "write-backs-together",
    .text =
        "two threads sync one mapping, and one of them writes: the file has what each has synced",
    .begin = begin,
    .actor = {{.name = "first", .run = sync_both}, {.name = "second", .run = write_and_sync}},
    .end = end,
};
