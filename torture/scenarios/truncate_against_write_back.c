/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;
static vm_cache_ref *cache;

static void begin(void)
{
    file = scenario_file(SPOT, 2, LOCK_RW, REGION_NO_PRIVATE_MAP);
    OK(vm_get_vnode_cache(file, &cache));
    scenario_number(SPOT, 2, 11);
}

static int sync_both(void)
{
    return vm_sync_range(program, SPOT, PAGES(2));
}

/* Shorter, and longer again. */
static int truncate_twice(void)
{
    sim_file_set_size(file, PAGE);
    OK(vm_cache_truncate(cache, (off_t)PAGE));
    sim_file_set_size(file, PAGES(2));
    return vm_cache_truncate(cache, (off_t)PAGES(2));
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT, 11);
    scenario_expect(SPOT + PAGE, 0);
    OK(vm_sync_range(program, SPOT, PAGES(2)));
    MUST(sim_file_data(file)[0] == 11, "what was written is not in the file");
    MUST(sim_file_data(file)[PAGE] == 0, "what was cut off is back in the file");
    vm_put_cache(cache);
}

const struct scenario scenario_truncate_against_write_back = {
    .name = "truncate-against-write-back",
    .text =
        "a file gets shorter and longer while its pages are written: what was cut off stays away",
    .begin = begin,
    .actor = {{.name = "syncer", .run = sync_both}, {.name = "truncater", .run = truncate_twice}},
    .end = end,
};
