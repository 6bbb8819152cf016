/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;
static uint8_t written;

static void begin(void)
{
    file = scenario_file(SPOT, 1, LOCK_RW, REGION_NO_PRIVATE_MAP);
    written = 10;
    OK(sim_write_byte(SPOT, written));
    OK(vm_sync_range(program, SPOT, PAGE));
}

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

static int unmap(void)
{
    return vm_unmap_range(program, SPOT, PAGE);
}

static void end(void)
{
    MUST(scenario_either(scenario_result(0), VM_OK, ERR_VM_PF_BAD_ADDRESS), "the writes: %d",
         scenario_result(0));
    MUST(scenario_result(1) == VM_OK, "the unmapping has failed");
    MUST(sim_file_references(file) == 0, "the file stays referenced");
    MUST(scenario_excuses(ERR_IO) || sim_file_data(file)[0] == written,
         "the file has %d, the last write was %d", sim_file_data(file)[0], written);
}

const struct scenario scenario_last_unmap_against_writer = {
    .name = "last-unmap-against-writer",
    .text = "a file's last mapping goes while a CPU writes through its TLB: no write is lost",
    .begin = begin,
    .actor = {{.name = "writer", .run = write_often}, {.name = "unmapper", .run = unmap}},
    .end = end,
};
