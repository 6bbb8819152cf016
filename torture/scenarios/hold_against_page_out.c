/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static int hold_and_write(void)
{
    addr_t physical;
    int error = vm_hold_page(program, SPOT, VM_ACCESS_WRITE, &physical);
    if (error != VM_OK)
        return error;
    *(uint8_t *)sim_physical(physical) = 11;
    vm_unhold_page(physical, true);
    return VM_OK;
}

static int page_out(void)
{
    return vm_advise_range(program, SPOT, PAGES(2), VM_ADVICE_PAGEOUT);
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK, "the page can't be held: %d", scenario_result(0));
    MUST(scenario_result(1) == VM_OK, "the advice: %d", scenario_result(1));
    OK(page_out());
    scenario_expect(SPOT, 11);
    scenario_expect(SPOT + PAGE, 2);
}

const struct scenario scenario_hold_against_page_out = {
    .name = "hold-against-page-out",
    .text = "a page is to go while the host wants to hold it, and writes: the write is not lost",
    .begin = scenario_two_pages,
    .actor = {{.name = "holder", .run = hold_and_write}, {.name = "page-out", .run = page_out}},
    .end = end,
    .swap = 64,
};
