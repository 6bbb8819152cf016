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

/* Two pages are all that can go, and are being written. */
static void begin(void)
{
    scenario_region(SPOT, 3, LOCK_RW);
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

static int go_on(void)
{
    sim_swap_block(sim_boot_swap(), false);
    return VM_OK;
}

static void end(void)
{
    MUST(sim_swap_writes(sim_boot_swap()) > 0, "nothing was written");
    MUST(scenario_result(0) == VM_OK, "the write: %d", scenario_result(0));
    while (count > 0)
        vm_free_frames(held[--count], 1);
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT + PAGE, 2);
    scenario_expect(SPOT + PAGES(2), 11);
}

const struct scenario scenario_fault_against_page_out = {
    .name = "fault-against-page-out",
    .text = "a fault finds no frame while the only pages to go are being written: it waits for one",
    .begin = begin,
    .actor = {{.name = "writer", .run = write}, {.name = "disk", .run = go_on}},
    .end = end,
    .swap = 64,
};
