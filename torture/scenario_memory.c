/* SPDX-License-Identifier: MIT */
/* Memory that is full. */
#include "scenario.h"

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

void scenario_fill_memory(void)
{
    scenario_number(SPOT, 2, 1);
    sim_swap_block(sim_boot_swap(), true);
    (void)sim_spawn("reclaimer", reclaim, NULL);
    (void)sim_run_until_blocked();
    vm_trim();
    for (count = 0; count < MOST && available() > 0; count++)
        OK(vm_allocate_frames(1, false, &held[count]));
}

void scenario_free_memory(void)
{
    while (count > 0)
        vm_free_frames(held[--count], 1);
}
