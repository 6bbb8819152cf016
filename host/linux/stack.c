/* SPDX-License-Identifier: MIT */
/* Where a fault is resolved: on the alternate stack, as the handler was told, unless that has little room (8 KiB are
 * usual); then on the stack that was interrupted, as if there were no other. Meanwhile the alternate stack isn't
 * Linux's to use, or a fault within would begin at its top again, over the frame that is there. Where the interrupted
 * stack is no place either, being the alternate one itself (a handler that runs there has faulted) or in a region, a
 * stack is mapped for the fault. */
#include "stack.h"

#include "linux.h"

#include <sys/mman.h>

#define ROOM (16 * 1024)
#define MAPPED ((size_t)256 * 1024)
#define RED_ZONE 128

static bool is_in(addr_t address, const stack_t *stack)
{
    return address - (addr_t)stack->ss_sp < stack->ss_size;
}

static addr_t interrupted_at(const ucontext_t *context)
{
    return (addr_t)context->uc_mcontext.gregs[REG_RSP] - RED_ZONE;
}

static bool has_room(const ucontext_t *context)
{
    const stack_t *stack = &context->uc_stack;
    addr_t here = (addr_t)__builtin_frame_address(0);
    return !is_in(here, stack) || here - (addr_t)stack->ss_sp >= ROOM;
}

static bool can_go_on(const ucontext_t *context)
{
    addr_t at = interrupted_at(context);
    return !is_in(at, &context->uc_stack) && !is_regions(at);
}

static bool call_at(addr_t stack, bool (*function)(void *), void *argument)
{
    bool result;
    __asm__ volatile("movq %%rsp, %%rbx\n\t"
                     "movq %[stack], %%rsp\n\t"
                     "callq *%[function]\n\t"
                     "movq %%rbx, %%rsp"
                     : "=a"(result), "+D"(argument)
                     : [stack] "r"(stack & ~(addr_t)15), [function] "r"(function)
                     : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc", "xmm0",
                       "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                       "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    return result;
}

struct elsewhere {
    bool (*function)(void *);
    void *argument;
};

static bool run(void *of)
{
    const struct elsewhere *elsewhere = of;
    stack_t none = {.ss_flags = SS_DISABLE}, before;
    bool disabled = sigaltstack(&none, &before) == 0;
    bool result = elsewhere->function(elsewhere->argument);
    if (disabled && !(before.ss_flags & SS_DISABLE))
        (void)sigaltstack(&before, NULL);
    return result;
}

/* False also where Linux has no room for it. */
static bool run_on_mapped(struct elsewhere *elsewhere)
{
    char *stack = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED)
        return false;
    (void)mprotect(stack, VM_PAGE_SIZE, PROT_NONE); /* what overruns it must not go unseen */
    bool result = call_at((addr_t)stack + MAPPED, run, elsewhere);
    munmap(stack, MAPPED);
    return result;
}

bool stack_with_room(const ucontext_t *context, bool (*function)(void *), void *argument)
{
    struct elsewhere elsewhere = {function, argument};
    if (has_room(context))
        return function(argument);
    return can_go_on(context) ? call_at(interrupted_at(context), run, &elsewhere)
                              : run_on_mapped(&elsewhere);
}
