/* SPDX-License-Identifier: MIT */
/* What the scheduler shows to the rest of the kernel's inside. */
#ifndef KERNEL_SCHEDULER_H
#define KERNEL_SCHEDULER_H

#include <kernel/process.h>

/* Makes what boots the idle thread of this CPU. */
void scheduler_init(struct cpu *cpu);
/* Once vm_init has returned. */
void scheduler_start(struct cpu *cpu);
/* Runs other threads whenever there are some. */
_Noreturn void scheduler_idle(void);

/* Gives the CPU to the next thread. => interrupts off, no spinlock held */
void schedule(void);
/* => any context */
void thread_make_ready(struct thread *thread);
/* First thing of a new thread, on its own stack: ends the switch to it. */
void finish_switch(void);

/* A thread that doesn't run yet, with its stack; all zero otherwise. NULL: no memory. */
struct thread *thread_allocate(const char *name);
/* Takes back a thread that never ran. */
void thread_discard(struct thread *thread);
/* A dead one, in finish_switch. */
void thread_recycle(struct thread *thread);
/* Deletes the stacks of dead threads, but `keep` of them. May sleep. */
void thread_trim(unsigned keep);
/* Makes the thread begin at `function` with `next` behind that; RSP is `stack`, 16-byte aligned. */
void thread_prepare(struct thread *thread, addr_t stack, void (*function)(void),
                    void (*next)(void));
/* Lets an allocated thread run its function in the kernel. */
void kernel_thread_start(struct thread *thread);
/* Ends a wait that allows it, after the thread's process got a signal or was killed. */
void thread_interrupt(struct thread *thread);
/* Calls `visit` for each thread; for the debugger, which takes no lock. */
void thread_visit_all(void (*visit)(const struct thread *thread));

/* The running thread's program now lives in `memory` (NULL: none). */
void thread_use_memory(struct user_memory *memory);

void timer_init(void);
/* Runs what is due, counts the time. => interrupts off */
void timer_interrupt(bool was_user);
void timer_hardware_set(uint64_t ns_from_now);

/* Sets up FS, GS and the FPU for the next thread. */
void fpu_reset(struct thread *thread);
static inline void fpu_save(struct thread *thread)
{
    __asm__ volatile("fxsave64 %0" : "=m"(thread->fpu));
}
static inline void fpu_load(const uint8_t state[512])
{
    __asm__ volatile("fxrstor64 %0" : : "m"(*(const uint8_t(*)[512])state));
}

#endif
