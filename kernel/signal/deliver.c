/* SPDX-License-Identifier: MIT */
/* What a thread sees to on its way back to its program. */
#include <kernel/errno.h>
#include "process/tree.h"
#include "signal/state.h"
#include "thread/scheduler.h"

#define SYSCALL_INSTRUCTION_LENGTH 2

void frame_changed(void)
{
    __atomic_or_fetch(&thread_current()->work, WORK_FRAME, __ATOMIC_RELAXED);
}

/* Whether a system call that a signal ended is done again: *handler is the one that runs first, or
 * NULL. Asked once for each call. */
static void finish_call(struct trap_frame *frame, const struct signal_action *handler)
{
    if (frame->error != FRAME_SYSCALL)
        return;
    frame->error = 0;
    int64_t result = (int64_t)frame->rax;
    if (result != -ERESTARTSYS && result != -ERESTARTNOHAND)
        return;
    bool again = handler == NULL || (result == -ERESTARTSYS && (handler->flags & SA_RESTART) != 0);
    if (again) {
        frame->rax = frame->number;
        frame->rip -= SYSCALL_INSTRUCTION_LENGTH;
    } else {
        frame->rax = (uint64_t)-EINTR;
    }
}

static void stop(struct process *process, int number)
{
    struct signal_info info = {
        .number = SIGCHLD, .code = CLD_STOPPED, .pid = process->pid, .status = number};
    spin_lock(&process_lock);
    process->state = PROCESS_STOPPED;
    process->stop_status = number << 8 | 0x7f;
    if (!(signal_action_of(process->parent->signals, SIGCHLD).flags & SA_NOCLDSTOP))
        signal_send_locked(process->parent, &info);
    event_signal(&process->parent->child_event);
    spin_unlock(&process_lock);
    for (;;) {
        uint32_t seen = event_read(&process->release_event);
        if (__atomic_load_n(&process->state, __ATOMIC_ACQUIRE) != PROCESS_STOPPED)
            break;
        event_wait(&process->release_event, seen, VM_NO_DEADLINE, WAIT_ALWAYS);
    }
}

/* The next signal to deal with, and what is to be done: its number, or 0. */
static int take_next(struct process *process, struct signal_info *info,
                     struct signal_action *action)
{
    struct process_signals *signals = process->signals;
    spin_lock(&process_lock);
    int number = signal_take(signals, ~signals->blocked, info);
    if (number != 0) {
        *action = signal_action_of(signals, number);
        if (action->handler > SIG_IGN && (action->flags & SA_RESETHAND))
            signals->defaulted |= SIGNAL_BIT(number);
    }
    spin_unlock(&process_lock);
    return number;
}

static void do_default(struct process *process, int number)
{
    uint64_t bit = SIGNAL_BIT(number);
    if (bit & IGNORED_BY_DEFAULT)
        return;
    if (bit & STOP_SIGNALS)
        stop(process, number);
    else
        process_exit(number);
}

static void run_handler(struct process *process, struct trap_frame *frame,
                        const struct signal_info *info, const struct signal_action *action)
{
    struct process_signals *signals = process->signals;
    uint64_t old_mask = signals->mask_is_saved ? signals->saved_mask : signals->blocked;
    finish_call(frame, action);
    if (!signal_frame_push(frame, info, action, old_mask)) {
        struct signal_info failed = {.number = SIGSEGV, .code = SI_KERNEL};
        if (info->number == SIGSEGV)
            process_exit(SIGSEGV);
        signal_force(&failed);
        return;
    }
    spin_lock(&process_lock);
    signals->mask_is_saved = false;
    uint64_t mask = signals->blocked | action->mask;
    if (!(action->flags & SA_NODEFER))
        mask |= SIGNAL_BIT(info->number);
    signals_set_blocked(process, mask);
    spin_unlock(&process_lock);
}

static void deliver_signals(struct trap_frame *frame)
{
    struct process *process = process_current();
    struct signal_info info;
    struct signal_action action;
    int number;
    while ((number = take_next(process, &info, &action)) != 0) {
        if (action.handler == SIG_DFL)
            do_default(process, number);
        else if (action.handler != SIG_IGN)
            run_handler(process, frame, &info, &action);
    }
    finish_call(frame, NULL);
    signal_restore_mask();
}

/* => interrupts off, before and after. Afterwards the frame is ready for IRET. */
void return_work(struct trap_frame *frame)
{
    struct thread *thread = thread_current();
    uint32_t work;
    while ((work = __atomic_load_n(&thread->work, __ATOMIC_ACQUIRE)) != 0) {
        __atomic_and_fetch(&thread->work, ~(WORK_RESCHEDULE | WORK_FRAME), __ATOMIC_RELAXED);
        if (work & WORK_RESCHEDULE)
            schedule();
        if (work & WORK_SIGNAL) {
            interrupts_on();
            deliver_signals(frame);
            interrupts_off();
        }
    }
}
