/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define TWIN (SPOT + PAGES(16))

static sim_file *file;

static void begin(void)
{
    void *at = PTR(TWIN);
    file = scenario_file(SPOT, 1, LOCK_RW, REGION_PRIVATE_MAP);
    OK(vm_clone_region(program, "twin", &at, REGION_ADDR_EXACT_ADDRESS, scenario_find(SPOT),
                       REGION_NO_PRIVATE_MAP, LOCK_RW));
    MUST(sim_read_byte(SPOT) == 1 && sim_read_byte(TWIN) == 1, "the file's byte isn't there");
}

static int write(void)
{
    int error = sim_write_byte(SPOT, 11);
    if (error == VM_OK)
        MUST(sim_read_byte(TWIN) == 11, "the twin shows the page below the write");
    return error;
}

static int read_twin(void)
{
    int one = sim_read_byte(TWIN);
    MUST(scenario_either(one, 1, 11), "the twin shows %d", one);
    int other = sim_read_byte(TWIN);
    MUST(one < 0 || scenario_either(other, one, 11), "the twin shows %d after %d", other, one);
    return other;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK, "the write has failed");
    scenario_expect(SPOT, 11);
    scenario_expect(TWIN, 11);
    MUST(sim_file_data(file)[0] == 1, "a private write is in the file");
}

const struct scenario scenario_shared_clones_break_page = {
    .name = "shared-clones-break-page",
    .text = "a write copies a page that two regions show through one cache: both show the copy",
    .begin = begin,
    .actor = {{.name = "writer", .run = write}, {.name = "reader", .run = read_twin}},
    .end = end,
};
