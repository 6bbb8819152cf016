/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static size_t count_wired(void)
{
    vm_info info;
    vm_trim();
    vm_get_info(&info);
    return info.wired_pages - info.table_pages;
}

static size_t before;

static void begin(void)
{
    scenario_region(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    before = count_wired();
    OK(vm_wire_range(program, SPOT, PAGE));
}

static int write(void)
{
    int error = sim_write_byte(SPOT, 11);
    return error == VM_OK ? sim_write_byte(SPOT, 12) : error;
}

static int fork_program(void)
{
    child = vm_copy_aspace(program, "child");
    return child < 0 ? (int)child : VM_OK;
}

static void end(void)
{
    struct sim_translation translation;
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT, 12);
    int seen = scenario_child_byte(SPOT);
    MUST(seen == 1 || seen == 11 || seen == 12, "the child has %d", seen);
    MUST(sim_look_up(SPOT, &translation), "the wired page isn't there");
    OK(vm_unwire_range(program, SPOT, PAGE));
    OK(vm_delete_aspace(child));
    MUST(count_wired() <= before, "a page stays wired");
    scenario_expect(SPOT, 12);
}

const struct scenario scenario_wired_page_against_fork = {
    .name = "wired-page-against-fork",
    .text =
        "a wired page is written while its program forks: the page that is shown is the wired one",
    .begin = begin,
    .actor = {{.name = "writer", .run = write}, {.name = "forker", .run = fork_program}},
    .end = end,
};
