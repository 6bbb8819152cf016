/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static region_id made;

static void begin(void)
{
    made = 0;
    scenario_region(SPOT, 2, LOCK_RW);
}

static int create(void)
{
    void *at = NULL;
    addr_t first, second;
    aspace_id kernel = vm_get_kernel_aspace_id();
    region_id id = vm_create_anonymous_region(kernel, "run", &at, REGION_ADDR_ANY_ADDRESS, PAGES(2),
                                              REGION_WIRING_WIRED_CONTIG, LOCK_RW | LOCK_KERNEL);
    if (id < 0)
        return (int)id;
    made = id;
    OK(vm_get_page_mapping(kernel, (addr_t)at, &first));
    OK(vm_get_page_mapping(kernel, (addr_t)at + PAGE, &second));
    MUST(second == first + PAGE, "frames %#lx and %#lx aren't in a row", (unsigned long)first,
         (unsigned long)second);
    return VM_OK;
}

static int write_first(void)
{
    return sim_write_byte(SPOT, 1);
}

static int write_second(void)
{
    return sim_write_byte(SPOT + PAGE, 2);
}

static void end(void)
{
    for (unsigned i = 0; i < 3; i++)
        MUST(scenario_result(i) == VM_OK, "actor %u: %d", i, scenario_result(i));
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT + PAGE, 2);
    OK(vm_delete_region(vm_get_kernel_aspace_id(), made));
}

const struct scenario scenario_contiguous_region_against_faults = {
    .name = "contiguous-region-against-faults",
    .text = "a region of frames in a row is created for the kernel while a program takes frames: "
            "they stay in a row",
    .begin = begin,
    .actor = {{.name = "create", .run = create},
              {.name = "first", .run = write_first},
              {.name = "second", .run = write_second}},
    .end = end,
};
