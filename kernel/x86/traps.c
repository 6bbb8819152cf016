/* SPDX-License-Identifier: MIT */
/* What the CPU reports: a program's mistakes become its signals, the kernel's end it. */
#include <kernel/log.h>
#include <kernel/process.h>
#include "device/serial.h"
#include "device/virtio_block.h"
#include "thread/scheduler.h"
#include "process/oom.h"
#include "x86/x86.h"

_Static_assert(offsetof(struct cpu, current) == 0, "entry.S");
_Static_assert(offsetof(struct cpu, kernel_stack) == 8, "entry.S");
_Static_assert(offsetof(struct cpu, user_stack) == 16, "entry.S");
_Static_assert(offsetof(struct cpu, self) == 24, "cpu_current");
_Static_assert(offsetof(struct trap_frame, rax) == 0x50, "entry.S");
_Static_assert(offsetof(struct trap_frame, rip) == 0x88, "entry.S");
_Static_assert(offsetof(struct trap_frame, rsp) == 0xa0, "entry.S");
_Static_assert(offsetof(struct thread, work) == 0, "entry.S");

#define FAULT_PRESENT 0x1u
#define FAULT_WRITE 0x2u
#define FAULT_FETCH 0x10u

static void dump_stack(const struct trap_frame *frame)
{
    const uint64_t *stack = (const uint64_t *)frame->rsp;
    log_printf("calls that may be on the stack:");
    unsigned shown = 0;
    for (unsigned i = 0; i < 128 && shown < 16; i++) {
        if (((uintptr_t)(stack + i) & VM_PAGE_MASK) == 0 && i > 0)
            break;
        if (stack[i] >= (uintptr_t)image_start && stack[i] < (uintptr_t)image_rodata) {
            log_printf(" %lx", stack[i]);
            shown++;
        }
    }
    log_printf("\n");
}

