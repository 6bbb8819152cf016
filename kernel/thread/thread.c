/* SPDX-License-Identifier: MIT */
/* Making and ending threads. A thread's structure lies at the top of its stack's region; the regions
 * of dead threads are kept on a list, because making one costs more than the rest of a fork. */
#include <kernel/log.h>
#include <kernel/string.h>
#include <quire/host.h>
#include <quire/vm.h>
#include "thread/scheduler.h"
#include "x86/x86.h"

/* Stacks lie in the upper half of each slot; the lower half is never mapped, so that running over the
 * end is a fault and no damage. Nothing else goes there: other kernel regions take the lowest hole. */
#define STACK_SLOTS 4096u
#define STACK_SLOT_SIZE (2 * KERNEL_STACK_SIZE)
#define STACK_ARENA 0xffffffc000000000ul

static struct {
    struct spinlock lock;
    struct thread *free; /* linked by queue_next */
    unsigned free_count;
    uint64_t slots[STACK_SLOTS / 64];
    struct thread *all;
} threads;

void thread_first_run(void);

static int take_slot(void)
{
    int slot = -1;
    spin_lock(&threads.lock);
    for (unsigned i = 0; i < STACK_SLOTS / 64 && slot < 0; i++) {
        if (threads.slots[i] == UINT64_MAX)
            continue;
        int bit = __builtin_ctzll(~threads.slots[i]);
        threads.slots[i] |= 1ull << bit;
        slot = (int)i * 64 + bit;
    }
    spin_unlock(&threads.lock);
    return slot;
}

static void give_slot(addr_t address)
{
    addr_t slot = (address - STACK_ARENA) / STACK_SLOT_SIZE;
    spin_lock(&threads.lock);
    threads.slots[slot / 64] &= ~(1ull << (slot % 64));
    spin_unlock(&threads.lock);
}

static struct thread *create_stack(void)
{
    int slot = take_slot();
    if (slot < 0)
        return NULL;
    addr_t base = STACK_ARENA + (addr_t)slot * STACK_SLOT_SIZE + KERNEL_STACK_SIZE;
    void *address = (void *)base;
    region_id region = vm_create_anonymous_region(
        vm_get_kernel_aspace_id(), "kernel stack", &address, REGION_ADDR_EXACT_ADDRESS,
        KERNEL_STACK_SIZE, REGION_WIRING_WIRED, LOCK_KERNEL | LOCK_RW);
    if (region < 0) {
        give_slot(base);
        return NULL;
    }
    struct thread *thread =
        (struct thread *)((base + KERNEL_STACK_SIZE - sizeof(struct thread)) & ~63ul);
    thread->stack_region = region;
    return thread;
}

static struct thread *take_free(unsigned keep)
{
    struct thread *thread = NULL;
    spin_lock(&threads.lock);
    if (threads.free_count > keep) {
        thread = threads.free;
        threads.free = thread->queue_next;
        threads.free_count--;
    }
    spin_unlock(&threads.lock);
    return thread;
}

static void link_thread(struct thread *thread)
{
    spin_lock(&threads.lock);
    thread->all_next = threads.all;
    thread->all_previous = NULL;
    if (threads.all != NULL)
        threads.all->all_previous = thread;
    threads.all = thread;
    spin_unlock(&threads.lock);
}

struct thread *thread_allocate(const char *name)
{
    struct thread *thread = take_free(0);
    if (thread == NULL)
        thread = create_stack();
    if (thread == NULL)
        return NULL;
    region_id region = thread->stack_region;
    memset(thread, 0, offsetof(struct thread, fpu));
    thread->stack_region = region;
    thread->stack_top = (addr_t)thread & ~15ul;
    strlcpy(thread->name, name, sizeof(thread->name));
    link_thread(thread);
    return thread;
}

void thread_recycle(struct thread *thread)
{
    spin_lock(&threads.lock);
    if (thread->all_previous != NULL)
        thread->all_previous->all_next = thread->all_next;
    else
        threads.all = thread->all_next;
    if (thread->all_next != NULL)
        thread->all_next->all_previous = thread->all_previous;
    thread->queue_next = threads.free;
    threads.free = thread;
    threads.free_count++;
    spin_unlock(&threads.lock);
}

void thread_discard(struct thread *thread)
{
    thread_recycle(thread);
}

void thread_trim(unsigned keep)
{
    struct thread *thread;
    while ((thread = take_free(keep)) != NULL) {
        addr_t address = (addr_t)thread;
        int error = vm_delete_region(vm_get_kernel_aspace_id(), thread->stack_region);
        ASSERT(error == VM_OK);
        give_slot(address);
    }
}

/* As switch_stacks leaves a thread: R15, R14, R13, R12, RBP, RBX, and where to return to. */
void thread_prepare(struct thread *thread, addr_t stack, void (*function)(void), void (*next)(void))
{
    uint64_t *saved = (uint64_t *)stack - 7;
    memset(saved, 0, 6 * sizeof(*saved));
    saved[3] = (uintptr_t)next;
    saved[5] = (uintptr_t)function;
    saved[6] = (uintptr_t)thread_first_run;
    thread->switch_stack = (addr_t)saved;
}

static void kernel_thread_run(void)
{
    struct thread *thread = thread_current();
    finish_switch();
    interrupts_on();
    thread->function(thread->argument);
    thread_exit();
}

void kernel_thread_start(struct thread *thread)
{
    thread_prepare(thread, thread->stack_top, kernel_thread_run, NULL);
    thread_make_ready(thread);
}

struct thread *thread_create(const char *name, int (*function)(void *), void *argument)
{
    struct thread *thread = thread_allocate(name);
    if (thread == NULL)
        return NULL;
    thread->function = function;
    thread->argument = argument;
    kernel_thread_start(thread);
    return thread;
}

int host_thread_create(const char *name, int (*function)(void *), void *argument)
{
    return thread_create(name, function, argument) != NULL ? VM_OK : ERR_NO_MEMORY;
}

void thread_visit_all(void (*visit)(const struct thread *thread))
{
    for (const struct thread *thread = threads.all; thread != NULL; thread = thread->all_next)
        visit(thread);
}
