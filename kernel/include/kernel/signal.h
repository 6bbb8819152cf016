/* SPDX-License-Identifier: MIT */
/* Signals, with Linux's numbers, layouts and meaning. */
#ifndef KERNEL_SIGNAL_H
#define KERNEL_SIGNAL_H

#include <kernel/lock.h>
#include <kernel/timer.h>
#include <kernel/trap.h>

enum {
    SIGHUP = 1,
    SIGINT = 2,
    SIGQUIT = 3,
    SIGILL = 4,
    SIGTRAP = 5,
    SIGABRT = 6,
    SIGBUS = 7,
    SIGFPE = 8,
    SIGKILL = 9,
    SIGUSR1 = 10,
    SIGSEGV = 11,
    SIGUSR2 = 12,
    SIGPIPE = 13,
    SIGALRM = 14,
    SIGTERM = 15,
    SIGCHLD = 17,
    SIGCONT = 18,
    SIGSTOP = 19,
    SIGTSTP = 20,
    SIGTTIN = 21,
    SIGTTOU = 22,
    SIGURG = 23,
    SIGXCPU = 24,
    SIGXFSZ = 25,
    SIGVTALRM = 26,
    SIGPROF = 27,
    SIGWINCH = 28,
    SIGNAL_MAX = 64,
};
#define SIGNAL_BIT(number) (1ull << ((number)-1))

#define SA_NOCLDSTOP 0x1ul
#define SA_NOCLDWAIT 0x2ul
#define SA_SIGINFO 0x4ul
#define SA_RESTORER 0x04000000ul
#define SA_ONSTACK 0x08000000ul
#define SA_RESTART 0x10000000ul
#define SA_NODEFER 0x40000000ul
#define SA_RESETHAND 0x80000000ul
#define SIG_DFL 0ul
#define SIG_IGN 1ul

enum { SIG_BLOCK = 0, SIG_UNBLOCK = 1, SIG_SETMASK = 2 };

/* siginfo's si_code */
enum {
    SI_USER = 0,
    SI_KERNEL = 0x80,
    SI_QUEUE = -1,
    SI_TIMER = -2,
    SI_TKILL = -6,
    SEGV_MAPERR = 1,
    SEGV_ACCERR = 2,
    BUS_ADRALN = 1,
    BUS_ADRERR = 2,
    FPE_INTDIV = 1,
    FPE_FLTINV = 7,
    ILL_ILLOPN = 2,
    TRAP_BRKPT = 1,
    TRAP_TRACE = 2,
    CLD_EXITED = 1,
    CLD_KILLED = 2,
    CLD_DUMPED = 3,
    CLD_STOPPED = 5,
    CLD_CONTINUED = 6,
};

/* As rt_sigaction has it. */
struct signal_action {
    uint64_t handler;
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};

struct signal_stack {
    uint64_t base;
    int32_t flags;
    uint64_t size;
};

/* The parts of a siginfo that anybody sets. */
struct signal_info {
    int32_t number, code;
    int32_t pid; /* of the sender or child */
    uint32_t uid;
    int32_t status; /* SIGCHLD; the value for SI_QUEUE's lower half */
    union {
        uint64_t address; /* faults */
        uint64_t value;   /* sigqueue */
    };
    uint16_t trap, error; /* faults: what the CPU said */
};

/* Linux's 128 bytes. */
struct linux_siginfo {
    int32_t number, error, code, padding;
    union {
        uint64_t words[14];
        struct {
            int32_t pid;
            uint32_t uid;
            int32_t status;
        };
        uint64_t address;
    };
};
void siginfo_to_linux(const struct signal_info *info, struct linux_siginfo *linux_info);

struct process;

/* => any context; takes the process lock. */
void signal_send(struct process *process, const struct signal_info *info);
/* The same by number, from the kernel. */
void signal_send_number(struct process *process, int number);
/* To the running program, for its own fault: blocked or ignored, it kills. */
void signal_force(const struct signal_info *info);
/* Whether the running program has a signal to take: what interruptible waits look at. */
bool signal_pending(void);

/* The calls. Pointers are the kernel's; results are 0, a value or -errno. They work on the running
 * process. */
int64_t signal_kill(int32_t pid, int number);                     /* kill(2)'s pid */
int64_t signal_tgkill(int32_t group, int32_t thread, int number); /* group -1: tkill */
int64_t signal_queue(int32_t pid, int number, const struct linux_siginfo *info);
int64_t signal_set_action(int number, const struct signal_action *action,
                          struct signal_action *old);
int64_t signal_set_mask(int how, const uint64_t *set, uint64_t *old);
uint64_t signal_pending_set(void);
/* Returns only when a handler is to run: -ERESTARTNOHAND. The old mask comes back after it. */
int64_t signal_suspend(uint64_t mask);
/* For ppoll and pselect6: a mask for the length of the call; restored after handlers have been set
 * up. If the call ends without a signal, call signal_restore_mask. */
void signal_set_temporary_mask(uint64_t mask);
void signal_restore_mask(void);
/* The signal's number, or -EAGAIN at the deadline, -EINTR. */
int64_t signal_timed_wait(uint64_t set, uint64_t deadline, struct linux_siginfo *info);
int64_t signal_set_stack(const struct signal_stack *stack, struct signal_stack *old,
                         const struct trap_frame *frame);
int64_t signal_return(struct trap_frame *frame);
/* ITIMER_REAL: nanoseconds, 0 is off. */
void signal_set_alarm(uint64_t value, uint64_t interval, uint64_t *old_value,
                      uint64_t *old_interval);
void signal_get_alarm(uint64_t *value, uint64_t *interval);

#endif
