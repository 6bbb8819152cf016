/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;
static vm_cache_ref *cache;

/* The file's own page is mapped, by a region that isn't the file's: each CPU has it in its TLB. */
static void begin(void)
{
    file = scenario_file(SPOT, 2, LOCK_RW, REGION_PRIVATE_MAP);
    OK(vm_get_vnode_cache(file, &cache));
    for (unsigned cpu = 3; cpu-- > 0;) {
        sim_set_cpu(cpu);
        MUST(sim_read_byte(SPOT + PAGE) == 2, "the file's byte isn't there");
    }
}

static int read_often(void)
{
    int before = 2;
    for (unsigned i = 0; i < 3; i++) {
        int seen = sim_read_byte(SPOT + PAGE);
        MUST(seen == before ||
                 (before == 2 && (seen == ERR_VM_PF_PAST_END || seen == ERR_VM_PF_BAD_ADDRESS)) ||
                 scenario_either(seen, ERR_VM_PF_BAD_ADDRESS, 2),
             "reads %d after %d", seen, before);
        before = seen;
    }
    return VM_OK;
}

static int unmap(void)
{
    return vm_unmap_range(program, SPOT, PAGES(2));
}

static int truncate(void)
{
    sim_file_set_size(file, PAGE);
    return vm_cache_truncate(cache, (off_t)PAGE);
}

static void end(void)
{
    for (unsigned i = 0; i < 3; i++)
        MUST(scenario_result(i) == VM_OK, "call %u has failed", i);
    scenario_expect(SPOT + PAGE, ERR_VM_PF_BAD_ADDRESS);
    vm_put_cache(cache);
    MUST(sim_file_references(file) == 0, "the file stays referenced");
}

const struct scenario scenario_truncate_against_private_unmap = {
    .name = "truncate-against-private-unmap",
    .text = "a file gets shorter while a private mapping of it goes: no CPU reaches the page's "
            "frame once it is free",
    .begin = begin,
    .actor = {{.name = "reader", .run = read_often},
              {.name = "unmapper", .run = unmap},
              {.name = "truncater", .run = truncate}},
    .end = end,
};
