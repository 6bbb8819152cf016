/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define TWIN (SPOT + PAGES(16))

static region_id region;

static void begin(void)
{
    region = scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
}

static int write(void)
{
    return sim_write_byte(SPOT, 5);
}

static int make_clone(void)
{
    void *at = PTR(TWIN);
    region_id id = vm_clone_region(program, "twin", &at, REGION_ADDR_EXACT_ADDRESS, region,
                                   REGION_PRIVATE_MAP, LOCK_RW);
    if (id < 0)
        return (int)id;
    int seen = sim_read_byte(TWIN);
    MUST(scenario_either(seen, 1, 5), "the clone shows %d", seen);
    return VM_OK;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(TWIN, 5); /* until it is written, what the source shows */
    OK(sim_write_byte(TWIN, 9));
    scenario_expect(SPOT, 5);
    OK(sim_write_byte(SPOT, 6));
    scenario_expect(TWIN, 9);
}

const struct scenario scenario_private_clone_against_writer = {
    .name = "private-clone-against-writer",
    .text =
        "memory is written while a private clone of it is made and read: the clone shows the write",
    .begin = begin,
    .actor = {{.name = "writer", .run = write}, {.name = "cloner", .run = make_clone}},
    .end = end,
};
