/* SPDX-License-Identifier: MIT */
/* Making, ending and naming processes. */
#include "arguments.h"
#include <kernel/process.h>

static int64_t do_fork(struct trap_frame *frame, uint64_t flags)
{
    struct fork_request request = {.flags = flags | SIGCHLD};
    return process_fork(frame, &request);
}

int64_t sys_fork(struct trap_frame *frame)
{
    return do_fork(frame, 0);
}

int64_t sys_vfork(struct trap_frame *frame)
{
    return do_fork(frame, CLONE_VM | CLONE_VFORK);
}

int64_t sys_clone(struct trap_frame *frame)
{
    struct fork_request request = {
        .flags = ARGUMENT(0),
        .stack = ARGUMENT(1),
        .parent_tid = ARGUMENT(2),
        .child_tid = ARGUMENT(3),
        .tls = ARGUMENT(4),
    };
    /* Linux says nothing of a bad pointer here either; it must only not be used. */
    if (!user_range_ok((void *)request.parent_tid, sizeof(int32_t)))
        request.flags &= ~(uint64_t)CLONE_PARENT_SETTID;
    if (!user_range_ok((void *)request.child_tid, sizeof(int32_t)))
        request.flags &= ~(uint64_t)(CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID);
    return process_fork(frame, &request);
}

int64_t sys_execve(struct trap_frame *frame)
{
    char *path;
    int error = path_copy(POINTER(0), &path);
    if (error != 0)
        return error;
    int64_t result = *path == '\0' ? -ENOENT : process_exec(frame, path, ARGUMENT(1), ARGUMENT(2));
    path_free(path);
    return result;
}

int64_t sys_exit(struct trap_frame *frame)
{
    process_exit((INTEGER(0) & 0xff) << 8);
}

int64_t sys_exit_group(struct trap_frame *frame)
{
    process_exit((INTEGER(0) & 0xff) << 8);
}

/* ---- resource usage ----------------------------------------------------------------------------------- */

struct linux_timeval {
    int64_t seconds, microseconds;
};
struct linux_rusage {
    struct linux_timeval user, system;
    int64_t more[14];
};

static struct linux_timeval timeval_of(uint64_t nanoseconds)
{
    return (struct linux_timeval){(int64_t)(nanoseconds / NS_PER_SECOND),
                                  (int64_t)(nanoseconds % NS_PER_SECOND / 1000)};
}

static int put_rusage(void *user, uint64_t user_time, uint64_t system_time)
{
    struct linux_rusage usage = {.user = timeval_of(user_time), .system = timeval_of(system_time)};
    return copy_to_user(user, &usage, sizeof(usage));
}

int64_t sys_getrusage(struct trap_frame *frame)
{
    enum { RUSAGE_SELF = 0, RUSAGE_CHILDREN = -1, RUSAGE_THREAD = 1 };
    struct process_times times = process_current()->times;
    if (INTEGER(0) == RUSAGE_CHILDREN)
        return put_rusage(POINTER(1), times.children_user, times.children_system);
    if (INTEGER(0) == RUSAGE_SELF || INTEGER(0) == RUSAGE_THREAD)
        return put_rusage(POINTER(1), times.user, times.system);
    return -EINVAL;
}

int64_t sys_times(struct trap_frame *frame)
{
    struct process_times times = process_current()->times;
    uint64_t ticks[4] = {times.user / NS_PER_TICK, times.system / NS_PER_TICK,
                         times.children_user / NS_PER_TICK, times.children_system / NS_PER_TICK};
    if (POINTER(0) != NULL && copy_to_user(POINTER(0), ticks, sizeof(ticks)) != 0)
        return -EFAULT;
    return (int64_t)(time_monotonic() / NS_PER_TICK);
}

/* ---- waiting ------------------------------------------------------------------------------------------ */

#define WAIT_FLAGS_IGNORED 0xe0000000u /* __WALL, __WCLONE, __WNOTHREAD */

