/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static size_t wired_before;

static size_t count_wired(void)
{
    vm_info info;
    vm_get_info(&info);
    return info.wired_pages - info.table_pages;
}

static void begin(void)
{
    scenario_region(SPOT, 2, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    wired_before = count_wired();
}

static int write_second(void)
{
    return sim_write_byte(SPOT + PAGE, 12);
}

static int wire(void)
{
    int error = vm_wire_range(program, SPOT, PAGES(2));
    struct sim_translation translation;
    if (error == VM_OK)
        MUST(sim_look_up(SPOT, &translation) && sim_look_up(SPOT + PAGE, &translation),
             "a wired page isn't there");
    return error;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    vm_trim();
    MUST(count_wired() == wired_before + 2, "%zu pages are wired", count_wired() - wired_before);
    OK(vm_unwire_range(program, SPOT, PAGES(2)));
    MUST(count_wired() == wired_before, "a page stays wired");
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT + PAGE, 12);
}

const struct scenario scenario_fault_against_wire = {
    .name = "fault-against-wire",
    .text = "pages are wired while one of them is written for the first time: each is wired once",
    .begin = begin,
    .actor = {{.name = "writer", .run = write_second}, {.name = "wirer", .run = wire}},
    .end = end,
};
