/* SPDX-License-Identifier: MIT */
/* The simulated machine as the tests of vspace/ see it. */
#include "machine.h"

#include <limits.h>
#include <string.h>

#include <sim.h>

#include "support.h"

static aspace_id program;
static machine_handler *handler;

static void fail_test(const char *text)
{
    fail_msg("%s", text);
}

static void start(uint64_t seed)
{
    struct sim_config config = {.seed = seed};
    sim_set_failure_handler(fail_test);
    assert_int_equal(sim_start(&config), VM_OK);
    program = sim_new_aspace();
    assert_true(program > 0);
    handler = NULL;
}

void machine_start(void)
{
    start(0);
}

void machine_stop(void)
{
    sim_check(__FILE__, __LINE__);
    if (program > 0)
        assert_int_equal(sim_delete_aspace(program), VM_OK);
    sim_check(__FILE__, __LINE__);
    sim_end();
}

void machine_check(void)
{
    sim_check(__FILE__, __LINE__);
}

addr_t machine_user_base(void)
{
    return SIM_USER_BASE;
}

addr_t machine_user_size(void)
{
    return SIM_USER_END - SIM_USER_BASE;
}

/* ---- accesses ---- */

static int try(addr_t address, unsigned access, uint8_t *byte)
{
    switch (access) {
    case VM_ACCESS_WRITE:
        return sim_write(address, byte, 1);
    case VM_ACCESS_EXECUTE:
        return sim_execute(address, byte, 1);
    default:
        return sim_read(address, byte, 1);
    }
}

static int do_access(addr_t address, unsigned access, uint8_t byte)
{
    int error;
    do
        error = try(address, access, &byte);
    while (error != VM_OK && handler && handler(address, access));
    return error == VM_OK ? (access == VM_ACCESS_WRITE ? 0 : byte) : error;
}

int machine_read(addr_t address)
{
    return do_access(address, VM_ACCESS_READ, 0);
}

int machine_write(addr_t address, uint8_t byte)
{
    return do_access(address, VM_ACCESS_WRITE, byte);
}

int machine_execute(addr_t address)
{
    return do_access(address, VM_ACCESS_EXECUTE, 0);
}

void machine_set_handler(machine_handler *new)
{
    handler = new;
}

uint64_t machine_faults(void)
{
    return sim_faults();
}

/* ---- programs ---- */

aspace_id machine_program(void)
{
    return vm_get_current_user_aspace_id();
}

aspace_id machine_new_program(void)
{
    aspace_id aid = sim_new_aspace();
    assert_true(aid > 0);
    return aid;
}

void machine_enter(aspace_id aid)
{
    sim_set_aspace(aid);
}

void machine_leave(void)
{
    sim_set_aspace(ERR_VM_INVALID_ASPACE);
}

void machine_end_program(aspace_id aid)
{
    assert_int_equal(sim_delete_aspace(aid), VM_OK);
    if (aid == program)
        program = 0;
}

/* ---- files, devices, memory ---- */

void *machine_file(const void *bytes, size_t size)
{
    return sim_file_create("/file", bytes, size,
                           VM_ACCESS_READ | VM_ACCESS_WRITE | VM_ACCESS_EXECUTE);
}

const uint8_t *machine_file_data(void *file)
{
    return sim_file_data(file);
}

void machine_fail_reads(void *file, bool fail)
{
    sim_file_fail_reads(file, 1, fail ? UINT_MAX : 0, ERR_IO);
}

bool machine_has_devices(void)
{
    return true;
}

addr_t machine_device(void)
{
    return SIM_DEVICE_HIGH;
}

size_t machine_free_frames(void)
{
    vm_trim();
    return sim_free_frames();
}

size_t machine_metadata_bytes(void)
{
    vm_info info;
    vm_get_info(&info);
    return info.metadata_bytes;
}

/* ---- failures ---- */

unsigned machine_failure_classes(void)
{
    return SIM_FAILURES;
}

void machine_fail_at(unsigned class, unsigned n)
{
    sim_fail_at((enum sim_failure) class, n, false);
}

bool machine_has_failed(unsigned class)
{
    return sim_fail_done((enum sim_failure) class) > 0;
}

/* ---- threads ---- */

void machine_spawn(int (*function)(void *), void *argument)
{
    (void)sim_spawn("thread", function, argument);
}

void machine_join(void)
{
    sim_run();
}

void machine_yield(void)
{
    sim_yield();
}

/* Each on a machine of its own. */
void machine_with_schedules(unsigned count, void (*test)(void))
{
    for (unsigned seed = 1; seed <= count; seed++) {
        start(seed);
        test();
        machine_stop();
    }
}
