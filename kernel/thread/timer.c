/* SPDX-License-Identifier: MIT */
/* Timers in a list by deadline, and the tick. One hardware shot is always set: for the first timer or
 * the next tick, whichever is earlier. */
#include "thread/scheduler.h"

static struct {
    struct spinlock lock;
    struct timer *first;
    const struct timer *running; /* its function is being called */
    uint64_t next_tick, armed;
} timers;

/* => timers locked */
static void arm(uint64_t now)
{
    uint64_t due = timers.next_tick;
    if (timers.first != NULL && timers.first->deadline < due)
        due = timers.first->deadline;
    if (due == timers.armed)
        return;
    timers.armed = due;
    timer_hardware_set(due > now ? due - now : 0);
}

/* => timers locked */
static void unlink_timer(struct timer *timer)
{
    if (timer->previous != NULL)
        timer->previous->next = timer->next;
    else
        timers.first = timer->next;
    if (timer->next != NULL)
        timer->next->previous = timer->previous;
    timer->set = false;
}

/* => timers locked */
static void link_timer(struct timer *timer)
{
    struct timer *before = NULL, *after = timers.first;
    while (after != NULL && after->deadline <= timer->deadline) {
        before = after;
        after = after->next;
    }
    timer->previous = before;
    timer->next = after;
    if (before != NULL)
        before->next = timer;
    else
        timers.first = timer;
    if (after != NULL)
        after->previous = timer;
    timer->set = true;
}

void timer_set(struct timer *timer, uint64_t deadline, void (*function)(struct timer *timer))
{
    spin_lock(&timers.lock);
    if (timer->set)
        unlink_timer(timer);
    timer->deadline = deadline;
    timer->function = function;
    link_timer(timer);
    if (timers.first == timer)
        arm(time_monotonic());
    spin_unlock(&timers.lock);
}

bool timer_cancel(struct timer *timer)
{
    bool was_set;
    for (;;) {
        spin_lock(&timers.lock);
        was_set = timer->set;
        if (was_set)
            unlink_timer(timer);
        bool running = timers.running == timer;
        spin_unlock(&timers.lock);
        if (!running)
            return was_set;
        __asm__ volatile("pause");
    }
}

/* => timers locked; lets the lock go while a function runs */
static void run_due(uint64_t now)
{
    while (timers.first != NULL && timers.first->deadline <= now) {
        struct timer *timer = timers.first;
        void (*function)(struct timer *) = timer->function;
        unlink_timer(timer);
        timers.running = timer;
        spin_unlock(&timers.lock);
        function(timer);
        spin_lock(&timers.lock);
        timers.running = NULL;
    }
}

static struct {
    uint64_t user, system; /* ns; only this CPU's tick adds to them */
} used;

void timer_get_times(uint64_t *user, uint64_t *system)
{
    *user = __atomic_load_n(&used.user, __ATOMIC_RELAXED);
    *system = __atomic_load_n(&used.system, __ATOMIC_RELAXED);
}

static void account_tick(bool was_user)
{
    struct thread *thread = thread_current();
    __atomic_or_fetch(&thread->work, WORK_RESCHEDULE, __ATOMIC_RELAXED);
    if (thread->process == NULL)
        return;
    __atomic_add_fetch(was_user ? &used.user : &used.system, NS_PER_TICK, __ATOMIC_RELAXED);
    struct process_times *times = &thread->process->times;
    *(was_user ? &times->user : &times->system) += NS_PER_TICK;
}

void timer_interrupt(bool was_user)
{
    uint64_t now = time_monotonic();
    spin_lock(&timers.lock);
    timers.armed = 0;
    run_due(now);
    bool tick = now >= timers.next_tick;
    if (tick)
        timers.next_tick = now - (now - timers.next_tick) % NS_PER_TICK + NS_PER_TICK;
    arm(now);
    spin_unlock(&timers.lock);
    if (tick)
        account_tick(was_user);
}

void timer_init(void)
{
    uint64_t now = time_monotonic();
    spin_lock(&timers.lock);
    timers.next_tick = now + NS_PER_TICK;
    arm(now);
    spin_unlock(&timers.lock);
}
