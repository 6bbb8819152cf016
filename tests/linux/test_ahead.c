/* SPDX-License-Identifier: MIT */
/* Reading ahead: what is read before it is asked for, and what isn't; errors, ends and children while it is under way. */
#include "../../host/linux/regions.h"

#include "support.h"

#include <pthread.h>
#include <sched.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 4096
#define FIRST_AHEAD 32 /* what three faults in a row have not read themselves */
#define BEGIN_END 17   /* the page of the third fault, and one */

/* Page n is words of n + 1. */
struct line {
    vm_store store;
    size_t pages;
    uint32_t reads[MOST]; /* of each page; atomic, as all below */
    uint32_t failed;      /* calls */
    size_t bad;           /* a page that can't be read; 0: none */
    size_t held;          /* from this page on, reads wait until `is_open`; 0: none do */
    uint32_t is_open, waiting, destroyed;
};

/* Until the word is as large. */
static void wait_for(uint32_t *word, uint32_t value)
{
    uint64_t end = host_time_ns() + 60000000000u;
    uint32_t seen;
    while ((seen = __atomic_load_n(word, __ATOMIC_ACQUIRE)) < value) {
        assert_true(host_time_ns() < end);
        (void)host_wait(word, seen, end, false);
    }
}

static void count(uint32_t *word)
{
    __atomic_fetch_add(word, 1, __ATOMIC_RELEASE);
    host_wake(word, UINT32_MAX);
}

