/* SPDX-License-Identifier: MIT */
/* Waiting is a futex; threads are detached and take no signals. */
#include "linux.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000u
#define SPINS 200

static long futex(uint32_t *word, int operation, uint32_t value, const struct timespec *timeout)
{
    return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, timeout, NULL,
                   FUTEX_BITSET_MATCH_ANY);
}

int host_wait(uint32_t *address, uint32_t expected, uint64_t deadline, bool killable)
{
    int saved = errno, result = VM_OK;
    struct timespec until = {(time_t)(deadline / SECOND), (long)(deadline % SECOND)};
    (void)killable; /* a thread that is killed takes the process with it */
    if (futex(address, FUTEX_WAIT_BITSET, expected, deadline == VM_NO_DEADLINE ? NULL : &until) !=
            0 &&
        errno == ETIMEDOUT)
        result = ERR_TIMED_OUT;
    errno = saved;
    return result;
}

void host_wake(uint32_t *address, uint32_t count)
{
    int saved = errno;
    (void)futex(address, FUTEX_WAKE, count > INT32_MAX ? INT32_MAX : count, NULL);
    errno = saved;
}

uint64_t host_time_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

void lock_slow(uint32_t *word)
{
    for (unsigned i = 0; i < SPINS; i++) {
        if (__atomic_load_n(word, __ATOMIC_RELAXED) == 0 && try_lock(word))
            return;
        __builtin_ia32_pause();
    }
    while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0)
        (void)host_wait(word, 2, VM_NO_DEADLINE, false);
}

void unlock_slow(uint32_t *word)
{
    host_wake(word, 1);
}

/* ---- threads ------------------------------------------------------------------------------------ */

struct start {
    int (*function)(void *);
    void *argument;
    uint32_t taken;
};

static void *begin(void *argument)
{
    struct start *start = argument, copy = *start;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    __atomic_store_n(&start->taken, 1, __ATOMIC_RELEASE);
    host_wake(&start->taken, 1);
    (void)copy.function(copy.argument);
    return NULL;
}

int host_thread_create(const char *name, int (*function)(void *), void *argument)
{
    struct start start = {function, argument, 0};
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    (void)name;
    sigfillset(&all);
    sigdelset(&all, SIGBUS); /* a store may use regions itself */
    sigdelset(&all, SIGSEGV);
    if (pthread_attr_init(&attributes) != 0)
        return ERR_NO_MEMORY;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, &attributes, begin, &start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (error != 0)
        return ERR_NO_MEMORY;
    while (__atomic_load_n(&start.taken, __ATOMIC_ACQUIRE) == 0)
        (void)host_wait(&start.taken, 0, VM_NO_DEADLINE, false);
    return VM_OK;
}

/* ---- words -------------------------------------------------------------------------------------- */

static bool log_is_wanted;

void log_start(void)
{
    const char *wanted = getenv("QUIRE_LOG");
    log_is_wanted = wanted && *wanted;
}

void host_log(const char *text, size_t length)
{
    if (log_is_wanted && write(STDERR_FILENO, text, length) < 0)
        return;
}

_Noreturn void host_panic(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    if (write(STDERR_FILENO, "quire: ", 7) < 0 || write(STDERR_FILENO, text, length) < 0 ||
        write(STDERR_FILENO, "\n", 1) < 0)
        abort();
    abort();
}

_Noreturn void panic(const char *text, long value)
{
    char line[200];
    size_t at = 0;
    for (; text[at] && at < sizeof line - 20; at++)
        line[at] = text[at];
    line[at++] = ' ';
    for (int shift = 60; shift >= 0; shift -= 4)
        line[at++] = "0123456789abcdef"[value >> shift & 15];
    line[at] = 0;
    host_panic(line);
}
