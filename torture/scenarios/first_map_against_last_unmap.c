/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define TWIN (SPOT + PAGES(16))

static sim_file *file;

static void begin(void)
{
    file = scenario_file(SPOT, 1, LOCK_RW, REGION_NO_PRIVATE_MAP);
    OK(sim_write_byte(SPOT, 11));
}

static int unmap(void)
{
    return vm_unmap_range(program, SPOT, PAGE);
}

/* What was written once is there for whoever maps the file, however the last mapping goes. */
static int map_and_read(void)
{
    void *at = PTR(TWIN);
    region_id id = vm_map_vnode(program, "file", &at, REGION_ADDR_REPLACE, PAGE, LOCK_RW,
                                REGION_NO_PRIVATE_MAP, file, 0);
    if (id < 0)
        return (int)id;
    int seen = sim_read_byte(TWIN);
    MUST(scenario_excuses(ERR_IO) || seen == 11, "the file's next mapping shows %d", seen);
    return seen < 0 ? seen : sim_write_byte(TWIN + 1, 12);
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    OK(vm_unmap_range(program, TWIN, PAGE));
    MUST(sim_file_references(file) == 0, "the file stays referenced");
    MUST(scenario_excuses(ERR_IO) || sim_file_data(file)[0] == 11, "the first write is lost");
    MUST(sim_file_data(file)[1] == 12, "the second write is lost");
}

const struct scenario scenario_first_map_against_last_unmap = {
    .name = "first-map-against-last-unmap",
    .text = "a file is mapped while its last mapping goes, with a page that isn't written back yet",
    .begin = begin,
    .actor = {{.name = "unmapper", .run = unmap}, {.name = "mapper", .run = map_and_read}},
    .end = end,
};
