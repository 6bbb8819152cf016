/* SPDX-License-Identifier: MIT */
/* What the tests of the Linux process share: each runs in a process of its own, begins and ends Quire there, and
 * has stores that remember what they were asked. */
#ifndef QUIRE_TESTS_LINUX_SUPPORT_H
#define QUIRE_TESTS_LINUX_SUPPORT_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <cmocka.h>

#include <quire/host.h>
#include <quire/quire.h>
#include <quire/vm.h>

#define PAGE ((size_t)4096)
#define MIB ((size_t)1 << 20)
#define OK(call) assert_int_equal((call), VM_OK)

/* ---- running ---- */

/* Built with ThreadSanitizer; with AddressSanitizer. Either has memory of its own, and takes its time. */
#ifdef __SANITIZE_THREAD__
#define CHECKS_RACES 1
#else
#define CHECKS_RACES 0
#endif
#ifdef __SANITIZE_ADDRESS__
#define CHECKS_MEMORY 1
#else
#define CHECKS_MEMORY 0
#endif
#define LESS(count) ((count) / (CHECKS_RACES ? 40 : CHECKS_MEMORY ? 8 : 1))
/* Ends the test, which is none here. */
_Noreturn void skip_test(const char *why);

struct linux_test {
    void (*function)(void);
    struct quire_options options;
};
/* Runs the test in a child: with Quire started by its options, which is stopped behind it and must have
 * everything back; a test with a budget of 0 does that itself. The child's status is the result. */
void linux_run(void **state);
#define TEST_WITH(f, ...)                                                                          \
    {                                                                                              \
        .name = #f, .test_func = linux_run, .initial_state = &(struct linux_test)                  \
        {                                                                                          \
            .function = f, .options = { __VA_ARGS__ }                                              \
        }                                                                                          \
    }
#define TEST(f) TEST_WITH(f, .budget = 8 * MIB)
/* The same in each mode that this kernel lets this user have. */
#define TEST_MODES(f, ...)                                                                         \
    TEST_WITH(f, .mode = QUIRE_MODE_SIGNAL, __VA_ARGS__),                                          \
        TEST_WITH(f, .mode = QUIRE_MODE_HANDLER, __VA_ARGS__)
#define LINUX_MAIN(...)                                                                            \
    int main(void)                                                                                 \
    {                                                                                              \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                           \
        return cmocka_run_group_tests(tests, NULL, NULL);                                          \
    }

/* ---- stores ---- */

/* In memory: page n begins as words of n + 1. */
struct test_store {
    vm_store store;
    int fd;               /* a memfd; read and written, so that RSS doesn't grow by it */
    unsigned char *bytes; /* of it, for the tests */
    size_t pages;
    bool *written; /* slots of swap: what was never written must not be read */
    bool is_swap;
    uint64_t reads, writes;           /* pages; atomic */
    uint32_t fail_reads, fail_writes; /* so many calls fail from now on; atomic */
    off_t bad_page;                   /* reads of this page fail; -1: none */
    unsigned delay_us;
    uint32_t destroyed;
};
struct test_store *store_create(size_t pages);
struct test_store *swap_create(size_t slots);
void store_free(struct test_store *store);
/* Its pages leave RSS, but not the file that they are in. */
void madvise_away(struct test_store *store);

/* A store whose bytes are in this region: its read faults within the fault that asks for it. There is one at a time,
 * and its end does nothing. */
extern volatile unsigned char *nested_in;
vm_store *nested_store(volatile unsigned char *in);

/* ---- regions ---- */

volatile unsigned char *map_memory(size_t pages);
/* With 4 KiB granules. */
volatile unsigned char *map_store(struct test_store *store, unsigned flags);
void add_swap(size_t pages);
/* Every word of a page has this value. */
void write_page(volatile void *region, size_t page, uint64_t value);
bool page_is(const volatile void *region, size_t page, uint64_t value);

/* ---- signals ---- */

/* A page whose accesses are SIGBUS, and none of Quire's. */
volatile unsigned char *bad_address(void);

/* The access, and whether it gave SIGBUS or SIGSEGV (its number) or none (0); caught_at: where. */
int caught_read(const volatile void *address);
int caught_write(volatile void *address);
extern void *caught_at;
/* Takes the two signals for that; before quire_start. */
void catch_signals(void);

/* ---- moments ---- */

/* A word becomes 1; it is waited for, so many milliseconds at most. */
void set_word(uint32_t *word);
void wait_for_word(uint32_t *word, uint64_t ms);

/* ---- memory ---- */

/* The host's tables agree with the core's and with Linux's; nothing else may run. (check.c) */
void check_tables(void);

/* Pages of this process in RAM. */
size_t resident_pages(void);
struct quire_info figures(void);
/* Threads of this process. */
size_t count_mappings(void); /* of Linux */
size_t count_threads(void);
/* Its descriptors, and one more. */
size_t open_files(void);

#endif
