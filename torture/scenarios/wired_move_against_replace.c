/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define PLACE (SPOT + PAGES(16))

static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    OK(vm_wire_range(program, SPOT, PAGE));
}

static int move(void)
{
    void *to = PTR(PLACE);
    return vm_move_range(program, SPOT, PAGE, PAGE, &to, REGION_ADDR_EXACT_ADDRESS);
}

static int replace(void)
{
    void *at = PTR(PLACE);
    region_id id = vm_create_anonymous_region(program, "new", &at, REGION_ADDR_REPLACE, PAGE,
                                              REGION_WIRING_LAZY, LOCK_RW);
    return id < 0 ? (int)id : VM_OK;
}

static void end(void)
{
    vm_region_info info;
    int moved = scenario_result(0);
    MUST(moved == VM_OK || moved == ERR_VM_NO_REGION_SLOT, "the move: %d", moved);
    MUST(scenario_result(1) == VM_OK, "the replacement has failed");
    scenario_expect(PLACE, 0);
    scenario_expect(SPOT, moved == VM_OK ? ERR_VM_PF_BAD_ADDRESS : 1);
    OK(vm_get_region_info(scenario_find(PLACE), &info));
    MUST(info.wiring == REGION_WIRING_LAZY, "the new region is wired");
    if (moved != VM_OK)
        OK(vm_unwire_range(program, SPOT, PAGE));
}

const struct scenario scenario_wired_move_against_replace = {
    .name = "wired-move-against-replace",
    .text = "a wired region moves to a place that another takes at once: only what moved is wired",
    .begin = begin,
    .actor = {{.name = "mover", .run = move}, {.name = "replacer", .run = replace}},
    .end = end,
};
