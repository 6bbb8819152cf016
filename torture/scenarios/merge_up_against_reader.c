/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

/* More is on top than below, so the pages below move up. */
static void begin(void)
{
    scenario_region(SPOT, 3, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    scenario_fork();
    OK(sim_write_byte(SPOT + PAGE, 12));
    OK(sim_write_byte(SPOT + PAGES(2), 13));
}

static int read_and_write(void)
{
    int seen = sim_read_byte(SPOT);
    MUST(scenario_either(seen, 1, 1), "the page below is %d", seen);
    return seen < 0 ? seen : sim_write_byte(SPOT, 11);
}

static int exit_child(void)
{
    return vm_delete_aspace(child);
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT, 11);
    scenario_expect(SPOT + PAGE, 12);
    scenario_expect(SPOT + PAGES(2), 13);
}

const struct scenario scenario_merge_up_against_reader = {
    .name = "merge-up-against-reader",
    .text = "the pages below move up into a chain's top while one of them is read and written",
    .begin = begin,
    .actor = {{.name = "program", .run = read_and_write}, {.name = "child", .run = exit_child}},
    .end = end,
};
