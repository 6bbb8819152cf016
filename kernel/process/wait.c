/* SPDX-License-Identifier: MIT */
/* wait4 and waitid: the children are looked at under the process lock; between two looks the parent
 * sleeps on its child_event, which every change of a child's state signals. */
#include <kernel/errno.h>
#include "process/tree.h"
#include "thread/scheduler.h"

/* As many stacks of dead threads are kept as forks in a row may want. */
#define KEPT_STACKS 16

#define STATUS_CONTINUED 0xffff

static bool matches(const struct process *child, int id_type, int32_t id)
{
    return id_type == P_ALL || (id_type == P_PID && child->pid == id) ||
           (id_type == P_PGID && child->group == id);
}

static bool is_reportable(const struct process *child, int options)
{
    if (child->state == PROCESS_ZOMBIE)
        return (options & WEXITED) != 0;
    if (child->stop_status == STATUS_CONTINUED)
        return (options & WCONTINUED) != 0;
    return child->stop_status != 0 && (options & WUNTRACED) != 0;
}

/* => process_lock held. The child to report, or NULL; *any: whether there are such children. */
static struct process *find_child(const struct process *parent, int id_type, int32_t id,
                                  int options, bool *any)
{
    *any = false;
    for (struct process *child = parent->children; child != NULL; child = child->sibling_next) {
        if (!matches(child, id_type, id))
            continue;
        *any = true;
        if (is_reportable(child, options))
            return child;
    }
    return NULL;
}

static void add_times(struct process *parent, const struct process *child)
{
    parent->times.children_user += child->times.user + child->times.children_user;
    parent->times.children_system += child->times.system + child->times.children_system;
}

/* => process_lock held. Whether the child is to be put by the caller. */
static bool take_report(struct process *parent, struct process *child, int options,
                        struct wait_result *result)
{
    bool dead = child->state == PROCESS_ZOMBIE;
    result->pid = child->pid;
    result->status = dead ? child->exit_status : child->stop_status;
    result->times = child->times;
    if (options & WNOWAIT)
        return false;
    if (!dead) {
        child->stop_status = 0;
        return false;
    }
    add_times(parent, child);
    process_unlink(child);
    return true;
}

static int64_t look_once(int id_type, int32_t id, int options, struct wait_result *result)
{
    struct process *parent = process_current();
    bool any, put = false;
    spin_lock(&process_lock);
    struct process *child = find_child(parent, id_type, id, options, &any);
    if (child != NULL)
        put = take_report(parent, child, options, result);
    spin_unlock(&process_lock);
    if (put) {
        process_put(child);
        thread_trim(KEPT_STACKS);
    }
    return child != NULL ? result->pid : any ? 0 : -ECHILD;
}

int64_t process_wait(int id_type, int32_t id, int options, struct wait_result *result)
{
    struct event *event = &process_current()->child_event;
    for (;;) {
        uint32_t seen = event_read(event);
        int64_t found = look_once(id_type, id, options, result);
        if (found != 0 || (options & WNOHANG))
            return found;
        if (event_wait(event, seen, VM_NO_DEADLINE, WAIT_INTERRUPTIBLE) != 0)
            return -ERESTARTSYS;
    }
}
