/* SPDX-License-Identifier: MIT */
/* Regions of both modes in one process: each takes its faults its own way. */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

static volatile unsigned char *map_in(enum quire_mode mode, size_t pages)
{
    struct quire_mapping mapping = {.size = pages * PAGE, .mode = mode};
    void *at = NULL;
    OK(quire_map(&mapping, &at));
    return at;
}

/* The kernel lets this user have both. */
static bool has_handler(void)
{
    struct quire_mapping mapping = {.size = PAGE, .mode = QUIRE_MODE_HANDLER};
    void *at;
    int error = quire_map(&mapping, &at);
    if (error == VM_OK)
        OK(quire_unmap(at));
    else
        print_message("skipped: %s\n", quire_why());
    return error == VM_OK;
}

/* What read(2) of a page of zeros into absent memory gives. */
static ssize_t read_into(volatile unsigned char *at)
{
    int zeros = open("/dev/zero", O_RDONLY);
    assert_true(zeros >= 0);
    ssize_t got = read(zeros, (void *)at, PAGE);
    int error = errno;
    close(zeros);
    return got < 0 ? -error : got;
}

static void test_quire_map_of_the_other_mode(void)
{
    if (!has_handler())
        return;
    volatile unsigned char *by_signal = map_in(QUIRE_MODE_SIGNAL, 64);
    volatile unsigned char *by_handler = map_in(QUIRE_MODE_HANDLER, 64);
    assert_int_equal(read_into(by_signal), -EFAULT);
    assert_int_equal(read_into(by_handler), (ssize_t)PAGE);
    for (size_t i = 0; i < 64; i++) {
        write_page(by_signal, i, i + 1);
        write_page(by_handler, i, i + 100);
    }
    for (size_t i = 0; i < 64; i++)
        assert_true(page_is(by_signal, i, i + 1) && page_is(by_handler, i, i + 100));
}

static void test_quire_map_of_no_mode_is_as_quire_start_said(void)
{
    volatile unsigned char *at = map_memory(1);
    assert_int_equal(read_into(at), quire_mode() == QUIRE_MODE_HANDLER ? (ssize_t)PAGE : -EFAULT);
}

static void test_quire_map_refuses_what_is_no_mode(void)
{
    struct quire_mapping mapping = {.size = PAGE, .mode = (enum quire_mode)3};
    void *at = NULL;
    assert_int_equal(quire_map(&mapping, &at), ERR_INVALID_ARGS);
    mapping.mode = (enum quire_mode) - 1;
    assert_int_equal(quire_map(&mapping, &at), ERR_INVALID_ARGS);
    assert_null(at);
}

/* A user who may not have it hears why, and all goes on. */
static void test_quire_map_of_a_mode_that_is_not_permitted(void)
{
    struct quire_mapping mapping = {.size = PAGE, .mode = QUIRE_MODE_HANDLER};
    volatile unsigned char *before = map_in(QUIRE_MODE_SIGNAL, 1);
    void *at = NULL;
    if (geteuid() == 0) /* the same program is run without rights, too */
        return;
    int error = quire_map(&mapping, &at);
    if (error != VM_OK) {
        assert_int_equal(error, ERR_UNSUPPORTED);
        assert_null(at);
        assert_non_null(strstr(quire_why(), "not permitted"));
        assert_int_equal(figures().regions, 1);
    }
    before[0] = 7;
    assert_int_equal(before[0], 7);
}

static void test_a_snapshot_has_its_sources_mode(void)
{
    void *copy;
    if (!has_handler())
        return;
    volatile unsigned char *at = map_in(QUIRE_MODE_HANDLER, 4);
    write_page(at, 2, 99);
    OK(quire_snapshot((void *)at, &copy));
    assert_int_equal(read_into(copy), (ssize_t)PAGE);
    assert_true(page_is(copy, 2, 99));
    at = map_in(QUIRE_MODE_SIGNAL, 4);
    OK(quire_snapshot((void *)at, &copy));
    assert_int_equal(read_into(copy), -EFAULT);
}