static uint32_t now(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void hold(struct line *line)
{
    count(&line->waiting);
    while (now(&line->is_open) == 0)
        (void)host_wait(&line->is_open, 0, VM_NO_DEADLINE, false);
}

static void open_line(struct line *line)
{
    count(&line->is_open);
}

static int read_line(vm_store *store, off_t offset, const addr_t *frames, size_t pages,
                     size_t *done)
{
    struct line *line = store->data;
    size_t first = (size_t)offset / PAGE;
    if (line->held != 0 && first + pages > line->held)
        hold(line);
    for (size_t i = 0; i < pages; i++) {
        if (line->bad != 0 && first + i == line->bad) {
            count(&line->failed);
            return ERR_IO;
        }
        write_page(host_frame_ptr(frames[i]), 0, first + i + 1);
        *done += PAGE;
        count(&line->reads[first + i]);
    }
    return VM_OK;
}

static bool has_page(vm_store *store, off_t offset)
{
    const struct line *line = store->data;
    return (size_t)offset / PAGE < line->pages;
}

static off_t size_of(vm_store *store)
{
    const struct line *line = store->data;
    return (off_t)(line->pages * PAGE);
}

static void destroy(vm_store *store)
{
    struct line *line = store->data;
    count(&line->destroyed);
}

static struct line *make_line(size_t pages)
{
    static const struct vm_store_ops ops = {
        .destroy = destroy, .has_page = has_page, .read = read_line, .size = size_of};
    struct line *line = calloc(1, sizeof *line);
    assert_non_null(line);
    line->pages = pages;
    line->store = (vm_store){.magic = VM_STORE_MAGIC, .ops = &ops, .data = line};
    return line;
}

static volatile unsigned char *map_line(struct line *line, struct quire_mapping mapping)
{
    void *address;
    mapping.store = &line->store;
    if (mapping.size == 0)
        mapping.size = line->pages * PAGE;
    mapping.flags |= mapping.flags ? 0 : QUIRE_READ_ONLY;
    OK(quire_map(&mapping, &address));
    return address;
}

/* Pages [first, end) are what the store has. */
static void read_pages(const volatile unsigned char *at, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        assert_true(page_is(at, i, i + 1));
}

/* Nobody reads ahead there. */
static void come_to_rest(const volatile unsigned char *at)
{
    struct region *region = region_of((addr_t)at);
    ahead_drop(region);
    ahead_wait(region);
}

static size_t all_reads(const struct line *line)
{
    size_t reads = 0;
    for (size_t i = 0; i < line->pages; i++)
        reads += now(&line->reads[i]);
    return reads;
}

/* ---- what is read ------------------------------------------------------------------------------- */

static void test_what_lies_behind_a_sequence_is_read_once_before_it_is_asked_for(void)
{
    struct line *line = make_line(MOST);
    volatile unsigned char *at = map_line(line, (struct quire_mapping){.granule = 0});
    read_pages(at, 0, BEGIN_END);
    wait_for(&line->reads[2 * FIRST_AHEAD - 1], 1);
    read_pages(at, BEGIN_END, 2 * FIRST_AHEAD);
    wait_for(&line->reads[4 * FIRST_AHEAD - 1], 1); /* the next is twice as large */
    for (size_t i = 0; i < 2 * FIRST_AHEAD; i++)
        assert_int_equal(now(&line->reads[i]), 1);
    come_to_rest(at);
    check_tables();
}

static void test_granules_of_64_kib_are_read_ahead(void)
{
    struct line *line = make_line(MOST);
    volatile unsigned char *at = map_line(line, (struct quire_mapping){.granule = 16 * PAGE});
    for (size_t i = 0; i < 3; i++)
        assert_true(page_is(at, 16 * i, 16 * i + 1));
    wait_for(&line->reads[3 * 16 + 31], 1);
    read_pages(at, 0, MOST);
    come_to_rest(at);
    check_tables();
}

static void test_faults_at_random_read_nothing_ahead(void)
{
    struct line *line = make_line(MOST);
    volatile unsigned char *at = map_line(line, (struct quire_mapping){.granule = 0});
    for (size_t i = 0; i < 500; i++)
        assert_true(page_is(at, i * 37 % MOST, i * 37 % MOST + 1));
    OK(quire_unmap((void *)at));
    assert_int_equal(all_reads(line), 500);
}

static void test_pages_that_are_granules_are_not_read_ahead(void)
{
    struct line *line = make_line(MOST);
    volatile unsigned char *at = map_line(line, (struct quire_mapping){.granule = PAGE});
    read_pages(at, 0, 300);
    OK(quire_unmap((void *)at));
    assert_int_equal(all_reads(line), 300);
}

static void test_no_more_is_read_ahead_than_an_eighth_of_memory(void)
{
    struct line *line = make_line(MOST);
    volatile unsigned char *at = map_line(line, (struct quire_mapping){.granule = 0});
    read_pages(at, 0, 1000);
    OK(quire_unmap((void *)at));
    size_t last = 0;
    for (size_t i = 0; i < MOST; i++)
        last = now(&line->reads[i]) > 0 ? i : last;
    assert_true(last > 1000 && last < 1000 + figures().frames / 8 + 16);
}

static void test_a_limit_holds_with_reading_ahead(void)
{
    const size_t limit = 1024;
    struct line *line = make_line(MOST);
    volatile unsigned char *at = map_line(line, (struct quire_mapping){.limit = limit * PAGE});
    static uint8_t has[MOST];
    for (size_t i = 0; i < MOST; i += 512) {
        read_pages(at, i, i + 512);
        size_t resident = 0;
        OK(vm_get_residency(process.aid, (addr_t)at, MOST * PAGE, has));
        for (size_t page = 0; page < MOST; page++)
            resident += has[page];
        assert_true(resident <= limit + 4 * limit / 16);
    }
}

static void test_every_other_page_is_read_ahead_too(void)
{
    struct line *line = make_line(MOST);
    volatile unsigned char *at = map_line(line, (struct quire_mapping){.granule = 16 * PAGE});
    for (size_t i = 0; i < MOST; i += 2)
        assert_true(page_is(at, i, i + 1));
    come_to_rest(at);
    check_tables();
}

static void test_offset_that_no_cluster_begins_at(void)
{
    struct line *line = make_line(MOST);
    volatile unsigned char *at = map_line(
        line, (struct quire_mapping){.offset = 5 * (off_t)PAGE, .size = (MOST - 5) * PAGE});
    for (size_t i = 0; i < MOST - 5; i++)
        assert_true(page_is(at, i, i + 6));
    come_to_rest(at);
    check_tables();
    for (size_t i = 5; i < MOST; i++)
        assert_true(now(&line->reads[i]) >= 1);
}

static void test_pages_that_were_written_stay(void)
{
    struct line *line = make_line(MOST);
    add_swap(MOST);
    volatile unsigned char *at = map_line(line, (struct quire_mapping){.flags = QUIRE_PRIVATE});
    for (size_t i = 40; i < MOST; i += 40)
        write_page(at, i, 7000 + i);
    for (size_t i = 0; i < MOST; i++)
        assert_true(page_is(at, i, i > 0 && i % 40 == 0 ? 7000 + i : i + 1));
    come_to_rest(at);
    check_tables();
}

static void test_what_has_gone_before_its_access_is_read_again(void)
{
    struct line *line = make_line(MOST), *other = make_line(MOST);
    volatile unsigned char *at = map_line(line, (struct quire_mapping){.granule = 0});
    volatile unsigned char *others = map_line(other, (struct quire_mapping){.granule = PAGE});
    read_pages(at, 0, BEGIN_END);
    wait_for(&line->reads[2 * FIRST_AHEAD - 1], 1);
    read_pages(others, 0, MOST);
    assert_int_equal(region_has((addr_t)at + 40 * PAGE), false);
    read_pages(at, BEGIN_END, MOST);
    come_to_rest(at);
    check_tables();
}

static void test_budget_with_no_room_for_reading_ahead(void)
{
    struct line *line = make_line(MOST);
    volatile unsigned char *at = map_line(line, (struct quire_mapping){.granule = 0});
    read_pages(at, 0, MOST);
    OK(quire_unmap((void *)at));
    assert_true(all_reads(line) >= MOST);
}

/* ---- errors ------------------------------------------------------------------------------------- */

static uint32_t asked;

static enum quire_on_error ask(void *argument, off_t offset, int error)
{
    (void)argument, (void)error;
    assert_int_equal(offset, 40 * PAGE);
    count(&asked);
    return QUIRE_ON_ERROR_POISON;
}

static void test_error_of_what_is_read_ahead_is_nobodys(void)
{
    struct line *line = make_line(MOST);
    line->bad = 40;
    volatile unsigned char *at = map_line(
        line, (struct quire_mapping){.policy = {.on_error = QUIRE_ON_ERROR_ASK, .ask = ask}});
    read_pages(at, 0, BEGIN_END);
    wait_for(&line->failed, 1);
    come_to_rest(at);
    assert_int_equal(__atomic_load_n(&store_figures()->read_errors, __ATOMIC_RELAXED), 0);
    read_pages(at, BEGIN_END, 40 - 40 % 16); /* the faults of the page's own cluster ask for it */
    assert_int_equal(now(&asked), 0);
    assert_true(page_is(at, 40, 0));
    assert_int_equal(now(&asked), 1);
    read_pages(at, 41, MOST);
    come_to_rest(at);
    assert_int_equal(__atomic_load_n(&store_figures()->poisoned, __ATOMIC_RELAXED), 1);
}

static void test_error_without_a_policy_is_sigbus_at_the_page(void)
{
    struct line *line = make_line(MOST);
    line->bad = 40;
    volatile unsigned char *at = map_line(line, (struct quire_mapping){.granule = 0});
    read_pages(at, 0, 40);
    assert_int_equal(caught_read(at + 40 * PAGE), SIGBUS);
    read_pages(at, 41, MOST);
    come_to_rest(at);
    check_tables();
}

static void test_store_that_ends_in_a_window(void)
{
    struct line *line = make_line(100);
    volatile unsigned char *at = map_line(line, (struct quire_mapping){.size = MOST * PAGE});
    read_pages(at, 0, 100);
    assert_int_equal(caught_read(at + 100 * PAGE), SIGBUS);
    come_to_rest(at);
    check_tables();
}

/* ---- reads that take long ----------------------------------------------------------------------- */

/* A line whose reader is held at the first window. */
static volatile unsigned char *map_held(struct line *line)
{
    line->held = FIRST_AHEAD;
    volatile unsigned char *at = map_line(line, (struct quire_mapping){.granule = 0});
    read_pages(at, 0, BEGIN_END);
    wait_for(&line->waiting, 1);
    return at;
}

static void *access_page(void *address)
{
    assert_int_equal(*(volatile uint64_t *)address, FIRST_AHEAD + 2);
    return NULL;
}

static void test_fault_waits_for_a_read_that_is_under_way(void)
{
    struct line *line = make_line(MOST);
    volatile unsigned char *at = map_held(line);
    pthread_t thread;
    assert_int_equal(
        pthread_create(&thread, NULL, access_page, (void *)(at + (FIRST_AHEAD + 1) * PAGE)), 0);
    open_line(line);
    pthread_join(thread, NULL);
    assert_int_equal(now(&line->reads[FIRST_AHEAD + 1]), 1);
    read_pages(at, 0, MOST);
}

static void test_another_region_is_unmapped_while_a_read_is_held(void)
{
    struct line *line = make_line(MOST), *other = make_line(MOST);
    volatile unsigned char *at = map_held(line);
    volatile unsigned char *others = map_line(other, (struct quire_mapping){.granule = 0});
    read_pages(others, 0, 500);
    OK(quire_unmap((void *)others));
    assert_int_equal(now(&other->destroyed), 1);
    open_line(line);
    read_pages(at, 0, MOST);
}

static void *unmap(void *address)
{
    OK(quire_unmap(address));
    return NULL;
}

static void test_unmap_waits_for_a_read_of_its_region(void)
{
    struct line *line = make_line(MOST);
    volatile unsigned char *at = map_held(line);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, unmap, (void *)at), 0);
    volatile unsigned char *memory = map_memory(10); /* meanwhile others come and go */
    OK(quire_unmap((void *)memory));
    assert_int_equal(now(&line->destroyed), 0);
    open_line(line);
    pthread_join(thread, NULL);
    assert_int_equal(now(&line->destroyed), 1);
}

