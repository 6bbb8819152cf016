/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    OK(sim_write_byte(SPOT + 1, 2));
    scenario_fork();
    sim_set_aspace(child);
    OK(sim_write_byte(SPOT, 21)); /* a copy of its own: the other page is the parent's alone */
    sim_set_aspace(program);
}

static int write_parent(void)
{
    return sim_write_byte(SPOT, 11);
}

static int read_parent(void)
{
    int one = sim_read_byte(SPOT);
    MUST(scenario_either(one, 1, 11), "reads %d", one);
    int other = sim_read_byte(SPOT);
    MUST(one < 0 || scenario_either(other, one, 11), "reads %d after %d", other, one);
    return other;
}

/* The page may show through again. */
static int discard_child(void)
{
    return vm_discard_range(child, SPOT, PAGE);
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(2) == VM_OK, "a call has failed");
    scenario_expect(SPOT, 11);
    scenario_expect(SPOT + 1, 2);
    int seen = scenario_child_byte(SPOT);
    MUST(seen == 0, "the child has %d", seen);
}

const struct scenario scenario_last_owner_moves_page = {
    .name = "last-owner-moves-page",
    .text = "the last who sees a page below takes it without a copy, while others read and discard",
    .begin = begin,
    .actor = {{.name = "writer", .run = write_parent},
              {.name = "reader", .run = read_parent},
              {.name = "child", .run = discard_child, .in_child = true}},
    .end = end,
};