/* A place is used again in the other mode. */
static void test_a_place_changes_its_mode(void)
{
    if (!has_handler())
        return;
    for (unsigned round = 0; round < 20; round++) {
        enum quire_mode mode = round % 2 ? QUIRE_MODE_SIGNAL : QUIRE_MODE_HANDLER;
        volatile unsigned char *at = map_in(mode, 4);
        assert_int_equal(read_into(at), mode == QUIRE_MODE_HANDLER ? (ssize_t)PAGE : -EFAULT);
        write_page(at, 3, round + 1);
        assert_true(page_is(at, 3, round + 1));
        OK(quire_unmap((void *)at));
    }
}

/* An error in a region of HANDLER mode is a signal that isn't Quire's to resolve. */
static void test_errors_in_both_modes(void)
{
    if (!has_handler())
        return;
    for (enum quire_mode mode = QUIRE_MODE_SIGNAL; mode <= QUIRE_MODE_HANDLER; mode++) {
        struct test_store *store = store_create(8);
        struct quire_mapping mapping = {
            .store = &store->store, .size = 8 * PAGE, .granule = PAGE, .mode = mode};
        void *at;
        OK(quire_map(&mapping, &at));
        store->bad_page = 3;
        const volatile unsigned char *bytes = at;
        assert_int_equal(caught_read(bytes + 3 * PAGE + 5), SIGBUS);
        assert_true(page_is(at, 2, 3));
        OK(quire_unmap(at));
        store_free(store);
    }
}

/* ---- both at once, beyond the budget ---- */

#define THREADS 4
#define PAGES_EACH 1024
static volatile unsigned char *shared[2];

static void *write_and_look(void *number)
{
    size_t first = (size_t)(uintptr_t)number * PAGES_EACH;
    for (uint64_t round = 1; round < 4; round++)
        for (size_t i = 0; i < PAGES_EACH; i++)
            for (size_t of = 0; of < 2; of++) {
                size_t page = first + i;
                if (round > 1 && !page_is(shared[of], page, (round - 1) * 100000 + page + of))
                    return "a page has other words";
                write_page(shared[of], page, round * 100000 + page + of);
            }
    return NULL;
}

static void test_threads_in_regions_of_both_modes(void)
{
    pthread_t thread[THREADS];
    void *wrong;
    if (!has_handler())
        return;
    add_swap((size_t)4 * THREADS * PAGES_EACH);
    shared[0] = map_in(QUIRE_MODE_SIGNAL, (size_t)THREADS * PAGES_EACH);
    shared[1] = map_in(QUIRE_MODE_HANDLER, (size_t)THREADS * PAGES_EACH);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, write_and_look, (void *)i), 0);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(thread[i], &wrong), 0);
        if (wrong)
            fail_msg("%s", (const char *)wrong);
    }
}

static void test_quire_stop_ends_both_modes(void)
{
    static const struct quire_options options = {.budget = 4 * MIB};
    for (unsigned round = 0; round < 3; round++) {
        OK(quire_start(&options));
        if (!has_handler()) {
            OK(quire_stop());
            return;
        }
        volatile unsigned char *at = map_in(QUIRE_MODE_HANDLER, 16);
        write_page(at, 5, 9);
        assert_int_equal(quire_mode(), QUIRE_MODE_SIGNAL);
        OK(quire_check());
        OK(quire_stop());
    }
}

#define EIGHT .budget = 8 * MIB
LINUX_MAIN(TEST_MODES(test_quire_map_of_the_other_mode, EIGHT),
           TEST_MODES(test_quire_map_of_no_mode_is_as_quire_start_said, EIGHT),
           TEST(test_quire_map_refuses_what_is_no_mode),
           TEST(test_quire_map_of_a_mode_that_is_not_permitted),
           TEST_MODES(test_a_snapshot_has_its_sources_mode, EIGHT),
           TEST_MODES(test_a_place_changes_its_mode, EIGHT),
           TEST_MODES(test_errors_in_both_modes, EIGHT),
           TEST_MODES(test_threads_in_regions_of_both_modes, EIGHT),
           TEST_WITH(test_quire_stop_ends_both_modes, .budget = 0))
