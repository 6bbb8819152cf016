/* SPDX-License-Identifier: MIT */
/* Locks of the kernel's own, and what threads wait for. The core of Quire has its own locks. */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Spins with interrupts off. For a few instructions; its holder must not sleep. */
struct spinlock {
    uint32_t held;
    bool interrupts; /* the holder's: whether they were on */
};
#define SPINLOCK_INIT                                                                              \
    {                                                                                              \
        0, false                                                                                   \
    }
void spin_lock(struct spinlock *lock);
void spin_unlock(struct spinlock *lock);

/* Sleeps. Never taken in an interrupt handler; not recursive. All zero is unlocked. */
struct mutex {
    uint32_t state; /* 0 free, 1 held, 2 held and waited for */
};
void mutex_lock(struct mutex *mutex);
/* For locks held while waiting for others: 0, or -EINTR when the thread has been killed. */
int mutex_lock_killable(struct mutex *mutex);
bool mutex_try_lock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);

/* Counts up; who waits takes one. */
struct semaphore {
    uint32_t count;
};
int semaphore_acquire(struct semaphore *semaphore, uint64_t deadline, int mode);
void semaphore_release(struct semaphore *semaphore);

/* What a wait ends for besides its wake: nothing, the thread's death, any signal. */
enum wait_mode { WAIT_ALWAYS, WAIT_KILLABLE, WAIT_INTERRUPTIBLE };

/* "Something has changed": a counter to sleep on without missing a change. The waiter reads the count,
 * looks at the condition (under its own lock), and, if that is false, waits for the count to move:
 *     seen = event_read(&e); unlock; error = event_wait(&e, seen, VM_NO_DEADLINE, mode); lock; again */
struct event {
    uint32_t count;
};
static inline uint32_t event_read(struct event *event)
{
    return __atomic_load_n(&event->count, __ATOMIC_ACQUIRE);
}
/* 0 (perhaps for no reason), -ETIMEDOUT, or -EINTR as `mode` allows. */
int event_wait(struct event *event, uint32_t seen, uint64_t deadline, int mode);
/* Wakes all who wait. Works in interrupt handlers and under spinlocks. */
void event_signal(struct event *event);

#endif
