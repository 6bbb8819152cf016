/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;
static vm_cache_ref *cache;

static void begin(void)
{
    uint8_t byte;
    size_t done;
    file = scenario_file(SPOT, 2, LOCK_RW, REGION_PRIVATE_MAP);
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_cache_read(cache, 0, &byte, 1, false, &done));
}

static int read_both(void)
{
    int one = sim_read_byte(SPOT), other = sim_read_byte(SPOT + PAGE);
    MUST(scenario_either(one, 1, 1), "the first page is %d", one);
    MUST(scenario_either(other, 2, 12), "the second page is %d", other);
    return other;
}

static int write_second(void)
{
    int error = sim_write_byte(SPOT + PAGE, 12);
    if (error == VM_OK)
        MUST(sim_read_byte(SPOT + PAGE) == 12, "the write doesn't show");
    return error;
}

static void end(void)
{
    MUST(scenario_result(1) == VM_OK, "the write has failed");
    scenario_expect(SPOT + PAGE, 12);
    MUST(sim_file_data(file)[PAGE] == 2, "a private write is in the file");
    vm_put_cache(cache);
}

const struct scenario scenario_around_against_private_write = {
    .name = "around-against-private-write",
    .text = "a fault maps the pages around its own while one of them gets a private copy: that one "
            "shows",
    .begin = begin,
    .actor = {{.name = "reader", .run = read_both}, {.name = "writer", .run = write_second}},
    .end = end,
};
