/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 3, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    OK(sim_write_byte(SPOT + PAGE, 2));
}

static int ask(void)
{
    uint8_t resident[3] = {7, 7, 7};
    int error = vm_get_residency(program, SPOT, PAGES(3), resident);
    if (error != VM_OK)
        return error;
    MUST(resident[0] == 1, "a page that stays is said to be away");
    MUST(resident[1] <= 1 && resident[2] <= 1, "residency is %u, %u", resident[1], resident[2]);
    return VM_OK;
}

static int discard(void)
{
    return vm_discard_range(program, SPOT + PAGE, PAGE);
}

static int write(void)
{
    return sim_write_byte(SPOT + PAGES(2), 3);
}

static void end(void)
{
    uint8_t resident[3];
    for (unsigned i = 0; i < 3; i++)
        MUST(scenario_result(i) == VM_OK, "call %u has failed", i);
    OK(vm_get_residency(program, SPOT, PAGES(3), resident));
    MUST(resident[0] == 1 && resident[1] == 0 && resident[2] == 1, "residency is %u, %u, %u",
         resident[0], resident[1], resident[2]);
}

const struct scenario scenario_residency_against_changes = {
    .name = "residency-against-changes",
    .text =
        "residency is asked for while one page goes and another comes: the third is always there",
    .begin = begin,
    .actor = {{.name = "asker", .run = ask},
              {.name = "discarder", .run = discard},
              {.name = "writer", .run = write}},
    .end = end,
};
