/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;
static vm_cache_ref *cache;

static void begin(void)
{
    file = sim_file_create_numbered("/f", 2);
    OK(vm_get_vnode_cache(file, &cache));
}

static int read_last(void)
{
    uint8_t seen = 0;
    size_t done;
    int error = vm_cache_read(cache, (off_t)PAGE, &seen, 1, false, &done);
    return error == VM_OK ? seen : error;
}

static int read_twice(void)
{
    int one = read_last();
    MUST(scenario_either(one, 2, 0), "reads %d", one);
    int other = read_last();
    MUST(one < 0 || scenario_either(other, one, 0), "reads %d after %d", other, one);
    return other;
}

static int truncate(void)
{
    sim_file_set_size(file, PAGE);
    int error = vm_cache_truncate(cache, (off_t)PAGE);
    int seen = read_last();
    MUST(scenario_either(seen, 0, 0), "behind the end is %d", seen);
    return error;
}

static void end(void)
{
    MUST(scenario_result(1) == VM_OK, "the truncation has failed");
    sim_file_set_size(file, PAGES(2));
    OK(vm_cache_truncate(cache, (off_t)PAGES(2)));
    MUST(read_last() == 0, "what was cut off is back");
    vm_put_cache(cache);
}

const struct scenario scenario_truncate_against_cache_read = {
    .name = "truncate-against-cache-read",
    .text = "a file gets shorter while a call reads what is cut off: its bytes, then zeros",
    .begin = begin,
    .actor = {{.name = "reader", .run = read_twice}, {.name = "truncater", .run = truncate}},
    .end = end,
};
