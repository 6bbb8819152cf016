/* SPDX-License-Identifier: MIT */
/* Device memory: frames that are not the core's. */
#include "support.h"

/* ---- vm_map_physical_memory ---- */

static region_id map_device(void **at, addr_t size, unsigned lock, addr_t physical)
{
    return vm_map_physical_memory(program, "device", at, REGION_ADDR_ANY_ADDRESS, size, lock,
                                  physical);
}

static void test_vm_map_physical_memory_reaches_device(void)
{
    void *at = NULL;
    region_id id = map_device(&at, PAGES(2), LOCK_RW, SIM_DEVICE_LOW);
    assert_true(id > 0);
    memset(sim_physical(SIM_DEVICE_LOW), 0x31, PAGES(2));
    assert_true(sim_is_filled((addr_t)at, 0x31, PAGES(2)));
    OK(sim_write_byte((addr_t)at + PAGE + 5, 0x32));
    assert_int_equal(*(uint8_t *)sim_physical(SIM_DEVICE_LOW + PAGE + 5), 0x32);
    addr_t physical;
    OK(vm_get_page_mapping(program, (addr_t)at + PAGE + 5, &physical));
    assert_int_equal(physical & ~VM_PAGE_MASK, SIM_DEVICE_LOW + PAGE);
}

static void test_vm_map_physical_memory_keeps_offset(void)
{
    void *at = NULL;
    region_id id = map_device(&at, 16, LOCK_RW, SIM_DEVICE_LOW + PAGE - 8);
    assert_true(id > 0);
    assert_int_equal((addr_t)at & VM_PAGE_MASK, PAGE - 8);
    assert_int_equal(region_info(id).base, (addr_t)at - (PAGE - 8));
    assert_int_equal(region_info(id).size, PAGES(2));
    OK(sim_fill((addr_t)at, 0x44, 16));
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(*(uint8_t *)sim_physical(SIM_DEVICE_LOW + PAGE - 8 + i), 0x44);
}

static void test_vm_map_physical_memory_refuses_core_memory(void)
{
    void *at = NULL;
    REFUSED(ERR_INVALID_ARGS, map_device(&at, PAGE, LOCK_RW, SIM_RAM_HIGH));
    REFUSED(ERR_INVALID_ARGS, map_device(&at, PAGES(16), LOCK_RW, SIM_RAM_LOW - PAGES(8)));
    REFUSED(ERR_INVALID_ARGS, map_device(&at, SIM_RAM_HIGH, LOCK_RW, SIM_DEVICE_LOW));
}

static void test_vm_map_physical_memory_wraps(void)
{
    void *at = NULL;
    struct picture before;
    take_picture(&before, program);
    assert_true(map_device(&at, PAGES(2), LOCK_RW, UINTPTR_MAX - PAGE + 1) < 0);
    assert_true(map_device(&at, UINTPTR_MAX, LOCK_RW, SIM_DEVICE_HIGH) < 0);
    assert_true(map_device(&at, PAGE, LOCK_RW, (addr_t)1 << 60) < 0);
    assert_unchanged(&before);
}

static void test_vm_map_physical_memory_read_only(void)
{
    void *at = NULL;
    assert_true(map_device(&at, PAGE, LOCK_RO, SIM_DEVICE_HIGH) > 0);
    assert_byte((addr_t)at, 0);
    assert_int_equal(sim_write_byte((addr_t)at, 1), ERR_VM_PF_BAD_PERM);
}

static void test_vm_map_physical_memory_errors(void)
{
    void *at = NULL;
    REFUSED(ERR_INVALID_ARGS, map_device(&at, 0, LOCK_RW, SIM_DEVICE_LOW));
    REFUSED(ERR_INVALID_ARGS, map_device(&at, PAGE, 0x100, SIM_DEVICE_LOW));
    REFUSED(ERR_VM_INVALID_ASPACE,
            vm_map_physical_memory(0, "d", &at, 0, PAGE, LOCK_RW, SIM_DEVICE_LOW));
    REFUSED(ERR_INVALID_ARGS,
            vm_map_physical_memory(program, NULL, &at, 0, PAGE, LOCK_RW, SIM_DEVICE_LOW));
    at = PTR(SPOT + 1);
    REFUSED(ERR_VM_BAD_ADDRESS, vm_map_physical_memory(program, "d", &at, REGION_ADDR_EXACT_ADDRESS,
                                                       PAGE, LOCK_RW, SIM_DEVICE_LOW));
}

static void test_vm_map_physical_memory_is_shared_by_forks(void)
{
    void *at = NULL;
    assert_true(map_device(&at, PAGE, LOCK_RW, SIM_DEVICE_LOW) > 0);
    OK(sim_write_byte((addr_t)at, 1));
    aspace_id child = fork_program();
    OK(sim_write_byte((addr_t)at, 2));
    assert_int_equal(*(uint8_t *)sim_physical(SIM_DEVICE_LOW), 2);
    sim_set_aspace(program);
    assert_byte((addr_t)at, 2);
    OK(sim_delete_aspace(child));
}

UNIT_MAIN("devices", TEST(test_vm_map_physical_memory_reaches_device),
          TEST(test_vm_map_physical_memory_keeps_offset),
          TEST(test_vm_map_physical_memory_refuses_core_memory),
          TEST(test_vm_map_physical_memory_wraps), TEST(test_vm_map_physical_memory_read_only),
          TEST(test_vm_map_physical_memory_errors),
          TEST(test_vm_map_physical_memory_is_shared_by_forks))
