/* SPDX-License-Identifier: MIT */
/* SIGBUS that isn't Quire's, handlers that use regions, and stores that do. */
#include "support.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct quire_options options = {.budget = 2 * MIB};

static void test_foreign_sigbus_reaches_the_handler_before(void)
{
    volatile unsigned char *bad = bad_address(), *at = map_memory(4);
    at[0] = 1;
    assert_int_equal(caught_read(bad + 77), SIGBUS);
    assert_ptr_equal(caught_at, bad + 77);
    at[PAGE] = 2;
    assert_int_equal(at[0] + at[PAGE], 3);
}

static volatile sig_atomic_t plain_calls;

static void plain_handler(int number)
{
    plain_calls += number == SIGBUS;
}

static void test_sent_sigbus_reaches_a_plain_handler(void)
{
    struct sigaction plain = {.sa_handler = plain_handler};
    sigaction(SIGBUS, &plain, NULL);
    OK(quire_start(&options));
    assert_int_equal(raise(SIGBUS), 0);
    assert_int_equal(plain_calls, 1);
    OK(quire_stop());
    struct sigaction now;
    sigaction(SIGBUS, NULL, &now);
    assert_true(now.sa_handler == plain_handler);
}

static void test_check_says_who_has_sigbus(void)
{
    struct sigaction plain = {.sa_handler = plain_handler}, now;
    enum quire_mode mode = quire_mode();
    OK(quire_check());
    sigaction(SIGBUS, &plain, NULL);
    assert_int_equal(quire_check(), mode == QUIRE_MODE_SIGNAL ? ERR_UNSUPPORTED : VM_OK);
    assert_true(mode != QUIRE_MODE_SIGNAL || strstr(quire_why(), "another handler"));
    OK(quire_stop());
    sigaction(SIGBUS, NULL, &now);
    assert_true(now.sa_handler == plain_handler); /* who came later stays */
    assert_int_equal(quire_check(), ERR_UNSUPPORTED);
}

static void test_check_says_whether_sigbus_is_blocked(void)
{
    sigset_t only, now;
    enum quire_mode mode = quire_mode();
    sigemptyset(&only);
    sigaddset(&only, SIGBUS);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &only, NULL), 0);
    assert_int_equal(quire_check(), mode == QUIRE_MODE_SIGNAL ? ERR_UNSUPPORTED : VM_OK);
    assert_true(mode != QUIRE_MODE_SIGNAL || strstr(quire_why(), "blocked"));
    assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &only, &now), 0);
    assert_true(sigismember(&now, SIGBUS)); /* as it was */
    OK(quire_check());
}

/* One that knows its own pages, and passes on the rest. */
static struct sigaction replaced;

static void chaining_handler(int number, siginfo_t *info, void *context)
{
    plain_calls++;
    replaced.sa_sigaction(number, info, context);
}

static void test_a_later_handler_may_pass_faults_on(void)
{
    struct sigaction chaining = {.sa_sigaction = chaining_handler,
                                 .sa_flags = SA_SIGINFO | SA_NODEFER};
    volatile unsigned char *at = map_memory(4);
    plain_calls = 0;
    sigaction(SIGBUS, &chaining, &replaced);
    write_page(at, 1, 5);
    assert_true(page_is(at, 1, 5) && plain_calls == 1);
    assert_int_equal(quire_check(), ERR_UNSUPPORTED);
    sigaction(SIGBUS, &replaced, NULL);
}

/* Taken from Quire, which then ends and begins again: each passes on to the other. */
static void start_again_behind_another_handler(void)
{
    struct sigaction chaining = {.sa_sigaction = chaining_handler,
                                 .sa_flags = SA_SIGINFO | SA_NODEFER};
    OK(quire_start(&options));
    sigaction(SIGBUS, &chaining, &replaced);
    OK(quire_stop());
    OK(quire_start(&options));
}

