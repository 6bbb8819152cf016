/* SPDX-License-Identifier: MIT */
/* As much of cmocka's interface as the tests of vspace/ use, for programs in the reference kernel: cmocka itself
 * is there as a shared library only. A test that fails ends by a jump, and the program's status says how many. */
#ifndef QUIRE_GUEST_CMOCKA_H
#define QUIRE_GUEST_CMOCKA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef void CMUnitTestFunction(void **state);
struct CMUnitTest {
    const char *name;
    CMUnitTestFunction *test_func;
    void *initial_state;
};
#define cmocka_unit_test(f)                                                                        \
    {                                                                                              \
        .name = #f, .test_func = f                                                                 \
    }
int _cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                            void *no_setup, void *no_teardown);

_Noreturn void check_failed(const char *what, const char *file, int line);
void check_equal(uintmax_t a, uintmax_t b, bool wanted, const char *what, const char *file,
                 int line);

#define print_error(...) printf(__VA_ARGS__)
#define fail_msg(...)                                                                              \
    do {                                                                                           \
        printf(__VA_ARGS__);                                                                       \
        check_failed("fail_msg", __FILE__, __LINE__);                                              \
    } while (0)

#define CHECK_EQUAL(a, b, wanted)                                                                  \
    check_equal((uintmax_t)(a), (uintmax_t)(b), wanted, #a ", " #b, __FILE__, __LINE__)
#define CHECK_POINTERS(a, b, wanted) CHECK_EQUAL((uintptr_t)(a), (uintptr_t)(b), wanted)
#define assert_int_equal(a, b) CHECK_EQUAL(a, b, true)
#define assert_int_not_equal(a, b) CHECK_EQUAL(a, b, false)
#define assert_ptr_equal(a, b) CHECK_POINTERS(a, b, true)
#define assert_ptr_not_equal(a, b) CHECK_POINTERS(a, b, false)
#define assert_true(a) CHECK_EQUAL(!!(a), 1, true)
#define assert_false(a) CHECK_EQUAL(!!(a), 0, true)
#define assert_null(a) CHECK_POINTERS(a, 0, true)
#define assert_non_null(a) CHECK_POINTERS(a, 0, false)
#define assert_in_range(a, low, high)                                                              \
    assert_true((uintmax_t)(a) - (uintmax_t)(low) <= (uintmax_t)(high) - (uintmax_t)(low))
#define assert_string_equal(a, b) assert_true(strcmp(a, b) == 0)
#define assert_string_not_equal(a, b) assert_true(strcmp(a, b) != 0)

#endif
