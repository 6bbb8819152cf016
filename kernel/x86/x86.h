/* SPDX-License-Identifier: MIT */
/* What the files of this folder share. */
#ifndef KERNEL_X86_H
#define KERNEL_X86_H

#include <kernel/cpu.h>
#include <kernel/trap.h>

#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_FMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

#define RFLAGS_INTERRUPTS 0x200u

#define DIRECT_MAP_BASE 0xffff800000000000ul
#define IMAGE_OFFSET 0xffffffff80000000ul

enum {
    VECTOR_DIVIDE = 0,
    VECTOR_DEBUG = 1,
    VECTOR_NMI = 2,
    VECTOR_BREAKPOINT = 3,
    VECTOR_OVERFLOW = 4,
    VECTOR_BOUND = 5,
    VECTOR_INVALID_OPCODE = 6,
    VECTOR_DOUBLE_FAULT = 8,
    VECTOR_STACK = 12,
    VECTOR_PROTECTION = 13,
    VECTOR_PAGE_FAULT = 14,
    VECTOR_X87 = 16,
    VECTOR_ALIGNMENT = 17,
    VECTOR_MACHINE_CHECK = 18,
    VECTOR_SIMD = 19,
    VECTOR_PIC = 32, /* 16 of them */
    VECTOR_TIMER = 48,
    VECTOR_SPURIOUS = 63,
    VECTOR_COUNT = 64,
};

struct task_state {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed, aligned(4)));

extern char image_start[], image_rodata[], image_data[], image_end[];
extern uint64_t boot_root[512], boot_direct[512], boot_image_pages[1024];
extern char boot_stack[], boot_stack_top[];
extern char trap_stubs[];
void syscall_entry(void);

extern struct cpu cpus[MAX_CPUS];

/* For the first CPU, in this order. */
void descriptors_init(struct cpu *cpu);
void protect_image(void);
void interrupt_controller_init(void);
void clock_init(void);

/* Interrupts and the timer. */

void interrupt_enable_line(unsigned line);
void interrupt_end(unsigned vector);
void timer_hardware_set(uint64_t ns_from_now);

#endif
