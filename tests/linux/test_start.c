/* SPDX-License-Identifier: MIT */
/* quire_start and quire_stop: arguments, again and again, and what is there before and after. */
#include "support.h"

#include <sys/mman.h>
#include <sys/resource.h>

static void test_start_arguments(void)
{
    const struct quire_options wrong[] = {
        {.budget = 0},
        {.budget = MIB - 1},
        {.budget = 2 * MIB, .daemons = 9},
        {.budget = 2 * MIB, .handlers = 17},
        {.budget = 2 * MIB, .mode = (enum quire_mode)7},
        {.budget = SIZE_MAX},
    };
    assert_int_equal(quire_start(NULL), ERR_INVALID_ARGS);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(quire_start(&wrong[i]), ERR_INVALID_ARGS);
    assert_int_equal(quire_stop(), ERR_UNSUPPORTED);
}

/* How many files of the tests stay open: the one of the swap; none, where this user may not have the mode. */
static size_t use(enum quire_mode mode)
{
    struct quire_options options = {.budget = 2 * MIB, .mode = mode, .daemons = 1};
    int error = quire_start(&options);
    if (error == ERR_UNSUPPORTED && mode == QUIRE_MODE_HANDLER)
        return 0;
    OK(error);
    assert_int_equal(quire_start(&options), ERR_INVALID_ARGS);
    assert_int_equal(quire_mode(), mode == QUIRE_MODE_AUTO ? QUIRE_MODE_SIGNAL : mode);
    add_swap(2000);
    volatile unsigned char *at = map_memory(1000);
    for (size_t i = 0; i < 1000; i++)
        write_page(at, i, i);
    OK(quire_stop());
    return 1;
}

static void test_start_and_stop_leave_nothing(void)
{
    (void)use(QUIRE_MODE_SIGNAL);
    (void)use(QUIRE_MODE_HANDLER);
    size_t files = open_files(), before = count_mappings(), uses = 0;
    for (int i = 0; i < 10; i++)
        uses += use(QUIRE_MODE_AUTO) + use(QUIRE_MODE_HANDLER);
    assert_int_equal(open_files(), files + uses);
    assert_true(count_mappings() <= before + uses * 3 + 10); /* a swap's file, and malloc's */
}

/* A thread of ours would cost each call of Linux the counts that threads share. */
static void test_faults_in_signal_mode_need_no_thread(void)
{
    size_t before = count_threads();
    struct test_store *store = store_create(4 * MIB / PAGE);
    struct quire_options options = {.budget = 2 * MIB, .mode = QUIRE_MODE_SIGNAL};
    struct quire_mapping mapping = {.size = 4 * MIB, .granule = PAGE, .store = &store->store};
    void *address;
    OK(quire_start(&options));
    OK(quire_map(&mapping, &address));
    for (size_t i = 0; i < 4 * MIB / PAGE; i++)
        write_page(address, i, i);
    assert_int_equal(count_threads(), before);
    OK(quire_stop());
    store_free(store);
}

