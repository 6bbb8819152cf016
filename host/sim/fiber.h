/* SPDX-License-Identifier: MIT */
/* What a fiber is; for fiber.c (the threads), stack.c (their stacks) and wait.c (their waits). */
#ifndef QUIRE_SIM_FIBER_H
#define QUIRE_SIM_FIBER_H

#include "internal.h"
#include "../../vm/lock.h"

/* IDLE: it runs again when nobody else can. */
enum fiber_state { FIBER_READY, FIBER_RUNNING, FIBER_WAITING, FIBER_IDLE, FIBER_ENDED };

struct fiber_stack {
    uint8_t *base;
    size_t size;
    bool mapped; /* false: the process's own */
    void *pointer;
    void *annotation; /* the sanitizer's */
};

struct sim_fiber {
    char name[VM_NAME_LENGTH];
    enum fiber_state state;
    unsigned number;
    bool spawned; /* by a test, which waits for its end; others are the core's */
    bool killed;
    int (*function)(void *);
    void *argument;
    int result;
    unsigned cpu;
    aspace_id aid;
    struct fiber_stack stack;
    uint64_t order; /* in which it became ready or began to wait */
    /* while waiting */
    const uint32_t *address;
    uint32_t expected;
    uint64_t deadline;
    bool killable;
    int wait_result;
#if defined(VM_TEST)
    struct vm_held_locks held;
#endif
    struct sim_fiber *next; /* all fibers, the oldest first */
};

/* ---- stack.c ---- */
void stack_create(struct fiber_stack *stack);
void stack_destroy(struct fiber_stack *stack);
void stack_adopt_own(struct fiber_stack *stack);
/* Leaves `from`, for good if it is `ended`, and goes on on `to`. */
void stack_switch(struct fiber_stack *from, struct fiber_stack *to, bool ended);
/* The first thing on a new stack. */
void stack_entered(struct fiber_stack *stack);
size_t stack_used(const struct fiber_stack *stack);

/* ---- fiber.c ---- */
extern struct sim_fiber *fiber_all;
_Noreturn void fiber_main(void);
struct sim_fiber *fiber_running(void);
void fiber_make_ready(struct sim_fiber *fiber);
/* The running fiber is no longer ready: another one runs. Returns when it is made ready again. */
void fiber_block(void);

/* ---- wait.c ---- */
void wait_start(void);
/* Nothing is ready: lets the time pass to the next deadline. False where there is none. */
bool wait_pass_time(void);

#endif
