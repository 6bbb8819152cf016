/* SPDX-License-Identifier: MIT */
/* The end of a process. What may sleep comes first (files, memory); then, under the process lock and
 * at once, it becomes a zombie and has no thread any more; then the thread ends. */
#include <kernel/errno.h>
#include <quire/host.h>
#include "process/tree.h"
#include "signal/state.h"
#include "thread/scheduler.h"

static void give_back_memory(struct process *process)
{
    spin_lock(&process_lock);
    struct user_memory *memory = process->memory;
    process->memory = NULL;
    spin_unlock(&process_lock);
    thread_use_memory(NULL);
    process_leave_memory(process);
    if (memory != NULL)
        user_memory_put(memory);
    event_signal(&process->release_event);
}

/* Tells the parent, or, when it doesn't want to know, ends the zombie at once: true.
 * => process_lock held */
static bool tell_parent(struct process *process)
{
    struct process *parent = process->parent;
    bool killed = (process->exit_status & 0x7f) != 0;
    struct signal_info info = {
        .number = process->exit_signal,
        .code = killed ? CLD_KILLED : CLD_EXITED,
        .pid = process->pid,
        .status = killed ? process->exit_status & 0x7f : process->exit_status >> 8,
    };
    bool unwanted = parent != init_process && process->exit_signal == SIGCHLD &&
                    signal_children_unwanted(parent);
    if (info.number != 0)
        signal_send_locked(parent, &info);
    event_signal(&parent->child_event);
    return unwanted;
}

/* From here on nobody finds this thread through its process, which its parent may free. */
static void become_zombie(struct process *process, int status)
{
    spin_lock(&process_lock);
    process_orphan_children(process);
    process->exit_status = status;
    process->state = PROCESS_ZOMBIE;
    process->thread = NULL;
    thread_current()->process = NULL;
    bool unwanted = tell_parent(process);
    if (unwanted)
        process_unlink(process);
    spin_unlock(&process_lock);
    if (unwanted)
        process_put(process);
}

void process_exit(int status)
{
    struct process *process = process_current();
    spin_lock(&process_lock);
    process->dying = true;
    process->killed = false;
    spin_unlock(&process_lock);
    signal_set_alarm(0, 0, NULL, NULL);
    fs_exit(process);
    if (process->executable != NULL)
        host_vnode_release(process->executable);
    process->executable = NULL;
    give_back_memory(process);
    become_zombie(process, status);
    thread_exit();
}
