/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;
static uint8_t written;

static void begin(void)
{
    file = scenario_file(SPOT, 1, LOCK_RW, REGION_NO_PRIVATE_MAP);
    written = 10;
    OK(sim_write_byte(SPOT, written));
}

/* Through its TLB, without a fault, unless the write-back has taken the dirty bit. */
static int write_often(void)
{
    for (uint8_t i = 11; i <= 13; i++) {
        int error = sim_write_byte(SPOT, i);
        if (error != VM_OK)
            return error;
        written = i;
    }
    return VM_OK;
}

static int sync_page(void)
{
    uint8_t before = written;
    int error = vm_sync_range(program, SPOT, PAGE);
    if (error == VM_OK)
        MUST(sim_file_data(file)[0] >= before, "the file has %d after a sync, %d was written",
             sim_file_data(file)[0], before);
    return error;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT, 13);
    OK(vm_sync_range(program, SPOT, PAGE));
    MUST(sim_file_data(file)[0] == 13, "the file has %d, not the last write",
         sim_file_data(file)[0]);
}

const struct scenario scenario_write_back_against_writer = {
    .name = "write-back-against-writer",
    .text = "a page is written while the store writes it back: it stays modified for the next time",
    .begin = begin,
    .actor = {{.name = "writer", .run = write_often}, {.name = "syncer", .run = sync_page}},
    .end = end,
};
