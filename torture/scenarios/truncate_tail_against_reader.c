/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define LENGTH 100

static sim_file *file;
static vm_cache_ref *cache;

static void begin(void)
{
    file = scenario_file(SPOT, 1, LOCK_RW, REGION_NO_PRIVATE_MAP);
    OK(vm_get_vnode_cache(file, &cache));
}

static int read_tail(void)
{
    int one = sim_read_byte(SPOT + LENGTH);
    MUST(scenario_either(one, 1, 0), "the tail is %d", one);
    int other = sim_read_byte(SPOT + LENGTH);
    MUST(one < 0 || scenario_either(other, one, 0), "the tail is %d after %d", other, one);
    return other;
}

static int truncate(void)
{
    sim_file_set_size(file, LENGTH);
    int error = vm_cache_truncate(cache, LENGTH);
    int tail = sim_read_byte(SPOT + LENGTH);
    MUST(scenario_either(tail, 0, 0), "behind the end is %d", tail);
    return error;
}

static void end(void)
{
    MUST(scenario_result(1) == VM_OK, "the truncation has failed");
    sim_file_set_size(file, PAGE);
    OK(vm_cache_truncate(cache, (off_t)PAGE));
    scenario_expect(SPOT + LENGTH, 0);
    scenario_expect(SPOT + LENGTH - 1, 1);
    vm_put_cache(cache);
}

const struct scenario scenario_truncate_tail_against_reader = {
    .name = "truncate-tail-against-reader",
    .text = "a file ends inside a page that is being read: behind its new end are zeros",
    .begin = begin,
    .actor = {{.name = "reader", .run = read_tail}, {.name = "truncater", .run = truncate}},
    .end = end,
};
