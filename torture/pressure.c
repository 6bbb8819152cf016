/* SPDX-License-Identifier: MIT */
#include "pressure.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "pressure_process.h"

#define MEMORY_PAGES 1024 /* the processes want 16 * (150 + 32) + 64, and their copies of the 64 */
#define SWAP 6000
#define CPUS 4
#define DAEMONS 2

static jmp_buf failed;

static void catch_failure(const char *text)
{
    snprintf(pressure.outcome->text, sizeof(pressure.outcome->text), "%s", text);
    longjmp(failed, 1);
}

static vm_info figures(void)
{
    vm_info info;
    vm_trim();
    vm_get_info(&info);
    return info;
}

static void start(uint64_t seed)
{
    static const struct vm_policy *const policies[] = {&vm_policy_car, &vm_policy_car,
                                                       &vm_policy_clock, &vm_policy_two_lists};
    struct sim_config config = {.memory = MEMORY_PAGES * VM_PAGE_SIZE,
                                .cpus = CPUS,
                                .swap = SWAP,
                                .page_daemons = DAEMONS,
                                .policy = policies[seed % 4],
                                .seed = seed * 2 + 1,
                                .keep_memory = true};
    int error = sim_start(&config);
    if (error != VM_OK)
        sim_fail("the machine doesn't start: %s", vm_error_text(error));
    sim_set_hostility(seed % 2 == 0 ? seed + 2 : SIM_TLB_PLAIN);
}

static void begin_processes(uint64_t seed)
{
    pressure.shared = sim_file_create("/shared", NULL, PROCESSES * SHARED_PAGES * VM_PAGE_SIZE,
                                      VM_ACCESS_READ | VM_ACCESS_WRITE);
    pressure.library = sim_file_create_numbered("/library", LIBRARY_PAGES);
    if (vm_get_vnode_cache(pressure.shared, &pressure.cache) != VM_OK)
        sim_fail("no cache");
    for (unsigned i = 0; i < PROCESSES; i++)
        process_begin(i, seed);
}

static void run_processes(void)
{
    for (uintptr_t i = 0; i < PROCESSES; i++)
        (void)sim_spawn_on((unsigned)i % CPUS, pressure.process[i].aid, "process", process_run,
                           (void *)i);
    sim_run();
}

static void end_processes(void)
{
    for (unsigned i = 0; i < PROCESSES; i++)
        process_end(&pressure.process[i]);
    vm_put_cache(pressure.cache);
}

/* Files' pages and structures have gone with the last who used them. */
static void check_end(const vm_info *before)
{
    vm_info now = figures();
    size_t free = now.free_pages + now.clear_pages;
    if (free != before->free_pages + before->clear_pages)
        sim_fail("%zu frames are free, and were %zu", free,
                 before->free_pages + before->clear_pages);
    if (now.free_swap_slots != SWAP)
        sim_fail("%zu of %d slots are free", now.free_swap_slots, SWAP);
    if (now.committed != before->committed)
        sim_fail("%lld bytes stay promised", (long long)now.committed);
}

static void note(struct pressure_outcome *outcome)
{
    vm_info info = figures();
    outcome->evictions = info.evictions;
    outcome->swap_ins = info.swap_ins;
    outcome->swap_outs = info.swap_outs;
}

bool pressure_run(uint64_t seed, struct pressure_outcome *outcome)
{
    *outcome = (struct pressure_outcome){.failed = false};
    pressure.outcome = outcome;
    sim_set_failure_handler(catch_failure);
    if (setjmp(failed) != 0) {
        outcome->failed = true;
        return false;
    }
    start(seed);
    vm_info before = figures();
    begin_processes(seed);
    run_processes();
    SIM_CHECK();
    note(outcome);
    end_processes();
    SIM_CHECK();
    check_end(&before);
    sim_end();
    return true;
}
