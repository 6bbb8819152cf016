/* SPDX-License-Identifier: MIT */
/* Waiting, waking and the clock. The clock moves by a nanosecond whenever somebody looks, and to the
 * next deadline when nobody can run. */
#include "fiber.h"

static uint64_t now_ns;
static uint64_t waits;
static bool waiting_allowed;
static bool wakes_lost;

void wait_start(void)
{
    now_ns = waits = 0;
    waiting_allowed = false;
    wakes_lost = false;
}

void sim_lose_wakes(void)
{
    wakes_lost = true;
}

void sim_allow_waiting(void)
{
    waiting_allowed = true;
}

uint64_t host_time_ns(void)
{
    return ++now_ns;
}

static void end_wait(struct sim_fiber *fiber, int result)
{
    fiber->wait_result = result;
    fiber_make_ready(fiber);
}

int host_wait(uint32_t *address, uint32_t expected, uint64_t deadline, bool killable)
{
    struct sim_fiber *self = fiber_running();
    if (!waiting_allowed)
        sim_fail("host_wait before vm_init_postsem");
    fiber_step();
    if (killable && self->killed)
        return ERR_INTERRUPTED;
    if (__atomic_load_n(address, __ATOMIC_RELAXED) != expected)
        return VM_OK;
    if (deadline <= now_ns)
        return ERR_TIMED_OUT;
    self->state = FIBER_WAITING;
    self->address = address;
    self->expected = expected;
    self->deadline = deadline;
    self->killable = killable;
    self->order = ++waits;
    fiber_block();
    return self->wait_result;
}

/* The one that has waited longest is the one with the lowest order. */
static struct sim_fiber *find_waiter(const uint32_t *address)
{
    struct sim_fiber *first = NULL;
    for (struct sim_fiber *f = fiber_all; f != NULL; f = f->next)
        if (f->state == FIBER_WAITING && f->address == address &&
            (first == NULL || f->order < first->order))
            first = f;
    return first;
}

void host_wake(uint32_t *address, uint32_t count)
{
    fiber_step();
    if (wakes_lost)
        return;
    for (struct sim_fiber *f; count > 0 && (f = find_waiter(address)) != NULL; count--)
        end_wait(f, VM_OK);
}

bool wait_pass_time(void)
{
    struct sim_fiber *first = NULL;
    for (struct sim_fiber *f = fiber_all; f != NULL; f = f->next)
        if (f->state == FIBER_WAITING && f->deadline != VM_NO_DEADLINE &&
            (first == NULL || f->deadline < first->deadline))
            first = f;
    if (first == NULL)
        return false;
    if (first->deadline > now_ns)
        now_ns = first->deadline;
    end_wait(first, ERR_TIMED_OUT);
    return true;
}

void sim_sleep(uint64_t nanoseconds)
{
    uint32_t never = 0;
    uint64_t deadline = now_ns + nanoseconds;
    while (now_ns < deadline)
        (void)host_wait(&never, 0, deadline, false);
}

void sim_kill(sim_fiber *fiber)
{
    fiber->killed = true;
    if (fiber->state == FIBER_WAITING && fiber->killable)
        end_wait(fiber, ERR_INTERRUPTED);
}
