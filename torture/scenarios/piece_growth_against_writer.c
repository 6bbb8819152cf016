/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define PLACE (SPOT + PAGES(16))

/* Three pieces of one cache. */
static void begin(void)
{
    scenario_region(SPOT, 3, LOCK_RW);
    scenario_number(SPOT, 3, 1);
    OK(vm_protect_range(program, SPOT + PAGE, PAGE, LOCK_RO));
}

/* It grows over the offset that the second piece shows. */
static int move_and_grow(void)
{
    void *to = PTR(PLACE);
    return vm_move_range(program, SPOT, PAGE, PAGES(2), &to, REGION_ADDR_EXACT_ADDRESS);
}

static int write_third(void)
{
    int seen = sim_read_byte(SPOT + PAGE);
    MUST(scenario_either(seen, 2, 2), "the second piece shows %d", seen);
    return seen < 0 ? seen : sim_write_byte(SPOT + PAGES(2), 13);
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(PLACE, 1);
    scenario_expect(PLACE + PAGE, 0);
    scenario_expect(SPOT + PAGE, 2);
    scenario_expect(SPOT + PAGES(2), 13);
    OK(sim_write_byte(PLACE + PAGE, 9));
    scenario_expect(SPOT + PAGE, 2);
}

const struct scenario scenario_piece_growth_against_writer = {
    .name = "piece-growth-against-writer",
    .text = "a piece moves and grows over what another piece shows, while a third is written",
    .begin = begin,
    .actor = {{.name = "mover", .run = move_and_grow}, {.name = "writer", .run = write_third}},
    .end = end,
};
