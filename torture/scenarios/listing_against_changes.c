/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 3, LOCK_RW);
    scenario_number(SPOT, 3, 1);
}

/* What nobody unmaps is in every listing, and nothing is in one twice. */
static int list_regions(void)
{
    vm_region_info info;
    addr_t cookie = 0, end = 0;
    bool first = false, last = false;
    int error;
    while ((error = vm_get_next_region_info(program, &cookie, &info)) == VM_OK) {
        MUST(info.base >= end, "a region begins at %#lx, before the last one's end",
             (unsigned long)info.base);
        end = info.base + info.size;
        first |= info.base <= SPOT && end > SPOT;
        last |= info.base <= SPOT + PAGES(2) && end > SPOT + PAGES(2);
    }
    MUST(error != ERR_NOT_FOUND || (first && last), "a region is not listed");
    return error;
}

static int unmap_middle(void)
{
    return vm_unmap_range(program, SPOT + PAGE, PAGE);
}

static void end(void)
{
    MUST(scenario_result(0) == ERR_NOT_FOUND, "the listing: %d", scenario_result(0));
    MUST(scenario_result(1) == VM_OK, "the unmapping has failed");
    scenario_expect(SPOT, 1);
    scenario_expect(SPOT + PAGE, ERR_VM_PF_BAD_ADDRESS);
    scenario_expect(SPOT + PAGES(2), 3);
}

const struct scenario scenario_listing_against_changes = {
    .name = "listing-against-changes",
    .text = "the regions are listed while a hole is cut into one: what stays is listed, once",
    .begin = begin,
    .actor = {{.name = "lister", .run = list_regions}, {.name = "unmapper", .run = unmap_middle}},
    .end = end,
};
