/* SPDX-License-Identifier: MIT */
/* Processes: a program in an address space, with one thread. */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

#include <kernel/signal.h>
#include <kernel/thread.h>
#include <quire/vm.h>

#define PROCESS_NAME_LENGTH 16
#define STACK_LIMIT 0x800000ul

/* An address space and what the program has in it; shared by a vfork's child and its parent. */
struct user_memory {
    uint32_t references;
    aspace_id id;
    vm_address_space *aspace;
    struct mutex lock;                                /* guards brk_end and brk_region */
    addr_t brk_start, brk_end;                        /* bytes; kernel/syscall grows it */
    region_id brk_region;                             /* kernel/syscall's, 0: none yet */
    addr_t arguments, arguments_end, environment_end; /* on the stack, for /proc */
    addr_t stack_top;
};

enum process_state { PROCESS_RUNNING, PROCESS_STOPPED, PROCESS_ZOMBIE };

struct process_times {
    uint64_t user, system, children_user, children_system; /* ns */
};

/* Guarded by the process lock, but what only the process itself touches: memory, files, name,
 * executable, umask. */
struct process {
    uint32_t references;
    int32_t pid, group, session;
    enum process_state state;
    bool killed; /* it is to die as soon as it can: killable waits end */
    bool dying;  /* in process_exit: takes no more signals */
    bool has_execed;
    int exit_status; /* as wait4 gives it */
    struct process *parent;
    struct process *children, *sibling_next, *sibling_previous;
    struct process *all_next, *all_previous;
    struct thread *thread;
    struct user_memory *memory;
    struct file_state *files; /* kernel/fs's: descriptors, cwd, umask */
    void *executable;         /* a vnode with a reference, or NULL */
    char name[PROCESS_NAME_LENGTH];
    struct process_times times;
    uint64_t start_time;        /* monotonic */
    struct event child_event;   /* a child has changed its state */
    struct event vfork_event;   /* the child has left the memory it borrowed */
    struct event release_event; /* its memory has gone, or it has been continued */
    bool borrows_memory;        /* a vfork's child before exec or exit */
    int exit_signal;            /* what the parent gets; 0: nothing */
    int stop_status;            /* not 0: a stop or continue that wait may report */
    struct process_signals *signals;
};

#define PATH_LENGTH_MAX 4096

/* The running program's. */
static inline struct process *process_current(void)
{
    return thread_current()->process;
}

/* ---- for kernel/syscall ------------------------------------------------------------------------ */

/* clone(2)'s flags that fork and posix_spawn use. */
#define CLONE_VM 0x100u
#define CLONE_FS 0x200u
#define CLONE_FILES 0x400u
#define CLONE_SIGHAND 0x800u
#define CLONE_VFORK 0x4000u
#define CLONE_THREAD 0x10000u
#define CLONE_SETTLS 0x80000u
#define CLONE_PARENT_SETTID 0x100000u
#define CLONE_CHILD_CLEARTID 0x200000u
#define CLONE_DETACHED 0x400000u
#define CLONE_CHILD_SETTID 0x1000000u

struct fork_request {
    uint64_t flags;                      /* CLONE_*, the signal in the low byte */
    uint64_t stack;                      /* 0: the parent's */
    uint64_t parent_tid, child_tid, tls; /* pointers of the program, as clone(2) has them */
};
/* The child's pid, or -EAGAIN, -ENOMEM, -EINVAL (flags it can't do: threads, and CLONE_VM without
 * CLONE_VFORK), -EFAULT. */
int64_t process_fork(const struct trap_frame *frame, const struct fork_request *request);

/* Replaces the running program. `path` is the kernel's (PATH_LENGTH_MAX); argv and envp are the
 * program's. 0, with the frame set, or -errno with nothing changed. */
int64_t process_exec(struct trap_frame *frame, const char *path, addr_t argv, addr_t envp);

/* `status` as wait4 gives it: exit code << 8, or the signal. */
_Noreturn void process_exit(int status);

#define WNOHANG 1
#define WUNTRACED 2
#define WEXITED 4
#define WCONTINUED 8
#define WNOWAIT 0x1000000
enum { P_ALL = 0, P_PID = 1, P_PGID = 2 };
struct wait_result {
    int32_t pid;
    int status; /* as wait4 has it */
    struct process_times times;
};
/* Waits for a child: its pid, 0 (WNOHANG: none yet), -ECHILD, -ERESTARTSYS. WEXITED must be given by
 * who wants the dead (wait4 does). */
int64_t process_wait(int id_type, int32_t id, int options, struct wait_result *result);

int64_t process_set_group(int32_t pid, int32_t group);
int64_t process_get_group(int32_t pid);
int64_t process_get_session(int32_t pid);
int64_t process_set_session(void);
int32_t process_parent_pid(void);

/* ARCH_SET_FS and friends' effect. */
void thread_set_fs_base(uint64_t base);
void thread_set_gs_base(uint64_t base);

/* A reference, or NULL; process_put gives it back. */
struct process *process_find(int32_t pid);
/* The one with the next higher pid, with a reference; NULL at the end. From 0: all. */
struct process *process_next(int32_t pid);
void process_put(struct process *process);
/* A reference on its memory, or NULL when it has none (any more). */
struct user_memory *process_get_memory(struct process *process);
void user_memory_put(struct user_memory *memory);
/* To all of a group; -ESRCH when there is none. From the kernel (a tty's keys). */
int64_t process_signal_group(int32_t group, int number);
/* For the debugger: all of them, without a lock. */
void process_visit_all(void (*visit)(const struct process *process));
/* How many there are, for sysinfo. */
unsigned process_count(void);

/* ---- what kernel/fs implements ------------------------------------------------------------------ */

/* Called once, before the first program: the archive is at physical [base, base + size), reachable
 * with host_frame_ptr. -errno: with a line in the log, and the machine ends. */
int fs_init(addr_t archive, size_t size);
/* At the end, when no process is left: writes to disks what has to go there, and gives back every file that
 * isn't in the archive. 0, or -EIO: some of it could not be written. */
int fs_release_files(void);
/* The first program's descriptors 0, 1, 2 and cwd. */
int fs_start(struct process *process);
int fs_fork(struct process *parent, struct process *child);
void fs_exec(struct process *process); /* closes what is to be closed */
void fs_exit(struct process *process); /* may sleep; process->files is NULL afterwards */
/* The regular, executable file at `path` (from the running process's cwd), with a reference that
 * host_vnode_release takes back. -ENOENT, -EACCES... */
int fs_open_executable(const char *path, void **vnode);
/* The file's absolute path as /proc/self/exe has it. */
int fs_vnode_path(void *vnode, char *path, size_t size);

#endif
