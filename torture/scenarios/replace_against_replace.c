/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static void begin(void)
{
    scenario_region(SPOT, 2, LOCK_RW);
    scenario_number(SPOT, 2, 1);
}

static int replace(unsigned lock)
{
    void *at = PTR(SPOT);
    region_id id = vm_create_anonymous_region(program, "new", &at, REGION_ADDR_REPLACE, PAGES(2),
                                              REGION_WIRING_LAZY, lock);
    return id < 0 ? (int)id : VM_OK;
}

static int replace_writable(void)
{
    return replace(LOCK_RW);
}

static int replace_read_only(void)
{
    return replace(LOCK_RO);
}

static void end(void)
{
    MUST(scenario_result(0) == VM_OK && scenario_result(1) == VM_OK, "a call has failed");
    scenario_expect(SPOT, 0);
    scenario_expect(SPOT + PAGE, 0);
    int one = sim_write_byte(SPOT, 1), other = sim_write_byte(SPOT + PAGE, 1);
    MUST(one == other && (one == VM_OK || one == ERR_VM_PF_BAD_PERM), "writes: %d, %d", one, other);
}

const struct scenario scenario_replace_against_replace = {
    .name = "replace-against-replace",
    .text = "two threads put a new region in one place: the later one is there, as a whole",
    .begin = begin,
    .actor = {{.name = "first", .run = replace_writable},
              {.name = "second", .run = replace_read_only}},
    .end = end,
};
