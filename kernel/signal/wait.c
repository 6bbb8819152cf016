/* SPDX-License-Identifier: MIT */
/* Waiting for signals, and the alarm. */
#include <kernel/errno.h>
#include "process/tree.h"
#include "signal/state.h"

int signal_take(struct process_signals *signals, uint64_t set, struct signal_info *info)
{
    const uint64_t faults = SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) |
                            SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGFPE);
    uint64_t ready = signals->pending & set;
    if (ready == 0)
        return 0;
    if (ready & SIGNAL_BIT(SIGKILL))
        ready = SIGNAL_BIT(SIGKILL);
    else if (ready & faults)
        ready &= faults;
    int number = __builtin_ctzll(ready) + 1;
    *info = (struct signal_info){.number = number, .code = SI_KERNEL};
    for (unsigned i = 0; i < SIGNAL_INFOS; i++)
        if (signals->infos[i].number == number)
            *info = signals->infos[i];
    signal_forget(signals, SIGNAL_BIT(number));
    return number;
}

void signal_set_temporary_mask(uint64_t mask)
{
    struct process *process = process_current();
    struct process_signals *signals = process->signals;
    spin_lock(&process_lock);
    if (!signals->mask_is_saved)
        signals->saved_mask = signals->blocked;
    signals->blocked = mask & ~UNBLOCKABLE;
    signals->mask_is_saved = false;
    signals_recompute(process);
    /* From here on the way back to the program restores it; recompute would call that work now. */
    signals->mask_is_saved = true;
    spin_unlock(&process_lock);
}

void signal_restore_mask(void)
{
    struct process *process = process_current();
    struct process_signals *signals = process->signals;
    spin_lock(&process_lock);
    if (signals->mask_is_saved) {
        signals->mask_is_saved = false;
        signals->blocked = signals->saved_mask;
    }
    signals_recompute(process);
    spin_unlock(&process_lock);
}

int64_t signal_suspend(uint64_t mask)
{
    uint32_t nobody_changes_this = 0;
    signal_set_temporary_mask(mask);
    while (!signal_pending())
        thread_wait(&nobody_changes_this, 0, VM_NO_DEADLINE, WAIT_INTERRUPTIBLE);
    return -ERESTARTNOHAND;
}

/* Lets the signals of `set` through, or no more. Takes one: its number, or 0. */
static int take_waited(struct process *process, uint64_t set, bool last, struct signal_info *info)
{
    struct process_signals *signals = process->signals;
    spin_lock(&process_lock);
    int number = signal_take(signals, set, info);
    if (last || number != 0) {
        signals->blocked |= signals->waited;
        signals->waited = 0;
    } else {
        signals->waited = set & signals->blocked;
        signals->blocked &= ~set;
    }
    signals_recompute(process);
    spin_unlock(&process_lock);
    return number;
}

int64_t signal_timed_wait(uint64_t set, uint64_t deadline, struct linux_siginfo *linux_info)
{
    struct process *process = process_current();
    struct signal_info info;
    uint32_t nobody_changes_this = 0;
    set &= ~UNBLOCKABLE;
    int number = take_waited(process, set, false, &info);
    int error = 0;
    if (number == 0) {
        while (error == 0)
            error = thread_wait(&nobody_changes_this, 0, deadline, WAIT_INTERRUPTIBLE);
        number = take_waited(process, set, true, &info);
    }
    if (number == 0)
        return error == -ETIMEDOUT ? -EAGAIN : -EINTR;
    siginfo_to_linux(&info, linux_info);
    return number;
}

/* ---- ITIMER_REAL ---------------------------------------------------------------------------------- */

static void alarm_rang(struct timer *timer)
{
    struct process_signals *signals =
        (struct process_signals *)((uintptr_t)timer - offsetof(struct process_signals, alarm));
    signal_send_number(signals->owner, SIGALRM);
    uint64_t interval = __atomic_load_n(&signals->alarm_interval, __ATOMIC_RELAXED);
    if (interval != 0)
        timer_set(timer, timer->deadline + interval, alarm_rang);
}

void signal_get_alarm(uint64_t *value, uint64_t *interval)
{
    const struct process_signals *signals = process_current()->signals;
    uint64_t now = time_monotonic();
    *interval = signals->alarm_interval;
    *value = 0;
    if (signals->alarm.set)
        *value = signals->alarm.deadline > now ? signals->alarm.deadline - now : 1;
}

void signal_set_alarm(uint64_t value, uint64_t interval, uint64_t *old_value,
                      uint64_t *old_interval)
{
    struct process_signals *signals = process_current()->signals;
    if (old_value != NULL)
        signal_get_alarm(old_value, old_interval);
    __atomic_store_n(&signals->alarm_interval, 0, __ATOMIC_RELAXED);
    if (signals->alarm.function != NULL)
        timer_cancel(&signals->alarm);
    if (value == 0)
        return;
    uint64_t now = time_monotonic();
    __atomic_store_n(&signals->alarm_interval, interval, __ATOMIC_RELAXED);
    timer_set(&signals->alarm, value < UINT64_MAX / 2 ? now + value : UINT64_MAX / 2, alarm_rang);
}
