/* SPDX-License-Identifier: MIT */
/* Handlers, masks, alarms. */
#include "cases.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t count, last, code, depth, deepest;

static void note(int number)
{
    count++;
    last = number;
}

static void note_information(int number, siginfo_t *information, void *context)
{
    (void)context;
    count++;
    last = number;
    code = information->si_code;
}

static void handle(int number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    must(sigaction(number, &action, NULL) == 0, "sigaction");
}

static void raise_and_handle(void)
{
    handle(SIGUSR1, note, 0);
    CALL("raise", raise(SIGUSR1));
    CALL("kill", kill(getpid(), SIGUSR1));
    say("handled %d times, last %s", (int)count, signal_name(last));
    handle(SIGUSR1, SIG_IGN, 0);
    CALL("ignored", raise(SIGUSR1));
    say("handled %d times", (int)count);
}

static void bad_arguments(void)
{
    struct sigaction action = {.sa_handler = note};
    CALL("SIGKILL", sigaction(SIGKILL, &action, NULL));
    CALL("SIGSTOP", sigaction(SIGSTOP, &action, NULL));
    CALL("number 0", sigaction(0, &action, NULL));
    CALL("number 1000", sigaction(1000, &action, NULL));
    CALL("unknown way", sigprocmask(77, &(sigset_t){0}, NULL));
    stack_t small = {.ss_sp = &small, .ss_size = 100};
    CALL("a small stack", sigaltstack(&small, NULL));
    stack_t strange = {.ss_sp = &strange, .ss_size = 65536, .ss_flags = 0x40};
    CALL("unknown flags", sigaltstack(&strange, NULL));
}

static void blocked(void)
{
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    handle(SIGUSR1, note, 0);
    CALL("block", sigprocmask(SIG_BLOCK, &set, NULL));
    raise(SIGUSR1);
    raise(SIGUSR1);
    say("handled while blocked: %d", (int)count);
    CALL("what is pending", sigpending(&pending));
    say_whether("SIGUSR1 pending", sigismember(&pending, SIGUSR1) == 1);
    say_whether("SIGUSR2 pending", sigismember(&pending, SIGUSR2) == 1);
    CALL("unblock", sigprocmask(SIG_UNBLOCK, &set, NULL));
    say("handled now: %d", (int)count);
}

static void nested(int number)
{
    depth++;
    if (depth > deepest)
        deepest = depth;
    if (++count < 3)
        raise(number);
    depth--;
}

static void nesting(void)
{
    handle(SIGUSR1, nested, 0);
    raise(SIGUSR1);
    say("blocked in its own handler: %d deep, %d times", (int)deepest, (int)count);
    count = deepest = 0;
    handle(SIGUSR2, nested, SA_NODEFER);
    raise(SIGUSR2);
    say("not deferred: %d deep, %d times", (int)deepest, (int)count);
}

static void once(void)
{
    handle(SIGUSR1, note, (int)SA_RESETHAND);
    raise(SIGUSR1);
    say("handled: %d", (int)count);
    struct sigaction now;
    sigaction(SIGUSR1, NULL, &now);
    say_whether("then the default", now.sa_handler == SIG_DFL);
}

