/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RW);
    OK(vm_unmap_range(program, SPOT, PAGE)); /* so that there is something to give back */
}

static int create_and_write(void)
{
    void *at = PTR(SPOT);
    region_id id = vm_create_anonymous_region(program, "new", &at, REGION_ADDR_REPLACE, PAGE,
                                              REGION_WIRING_LAZY, LOCK_RW);
    return id < 0 ? (int)id : sim_write_byte(SPOT, 1);
}

static int trim(void)
{
    vm_trim();
    return VM_OK;
}

static int allocate(void)
{
    uint8_t *memory = vm_meta_alloc(64);
    if (memory == NULL)
        return ERR_NO_MEMORY;
    memory[0] = memory[63] = 9;
    vm_meta_free(memory, 64);
    return VM_OK;
}

static void end(void)
{
    for (unsigned i = 0; i < 3; i++)
        MUST(scenario_result(i) == VM_OK, "call %u has failed", i);
    scenario_expect(SPOT, 1);
}

const struct scenario scenario_trim_against_allocation = {
    .name = "trim-against-allocation",
    .text = "spare memory of the allocator is given back while others allocate from it",
    .begin = begin,
    .actor = {{.name = "creator", .run = create_and_write},
              {.name = "trimmer", .run = trim},
              {.name = "allocator", .run = allocate}},
    .end = end,
};
