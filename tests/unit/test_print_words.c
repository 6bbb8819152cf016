/* SPDX-License-Identifier: MIT */
/* vm_print against the C library's printf: every conversion that the core uses, in all its widths. */
#include "support.h"

#include <limits.h>
#include <stdio.h>

#include "print.h"

#define SAME(...)                                                                                  \
    do {                                                                                           \
        char expected[300];                                                                        \
        snprintf(expected, sizeof(expected), __VA_ARGS__);                                         \
        sim_log_clear();                                                                           \
        vm_print(__VA_ARGS__);                                                                     \
        assert_string_equal(sim_log_text(), expected);                                             \
    } while (0)

static void test_vm_print_numbers(void)
{
    static const long values[] = {0, 1, 7, 9, 10, 11, 99, 100, 4095, INT32_MAX, LONG_MAX, LONG_MIN};
    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        SAME("%ld|%ld|%lu|%lx|\n", values[i], -values[i] % 1000, (unsigned long)values[i],
             (unsigned long)values[i]);
        SAME("%d|%i|%u|%x|\n", (int)values[i], (int)-values[i], (unsigned)values[i],
             (unsigned)values[i]);
        SAME("%zu|%p|\n", (size_t)values[i], (void *)(values[i] | 1));
    }
}

static void test_vm_print_widths(void)
{
    SAME("%8d|%-8d|%08d|%1d|%2d|\n", 1234, 1234, 1234, 1234, 12);
    SAME("%8ld|%-12lx|%016lx|%010lu|\n", -5l, 0xabcul, 0xabcul, 77ul);
    SAME("%20s|%-20s|%3s|%s|\n", "text", "text", "text", "");
    SAME("%4s|%5s|%-4s|%-5s|\n", "four", "four", "four", "four");
    SAME("%c%c|%%|\n", 'a', 'z');
    SAME("%-20s %10zu\n", "ACTIVE", (size_t)123);
}

static void test_vm_print_what_printf_does_not(void)
{
    const char *volatile nothing = NULL;
    const char *unknown = "%s|%q|%8s|", *unfinished = "ends in %";
    sim_log_clear();
    vm_print(unknown, nothing, nothing);
    assert_string_equal(sim_log_text(), "(null)|q|  (null)|");
    sim_log_clear();
    vm_print(unfinished, 0);
    assert_string_equal(sim_log_text(), "ends in ");
}

/* A line has 255 bytes; what is longer is cut, and nothing behind it is touched. */
static void test_vm_print_long_lines(void)
{
    char text[400];
    for (size_t length = 250; length < 260; length++) {
        memset(text, 'x', sizeof(text));
        text[length] = '\0';
        sim_log_clear();
        vm_print("%s", text);
        assert_int_equal(strlen(sim_log_text()), length < 255 ? length : 255);
    }
    sim_log_clear();
    vm_print("%300d", 1);
    assert_int_equal(strlen(sim_log_text()), 255);
}

UNIT_MAIN("printing", TEST(test_vm_print_numbers), TEST(test_vm_print_widths),
          TEST(test_vm_print_what_printf_does_not), TEST(test_vm_print_long_lines))
