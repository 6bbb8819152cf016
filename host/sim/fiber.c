/* SPDX-License-Identifier: MIT */
/* Threads: fibers that run one at a time, until they wait, yield or end. Who is next is whoever has
 * been ready longest, or, with a seed, whoever the random numbers say; then each lock and each hook is
 * a place where the turn may change. Either way the same run happens again. */
#include "fiber.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREEMPT_ONE_IN 4
#define MAX_IDLE_STEPS 10000

struct sim_fiber *fiber_all;
static struct sim_fiber main_fiber;
static struct sim_fiber *running = &main_fiber;
static uint64_t ready_count;
static uint64_t random_state;          /* 0: round robin */
static struct sim_scheduler scheduler; /* .choose NULL: there is none */
static uint64_t steps_taken;
static struct sim_fiber *idle; /* who waits for everybody else to be blocked, or NULL */
static unsigned fiber_count;
static unsigned preemption_off;
static bool threads_allowed;
static size_t deepest_stack;
static char failure[1024];
static void (*failure_handler)(const char *text);

/* ---- failing ---- */

void sim_set_failure_handler(void (*handler)(const char *text))
{
    failure_handler = handler;
}

static _Noreturn void fail_on_main(void)
{
    char text[sizeof(failure)];
    memcpy(text, failure, sizeof(text));
    failure[0] = '\0';
    if (failure_handler != NULL)
        failure_handler(text);
    fprintf(stderr, "%s\n%s\n", text, sim_log_text());
    abort();
}

/* The test's frames are on the main fiber's stack, so that is where failures are thrown. */
void fiber_fail(const char *text)
{
    snprintf(failure, sizeof(failure), "%s", text);
    if (running != &main_fiber) {
        struct sim_fiber *failed = running;
        running = &main_fiber;
        idle = NULL;
        main_fiber.state = FIBER_RUNNING;
        stack_switch(&failed->stack, &main_fiber.stack, false);
    }
    fail_on_main();
}

void sim_fail(const char *format, ...)
{
    char text[sizeof(failure)];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fiber_fail(text);
}

/* ---- whose turn it is ---- */

struct sim_fiber *fiber_running(void)
{
    return running;
}

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static unsigned count_ready(void)
{
    unsigned ready = 0;
    for (struct sim_fiber *f = fiber_all; f != NULL; f = f->next)
        ready += f->state == FIBER_READY;
    return ready;
}

static struct sim_fiber *choose_oldest(void)
{
    struct sim_fiber *oldest = NULL;
    for (struct sim_fiber *f = fiber_all; f != NULL; f = f->next)
        if (f->state == FIBER_READY && (oldest == NULL || f->order < oldest->order))
            oldest = f;
    return oldest;
}

static struct sim_fiber *choose_random(void)
{
    unsigned ready = count_ready();
    if (ready == 0)
        return NULL;
    uint64_t pick = next_random() % ready;
    struct sim_fiber *f = fiber_all;
    while (f->state != FIBER_READY || pick-- > 0)
        f = f->next;
    return f;
}

static struct sim_fiber *find_fiber(unsigned number)
{
    struct sim_fiber *f = fiber_all;
    while (f != NULL && f->number != number)
        f = f->next;
    return f;
}

static void describe_choice(struct sim_choice *choice)
{
    choice->count = 0;
    for (struct sim_fiber *f = fiber_all; f != NULL && choice->count < SIM_MAX_READY; f = f->next)
        if (f->state == FIBER_READY)
            choice->ready[choice->count++] = f->number;
}

static struct sim_fiber *ask_scheduler(const struct sim_choice *choice)
{
    struct sim_fiber *next = find_fiber(scheduler.choose(scheduler.argument, choice));
    if (next == NULL || (next->state != FIBER_READY && next != running))
        sim_fail("the scheduler has chosen a fiber that can't run");
    return next;
}

static struct sim_fiber *choose(void)
{
    if (scheduler.choose == NULL)
        return random_state == 0 ? choose_oldest() : choose_random();
    struct sim_choice choice = {.running = SIM_NOBODY};
    describe_choice(&choice);
    if (choice.count < 2)
        return choice.count == 0 ? NULL : find_fiber(choice.ready[0]);
    return ask_scheduler(&choice);
}

