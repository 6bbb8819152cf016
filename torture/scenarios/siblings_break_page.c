/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

/* The common parent is gone: `program` is its first child. */
static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RW);
    scenario_number(SPOT, 1, 1);
    OK(sim_write_byte(SPOT + 1, 2));
    scenario_fork();
    aspace_id parent = program, first = vm_copy_aspace(program, "first");
    OK(first);
    program = first;
    sim_set_aspace(program);
    OK(sim_delete_aspace(parent));
}

static int write_first(void)
{
    return sim_write_byte(SPOT, 11);
}

static int write_second(void)
{
    return sim_write_byte(SPOT, 21);
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a write has failed");
    scenario_expect(SPOT, 11);
    scenario_expect(SPOT + 1, 2);
    scenario_expect_child(SPOT, 21);
    scenario_expect_child(SPOT + 1, 2);
}

const struct scenario scenario_siblings_break_page = {
    .name = "siblings-break-page",
    .text = "two siblings write to the page they have from their parent: each has its own",
    .begin = begin,
    .actor = {{.name = "first", .run = write_first},
              {.name = "second", .run = write_second, .in_child = true}},
    .end = end,
};
