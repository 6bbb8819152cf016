/* SPDX-License-Identifier: MIT */
/* The layer's locks, which sleep on the host's two hooks. Their order is in docs/design.md. */
#ifndef VSPACE_LOCK_H
#define VSPACE_LOCK_H

#include <quire/host.h>
#include <quire/vspace.h>

#define LOCK_FREE 0u
#define LOCK_TAKEN 1u
#define LOCK_WANTED 2u /* taken, and somebody may wait */

static inline void lock_take(struct vspace_lock *lock)
{
    uint32_t expected = LOCK_FREE;
    if (__atomic_compare_exchange_n(&lock->word, &expected, LOCK_TAKEN, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
        return;
    while (__atomic_exchange_n(&lock->word, LOCK_WANTED, __ATOMIC_ACQUIRE) != LOCK_FREE)
        (void)host_wait(&lock->word, LOCK_WANTED, VM_NO_DEADLINE, false);
}

static inline void lock_give(struct vspace_lock *lock)
{
    if (__atomic_exchange_n(&lock->word, LOCK_FREE, __ATOMIC_RELEASE) == LOCK_WANTED)
        host_wake(&lock->word, 1);
}

#endif
