/* SPDX-License-Identifier: MIT */
/* Where the CPU comes into the kernel, and how it leaves. struct trap_frame and struct cpu are known
 * here by offsets, which traps.c asserts. */

#define CPU_CURRENT 0x00
#define CPU_KERNEL_STACK 0x08
#define CPU_USER_STACK 0x10

#define FRAME_RAX 0x50
#define FRAME_RIP 0x88
#define FRAME_CS 0x90
#define FRAME_RFLAGS 0x98
#define FRAME_RSP 0xa0

#define USER_DATA 0x2b
#define USER_CODE 0x33
#define MSR_GS_BASE 0xc0000101

.macro PUSH_REGISTERS
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rax
    push %r8
    push %r9
    push %r10
    push %r11
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
.endm

.macro POP_REGISTERS
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
.endm

    .text

/* SYSCALL: interrupts are off, the stack is still the program's. */
    .globl syscall_entry
syscall_entry:
    swapgs
    mov %rsp, %gs:CPU_USER_STACK
    mov %gs:CPU_KERNEL_STACK, %rsp
    pushq $USER_DATA
    pushq %gs:CPU_USER_STACK
    push %r11
    pushq $USER_CODE
    push %rcx
    pushq $-1
    push %rax
    PUSH_REGISTERS
    mov %rsp, %rdi
    sti
    call syscall_dispatch
    cli
    mov %gs:CPU_CURRENT, %rdx
    cmpl $0, (%rdx)
    jne syscall_slow
    /* The callee-saved six still have the program's values; RCX and R11 are SYSRET's. */
    add $0x38, %rsp
    pop %r10
    pop %r9
    pop %r8
    add $0x10, %rsp
    pop %rdx
    pop %rsi
    pop %rdi
    mov FRAME_RIP - 0x78(%rsp), %rcx
    mov FRAME_RFLAGS - 0x78(%rsp), %r11
    mov FRAME_RSP - 0x78(%rsp), %rsp
    swapgs
    sysretq

syscall_slow:
    mov %rax, FRAME_RAX(%rsp)
    mov %rsp, %rdi
    call return_work
    jmp leave_to_user

/* What a new program's thread does first; RSP is its frame. */
    .globl thread_enter_user
thread_enter_user:
    cli
    mov %rsp, %rdi
    call return_work
leave_to_user:
    POP_REGISTERS
    add $0x10, %rsp
    swapgs
    iretq

/* Traps and interrupts: the stubs have pushed the error code and the vector. */
trap_common:
    cld
    testb $3, FRAME_CS - 0x78(%rsp)
    jz 1f
    swapgs
1:  PUSH_REGISTERS
    clac
    mov %rsp, %rdi
    call trap_handle
    testb $3, FRAME_CS(%rsp)
    jz 2f
    cli
    mov %gs:CPU_CURRENT, %rdx
    cmpl $0, (%rdx)
    je leave_to_user
    mov %rsp, %rdi
    call return_work
    jmp leave_to_user
2:  POP_REGISTERS
    add $0x10, %rsp
    iretq

/* NMI, double fault, machine check: on stacks of their own, at any moment, and never back. */
trap_fatal:
    cld
    PUSH_REGISTERS
    mov $MSR_GS_BASE, %ecx
    rdmsr
    test %edx, %edx
    js 1f
    swapgs
1:  mov %rsp, %rdi
    call trap_handle
    ud2

/* Saves the running thread at *RDI and goes on with the one at RSI. */
    .globl switch_stacks
switch_stacks:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/* Where switch_stacks takes a thread that never ran: RBX is what to call, R12 where to go then. */
    .globl thread_first_run
thread_first_run:
    call *%rbx
    jmp *%r12

.macro STUB vector
    .balign 16
    .if (\vector == 8) || (\vector >= 10 && \vector <= 14) || (\vector == 17) || (\vector == 21)
    .else
    pushq $0
    .endif
    pushq $\vector
    .if (\vector == 2) || (\vector == 8) || (\vector == 18)
    jmp trap_fatal
    .else
    jmp trap_common
    .endif
.endm

    .balign 16
    .globl trap_stubs
trap_stubs:
    .altmacro
    .set vector, 0
    .rept 64
    STUB %vector
    .set vector, vector + 1
    .endr
    .section .note.GNU-stack, "", @progbits
