/* SPDX-License-Identifier: MIT */
#include <kernel/log.h>
#include "process/oom.h"
#include "process/tree.h"

#define WAIT_FOR_VICTIM_NS NS_PER_SECOND

/* In frames, mapped or not, and in swap. */
static size_t pages_of(struct process *process)
{
    vm_aspace_info info = {0};
    struct user_memory *memory = process_get_memory(process);
    if (memory == NULL)
        return 0;
    (void)vm_get_aspace_info(memory->id, &info);
    user_memory_put(memory);
    return info.resident_pages + info.unmapped_pages + info.swapped_pages;
}

/* The process with the most pages, in memory or in swap, or one that is dying already; with a reference. */
static struct process *choose_victim(size_t *most)
{
    struct process *victim = NULL;
    *most = 0;
    for (struct process *process = process_next(INIT_PID); process != NULL;) {
        int32_t pid = process->pid;
        size_t pages = pages_of(process);
        if (pages > 0 && (victim == NULL || process->killed || pages > *most)) {
            if (victim != NULL)
                process_put(victim);
            victim = process;
            *most = process->killed ? SIZE_MAX : pages;
        } else {
            process_put(process);
        }
        process = process_next(pid);
    }
    return victim;
}

static bool has_gone(const struct process *victim)
{
    return __atomic_load_n(&victim->memory, __ATOMIC_ACQUIRE) == NULL;
}

/* Not for ever: the running thread may hold what the victim needs to come to its end. */
static bool wait_for_end(struct process *victim)
{
    uint64_t deadline = time_monotonic() + WAIT_FOR_VICTIM_NS;
    while (!has_gone(victim)) {
        uint32_t seen = event_read(&victim->release_event);
        if (!has_gone(victim) &&
            event_wait(&victim->release_event, seen, deadline, WAIT_KILLABLE) != 0)
            break;
    }
    return has_gone(victim);
}

static uint64_t ended;

uint64_t out_of_memory_ended(void)
{
    return __atomic_load_n(&ended, __ATOMIC_RELAXED);
}

bool out_of_memory(void)
{
    size_t pages;
    struct process *victim = choose_victim(&pages);
    if (victim == NULL)
        return false;
    if (!victim->killed) {
        log_printf("out of memory: process %d (%s), the largest with %zu KiB, is ended\n",
                   victim->pid, victim->name, pages * (VM_PAGE_SIZE / 1024));
        __atomic_add_fetch(&ended, 1, __ATOMIC_RELAXED);
        signal_send_number(victim, SIGKILL);
    }
    bool gone = victim != process_current() && wait_for_end(victim);
    process_put(victim);
    return gone;
}
