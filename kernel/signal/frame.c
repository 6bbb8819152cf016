/* SPDX-License-Identifier: MIT */
/* A signal handler's frame on the program's stack, exactly as Linux lays it out: programs read it. */
#include <kernel/errno.h>
#include <kernel/string.h>
#include "fs/user_copy.h"
#include "process/tree.h"
#include "signal/state.h"
#include "thread/scheduler.h"

#define RED_ZONE 128
#define FPU_SIZE 512
#define FPU_ALIGNMENT 64
#define FPU_MXCSR 24
#define FPU_USED 416 /* the CPU neither reads nor writes what is behind */
#define MXCSR_VALID 0xffffu

#define UC_SIGCONTEXT_SS 2u
#define UC_STRICT_RESTORE_SS 4u

#define FLAG_TRAP 0x100u
#define FLAG_DIRECTION 0x400u
#define FLAG_RESUME 0x10000u
/* What a program may set: CF PF AF ZF SF TF DF OF RF AC. */
#define FLAGS_FOR_PROGRAMS 0x50dd5u
#define FLAGS_ALWAYS 0x202u

struct sigcontext {
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, flags;
    uint16_t cs, gs, fs, ss;
    uint64_t error, trap, old_mask, cr2;
    uint64_t fpu;
    uint64_t reserved[8];
};

struct linux_stack {
    uint64_t base;
    int32_t flags, padding;
    uint64_t size;
};

struct ucontext {
    uint64_t flags, link;
    struct linux_stack stack;
    struct sigcontext registers;
    uint64_t mask;
};

struct signal_frame {
    uint64_t return_address;
    struct ucontext context;
    struct linux_siginfo info;
};
_Static_assert(sizeof(struct sigcontext) == 256, "Linux's");
_Static_assert(sizeof(struct ucontext) == 304, "Linux's");
_Static_assert(sizeof(struct linux_siginfo) == 128, "Linux's");
_Static_assert(sizeof(struct signal_frame) == 440, "Linux's");

static void save_registers(const struct trap_frame *f, struct sigcontext *r)
{
    *r = (struct sigcontext){
        .r8 = f->r8,
        .r9 = f->r9,
        .r10 = f->r10,
        .r11 = f->r11,
        .r12 = f->r12,
        .r13 = f->r13,
        .r14 = f->r14,
        .r15 = f->r15,
        .rdi = f->rdi,
        .rsi = f->rsi,
        .rbp = f->rbp,
        .rbx = f->rbx,
        .rdx = f->rdx,
        .rax = f->rax,
        .rcx = f->rcx,
        .rsp = f->rsp,
        .rip = f->rip,
        .flags = f->rflags,
        .cs = (uint16_t)f->cs,
        .ss = (uint16_t)f->ss,
    };
}

static void restore_registers(struct trap_frame *f, const struct sigcontext *r)
{
    *f = (struct trap_frame){
        .r8 = r->r8,
        .r9 = r->r9,
        .r10 = r->r10,
        .r11 = r->r11,
        .r12 = r->r12,
        .r13 = r->r13,
        .r14 = r->r14,
        .r15 = r->r15,
        .rdi = r->rdi,
        .rsi = r->rsi,
        .rbp = r->rbp,
        .rbx = r->rbx,
        .rdx = r->rdx,
        .rax = r->rax,
        .rcx = r->rcx,
        .rsp = r->rsp,
        .rip = r->rip,
        .rflags = (r->flags & FLAGS_FOR_PROGRAMS) | FLAGS_ALWAYS,
        .cs = SELECTOR_USER_CODE,
        .ss = SELECTOR_USER_DATA,
    };
}

/* Where the frame and the FPU's state go; false when they run over the alternate stack. */
static bool place(const struct trap_frame *frame, const struct signal_action *action,
                  uint64_t *frame_at, uint64_t *fpu_at)
{
    const struct signal_stack *stack = &process_current()->signals->stack;
    bool enabled = !(stack->flags & SS_DISABLE);
    bool on_it = enabled && signal_on_stack(stack, frame->rsp);
    uint64_t top = frame->rsp - RED_ZONE;
    if ((action->flags & SA_ONSTACK) && enabled && !on_it) {
        top = stack->base + stack->size;
        on_it = true;
    }
    *fpu_at = (top - FPU_SIZE) & ~(uint64_t)(FPU_ALIGNMENT - 1);
    *frame_at = ((*fpu_at - sizeof(struct signal_frame)) & ~15ull) - 8;
    if (*frame_at >= USER_TOP)
        return false;
    return !on_it || signal_on_stack(stack, *frame_at);
}

