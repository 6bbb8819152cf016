/* SPDX-License-Identifier: MIT */
/* Text for the log: each conversion, with widths, and lines that are too long. */
#include "support.h"

#include "print.h"

#define PRINTS(expected, ...)                                                                      \
    do {                                                                                           \
        sim_log_clear();                                                                           \
        vm_print(__VA_ARGS__);                                                                     \
        assert_string_equal(sim_log_text(), expected);                                             \
    } while (0)

static void test_numbers(void)
{
    PRINTS("-5 7 0", "%d %i %d", -5, 7, 0);
    PRINTS("-9223372036854775808", "%ld", INT64_MIN);
    PRINTS("18446744073709551615 ffffffff", "%lu %x", UINT64_MAX, UINT32_MAX);
    PRINTS("0x1000", "%p", (void *)0x1000);
    PRINTS("12 34", "%zu %lx", (size_t)12, 0x34ul);
}

static void test_widths(void)
{
    PRINTS("[   42][42   ][00042][  -42]", "[%5d][%-5d][%05d][%5d]", 42, 42, 42, -42);
    PRINTS("[  ab][ab  ][abcdef]", "[%4s][%-4s][%4s]", "ab", "ab", "abcdef");
}

static void test_text(void)
{
    const char *volatile none = NULL; /* volatile: or the compiler would warn */
    PRINTS("x%y", "%c%%%c", 'x', 'y');
    PRINTS("(null).", "%s.", none);
}

/* Formats that the compiler would warn of. */
static void test_formats_that_are_none(void)
{
    const char *volatile unknown = "a%qb", *volatile cut = "a%";
    sim_log_clear();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
    vm_print(unknown);
    assert_string_equal(sim_log_text(), "aqb");
    sim_log_clear();
    vm_print(cut);
    assert_string_equal(sim_log_text(), "a");
    unknown = "[%!]";
    sim_log_clear();
    vm_print(unknown);
#pragma GCC diagnostic pop
    assert_string_equal(sim_log_text(), "[!]");
}

static void test_long_lines_are_cut(void)
{
    char text[400];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    sim_log_clear();
    vm_print("%s", text);
    assert_int_equal(strlen(sim_log_text()), 255);
}

UNIT_MAIN("text for the log", TEST(test_numbers), TEST(test_widths), TEST(test_text),
          TEST(test_formats_that_are_none), TEST(test_long_lines_are_cut))
