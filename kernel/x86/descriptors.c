/* SPDX-License-Identifier: MIT */
/* Segments, the task state, the interrupt table, and the registers behind SYSCALL. */
#include <kernel/string.h>
#include "x86/x86.h"

#define IST_DOUBLE_FAULT 1
#define IST_NMI 2
#define IST_MACHINE_CHECK 3
#define IST_STACK_SIZE 4096
#define MISSED_IO_MAP 0xffff
#define GATE_INTERRUPT 0x8e00u
#define GATE_FOR_PROGRAMS 0x6000u
/* Cleared on entry: TF, IF, DF, IOPL, NT, AC. */
#define SYSCALL_FLAG_MASK 0x47700u

struct gate {
    uint16_t offset_low, selector, attributes, offset_middle;
    uint32_t offset_high, reserved;
};

struct table_register {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

/* Linux's order: SYSRET wants user data just below user code. */
static uint64_t gdt[MAX_CPUS][10] __attribute__((aligned(16)));
static struct gate idt[VECTOR_COUNT] __attribute__((aligned(16)));
static struct task_state task_states[MAX_CPUS];
static uint8_t ist_stacks[3][IST_STACK_SIZE] __attribute__((aligned(16)));

struct cpu cpus[MAX_CPUS];

static void fill_task_state(struct task_state *state)
{
    memset(state, 0, sizeof(*state));
    state->io_map = MISSED_IO_MAP;
    state->rsp[0] = (uintptr_t)boot_stack_top;
    for (unsigned i = 0; i < 3; i++)
        state->ist[i] = (uintptr_t)(ist_stacks[i] + IST_STACK_SIZE);
}

static void load_gdt(struct cpu *cpu)
{
    uint64_t *table = gdt[cpu->id];
    uint64_t base = (uintptr_t)cpu->task_state;
    table[2] = 0x00af9a000000ffff; /* kernel code */
    table[3] = 0x00cf92000000ffff; /* kernel data */
    table[5] = 0x00cff2000000ffff; /* user data */
    table[6] = 0x00affa000000ffff; /* user code */
    table[8] = (sizeof(struct task_state) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
               (base >> 24 & 0xff) << 56;
    table[9] = base >> 32;
    struct table_register gdt_register = {sizeof(gdt[0]) - 1, (uintptr_t)table};
    __asm__ volatile("lgdt %0" : : "m"(gdt_register));
    __asm__ volatile("ltr %w0" : : "r"(SELECTOR_TASK_STATE));
}

static void set_gate(unsigned vector, unsigned ist, unsigned privilege)
{
    uintptr_t stub = (uintptr_t)trap_stubs + vector * 16ul;
    idt[vector] = (struct gate){
        .offset_low = (uint16_t)stub,
        .selector = SELECTOR_KERNEL_CODE,
        .attributes = (uint16_t)(GATE_INTERRUPT | privilege | ist),
        .offset_middle = (uint16_t)(stub >> 16),
        .offset_high = (uint32_t)(stub >> 32),
    };
}

static void load_idt(void)
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++)
        set_gate(vector, 0, 0);
    set_gate(VECTOR_BREAKPOINT, 0, GATE_FOR_PROGRAMS);
    set_gate(VECTOR_OVERFLOW, 0, GATE_FOR_PROGRAMS);
    set_gate(VECTOR_DOUBLE_FAULT, IST_DOUBLE_FAULT, 0);
    set_gate(VECTOR_NMI, IST_NMI, 0);
    set_gate(VECTOR_MACHINE_CHECK, IST_MACHINE_CHECK, 0);
    struct table_register idt_register = {sizeof(idt) - 1, (uintptr_t)idt};
    __asm__ volatile("lidt %0" : : "m"(idt_register));
}

/* Programs' pages are out of the kernel's reach, but for the copies of user_copy.S, and never run in
 * kernel mode. boot.S has seen to it that the CPU can do that. */
static void enable_user_protection(void)
{
    uint64_t cr4;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | 1ul << 20 | 1ul << 21));
}

void descriptors_init(struct cpu *cpu)
{
    cpu->id = (unsigned)(cpu - cpus);
    cpu->self = cpu;
    cpu->task_state = &task_states[cpu->id];
    fill_task_state(cpu->task_state);
    load_gdt(cpu);
    load_idt();
    write_msr(MSR_GS_BASE, (uintptr_t)cpu);
    write_msr(MSR_KERNEL_GS_BASE, 0);
    write_msr(MSR_STAR,
              (uint64_t)(SELECTOR_USER_DATA - 8) << 48 | (uint64_t)SELECTOR_KERNEL_CODE << 32);
    write_msr(MSR_LSTAR, (uintptr_t)syscall_entry);
    write_msr(MSR_FMASK, SYSCALL_FLAG_MASK);
    enable_user_protection();
}

#define PAGE_WRITE 0x2ull
#define PAGE_NO_EXECUTE (1ull << 63)

/* boot.S mapped everything writable and executable. */
void protect_image(void)
{
    uintptr_t rodata = (uintptr_t)image_rodata - IMAGE_OFFSET;
    uintptr_t data = (uintptr_t)image_data - IMAGE_OFFSET;
    uintptr_t end = (uintptr_t)image_end - IMAGE_OFFSET;
    uintptr_t start = (uintptr_t)image_start - IMAGE_OFFSET;
    for (uintptr_t page = 0; page < 1024; page++) {
        uintptr_t physical = page * VM_PAGE_SIZE;
        if (physical < start || physical >= end)
            boot_image_pages[page] = 0;
        else if (physical < rodata)
            boot_image_pages[page] &= ~PAGE_WRITE;
        else if (physical < data)
            boot_image_pages[page] = (boot_image_pages[page] & ~PAGE_WRITE) | PAGE_NO_EXECUTE;
        else
            boot_image_pages[page] |= PAGE_NO_EXECUTE;
    }
    for (unsigned i = 0; i < 512; i++)
        boot_direct[i] |= PAGE_NO_EXECUTE;
    boot_root[0] = 0;
    load_root((uintptr_t)boot_root - IMAGE_OFFSET);
}
