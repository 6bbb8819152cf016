/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define PLACE (SPOT + PAGES(16))

static uint8_t written;

static void begin(void)
{
    written = 1;
    scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
}

static int write(void)
{
    for (uint8_t i = 11; i <= 13; i++) {
        int error = sim_write_byte(SPOT, i);
        if (error != VM_OK)
            return error;
        written = i;
    }
    return VM_OK;
}

static int move(void)
{
    void *to = PTR(PLACE);
    int error = vm_move_range(program, SPOT, PAGE, PAGE, &to, REGION_ADDR_EXACT_ADDRESS);
    if (error == VM_OK)
        MUST(sim_read_byte(SPOT) == ERR_VM_PF_BAD_ADDRESS, "the old place is still there");
    return error;
}

static void end(void)
{
    MUST(scenario_either(scenario_result(0), VM_OK, ERR_VM_PF_BAD_ADDRESS), "the write: %d",
         scenario_result(0));
    MUST(scenario_result(1) == VM_OK, "the move has failed");
    scenario_expect(SPOT, ERR_VM_PF_BAD_ADDRESS);
    scenario_expect(PLACE, written);
}

const struct scenario scenario_fault_against_move = {
    .name = "fault-against-move",
    .text = "a region moves while it is written at its old place: each write that went through "
            "moves, too",
    .begin = begin,
    .actor = {{.name = "writer", .run = write}, {.name = "mover", .run = move}},
    .end = end,
};
