/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define PLACE (SPOT + PAGES(16))

static region_id region;

static void begin(void)
{
    region = scenario_region(SPOT, 1, LOCK_RW);
    OK(vm_wire_range(program, SPOT, PAGE));
    OK(sim_write_byte(SPOT, 1));
}

static int grow(void)
{
    return vm_resize_region(program, region, PAGES(2));
}

static int move(void)
{
    void *to = PTR(PLACE);
    return vm_move_range(program, SPOT, PAGE, PAGE, &to, REGION_ADDR_EXACT_ADDRESS);
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK, "the growth: %d", scenario_result(0));
    MUST(scenario_result(1) == VM_OK, "the move: %d", scenario_result(1));
    scenario_expect(PLACE, 1);
    scenario_expect(SPOT, ERR_VM_PF_BAD_ADDRESS);
    OK(vm_unwire_range(program, PLACE, PAGE));
}

const struct scenario scenario_wired_growth_against_move = {
    .name = "wired-growth-against-move",
    .text = "a wired region grows while its first page moves away: both go well, the page keeps "
            "its byte",
    .begin = begin,
    .actor = {{.name = "grower", .run = grow}, {.name = "mover", .run = move}},
    .end = end,
};
