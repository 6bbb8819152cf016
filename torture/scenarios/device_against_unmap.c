/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    void *at = PTR(SPOT);
    OK(vm_map_physical_memory(program, "device", &at, REGION_ADDR_EXACT_ADDRESS, PAGE, LOCK_RW,
                              SIM_DEVICE_LOW));
}

static uint8_t *device(void)
{
    return sim_physical(SIM_DEVICE_LOW);
}

static int write_often(void)
{
    for (uint8_t i = 1; i <= 3; i++) {
        int error = sim_write_byte(SPOT, i);
        if (error != VM_OK)
            return error;
        MUST(device()[0] == i, "the write is not in the device");
    }
    return VM_OK;
}

static int unmap(void)
{
    int error = vm_unmap_range(program, SPOT, PAGE);
    if (error != VM_OK)
        return error;
    uint8_t seen = device()[0];
    MUST(sim_write_byte(SPOT, 9) == ERR_VM_PF_BAD_ADDRESS, "the device is still mapped");
    MUST(device()[0] == seen, "the device is written after its unmapping");
    return VM_OK;
}

static void end(void)
{
    MUST(scenario_either(scenario_result(0), VM_OK, ERR_VM_PF_BAD_ADDRESS), "the writes: %d",
         scenario_result(0));
    MUST(scenario_result(1) == VM_OK, "the unmapping has failed");
    scenario_expect(SPOT, ERR_VM_PF_BAD_ADDRESS);
}

const struct scenario scenario_device_against_unmap = {
    .name = "device-against-unmap",
    .text = "a device is unmapped while a CPU writes to it: then it is written no more",
    .begin = begin,
    .actor = {{.name = "writer", .run = write_often}, {.name = "unmapper", .run = unmap}},
    .end = end,
};
