/* SPDX-License-Identifier: MIT */
/* From the number to the function. */
#include "calls.h"
#include "fs/vnode.h"
#include <kernel/log.h>
#include <kernel/process.h>

enum { LINUX_LIMIT = 512, USER_VM_LIMIT = 6 };

typedef int64_t (*system_call)(struct trap_frame *frame);

#define ENTRY(number, name) [number] = sys_##name,
static const system_call linux_calls[LINUX_LIMIT] = {LINUX_CALLS(ENTRY)};
static const system_call user_vm_calls[USER_VM_LIMIT] = {USER_VM_CALLS(ENTRY)};

/* Says it once for each number; those beyond the table share one. */
static int64_t unknown_call(uint64_t number)
{
    static uint8_t said[LINUX_LIMIT + 1];
    uint8_t *flag = &said[number < LINUX_LIMIT ? number : LINUX_LIMIT];
    if (__atomic_exchange_n(flag, 1, __ATOMIC_RELAXED) == 0)
        log_printf("%s: system call %lu isn't there: ENOSYS\n", process_current()->name, number);
    return -ENOSYS;
}

static int64_t other_call(struct trap_frame *frame)
{
    uint64_t index = frame->number - FIRST_USER_VM_CALL;
    if (index >= USER_VM_LIMIT)
        return unknown_call(frame->number);
    return user_vm_calls[index](frame);
}

int64_t syscall_dispatch(struct trap_frame *frame)
{
    int64_t result;
    if (frame->number < LINUX_LIMIT && linux_calls[frame->number] != NULL)
        result = linux_calls[frame->number](frame);
    else
        result = other_call(frame);
    vnode_reap();
    return result;
}
