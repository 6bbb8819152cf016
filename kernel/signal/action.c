/* SPDX-License-Identifier: MIT */
/* What a process does at a signal, and which it blocks. */
#include <kernel/errno.h>
#include <kernel/string.h>
#include "process/tree.h"
#include "signal/state.h"
#include "thread/scheduler.h"

#define MINIMUM_STACK 2048

int signals_init(struct process *process)
{
    struct signal_actions *actions = vm_meta_alloc(sizeof(*actions));
    if (actions == NULL)
        return -ENOMEM;
    memset(actions, 0, sizeof(*actions));
    actions->references = 1;
    process->signals->actions = actions;
    process->signals->stack.flags = SS_DISABLE;
    return 0;
}

void signals_copy(const struct process *parent, struct process *child)
{
    const struct process_signals *from = parent->signals;
    struct process_signals *to = child->signals;
    __atomic_add_fetch(&from->actions->references, 1, __ATOMIC_RELAXED);
    to->actions = from->actions;
    to->defaulted = from->defaulted;
    to->blocked = from->blocked;
    to->stack = from->stack;
}

void signal_actions_put(struct signal_actions *actions)
{
    if (actions != NULL && __atomic_sub_fetch(&actions->references, 1, __ATOMIC_ACQ_REL) == 0)
        vm_meta_free(actions, sizeof(*actions));
}

/* Makes sure that the running process's actions are its own. */
static int unshare_actions(struct process *process)
{
    struct signal_actions *old = process->signals->actions;
    if (__atomic_load_n(&old->references, __ATOMIC_ACQUIRE) == 1)
        return 0;
    struct signal_actions *own = vm_meta_alloc(sizeof(*own));
    if (own == NULL)
        return -ENOMEM;
    memcpy(own, old, sizeof(*own));
    own->references = 1;
    spin_lock(&process_lock);
    process->signals->actions = own;
    spin_unlock(&process_lock);
    signal_actions_put(old);
    return 0;
}

void signals_exec(struct process *process)
{
    struct process_signals *signals = process->signals;
    signals->stack = (struct signal_stack){.flags = SS_DISABLE};
    spin_lock(&process_lock);
    for (int number = 1; number <= SIGNAL_MAX; number++)
        if (signal_action_of(signals, number).handler != SIG_IGN)
            signals->defaulted |= SIGNAL_BIT(number);
    spin_unlock(&process_lock);
}

bool signal_children_unwanted(const struct process *parent)
{
    struct signal_action action = signal_action_of(parent->signals, SIGCHLD);
    return action.handler == SIG_IGN || (action.flags & SA_NOCLDWAIT) != 0;
}

int64_t signal_set_action(int number, const struct signal_action *action, struct signal_action *old)
{
    struct process *process = process_current();
    struct process_signals *signals = process->signals;
    if (number < 1 || number > SIGNAL_MAX || (action != NULL && (SIGNAL_BIT(number) & UNBLOCKABLE)))
        return -EINVAL;
    if (old != NULL)
        *old = signal_action_of(signals, number);
    if (action == NULL)
        return 0;
    if (unshare_actions(process) != 0)
        return -ENOMEM;
    spin_lock(&process_lock);
    struct signal_action *slot = &signals->actions->action[number - 1];
    *slot = *action;
    slot->mask &= ~UNBLOCKABLE;
    signals->defaulted &= ~SIGNAL_BIT(number);
    if (slot->handler == SIG_IGN ||
        (slot->handler == SIG_DFL && (IGNORED_BY_DEFAULT & SIGNAL_BIT(number))))
        signal_forget(signals, SIGNAL_BIT(number));
    spin_unlock(&process_lock);
    return 0;
}

void signals_recompute(struct process *process)
{
    const struct process_signals *signals = process->signals;
    uint32_t *work = &process->thread->work;
    process->killed = !process->dying && signals_end_process(signals);
    if (process->killed || (signals->pending & ~signals->blocked) != 0 || signals->mask_is_saved)
        __atomic_or_fetch(work, WORK_SIGNAL, __ATOMIC_SEQ_CST);
    else
        __atomic_and_fetch(work, ~WORK_SIGNAL, __ATOMIC_SEQ_CST);
}

void signals_set_blocked(struct process *process, uint64_t mask)
{
    process->signals->blocked = mask & ~UNBLOCKABLE;
    signals_recompute(process);
}

int64_t signal_set_mask(int how, const uint64_t *set, uint64_t *old)
{
    struct process *process = process_current();
    uint64_t blocked = process->signals->blocked;
    if (old != NULL)
        *old = blocked;
    if (set == NULL)
        return 0;
    if (how != SIG_BLOCK && how != SIG_UNBLOCK && how != SIG_SETMASK)
        return -EINVAL;
    spin_lock(&process_lock);
    signals_set_blocked(process, how == SIG_BLOCK     ? blocked | *set
                                 : how == SIG_UNBLOCK ? blocked & ~*set
                                                      : *set);
    spin_unlock(&process_lock);
    return 0;
}

bool signal_pending(void)
{
    return (__atomic_load_n(&thread_current()->work, __ATOMIC_SEQ_CST) & WORK_SIGNAL) != 0;
}

uint64_t signal_pending_set(void)
{
    const struct process_signals *signals = process_current()->signals;
    return signals->pending & signals->blocked;
}

int64_t signal_set_stack(const struct signal_stack *stack, struct signal_stack *old,
                         const struct trap_frame *frame)
{
    struct signal_stack *current = &process_current()->signals->stack;
    bool disabled = (current->flags & SS_DISABLE) != 0;
    bool in_use = !disabled && signal_on_stack(current, frame->rsp);
    struct signal_stack before = *current;
    before.flags = disabled ? SS_DISABLE : in_use ? SS_ONSTACK : 0;
    if (stack != NULL) {
        if (in_use)
            return -EPERM;
        if (stack->flags != 0 && stack->flags != SS_DISABLE && stack->flags != SS_ONSTACK)
            return -EINVAL;
        if (!(stack->flags & SS_DISABLE) && stack->size < MINIMUM_STACK)
            return -ENOMEM;
        *current = (stack->flags & SS_DISABLE)
                       ? (struct signal_stack){.flags = SS_DISABLE}
                       : (struct signal_stack){.base = stack->base, .size = stack->size};
    }
    if (old != NULL)
        *old = before;
    return 0;
}
