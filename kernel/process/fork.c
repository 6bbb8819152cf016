/* SPDX-License-Identifier: MIT */
/* fork, vfork and the clone(2) that posix_spawn uses. The child is complete before anybody can find it:
 * until process_publish every failure is undone by forgetting it. */
#include <kernel/errno.h>
#include <kernel/string.h>
#include "fs/user_copy.h"
#include "process/tree.h"
#include "signal/state.h"
#include "thread/scheduler.h"

#define SIGNAL_MASK 0xffu
#define CLONE_POSSIBLE                                                                             \
    (SIGNAL_MASK | CLONE_VM | CLONE_VFORK | CLONE_SETTLS | CLONE_PARENT_SETTID |                   \
     CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | CLONE_DETACHED)

void thread_enter_user(void);

static bool request_is_possible(const struct fork_request *request)
{
    bool shares = (request->flags & CLONE_VM) != 0;
    bool waits = (request->flags & CLONE_VFORK) != 0;
    return (request->flags & ~(uint64_t)CLONE_POSSIBLE) == 0 &&
           (request->flags & SIGNAL_MASK) <= SIGNAL_MAX && (!shares || waits) &&
           (!(request->flags & CLONE_SETTLS) || request->tls < USER_TOP);
}

/* => on the child's thread, before its program goes on */
static void child_run(void)
{
    struct thread *thread = thread_current();
    finish_switch();
    if (thread->argument == NULL)
        return;
    /* clone(2) doesn't report a pointer that is bad in the child. */
    interrupts_on();
    (void)copy_to_user(thread->argument, &thread->process->pid, sizeof(int32_t));
}

static void copy_thread(struct process *child, const struct trap_frame *frame,
                        const struct fork_request *request)
{
    const struct thread *from = thread_current();
    struct thread *to = child->thread;
    struct trap_frame *child_frame = thread_frame(to);
    memcpy(child_frame, frame, sizeof(*frame));
    child_frame->rax = 0;
    child_frame->error = 0;
    if (request->stack != 0)
        child_frame->rsp = request->stack;
    to->fs_base = (request->flags & CLONE_SETTLS) ? request->tls : from->fs_base;
    to->gs_base = from->gs_base;
    if (request->flags & CLONE_CHILD_SETTID)
        to->argument = (void *)request->child_tid;
    fpu_save(to);
    to->memory = child->memory;
    thread_prepare(to, (addr_t)child_frame, child_run, thread_enter_user);
}

static int copy_memory(struct process *parent, struct process *child, uint64_t flags)
{
    int error = 0;
    child->borrows_memory = (flags & CLONE_VFORK) != 0;
    if (flags & CLONE_VM) {
        user_memory_acquire(parent->memory);
        child->memory = parent->memory;
    } else {
        child->memory = user_memory_copy(parent->memory, parent->name, &error);
    }
    return error;
}

static int copy_process(struct process *parent, struct process *child, uint64_t flags)
{
    child->group = parent->group;
    child->session = parent->session;
    child->exit_signal = (int)(flags & SIGNAL_MASK);
    signals_copy(parent, child);
    int error = copy_memory(parent, child, flags);
    if (error != 0)
        return error;
    error = fs_fork(parent, child);
    if (error != 0) {
        user_memory_put(child->memory);
        return error;
    }
    child->executable = parent->executable;
    if (child->executable != NULL)
        host_vnode_acquire(child->executable);
    return 0;
}

/* The parent of a vfork doesn't go on before its child has memory of its own, or has ended. */
static void wait_for_vfork(struct process *child)
{
    for (;;) {
        uint32_t seen = event_read(&child->vfork_event);
        if (!__atomic_load_n(&child->borrows_memory, __ATOMIC_ACQUIRE) ||
            event_wait(&child->vfork_event, seen, VM_NO_DEADLINE, WAIT_KILLABLE) != 0)
            break;
    }
}

int64_t process_fork(const struct trap_frame *frame, const struct fork_request *request)
{
    struct process *parent = process_current();
    if (!request_is_possible(request))
        return -EINVAL;
    struct process *child = process_create(parent->name);
    if (child == NULL)
        return -ENOMEM;
    int error = copy_process(parent, child, request->flags);
    if (error != 0) {
        process_discard(child);
        return error;
    }
    copy_thread(child, frame, request);
    __atomic_add_fetch(&child->references, 1, __ATOMIC_RELAXED);
    process_publish(child, parent);
    int32_t pid = child->pid;
    if (request->flags & CLONE_PARENT_SETTID)
        (void)copy_to_user((void *)request->parent_tid, &pid, sizeof(pid));
    thread_make_ready(child->thread);
    if (request->flags & CLONE_VFORK)
        wait_for_vfork(child);
    process_put(child);
    return pid;
}