/* A third of what is left is there for the program still. */
static void start_within(size_t addresses)
{
    const struct rlimit limit = {addresses, addresses};
    struct quire_options options = {.budget = 4 * MIB};
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
    OK(quire_start(&options));
    void *own = mmap(NULL, addresses / 3, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(own, MAP_FAILED);
    write_page(map_memory(100), 99, 5);
    OK(quire_stop());
    munmap(own, addresses / 3);
}

static void test_start_leaves_addresses_to_the_program(void)
{
    if (CHECKS_RACES || CHECKS_MEMORY)
        skip_test("the checker needs more addresses than there are to be");
    start_within(4130 * MIB);
    start_within(1060 * MIB);
    start_within(600 * MIB);
    start_within(100 * MIB);
}

static void test_start_without_descriptors_says_so(void)
{
    const struct rlimit none = {3, 3};
    struct quire_options options = {.budget = 4 * MIB};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(quire_start(&options), ERR_NO_MEMORY);
    assert_non_null(strstr(quire_why(), "too many files"));
}

static void test_stop_writes_and_destroys_stores(void)
{
    struct test_store *store = store_create(10);
    struct quire_options options = {.budget = 2 * MIB};
    OK(quire_start(&options));
    write_page(map_store(store, 0), 3, 77);
    OK(quire_stop());
    assert_int_equal(store->destroyed, 1);
    assert_true(page_is(store->bytes, 3, 77));
}

static void test_info_says_what_there_is(void)
{
    struct quire_info info = figures();
    assert_int_equal(info.budget, 8 * MIB);
    assert_true(info.frames <= 2048 - 64 && info.frames > 1936); /* 64 are for reading ahead */
    assert_int_equal(info.regions, 0);
    volatile unsigned char *at = map_memory(5);
    at[0] = 1;
    info = figures();
    assert_int_equal(info.regions, 1);
    assert_true(info.faults > 0 && info.free_frames < info.frames);
}

static void test_swap_arguments(void)
{
    struct test_store *store = swap_create(10);
    assert_int_equal(quire_add_swap(NULL, 10, "s"), ERR_INVALID_ARGS);
    assert_int_equal(quire_add_swap(&store->store, 0, "s"), ERR_INVALID_ARGS);
    assert_int_equal(store->destroyed, 0);
    OK(quire_add_swap(&store->store, 10, "s"));
}

static void test_every_policy(void)
{
    const struct vm_policy *policies[] = {NULL, &vm_policy_car, &vm_policy_clock,
                                          &vm_policy_two_lists};
    for (size_t i = 0; i < 4; i++) {
        struct quire_options options = {.budget = 2 * MIB, .policy = policies[i]};
        OK(quire_start(&options));
        add_swap(3000);
        volatile unsigned char *at = map_memory(1500);
        for (size_t page = 0; page < 1500; page++)
            write_page(at, page, page + 1);
        for (size_t page = 0; page < 1500; page++)
            assert_true(page_is(at, page, page + 1));
        OK(quire_stop());
    }
}

static void test_overcommit_ends_with_sigbus(void)
{
    volatile unsigned char *at = map_memory(4 * MIB / PAGE);
    size_t i = 0;
    while (i < 4 * MIB / PAGE && caught_write(at + i * PAGE) == 0)
        i++;
    assert_true(i > 200 && i < 512);
    assert_int_equal(at[0], 1);
}

static void test_regions_up_to_the_limit_of_mappings(void)
{
    struct quire_mapping mapping = {.size = PAGE};
    size_t count = 0;
    if (CHECKS_RACES || CHECKS_MEMORY)
        skip_test("a checker needs mappings, too");
    void *address, *first = NULL;
    int error;
    while ((error = quire_map(&mapping, &address)) == VM_OK && count++ < 70000)
        first = first ? first : address;
    if (count <= 70000) /* vm.max_map_count is larger here */
        assert_int_equal(error, ERR_NO_MEMORY);
    OK(quire_unmap(first));
    OK(quire_map(&mapping, &address));
    assert_true(page_is(address, 0, 0));
}

LINUX_MAIN(TEST_WITH(test_regions_up_to_the_limit_of_mappings, .budget = 512 * MIB),
           TEST_WITH(test_start_arguments, .budget = 0),
           TEST_WITH(test_start_without_descriptors_says_so, .budget = 0),
           TEST_WITH(test_start_leaves_addresses_to_the_program, .budget = 0),
           TEST_WITH(test_start_and_stop_leave_nothing, .budget = 0),
           TEST_WITH(test_faults_in_signal_mode_need_no_thread, .budget = 0),
           TEST_WITH(test_stop_writes_and_destroys_stores, .budget = 0),
           TEST(test_info_says_what_there_is), TEST(test_swap_arguments),
           TEST_WITH(test_every_policy, .budget = 0),
           TEST_WITH(test_overcommit_ends_with_sigbus, .budget = 2 * MIB, .overcommit = true))
