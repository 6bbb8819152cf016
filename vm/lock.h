/* SPDX-License-Identifier: MIT */
/* The core's own locks, on atomics and the host's wait and wake: all of them may sleep.
 *
 * Order: a thread that holds a lock may take only one of a higher rank. Caches are the exception:
 * any number, consumer before source. Nothing is held across a store's read or write, or a wait. */
#ifndef VM_LOCK_H
#define VM_LOCK_H

#include <quire/types.h>

#include "atomic.h"

enum vm_lock_rank {
    VM_RANK_NOTICE = 1, /* who is told about memory */
    VM_RANK_MAP,        /* an address space's map */
    VM_RANK_WALK,       /* the walk over a cache's consumers */
    VM_RANK_VNODE,      /* which cache is a vnode's */
    VM_RANK_CACHE,
    VM_RANK_TMAP,
    VM_RANK_TABLE, /* the tables of ids */
    VM_RANK_META,
    VM_RANK_SWAP, /* slots */
    VM_RANK_PAGE,
};

struct vm_mutex {
    uint32_t word; /* 0 free, 1 held, 2 held and waited for */
};

/* Bit 31: a writer holds it; bit 30: somebody waits; below: how many readers hold it. */
struct vm_rwlock {
    uint32_t word;
};

extern unsigned vm_lock_spins; /* kernel_args.lock_spins */
void vm_mutex_lock_slow(struct vm_mutex *mutex);
void vm_mutex_unlock_slow(struct vm_mutex *mutex);
void vm_read_lock_slow(struct vm_rwlock *lock);
void vm_write_lock_slow(struct vm_rwlock *lock);
void vm_rwlock_wake(struct vm_rwlock *lock);

#define VM_RWLOCK_WRITER 0x80000000u
#define VM_RWLOCK_WAITERS 0x40000000u

#if defined(VM_TEST)
/* The locks that a thread holds, innermost last; the host keeps one for each thread. */
#define VM_MAX_HELD 32
struct vm_held_locks {
    unsigned count;
    struct {
        const void *lock;
        enum vm_lock_rank rank;
    } held[VM_MAX_HELD];
};
struct vm_held_locks *host_held_locks(void);
void vm_lock_taken(const void *lock, enum vm_lock_rank rank, bool tried);
void vm_lock_given_back(const void *lock);
/* Panics where the thread holds any lock: it is about to sleep, or to call a store. */
void vm_assert_no_locks(void);
#else
static inline void vm_lock_taken(const void *lock, enum vm_lock_rank rank, bool tried)
{
    (void)lock, (void)rank, (void)tried;
}
static inline void vm_lock_given_back(const void *lock)
{
    (void)lock;
}
static inline void vm_assert_no_locks(void)
{
}
#endif

static inline bool vm_cas32(uint32_t *word, uint32_t old, uint32_t new)
{
    return vm_atomic_compare_exchange(word, &old, new, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static inline bool vm_mutex_try_lock(struct vm_mutex *mutex, enum vm_lock_rank rank)
{
    bool taken = vm_cas32(&mutex->word, 0, 1);
    if (taken)
        vm_lock_taken(mutex, rank, true);
    return taken;
}

static inline void vm_mutex_lock(struct vm_mutex *mutex, enum vm_lock_rank rank)
{
    vm_lock_taken(mutex, rank, false);
    if (__builtin_expect(!vm_cas32(&mutex->word, 0, 1), 0))
        vm_mutex_lock_slow(mutex);
}

static inline void vm_mutex_unlock(struct vm_mutex *mutex)
{
    vm_lock_given_back(mutex);
    if (__builtin_expect(vm_atomic_exchange(&mutex->word, 0, __ATOMIC_RELEASE) == 2, 0))
        vm_mutex_unlock_slow(mutex);
}

static inline void vm_read_lock(struct vm_rwlock *lock, enum vm_lock_rank rank)
{
    vm_lock_taken(lock, rank, false);
    uint32_t word = vm_atomic_load(&lock->word, __ATOMIC_RELAXED);
    if (__builtin_expect((word & (VM_RWLOCK_WRITER | VM_RWLOCK_WAITERS)) != 0 ||
                             !vm_cas32(&lock->word, word, word + 1),
                         0))
        vm_read_lock_slow(lock);
}

static inline void vm_read_unlock(struct vm_rwlock *lock)
{
    vm_lock_given_back(lock);
    if (__builtin_expect(vm_atomic_sub_fetch(&lock->word, 1, __ATOMIC_RELEASE) == VM_RWLOCK_WAITERS,
                         0))
        vm_rwlock_wake(lock);
}

static inline void vm_write_lock(struct vm_rwlock *lock, enum vm_lock_rank rank)
{
    vm_lock_taken(lock, rank, false);
    if (__builtin_expect(!vm_cas32(&lock->word, 0, VM_RWLOCK_WRITER), 0))
        vm_write_lock_slow(lock);
}

static inline bool vm_write_try_lock(struct vm_rwlock *lock, enum vm_lock_rank rank)
{
    bool taken = vm_cas32(&lock->word, 0, VM_RWLOCK_WRITER);
    if (taken)
        vm_lock_taken(lock, rank, true);
    return taken;
}

static inline void vm_write_unlock(struct vm_rwlock *lock)
{
    vm_lock_given_back(lock);
    if (__builtin_expect(
            (vm_atomic_exchange(&lock->word, 0, __ATOMIC_RELEASE) & VM_RWLOCK_WAITERS) != 0, 0))
        vm_rwlock_wake(lock);
}

#endif