static void fill(struct signal_frame *to, const struct trap_frame *frame,
                 const struct signal_info *info, const struct signal_action *action,
                 uint64_t old_mask)
{
    const struct signal_stack *stack = &process_current()->signals->stack;
    memset(to, 0, sizeof(*to));
    to->return_address = action->restorer;
    to->context.flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
    bool disabled = (stack->flags & SS_DISABLE) != 0;
    to->context.stack = (struct linux_stack){
        .base = stack->base,
        .flags = disabled                             ? SS_DISABLE
                 : signal_on_stack(stack, frame->rsp) ? SS_ONSTACK
                                                      : 0,
        .size = stack->size,
    };
    save_registers(frame, &to->context.registers);
    if (info->code > 0 && info->code != SI_KERNEL)
        to->context.registers.cr2 = info->address;
    to->context.registers.trap = info->trap;
    to->context.registers.error = info->error;
    to->context.registers.old_mask = old_mask;
    to->context.mask = old_mask;
    siginfo_to_linux(info, &to->info);
}

bool signal_frame_push(struct trap_frame *frame, const struct signal_info *info,
                       const struct signal_action *action, uint64_t old_mask)
{
    struct signal_frame to;
    struct thread *thread = thread_current();
    uint64_t frame_at, fpu_at;
    if (!(action->flags & SA_RESTORER) || action->handler >= USER_TOP ||
        !place(frame, action, &frame_at, &fpu_at))
        return false;
    fill(&to, frame, info, action, old_mask);
    to.context.registers.fpu = fpu_at;
    fpu_save(thread);
    if (copy_to_user((void *)fpu_at, thread->fpu, FPU_SIZE) != 0 ||
        copy_to_user((void *)frame_at, &to, sizeof(to)) != 0)
        return false;
    frame->rdi = (uint64_t)info->number;
    frame->rsi = frame_at + offsetof(struct signal_frame, info);
    frame->rdx = frame_at + offsetof(struct signal_frame, context);
    frame->rax = 0;
    frame->rip = action->handler;
    frame->rsp = frame_at;
    frame->rflags &= ~(uint64_t)(FLAG_TRAP | FLAG_DIRECTION | FLAG_RESUME);
    return true;
}

/* Bits of MXCSR that the CPU doesn't know would be a trap in the kernel. */
static bool restore_fpu(uint64_t from)
{
    uint8_t state[FPU_SIZE] __attribute__((aligned(16)));
    struct thread *thread = thread_current();
    uint32_t mxcsr;
    if (from == 0) {
        fpu_reset(thread);
        fpu_load(thread->fpu);
        return true;
    }
    if (copy_from_user(state, (const void *)from, FPU_USED) != 0)
        return false;
    memcpy(&mxcsr, state + FPU_MXCSR, sizeof(mxcsr));
    mxcsr &= MXCSR_VALID;
    memcpy(state + FPU_MXCSR, &mxcsr, sizeof(mxcsr));
    fpu_load(state);
    return true;
}

int64_t signal_return(struct trap_frame *frame)
{
    struct process *process = process_current();
    struct ucontext context;
    uint64_t from = frame->rsp - sizeof(uint64_t) + offsetof(struct signal_frame, context);
    if (copy_from_user(&context, (const void *)from, sizeof(context)) != 0 ||
        context.registers.rip >= USER_TOP || !restore_fpu(context.registers.fpu)) {
        struct signal_info failed = {.number = SIGSEGV, .code = SI_KERNEL};
        signal_force(&failed);
        return 0;
    }
    spin_lock(&process_lock);
    signals_set_blocked(process, context.mask);
    spin_unlock(&process_lock);
    restore_registers(frame, &context.registers);
    struct signal_stack stack = {context.stack.base, context.stack.flags, context.stack.size};
    (void)signal_set_stack(&stack, NULL, frame);
    frame_changed();
    return (int64_t)frame->rax;
}