static void test_a_handler_that_stays_passes_on_to_who_was_before(void)
{
    volatile unsigned char *bad = bad_address();
    start_again_behind_another_handler();
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(caught_read(bad + i), SIGBUS);
        assert_ptr_equal(caught_at, bad + i);
    }
    write_page(map_memory(4), 1, 5);
    OK(quire_check());
    OK(quire_stop());
    assert_int_equal(caught_read(bad + 9), SIGBUS);
}

/* How a process ends that had this disposition before Quire, and then does something. */
static int end_of(void (*disposition)(int), void (*start)(void), void (*function)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGBUS, disposition);
        start();
        function();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void start(void)
{
    OK(quire_start(&options));
}

static void access_bad(void)
{
    (void)*bad_address();
}

static void send(void)
{
    (void)raise(SIGBUS);
}

static void test_default_disposition_ends_the_process(void)
{
    int status = end_of(SIG_DFL, start, access_bad);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    status = end_of(SIG_DFL, start, send);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

static void test_ignored_disposition_ignores_what_is_sent(void)
{
    int status = end_of(SIG_IGN, start, access_bad);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    status = end_of(SIG_IGN, start, send);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_default_disposition_before_a_handler_that_stays(void)
{
    int status = end_of(SIG_DFL, start_again_behind_another_handler, access_bad);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    status = end_of(SIG_DFL, start_again_behind_another_handler, send);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

/* The handler of before passes on to Quire's, too: nobody is left. */
static void start_between_handlers(void)
{
    struct sigaction chaining = {.sa_sigaction = chaining_handler,
                                 .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGBUS, &chaining, NULL);
    OK(quire_start(&options));
    sigaction(SIGBUS, NULL, &replaced);
}

static void test_handlers_that_all_pass_on_end_the_process(void)
{
    int status = end_of(SIG_DFL, start_between_handlers, access_bad);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    status = end_of(SIG_DFL, start_between_handlers, send);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

static void fault_often(volatile unsigned char *at, size_t pages)
{
    for (size_t i = 0; i < pages; i++) {
        errno = 33;
        at[i * PAGE] = 5;
        assert_int_equal(errno, 33);
    }
}

static void test_faults_leave_errno(void)
{
    add_swap(3000);
    fault_often(map_memory(2000), 2000);
}

static void test_faults_run_on_the_alternate_stack(void)
{
    static unsigned char stack[64 * 1024];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    memset(stack, 0xee, sizeof stack);
    assert_int_equal(sigaltstack(&alternate, NULL), 0);
    fault_often(map_memory(4), 4);
    size_t untouched = 0;
    while (untouched < sizeof stack && stack[untouched] == 0xee)
        untouched++;
    assert_true(untouched < sizeof stack && untouched > 32 * 1024);
}

static void test_store_may_use_regions(void)
{
    struct quire_mapping mapping = {.store = nested_store(map_store(store_create(2000), 0)),
                                    .size = 2000 * PAGE,
                                    .flags = QUIRE_READ_ONLY,
                                    .granule = PAGE};
    void *outer;
    OK(quire_map(&mapping, &outer));
    for (size_t i = 0; i < 2000; i += 3)
        assert_true(page_is(outer, i, i + 1));
}

/* It gives its region back when it ends. */
static void unmap_inner(vm_store *store)
{
    (void)store;
    int error = quire_unmap((void *)nested_in);
    assert_true(error == VM_OK || error == ERR_VM_INVALID_REGION); /* quire_stop was there before */
    nested_in = NULL;
}

static void map_nested(void **outer)
{
    static struct vm_store_ops ops;
    struct quire_mapping mapping = {.store = nested_store(map_store(store_create(20), 0)),
                                    .size = 20 * PAGE,
                                    .flags = QUIRE_READ_ONLY,
                                    .granule = PAGE};
    ops = *mapping.store->ops;
    ops.destroy = unmap_inner;
    mapping.store->ops = &ops;
    OK(quire_map(&mapping, outer));
    assert_true(page_is(*outer, 7, 8));
}

static void test_store_may_unmap_its_own_region_at_its_end(void)
{
    void *outer;
    alarm(10);
    map_nested(&outer);
    OK(quire_unmap(outer));
    assert_null(nested_in);
    map_nested(&outer);
    OK(quire_stop());
    assert_null(nested_in);
}

/* A timer's handler that uses a region, while the program calls Quire and faults. */
static volatile unsigned char *ticked;
static volatile sig_atomic_t ticks;

static void on_tick(int number)
{
    (void)number;
    for (size_t i = 0; i < 5; i++)
        ticked[(size_t)(ticks * 5 + (int)i) % 1000 * PAGE]++;
    ticks = ticks + 1;
}

static void test_handlers_may_use_regions(void)
{
    struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    struct sigaction tick = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    struct test_store *store = store_create(1000);
    add_swap(3000);
    ticked = map_memory(1000);
    volatile unsigned char *at = map_store(store, 0);
    sigaction(SIGALRM, &tick, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int round = 0; ticks < 300 && round < 100000; round++) {
        at[(size_t)(round * 7 % 1000) * PAGE] = 1;
        OK(quire_evict((void *)(at + (size_t)(round % 900) * PAGE), 50 * PAGE));
        if (round % 50 == 0)
            OK(quire_flush((void *)at, 1000 * PAGE));
        void *copy;
        OK(quire_snapshot((void *)ticked, &copy));
        OK(quire_unmap(copy));
    }
    setitimer(ITIMER_REAL, &never, NULL);
    assert_true(ticks >= 300);
    size_t sum = 0;
    for (size_t i = 0; i < 1000; i++)
        sum += ticked[i * PAGE];
    assert_int_equal(sum, (size_t)ticks * 5);
}

static void *read_a_byte(void *at)
{
    (void)*(volatile unsigned char *)at;
    return NULL;
}

static void test_a_thread_that_is_cancelled_in_a_fault_ends_it(void)
{
    struct test_store *store = store_create(4);
    volatile unsigned char *at = map_store(store, 0);
    pthread_t thread;
    store->delay_us = 200000;
    assert_int_equal(pthread_create(&thread, NULL, read_a_byte, (void *)at), 0);
    usleep(50000);
    assert_int_equal(pthread_cancel(thread), 0);
    pthread_join(thread, NULL);
    store->delay_us = 0;
    alarm(10);
    assert_true(page_is(at, 0, 1));
}

LINUX_MAIN(TEST(test_a_thread_that_is_cancelled_in_a_fault_ends_it),
           TEST_MODES(test_foreign_sigbus_reaches_the_handler_before, .budget = 2 * MIB),
           TEST_WITH(test_sent_sigbus_reaches_a_plain_handler, .budget = 0),
           TEST_MODES(test_check_says_who_has_sigbus, .budget = 2 * MIB),
           TEST_MODES(test_check_says_whether_sigbus_is_blocked, .budget = 2 * MIB),
           TEST(test_a_later_handler_may_pass_faults_on),
           TEST_WITH(test_a_handler_that_stays_passes_on_to_who_was_before, .budget = 0),
           TEST_WITH(test_default_disposition_before_a_handler_that_stays, .budget = 0),
           TEST_WITH(test_handlers_that_all_pass_on_end_the_process, .budget = 0),
           TEST_WITH(test_default_disposition_ends_the_process, .budget = 0),
           TEST_WITH(test_ignored_disposition_ignores_what_is_sent, .budget = 0),
           TEST_WITH(test_faults_leave_errno, .budget = 2 * MIB),
           TEST_WITH(test_faults_run_on_the_alternate_stack, .budget = 2 * MIB),
           TEST_MODES(test_store_may_use_regions, .budget = 2 * MIB, .handlers = 4),
           TEST_MODES(test_store_may_unmap_its_own_region_at_its_end, .budget = 2 * MIB),
           TEST_MODES(test_handlers_may_use_regions, .budget = 2 * MIB))
