/* SPDX-License-Identifier: MIT */
/* What may happen to the requests to a file or a device: they fail, or wait, on request. */
#include "internal.h"

int request_failure(struct request_plan *plan)
{
    if (plan->next == 0)
        return VM_OK;
    if (plan->next > 1) {
        plan->next--;
        return VM_OK;
    }
    if (plan->times == 0)
        return VM_OK;
    plan->times--;
    return plan->error;
}

void request_block(uint32_t *blocked, bool block)
{
    *blocked = block;
    if (!block)
        host_wake(blocked, UINT32_MAX);
}

void request_wait(uint32_t *blocked, unsigned *waiting)
{
    (*waiting)++;
    while (*blocked != 0)
        (void)host_wait(blocked, 1, VM_NO_DEADLINE, false);
    (*waiting)--;
}
