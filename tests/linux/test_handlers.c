/* SPDX-License-Identifier: MIT */
/* Handlers that SIGBUS had before Quire get it as Linux would have given it; and stacks that are small. */
#include "support.h"

#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static const struct quire_options options = {.budget = 2 * MIB};

/* What the handler saw last. */
static struct {
    siginfo_t info;
    sigset_t mask;
    int calls;
} seen;
static sigjmp_buf back;
static jmp_buf plain_back;

static void note(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    seen.info = *info;
    seen.calls++;
    pthread_sigmask(SIG_SETMASK, NULL, &seen.mask);
}

static void leave(int number, siginfo_t *info, void *context)
{
    note(number, info, context);
    siglongjmp(back, 1);
}

/* By the jump that leaves the mask as it is. */
static void leave_plainly(int number, siginfo_t *info, void *context)
{
    note(number, info, context);
    longjmp(plain_back, 1);
}

static void install(void (*handler)(int, siginfo_t *, void *), unsigned flags, int masked)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = (int)(SA_SIGINFO | flags)};
    sigemptyset(&action.sa_mask);
    if (masked != 0)
        sigaddset(&action.sa_mask, masked);
    assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
}

static void access_bad(volatile unsigned char *bad)
{
    if (sigsetjmp(back, 1) == 0)
        (void)*bad;
}

static void test_a_handler_that_is_passed_on_to_sees_what_linux_said(void)
{
    volatile unsigned char *bad = bad_address();
    install(leave, 0, 0);
    OK(quire_start(&options));
    access_bad(bad + 5);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.info.si_signo, SIGBUS);
    assert_int_equal(seen.info.si_errno, 0);
    assert_int_equal(seen.info.si_code, BUS_ADRERR);
    assert_ptr_equal(seen.info.si_addr, bad + 5);
    install(note, 0, 0); /* as without Quire */
    OK(quire_stop());
}

static void test_a_handler_that_is_passed_on_to_has_its_own_mask(void)
{
    volatile unsigned char *bad = bad_address();
    install(leave, 0, SIGUSR2);
    OK(quire_start(&options));
    access_bad(bad);
    assert_int_equal(seen.calls, 1);
    assert_true(sigismember(&seen.mask, SIGUSR2));
    assert_false(sigismember(&seen.mask, SIGUSR1));
    assert_false(sigismember(&seen.mask, SIGTERM));
    assert_false(sigismember(&seen.mask, SIGBUS)); /* it may use regions */
}

static void access_bad_plainly(volatile unsigned char *bad)
{
    if (setjmp(plain_back) == 0)
        (void)*bad;
}

static void test_a_handler_with_sa_nodefer_may_leave_by_longjmp(void)
{
    volatile unsigned char *bad = bad_address(), *at;
    sigset_t now;
    install(leave_plainly, SA_NODEFER, 0);
    OK(quire_start(&options));
    for (int i = 1; i < 4; i++) {
        access_bad_plainly(bad);
        assert_int_equal(seen.calls, i);
        pthread_sigmask(SIG_SETMASK, NULL, &now);
        for (int number = 1; number < 32; number++)
            assert_false(sigismember(&now, number));
    }
    at = map_memory(2);
    at[0] = 1;
}

static void test_what_is_blocked_stays_so_in_a_handler_that_is_passed_on_to(void)
{
    volatile unsigned char *bad = bad_address();
    sigset_t some, now;
    install(leave, 0, 0);
    OK(quire_start(&options));
    sigemptyset(&some);
    sigaddset(&some, SIGWINCH);
    pthread_sigmask(SIG_BLOCK, &some, NULL);
    access_bad(bad);
    assert_true(sigismember(&seen.mask, SIGWINCH));
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    assert_true(sigismember(&now, SIGWINCH));
}

