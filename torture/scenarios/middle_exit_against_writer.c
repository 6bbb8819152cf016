/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static aspace_id middle;

static void begin(void)
{
    scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 1);
    middle = vm_copy_aspace(program, "middle");
    OK(middle);
    sim_set_aspace(middle);
    OK(sim_write_byte(SPOT, 11));
    child = vm_copy_aspace(middle, "grandchild");
    OK(child);
    sim_set_aspace(program);
}

static int exit_middle(void)
{
    int error = vm_delete_aspace(middle);
    return error == ERR_VM_INVALID_ASPACE ? VM_OK : error;
}

static int write_grandchild(void)
{
    int seen = sim_read_byte(SPOT);
    MUST(scenario_either(seen, 11, 11), "the grandchild has %d", seen);
    return seen < 0 ? seen : sim_write_byte(SPOT + PAGE, 22);
}

static int write_program(void)
{
    return sim_write_byte(SPOT + PAGE, 2 + 10);
}

static void end(void)
{
    for (unsigned i = 0; i < 3; i++)
        MUST(scenario_result(i) == VM_OK, "call %u has failed", i);
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT + PAGE, 12);
    scenario_expect_child(SPOT, 11);
    scenario_expect_child(SPOT + PAGE, 22);
}

const struct scenario scenario_middle_exit_against_writer = {
    .name = "middle-exit-against-writer",
    .text =
        "of three generations the middle one exits while the others write: each keeps its bytes",
    .begin = begin,
    .actor = {{.name = "middle", .run = exit_middle},
              {.name = "grandchild", .run = write_grandchild, .in_child = true},
              {.name = "program", .run = write_program}},
    .end = end,
};
