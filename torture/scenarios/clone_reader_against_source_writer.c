/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define TWIN (SPOT + PAGES(16))

static void begin(void)
{
    void *at = PTR(TWIN);
    region_id region = scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    OK(vm_clone_region(program, "twin", &at, REGION_ADDR_EXACT_ADDRESS, region, REGION_PRIVATE_MAP,
                       LOCK_RW));
    scenario_fork();
}

static int read_clone(void)
{
    int one = sim_read_byte(TWIN);
    MUST(scenario_either(one, 1, 5), "the clone shows %d", one);
    int other = sim_read_byte(TWIN);
    MUST(one < 0 || scenario_either(other, one, 5), "the clone shows %d after %d", other, one);
    return other;
}

static int write_source(void)
{
    return sim_write_byte(SPOT, 5);
}

static void end(void)
{
    MUST(scenario_result(1) == VM_OK, "the write has failed");
    scenario_expect(SPOT, 5);
    scenario_expect(TWIN, 5);
    scenario_expect_child(SPOT, 1);
    scenario_expect_child(TWIN, 5); /* a clone of the program's memory, as before */
}

const struct scenario scenario_clone_reader_against_source_writer = {
    .name = "clone-reader-against-source-writer",
    .text =
        "a private clone reads a page that a fork has put below its source, which is being written",
    .begin = begin,
    .actor = {{.name = "reader", .run = read_clone}, {.name = "writer", .run = write_source}},
    .end = end,
};
