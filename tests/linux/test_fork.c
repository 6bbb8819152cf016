/* SPDX-License-Identifier: MIT */
/* Children of a process that pages itself: they have no regions, and the parent's are not their business. */
#include "support.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static int child_status(void (*function)(void))
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        function();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static volatile unsigned char *at;

static void use_region(void)
{
    signal(SIGSEGV, SIG_DFL);
    at[0] = 99;
}

static void call_quire(void)
{
    void *address;
    struct quire_info info;
    struct quire_mapping mapping = {.size = PAGE};
    assert_int_equal(quire_map(&mapping, &address), ERR_UNSUPPORTED);
    assert_int_equal(quire_unmap((void *)at), ERR_UNSUPPORTED);
    assert_int_equal(quire_populate((void *)at, PAGE, true), ERR_UNSUPPORTED);
    assert_int_equal(quire_get_info(&info), ERR_UNSUPPORTED);
    assert_int_equal(quire_stop(), ERR_UNSUPPORTED);
}

static void start_anew(void)
{
    struct quire_options options = {.budget = 2 * MIB};
    OK(quire_start(&options));
    volatile unsigned char *own = map_memory(100);
    for (size_t i = 0; i < 100; i++)
        write_page(own, i, i + 7);
    for (size_t i = 0; i < 100; i++)
        assert_true(page_is(own, i, i + 7));
    OK(quire_stop());
}

static void run_another_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
    _exit(9);
}

static void test_child_has_no_regions(void)
{
    at = map_memory(10);
    write_page(at, 0, 5);
    int status = child_status(use_region);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_true(page_is(at, 0, 5));
    assert_int_equal(child_status(call_quire), 0);
    assert_int_equal(child_status(run_another_program), 0);
    write_page(at, 1, 6);
    assert_true(page_is(at, 1, 6));
}

static void test_child_may_start_its_own(void)
{
    at = map_memory(10);
    write_page(at, 0, 5);
    assert_int_equal(child_status(start_anew), 0);
    assert_true(page_is(at, 0, 5));
}

/* ---- children of children ----------------------------------------------------------------------- */

static size_t generation, before;
static enum quire_mode mode;

static void live_and_have_a_child(void)
{
    struct quire_options options = {.budget = 32 * MIB, .mode = mode};
    if (quire_start(&options) == ERR_UNSUPPORTED)
        return; /* this user may not have the mode */
    if (mode != QUIRE_MODE_VSPACE)
        write_page(map_memory(10), 0, 1);
    size_t now = count_mappings();
    if (generation > 1) /* the first has been more than that */
        assert_int_equal(now, before);
    before = now;
    if (++generation < 5)
        assert_int_equal(child_status(live_and_have_a_child), 0);
}

static void test_each_generation_has_as_many_mappings(void)
{
    if (CHECKS_RACES || CHECKS_MEMORY)
        skip_test("a checker maps memory, too");
    for (mode = QUIRE_MODE_SIGNAL; mode <= QUIRE_MODE_VSPACE; mode++) {
        generation = 0;
        assert_int_equal(child_status(live_and_have_a_child), 0);
    }
}

static uint32_t stop;

static void *fault_on(void *unused)
{
    (void)unused;
    for (size_t i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++)
        write_page(at, i % 2000, i % 2000);
    return NULL;
}

static void do_nothing(void)
{
}

static void test_forks_beside_faults(void)
{
    pthread_t thread;
    add_swap(4000);
    at = map_memory(2000);
    assert_int_equal(pthread_create(&thread, NULL, fault_on, NULL), 0);
    for (int i = 0; i < LESS(200); i++)
        assert_int_equal(child_status(i % 2 ? call_quire : do_nothing), 0);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    for (size_t i = 0; i < 2000; i++)
        assert_true(page_is(at, i, i) || page_is(at, i, 0));
}

LINUX_MAIN(TEST_MODES(test_child_has_no_regions, .budget = 2 * MIB),
           TEST_MODES(test_child_may_start_its_own, .budget = 2 * MIB),
           TEST_WITH(test_each_generation_has_as_many_mappings, .budget = 0),
           TEST_MODES(test_forks_beside_faults, .budget = 2 * MIB))
