/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static vm_cache_ref *cache;

static void begin(void)
{
    sim_file *file = scenario_file(SPOT, 2, LOCK_RW, REGION_NO_PRIVATE_MAP);
    OK(vm_get_vnode_cache(file, &cache));
}

static int read_first_into_second(void)
{
    size_t done;
    return vm_cache_read(cache, 0, PTR(SPOT + PAGE + 8), 4, true, &done);
}

static int read_second_into_first(void)
{
    size_t done;
    return vm_cache_read(cache, (off_t)PAGE, PTR(SPOT + 8), 4, true, &done);
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT + PAGE + 8, 1);
    scenario_expect(SPOT + 8, 2);
    vm_put_cache(cache);
}

const struct scenario scenario_cache_copies_crosswise = {
    .name = "cache-copies-crosswise",
    .text = "two calls read pages of a file, each into a mapping of the other's page: nobody waits "
            "for ever",
    .begin = begin,
    .actor = {{.name = "first", .run = read_first_into_second},
              {.name = "second", .run = read_second_into_first}},
    .end = end,
};
