/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define TWIN (SPOT + PAGES(16))

static sim_file *file;

static void begin(void)
{
    file = sim_file_create_numbered("/f", 1);
}

static int map_and_write(addr_t base, uint8_t byte)
{
    void *at = PTR(base);
    region_id id = vm_map_vnode(program, "file", &at, REGION_ADDR_REPLACE, PAGE, LOCK_RW,
                                REGION_NO_PRIVATE_MAP, file, 0);
    return id < 0 ? (int)id : sim_write_byte(base + byte, byte);
}

static int map_first(void)
{
    return map_and_write(SPOT, 11);
}

static int map_second(void)
{
    return map_and_write(TWIN, 12);
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT + 12, 12);
    scenario_expect(TWIN + 11, 11);
    scenario_expect(SPOT, 1);
    OK(vm_unmap_range(program, SPOT, PAGES(17)));
    MUST(sim_file_references(file) == 0, "the file stays referenced");
    MUST(sim_file_data(file)[11] == 11 && sim_file_data(file)[12] == 12, "a write is lost");
}

const struct scenario scenario_first_maps_of_file = {
    .name = "first-maps-of-file",
    .text = "two threads map one file for the first time and write to it: they see one cache",
    .begin = begin,
    .actor = {{.name = "first", .run = map_first}, {.name = "second", .run = map_second}},
    .end = end,
};