static void dump_frame(const struct trap_frame *f)
{
    log_printf("rip %016lx rsp %016lx flags %08lx error %lx\n", f->rip, f->rsp, f->rflags,
               f->error);
    log_printf("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
    log_printf("rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", f->rsi, f->rdi, f->rbp, f->r8);
    log_printf("r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", f->r9, f->r10, f->r11, f->r12);
    log_printf("r13 %016lx r14 %016lx r15 %016lx\n", f->r13, f->r14, f->r15);
    /* After a double fault the stack can't be trusted: running over its end is what causes them. */
    if (!frame_is_user(f) && f->number != VECTOR_DOUBLE_FAULT && (f->rsp & 7) == 0)
        dump_stack(f);
}

static addr_t fault_address(void)
{
    addr_t address;
    __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    return address;
}

static _Noreturn void kernel_trap(struct trap_frame *frame, addr_t address)
{
    dump_frame(frame);
    panic("trap %lu in the kernel at %lx, address %lx", frame->number, frame->rip, address);
}

/* Programs are not told which of the kernel's addresses have something. */
static uint16_t shown_error(const struct trap_frame *frame, addr_t address)
{
    return (uint16_t)(frame->error | (address >= USER_TOP ? FAULT_PRESENT : 0));
}

static void send_fault(const struct trap_frame *frame, int number, int code, addr_t address)
{
    struct signal_info info = {.number = number,
                               .code = code,
                               .address = address,
                               .trap = (uint16_t)frame->number,
                               .error = shown_error(frame, address)};
    signal_force(&info);
}

static void send_page_fault(const struct trap_frame *frame, int error, addr_t address)
{
    switch (error) {
    case ERR_VM_PF_BAD_PERM:
    case ERR_VM_PF_FATAL:
        send_fault(frame, SIGSEGV, SEGV_ACCERR, address);
        break;
    case ERR_VM_PF_PAST_END:
    case ERR_IO:
        send_fault(frame, SIGBUS, BUS_ADRERR, address);
        break;
    case ERR_INTERRUPTED:
        break; /* killed: return_work sees to that */
    default:
        send_fault(frame, SIGSEGV, SEGV_MAPERR, address);
        break;
    }
}

static void user_page_fault(const struct trap_frame *frame, addr_t address)
{
    unsigned access = VM_ACCESS_USER | ((frame->error & FAULT_WRITE)   ? VM_ACCESS_WRITE
                                        : (frame->error & FAULT_FETCH) ? VM_ACCESS_EXECUTE
                                                                       : VM_ACCESS_READ);
    int error = ERR_VM_PF_BAD_ADDRESS;
    addr_t new_ip = 0;
    if (address < USER_TOP)
        error = vm_handle_fault(address, frame->rip, access, &new_ip);
    if (error == VM_OK)
        return;
    if (error == ERR_NO_MEMORY)
        (void)out_of_memory(); /* again, unless it is to die */
    else
        send_page_fault(frame, error, address);
}

/* Whether a copy that failed is worth another try: memory was all that was missing. */
static bool memory_was_missing(addr_t address, unsigned access)
{
    const struct user_memory *memory = thread_current()->memory;
    if (memory == NULL)
        return false;
    int error = vm_fault_aspace(memory->id, address, access);
    return error == VM_OK || (error == ERR_NO_MEMORY && out_of_memory());
}

/* Only the copies of user_copy.S may fault, and only on programs' memory. */
static void kernel_page_fault(struct trap_frame *frame, addr_t address)
{
    unsigned access = (frame->error & FAULT_WRITE) ? VM_ACCESS_WRITE : VM_ACCESS_READ;
    addr_t new_ip = 0;
    if ((frame->rflags & RFLAGS_INTERRUPTS) == 0 || host_fault_handler(frame->rip) == 0)
        kernel_trap(frame, address);
    interrupts_on();
    (void)vm_handle_fault(address, frame->rip, access, &new_ip);
    if (new_ip != 0 && !memory_was_missing(address, access))
        frame->rip = new_ip;
    interrupts_off();
}

void page_fault(struct trap_frame *frame)
{
    addr_t address = fault_address();
    if (!frame_is_user(frame)) {
        kernel_page_fault(frame, address);
        return;
    }
    interrupts_on();
    user_page_fault(frame, address);
}

static void user_exception(const struct trap_frame *frame)
{
    interrupts_on();
    switch (frame->number) {
    case VECTOR_DIVIDE:
        send_fault(frame, SIGFPE, FPE_INTDIV, frame->rip);
        break;
    case VECTOR_X87:
    case VECTOR_SIMD:
        send_fault(frame, SIGFPE, FPE_FLTINV, frame->rip);
        break;
    case VECTOR_DEBUG:
        send_fault(frame, SIGTRAP, TRAP_TRACE, frame->rip);
        break;
    case VECTOR_BREAKPOINT:
        send_fault(frame, SIGTRAP, SI_KERNEL, 0);
        break;
    case VECTOR_INVALID_OPCODE:
        send_fault(frame, SIGILL, ILL_ILLOPN, frame->rip);
        break;
    case VECTOR_ALIGNMENT:
        send_fault(frame, SIGBUS, BUS_ADRALN, 0);
        break;
    case VECTOR_STACK:
        send_fault(frame, SIGBUS, SI_KERNEL, 0);
        break;
    default:
        send_fault(frame, SIGSEGV, SI_KERNEL, 0);
        break;
    }
}

static void interrupt(const struct trap_frame *frame)
{
    unsigned vector = (unsigned)frame->number;
    struct cpu *cpu = cpu_current();
    cpu->interrupt_depth++;
    if (vector == VECTOR_TIMER) {
        interrupt_end(vector);
        timer_interrupt(frame_is_user(frame));
    } else if (vector == VECTOR_PIC + SERIAL_INPUT_LINE) {
        interrupt_end(vector);
        serial_interrupt();
    } else if (vector >= VECTOR_PIC && vector < VECTOR_PIC + 16) {
        /* The device first: its line stays up until it has been asked. */
        virtio_block_interrupt(vector - VECTOR_PIC);
        interrupt_end(vector);
    }
    cpu->interrupt_depth--;
}

void trap_handle(struct trap_frame *frame)
{
    if (frame->number == VECTOR_PAGE_FAULT)
        page_fault(frame);
    else if (frame->number >= VECTOR_PIC)
        interrupt(frame);
    else if (frame->number == VECTOR_NMI || frame->number == VECTOR_DOUBLE_FAULT ||
             frame->number == VECTOR_MACHINE_CHECK || !frame_is_user(frame))
        kernel_trap(frame, fault_address());
    else
        user_exception(frame);
}
