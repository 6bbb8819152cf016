/* SPDX-License-Identifier: MIT */
/* The machine as a whole: on, off, and what is left over at the end. */
#include "fiber.h"
#include <quire/store.h>

#include <string.h>

#define DEFAULT_MEMORY ((size_t)16 << 20)

static bool powered;
static size_t swap_slots;
static vm_store *(*make_swap)(size_t slots), *(*make_any_swap)(size_t slots);
static sim_swap *boot_swap;
static kernel_args args;

static void power_off(void)
{
    tlb_stop();
    fiber_stop();
    file_stop();
    swap_stop();
    powered = false;
}

void sim_power_on(const struct sim_config *config, kernel_args *ka)
{
    static const struct sim_config defaults;
    struct sim_config c = config != NULL ? *config : defaults;
    if (powered)
        power_off();
    powered = true;
    unsigned cpus = c.cpus != 0 ? c.cpus : 1;
    log_start();
    inject_start();
    request_start();
    if (c.fail_n > 0)
        sim_fail_at((enum sim_failure)c.fail_class, c.fail_n, c.fail_forever);
    access_start();
    fiber_start(&c);
    memory_start(c.memory != 0 ? c.memory : DEFAULT_MEMORY, c.keep_memory);
    tlb_start(cpus);
    cpu_start(cpus);
    *ka = (kernel_args){
        .format = &vm_tmap_x86_64,
        .kernel_base = SIM_KERNEL_BASE,
        .kernel_size = SIM_KERNEL_SIZE,
        .kernel_alloc_base = SIM_KERNEL_BASE,
        .user_base = SIM_USER_BASE,
        .user_size = SIM_USER_END - SIM_USER_BASE,
        .num_cpus = cpus,
        .overcommit = c.overcommit,
        .page_daemons = c.page_daemons,
        .policy = c.policy,
        .frames = c.frames,
    };
    swap_slots = c.swap;
    make_swap = c.make_swap != NULL ? c.make_swap : make_any_swap;
    boot_swap = NULL;
    memory_describe(ka);
    if (!c.core_makes_root)
        boot_build(ka);
}

void sim_set_swap(vm_store *(*make)(size_t slots))
{
    make_any_swap = make;
}

sim_swap *sim_boot_swap(void)
{
    return boot_swap;
}

static vm_store *make_boot_swap(size_t slots)
{
    boot_swap = sim_swap_create(slots);
    return sim_swap_store(boot_swap);
}

static int add_swap(void)
{
    vm_store *store = (make_swap != NULL ? make_swap : make_boot_swap)(swap_slots);
    if (store == NULL)
        return ERR_NO_MEMORY;
    int error = vm_swap_add(store, swap_slots, "swap");
    if (error == VM_OK)
        return VM_OK;
    store->ops->destroy(store);
    boot_swap = NULL;
    return error;
}

int sim_start(const struct sim_config *config)
{
    sim_power_on(config, &args);
    int error = vm_init(&args);
    if (error != VM_OK)
        return error;
    sim_allow_waiting();
    error = vm_init_postsem(&args);
    if (error != VM_OK)
        return error;
    cpu_enter_kernel();
    sim_allow_threads();
    error = vm_init_postthread(&args);
    return error == VM_OK && swap_slots > 0 ? add_swap() : error;
}

static unsigned log_leftover(const char *what, long long number)
{
    if (number == 0)
        return 0;
    log_print("sim: left over: %lld %s\n", number, what);
    return 1;
}

static unsigned report_core(const struct vm_leftovers *left)
{
    return log_leftover("address spaces", (long long)left->aspaces) +
           log_leftover("regions", (long long)left->regions) +
           log_leftover("caches", (long long)left->caches) +
           log_leftover("pages", (long long)left->pages) +
           log_leftover("bytes of metadata", (long long)left->metadata_bytes) +
           log_leftover("slots of swap", (long long)left->swap_slots) +
           log_leftover("threads", (long long)left->threads) +
           log_leftover("bytes of commitment", (long long)left->committed);
}

unsigned sim_end_counting(struct vm_leftovers *left)
{
    memset(left, 0, sizeof(*left));
    sim_set_aspace(ERR_VM_INVALID_ASPACE);
    sim_set_cpu(0);
    cpu_stop();
    vm_shutdown(left);
    unsigned kinds = report_core(left) + file_report() + fiber_report();
    power_off();
    return kinds;
}

void sim_end(void)
{
    struct vm_leftovers left;
    if (sim_end_counting(&left) != 0)
        sim_fail("something is left over:\n%s", sim_log_text());
}

void sim_check(const char *file, int line)
{
    fiber_hold_turn(true);
    sim_log_clear();
    unsigned contradictions = vm_check();
    fiber_hold_turn(false);
    if (contradictions != 0)
        sim_fail("%s:%d: %u contradictions:\n%s", file, line, contradictions, sim_log_text());
}

size_t sim_free_frames(void)
{
    vm_info info;
    vm_get_info(&info);
    return info.free_pages + info.clear_pages;
}

int64_t sim_committed(void)
{
    vm_info info;
    vm_get_info(&info);
    return info.committed;
}

aspace_id sim_new_aspace(void)
{
    aspace_id aid = vm_create_aspace("program", SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE, false);
    if (aid > 0)
        sim_set_aspace(aid);
    return aid;
}

int sim_delete_aspace(aspace_id aid)
{
    if (vm_get_current_user_aspace_id() == aid)
        sim_set_aspace(ERR_VM_INVALID_ASPACE);
    cpu_unload(aid);
    cpu_forget_unused();
    return vm_delete_aspace(aid);
}
