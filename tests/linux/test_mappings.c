/* SPDX-License-Identifier: MIT */
/* VSPACE mode where the program has as many mappings as Linux lets it have. */
#include "support.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <quire/vspace.h>

#define RW VREGION_FLAGS_READ_WRITE

static struct memobj_anon object;
static struct vregion region;
static struct capref frame;

static void good(errval_t error)
{
    if (err_is_fail(error))
        fail_msg("%s", err_getcode(error));
}

/* An object of so many pages, all of them filled, in a vregion. */
static unsigned char *begin(size_t pages)
{
    good(vspace_current_init(true));
    good(memobj_create_anon(&object, pages * PAGE, 0));
    good(frame_alloc(&frame, pages * PAGE, NULL));
    good(object.m.f.fill(&object.m, 0, frame, 0));
    good(vregion_map(&region, get_current_vspace(), &object.m, 0, pages * PAGE, RW));
    return (unsigned char *)vregion_get_base_addr(&region);
}

static void end(void)
{
    good(memobj_destroy_anon(&object.m, true));
    good(vspace_destroy(get_current_vspace()));
}

static struct {
    unsigned calls;
    int error;
} seen;

static bool refuse(void *argument, void *address, unsigned access, int error)
{
    (void)argument, (void)address, (void)access;
    seen.error = error;
    seen.calls++;
    return false;
}

#define TAKEN ((size_t)140000) /* pages of the program's */
static char *taken;

static void take_the_rest(void)
{
    int protection = PROT_READ;
    while (mmap(NULL, PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) !=
           MAP_FAILED)
        protection ^= PROT_READ | PROT_EXEC;
}

/* The program has all the mappings that Linux lets it have: in the end one more than the limit, with which Linux maps
 * nothing, not even over a mapping. */
static void take_all_mappings(void)
{
    if (CHECKS_RACES || CHECKS_MEMORY)
        skip_test("a checker needs mappings, too");
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    taken = mmap(NULL, TAKEN * PAGE, PROT_NONE, flags, -1, 0);
    assert_true(taken != MAP_FAILED);
    size_t page = 0;
    while (page + 1 < TAKEN && mprotect(taken + page * PAGE, PAGE, PROT_READ) == 0)
        page += 2;
    if (page + 1 >= TAKEN)
        skip_test("vm.max_map_count is larger here");
    take_the_rest();
}

static void give_all_mappings(void)
{
    munmap(taken, TAKEN * PAGE);
}

/* No mapping is left, but those that Quire holds. */
static void test_pages_are_shown_at_the_limit_of_mappings(void)
{
    volatile unsigned char *data = begin(256);
    for (size_t i = 0; i < 64; i += 2)
        data[i * PAGE] = (unsigned char)i;
    take_all_mappings();
    for (size_t round = 0; round < 3; round++)
        for (size_t i = 0; i < 256; i++)
            data[i * 37 % 256 * PAGE] = (unsigned char)(i * 37);
    memcpy((void *)(data + 10 * PAGE + 1), (void *)(data + 200 * PAGE + 1), 3 * PAGE);
    give_all_mappings();
    for (size_t i = 0; i < 256; i++)
        assert_int_equal(data[i * PAGE], i > 10 && i < 14 ? i + 190 : i);
    assert_int_equal(seen.calls, 0);
    end();
}

/* Pages of which each needs a mapping more to be hidden. */
static void test_pages_are_hidden_at_the_limit_of_mappings(void)
{
    volatile unsigned char *data = begin(256);
    for (size_t i = 0; i < 256; i++)
        data[i * PAGE] = (unsigned char)i;
    take_all_mappings();
    good(object.m.f.protect(&object.m, &region, 20 * PAGE, PAGE, VREGION_FLAGS_READ));
    assert_int_equal(caught_write(&data[20 * PAGE]), SIGSEGV);
    assert_int_equal(seen.error, ERR_VM_PF_BAD_PERM);
    good(object.m.f.protect(&object.m, &region, 40 * PAGE, 100 * PAGE, VREGION_FLAGS_READ));
    assert_int_equal(caught_write(&data[50 * PAGE]), SIGSEGV);
    good(object.m.f.protect(&object.m, &region, 0, 256 * PAGE, RW));
    give_all_mappings();
    for (size_t i = 0; i < 256; i++)
        assert_int_equal(data[i * PAGE]++, i);
    end();
}