/* A thread that has said that it ends is there for some moments more; a checker of races has some of its own. */
static void wait_until_alone(void)
{
    uint64_t end = host_time_ns() + 60000000000u;
    while (!CHECKS_RACES && count_threads() > 1) {
        assert_true(host_time_ns() < end);
        sched_yield();
    }
}

static void *stop(void *unused)
{
    OK(quire_stop());
    return unused;
}

static void test_stop_waits_for_reads(void)
{
    struct quire_options options = {.budget = 8 * MIB};
    struct line *line = make_line(MOST);
    OK(quire_start(&options));
    (void)map_held(line);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop, NULL), 0);
    assert_int_equal(now(&line->destroyed), 0);
    open_line(line);
    pthread_join(thread, NULL);
    assert_int_equal(now(&line->destroyed), 1);
    OK(quire_start(&options)); /* and again, with readers */
    line = make_line(MOST);
    read_pages(map_line(line, (struct quire_mapping){.granule = 0}), 0, MOST);
    OK(quire_stop());
    wait_until_alone();
}

static void page_in_a_child(void)
{
    struct quire_options options = {.budget = 8 * MIB};
    struct line *line = make_line(MOST);
    OK(quire_start(&options));
    read_pages(map_line(line, (struct quire_mapping){.granule = 0}), 0, MOST);
    OK(quire_stop());
}

