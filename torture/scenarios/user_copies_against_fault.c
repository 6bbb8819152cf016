/* SPDX-License-Identifier: MIT */
#include "../scenario.h"

#include <string.h>

#define TEXT "gathering"
#define TO (SPOT + PAGE - 4) /* across two pages */

static void begin(void)
{
    scenario_region(SPOT, 4, LOCK_RW);
}

static int copy_string(void)
{
    return user_strcpy(PTR(TO), TEXT);
}

static int copy_bounded_and_fill(void)
{
    int error = user_strncpy(PTR(TO + PAGE), TEXT, 5);
    return error == VM_OK ? user_memset(PTR(SPOT + PAGES(3) - 2), 'x', 4) : error;
}

static int touch(void)
{
    return sim_read_byte(SPOT + PAGE);
}

static void expect(addr_t address, const char *text, size_t length)
{
    char seen[16];
    OK(sim_read(address, seen, length));
    MUST(memcmp(seen, text, length) == 0, "\"%.*s\" has arrived, not \"%.*s\"", (int)length, seen,
         (int)length, text);
}

static void end(void)
{
    for (unsigned i = 0; i < 2; i++)
        MUST(scenario_result(i) == VM_OK, "a copy has failed: %d", scenario_result(i));
    MUST(scenario_either(scenario_result(2), 0, 'e'), "a byte from nowhere");
    expect(TO, TEXT, sizeof(TEXT));
    expect(TO + PAGE, TEXT, 5);
    expect(SPOT + PAGES(3) - 2, "xxxx", 4);
}

const struct scenario scenario_user_copies_against_fault = {
    .name = "user-copies-against-fault",
    .text = "the kernel copies strings and fills memory of a program, across pages that it and the "
            "program fault in: all of it arrives",
    .begin = begin,
    .actor = {{.name = "string", .run = copy_string},
              {.name = "bounded-and-fill", .run = copy_bounded_and_fill},
              {.name = "touch", .run = touch}},
    .end = end,
};
