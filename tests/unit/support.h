/* SPDX-License-Identifier: MIT */
/* What the unit tests share. Each test runs on a machine of its own, with one program's address space
 * entered; at its end the checker must be content, and every frame and promise back. */
#ifndef QUIRE_TESTS_SUPPORT_H
#define QUIRE_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <cmocka.h>

#include <sim.h>

#define PAGE VM_PAGE_SIZE
#define PAGES(n) ((addr_t)(n)*VM_PAGE_SIZE)
#define PTR(address) ((void *)(address))
#define ALL_ACCESS (VM_ACCESS_READ | VM_ACCESS_WRITE | VM_ACCESS_EXECUTE)
/* An address in user space where no region goes by itself. */
#define SPOT ((addr_t)0x10000000)
#define SWAP_RESTS ((uint64_t)1100000000) /* then an area that failed is tried again */

/* ---- running tests ---- */

struct unit_test {
    void (*function)(void);
    struct sim_config config;
};

void unit_run(void **state);
int unit_main(const char *name, const struct CMUnitTest *tests, size_t count);

#define TEST_ON(f, ...)                                                                            \
    {                                                                                              \
        .name = #f, .test_func = unit_run, .initial_state = &(struct unit_test)                    \
        {                                                                                          \
            .function = f, .config = { __VA_ARGS__ }                                               \
        }                                                                                          \
    }
#define TEST(f) TEST_ON(f, 0)
#define UNIT_MAIN(name, ...)                                                                       \
    int main(void)                                                                                 \
    {                                                                                              \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                           \
        return unit_main(name, tests, sizeof(tests) / sizeof(tests[0]));                           \
    }

/* The address space of the test's program. */
extern aspace_id program;
/* What can be allocated once the core has given back what it keeps for itself. */
size_t free_frames(void);

/* ---- saying what is expected ---- */

#define OK(call) assert_int_equal((call), VM_OK)

/* The misuse ends the machine with a text that has these words in it; then there is a new machine, with a
 * new `program`. */
void assert_panics(void (*misuse)(void), const char *words);
/* Outside of that, what ends the machine fails the test. */
void fail_test(const char *text);

/* A picture of an address space and of the ledger. */
struct picture {
    aspace_id aid;
    size_t count;
    struct vm_region_info region[128];
    int64_t committed;
    size_t regions, caches, aspaces;
};
void take_picture(struct picture *picture, aspace_id aid);
void assert_unchanged(const struct picture *before);

/* The call fails with this error and changes nothing. */
#define REFUSED(expected, call)                                                                    \
    do {                                                                                           \
        struct picture before_;                                                                    \
        take_picture(&before_, program);                                                           \
        assert_int_equal((call), (expected));                                                      \
        assert_unchanged(&before_);                                                                \
        SIM_CHECK();                                                                               \
    } while (0)

/* ---- making things ---- */

/* Readable and writable zeroed pages, anywhere. */
region_id new_region(addr_t *address, size_t pages);
addr_t new_pages(size_t pages);
region_id region_at(addr_t base, size_t pages, unsigned lock);
region_id map_pages(addr_t *address, sim_file *file, size_t pages, unsigned lock, int mapping,
                    size_t first_page);
/* The region that contains the address; 0: none. */
region_id find_region(addr_t address);
vm_region_info region_info(region_id id);
size_t count_regions(aspace_id aid);
vm_info figures(void);

/* Each page's first byte: written, or expected. */
void number_pages(addr_t address, size_t pages, unsigned first);
void assert_numbered(addr_t address, size_t pages, unsigned first);
void assert_byte(addr_t address, int expected);

/* The seeds to use, FIRST,COUNT: those in QUIRE_SEEDS, for long runs, or else these. */
struct seeds {
    unsigned long first, count;
};
struct seeds seeds_or(unsigned long first, unsigned long count);

/* A copy of the running program's space, made current. */
aspace_id fork_program(void);

/* ---- for fibers ---- */

/* Copies `program`: the copy's id. */
int fork_once(void *unused);
/* Copies `program` and deletes the copy, so many times. */
int fork_often(void *times);
int look_at_region(void *id);

#endif
