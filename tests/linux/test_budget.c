/* SPDX-License-Identifier: MIT */
/* No more memory than was said: of the process with eight threads and any granule, of a region whatever brings its
 * pages. */
#include "../../host/linux/linux.h"
#include "support.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define THREADS 8
#define BUDGET (40 * MIB)
#define SMALL (8 * MIB)
#define PAGES (4 * BUDGET / PAGE)

static volatile unsigned char *file, *memory;
static uint32_t begun, goes_on, ended;

static uint64_t random_of(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Of the process's own: what it has of files, its code, comes as it is used. */
static size_t own_pages(void)
{
    size_t all = 0, resident = 0, shared = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    assert_int_equal(fscanf(statm, "%zu %zu %zu", &all, &resident, &shared), 3);
    fclose(statm);
    return resident - shared;
}

/* The stack that faults will need, too. */
static void touch_stack(void)
{
    volatile unsigned char bytes[8 * PAGE];
    for (size_t i = 0; i < sizeof bytes; i += PAGE / 2)
        bytes[i] = 1;
}

/* In part one page behind the other, in part anywhere. */
static void *use_pages(void *number)
{
    uint64_t state = (uint64_t)(uintptr_t)number + 1;
    size_t next = PAGES / THREADS * (size_t)(uintptr_t)number;
    touch_stack();
    __atomic_fetch_add(&begun, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&goes_on, __ATOMIC_SEQ_CST) == 0)
        usleep(1000);
    for (size_t i = 0; i < 1500; i++, next++) {
        size_t page = i % 4 ? next % PAGES : random_of(&state) % PAGES;
        assert_int_equal(*(const volatile uint64_t *)(const volatile void *)(file + page * PAGE),
                         page + 1);
        memory[random_of(&state) % PAGES * PAGE] = 1;
    }
    __atomic_fetch_add(&ended, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* The most pages that there were while they did. */
static size_t watch(void)
{
    size_t most = 0;
    __atomic_store_n(&goes_on, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&ended, __ATOMIC_SEQ_CST) < THREADS) {
        size_t now = own_pages();
        most = now > most ? now : most;
        usleep(300);
    }
    return most;
}

static void check_granule(size_t budget, size_t granule, enum quire_mode mode)
{
    struct quire_options options = {.budget = budget, .mode = mode};
    struct test_store *store = store_create(PAGES), *swap = swap_create(PAGES + 1000);
    struct quire_mapping mapping = {
        .store = &store->store, .size = PAGES * PAGE, .granule = granule};
    pthread_t threads[THREADS];
    void *address;
    madvise_away(store);
    begun = goes_on = ended = 0;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_pages, (void *)i), 0);
    while (__atomic_load_n(&begun, __ATOMIC_SEQ_CST) < THREADS)
        usleep(1000);
    size_t before = own_pages();
    if (quire_start(&options) == ERR_UNSUPPORTED)
        skip_test(quire_why());
    OK(quire_add_swap(&swap->store, PAGES + 1000, "swap"));
    OK(quire_map(&mapping, &address));
    file = address;
    memory = map_memory(PAGES);
    size_t most = watch() - before, allowed = budget / PAGE * 102 / 100 + 64;
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    print_message("granule %zu: %zu pages of %zu\n", granule, most, allowed);
    assert_true(most <= allowed);
    OK(quire_stop());
    store_free(store);
    store_free(swap);
}

static void check_granules(enum quire_mode mode, size_t factor)
{
    if (CHECKS_RACES || CHECKS_MEMORY)
        skip_test("a checker uses memory, too");
    check_granule(SMALL, 0, mode);
    check_granule(BUDGET, 0, mode);
    check_granule(BUDGET, PAGE, mode);
    for (size_t granule = 16 * PAGE; granule <= 512 * PAGE; granule *= factor)
        check_granule(BUDGET, granule, mode);
}

static void test_rss_of_eight_threads_with_each_granule_by_signals(void)
{
    check_granules(QUIRE_MODE_SIGNAL, 2);
}

static void test_rss_of_eight_threads_with_each_granule_by_messages(void)
{
    check_granules(QUIRE_MODE_HANDLER, 32);
}

/* ---- huge pages --------------------------------------------------------------------------------- */

/* Of mappings that ask for them; *are: of those that there are. */
static size_t bytes_that_may_be_huge(size_t *are)
{
    size_t bytes = 0;
    unsigned long first, end, size = 0, kib;
    char line[512];
    FILE *maps = fopen("/proc/self/smaps", "re");
    assert_non_null(maps);
    *are = 0;
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx ", &first, &end) == 2)
            size = end - first;
        else if (sscanf(line, "AnonHugePages: %lu", &kib) == 1)
            *are += kib * 1024;
        else if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " hg"))
            bytes += size;
    fclose(maps);
    return bytes;
}

/* Whether Linux gives some just now. */
static bool can_be_huge(void)
{
    size_t huge, size = 4 * MIB;
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(at != MAP_FAILED);
    (void)madvise(at, size, MADV_HUGEPAGE);
    memset(at, 1, size);
    (void)bytes_that_may_be_huge(&huge);
    munmap(at, size);
    return huge > 0;
}

