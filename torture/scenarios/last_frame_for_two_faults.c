/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#define MOST 512
#define REFUSED 1

static addr_t held[MOST];
static size_t count;

static size_t available(void)
{
    vm_info info;
    vm_get_info(&info);
    return info.available_pages;
}

/* One page has been touched, so that tables and trees are there. */
static void begin(void)
{
    scenario_region(SPOT, 3, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    vm_trim();
    for (count = 0; count < MOST && available() > 1; count++)
        OK(vm_allocate_frames(1, false, &held[count]));
}

static int write(addr_t address)
{
    int error = sim_write_byte(address, 11);
    return error == ERR_NO_MEMORY ? REFUSED : error;
}

static int write_first(void)
{
    return write(SPOT + PAGE);
}

static int write_second(void)
{
    return write(SPOT + PAGES(2));
}

static void end(void)
{
    int one = scenario_result(0), other = scenario_result(1);
    MUST((one == VM_OK && other == REFUSED) || (one == REFUSED && other == VM_OK) ||
             (scenario_excuses(ERR_NO_MEMORY) && one == REFUSED && other == REFUSED),
         "one frame for two faults: %d, %d", one, other);
    while (count > 0)
        vm_free_frames(held[--count], 1);
    scenario_expect(SPOT + PAGE, one == VM_OK ? 11 : 0);
    scenario_expect(SPOT + PAGES(2), other == VM_OK ? 11 : 0);
}

const struct scenario scenario_last_frame_for_two_faults = {
    .name = "last-frame-for-two-faults",
    .text = "two faults want the last frame: one gets it, the other an error and, later, its page",
    .begin = begin,
    .actor = {{.name = "first", .run = write_first}, {.name = "second", .run = write_second}},
    .end = end,
};
