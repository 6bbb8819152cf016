/* SPDX-License-Identifier: MIT */
/* The ledger is two numbers and no lock: a charge is one compare-and-swap that sees both. */
#include "commit.h"

#include <quire/vm.h>

#include "inject.h"
#include "print.h"
#include "system.h"

#define LEDGER (&vm_system.commitment)

int vm_commit_charge(int64_t bytes)
{
    if (bytes > 0 && host_inject(VM_INJECT_COMMIT))
        return ERR_VM_WOULD_OVERCOMMIT;
    int64_t old = __atomic_load_n(&LEDGER->committed, __ATOMIC_RELAXED);
    for (;;) {
        int64_t limit = __atomic_load_n(&LEDGER->max, __ATOMIC_RELAXED);
        if (bytes > 0 && (old > limit || bytes > limit - old))
            return ERR_VM_WOULD_OVERCOMMIT;
        if (__atomic_compare_exchange_n(&LEDGER->committed, &old, old + bytes, false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return VM_OK;
    }
}

int vm_commit(int64_t bytes)
{
    if (vm_commit_charge(bytes) != VM_OK)
        return ERR_VM_WOULD_OVERCOMMIT;
    __atomic_fetch_add(&vm_system.host_committed, bytes, __ATOMIC_RELAXED);
    return VM_OK;
}

void vm_increase_max_commit(addr_t delta)
{
    __atomic_fetch_add(&LEDGER->max, (int64_t)delta, __ATOMIC_RELAXED);
    __atomic_fetch_add(&LEDGER->changes, 1, __ATOMIC_RELEASE);
    host_wake(&LEDGER->changes, UINT32_MAX);
}

int vm_thread_dump_max_commit(void *unused)
{
    (void)unused;
    uint32_t seen = 0;
    while (__atomic_load_n(&LEDGER->stop, __ATOMIC_ACQUIRE) == 0) {
        int64_t max = __atomic_load_n(&LEDGER->max, __ATOMIC_RELAXED);
        if (max != LEDGER->logged)
            vm_print("max_commit %ld KiB, was %ld KiB\n", (long)(max / 1024),
                     (long)(LEDGER->logged / 1024));
        LEDGER->logged = max;
        (void)host_wait(&LEDGER->changes, seen, VM_NO_DEADLINE, false);
        seen = __atomic_load_n(&LEDGER->changes, __ATOMIC_ACQUIRE);
    }
    __atomic_store_n(&LEDGER->stop, 2, __ATOMIC_RELEASE);
    host_wake(&LEDGER->stop, UINT32_MAX);
    return VM_OK;
}

void vm_commit_stop_thread(void)
{
    __atomic_store_n(&LEDGER->stop, 1, __ATOMIC_RELEASE);
    __atomic_fetch_add(&LEDGER->changes, 1, __ATOMIC_RELEASE);
    host_wake(&LEDGER->changes, UINT32_MAX);
    while (__atomic_load_n(&LEDGER->stop, __ATOMIC_ACQUIRE) != 2)
        (void)host_wait(&LEDGER->stop, 1, VM_NO_DEADLINE, false);
}
