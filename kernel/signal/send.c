/* SPDX-License-Identifier: MIT */
/* Sending signals, from anywhere. */
#include <kernel/errno.h>
#include <kernel/string.h>
#include "process/tree.h"
#include "signal/state.h"
#include "thread/scheduler.h"

static bool is_fault(const struct signal_info *info)
{
    return info->code > 0 &&
           (info->number == SIGSEGV || info->number == SIGBUS || info->number == SIGFPE ||
            info->number == SIGILL || info->number == SIGTRAP);
}

void siginfo_to_linux(const struct signal_info *info, struct linux_siginfo *linux_info)
{
    memset(linux_info, 0, sizeof(*linux_info));
    linux_info->number = info->number;
    linux_info->code = info->code;
    if (is_fault(info)) {
        linux_info->address = info->address;
        return;
    }
    linux_info->pid = info->pid;
    linux_info->uid = info->uid;
    if (info->code == SI_QUEUE)
        linux_info->words[1] = info->value;
    else
        linux_info->status = info->status;
}

/* => process_lock held */
static bool is_ignored(const struct process_signals *signals, int number)
{
    uint64_t handler = signal_action_of(signals, number).handler;
    return handler == SIG_IGN || (handler == SIG_DFL && (IGNORED_BY_DEFAULT & SIGNAL_BIT(number)));
}

/* => process_lock held */
static void continue_process(struct process *process)
{
    signal_forget(process->signals, STOP_SIGNALS);
    if (process->state != PROCESS_STOPPED)
        return;
    process->state = PROCESS_RUNNING;
    process->stop_status = 0xffff;
    struct signal_info info = {
        .number = SIGCHLD, .code = CLD_CONTINUED, .pid = process->pid, .status = SIGCONT};
    if (!(signal_action_of(process->parent->signals, SIGCHLD).flags & SA_NOCLDSTOP))
        signal_send_locked(process->parent, &info);
    event_signal(&process->parent->child_event);
    event_signal(&process->release_event);
}

bool signals_end_process(const struct process_signals *signals)
{
    uint64_t ready = signals->pending & ~signals->blocked & ~signals->waited &
                     ~(IGNORED_BY_DEFAULT | STOP_SIGNALS);
    for (; ready != 0; ready &= ready - 1)
        if (signal_action_of(signals, __builtin_ctzll(ready) + 1).handler == SIG_DFL)
            return true;
    return false;
}

void signal_forget(struct process_signals *signals, uint64_t set)
{
    if ((signals->pending & set) == 0)
        return;
    signals->pending &= ~set;
    for (unsigned i = 0; i < SIGNAL_INFOS; i++)
        if (signals->infos[i].number != 0 && (set & SIGNAL_BIT(signals->infos[i].number)))
            signals->infos[i].number = 0;
}

void signal_note(struct process_signals *signals, const struct signal_info *info)
{
    struct signal_info *slot = NULL;
    if (signals->pending & SIGNAL_BIT(info->number))
        return;
    signals->pending |= SIGNAL_BIT(info->number);
    for (unsigned i = 0; i < SIGNAL_INFOS && slot == NULL; i++)
        if (signals->infos[i].number == 0)
            slot = &signals->infos[i];
    if (slot == NULL && is_fault(info))
        slot = &signals->infos[0];
    if (slot != NULL)
        *slot = *info;
}

static void notify_thread(struct process *process)
{
    __atomic_or_fetch(&process->thread->work, WORK_SIGNAL, __ATOMIC_SEQ_CST);
    thread_interrupt(process->thread);
}

