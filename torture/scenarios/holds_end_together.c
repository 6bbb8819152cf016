/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;
static addr_t physical;

static void begin(void)
{
    file = scenario_file(SPOT, 1, LOCK_RW, REGION_NO_PRIVATE_MAP);
    for (unsigned i = 0; i < 2; i++)
        OK(vm_hold_page(program, SPOT, VM_ACCESS_READ, &physical));
}

static int write_and_end(size_t at)
{
    ((uint8_t *)sim_physical(physical))[at] = 11;
    vm_unhold_page(physical, true);
    return VM_OK;
}

static int one(void)
{
    return write_and_end(0);
}

static int other(void)
{
    return write_and_end(1);
}

static size_t modified(void)
{
    vm_info info;
    vm_get_info(&info);
    return info.modified_file_pages;
}

static void end(void)
{
    MUST(modified() == 1, "one page is modified, %zu are counted", modified());
    OK(vm_sync_range(program, SPOT, PAGE));
    MUST(modified() == 0, "no page is modified, %zu are counted", modified());
    MUST(sim_file_data(file)[0] == 11 && sim_file_data(file)[1] == 11, "a write is lost");
}

const struct scenario scenario_holds_end_together = {
    .name = "holds-end-together",
    .text = "two who hold a file's page have written to it: it is modified, and counted once",
    .begin = begin,
    .actor = {{.name = "one", .run = one}, {.name = "other", .run = other}},
    .end = end,
};
