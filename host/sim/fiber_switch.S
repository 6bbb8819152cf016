/* SPDX-License-Identifier: MIT */
/* void fiber_switch(void **save, void *load): keeps the callee-saved registers on the running stack,
 * whose pointer goes to *save, and goes on on the stack at `load`. */
    .text
    .globl fiber_switch
    .type fiber_switch, @function
fiber_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size fiber_switch, . - fiber_switch
    .section .note.GNU-stack, "", @progbits