/* Once by the handler, then as by default. */
static int end_after_two(unsigned flags)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        volatile unsigned char *bad = bad_address();
        install(leave, flags, 0);
        OK(quire_start(&options));
        write_page(map_memory(2), 1, 3);
        access_bad(bad);
        write_page(map_memory(2), 1, 3);
        if (seen.calls == 1)
            access_bad(bad);
        _exit(seen.calls);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void test_a_handler_with_sa_resethand_is_called_once(void)
{
    int status = end_after_two(SA_RESETHAND);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    status = end_after_two(0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
}

static void test_a_handler_with_sa_resethand_is_not_put_back(void)
{
    struct sigaction now;
    install(leave, SA_RESETHAND, 0);
    OK(quire_start(&options));
    access_bad(bad_address());
    assert_int_equal(seen.calls, 1);
    OK(quire_stop());
    sigaction(SIGBUS, NULL, &now);
    assert_true(now.sa_handler == SIG_DFL);
}

/* What Linux sends for memory that has failed. */
static void send_memory_error(int code, volatile unsigned char *at)
{
    siginfo_t info = {.si_signo = SIGBUS, .si_code = code};
    info.si_addr = (void *)at;
    assert_int_equal(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info), 0);
}

static void test_failed_memory_is_not_a_fault(void)
{
    install(note, 0, 0);
    OK(quire_start(&options));
    volatile unsigned char *at = map_memory(2);
    at[0] = 1;
    send_memory_error(BUS_MCEERR_AR, at);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.info.si_code, BUS_MCEERR_AR);
    assert_ptr_equal(seen.info.si_addr, at);
    send_memory_error(BUS_MCEERR_AO, at + PAGE);
    assert_int_equal(seen.calls, 2);
    assert_int_equal(at[0] + at[PAGE], 1);
}

/* "Action optional" comes with no access: with nobody to take it, the process ends all the same. */
static void test_failed_memory_ends_a_process_without_a_handler(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGBUS, SIG_DFL);
        OK(quire_start(&options));
        send_memory_error(BUS_MCEERR_AO, map_memory(2));
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

/* ---- handlers that come later ------------------------------------------------------------------- */

static volatile sig_atomic_t later_calls;
static void *volatile later_page;

