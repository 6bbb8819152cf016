/* SPDX-License-Identifier: MIT */
/* One queue of threads that are ready, in turn. Its lock is held over a switch: the thread that is
 * switched to lets it go, in finish_switch. Whoever runs is not in the queue. */
#include <kernel/log.h>
#include <quire/vm.h>
#include "thread/scheduler.h"
#include "x86/x86.h"

static struct {
    uint32_t held; /* taken with interrupts off */
    struct thread *first, *last;
} queue;

static struct thread idle_threads[MAX_CPUS];

void switch_stacks(addr_t *save, addr_t load);

static void queue_lock(void)
{
    while (__atomic_exchange_n(&queue.held, 1, __ATOMIC_ACQUIRE) != 0)
        __asm__ volatile("pause");
}

static void queue_unlock(void)
{
    __atomic_store_n(&queue.held, 0, __ATOMIC_RELEASE);
}

/* => queue locked */
static void append(struct thread *thread)
{
    thread->state = THREAD_READY;
    thread->queue_next = NULL;
    if (queue.first == NULL)
        queue.first = thread;
    else
        queue.last->queue_next = thread;
    queue.last = thread;
}

/* => queue locked */
static struct thread *take_first(void)
{
    struct thread *thread = queue.first;
    if (thread != NULL)
        queue.first = thread->queue_next;
    return thread;
}

/* A thread that is woken before it has left its stack is only marked: its own switch sees that. */
void thread_make_ready(struct thread *thread)
{
    bool interrupts = interrupts_save();
    queue_lock();
    if (thread->on_cpu)
        thread->state = THREAD_READY;
    else
        append(thread);
    queue_unlock();
    interrupts_restore(interrupts);
}

static void load_memory(struct cpu *cpu, struct user_memory *memory)
{
    struct user_memory *old = cpu->memory;
    if (memory == old)
        return;
    cpu->root = memory != NULL ? vm_enter_aspace(memory->aspace, cpu->id) : cpu->kernel_root;
    cpu->memory = memory;
    load_root(cpu->root);
    if (old != NULL)
        vm_leave_aspace(old->aspace, cpu->id);
}

/* Programs can change what is loaded behind our back, by loading a selector. */
static void load_bases(const struct thread *to)
{
    if (to->process == NULL)
        return;
    write_msr(MSR_FS_BASE, to->fs_base);
    write_msr(MSR_KERNEL_GS_BASE, to->gs_base);
}

/* => interrupts off, queue locked */
static void switch_to(struct cpu *cpu, struct thread *from, struct thread *to)
{
    to->state = THREAD_RUNNING;
    to->on_cpu = true;
    cpu->current = to;
    cpu->previous = from;
    cpu->kernel_stack = to->stack_top;
    cpu->task_state->rsp[0] = to->stack_top;
    load_memory(cpu, to->memory);
    load_bases(to);
    if (from->process != NULL)
        fpu_save(from);
    if (to->process != NULL)
        fpu_load(to->fpu);
    switch_stacks(&from->switch_stack, to->switch_stack);
    finish_switch();
}

void finish_switch(void)
{
    struct thread *previous = cpu_current()->previous;
    previous->on_cpu = false;
    bool dead = previous->state == THREAD_DEAD;
    queue_unlock();
    if (dead)
        thread_recycle(previous);
}

void schedule(void)
{
    struct cpu *cpu = cpu_current();
    struct thread *current = cpu->current;
    ASSERT(cpu->interrupt_depth == 0);
    queue_lock();
    if ((current->state == THREAD_RUNNING || current->state == THREAD_READY) &&
        current != cpu->idle)
        append(current);
    struct thread *next = take_first();
    if (next == NULL)
        next = cpu->idle;
    if (next == current) {
        current->state = THREAD_RUNNING;
        queue_unlock();
        return;
    }
    switch_to(cpu, current, next);
}

void thread_yield(void)
{
    bool interrupts = interrupts_save();
    schedule();
    interrupts_restore(interrupts);
}

void thread_exit(void)
{
    interrupts_off();
    thread_current()->state = THREAD_DEAD;
    schedule();
    __builtin_unreachable();
}

void thread_use_memory(struct user_memory *memory)
{
    bool interrupts = interrupts_save();
    thread_current()->memory = memory;
    load_memory(cpu_current(), memory);
    interrupts_restore(interrupts);
}

void fpu_reset(struct thread *thread)
{
    const uint16_t control = 0x37f;
    const uint32_t mxcsr = 0x1f80;
    __builtin_memset(thread->fpu, 0, sizeof(thread->fpu));
    __builtin_memcpy(thread->fpu, &control, sizeof(control));
    __builtin_memcpy(thread->fpu + 24, &mxcsr, sizeof(mxcsr));
}

void thread_set_fs_base(uint64_t base)
{
    thread_current()->fs_base = base;
    write_msr(MSR_FS_BASE, base);
}

void thread_set_gs_base(uint64_t base)
{
    thread_current()->gs_base = base;
    write_msr(MSR_KERNEL_GS_BASE, base);
}

void scheduler_init(struct cpu *cpu)
{
    struct thread *idle = &idle_threads[cpu->id];
    idle->state = THREAD_RUNNING;
    idle->on_cpu = true;
    idle->stack_top = (addr_t)boot_stack_top;
    __builtin_memcpy(idle->name, "idle", 5);
    cpu->idle = idle;
    cpu->current = idle;
    cpu->kernel_root = (addr_t)boot_root - IMAGE_OFFSET;
    cpu->root = cpu->kernel_root;
}

void scheduler_start(struct cpu *cpu)
{
    vm_address_space *kernel = vm_get_kernel_aspace();
    cpu->kernel_root = vm_enter_aspace(kernel, cpu->id);
    cpu->root = cpu->kernel_root;
    load_root(cpu->root);
    vm_put_aspace(kernel);
}

void scheduler_idle(void)
{
    for (;;) {
        interrupts_off();
        schedule();
        __asm__ volatile("sti; hlt");
    }
}
