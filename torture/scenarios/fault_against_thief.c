/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define MOST 512

static addr_t held[MOST];
static size_t count;

static size_t available(void)
{
    vm_info info;
    vm_get_info(&info);
    return info.available_pages;
}

static int reclaim(void *unused)
{
    (void)unused;
    return scenario_reclaim();
}

/* Two pages are all that can go, and are being written, as long as the disk is blocked. */
static void begin(void)
{
    scenario_region(SPOT, 5, LOCK_RW);
    OK(vm_keep_tables(program, SPOT, PAGES(5)));
    scenario_number(SPOT, 2, 1);
    sim_swap_block(sim_boot_swap(), true);
    (void)sim_spawn("reclaimer", reclaim, NULL);
    (void)sim_run_until_blocked();
    vm_trim();
    for (count = 0; count < MOST && available() > 0; count++)
        OK(vm_allocate_frames(1, false, &held[count]));
}

static int write(void)
{
    return sim_write_byte(SPOT + PAGES(2), 11);
}

static int thief(void)
{
    sim_swap_block(sim_boot_swap(), false);
    int error = sim_write_byte(SPOT + PAGES(3), 12);
    return error == VM_OK ? sim_write_byte(SPOT + PAGES(4), 13) : error;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK || scenario_excuses(scenario_result(0)), "the write: %d",
         scenario_result(0));
    MUST(scenario_result(1) == VM_OK || scenario_excuses(scenario_result(1)), "the thief: %d",
         scenario_result(1));
    while (count > 0)
        vm_free_frames(held[--count], 1);
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT + PAGE, 2);
    if (scenario_result(0) == VM_OK)
        scenario_expect(SPOT + PAGES(2), 11);
}

const struct scenario scenario_fault_against_thief = {
    .name = "fault-against-thief",
    .text =
        "frames that come free are taken by another, whose pages can go: there is memory for both",
    .begin = begin,
    .actor = {{.name = "writer", .run = write}, {.name = "thief", .run = thief}},
    .end = end,
    .swap = 64,
};
