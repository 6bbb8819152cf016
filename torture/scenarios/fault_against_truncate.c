/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;
static vm_cache_ref *cache;

static void begin(void)
{
    file = scenario_file(SPOT, 2, LOCK_RW, REGION_NO_PRIVATE_MAP);
    OK(vm_get_vnode_cache(file, &cache));
}

/* Zeros: what is read of a file that gets shorter meanwhile. */
static int read_often(void)
{
    int before = 2;
    for (unsigned i = 0; i < 3; i++) {
        int seen = sim_read_byte(SPOT + PAGE);
        MUST(seen == before || (before == 2 && seen == 0) ||
                 scenario_either(seen, ERR_VM_PF_PAST_END, before),
             "reads %d after %d", seen, before);
        if (scenario_excuses(seen))
            return seen;
        before = seen;
    }
    return before;
}

static int truncate(void)
{
    sim_file_set_size(file, PAGE);
    int error = vm_cache_truncate(cache, (off_t)PAGE);
    MUST(sim_read_byte(SPOT + PAGE) == ERR_VM_PF_PAST_END, "a page is there behind the end");
    return error;
}

static void end(void)
{
    MUST(scenario_result(1) == VM_OK, "the truncation has failed");
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT + PAGE, ERR_VM_PF_PAST_END);
    sim_file_set_size(file, PAGES(2));
    OK(vm_cache_truncate(cache, (off_t)PAGES(2)));
    scenario_expect(SPOT + PAGE, 0);
    vm_put_cache(cache);
}

const struct scenario scenario_fault_against_truncate = {
    .name = "fault-against-truncate",
    .text =
        "a file gets shorter while a page behind its new end is read: its byte, zero, or the end",
    .begin = begin,
    .actor = {{.name = "reader", .run = read_often}, {.name = "truncater", .run = truncate}},
    .end = end,
};
