/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define REFUSED 1

static void begin(void)
{
    scenario_region(SPOT, 2, LOCK_RW);
    OK(sim_fill(SPOT, 7, PAGES(2)));
}

static int copy_out(void)
{
    uint8_t bytes[8] = {0};
    int error = user_memcpy(bytes, PTR(SPOT + PAGE - 4), sizeof(bytes));
    for (unsigned i = 0; error == VM_OK && i < sizeof(bytes); i++)
        MUST(bytes[i] == 7, "byte %u is %u", i, bytes[i]);
    return error == ERR_VM_BAD_USER_MEMORY ? REFUSED : error;
}

static int copy_in(void)
{
    static const uint8_t bytes[8] = {7, 7, 7, 7, 7, 7, 7, 7};
    int error = user_memcpy(PTR(SPOT + PAGE - 4), bytes, sizeof(bytes));
    return error == ERR_VM_BAD_USER_MEMORY ? REFUSED : error;
}

static int unmap(void)
{
    return vm_unmap_range(program, SPOT + PAGE, PAGE);
}

static void end(void)
{
    for (unsigned i = 0; i < 2; i++)
        MUST(scenario_result(i) == VM_OK || scenario_result(i) == REFUSED, "copy %u: %d", i,
             scenario_result(i));
    MUST(scenario_result(2) == VM_OK, "the unmapping has failed");
    scenario_expect(SPOT + PAGE - 1, 7);
    scenario_expect(SPOT + PAGE, ERR_VM_PF_BAD_ADDRESS);
}

const struct scenario scenario_user_copy_against_unmap = {
    .name = "user-copy-against-unmap",
    .text = "system calls copy from and to memory that is being unmapped: all bytes, or an error",
    .begin = begin,
    .actor = {{.name = "reader", .run = copy_out},
              {.name = "writer", .run = copy_in},
              {.name = "unmapper", .run = unmap}},
    .end = end,
};