static void who_sent_it(void)
{
    struct sigaction action = {.sa_sigaction = note_information, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    kill(getpid(), SIGUSR1);
    say_whether("by kill: SI_USER", code == SI_USER);
    sigaction(SIGCHLD, &action, NULL);
    count = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(3);
    while (count == 0) {
        struct timespec moment = {0, 1000000};
        nanosleep(&moment, NULL);
    }
    say_whether("a child: SIGCHLD", last == SIGCHLD);
    say_whether("it exited", code == CLD_EXITED);
    int status;
    waitpid(child, &status, 0);
    say_wait_status("child", status);
}

static void alarms(void)
{
    handle(SIGALRM, note, 0);
    alarm(0);
    struct itimerval soon = {.it_value = {0, 20000}};
    CALL("a timer of 20 ms", setitimer(ITIMER_REAL, &soon, NULL));
    CALL("pause", pause());
    say("handled: %d", (int)count);
    CALL("alarm", alarm(100));
    say_whether("what is left of it", alarm(0) > 90);
    struct itimerval each = {.it_value = {0, 10000}, .it_interval = {0, 10000}};
    setitimer(ITIMER_REAL, &each, NULL);
    while (count < 4)
        pause();
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    say_whether("four in all", count >= 4);
}

static void interrupts_a_call(void)
{
    int ends[2];
    char byte;
    must(pipe(ends) == 0, "pipe");
    handle(SIGALRM, note, 0);
    struct itimerval soon = {.it_value = {0, 20000}};
    setitimer(ITIMER_REAL, &soon, NULL);
    CALL("read", read(ends[0], &byte, 1));
    handle(SIGALRM, note, SA_RESTART);
    pid_t child = fork();
    if (child == 0) {
        struct timespec moment = {0, 80000000};
        nanosleep(&moment, NULL);
        must(write(ends[1], "x", 1) == 1, "write");
        _exit(0);
    }
    setitimer(ITIMER_REAL, &soon, NULL);
    CALL("read, restarted", read(ends[0], &byte, 1));
    say("handled: %d", (int)count);
    waitpid(child, NULL, 0);
}

static void suspend(void)
{
    sigset_t set, none;
    sigemptyset(&none);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    handle(SIGUSR1, note, 0);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    say("before: %d", (int)count);
    CALL("sigsuspend", sigsuspend(&none));
    say("after: %d", (int)count);
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    say_whether("blocked again", sigismember(&now, SIGUSR1) == 1);
}

static void spoil_registers(int number)
{
    volatile double x = number;
    for (int i = 0; i < 50; i++)
        x = x * 1.5 + 2;
    __asm__ volatile("pxor %%xmm0, %%xmm0\n\tpxor %%xmm1, %%xmm1\n\tpxor %%xmm7, %%xmm7"
                     :
                     :
                     : "xmm0", "xmm1", "xmm7");
    count++;
}

/* Floating point goes on where a handler, or another process, interrupted it. */
static void floating_point(void)
{
    handle(SIGALRM, spoil_registers, 0);
    struct itimerval each = {.it_value = {0, 2000}, .it_interval = {0, 2000}};
    pid_t child = fork();
    if (child == 0) {
        setitimer(ITIMER_REAL, &each, NULL);
        for (;;)
            spoil_registers(1);
    }
    setitimer(ITIMER_REAL, &each, NULL);
    double sum = 0;
    bool same = true;
    while (count < 20) {
        double x = 1;
        for (int i = 1; i < 2000; i++)
            x = x * 0.75 + 1.0 / i;
        same = same && (sum == 0 || x == sum);
        sum = x;
    }
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    say_whether("the same sum each time", same);
}

static void inherited(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    handle(SIGUSR1, note, 0);
    raise(SIGUSR2);
    pid_t child = fork();
    if (child == 0) {
        sigset_t now, pending;
        sigprocmask(SIG_BLOCK, NULL, &now);
        sigpending(&pending);
        say_whether("the mask", sigismember(&now, SIGUSR2) == 1);
        say_whether("what is pending", sigismember(&pending, SIGUSR2) == 1);
        raise(SIGUSR1);
        say_whether("the handler", count == 1);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    say("handled here: %d", (int)count);
}

static sigjmp_buf after_fault;

static void say_what_the_cpu_said(int number, siginfo_t *info, void *of)
{
    enum { WRITE = 2, USER = 4, FETCH = 16 };
    const greg_t *registers = ((const ucontext_t *)of)->uc_mcontext.gregs;
    say("%s, trap %d, bits %#x", signal_name(number), (int)registers[REG_TRAPNO],
        (unsigned)registers[REG_ERR] & (WRITE | USER | FETCH));
    if (registers[REG_TRAPNO] == 14)
        say_whether("at the address", registers[REG_CR2] == (greg_t)info->si_addr);
    siglongjmp(after_fault, 1);
}

static void divide_by_zero(void)
{
    __asm__ volatile("xor %%ecx, %%ecx\n\tdiv %%ecx" : : : "rax", "rcx", "rdx");
}

/* What tells a handler whether it was a read, a write, or an instruction. */
static void faults_by_kind(void)
{
    struct sigaction action = {.sa_sigaction = say_what_the_cpu_said,
                               .sa_flags = SA_SIGINFO | SA_NODEFER};
    volatile char *none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    volatile char *data = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
    if (sigsetjmp(after_fault, 1) == 0)
        (void)none[3];
    if (sigsetjmp(after_fault, 1) == 0)
        none[4] = 1;
    if (sigsetjmp(after_fault, 1) == 0)
        data[5] = 1;
    if (sigsetjmp(after_fault, 1) == 0)
        ((void (*)(void))(uintptr_t)data)();
    if (sigsetjmp(after_fault, 1) == 0)
        (void)*(volatile char *)NON_CANONICAL;
    if (sigsetjmp(after_fault, 1) == 0)
        divide_by_zero();
}

const struct guest_case signal_cases[] = {
    {"signal.raise_and_handle", raise_and_handle},
    {"signal.bad_arguments", bad_arguments},
    {"signal.blocked", blocked},
    {"signal.nesting", nesting},
    {"signal.once", once},
    {"signal.who_sent_it", who_sent_it},
    {"signal.alarms", alarms},
    {"signal.interrupts_a_call", interrupts_a_call},
    {"signal.suspend", suspend},
    {"signal.floating_point", floating_point},
    {"signal.inherited", inherited},
    {"signal.faults_by_kind", faults_by_kind},
    {NULL, NULL},
};
