/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    scenario_fork();
}

static int delete_space(void)
{
    return vm_delete_aspace(child);
}

static int create_there(void)
{
    void *at = PTR(SPOT + PAGE);
    region_id id = vm_create_anonymous_region(child, "late", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                              REGION_WIRING_LAZY, LOCK_RW);
    return id < 0 ? (int)id : VM_OK;
}

static void end(void)
{
    int one = scenario_result(0), other = scenario_result(1), created = scenario_result(2);
    MUST((one == VM_OK && other == ERR_VM_INVALID_ASPACE) ||
             (other == VM_OK && one == ERR_VM_INVALID_ASPACE),
         "the deletions: %d, %d", one, other);
    MUST(created == VM_OK || created == ERR_VM_INVALID_ASPACE, "the creation: %d", created);
    scenario_expect(SPOT, 1);
}

const struct scenario scenario_delete_space_against_calls = {
    .name = "delete-space-against-calls",
    .text = "a space is deleted twice at once, and a region created there: deleted once, with all "
            "it has",
    .begin = begin,
    .actor = {{.name = "first", .run = delete_space},
              {.name = "second", .run = delete_space},
              {.name = "creator", .run = create_there}},
    .end = end,
};
