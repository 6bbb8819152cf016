/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static int64_t before;

static void begin(void)
{
    before = sim_committed();
    scenario_region(SPOT, 4, LOCK_RW);
    scenario_number(SPOT, 4, 1);
}

static int unmap_low(void)
{
    return vm_unmap_range(program, SPOT, PAGES(2));
}

static int unmap_middle(void)
{
    return vm_unmap_range(program, SPOT + PAGE, PAGES(2));
}

static int write_last(void)
{
    return sim_write_byte(SPOT + PAGES(3), 14);
}

static void end(void)
{
    for (unsigned i = 0; i < 3; i++)
        MUST(scenario_result(i) == VM_OK, "call %u has failed", i);
    for (unsigned i = 0; i < 3; i++)
        scenario_expect(SPOT + PAGES(i), ERR_VM_PF_BAD_ADDRESS);
    scenario_expect(SPOT + PAGES(3), 14);
    MUST(sim_committed() == before + (int64_t)PAGE, "%lld bytes are promised",
         (long long)(sim_committed() - before));
}

const struct scenario scenario_unmap_against_unmap = {
    .name = "unmap-against-unmap",
    .text = "two ranges that overlap are unmapped at once, beside a page that is written: only "
            "that stays",
    .begin = begin,
    .actor = {{.name = "low", .run = unmap_low},
              {.name = "middle", .run = unmap_middle},
              {.name = "writer", .run = write_last}},
    .end = end,
};