static void test_child_has_readers_of_its_own(void)
{
    struct line *line = make_line(MOST);
    volatile unsigned char *at = map_held(line);
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        page_in_a_child();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    open_line(line);
    read_pages(at, 0, MOST);
}

/* ---- many at once ------------------------------------------------------------------------------- */

struct part {
    const volatile unsigned char *at;
    size_t first, end;
};

static void *read_part(void *argument)
{
    const struct part *part = argument;
    for (size_t round = 0; round < LESS(8) + 1; round++)
        read_pages(part->at, part->first, part->end);
    return NULL;
}

static void read_by_threads(volatile unsigned char *at)
{
    pthread_t threads[4];
    struct part parts[4];
    for (size_t i = 0; i < 4; i++) {
        parts[i] = (struct part){at, i * MOST / 8, i * MOST / 8 + MOST / 2}; /* they overlap */
        assert_int_equal(pthread_create(&threads[i], NULL, read_part, &parts[i]), 0);
    }
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    come_to_rest(at);
}

static void test_threads_read_in_sequence(void)
{
    read_by_threads(map_line(make_line(MOST), (struct quire_mapping){.granule = 0}));
    check_tables();
}

static void test_threads_read_in_sequence_beside_daemons(void)
{
    read_by_threads(map_line(make_line(MOST), (struct quire_mapping){.granule = 0}));
}

