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

static int look_up(void)
{
    vm_address_space *aspace = vm_get_aspace_by_id(child);
    if (aspace == NULL)
        return ERR_VM_INVALID_ASPACE;
    MUST(vm_aspace_id(aspace) == child, "another space is found");
    vm_put_aspace(aspace);
    return VM_OK;
}

static int fault_there(void)
{
    return vm_fault_aspace(child, SPOT, VM_ACCESS_WRITE | VM_ACCESS_USER);
}

static void end(void)
{
    int faulted = scenario_result(2);
    MUST(scenario_result(0) == VM_OK, "the deletion has failed");
    MUST(faulted == VM_OK || faulted == ERR_VM_INVALID_ASPACE || faulted == ERR_VM_PF_BAD_ADDRESS,
         "the fault: %d", faulted);
    MUST(vm_get_aspace_by_id(child) == NULL, "the space is found after its deletion");
    scenario_expect(SPOT, 1);
}

const struct scenario scenario_space_lookup_against_last_put = {
    .name = "space-lookup-against-last-put",
    .text = "a space is found by its id while it is deleted: it is whole, or not found",
    .begin = begin,
    .actor = {{.name = "deleter", .run = delete_space},
              {.name = "finder", .run = look_up},
              {.name = "faulter", .run = fault_there}},
    .end = end,
};