static int64_t wait_for_pid(int32_t pid, int options, struct wait_result *result)
{
    if (pid == INT32_MIN)
        return -ESRCH;
    if (pid < -1)
        return process_wait(P_PGID, -pid, options, result);
    if (pid == -1)
        return process_wait(P_ALL, 0, options, result);
    if (pid == 0)
        return process_wait(P_PGID, process_current()->group, options, result);
    return process_wait(P_PID, pid, options, result);
}

int64_t sys_wait4(struct trap_frame *frame)
{
    struct wait_result result;
    unsigned options = UNSIGNED(2) & ~WAIT_FLAGS_IGNORED;
    if ((options & ~(unsigned)(WNOHANG | WUNTRACED | WCONTINUED)) != 0)
        return -EINVAL;
    int64_t pid = wait_for_pid(INTEGER(0), (int)options | WEXITED, &result);
    if (pid <= 0)
        return pid;
    if (POINTER(1) != NULL && copy_to_user(POINTER(1), &result.status, sizeof(int)) != 0)
        return -EFAULT;
    if (POINTER(3) != NULL && put_rusage(POINTER(3), result.times.user, result.times.system) != 0)
        return -EFAULT;
    return pid;
}

/* As SIGCHLD's siginfo would say it. */
static void describe(const struct wait_result *result, struct linux_siginfo *info)
{
    int status = result->status;
    memset(info, 0, sizeof(*info));
    info->number = SIGCHLD;
    info->pid = result->pid;
    if (status == 0xffff) {
        info->code = CLD_CONTINUED;
        info->status = SIGCONT;
    } else if ((status & 0xff) == 0x7f) {
        info->code = CLD_STOPPED;
        info->status = status >> 8 & 0xff;
    } else if ((status & 0x7f) != 0) {
        info->code = (status & 0x80) != 0 ? CLD_DUMPED : CLD_KILLED;
        info->status = status & 0x7f;
    } else {
        info->code = CLD_EXITED;
        info->status = status >> 8 & 0xff;
    }
}

int64_t sys_waitid(struct trap_frame *frame)
{
    struct wait_result result;
    struct linux_siginfo info;
    unsigned options = UNSIGNED(3) & ~WAIT_FLAGS_IGNORED;
    int id_type = INTEGER(0), id = INTEGER(1);
    if ((options & ~(unsigned)(WNOHANG | WUNTRACED | WEXITED | WCONTINUED | WNOWAIT)) != 0 ||
        (options & (WEXITED | WUNTRACED | WCONTINUED)) == 0)
        return -EINVAL;
    if (id_type != P_ALL && id_type != P_PID && id_type != P_PGID)
        return -EINVAL;
    if ((id_type == P_PID && id <= 0) || (id_type == P_PGID && id < 0))
        return -EINVAL;
    if (id_type == P_PGID && id == 0)
        id = process_current()->group;
    int64_t pid = process_wait(id_type, id, (int)options, &result);
    if (pid < 0)
        return pid;
    memset(&info, 0, sizeof(info));
    if (pid > 0)
        describe(&result, &info);
    if (POINTER(2) != NULL && copy_to_user(POINTER(2), &info, sizeof(info)) != 0)
        return -EFAULT;
    if (pid > 0 && POINTER(4) != NULL)
        return put_rusage(POINTER(4), result.times.user, result.times.system);
    return 0;
}

/* ---- who is who ---------------------------------------------------------------------------------------- */

int64_t sys_getpid(struct trap_frame *frame)
{
    (void)frame;
    return process_current()->pid;
}

int64_t sys_gettid(struct trap_frame *frame)
{
    return sys_getpid(frame);
}

int64_t sys_getppid(struct trap_frame *frame)
{
    (void)frame;
    return process_parent_pid();
}

int64_t sys_getpgrp(struct trap_frame *frame)
{
    (void)frame;
    return process_current()->group;
}

int64_t sys_getpgid(struct trap_frame *frame)
{
    return process_get_group(INTEGER(0));
}

