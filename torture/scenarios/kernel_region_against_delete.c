/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static region_id region;
static addr_t base;

static void begin(void)
{
    void *at = NULL;
    region = vm_create_anonymous_region(vm_get_kernel_aspace_id(), "kernel's", &at,
                                        REGION_ADDR_ANY_ADDRESS, PAGE, REGION_WIRING_LAZY,
                                        LOCK_RW | LOCK_KERNEL);
    OK(region);
    base = (addr_t)at;
    scenario_region(SPOT, 1, LOCK_RW);
    for (unsigned cpu = 2; cpu-- > 0;) {
        sim_set_cpu(cpu);
        OK(sim_kernel_write(base, "x", 1));
    }
}

static int write_often(void)
{
    int error = VM_OK;
    for (unsigned i = 0; i < 3 && error == VM_OK; i++)
        error = sim_kernel_write(base, "y", 1);
    return error;
}

static int delete_and_use(void)
{
    uint8_t byte;
    int error = vm_delete_region(vm_get_kernel_aspace_id(), region);
    if (error != VM_OK && error != ERR_VM_INVALID_REGION)
        return error;
    MUST(sim_kernel_read(base, &byte, 1) == ERR_VM_PF_BAD_ADDRESS, "the kernel's region is there");
    return sim_write_byte(SPOT + 1, 1);
}

static void end(void)
{
    uint8_t byte;
    MUST(scenario_either(scenario_result(0), VM_OK, ERR_VM_PF_BAD_ADDRESS), "the writes: %d",
         scenario_result(0));
    MUST(scenario_result(1) == VM_OK, "the deletion has failed");
    scenario_expect(SPOT, 0);
    for (unsigned cpu = 2; cpu-- > 0;) {
        sim_set_cpu(cpu);
        MUST(sim_kernel_read(base, &byte, 1) < 0, "CPU %u still has the kernel's region", cpu);
    }
}

const struct scenario scenario_kernel_region_against_delete = {
    .name = "kernel-region-against-delete",
    .text = "a region of the kernel's is deleted, and its frame used anew, while another CPU "
            "writes there",
    .begin = begin,
    .actor = {{.name = "writer", .run = write_often}, {.name = "deleter", .run = delete_and_use}},
    .end = end,
};
