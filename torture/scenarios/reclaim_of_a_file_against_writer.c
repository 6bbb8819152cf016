/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    (void)scenario_file(SPOT, 2, LOCK_RW, REGION_NO_PRIVATE_MAP);
    OK(sim_write_byte(SPOT, 7));
}

static int write(void)
{
    return sim_write_byte(SPOT, 11);
}

static void end(void)
{
    MUST(scenario_result(1) == VM_OK, "the write failed: %d", scenario_result(1));
    (void)vm_reclaim(2);
    scenario_expect(SPOT, 11);
    scenario_expect(SPOT + PAGE, 2);
}

const struct scenario scenario_reclaim_of_a_file_against_writer = {
    .name = "reclaim-of-a-file-against-writer",
    .text = "a file's page goes while it is written through a mapping: the write is not lost",
    .begin = begin,
    .actor = {{.name = "reclaimer", .run = scenario_reclaim}, {.name = "writer", .run = write}},
    .end = end,
    .swap = 64,
};
