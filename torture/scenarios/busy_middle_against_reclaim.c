/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define CLEAN (SPOT + PAGES(16))

static int reclaim(void *unused)
{
    (void)unused;
    return scenario_reclaim();
}

/* Two modified pages are being written, two clean ones are the next to go. */
static void begin(void)
{
    scenario_region(SPOT, 18, LOCK_RW);
    scenario_number(CLEAN, 2, 3);
    OK(vm_advise_range(program, CLEAN, PAGES(2), VM_ADVICE_PAGEOUT));
    scenario_number(SPOT, 2, 1);
    OK(sim_read_byte(CLEAN));
    OK(sim_read_byte(CLEAN + PAGE));
    sim_swap_block(sim_boot_swap(), true);
    (void)sim_spawn("reclaimer", reclaim, NULL);
    (void)sim_run_until_blocked();
}

static int fork_and_end(void)
{
    aspace_id copy = vm_copy_aspace(program, "copy");
    return copy < 0 ? (int)copy : vm_delete_aspace(copy);
}

static int reclaim_another(void)
{
    (void)vm_reclaim(1);
    sim_swap_block(sim_boot_swap(), false);
    return VM_OK;
}

static void end(void)
{
    vm_region_info info;
    MUST(scenario_result(0) == VM_OK, "the fork: %d", scenario_result(0));
    OK(vm_get_region_info(scenario_find(SPOT), &info));
    MUST(info.chain_depth == 1, "%u caches, and nobody else shows them", info.chain_depth);
    for (unsigned i = 0; i < 2; i++) {
        scenario_expect(SPOT + PAGES(i), (int)i + 1);
        scenario_expect(CLEAN + PAGES(i), (int)i + 3);
    }
}

const struct scenario scenario_busy_middle_against_reclaim = {
    .name = "busy-middle-against-reclaim",
    .text =
        "a child ends while pages of the middle are written and others go: it merges all the same",
    .begin = begin,
    .actor = {{.name = "family", .run = fork_and_end},
              {.name = "reclaimer", .run = reclaim_another}},
    .end = end,
    .swap = 64,
};
