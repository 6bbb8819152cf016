/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;
static vm_cache_ref *cache;

static void begin(void)
{
    file = scenario_file(SPOT, 2, LOCK_RW, REGION_PRIVATE_MAP);
    OK(vm_get_vnode_cache(file, &cache));
    OK(sim_write_byte(SPOT, 51));
    MUST(sim_read_byte(SPOT + PAGE) == 2, "the file's page isn't there");
    sim_file_data(file)[PAGE] = 9;
}

static int discard(void)
{
    vm_cache_discard(cache);
    int seen = sim_read_byte(SPOT + PAGE);
    MUST(scenario_either(seen, 9, 9), "what was discarded shows: %d", seen);
    return VM_OK;
}

static int fork_program(void)
{
    child = vm_copy_aspace(program, "child");
    return child < 0 ? (int)child : VM_OK;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT, 51);
    scenario_expect(SPOT + PAGE, 9);
    scenario_expect_child(SPOT, 51);
    scenario_expect_child(SPOT + PAGE, 9);
    vm_put_cache(cache);
}

const struct scenario scenario_cache_discard_against_fork = {
    .name = "cache-discard-against-fork",
    .text = "a file's pages are forgotten while a program that maps it privately forks: both look "
            "again",
    .begin = begin,
    .actor = {{.name = "discarder", .run = discard}, {.name = "forker", .run = fork_program}},
    .end = end,
};
