/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;
static vm_cache_ref *cache;

/* Only the first page is in memory. */
static void begin(void)
{
    uint8_t byte;
    size_t done;
    file = scenario_file(SPOT, 1, LOCK_RO, REGION_NO_PRIVATE_MAP);
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_cache_read(cache, 0, &byte, 1, false, &done));
    sim_file_set_size(file, PAGES(3));
    OK(vm_resize_region(program, scenario_find(SPOT), PAGES(3)));
    sim_file_data(file)[PAGE] = 2;
    sim_file_data(file)[PAGES(2)] = 3;
}

static int read_first_and_last(void)
{
    int one = sim_read_byte(SPOT), other = sim_read_byte(SPOT + PAGES(2));
    MUST(scenario_either(one, 1, 1), "the first page is %d", one);
    MUST(scenario_either(other, 3, 3), "the last page is %d", other);
    return other;
}

static int read_second(void)
{
    int seen = sim_read_byte(SPOT + PAGE);
    MUST(scenario_either(seen, 2, 2), "the second page is %d", seen);
    return seen;
}

static void end(void)
{
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT + PAGE, 2);
    scenario_expect(SPOT + PAGES(2), 3);
    vm_put_cache(cache);
}

const struct scenario scenario_around_against_page_in = {
    .name = "around-against-page-in",
    .text = "a fault maps the pages around its own while some of them are being read: not before "
            "they are",
    .begin = begin,
    .actor = {{.name = "reader", .run = read_first_and_last},
              {.name = "other", .run = read_second}},
    .end = end,
};
