/* SPDX-License-Identifier: MIT */
/* Waiting at an address. Waiters hang in buckets by the address's hash; whoever ends a wait (a wake,
 * the deadline, a signal) takes the waiter out of its bucket and says why. */
#include <kernel/errno.h>
#include <quire/host.h>
#include "thread/scheduler.h"

#define BUCKETS 256

struct bucket {
    struct spinlock lock;
    uint32_t waiters; /* counted before the address is read: wakers look at it without the lock */
    struct thread *first, *last;
};

static struct bucket buckets[BUCKETS];

static struct bucket *bucket_of(const uint32_t *address)
{
    return &buckets[((uintptr_t)address * 0x9e3779b97f4a7c15ull) >> 56];
}

/* => bucket locked */
static void append(struct bucket *bucket, struct thread *thread)
{
    thread->wait_next = NULL;
    if (bucket->first == NULL)
        bucket->first = thread;
    else
        bucket->last->wait_next = thread;
    bucket->last = thread;
}

/* Takes out the waiter behind *link and lets it go on. => bucket locked */
static void end_wait(struct bucket *bucket, struct thread **link, struct thread *before, int result)
{
    struct thread *thread = *link;
    *link = thread->wait_next;
    if (bucket->last == thread)
        bucket->last = before;
    thread->wait_result = result;
    __atomic_store_n(&thread->wait_address, NULL, __ATOMIC_RELAXED);
    thread_make_ready(thread);
}

/* The same for one thread, if it still waits in this bucket. => bucket locked */
static void end_wait_of(struct bucket *bucket, struct thread *thread, int result)
{
    struct thread *before = NULL;
    for (struct thread **link = &bucket->first; *link != NULL; link = &before->wait_next) {
        if (*link == thread) {
            end_wait(bucket, link, before, result);
            return;
        }
        before = *link;
    }
}

static void wait_timed_out(struct timer *timer)
{
    struct thread *thread =
        (struct thread *)((uintptr_t)timer - offsetof(struct thread, wait_timer));
    uint32_t *address = __atomic_load_n(&thread->wait_address, __ATOMIC_RELAXED);
    if (address == NULL)
        return;
    struct bucket *bucket = bucket_of(address);
    spin_lock(&bucket->lock);
    end_wait_of(bucket, thread, -ETIMEDOUT);
    spin_unlock(&bucket->lock);
}

bool thread_interrupted(int mode)
{
    const struct process *process = process_current();
    if (mode == WAIT_ALWAYS || process == NULL)
        return false;
    if (__atomic_load_n(&process->killed, __ATOMIC_RELAXED))
        return true;
    return mode == WAIT_INTERRUPTIBLE && signal_pending();
}

bool thread_should_stop(int mode)
{
    if (__atomic_load_n(&thread_current()->work, __ATOMIC_RELAXED) & WORK_RESCHEDULE) {
        __atomic_and_fetch(&thread_current()->work, ~WORK_RESCHEDULE, __ATOMIC_RELAXED);
        thread_yield();
    }
    return thread_interrupted(mode);
}

/* Puts the running thread into the bucket; 1 if it is to sleep now, or the result.
 * => bucket locked */
static int begin_wait(struct bucket *bucket, uint32_t *address, uint32_t expected,
                      uint64_t deadline, int mode)
{
    struct thread *thread = thread_current();
    if (__atomic_load_n(address, __ATOMIC_SEQ_CST) != expected)
        return 0;
    if (deadline != VM_NO_DEADLINE && time_monotonic() >= deadline)
        return -ETIMEDOUT;
    /* A sender of signals sets the thread's work, then looks for its address: one of us sees. */
    thread->wait_mode = mode;
    __atomic_store_n(&thread->wait_address, address, __ATOMIC_SEQ_CST);
    if (thread_interrupted(mode)) {
        thread->wait_address = NULL;
        return -EINTR;
    }
    thread->wait_result = 0;
    thread->state = THREAD_WAITING;
    append(bucket, thread);
    return 1;
}

int thread_wait(uint32_t *address, uint32_t expected, uint64_t deadline, int mode)
{
    struct thread *thread = thread_current();
    struct bucket *bucket = bucket_of(address);
    __atomic_add_fetch(&bucket->waiters, 1, __ATOMIC_SEQ_CST);
    spin_lock(&bucket->lock);
    int result = begin_wait(bucket, address, expected, deadline, mode);
    if (result == 1 && deadline != VM_NO_DEADLINE)
        timer_set(&thread->wait_timer, deadline, wait_timed_out);
    spin_unlock(&bucket->lock);
    if (result == 1) {
        bool interrupts = interrupts_save();
        schedule();
        interrupts_restore(interrupts);
        if (deadline != VM_NO_DEADLINE)
            timer_cancel(&thread->wait_timer);
        result = thread->wait_result;
    }
    __atomic_sub_fetch(&bucket->waiters, 1, __ATOMIC_RELAXED);
    return result;
}

void thread_wake(uint32_t *address, uint32_t count)
{
    struct bucket *bucket = bucket_of(address);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&bucket->waiters, __ATOMIC_RELAXED) == 0)
        return;
    spin_lock(&bucket->lock);
    struct thread *before = NULL;
    struct thread **link = &bucket->first;
    while (*link != NULL && count > 0) {
        if ((*link)->wait_address == address) {
            end_wait(bucket, link, before, 0);
            count--;
        } else {
            before = *link;
            link = &before->wait_next;
        }
    }
    spin_unlock(&bucket->lock);
}

void thread_interrupt(struct thread *thread)
{
    uint32_t *address = __atomic_load_n(&thread->wait_address, __ATOMIC_SEQ_CST);
    if (address == NULL)
        return;
    struct bucket *bucket = bucket_of(address);
    spin_lock(&bucket->lock);
    if (thread->wait_mode == WAIT_INTERRUPTIBLE ||
        (thread->wait_mode == WAIT_KILLABLE && thread->process->killed))
        end_wait_of(bucket, thread, -EINTR);
    spin_unlock(&bucket->lock);
}

int thread_sleep_until(uint64_t deadline, int mode)
{
    uint32_t nobody_changes_this = 0;
    for (;;) {
        int error = thread_wait(&nobody_changes_this, 0, deadline, mode);
        if (error == -ETIMEDOUT)
            return 0;
        if (error != 0)
            return error;
    }
}

int host_wait(uint32_t *address, uint32_t expected, uint64_t deadline, bool killable)
{
    int error = thread_wait(address, expected, deadline, killable ? WAIT_KILLABLE : WAIT_ALWAYS);
    return error == 0 ? VM_OK : error == -ETIMEDOUT ? ERR_TIMED_OUT : ERR_INTERRUPTED;
}

void host_wake(uint32_t *address, uint32_t count)
{
    thread_wake(address, count);
}
