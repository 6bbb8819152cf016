/* SPDX-License-Identifier: MIT */
/* The layer's locks, which sleep on the host's two hooks. Their order is in docs/design.md. */
#ifndef VSPACE_LOCK_H
#define VSPACE_LOCK_H

#include <quire/host.h>
#include <quire/vspace.h>

#define LOCK_FREE 0u
#define LOCK_TAKEN 1u
#define LOCK_WANTED 2u /* taken, and somebody may wait */

/* Test builds: a place where the simulated machine may let another thread go on, as at each atomic operation of
 * the core. Before the layer's own, and in what a lock must protect. */
#if defined(VM_TEST)
void host_step(void);
#define LAYER_STEP() host_step()
#else
#define LAYER_STEP() ((void)0)
#endif

static inline void lock_take(struct vspace_lock *lock)
{
    uint32_t expected = LOCK_FREE;
    LAYER_STEP();
    if (__atomic_compare_exchange_n(&lock->word, &expected, LOCK_TAKEN, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
        return;
    while (__atomic_exchange_n(&lock->word, LOCK_WANTED, __ATOMIC_ACQUIRE) != LOCK_FREE)
        (void)host_wait(&lock->word, LOCK_WANTED, VM_NO_DEADLINE, false);
}

/* For functions that are called with a lock held: test builds look. */
static inline void lock_check(const struct vspace_lock *lock)
{
#if defined(VM_TEST)
    if (__atomic_load_n(&lock->word, __ATOMIC_RELAXED) == LOCK_FREE)
        host_panic("vspace: a lock should be held here, and is free");
#else
    (void)lock;
#endif
}

static inline void lock_give(struct vspace_lock *lock)
{
    lock_check(lock);
    LAYER_STEP();
    if (__atomic_exchange_n(&lock->word, LOCK_FREE, __ATOMIC_RELEASE) == LOCK_WANTED)
        host_wake(&lock->word, 1);
}

#endif
