/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    OK(sim_write_byte(SPOT + 1, 2));
    scenario_fork();
    sim_set_aspace(child);
    OK(sim_write_byte(SPOT, 21));
    sim_set_aspace(program);
    MUST(sim_read_byte(SPOT) == 1, "the parent's byte is gone");
}

static int write_parent(void)
{
    return sim_write_byte(SPOT, 11);
}

static int exit_child(void)
{
    return vm_delete_aspace(child);
}

static int read_parent(void)
{
    int seen = sim_read_byte(SPOT + 1);
    MUST(scenario_either(seen, 2, 2), "reads %d", seen);
    return seen;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT, 11);
    scenario_expect(SPOT + 1, 2);
}

const struct scenario scenario_last_owner_against_exit = {
    .name = "last-owner-against-exit",
    .text =
        "a page moves to its last owner while the chain below merges, and another thread reads it",
    .begin = begin,
    .actor = {{.name = "writer", .run = write_parent},
              {.name = "child", .run = exit_child},
              {.name = "reader", .run = read_parent}},
    .end = end,
};