void fiber_make_ready(struct sim_fiber *fiber)
{
    fiber->state = FIBER_READY;
    fiber->order = ++ready_count;
}

static void switch_to(struct sim_fiber *next)
{
    struct sim_fiber *previous = running;
    next->state = FIBER_RUNNING;
    if (next == previous)
        return;
    running = next;
    stack_switch(&previous->stack, &next->stack, previous->state == FIBER_ENDED);
    if (failure[0] != '\0')
        fail_on_main();
    cpu_load(running->cpu, running->aid);
}

/* Says who waits; whether one of them waits for what has happened already. */
static bool describe_waiters(void)
{
    bool lost = false;
    for (struct sim_fiber *f = fiber_all; f != NULL; f = f->next) {
        if (f->state != FIBER_WAITING)
            continue;
        bool changed = __atomic_load_n(f->address, __ATOMIC_RELAXED) != f->expected;
        log_print("sim: fiber \"%s\" waits at %p%s\n", f->name, (const void *)f->address,
                  changed ? ", which has changed since" : "");
        lost |= changed;
    }
    return lost;
}

static _Noreturn void fail_with_deadlock(void)
{
    bool lost = describe_waiters();
    sim_fail("%s: everybody waits\n%s", lost ? "lost wake-up" : "deadlock", sim_log_text());
}

/* Time passes for the core's own threads without an end, so a test whose fibers all wait for ever
 * is recognized by the number of steps. */
void fiber_block(void)
{
    struct sim_fiber *next = choose();
    for (unsigned steps = 0; next == NULL; next = choose()) {
        if (idle != NULL) {
            next = idle;
            idle = NULL;
            break;
        }
        if (!wait_pass_time() || ++steps > MAX_IDLE_STEPS)
            fail_with_deadlock();
    }
    switch_to(next);
}

void sim_yield(void)
{
    fiber_make_ready(running);
    switch_to(choose());
}

static void step_by_chance(void)
{
    if (random_state != 0 && next_random() % PREEMPT_ONE_IN == 0)
        sim_yield();
}

static void step_by_scheduler(void)
{
    struct sim_choice choice = {.running = running->number};
    describe_choice(&choice);
    if (choice.count == 0)
        return;
    struct sim_fiber *next = ask_scheduler(&choice);
    if (next == running)
        return;
    fiber_make_ready(running);
    switch_to(next);
}

void fiber_step(void)
{
    if ((scheduler.choose == NULL && random_state == 0 && !tlb_is_hostile()) || preemption_off > 0)
        return;
    steps_taken++;
    tlb_step();
    if (scheduler.choose != NULL)
        step_by_scheduler();
    else
        step_by_chance();
}

void sim_set_scheduler(const struct sim_scheduler *chosen)
{
    scheduler = chosen != NULL ? *chosen : (struct sim_scheduler){0};
}

uint64_t sim_steps(void)
{
    return steps_taken;
}

void fiber_hold_turn(bool hold)
{
    if (hold)
        preemption_off++;
    else
        preemption_off--;
}

/* ---- beginning and ending ---- */

/* Where every fiber begins. */
void fiber_main(void)
{
    stack_entered(&running->stack);
    cpu_load(running->cpu, running->aid);
    running->result = running->function(running->argument);
#if defined(VM_TEST)
    if (running->held.count != 0)
        sim_fail("fiber \"%s\" ends with %u locks held", running->name, running->held.count);
#endif
    running->state = FIBER_ENDED;
    size_t used = stack_used(&running->stack);
    if (used > deepest_stack)
        deepest_stack = used;
    fiber_block();
    abort();
}

static void append(struct sim_fiber *fiber)
{
    struct sim_fiber **link = &fiber_all;
    fiber->number = ++fiber_count;
    while (*link != NULL)
        link = &(*link)->next;
    *link = fiber;
}

static sim_fiber *create(const char *name, int (*function)(void *), void *argument)
{
    struct sim_fiber *fiber = calloc(1, sizeof(*fiber));
    if (fiber == NULL)
        abort();
    snprintf(fiber->name, sizeof(fiber->name), "%s", name);
    fiber->function = function;
    fiber->argument = argument;
    fiber->aid = ERR_VM_INVALID_ASPACE;
    stack_create(&fiber->stack);
    append(fiber);
    fiber_make_ready(fiber);
    return fiber;
}

