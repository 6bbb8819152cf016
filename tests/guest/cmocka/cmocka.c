/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "cmocka.h"

static jmp_buf ended;

void check_failed(const char *what, const char *file, int line)
{
    printf("%s:%d: %s\n", file, line, what);
    longjmp(ended, 1);
}

void check_equal(uintmax_t a, uintmax_t b, bool wanted, const char *what, const char *file,
                 int line)
{
    if ((a == b) == wanted)
        return;
    printf("%#jx and %#jx are %s\n", a, b, wanted ? "not the same" : "the same");
    check_failed(what, file, line);
}

/* A line for each test; a machine is left as it is where one fails, so the rest isn't tried. */
static bool passes(const struct CMUnitTest *test)
{
    void *state = test->initial_state;
    bool passed = setjmp(ended) == 0;
    if (passed)
        test->test_func(&state);
    printf("%s %s\n", passed ? "ok" : "FAILED", test->name);
    return passed;
}

int _cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                            void *no_setup, void *no_teardown)
{
    (void)name, (void)no_setup, (void)no_teardown;
    for (size_t i = 0; i < count; i++)
        if (!passes(&tests[i]))
            return 1;
    printf("all %zu\n", count);
    return 0;
}