static void later(int number)
{
    (void)number;
    later_calls++;
    mmap(later_page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void test_a_handler_installed_later_by_signal_gets_all(void)
{
    struct sigaction ours;
    volatile unsigned char *bad = bad_address(), *at = map_memory(4);
    at[0] = 1;
    sigaction(SIGBUS, NULL, &ours);
    assert_true(signal(SIGBUS, later) != SIG_ERR);
    assert_int_equal(quire_check(), ERR_UNSUPPORTED);
    later_page = (void *)bad;
    assert_int_equal(*bad, 0);
    assert_int_equal(later_calls, 1);
    assert_int_equal(at[0], 1); /* what is there is no fault */
    assert_int_equal(sigaction(SIGBUS, &ours, NULL), 0);
    OK(quire_check());
    at[PAGE] = 2;
    assert_int_equal(at[0] + at[PAGE], 3);
}

/* As signal(2) puts it back: no siginfo, which the handler can't do without. */
static void test_quire_check_of_a_handler_put_back_by_signal(void)
{
    void (*ours)(int) = signal(SIGBUS, later);
    struct sigaction before;
    sigaction(SIGBUS, NULL, &before);
    signal(SIGBUS, ours);
    assert_int_equal(quire_check(), ERR_UNSUPPORTED);
    sigaction(SIGBUS, &before, NULL);
}

/* ---- small stacks ------------------------------------------------------------------------------- */

#define GUARD 65536

/* The least that Linux takes, and bytes below that must stay as they are. */
static unsigned char *small_stack(size_t more, unsigned char **guard)
{
    size_t least = getauxval(AT_MINSIGSTKSZ);
    size_t size = (least > 2048 ? least : 2048) + more + (CHECKS_MEMORY ? 4096 : 0);
    *guard = mmap(NULL, GUARD + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(*guard != MAP_FAILED);
    memset(*guard, 0xee, GUARD);
    stack_t alternate = {.ss_sp = *guard + GUARD, .ss_size = size};
    assert_int_equal(sigaltstack(&alternate, NULL), 0);
    return *guard + GUARD;
}

static void check_guard(const unsigned char *guard)
{
    for (size_t i = 0; i < GUARD; i++)
        assert_int_equal(guard[i], 0xee);
}

static void fault_with_stack(size_t more)
{
    unsigned char *guard;
    struct test_store *store = store_create(2000);
    volatile unsigned char *of_store = map_store(store, 0), *memory = map_memory(2000);
    small_stack(more, &guard);
    for (size_t i = 0; i < 2000; i++) {
        assert_true(page_is(of_store, i, i + 1));
        memory[i * PAGE] = (unsigned char)i;
        of_store[i * PAGE] = 7;
    }
    check_guard(guard);
}

static void test_faults_leave_what_is_below_a_small_alternate_stack(void)
{
    add_swap(3000);
    fault_with_stack(1024);
}

static void test_faults_leave_what_is_below_an_alternate_stack_of_8_kib(void)
{
    size_t least = getauxval(AT_MINSIGSTKSZ);
    add_swap(3000);
    fault_with_stack(8192 > least ? 8192 - (least > 2048 ? least : 2048) : 0);
}

static void test_faults_within_faults_beside_a_small_alternate_stack(void)
{
    unsigned char *guard;
    struct quire_mapping mapping = {.store = nested_store(map_store(store_create(2000), 0)),
                                    .size = 2000 * PAGE,
                                    .flags = QUIRE_READ_ONLY,
                                    .granule = PAGE};
    void *outer;
    stack_t now;
    OK(quire_map(&mapping, &outer));
    const unsigned char *stack = small_stack(1024, &guard);
    for (size_t i = 0; i < 2000; i++)
        assert_true(page_is(outer, i, i + 1));
    check_guard(guard);
    assert_int_equal(sigaltstack(NULL, &now), 0);
    assert_ptr_equal(now.ss_sp, stack);
    assert_int_equal(now.ss_flags, 0);
}

/* A handler that runs on a small alternate stack already, and uses regions. */
static volatile unsigned char *of_handler, *memory_of_handler;
static size_t round_of_handler;

static void use_regions(int number)
{
    (void)number;
    size_t i = round_of_handler++;
    if (of_handler[i * PAGE] != (unsigned char)(i + 1))
        abort();
    memory_of_handler[i * PAGE] = (unsigned char)i;
    of_handler[i * PAGE] = 7;
}

/* Room for two of Linux's frames, and a little. */
static void check_handler_on_small_stack(void)
{
    unsigned char *guard;
    stack_t now;
    struct sigaction action = {.sa_handler = use_regions, .sa_flags = SA_ONSTACK};
    const unsigned char *stack = small_stack(getauxval(AT_MINSIGSTKSZ) + 1536, &guard);
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    for (size_t i = 0; i < 1000; i++)
        raise(SIGUSR1);
    assert_int_equal(round_of_handler, 1000);
    check_guard(guard);
    assert_int_equal(sigaltstack(NULL, &now), 0);
    assert_ptr_equal(now.ss_sp, stack);
    assert_int_equal(now.ss_flags, 0);
}

static void test_a_handler_on_a_small_alternate_stack_uses_regions(void)
{
    add_swap(3000);
    of_handler = map_store(store_create(1000), 0);
    memory_of_handler = map_memory(1000);
    check_handler_on_small_stack();
}

/* Its store uses a region, too. */
static void test_a_handler_on_a_small_alternate_stack_faults_within_faults(void)
{
    struct quire_mapping mapping = {.store = nested_store(map_store(store_create(1000), 0)),
                                    .size = 1000 * PAGE,
                                    .flags = QUIRE_PRIVATE,
                                    .granule = PAGE};
    void *outer;
    add_swap(3000);
    OK(quire_map(&mapping, &outer));
    of_handler = outer;
    memory_of_handler = map_memory(1000);
    check_handler_on_small_stack();
}

/* A stack in a region: faults of its own pages can't be resolved on it, nor where there is no room. */
static ucontext_t main_context, context_in_region;
static size_t sum_on_stack;

static void use_stack(void)
{
    volatile unsigned char large[900 * PAGE];
    for (size_t i = 0; i < 900; i++)
        large[i * PAGE] = (unsigned char)i;
    for (size_t i = 0; i < 900; i++)
        sum_on_stack += large[i * PAGE];
}

static void test_a_stack_in_a_region_beside_a_small_alternate_stack(void)
{
    unsigned char *guard;
    if (CHECKS_MEMORY)
        skip_test("a checker takes what lies between a stack's variables for no memory, and pages "
                  "of it go");
    add_swap(3000);
    volatile unsigned char *stack = map_memory(1000);
    small_stack(1536, &guard);
    assert_int_equal(getcontext(&context_in_region), 0);
    context_in_region.uc_stack = (stack_t){.ss_sp = (void *)stack, .ss_size = 1000 * PAGE};
    context_in_region.uc_link = &main_context;
    makecontext(&context_in_region, use_stack, 0);
    assert_int_equal(swapcontext(&main_context, &context_in_region), 0);
    assert_int_equal(sum_on_stack, 106566);
    check_guard(guard);
}

/* The store's error reaches the handler of before, which has the stack that it asked for. */
static const unsigned char *stack_of_handler;

static void note_stack_and_leave(int number, siginfo_t *info, void *context)
{
    stack_of_handler = __builtin_frame_address(0);
    leave(number, info, context);
}

static void test_handlers_that_are_passed_on_to_have_the_alternate_stack(void)
{
    unsigned char *guard;
    stack_t now;
    install(note_stack_and_leave, SA_ONSTACK, 0);
    OK(quire_start(&options));
    struct test_store *store = store_create(4);
    volatile unsigned char *at = map_store(store, 0);
    const unsigned char *stack = small_stack(4096, &guard);
    store->bad_page = 2;
    for (int i = 1; i < 4; i++) {
        access_bad(at + 2 * PAGE);
        assert_int_equal(seen.calls, i);
        assert_ptr_equal(seen.info.si_addr, at + 2 * PAGE);
        sigaltstack(NULL, &now);
        assert_true(stack_of_handler > stack && stack_of_handler < stack + now.ss_size);
    }
    assert_true(page_is(at, 1, 2));
    check_guard(guard);
}

LINUX_MAIN(TEST_WITH(test_faults_within_faults_beside_a_small_alternate_stack, .budget = 2 * MIB),
           TEST_WITH(test_a_handler_on_a_small_alternate_stack_uses_regions, .budget = 2 * MIB),
           TEST_WITH(test_a_handler_on_a_small_alternate_stack_faults_within_faults,
                     .budget = 2 * MIB),
           TEST_WITH(test_a_stack_in_a_region_beside_a_small_alternate_stack, .budget = 1 * MIB),
           TEST_WITH(test_handlers_that_are_passed_on_to_have_the_alternate_stack, .budget = 0),
           TEST_WITH(test_a_handler_that_is_passed_on_to_sees_what_linux_said, .budget = 0),
           TEST_WITH(test_a_handler_that_is_passed_on_to_has_its_own_mask, .budget = 0),
           TEST_WITH(test_a_handler_with_sa_nodefer_may_leave_by_longjmp, .budget = 0),
           TEST_WITH(test_what_is_blocked_stays_so_in_a_handler_that_is_passed_on_to, .budget = 0),
           TEST_WITH(test_a_handler_with_sa_resethand_is_called_once, .budget = 0),
           TEST_WITH(test_a_handler_with_sa_resethand_is_not_put_back, .budget = 0),
           TEST_WITH(test_failed_memory_is_not_a_fault, .budget = 0),
           TEST_WITH(test_failed_memory_ends_a_process_without_a_handler, .budget = 0),
           TEST(test_a_handler_installed_later_by_signal_gets_all),
           TEST(test_quire_check_of_a_handler_put_back_by_signal),
           TEST_WITH(test_faults_leave_what_is_below_a_small_alternate_stack, .budget = 2 * MIB),
           TEST_WITH(test_faults_leave_what_is_below_an_alternate_stack_of_8_kib,
                     .budget = 2 * MIB))
