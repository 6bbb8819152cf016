/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;
static vm_cache_ref *cache;

static void begin(void)
{
    file = scenario_file(SPOT, 2, LOCK_RW, REGION_PRIVATE_MAP);
    OK(vm_get_vnode_cache(file, &cache));
}

static int write_own(void)
{
    int error = sim_write_byte(SPOT + PAGE, 51);
    return error == VM_OK ? sim_write_byte(SPOT + PAGE, 52) : error;
}

static int truncate(void)
{
    sim_file_set_size(file, PAGE);
    int error = vm_cache_truncate(cache, (off_t)PAGE);
    MUST(sim_read_byte(SPOT + PAGE) == ERR_VM_PF_PAST_END, "a copy is there behind the end");
    return error;
}

static void end(void)
{
    MUST(scenario_either(scenario_result(0), VM_OK, ERR_VM_PF_PAST_END), "the write: %d",
         scenario_result(0));
    MUST(scenario_result(1) == VM_OK, "the truncation has failed");
    sim_file_set_size(file, PAGES(2));
    OK(vm_cache_truncate(cache, (off_t)PAGES(2)));
    scenario_expect(SPOT + PAGE, 0);
    scenario_expect(SPOT, 1);
    vm_put_cache(cache);
}

const struct scenario scenario_truncate_against_private_copy = {
    .name = "truncate-against-private-copy",
    .text = "a file gets shorter while a private copy of its last page is made: the copy goes, too",
    .begin = begin,
    .actor = {{.name = "writer", .run = write_own}, {.name = "truncater", .run = truncate}},
    .end = end,
};
