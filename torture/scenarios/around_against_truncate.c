/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;
static vm_cache_ref *cache;

static void begin(void)
{
    uint8_t byte;
    size_t done;
    file = scenario_file(SPOT, 4, LOCK_RO, REGION_NO_PRIVATE_MAP);
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_cache_read(cache, 0, &byte, 1, false, &done));
}

static int read_first(void)
{
    int seen = sim_read_byte(SPOT);
    MUST(scenario_either(seen, 1, 1), "the first page is %d", seen);
    return seen;
}

static int truncate(void)
{
    sim_file_set_size(file, PAGES(2));
    int error = vm_cache_truncate(cache, (off_t)PAGES(2));
    MUST(sim_read_byte(SPOT + PAGES(2)) == ERR_VM_PF_PAST_END, "a page is there behind the end");
    return error;
}

static void end(void)
{
    MUST(scenario_result(1) == VM_OK, "the truncation has failed");
    scenario_expect(SPOT + PAGE, 2);
    scenario_expect(SPOT + PAGES(2), ERR_VM_PF_PAST_END);
    scenario_expect(SPOT + PAGES(3), ERR_VM_PF_PAST_END);
    vm_put_cache(cache);
}

const struct scenario scenario_around_against_truncate = {
    .name = "around-against-truncate",
    .text =
        "a fault maps the pages around its own while the file gets shorter: none behind the end",
    .begin = begin,
    .actor = {{.name = "reader", .run = read_first}, {.name = "truncater", .run = truncate}},
    .end = end,
};