static void check_huge(size_t budget, size_t expected)
{
    struct quire_options options = {.budget = budget};
    if (access("/sys/kernel/mm/transparent_hugepage", F_OK) != 0)
        skip_test("this kernel has no huge pages");
    bool can = can_be_huge();
    size_t are;
    assert_int_equal(bytes_that_may_be_huge(&are), 0);
    if (quire_start(&options) == ERR_UNSUPPORTED)
        skip_test(quire_why());
    assert_int_equal(bytes_that_may_be_huge(&are), expected);
    assert_true(!can || expected == 0 || are > 0);
    OK(quire_stop());
    assert_int_equal(bytes_that_may_be_huge(&are), 0);
}

static void test_what_stays_for_good_is_in_huge_pages(void)
{
    check_huge(32 * MIB, 2 * MIB);
    check_huge(256 * MIB, 6 * MIB);
}

/* A huge page that isn't all in use would be memory that nobody said. */
static void test_a_small_budget_has_no_huge_pages(void)
{
    check_huge(8 * MIB, 0);
}

/* ---- the limit of a region ---------------------------------------------------------------------- */

#define REGION 1000
#define LIMIT 100

/* In the core, which has no page of it that isn't shown or about to be. */
static size_t resident_of(const volatile unsigned char *at)
{
    static uint8_t resident[REGION];
    size_t count = 0;
    OK(vm_get_residency(process.aid, (addr_t)at, REGION * PAGE, resident));
    for (size_t i = 0; i < REGION; i++)
        count += resident[i];
    return count;
}

static volatile unsigned char *map_limited(void)
{
    struct quire_mapping mapping = {.store = &store_create(REGION)->store,
                                    .size = REGION * PAGE,
                                    .granule = PAGE,
                                    .limit = LIMIT * PAGE};
    void *address;
    OK(quire_map(&mapping, &address));
    return address;
}

static void test_quire_prefetch_stays_in_the_limit_of_a_region(void)
{
    volatile unsigned char *at = map_limited();
    OK(quire_prefetch((void *)at, REGION * PAGE));
    assert_in_range(resident_of(at), LIMIT / 4, LIMIT);
    OK(quire_advise((void *)at, REGION * PAGE, VM_ADVICE_WILL_NEED));
    assert_in_range(resident_of(at), LIMIT / 4, LIMIT);
    assert_true(page_is(at, 0, 1)); /* the first ones are those that have come */
    OK(quire_set_limit((void *)at, 0));
    OK(quire_prefetch((void *)at, REGION * PAGE));
    assert_int_equal(resident_of(at), REGION);
}

static void test_quire_populate_stays_in_the_limit_of_a_region(void)
{
    volatile unsigned char *at = map_limited();
    (void)quire_populate((void *)at, REGION * PAGE, false);
    assert_in_range(resident_of(at), LIMIT / 4, LIMIT);
}

/* They count again from here on. */
static void test_unpinned_pages_count_for_the_limit_of_a_region(void)
{
    volatile unsigned char *at = map_limited();
    OK(quire_pin((void *)at, 600 * PAGE));
    assert_int_equal(resident_of(at), 600);
    OK(quire_unpin((void *)at, 600 * PAGE));
    assert_true(page_is(at, 800, 801));
    assert_in_range(resident_of(at), LIMIT / 4, LIMIT);
}

/* ---- what was promised -------------------------------------------------------------------------- */

/* However many parts a region is protected in: that is refused before promised memory has no room. */
static void test_memory_is_promised_however_regions_are_split(void)
{
    size_t done = 0;
    add_swap(30000);
    volatile unsigned char *promised = map_memory(400), *split = map_memory(16000);
    while (done < 8000 && quire_protect((void *)(split + 2 * done * PAGE), PAGE, false) == VM_OK)
        done++;
    print_message("%zu parts\n", done);
    for (size_t round = 0; round < 2; round++)
        for (size_t i = 0; i < 400; i++) {
            assert_int_equal(caught_write(promised + i * PAGE), 0);
            write_page(promised, i, i + round);
        }
    for (size_t i = 0; i < 16000; i += i < 2 * done ? 2 : 1)
        assert_int_equal(caught_write(split + (i < 2 * done ? i + 1 : i) * PAGE), 0);
}

LINUX_MAIN(TEST_WITH(test_memory_is_promised_however_regions_are_split, .budget = 2 * MIB),
           TEST_WITH(test_rss_of_eight_threads_with_each_granule_by_signals, .budget = 0),
           TEST_WITH(test_rss_of_eight_threads_with_each_granule_by_messages, .budget = 0),
           TEST_WITH(test_what_stays_for_good_is_in_huge_pages, .budget = 0),
           TEST_WITH(test_a_small_budget_has_no_huge_pages, .budget = 0),
           TEST(test_quire_prefetch_stays_in_the_limit_of_a_region),
           TEST(test_quire_populate_stays_in_the_limit_of_a_region),
           TEST(test_unpinned_pages_count_for_the_limit_of_a_region))
