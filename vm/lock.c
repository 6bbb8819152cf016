/* SPDX-License-Identifier: MIT */
/* The slow paths of the locks, and the check of their order in test builds. */
#include "lock.h"

#include "print.h"

unsigned vm_lock_spins;

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Most locks are let go in less time than it takes to put a thread to sleep and wake it. */
static bool take_soon(struct vm_mutex *mutex)
{
    for (unsigned i = 0; i < vm_lock_spins; i++) {
        if (vm_atomic_load(&mutex->word, __ATOMIC_RELAXED) == 0 && vm_cas32(&mutex->word, 0, 1))
            return true;
        relax();
    }
    return false;
}

/* The three-state mutex of Drepper, "Futexes are tricky" (2011), section 6. */
void vm_mutex_lock_slow(struct vm_mutex *mutex)
{
    if (take_soon(mutex))
        return;
    while (vm_atomic_exchange(&mutex->word, 2, __ATOMIC_ACQUIRE) != 0)
        (void)host_wait(&mutex->word, 2, VM_NO_DEADLINE, false);
}

void vm_mutex_unlock_slow(struct vm_mutex *mutex)
{
    host_wake(&mutex->word, 1);
}

/* Readers stand back once somebody waits, so that writers get their turn. */
void vm_read_lock_slow(struct vm_rwlock *lock)
{
    for (;;) {
        uint32_t word = vm_atomic_load(&lock->word, __ATOMIC_RELAXED);
        if (!(word & (VM_RWLOCK_WRITER | VM_RWLOCK_WAITERS))) {
            if (vm_cas32(&lock->word, word, word + 1))
                return;
        } else if ((word & VM_RWLOCK_WAITERS) ||
                   vm_cas32(&lock->word, word, word | VM_RWLOCK_WAITERS)) {
            (void)host_wait(&lock->word, word | VM_RWLOCK_WAITERS, VM_NO_DEADLINE, false);
        }
    }
}

void vm_write_lock_slow(struct vm_rwlock *lock)
{
    for (;;) {
        uint32_t word = vm_atomic_load(&lock->word, __ATOMIC_RELAXED);
        if (word == 0) {
            if (vm_cas32(&lock->word, 0, VM_RWLOCK_WRITER))
                return;
        } else if ((word & VM_RWLOCK_WAITERS) ||
                   vm_cas32(&lock->word, word, word | VM_RWLOCK_WAITERS)) {
            (void)host_wait(&lock->word, word | VM_RWLOCK_WAITERS, VM_NO_DEADLINE, false);
        }
    }
}

/* The last reader, or the writer, has gone: whoever waited tries again. The flag may be gone already
 * when a new owner came in between; then the flag that it finds set is its own to clear. */
void vm_rwlock_wake(struct vm_rwlock *lock)
{
    (void)vm_cas32(&lock->word, VM_RWLOCK_WAITERS, 0);
    host_wake(&lock->word, UINT32_MAX);
}

#if defined(VM_TEST)

static unsigned highest_rank(const struct vm_held_locks *locks)
{
    unsigned rank = 0;
    for (unsigned i = 0; i < locks->count; i++)
        if (locks->held[i].rank > rank)
            rank = locks->held[i].rank;
    return rank;
}

void vm_lock_taken(const void *lock, enum vm_lock_rank rank, bool tried)
{
    struct vm_held_locks *locks = host_held_locks();
    unsigned highest = highest_rank(locks);
    for (unsigned i = 0; i < locks->count; i++)
        if (locks->held[i].lock == lock)
            vm_panic("a lock of rank %d is taken twice", (int)rank);
    if (!tried && rank <= highest && (rank != VM_RANK_CACHE || highest != VM_RANK_CACHE))
        vm_panic("a lock of rank %d is taken under one of rank %u", (int)rank, highest);
    VM_ASSERT(locks->count < VM_MAX_HELD);
    locks->held[locks->count].lock = lock;
    locks->held[locks->count++].rank = rank;
}

void vm_lock_given_back(const void *lock)
{
    struct vm_held_locks *locks = host_held_locks();
    unsigned at = locks->count;
    while (at > 0 && locks->held[at - 1].lock != lock)
        at--;
    VM_ASSERT(at > 0);
    for (locks->count--; at <= locks->count; at++)
        locks->held[at - 1] = locks->held[at];
}

void vm_assert_no_locks(void)
{
    VM_ASSERT(host_held_locks()->count == 0);
}

#endif
