/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define PRIVATE (SPOT + PAGES(16))

static sim_file *file;

/* The private mapping shows the file's page, too: who pages it out has to go through its cache's consumers. */
static void begin(void)
{
    void *at = PTR(PRIVATE);
    file = scenario_file(SPOT, 1, LOCK_RW, REGION_NO_PRIVATE_MAP);
    OK(vm_map_vnode(program, "private", &at, REGION_ADDR_EXACT_ADDRESS, PAGE, LOCK_RW,
                    REGION_PRIVATE_MAP, file, 0));
    OK(sim_write_byte(SPOT, 11));
    OK(sim_read_byte(PRIVATE));
}

static int page_out(void)
{
    return vm_advise_range(program, SPOT, PAGE, VM_ADVICE_PAGEOUT);
}

static int sync_page(void)
{
    int error = vm_sync_range(program, SPOT, PAGE);
    MUST(error != VM_OK || sim_file_data(file)[0] == 11, "the sync has ended, the file is old");
    return error;
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK, "the advice: %d", scenario_result(0));
    MUST(scenario_result(1) == VM_OK, "the sync: %d", scenario_result(1));
    scenario_expect(SPOT, 11);
    scenario_expect(PRIVATE, 11);
}

const struct scenario scenario_sync_against_page_out = {
    .name = "sync-against-page-out",
    .text = "a modified page of a file is about to be written to go: a sync waits until it is",
    .begin = begin,
    .actor = {{.name = "page-out", .run = page_out}, {.name = "syncer", .run = sync_page}},
    .end = end,
};
