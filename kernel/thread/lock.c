/* SPDX-License-Identifier: MIT */
/* Spinlocks, and the locks that sleep: the latter are a word each, on which thread_wait and thread_wake
 * do the rest. */
#include <kernel/errno.h>
#include <kernel/thread.h>

void spin_lock(struct spinlock *lock)
{
    bool interrupts = interrupts_save();
    while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE) != 0)
        __asm__ volatile("pause");
    lock->interrupts = interrupts;
}

void spin_unlock(struct spinlock *lock)
{
    bool interrupts = lock->interrupts;
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
    interrupts_restore(interrupts);
}

enum { MUTEX_FREE, MUTEX_HELD, MUTEX_WAITED_FOR };

bool mutex_try_lock(struct mutex *mutex)
{
    uint32_t expected = MUTEX_FREE;
    return __atomic_compare_exchange_n(&mutex->state, &expected, MUTEX_HELD, false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Who has waited can't know whether others still do: it leaves the mutex as waited for. */
static int lock_waiting(struct mutex *mutex, int mode)
{
    while (__atomic_exchange_n(&mutex->state, MUTEX_WAITED_FOR, __ATOMIC_ACQUIRE) != MUTEX_FREE) {
        int error = thread_wait(&mutex->state, MUTEX_WAITED_FOR, VM_NO_DEADLINE, mode);
        if (error != 0)
            return error;
    }
    return 0;
}

void mutex_lock(struct mutex *mutex)
{
    if (!mutex_try_lock(mutex))
        lock_waiting(mutex, WAIT_ALWAYS);
}

int mutex_lock_killable(struct mutex *mutex)
{
    return mutex_try_lock(mutex) ? 0 : lock_waiting(mutex, WAIT_KILLABLE);
}

void mutex_unlock(struct mutex *mutex)
{
    if (__atomic_exchange_n(&mutex->state, MUTEX_FREE, __ATOMIC_RELEASE) == MUTEX_WAITED_FOR)
        thread_wake(&mutex->state, 1);
}

int semaphore_acquire(struct semaphore *semaphore, uint64_t deadline, int mode)
{
    for (;;) {
        uint32_t count = __atomic_load_n(&semaphore->count, __ATOMIC_RELAXED);
        if (count == 0) {
            int error = thread_wait(&semaphore->count, 0, deadline, mode);
            if (error != 0)
                return error;
        } else if (__atomic_compare_exchange_n(&semaphore->count, &count, count - 1, false,
                                               __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            return 0;
        }
    }
}

void semaphore_release(struct semaphore *semaphore)
{
    __atomic_add_fetch(&semaphore->count, 1, __ATOMIC_RELEASE);
    thread_wake(&semaphore->count, 1);
}

int event_wait(struct event *event, uint32_t seen, uint64_t deadline, int mode)
{
    return thread_wait(&event->count, seen, deadline, mode);
}

void event_signal(struct event *event)
{
    __atomic_add_fetch(&event->count, 1, __ATOMIC_SEQ_CST);
    thread_wake(&event->count, UINT32_MAX);
}
