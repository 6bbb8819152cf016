/* SPDX-License-Identifier: MIT */
/* What the tests of vspace/ share. Each runs on a machine of its own in a program with a current vspace; at
 * its end the vspace is destroyed, and every frame must be back; machine_stop sees to each byte. */
#ifndef QUIRE_TESTS_VSPACE_SUPPORT_H
#define QUIRE_TESTS_VSPACE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <cmocka.h>

#include <quire/vspace.h>

#include "machine.h"

#define PAGE VM_PAGE_SIZE
#define PAGES(n) ((addr_t)(n)*VM_PAGE_SIZE)
#define SPOT ((genvaddr_t)0x10000000)
#define RW VREGION_FLAGS_READ_WRITE
#define RO VREGION_FLAGS_READ

#define OK(call) assert_ok((call), #call, __FILE__, __LINE__)
/* The outermost code is this one. */
#define FAILS(code, call) assert_fails((code), (call), #call, __FILE__, __LINE__)
void assert_ok(errval_t error, const char *call, const char *file, int line);
void assert_fails(enum err_code code, errval_t error, const char *call, const char *file, int line);

void run_in_program(void **state);
/* The same without a vspace. */
void run_bare(void **state);

struct vspace_test {
    void (*function)(void);
};
#define TEST_BY(runner, f)                                                                         \
    {                                                                                              \
        .name = #f, .test_func = runner, .initial_state = &(struct vspace_test)                    \
        {                                                                                          \
            .function = f                                                                          \
        }                                                                                          \
    }
#define TEST(f) TEST_BY(run_in_program, f)
#define BARE(f) TEST_BY(run_bare, f)
#define VSPACE_MAIN(name, ...)                                                                     \
    int main(void)                                                                                 \
    {                                                                                              \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                           \
        return _cmocka_run_group_tests(name, tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL); \
    }

#define CURRENT get_current_vspace()

/* A frame of so many pages, each of which begins with its number, from `first` on. */
struct capref new_frame(size_t pages, uint8_t first);
/* The byte that a page of a frame begins with. */
uint8_t frame_byte(struct capref frame, size_t page);
/* The program sees pages that begin with these numbers; or none. */
void assert_numbered(addr_t address, size_t pages, uint8_t first);
void assert_nothing(addr_t address, size_t pages);
/* The vregions of a vspace are these, in this order. */
void assert_list(const struct vspace *vspace, size_t count, ...);

#endif