/* Quire has started when there were none: the upcall hears of it, and may see to it. */
static bool give_some(void *argument, void *address, unsigned access, int error)
{
    bool is_second = seen.calls == 1;
    (void)refuse(argument, address, access, error);
    if (is_second)
        give_all_mappings();
    return is_second;
}

/* With so few mappings that there are hardly any to hold. How many pages of the program's gave theirs. */
static size_t start_with_the_fewest(void)
{
    struct quire_options options = {
        .budget = 16 * MIB, .mode = QUIRE_MODE_VSPACE, .upcall = give_some};
    int error = ERR_NO_MEMORY;
    size_t pages = 0;
    while (error != VM_OK) {
        assert_int_equal(error, ERR_NO_MEMORY);
        pages += 2;
        mprotect(taken, pages * PAGE, PROT_NONE);
        error = quire_start(&options);
    }
    return pages;
}

static void test_upcall_is_told_of_the_limit_of_mappings(void)
{
    take_all_mappings();
    (void)start_with_the_fewest();
    volatile unsigned char *data = begin(64);
    take_the_rest();
    assert_int_equal(caught_write(&data[20 * PAGE]), SIGSEGV);
    assert_int_equal(seen.error, ERR_NO_MEMORY);
    assert_int_equal(caught_write(&data[20 * PAGE]), 0);
    assert_true(seen.calls == 2 && seen.error == ERR_NO_MEMORY);
    assert_int_equal(data[20 * PAGE], 1);
    end();
}

/* None are held, and Linux maps nothing. */
static void test_pages_are_hidden_where_no_mappings_are_held(void)
{
    take_all_mappings();
    size_t pages = start_with_the_fewest();
    volatile unsigned char *data = begin(64);
    mprotect(taken, (pages + 8) * PAGE, PROT_NONE);
    data[20 * PAGE] = data[22 * PAGE] = data[24 * PAGE] = 1;
    take_the_rest();
    good(object.m.f.protect(&object.m, &region, 20 * PAGE, PAGE, VREGION_FLAGS_READ));
    assert_int_equal(caught_write(&data[20 * PAGE]), SIGSEGV);
    give_all_mappings();
    assert_true(data[20 * PAGE] == 1 && data[22 * PAGE] == 1 && data[24 * PAGE] == 1);
    data[22 * PAGE] = 2;
    assert_int_equal(data[22 * PAGE], 2);
    end();
}

/* Threads that show pages at the limit take each other's room. Each has a word of every page, and counts in it. */
enum { THREADS = 4, THEIRS = 64 };
static struct user {
    pthread_t thread;
    volatile uint32_t *words;
    uint32_t rounds;
} users[THREADS];
static uint32_t go, stop;

static void *use_pages(void *of)
{
    struct user *user = of;
    while (!__atomic_load_n(&go, __ATOMIC_RELAXED))
        usleep(1000);
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        for (size_t i = 0; i < THEIRS; i++)
            user->words[i * 7 % THEIRS * PAGE / 4]++;
        __atomic_fetch_add(&user->rounds, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void test_threads_at_the_limit_of_mappings(void)
{
    volatile uint32_t *words = (volatile uint32_t *)(void *)begin(THEIRS);
    for (size_t i = 0; i < THREADS; i++) {
        users[i].words = words + i;
        assert_int_equal(pthread_create(&users[i].thread, NULL, use_pages, &users[i]), 0);
    }
    take_all_mappings();
    __atomic_store_n(&go, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < THREADS; i++) {
        uint32_t rounds = __atomic_load_n(&users[i].rounds, __ATOMIC_RELAXED);
        while (__atomic_load_n(&users[i].rounds, __ATOMIC_RELAXED) < rounds + 5)
            usleep(1000);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(users[i].thread, NULL);
    give_all_mappings();
    for (size_t i = 0; i < THREADS * THEIRS; i++)
        assert_int_equal(words[i / THREADS * PAGE / 4 + i % THREADS], users[i % THREADS].rounds);
    assert_int_equal(seen.calls, 0);
    end();
}

#define VSPACE(f) TEST_WITH(f, .budget = 16 * MIB, .mode = QUIRE_MODE_VSPACE, .upcall = refuse)
LINUX_MAIN(VSPACE(test_pages_are_shown_at_the_limit_of_mappings),
           VSPACE(test_pages_are_hidden_at_the_limit_of_mappings),
           VSPACE(test_threads_at_the_limit_of_mappings),
           TEST_WITH(test_upcall_is_told_of_the_limit_of_mappings, .budget = 0),
           TEST_WITH(test_pages_are_hidden_where_no_mappings_are_held, .budget = 0))
