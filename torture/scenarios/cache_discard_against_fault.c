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

static int read_often(void)
{
    int before = 11;
    for (unsigned i = 0; i < 3; i++) {
        int seen = sim_read_byte(SPOT);
        MUST(scenario_either(seen, before, 1), "reads %d after %d", seen, before);
        if (seen < 0)
            return seen;
        before = seen;
    }
    return before;
}

static int discard(void)
{
    vm_cache_discard(cache);
    int seen = sim_read_byte(SPOT);
    MUST(scenario_either(seen, 1, 1), "what was discarded shows: %d", seen);
    return VM_OK;
}

static void end(void)
{
    scenario_expect(SPOT, 1);
    vm_put_cache(cache);
}

const struct scenario scenario_cache_discard_against_fault = {
    .name = "cache-discard-against-fault",
    .text = "a file's pages are forgotten while one is read: the byte in memory, then the file's",
    .begin = begin,
    .actor = {{.name = "reader", .run = read_often}, {.name = "discarder", .run = discard}},
    .end = end,
};
