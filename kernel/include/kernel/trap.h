/* SPDX-License-Identifier: MIT */
/* How the CPU comes into the kernel, and what a system call is. */
#ifndef KERNEL_TRAP_H
#define KERNEL_TRAP_H

#include <stdbool.h>
#include <stdint.h>
#include <quire/types.h>

/* The registers of what was interrupted. entry.S builds it, and knows the offsets. A program's frame
 * lies at the top of its thread's kernel stack. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t number; /* the vector; for a system call its number, which rax no longer has */
    uint64_t error;  /* the CPU's error code; FRAME_SYSCALL for a system call */
    uint64_t rip, cs, rflags, rsp, ss;
};
#define FRAME_SYSCALL UINT64_MAX

#define USER_BASE 0x10000ul
#define USER_TOP 0x7ffffffff000ul

/* Linux's: signal frames show them. */
#define SELECTOR_KERNEL_CODE 0x10
#define SELECTOR_KERNEL_DATA 0x18
#define SELECTOR_USER_DATA 0x2b
#define SELECTOR_USER_CODE 0x33
#define SELECTOR_TASK_STATE 0x40

static inline bool frame_is_user(const struct trap_frame *frame)
{
    return (frame->cs & 3) != 0;
}

/* The arguments of a system call, 0 to 5. */
#define SYSCALL_ARGUMENT_0(frame) ((frame)->rdi)
#define SYSCALL_ARGUMENT_1(frame) ((frame)->rsi)
#define SYSCALL_ARGUMENT_2(frame) ((frame)->rdx)
#define SYSCALL_ARGUMENT_3(frame) ((frame)->r10)
#define SYSCALL_ARGUMENT_4(frame) ((frame)->r8)
#define SYSCALL_ARGUMENT_5(frame) ((frame)->r9)

/* kernel/syscall implements it: does system call frame->number. Called on the program's thread with
 * interrupts on and no lock held. What it returns becomes rax: -errno for an error; -ERESTARTSYS and
 * -ERESTARTNOHAND from waits that a signal ended. Calls that set all registers (rt_sigreturn, execve)
 * change the frame, call frame_changed(), and return the rax they want. */
int64_t syscall_dispatch(struct trap_frame *frame);
/* The program must be left by the slow way, which restores every register. */
void frame_changed(void);

#endif
