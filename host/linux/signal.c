/* SPDX-License-Identifier: MIT */
/* Faults as SIGBUS, or in VSPACE mode SIGSEGV, in the thread that faults. What isn't Quire's goes to whoever had
 * the signal before.
 *
 * The handler may be interrupted by nothing but another fault: of a store's, which may use regions itself. */
#include "regions.h"
#include "stack.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

/* What a signal does; `is_spent`: its handler was for once (SA_RESETHAND), and has been called. */
struct disposition {
    struct sigaction action;
    uint32_t is_spent;
};

/* Who had SIGBUS, and SIGSEGV. */
static struct former {
    struct disposition before;
    /* Before whoever has taken it from us and stayed: he may pass on to us, and we to him. */
    struct disposition before_all;
    bool has_stayed;
} formers[2];

static struct former *former_of(int number)
{
    return &formers[number == SIGSEGV];
}

int signal_of_faults(void)
{
    return process.mode == QUIRE_MODE_VSPACE ? SIGSEGV : SIGBUS;
}

struct access {
    addr_t address;
    unsigned kind;
    bool is_absent; /* the MMU has found nothing there, rather than no right */
};

static struct access access_of(const siginfo_t *info, const ucontext_t *context)
{
#if defined(__x86_64__)
    greg_t error = context->uc_mcontext.gregs[REG_ERR];
    return (struct access){.address = (addr_t)info->si_addr,
                           .kind = error & 2    ? VM_ACCESS_WRITE
                                   : error & 16 ? VM_ACCESS_EXECUTE
                                                : VM_ACCESS_READ,
                           .is_absent = !(error & 1)};
#else
#error "how does this architecture say that a fault was a write?"
#endif
}

/* By kill(2) and its like, or for memory that nobody has accessed yet, rather than by an access. */
static bool was_sent(int number, const siginfo_t *info)
{
    return info->si_code <= 0 || (number == SIGBUS && info->si_code == BUS_MCEERR_AO);
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
    if (was_sent(number, info))
        (void)raise(number);
}

/* What Linux would block meanwhile, but for the signal itself: the handler may use regions. */
static void set_mask(const struct sigaction *of, int number, const ucontext_t *context,
                     sigset_t *before)
{
    sigset_t mask = of->sa_mask;
    for (int i = 1; i < NSIG; i++)
        if (sigismember(&context->uc_sigmask, i) == 1)
            sigaddset(&mask, i);
    sigdelset(&mask, number);
    pthread_sigmask(SIG_SETMASK, &mask, before);
}

static void call(const struct sigaction *of, int number, siginfo_t *info, void *context)
{
    sigset_t before;
    set_mask(of, number, context, &before);
    if (of->sa_flags & SA_SIGINFO)
        of->sa_sigaction(number, info, context);
    else
        of->sa_handler(number);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void pass_to(struct disposition *to, int number, siginfo_t *info, void *context)
{
    const struct sigaction *action = &to->action;
    bool is_for_once = (unsigned)action->sa_flags & SA_RESETHAND;
    if (action->sa_handler == SIG_DFL ||
        (action->sa_handler == SIG_IGN &&
         !was_sent(number, info)) || /* as Linux does with faults */
        (is_for_once && __atomic_exchange_n(&to->is_spent, 1, __ATOMIC_RELAXED)))
        end_by_default(number, info);
    else if (action->sa_handler != SIG_IGN)
        call(action, number, info, context);
}

enum { PASSED_ON = 0x51756901, PASSED_ON_TWICE };

/* The end of the structure, which Linux leaves 0. */
static int *mark_of(siginfo_t *info)
{
    return (int *)(void *)(info + 1) - 1;
}

/* What comes back was nobody's on the way round. It is the signal that remembers, not the thread: handlers may leave by
 * siglongjmp. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    struct former *former = former_of(number);
    int mark = *mark_of(info);
    *mark_of(info) = mark == PASSED_ON ? PASSED_ON_TWICE : PASSED_ON;
    if (mark == PASSED_ON_TWICE)
        end_by_default(number, info);
    else
        pass_to(mark == PASSED_ON ? &former->before_all : &former->before, number, info, context);
    *mark_of(info) = mark;
}

/* A function of its own: what it needs of a stack must not be the handler's. */
__attribute__((noinline)) static bool fill_in(void *of)
{
    const struct access *access = of;
    if (away_return(access->address)) /* with no lock of the core's, which this thread may have */
        return true;
    unsigned kind = access->kind & VM_ACCESS_WRITE ? VM_ACCESS_WRITE : VM_ACCESS_READ;
    return fault_resolve(access->address, kind, access->is_absent) == VM_OK;
}

/* A store may come to where threads are cancelled; others wait for what this one has locked. */
static bool resolve(struct access *access, const ucontext_t *context)
{
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    bool resolved = process.mode == QUIRE_MODE_VSPACE ? self_resolve(access->address, access->kind)
                                                      : stack_with_room(context, fill_in, access);
    pthread_setcancelstate(state, NULL);
    return resolved;
}

static bool is_mine(int number, const siginfo_t *info)
{
    addr_t address = (addr_t)info->si_addr;
    if (was_sent(number, info) || !__atomic_load_n(&process.running, __ATOMIC_ACQUIRE) ||
        !is_regions(address))
        return false;
    return process.mode == QUIRE_MODE_VSPACE ||
           (region_mode(address) == QUIRE_MODE_SIGNAL && info->si_code != BUS_MCEERR_AR);
}

static void handle(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    struct access access = access_of(info, context);
    if (!is_mine(number, info) || !resolve(&access, context))
        pass_on(number, info, context);
    errno = saved;
}

/* The signal by which glibc cancels threads, which it leaves out of all sets: one that was sent before a thread forbids
 * that (pthread_setcancelstate) cancels it all the same. */
static void hold_back_cancellation(sigset_t *mask)
{
#ifdef __GLIBC__
    mask->__val[0] |= 1ul << (__SIGRTMIN - 1);
#else
    (void)mask;
#endif
}

int signal_start(void)
{
    struct sigaction mine = {.sa_sigaction = handle,
                             .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART},
                     old;
    sigfillset(&mine.sa_mask);
    sigdelset(&mine.sa_mask, SIGBUS);
    sigdelset(&mine.sa_mask, SIGSEGV);
    hold_back_cancellation(&mine.sa_mask);
    if (sigaction(signal_of_faults(), &mine, &old) != 0)
        return ERR_UNSUPPORTED;
    if ((old.sa_flags & SA_SIGINFO) && old.sa_sigaction == handle) /* of a parent's Quire */
        return VM_OK;
    struct former *former = former_of(signal_of_faults());
    if (!former->has_stayed)
        former->before_all = (struct disposition){.action = old};
    former->before = (struct disposition){.action = old};
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
    if (former->before.is_spent)
        former->before.action = (struct sigaction){.sa_handler = SIG_DFL};
    if (signal_is_ours())
        sigaction(signal_of_faults(), &former->before.action, NULL);
    else
        former->has_stayed = true;
}
