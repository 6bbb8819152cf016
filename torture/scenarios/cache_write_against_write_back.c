/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;
static vm_cache_ref *cache;

static void begin(void)
{
    file = scenario_file(SPOT, 1, LOCK_RW, REGION_NO_PRIVATE_MAP);
    OK(vm_get_vnode_cache(file, &cache));
    OK(sim_write_byte(SPOT, 11));
}

static int write_by_call(void)
{
    static const uint8_t byte = 15;
    size_t done;
    return vm_cache_write(cache, 5, &byte, 1, false, &done);
}

static int sync_page(void)
{
    return vm_sync_range(program, SPOT, PAGE);
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    OK(vm_sync_range(program, SPOT, PAGE));
    MUST(sim_file_data(file)[0] == 11, "the mapping's write is lost");
    MUST(sim_file_data(file)[5] == 15, "the call's write is lost");
    vm_put_cache(cache);
}

const struct scenario scenario_cache_write_against_write_back = {
    .name = "cache-write-against-write-back",
    .text = "a call writes to a page while the store writes it back: the next sync has the write",
    .begin = begin,
    .actor = {{.name = "caller", .run = write_by_call}, {.name = "syncer", .run = sync_page}},
    .end = end,
};
