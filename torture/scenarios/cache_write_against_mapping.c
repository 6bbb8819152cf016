/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;
static vm_cache_ref *cache;

static void begin(void)
{
    file = scenario_file(SPOT, 1, LOCK_RW, REGION_NO_PRIVATE_MAP);
    OK(vm_get_vnode_cache(file, &cache));
}

static int write_by_call(void)
{
    static const uint8_t byte = 15;
    size_t done;
    return vm_cache_write(cache, 5, &byte, 1, false, &done);
}

static int write_by_mapping(void)
{
    return sim_write_byte(SPOT + 6, 16);
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT + 5, 15);
    scenario_expect(SPOT + 6, 16);
    OK(vm_unmap_range(program, SPOT, PAGE));
    vm_put_cache(cache);
    MUST(sim_file_data(file)[5] == 15 && sim_file_data(file)[6] == 16, "a write is lost");
}

const struct scenario scenario_cache_write_against_mapping = {
    .name = "cache-write-against-mapping",
    .text =
        "a call and a mapping write to one page of a file for the first time: both are in the file",
    .begin = begin,
    .actor = {{.name = "caller", .run = write_by_call},
              {.name = "program", .run = write_by_mapping}},
    .end = end,
};
