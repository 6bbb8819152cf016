/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 2, LOCK_RW);
    for (unsigned cpu = 3; cpu-- > 0;) {
        sim_set_cpu(cpu);
        scenario_number(SPOT, 2, 1);
    }
}

static int write_first(void)
{
    return sim_write_byte(SPOT, 11);
}

/* Its write answers the other's. */
static int write_second(void)
{
    int seen = sim_read_byte(SPOT);
    return seen == 11 ? sim_write_byte(SPOT + PAGE, 12) : seen;
}

static int fork_program(void)
{
    child = vm_copy_aspace(program, "child");
    return child < 0 ? (int)child : VM_OK;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(2) == VM_OK, "a write or the fork failed");
    int one = scenario_child_byte(SPOT), other = scenario_child_byte(SPOT + PAGE);
    MUST(other == 2 || one == 11, "the child has the answer without what it answers");
    scenario_expect(SPOT, 11);
    scenario_expect(SPOT + PAGE, scenario_result(1) == VM_OK ? 12 : 2);
}

const struct scenario scenario_fork_against_two_writers = {
    .name = "fork-against-two-writers",
    .text = "one CPU's write answers another's while a third forks: no child has only the answer",
    .begin = begin,
    .actor = {{.name = "first", .run = write_first},
              {.name = "second", .run = write_second},
              {.name = "forker", .run = fork_program}},
    .end = end,
};
