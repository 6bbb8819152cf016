/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

static sim_file *file;

static void begin(void)
{
    file = scenario_file(SPOT, 1, LOCK_RO, REGION_NO_PRIVATE_MAP);
    sim_file_fail_reads(file, 1, 1, ERR_PERMISSION_DENIED);
}

static int read_page(void)
{
    return sim_read_byte(SPOT);
}

static void end(void)
{
    int one = scenario_result(0), other = scenario_result(1);
    bool excused = scenario_excuses(ERR_IO); /* then who failed has tried again */
    MUST(excused || (one == ERR_PERMISSION_DENIED && other == 1) ||
             (one == 1 && other == ERR_PERMISSION_DENIED),
         "the readers got %d and %d", one, other);
    scenario_expect(SPOT, 1);
    MUST(excused || sim_file_reads(file) == 2, "%u reads", sim_file_reads(file));
}

const struct scenario scenario_waiter_of_failing_read = {
    .name = "waiter-of-failing-read",
    .text = "a thread waits for a page whose reader fails: it reads the page itself",
    .begin = begin,
    .actor = {{.name = "first", .run = read_page}, {.name = "second", .run = read_page}},
    .end = end,
};
