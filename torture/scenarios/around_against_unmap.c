/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static vm_cache_ref *cache;

/* In memory, but not mapped. */
static void begin(void)
{
    uint8_t byte;
    size_t done;
    sim_file *file = scenario_file(SPOT, 4, LOCK_RO, REGION_NO_PRIVATE_MAP);
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_cache_read(cache, 0, &byte, 1, false, &done));
}

static int read_first(void)
{
    int seen = sim_read_byte(SPOT);
    MUST(scenario_either(seen, 1, 1), "the first page is %d", seen);
    return seen;
}

static int unmap_third(void)
{
    int error = vm_unmap_range(program, SPOT + PAGES(2), PAGE);
    if (error == VM_OK)
        MUST(sim_read_byte(SPOT + PAGES(2)) == ERR_VM_PF_BAD_ADDRESS, "the page is there");
    return error;
}

static void end(void)
{
    MUST(scenario_result(1) == VM_OK, "the unmapping has failed");
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT + PAGE, 2);
    scenario_expect(SPOT + PAGES(2), ERR_VM_PF_BAD_ADDRESS);
    scenario_expect(SPOT + PAGES(3), 4);
    vm_put_cache(cache);
}

const struct scenario scenario_around_against_unmap = {
    .name = "around-against-unmap",
    .text = "a fault maps the pages around its own while one of them is unmapped",
    .begin = begin,
    .actor = {{.name = "reader", .run = read_first}, {.name = "unmapper", .run = unmap_third}},
    .end = end,
};
