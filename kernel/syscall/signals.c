/* SPDX-License-Identifier: MIT */
/* The calls on signals: kernel/signal does the work, here are Linux's sizes and pointers. */
#include "arguments.h"
#include <kernel/process.h>
#include <quire/host.h>

enum { MASK_SIZE = sizeof(uint64_t) };

int64_t sys_rt_sigaction(struct trap_frame *frame)
{
    struct signal_action action, old;
    bool sets = POINTER(1) != NULL;
    if (SIZE(3) != MASK_SIZE)
        return -EINVAL;
    if (sets && copy_from_user(&action, POINTER(1), sizeof(action)) != 0)
        return -EFAULT;
    int64_t result = signal_set_action(INTEGER(0), sets ? &action : NULL, &old);
    if (result == 0 && POINTER(2) != NULL)
        result = copy_to_user(POINTER(2), &old, sizeof(old));
    return result;
}

int64_t sys_rt_sigprocmask(struct trap_frame *frame)
{
    uint64_t set, old;
    bool sets = POINTER(1) != NULL;
    if (SIZE(3) != MASK_SIZE)
        return -EINVAL;
    if (sets && copy_from_user(&set, POINTER(1), sizeof(set)) != 0)
        return -EFAULT;
    int64_t result = signal_set_mask(INTEGER(0), sets ? &set : NULL, &old);
    if (result == 0 && POINTER(2) != NULL)
        result = copy_to_user(POINTER(2), &old, sizeof(old));
    return result;
}

int64_t sys_rt_sigreturn(struct trap_frame *frame)
{
    return signal_return(frame);
}

int64_t sys_rt_sigpending(struct trap_frame *frame)
{
    uint64_t set = signal_pending_set();
    if (SIZE(1) > MASK_SIZE)
        return -EINVAL;
    return copy_to_user(POINTER(0), &set, SIZE(1));
}

int64_t sys_rt_sigsuspend(struct trap_frame *frame)
{
    uint64_t mask;
    if (SIZE(1) != MASK_SIZE)
        return -EINVAL;
    if (copy_from_user(&mask, POINTER(0), sizeof(mask)) != 0)
        return -EFAULT;
    return signal_suspend(mask);
}

int64_t sys_pause(struct trap_frame *frame)
{
    (void)frame;
    (void)thread_sleep_until(VM_NO_DEADLINE, WAIT_INTERRUPTIBLE);
    return -ERESTARTNOHAND;
}

int64_t sys_rt_sigtimedwait(struct trap_frame *frame)
{
    struct linux_siginfo info;
    struct linux_timespec time;
    uint64_t set, nanoseconds, deadline = VM_NO_DEADLINE;
    if (SIZE(3) != MASK_SIZE)
        return -EINVAL;
    if (copy_from_user(&set, POINTER(0), sizeof(set)) != 0)
        return -EFAULT;
    if (POINTER(2) != NULL) {
        if (copy_from_user(&time, POINTER(2), sizeof(time)) != 0)
            return -EFAULT;
        if (!timespec_to_ns(&time, &nanoseconds))
            return -EINVAL;
        deadline = host_time_ns() + nanoseconds;
    }
    int64_t number = signal_timed_wait(set, deadline, &info);
    if (number > 0 && POINTER(1) != NULL && copy_to_user(POINTER(1), &info, sizeof(info)) != 0)
        return -EFAULT;
    return number;
}

int64_t sys_rt_sigqueueinfo(struct trap_frame *frame)
{
    struct linux_siginfo info;
    if (copy_from_user(&info, POINTER(2), sizeof(info)) != 0)
        return -EFAULT;
    return signal_queue(INTEGER(0), INTEGER(1), &info);
}

int64_t sys_kill(struct trap_frame *frame)
{
    return signal_kill(INTEGER(0), INTEGER(1));
}

int64_t sys_tkill(struct trap_frame *frame)
{
    return INTEGER(0) <= 0 ? -EINVAL : signal_tgkill(-1, INTEGER(0), INTEGER(1));
}

int64_t sys_tgkill(struct trap_frame *frame)
{
    if (INTEGER(0) <= 0 || INTEGER(1) <= 0)
        return -EINVAL;
    return signal_tgkill(INTEGER(0), INTEGER(1), INTEGER(2));
}

int64_t sys_sigaltstack(struct trap_frame *frame)
{
    struct signal_stack stack, old;
    bool sets = POINTER(0) != NULL;
    if (sets && copy_from_user(&stack, POINTER(0), sizeof(stack)) != 0)
        return -EFAULT;
    memset(&old, 0, sizeof(old));
    int64_t result = signal_set_stack(sets ? &stack : NULL, &old, frame);
    if (result == 0 && POINTER(1) != NULL)
        result = copy_to_user(POINTER(1), &old, sizeof(old));
    return result;
}

/* ---- alarms ---------------------------------------------------------------------------------------------- */

struct linux_itimerval {
    int64_t interval_seconds, interval_microseconds, seconds, microseconds;
};
enum { ITIMER_REAL = 0, ITIMER_PROF = 2, MICROSECONDS = 1000000 };

static bool itimer_is_valid(const struct linux_itimerval *timer)
{
    return timer->seconds >= 0 && timer->interval_seconds >= 0 && timer->microseconds >= 0 &&
           timer->microseconds < MICROSECONDS && timer->interval_microseconds >= 0 &&
           timer->interval_microseconds < MICROSECONDS;
}

static uint64_t itimer_ns(int64_t seconds, int64_t microseconds)
{
    struct linux_timespec time = {seconds, microseconds * 1000};
    uint64_t nanoseconds = 0;
    (void)timespec_to_ns(&time, &nanoseconds);
    return nanoseconds;
}

static struct linux_itimerval itimer_of(uint64_t value, uint64_t interval)
{
    return (struct linux_itimerval){
        (int64_t)(interval / NS_PER_SECOND), (int64_t)(interval % NS_PER_SECOND / 1000),
        (int64_t)(value / NS_PER_SECOND), (int64_t)(value % NS_PER_SECOND / 1000)};
}

int64_t sys_getitimer(struct trap_frame *frame)
{
    uint64_t value = 0, interval = 0;
    if (INTEGER(0) < ITIMER_REAL || INTEGER(0) > ITIMER_PROF)
        return -EINVAL;
    if (INTEGER(0) == ITIMER_REAL)
        signal_get_alarm(&value, &interval);
    struct linux_itimerval timer = itimer_of(value, interval);
    return copy_to_user(POINTER(1), &timer, sizeof(timer));
}

int64_t sys_setitimer(struct trap_frame *frame)
{
    struct linux_itimerval timer = {0};
    uint64_t value = 0, interval = 0;
    if (POINTER(1) != NULL && copy_from_user(&timer, POINTER(1), sizeof(timer)) != 0)
        return -EFAULT;
    if (!itimer_is_valid(&timer) || INTEGER(0) != ITIMER_REAL)
        return -EINVAL;
    signal_set_alarm(itimer_ns(timer.seconds, timer.microseconds),
                     itimer_ns(timer.interval_seconds, timer.interval_microseconds), &value,
                     &interval);
    timer = itimer_of(value, interval);
    return POINTER(2) != NULL ? copy_to_user(POINTER(2), &timer, sizeof(timer)) : 0;
}

/* The seconds that were left, rounded up so that a set alarm is never 0. */
int64_t sys_alarm(struct trap_frame *frame)
{
    uint64_t value, interval;
    signal_set_alarm(UNSIGNED(0) * NS_PER_SECOND, 0, &value, &interval);
    return (int64_t)((value + NS_PER_SECOND - 1) / NS_PER_SECOND);
}
