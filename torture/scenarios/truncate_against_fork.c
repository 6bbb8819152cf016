/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;
static vm_cache_ref *cache;

static void begin(void)
{
    file = scenario_file(SPOT, 2, LOCK_RW, REGION_PRIVATE_MAP);
    OK(vm_get_vnode_cache(file, &cache));
    scenario_number(SPOT, 2, 51);
}

static int truncate(void)
{
    sim_file_set_size(file, PAGE);
    int error = vm_cache_truncate(cache, (off_t)PAGE);
    MUST(sim_read_byte(SPOT + PAGE) == ERR_VM_PF_PAST_END, "a copy is there behind the end");
    return error;
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
    scenario_expect(SPOT + PAGE, ERR_VM_PF_PAST_END);
    scenario_expect_child(SPOT, 51);
    scenario_expect_child(SPOT + PAGE, ERR_VM_PF_PAST_END);
    sim_file_set_size(file, PAGES(2));
    OK(vm_cache_truncate(cache, (off_t)PAGES(2)));
    scenario_expect(SPOT + PAGE, 0);
    scenario_expect_child(SPOT + PAGE, 0);
    vm_put_cache(cache);
}

const struct scenario scenario_truncate_against_fork = {
    .name = "truncate-against-fork",
    .text = "a file gets shorter while a program with private copies of it forks: no copy behind "
            "the end stays",
    .begin = begin,
    .actor = {{.name = "truncater", .run = truncate}, {.name = "forker", .run = fork_program}},
    .end = end,
};