static void test_more_regions_in_sequence_than_there_are_streams(void)
{
    enum { REGIONS = 24 };
    volatile unsigned char *at[REGIONS];
    for (size_t i = 0; i < REGIONS; i++)
        at[i] = map_line(make_line(512), (struct quire_mapping){.granule = 0});
    for (size_t page = 0; page < 512; page++)
        for (size_t i = 0; i < REGIONS; i++)
            assert_true(page_is(at[i], page, page + 1));
    for (size_t i = 0; i < REGIONS; i++)
        OK(quire_unmap((void *)at[i]));
}

static void test_store_that_reads_a_region_which_is_read_ahead(void)
{
    if (CHECKS_RACES)
        skip_test("a store's memcpy that faults is the checker's");
    struct line *line = make_line(MOST);
    struct quire_mapping mapping = {.size = MOST * PAGE, .flags = QUIRE_READ_ONLY};
    void *at;
    mapping.store = nested_store(map_line(line, (struct quire_mapping){.granule = 0}));
    OK(quire_map(&mapping, &at));
    read_pages(at, 0, MOST);
    OK(quire_unmap(at));
}

static volatile unsigned char *in_handler;
static volatile sig_atomic_t alarms;

static void read_in_handler(int number)
{
    (void)number;
    size_t page = (size_t)alarms % MOST;
    if (*(const volatile uint64_t *)(in_handler + page * PAGE) != page + 1)
        abort();
    alarms++;
}

static void test_signals_whose_handlers_read_in_sequence(void)
{
    if (CHECKS_RACES)
        skip_test("the checker runs handlers when a call is made, and here is none");
    struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    struct line *line = make_line(MOST);
    struct sigaction action = {.sa_handler = read_in_handler, .sa_flags = SA_RESTART};
    in_handler = map_line(make_line(MOST), (struct quire_mapping){.granule = 0});
    volatile unsigned char *at = map_line(line, (struct quire_mapping){.granule = 0});
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (size_t round = 0; round < LESS(40) + 1 || alarms < 20; round++)
        read_pages(at, 0, MOST);
    setitimer(ITIMER_REAL, &never, NULL);
}

#define BUDGET .budget = 8 * MIB

LINUX_MAIN(TEST_MODES(test_what_lies_behind_a_sequence_is_read_once_before_it_is_asked_for, BUDGET),
           TEST_MODES(test_granules_of_64_kib_are_read_ahead, BUDGET),
           TEST(test_faults_at_random_read_nothing_ahead),
           TEST(test_pages_that_are_granules_are_not_read_ahead),
           TEST(test_no_more_is_read_ahead_than_an_eighth_of_memory),
           TEST(test_a_limit_holds_with_reading_ahead),
           TEST(test_every_other_page_is_read_ahead_too),
           TEST(test_offset_that_no_cluster_begins_at), TEST(test_pages_that_were_written_stay),
           TEST(test_what_has_gone_before_its_access_is_read_again),
           TEST_WITH(test_budget_with_no_room_for_reading_ahead, .budget = MIB),
           TEST_MODES(test_error_of_what_is_read_ahead_is_nobodys, BUDGET),
           TEST_MODES(test_error_without_a_policy_is_sigbus_at_the_page, BUDGET),
           TEST(test_store_that_ends_in_a_window),
           TEST_MODES(test_fault_waits_for_a_read_that_is_under_way, BUDGET),
           TEST(test_another_region_is_unmapped_while_a_read_is_held),
           TEST(test_unmap_waits_for_a_read_of_its_region),
           TEST_WITH(test_stop_waits_for_reads, .budget = 0),
           TEST(test_child_has_readers_of_its_own),
           TEST_MODES(test_threads_read_in_sequence, BUDGET),
           TEST_WITH(test_threads_read_in_sequence_beside_daemons, .budget = 4 * MIB, .daemons = 2),
           TEST_WITH(test_more_regions_in_sequence_than_there_are_streams, .budget = 32 * MIB),
           TEST(test_store_that_reads_a_region_which_is_read_ahead),
           TEST_MODES(test_signals_whose_handlers_read_in_sequence, BUDGET))
