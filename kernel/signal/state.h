/* SPDX-License-Identifier: MIT */
/* The signals of a process, and what the files about them share. */
#ifndef KERNEL_SIGNAL_STATE_H
#define KERNEL_SIGNAL_STATE_H

#include <kernel/process.h>

/* What a process does at each signal. Forks share it until somebody changes something. */
struct signal_actions {
    uint32_t references;
    struct signal_action action[SIGNAL_MAX];
};

/* How many pending signals keep who sent them and why. What comes when all are taken is delivered
 * all the same, as one from the kernel. */
#define SIGNAL_INFOS 8

/* Guarded by process_lock. What another process may read is also changed under it by the process
 * itself. */
struct process_signals {
    struct process *owner;
    struct signal_actions *actions;
    uint64_t
        defaulted; /* for these the default holds, whatever actions says: execve, SA_RESETHAND */
    uint64_t pending, blocked;
    uint64_t waited;     /* blocked ones that signal_timed_wait has let in */
    uint64_t saved_mask; /* comes back when the next signal has been dealt with */
    bool mask_is_saved;
    struct signal_stack stack;
    struct timer alarm;
    uint64_t alarm_interval;
    struct signal_info infos[SIGNAL_INFOS]; /* of those pending; number 0: free */
};

#define SS_ONSTACK 1
#define SS_DISABLE 2

#define UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))
#define STOP_SIGNALS                                                                               \
    (SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))
#define IGNORED_BY_DEFAULT                                                                         \
    (SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH))

/* A new process's: everything by default. -ENOMEM. */
int signals_init(struct process *process);
/* A fork's child: actions shared, mask and stack as the parent's, nothing pending. */
void signals_copy(const struct process *parent, struct process *child);
/* execve: handlers become the default, the stack is forgotten. */
void signals_exec(struct process *process);
void signal_actions_put(struct signal_actions *actions);

/* => process_lock held */
void signal_send_locked(struct process *process, const struct signal_info *info);
bool signal_children_unwanted(const struct process *parent);
/* Whether a signal is waiting that ends the process. => process_lock held */
bool signals_end_process(const struct process_signals *signals);
/* Whether the process has something to take now; keeps its thread's work in step.
 * => process_lock held, by the process itself */
void signals_recompute(struct process *process);
/* The mask, without what can't be blocked. => process_lock held */
void signals_set_blocked(struct process *process, uint64_t mask);

/* Takes one of `set` out of what is pending: its number, or 0. => process_lock held */
int signal_take(struct process_signals *signals, uint64_t set, struct signal_info *info);

/* Notes a signal as pending; the first of a number counts. => process_lock held */
void signal_note(struct process_signals *signals, const struct signal_info *info);
/* Those of `set` aren't pending any more. => process_lock held */
void signal_forget(struct process_signals *signals, uint64_t set);

/* Makes the program run its handler when it goes on. False: no room on its stack. */
bool signal_frame_push(struct trap_frame *frame, const struct signal_info *info,
                       const struct signal_action *action, uint64_t old_mask);

/* => process_lock held, or by the process itself */
static inline struct signal_action signal_action_of(const struct process_signals *signals,
                                                    int number)
{
    if (signals->defaulted & SIGNAL_BIT(number))
        return (struct signal_action){.handler = SIG_DFL};
    return signals->actions->action[number - 1];
}

static inline bool signal_on_stack(const struct signal_stack *stack, uint64_t rsp)
{
    return rsp > stack->base && rsp - stack->base <= stack->size;
}

#endif