sim_fiber *sim_spawn_on(unsigned cpu, aspace_id aid, const char *name, int (*function)(void *),
                        void *argument)
{
    cpu_know(aid);
    sim_fiber *fiber = create(name, function, argument);
    fiber->spawned = true;
    fiber->cpu = cpu;
    fiber->aid = aid;
    return fiber;
}

sim_fiber *sim_spawn(const char *name, int (*function)(void *), void *argument)
{
    return sim_spawn_on(running->cpu, running->aid, name, function, argument);
}

int host_thread_create(const char *name, int (*function)(void *), void *argument)
{
    if (!threads_allowed)
        sim_fail("host_thread_create before vm_init_postthread");
    create(name, function, argument);
    return VM_OK;
}

void fiber_start(const struct sim_config *config)
{
    main_fiber = (struct sim_fiber){.name = "main", .aid = ERR_VM_INVALID_ASPACE};
    main_fiber.state = FIBER_RUNNING;
    stack_adopt_own(&main_fiber.stack);
    fiber_all = running = &main_fiber;
    random_state = config->seed;
    preemption_off = 0;
    scheduler = (struct sim_scheduler){0};
    steps_taken = 0;
    idle = NULL;
    fiber_count = 0;
    threads_allowed = false;
    ready_count = 0;
    failure[0] = '\0';
    wait_start();
}

void sim_allow_threads(void)
{
    threads_allowed = true;
}

void fiber_stop(void)
{
    for (struct sim_fiber *f = fiber_all; f != NULL;) {
        struct sim_fiber *next = f->next;
        if (f != &main_fiber) {
            stack_destroy(&f->stack);
            free(f);
        }
        f = next;
    }
    fiber_all = NULL;
}

unsigned fiber_report(void)
{
    unsigned unfinished = 0;
    for (struct sim_fiber *f = fiber_all; f != NULL; f = f->next) {
        if (f == &main_fiber || f->state == FIBER_ENDED)
            continue;
        log_print("sim: fiber \"%s\" has not ended\n", f->name);
        unfinished++;
    }
    return unfinished;
}

static unsigned count_unfinished(void)
{
    unsigned unfinished = 0;
    for (struct sim_fiber *f = fiber_all; f != NULL; f = f->next)
        unfinished += f->spawned && f->state != FIBER_ENDED;
    return unfinished;
}

unsigned sim_run_until_blocked(void)
{
    struct sim_fiber *next = choose();
    if (next != NULL) {
        running->state = FIBER_IDLE;
        idle = running;
        switch_to(next);
    }
    return count_unfinished();
}

void sim_run(void)
{
    unsigned steps = 0;
    while (sim_run_until_blocked() > 0)
        if (!wait_pass_time() || ++steps > MAX_IDLE_STEPS)
            fail_with_deadlock();
}

/* ---- what the running fiber is ---- */

unsigned fiber_cpu(void)
{
    return running->cpu;
}

unsigned host_cpu_id(void)
{
    return running->cpu;
}

vm_address_space *host_current_aspace(void)
{
    return cpu_aspace(running->aid);
}

void sim_set_cpu(unsigned cpu)
{
    if (cpu >= cpu_count())
        sim_fail("there is no CPU %u", cpu);
    running->cpu = cpu;
    cpu_load(cpu, running->aid);
}

void sim_set_aspace(aspace_id aid)
{
    cpu_know(aid);
    running->aid = aid;
    cpu_load(running->cpu, aid);
    cpu_forget_unused();
}

bool fiber_uses_aspace(aspace_id aid)
{
    if (aid == vm_get_kernel_aspace_id())
        return true;
    for (struct sim_fiber *f = fiber_all; f != NULL; f = f->next)
        if (f->state != FIBER_ENDED && f->aid == aid)
            return true;
    return false;
}

bool sim_fiber_ended(const sim_fiber *fiber)
{
    return fiber->state == FIBER_ENDED;
}

unsigned sim_fiber_number(const sim_fiber *fiber)
{
    return fiber->number;
}

int sim_fiber_result(const sim_fiber *fiber)
{
    return fiber->result;
}

size_t sim_deepest_stack(void)
{
    return deepest_stack;
}

#if defined(VM_TEST)
void host_step(void)
{
    fiber_step();
}

struct vm_held_locks *host_held_locks(void)
{
    return &running->held;
}
#endif
