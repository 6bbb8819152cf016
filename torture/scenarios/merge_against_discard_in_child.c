/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

/* Three generations share a page; the one in the middle goes while the others discard and write. */
static aspace_id second;

static void begin(void)
{
    scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 1);
    scenario_fork();
    second = vm_copy_aspace(program, "second");
    OK(second);
}

static int discard_child(void)
{
    int error = vm_discard_range(child, SPOT, PAGE);
    if (error == VM_OK) {
        int seen = sim_read_byte(SPOT);
        MUST(scenario_either(seen, 0, 0), "what was discarded is %d", seen);
    }
    return error;
}

static int exit_second(void)
{
    int error = vm_delete_aspace(second);
    return error == ERR_VM_INVALID_ASPACE ? VM_OK : error;
}

static int write_program(void)
{
    return sim_write_byte(SPOT, 11);
}

static void end(void)
{
    for (unsigned i = 0; i < 3; i++)
        MUST(scenario_result(i) == VM_OK, "call %u has failed", i);
    scenario_expect(SPOT, 11);
    scenario_expect(SPOT + PAGE, 2);
    scenario_expect_child(SPOT, 0);
    scenario_expect_child(SPOT + PAGE, 2);
}

const struct scenario scenario_merge_against_discard_in_child = {
    .name = "merge-against-discard-in-child",
    .text =
        "one child exits and another discards a page while the parent writes it: each sees its own",
    .begin = begin,
    .actor = {{.name = "child", .run = discard_child, .in_child = true},
              {.name = "second", .run = exit_second},
              {.name = "program", .run = write_program}},
    .end = end,
};
