/* SPDX-License-Identifier: MIT */
/* The x86-64 CPU: its registers and instructions, and what the kernel keeps for each one. */
#ifndef KERNEL_CPU_H
#define KERNEL_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <quire/types.h>

#define MAX_CPUS 16

/* Of one CPU, reached through GS in the kernel. entry.S knows the first four offsets. */
struct cpu {
    struct thread *current;
    addr_t kernel_stack; /* the current thread's, its top: for SYSCALL */
    addr_t user_stack;   /* scratch of the SYSCALL entry */
    struct cpu *self;
    unsigned id;
    unsigned interrupt_depth; /* above 0: in an interrupt handler */
    struct thread *idle;
    struct thread *previous;    /* while a switch is under way: who ran before */
    struct user_memory *memory; /* whose translation is loaded, or NULL: the kernel's */
    addr_t root;                /* the table in CR3 */
    addr_t kernel_root;
    struct task_state *task_state;
};

static inline struct cpu *cpu_current(void)
{
    struct cpu *cpu;
    __asm__ volatile("movq %%gs:0x18, %0" : "=r"(cpu));
    return cpu;
}

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint32_t in32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint64_t read_msr(uint32_t number)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return (uint64_t)high << 32 | low;
}

static inline void write_msr(uint32_t number, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline uint64_t read_tsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void load_root(addr_t root)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(root) : "memory");
}

static inline void interrupts_on(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void interrupts_off(void)
{
    __asm__ volatile("cli" : : : "memory");
}

/* Turns interrupts off; gives back what interrupts_restore needs to undo that. */
static inline bool interrupts_save(void)
{
    uint64_t flags;
    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
    return (flags & 0x200) != 0;
}

static inline void interrupts_restore(bool were_on)
{
    if (were_on)
        interrupts_on();
}

#endif
