/* SPDX-License-Identifier: MIT */
/* The table of processes. A process is referenced by its place in the tree, until it has been waited
 * for, and by whoever has found it through process_find or process_next. */
#include <kernel/errno.h>
#include <kernel/string.h>
#include "process/tree.h"
#include "signal/state.h"
#include "thread/scheduler.h"

#define PID_MAX 0x400000

/* A process and its signals come from one allocation. */
struct process_block {
    struct process process;
    struct process_signals signals;
};

struct spinlock process_lock;
struct process *init_process;

/* All processes in the order of their pids; guarded by process_lock. */
static struct {
    struct process *first, *last;
    int32_t next_pid;
    unsigned count;
} all = {.next_pid = INIT_PID};

struct process *process_create(const char *name)
{
    struct process_block *block = vm_meta_alloc(sizeof(*block));
    if (block == NULL)
        return NULL;
    memset(block, 0, sizeof(*block));
    struct process *process = &block->process;
    process->references = 1;
    process->signals = &block->signals;
    process->signals->owner = process;
    process->start_time = time_monotonic();
    strlcpy(process->name, name, sizeof(process->name));
    process->thread = thread_allocate(name);
    if (process->thread == NULL) {
        vm_meta_free(block, sizeof(*block));
        return NULL;
    }
    process->thread->process = process;
    return process;
}

void process_discard(struct process *process)
{
    thread_discard(process->thread);
    process->thread = NULL;
    process_put(process);
}

struct process *process_by_pid(int32_t pid)
{
    for (struct process *process = all.last; process != NULL; process = process->all_previous)
        if (process->pid <= pid)
            return process->pid == pid ? process : NULL;
    return NULL;
}

struct process *process_first(void)
{
    return all.first;
}

/* => process_lock held */
static int32_t take_pid(void)
{
    for (;;) {
        int32_t pid = all.next_pid;
        all.next_pid = pid + 1 < PID_MAX ? pid + 1 : INIT_PID + 1;
        if (all.last == NULL || all.last->pid < pid || process_by_pid(pid) == NULL)
            return pid;
    }
}

/* => process_lock held */
static void insert_by_pid(struct process *process)
{
    struct process *before = all.last;
    while (before != NULL && before->pid > process->pid)
        before = before->all_previous;
    process->all_previous = before;
    process->all_next = before != NULL ? before->all_next : all.first;
    if (before != NULL)
        before->all_next = process;
    else
        all.first = process;
    if (process->all_next != NULL)
        process->all_next->all_previous = process;
    else
        all.last = process;
    all.count++;
}

/* => process_lock held */
static void link_child(struct process *process, struct process *parent)
{
    process->parent = parent;
    process->sibling_previous = NULL;
    process->sibling_next = parent->children;
    if (parent->children != NULL)
        parent->children->sibling_previous = process;
    parent->children = process;
}

/* => process_lock held */
static void unlink_child(struct process *process)
{
    if (process->sibling_previous != NULL)
        process->sibling_previous->sibling_next = process->sibling_next;
    else
        process->parent->children = process->sibling_next;
    if (process->sibling_next != NULL)
        process->sibling_next->sibling_previous = process->sibling_previous;
}

void process_publish(struct process *process, struct process *parent)
{
    spin_lock(&process_lock);
    process->pid = take_pid();
    insert_by_pid(process);
    if (process->group == 0)
        process->group = process->session = process->pid;
    if (parent != NULL)
        link_child(process, parent);
    spin_unlock(&process_lock);
}

void process_unlink(struct process *process)
{
    unlink_child(process);
    if (process->all_previous != NULL)
        process->all_previous->all_next = process->all_next;
    else
        all.first = process->all_next;
    if (process->all_next != NULL)
        process->all_next->all_previous = process->all_previous;
    else
        all.last = process->all_previous;
    all.count--;
    process->parent = NULL; /* others may still have a reference, and outlive it */
}

void process_orphan_children(struct process *process)
{
    if (process->children == NULL)
        return;
    while (process->children != NULL) {
        struct process *child = process->children;
        unlink_child(child);
        link_child(child, init_process);
    }
    event_signal(&init_process->child_event);
}

struct process *process_find(int32_t pid)
{
    spin_lock(&process_lock);
    struct process *process = process_by_pid(pid);
    if (process != NULL)
        __atomic_add_fetch(&process->references, 1, __ATOMIC_RELAXED);
    spin_unlock(&process_lock);
    return process;
}

struct process *process_next(int32_t pid)
{
    spin_lock(&process_lock);
    struct process *process = all.first;
    while (process != NULL && process->pid <= pid)
        process = process->all_next;
    if (process != NULL)
        __atomic_add_fetch(&process->references, 1, __ATOMIC_RELAXED);
    spin_unlock(&process_lock);
    return process;
}

void process_put(struct process *process)
{
    if (__atomic_sub_fetch(&process->references, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    signal_actions_put(process->signals->actions);
    vm_meta_free(process, sizeof(struct process_block));
}

int32_t process_parent_pid(void)
{
    spin_lock(&process_lock);
    int32_t pid = process_current()->parent->pid;
    spin_unlock(&process_lock);
    return pid;
}

unsigned process_count(void)
{
    return __atomic_load_n(&all.count, __ATOMIC_RELAXED);
}

void process_visit_all(void (*visit)(const struct process *process))
{
    for (const struct process *process = all.first; process != NULL; process = process->all_next)
        visit(process);
}
