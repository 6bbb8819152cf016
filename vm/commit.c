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
    int64_t old = vm_atomic_load(&LEDGER->committed, __ATOMIC_RELAXED);
    for (;;) {
        int64_t limit = vm_atomic_load(&LEDGER->max, __ATOMIC_RELAXED);
        if (bytes > 0 && (old > limit || bytes > limit - old))
            return ERR_VM_WOULD_OVERCOMMIT;
        if (vm_atomic_compare_exchange(&LEDGER->committed, &old, old + bytes, false,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return VM_OK;
    }
}

int vm_commit(int64_t bytes)
{
    if ((bytes > 0 && VM_INJECT(VM_INJECT_COMMIT)) || vm_commit_charge(bytes) != VM_OK)
        return ERR_VM_WOULD_OVERCOMMIT;
    vm_atomic_fetch_add(&vm_system.host_committed, bytes, __ATOMIC_RELAXED);
    return VM_OK;
}

void vm_increase_max_commit(addr_t delta)
{
    vm_atomic_fetch_add(&LEDGER->max, (int64_t)delta, __ATOMIC_RELAXED);
    vm_atomic_fetch_add(&LEDGER->changes, 1, __ATOMIC_RELEASE);
    host_wake(&LEDGER->changes, UINT32_MAX);
}

int vm_thread_dump_max_commit(void *unused)
{
    (void)unused;
    uint32_t seen = 0;
    while (vm_atomic_load(&LEDGER->stop, __ATOMIC_ACQUIRE) == 0) {
        int64_t max = vm_atomic_load(&LEDGER->max, __ATOMIC_RELAXED);
        if (max != LEDGER->logged)
            vm_print("%ld KiB of memory may be promised now (max_commit), were %ld KiB\n",
                     (long)(max / 1024), (long)(LEDGER->logged / 1024));
        LEDGER->logged = max;
        (void)host_wait(&LEDGER->changes, seen, VM_NO_DEADLINE, false);
        seen = vm_atomic_load(&LEDGER->changes, __ATOMIC_ACQUIRE);
    }
    vm_atomic_store(&LEDGER->stop, 2, __ATOMIC_RELEASE);
    host_wake(&LEDGER->stop, UINT32_MAX);
    return VM_OK;
}

void vm_commit_stop_thread(void)
{
    vm_atomic_store(&LEDGER->stop, 1, __ATOMIC_RELEASE);
    vm_atomic_fetch_add(&LEDGER->changes, 1, __ATOMIC_RELEASE);
    host_wake(&LEDGER->changes, UINT32_MAX);
    while (vm_atomic_load(&LEDGER->stop, __ATOMIC_ACQUIRE) != 2)
        (void)host_wait(&LEDGER->stop, 1, VM_NO_DEADLINE, false);
}