int64_t sys_setpgid(struct trap_frame *frame)
{
    return process_set_group(INTEGER(0), INTEGER(1));
}

int64_t sys_getsid(struct trap_frame *frame)
{
    return process_get_session(INTEGER(0));
}

int64_t sys_setsid(struct trap_frame *frame)
{
    (void)frame;
    return process_set_session();
}

int64_t sys_set_tid_address(struct trap_frame *frame)
{
    /* What it is for, telling a joining thread, can't happen: a process has one thread. */
    return sys_getpid(frame);
}

int64_t sys_set_robust_list(struct trap_frame *frame)
{
    enum { HEAD_SIZE = 24 };
    return SIZE(1) == HEAD_SIZE ? 0 : -EINVAL;
}

int64_t sys_rseq(struct trap_frame *frame)
{
    (void)frame;
    return -ENOSYS;
}

int64_t sys_sched_yield(struct trap_frame *frame)
{
    (void)frame;
    thread_yield();
    return 0;
}

int64_t sys_sched_getaffinity(struct trap_frame *frame)
{
    uint64_t cpus = 1;
    if (SIZE(1) < sizeof(cpus) || SIZE(1) % sizeof(cpus) != 0)
        return -EINVAL;
    if (INTEGER(0) < 0)
        return -EINVAL;
    if (INTEGER(0) != 0) {
        struct process *process = process_find(INTEGER(0));
        if (process == NULL)
            return -ESRCH;
        process_put(process);
    }
    return copy_to_user(POINTER(2), &cpus, sizeof(cpus)) != 0 ? -EFAULT : (int64_t)sizeof(cpus);
}

int64_t sys_arch_prctl(struct trap_frame *frame)
{
    enum { ARCH_SET_GS = 0x1001, ARCH_SET_FS, ARCH_GET_FS, ARCH_GET_GS };
    const struct thread *thread = thread_current();
    switch (INTEGER(0)) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
        if (ARGUMENT(1) >= USER_TOP)
            return -EPERM;
        if (INTEGER(0) == ARCH_SET_FS)
            thread_set_fs_base(ARGUMENT(1));
        else
            thread_set_gs_base(ARGUMENT(1));
        return 0;
    case ARCH_GET_FS:
        return copy_to_user(POINTER(1), &thread->fs_base, sizeof(thread->fs_base));
    case ARCH_GET_GS:
        return copy_to_user(POINTER(1), &thread->gs_base, sizeof(thread->gs_base));
    default:
        return -EINVAL;
    }
}

static int64_t set_name(const void *user)
{
    struct process *process = process_current();
    char name[PROCESS_NAME_LENGTH] = {0};
    addr_t address = (addr_t)user;
    if (address < USER_BASE || address >= USER_TOP)
        return -EFAULT;
    size_t limit = sizeof(name) - 1 < USER_TOP - address ? sizeof(name) - 1 : USER_TOP - address;
    if (user_strncpy(name, user, limit) != VM_OK)
        return -EFAULT;
    memcpy(process->name, name, sizeof(name));
    return 0;
}

int64_t sys_prctl(struct trap_frame *frame)
{
    enum {
        PR_GET_DUMPABLE = 3,
        PR_SET_DUMPABLE = 4,
        PR_SET_NAME = 15,
        PR_GET_NAME = 16,
        PR_SET_NO_NEW_PRIVS = 38,
        PR_GET_NO_NEW_PRIVS = 39,
    };
    switch (INTEGER(0)) {
    case PR_SET_NAME:
        return set_name(POINTER(1));
    case PR_GET_NAME:
        return copy_to_user(POINTER(1), process_current()->name, PROCESS_NAME_LENGTH);
    case PR_GET_DUMPABLE:
        return 1;
    case PR_SET_DUMPABLE:
    case PR_SET_NO_NEW_PRIVS:
    case PR_GET_NO_NEW_PRIVS:
        return 0;
    default:
        return -EINVAL;
    }
}
