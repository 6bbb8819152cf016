/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;
static vm_cache_ref *cache;

static void begin(void)
{
    file = scenario_file(SPOT, 2, LOCK_RW, REGION_NO_PRIVATE_MAP);
    OK(vm_get_vnode_cache(file, &cache));
}

static int read_last(void)
{
    int seen = sim_read_byte(SPOT + PAGE);
    MUST(seen == ERR_VM_PF_PAST_END || scenario_either(seen, 2, 0), "the last page is %d", seen);
    return seen;
}

static int truncate_twice(void)
{
    sim_file_set_size(file, PAGE);
    OK(vm_cache_truncate(cache, (off_t)PAGE));
    sim_file_set_size(file, PAGES(2));
    int error = vm_cache_truncate(cache, (off_t)PAGES(2));
    int seen = sim_read_byte(SPOT + PAGE);
    MUST(scenario_either(seen, 0, 0), "what was cut off is back: %d", seen);
    return error;
}

static void end(void)
{
    MUST(scenario_result(1) == VM_OK, "the truncation has failed");
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT + PAGE, 0);
    vm_put_cache(cache);
}

const struct scenario scenario_truncate_twice_against_reader = {
    .name = "truncate-twice-against-reader",
    .text = "a file gets shorter and longer while a read of what is cut off is under way: zeros",
    .begin = begin,
    .actor = {{.name = "reader", .run = read_last}, {.name = "truncater", .run = truncate_twice}},
    .end = end,
};
