/* SPDX-License-Identifier: MIT */
/* Faults as SIGBUS, or in VSPACE mode SIGSEGV, in the thread that faults. What isn't Quire's goes to whoever had
 * the signal before.
 *
 * The handler may be interrupted by nothing but another fault: of a store's, which may use regions itself. */
#include "regions.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

/* Who had SIGBUS, and SIGSEGV. */
static struct former {
    struct sigaction before;
    /* Before whoever has taken it from us and stayed: he may pass on to us, and we to him. */
    struct sigaction before_all;
    bool has_stayed;
} formers[2];

static struct former *former_of(int number)
{
    return &formers[number == SIGSEGV];
}

enum { PASSED_ON = 0x51756901, PASSED_ON_TWICE }; /* si_errno, which Linux sets to 0 */

int signal_of_faults(void)
{
    return process.mode == QUIRE_MODE_VSPACE ? SIGSEGV : SIGBUS;
}

static unsigned access_of(const ucontext_t *context)
{
#if defined(__x86_64__)
    greg_t error = context->uc_mcontext.gregs[REG_ERR];
    return error & 2 ? VM_ACCESS_WRITE : error & 16 ? VM_ACCESS_EXECUTE : VM_ACCESS_READ;
#else
#error "how does this architecture say that a fault was a write?"
#endif
}

/* By kill(2) and its like, rather than by an access. */
static bool was_sent(const siginfo_t *info)
{
    return info->si_code <= 0;
}

/* The instruction faults again, or the signal is sent again, with nobody to take it. */
static void end_by_default(int number, const siginfo_t *info)
{
    struct sigaction none = {.sa_handler = SIG_DFL};
    sigset_t only;
    sigaction(number, &none, NULL);
    sigemptyset(&only);
    sigaddset(&only, number);
    sigprocmask(SIG_UNBLOCK, &only, NULL);
    if (was_sent(info))
        (void)raise(number);
}

static void pass_to(const struct sigaction *to, int number, siginfo_t *info, void *context)
{
    if (to->sa_flags & SA_SIGINFO)
        to->sa_sigaction(number, info, context);
    else if (to->sa_handler == SIG_DFL ||
             (to->sa_handler == SIG_IGN && !was_sent(info))) /* as Linux does with faults */
        end_by_default(number, info);
    else if (to->sa_handler != SIG_IGN)
        to->sa_handler(number);
}

/* What comes back was nobody's on the way round. It is the signal that remembers, not the thread: handlers may leave by
 * siglongjmp. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    const struct former *former = former_of(number);
    int mark = info->si_errno;
    info->si_errno = mark == PASSED_ON ? PASSED_ON_TWICE : PASSED_ON;
    if (mark == PASSED_ON_TWICE)
        end_by_default(number, info);
    else
        pass_to(mark == PASSED_ON ? &former->before_all : &former->before, number, info, context);
    info->si_errno = mark;
}

/* A store may come to where threads are cancelled; others wait for what this one has locked. */
static bool resolve(addr_t address, unsigned access)
{
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    bool resolved =
        process.mode == QUIRE_MODE_VSPACE
            ? self_resolve(address, access)
            : fault_resolve(address, access & VM_ACCESS_WRITE ? VM_ACCESS_WRITE : VM_ACCESS_READ) ==
                  VM_OK;
    pthread_setcancelstate(state, NULL);
    return resolved;
}

static bool is_mine(addr_t address)
{
    return is_regions(address) &&
           (process.mode == QUIRE_MODE_VSPACE || region_mode(address) == QUIRE_MODE_SIGNAL);
}

static void handle(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    addr_t address = (addr_t)info->si_addr;
    if (was_sent(info) || !__atomic_load_n(&process.running, __ATOMIC_ACQUIRE) ||
        !is_mine(address) || !resolve(address, access_of(context)))
        pass_on(number, info, context);
    errno = saved;
}

int signal_start(void)
{
    struct sigaction mine = {.sa_sigaction = handle,
                             .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART},
                     old;
    sigfillset(&mine.sa_mask);
    sigdelset(&mine.sa_mask, SIGBUS);
    sigdelset(&mine.sa_mask, SIGSEGV);
    if (sigaction(signal_of_faults(), &mine, &old) != 0)
        return ERR_UNSUPPORTED;
    if ((old.sa_flags & SA_SIGINFO) && old.sa_sigaction == handle) /* of a parent's Quire */
        return VM_OK;
    struct former *former = former_of(signal_of_faults());
    if (!former->has_stayed)
        former->before_all = old;
    former->before = old;
    return VM_OK;
}

bool signal_is_ours(void)
{
    struct sigaction now;
    return sigaction(signal_of_faults(), NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
           now.sa_sigaction == handle;
}

/* Who has come later stays. */
void signal_stop(void)
{
    struct former *former = former_of(signal_of_faults());
    if (signal_is_ours())
        sigaction(signal_of_faults(), &former->before, NULL);
    else
        former->has_stayed = true;
}
