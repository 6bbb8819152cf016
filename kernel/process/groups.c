/* SPDX-License-Identifier: MIT */
/* Process groups and sessions. */
#include <kernel/errno.h>
#include "process/tree.h"

/* => process_lock held */
static bool group_exists(int32_t group, int32_t session)
{
    for (const struct process *p = process_first(); p != NULL; p = p->all_next)
        if (p->group == group && p->session == session)
            return true;
    return false;
}

/* => process_lock held */
static int64_t set_group(struct process *self, struct process *process, int32_t group)
{
    if (process == NULL || (process != self && process->parent != self))
        return -ESRCH;
    if (process != self && process->session != self->session)
        return -EPERM;
    if (process != self && process->has_execed)
        return -EACCES;
    if (process->session == process->pid)
        return -EPERM;
    if (group != process->pid && !group_exists(group, self->session))
        return -EPERM;
    process->group = group;
    return 0;
}

int64_t process_set_group(int32_t pid, int32_t group)
{
    struct process *self = process_current();
    if (group < 0)
        return -EINVAL;
    spin_lock(&process_lock);
    struct process *process = pid == 0 ? self : process_by_pid(pid);
    int64_t error = set_group(self, process, group != 0 || process == NULL ? group : process->pid);
    spin_unlock(&process_lock);
    return error;
}

int64_t process_get_group(int32_t pid)
{
    spin_lock(&process_lock);
    const struct process *process = pid == 0 ? process_current() : process_by_pid(pid);
    int64_t group = process != NULL ? process->group : -ESRCH;
    spin_unlock(&process_lock);
    return group;
}

int64_t process_get_session(int32_t pid)
{
    spin_lock(&process_lock);
    const struct process *process = pid == 0 ? process_current() : process_by_pid(pid);
    int64_t session = process != NULL ? process->session : -ESRCH;
    spin_unlock(&process_lock);
    return session;
}

int64_t process_set_session(void)
{
    struct process *self = process_current();
    int64_t result = -EPERM;
    spin_lock(&process_lock);
    bool leads = false;
    for (const struct process *p = process_first(); p != NULL; p = p->all_next)
        leads = leads || p->group == self->pid;
    if (!leads) {
        self->session = self->group = self->pid;
        result = self->pid;
    }
    spin_unlock(&process_lock);
    return result;
}
