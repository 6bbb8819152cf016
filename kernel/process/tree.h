/* SPDX-License-Identifier: MIT */
/* What the files about processes and signals share. */
#ifndef KERNEL_PROCESS_TREE_H
#define KERNEL_PROCESS_TREE_H

#include <kernel/process.h>

/* Guards the tree, the states and the signals of all processes. Spins: timers send signals.
 * Order: process_lock, then a wait bucket's, then the run queue's. */
extern struct spinlock process_lock;

#define INIT_PID 1
extern struct process *init_process;

/* A process that nobody knows yet, with a thread that doesn't run: one reference. NULL: no memory. */
struct process *process_create(const char *name);
/* Takes it back before process_publish; its memory and files must have gone. */
void process_discard(struct process *process);
/* Gives it a pid and a place below `parent`. */
void process_publish(struct process *process, struct process *parent);
/* => process_lock held. NULL: none. */
struct process *process_by_pid(int32_t pid);
struct process *process_first(void);
/* Takes a dead one out of the tree; the caller then puts it. => process_lock held */
void process_unlink(struct process *process);
/* Moves all children to the init process. => process_lock held */
void process_orphan_children(struct process *process);

/* An empty address space; NULL: no memory. */
struct user_memory *user_memory_create(const char *name);
/* A copy-on-write copy of the running process's. NULL with *error set. */
struct user_memory *user_memory_copy(struct user_memory *from, const char *name, int *error);
void user_memory_acquire(struct user_memory *memory);
/* The process leaves its memory: a vfork's parent may go on. */
void process_leave_memory(struct process *process);

/* The frame with which a process's thread returns to its program. */
static inline struct trap_frame *thread_frame(const struct thread *thread)
{
    return (struct trap_frame *)thread->stack_top - 1;
}

#endif
