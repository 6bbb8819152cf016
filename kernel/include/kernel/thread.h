/* SPDX-License-Identifier: MIT */
/* Threads, the scheduler, waiting.
 *
 * The kernel is not preempted: a thread runs in it until it waits or returns to its program.
 * Interrupts come at any time that no spinlock is held. */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include <kernel/cpu.h>
#include <kernel/lock.h>
#include <kernel/timer.h>
#include <kernel/trap.h>
#include <quire/types.h>

#define KERNEL_STACK_SIZE 0x4000ul
#define THREAD_NAME_LENGTH 16

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_WAITING, THREAD_DEAD };

/* thread.work: why the program may not be returned to at once. Atomic. */
#define WORK_RESCHEDULE 0x1u
#define WORK_SIGNAL 0x2u /* a signal that is not blocked is pending, or the process stops or dies */
#define WORK_FRAME 0x4u  /* the frame was changed: leave by IRET */

struct thread {
    uint32_t work; /* entry.S knows that it comes first */
    enum thread_state state;
    struct process *process; /* NULL: the kernel's own */
    bool on_cpu;             /* its stack is in use; guarded by the run queue's lock */
    struct thread *queue_next;
    addr_t switch_stack; /* the stack pointer while it doesn't run */
    addr_t stack_top;
    region_id stack_region;
    /* waiting: guarded by the lock of the address's bucket */
    uint32_t *wait_address; /* NULL: it doesn't wait */
    struct thread *wait_next;
    struct timer wait_timer;
    int wait_mode;
    int wait_result;
    struct user_memory *memory; /* what host_current_aspace says, or NULL */
    uint64_t fs_base, gs_base;  /* the program's */
    struct thread *all_next, *all_previous;
    int (*function)(void *);
    void *argument;
    char name[THREAD_NAME_LENGTH];
    uint8_t fpu[512] __attribute__((aligned(16)));
};

static inline struct thread *thread_current(void)
{
    struct thread *thread;
    __asm__ volatile("movq %%gs:0, %0" : "=r"(thread));
    return thread;
}

/* A kernel thread. NULL: no memory. */
struct thread *thread_create(const char *name, int (*function)(void *), void *argument);
/* The running thread gives way to others that are ready. */
void thread_yield(void);
/* Ends the running thread. */
_Noreturn void thread_exit(void);

/* Sleeps while *address is `expected`: 0 when woken (perhaps for no reason), -ETIMEDOUT, -EINTR as
 * `mode` (enum wait_mode) allows. */
int thread_wait(uint32_t *address, uint32_t expected, uint64_t deadline, int mode);
/* Works in interrupt handlers and under spinlocks, but not under a wait bucket's. */
void thread_wake(uint32_t *address, uint32_t count);
/* Sleeps until host_time_ns() reaches `deadline`: 0, or -EINTR as `mode` allows. */
int thread_sleep_until(uint64_t deadline, int mode);
/* Whether a wait of that mode would end at once. */
bool thread_interrupted(int mode);
/* The same for long loops that never wait: in the kernel nothing but this lets others run when it is
 * their turn. => no spinlock held */
bool thread_should_stop(int mode);

#endif
