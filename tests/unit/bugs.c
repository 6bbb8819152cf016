/* SPDX-License-Identifier: MIT */
#include "bugs.h"

static void next_machine(unsigned long seed)
{
    struct vm_leftovers left;
    OK(sim_delete_aspace(program));
    if (sim_end_counting(&left) != 0)
        fail_msg("before seed %lu: left over:\n%s", seed, sim_log_text());
    OK(sim_start(&(struct sim_config){.cpus = BUG_CPUS, .seed = seed * 7919}));
    program = sim_new_aspace();
    sim_set_hostility(seed % 2 == 0 ? seed : 0);
}

void in_many_orders(unsigned times, void (*scenario)(void))
{
    struct seeds seeds = seeds_or(1, times);
    for (unsigned long i = 0; i < seeds.count; i++) {
        next_machine(seeds.first + i);
        scenario();
        SIM_CHECK();
    }
}

int read_there(void *address)
{
    return sim_read_byte((addr_t)address);
}

int write_there(void *address)
{
    return sim_write_byte((addr_t)address, 0x99);
}

aspace_id start_with_last_page(void)
{
    kernel_args ka;
    struct vm_leftovers left;
    OK(sim_delete_aspace(program));
    assert_int_equal(sim_end_counting(&left), 0);
    sim_power_on(NULL, &ka);
    ka.kernel_size = (addr_t)0 - ka.kernel_base;
    OK(vm_init(&ka));
    sim_allow_waiting();
    OK(vm_init_postsem(&ka));
    return vm_get_kernel_aspace_id();
}

void end_last_page(void)
{
    struct vm_leftovers left;
    assert_int_equal(vm_check(), 0);
    vm_shutdown(&left);
    assert_int_equal(left.regions + left.caches + left.pages, 0);
    OK(sim_start(NULL));
    program = sim_new_aspace();
}