void signal_send_locked(struct process *process, const struct signal_info *info)
{
    struct process_signals *signals = process->signals;
    uint64_t bit = SIGNAL_BIT(info->number);
    if (process == init_process || process->dying || process->state == PROCESS_ZOMBIE)
        return;
    if (info->number == SIGCONT || info->number == SIGKILL)
        continue_process(process);
    else if (bit & STOP_SIGNALS)
        signal_forget(signals, SIGNAL_BIT(SIGCONT));
    bool blocked = (signals->blocked & bit) != 0;
    if (!blocked && !(signals->waited & bit) && is_ignored(signals, info->number))
        return;
    signal_note(signals, info);
    if (blocked)
        return;
    process->killed = signals_end_process(signals);
    notify_thread(process);
}

void signal_send(struct process *process, const struct signal_info *info)
{
    spin_lock(&process_lock);
    signal_send_locked(process, info);
    spin_unlock(&process_lock);
}

void signal_send_number(struct process *process, int number)
{
    struct signal_info info = {.number = number, .code = SI_KERNEL};
    signal_send(process, &info);
}

void signal_force(const struct signal_info *info)
{
    struct process *process = process_current();
    struct process_signals *signals = process->signals;
    uint64_t bit = SIGNAL_BIT(info->number);
    spin_lock(&process_lock);
    bool blocked = (signals->blocked & bit) != 0;
    if (blocked || is_ignored(signals, info->number)) {
        signals->defaulted |= bit;
        signals->blocked &= ~bit;
    }
    signal_forget(signals, bit);
    signal_send_locked(process, info);
    spin_unlock(&process_lock);
}

static struct signal_info info_from_current(int number, int code)
{
    return (struct signal_info){.number = number, .code = code, .pid = process_current()->pid};
}

/* => process_lock held */
static bool is_meant(const struct process *process, int32_t pid, int32_t group)
{
    if (pid == -1)
        return process != process_current() && process != init_process;
    return process->group == group && process != init_process;
}

static int64_t send_to_many(int32_t pid, int32_t group, const struct signal_info *info)
{
    bool found = false;
    spin_lock(&process_lock);
    for (struct process *p = process_first(); p != NULL; p = p->all_next) {
        if (!is_meant(p, pid, group))
            continue;
        found = true;
        if (info->number != 0)
            signal_send_locked(p, info);
    }
    spin_unlock(&process_lock);
    return found ? 0 : -ESRCH;
}

static int64_t send_to_one(int32_t pid, const struct signal_info *info)
{
    spin_lock(&process_lock);
    struct process *process = process_by_pid(pid);
    if (process != NULL && info->number != 0)
        signal_send_locked(process, info);
    spin_unlock(&process_lock);
    return process != NULL ? 0 : -ESRCH;
}

int64_t signal_kill(int32_t pid, int number)
{
    if (number < 0 || number > SIGNAL_MAX)
        return -EINVAL;
    struct signal_info info = info_from_current(number, SI_USER);
    if (pid > 0)
        return send_to_one(pid, &info);
    if (pid == INT32_MIN)
        return -ESRCH;
    return send_to_many(pid, pid == 0 ? process_current()->group : -pid, &info);
}

int64_t signal_tgkill(int32_t group, int32_t thread, int number)
{
    if (number < 0 || number > SIGNAL_MAX || thread <= 0 || (group <= 0 && group != -1))
        return -EINVAL;
    if (group != -1 && group != thread)
        return -ESRCH;
    struct signal_info info = info_from_current(number, SI_TKILL);
    return send_to_one(thread, &info);
}

int64_t signal_queue(int32_t pid, int number, const struct linux_siginfo *from)
{
    if (number < 0 || number > SIGNAL_MAX)
        return -EINVAL;
    if ((from->code >= 0 || from->code == SI_TKILL) && pid != process_current()->pid)
        return -EPERM;
    struct signal_info info = {.number = number,
                               .code = from->code,
                               .pid = from->pid,
                               .uid = from->uid,
                               .value = from->words[1]};
    return send_to_one(pid, &info);
}

int64_t process_signal_group(int32_t group, int number)
{
    struct signal_info info = {.number = number, .code = SI_KERNEL};
    return send_to_many(0, group, &info);
}
