/* SPDX-License-Identifier: MIT */
/* The rest of the kernel as execve sees it, for one process on any system. */
#include "elf_kernel.h"

#include <kernel/random.h>
#include <kernel/string.h>
#include "elf_core.h"
#include "process/tree.h"
#include "signal/state.h"
#include "thread/scheduler.h"

struct spinlock process_lock = SPINLOCK_INIT;
struct core_file kernel_files[KERNEL_FILES];
struct process kernel_process;
static struct thread kernel_thread = {.process = &kernel_process};
struct cpu kernel_cpu = {.current = &kernel_thread};

static const char *const paths[KERNEL_FILES] = {"/p", "/good"};

int fs_open_executable(const char *path, void **vnode)
{
    for (unsigned i = 0; i < KERNEL_FILES; i++)
        if (strcmp(path, paths[i]) == 0) {
            kernel_files[i].references++;
            *vnode = &kernel_files[i];
            return 0;
        }
    return -ENOENT;
}

void thread_use_memory(struct user_memory *memory)
{
    kernel_thread.memory = memory;
    core_enter(memory != NULL ? memory->aspace : NULL);
}

void spin_lock(struct spinlock *lock)
{
    if (lock->held != 0)
        __builtin_abort();
    lock->held = 1;
}

void spin_unlock(struct spinlock *lock)
{
    lock->held = 0;
}

/* A state that may be loaded into the real unit. */
void fpu_reset(struct thread *thread)
{
    fpu_save(thread);
}

size_t strlcpy(char *to, const char *from, size_t size)
{
    size_t length = strlen(from), copied = length < size ? length : size - 1;
    memcpy(to, from, copied);
    to[copied] = '\0';
    return length;
}

uint64_t random_number(void)
{
    return 4;
}

void event_signal(struct event *event)
{
    (void)event;
}

void frame_changed(void)
{
}

void fs_exec(struct process *process)
{
    (void)process;
}

void signals_exec(struct process *process)
{
    (void)process;
}

void thread_set_fs_base(uint64_t base)
{
    (void)base;
}

void thread_set_gs_base(uint64_t base)
{
    (void)base;
}
