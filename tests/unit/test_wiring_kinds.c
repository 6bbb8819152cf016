/* SPDX-License-Identifier: MIT */
/* Devices and guards among what is wired and protected; wirings that stay what they are. */
#include "support.h"

static region_id device_at(addr_t base, size_t pages, unsigned lock)
{
    void *at = PTR(base);
    region_id id = vm_map_physical_memory(program, "device", &at, REGION_ADDR_EXACT_ADDRESS,
                                          PAGES(pages), lock, SIM_DEVICE_LOW);
    assert_true(id > 0);
    return id;
}

static void test_protecting_a_device(void)
{
    device_at(SPOT, 2, LOCK_RW);
    OK(sim_write_byte(SPOT, 5));
    assert_byte(SPOT + PAGE, 0);
    OK(vm_protect_range(program, SPOT, PAGES(2), LOCK_RO));
    assert_int_equal(sim_write_byte(SPOT, 6), ERR_VM_PF_BAD_PERM);
    assert_byte(SPOT, 5);
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RW));
    OK(sim_write_byte(SPOT, 7));
    assert_int_equal(*(uint8_t *)sim_physical(SIM_DEVICE_LOW), 7);
    assert_int_equal(region_info(find_region(SPOT)).resident_pages, 1);
}

/* Another CPU has resolved the fault already. */
static void test_a_device_faults_again(void)
{
    region_id id = device_at(SPOT, 1, LOCK_RW);
    OK(vm_fault_aspace(program, SPOT, VM_ACCESS_WRITE | VM_ACCESS_USER));
    uint64_t flushes = sim_tlb_flushes();
    OK(vm_fault_aspace(program, SPOT, VM_ACCESS_WRITE | VM_ACCESS_USER));
    assert_int_equal(sim_tlb_flushes(), flushes); /* nothing has changed */
    assert_int_equal(region_info(id).resident_pages, 1);
    SIM_CHECK();
}

static void test_wiring_passes_over_devices_and_guards(void)
{
    region_at(SPOT, 1, LOCK_RW);
    device_at(SPOT + PAGE, 1, LOCK_RW);
    region_at(SPOT + PAGES(2), 1, LOCK_NO_READ);
    region_at(SPOT + PAGES(3), 1, LOCK_RO);
    OK(vm_wire_range(program, SPOT, PAGES(4)));
    assert_int_equal(region_info(find_region(SPOT)).wiring, REGION_WIRING_WIRED);
    assert_int_equal(region_info(find_region(SPOT)).resident_pages, 1);
    assert_int_equal(region_info(find_region(SPOT + PAGE)).wiring, REGION_WIRING_LAZY);
    assert_int_equal(region_info(find_region(SPOT + PAGE)).resident_pages, 0);
    assert_int_equal(region_info(find_region(SPOT + PAGES(2))).wiring, REGION_WIRING_WIRED);
    assert_int_equal(region_info(find_region(SPOT + PAGES(2))).resident_pages, 0);
    assert_int_equal(region_info(find_region(SPOT + PAGES(3))).resident_pages, 1);
    OK(vm_unwire_range(program, SPOT, PAGES(4)));
    assert_int_equal(region_info(find_region(SPOT)).wiring, REGION_WIRING_LAZY);
}

static int wire(void *unused)
{
    (void)unused;
    return vm_wire_range(program, SPOT, PAGES(2));
}

static int protect(void *unused)
{
    (void)unused;
    return vm_protect_range(program, SPOT, PAGES(2), LOCK_RO);
}

/* In random order, each step of both: what may not be written any more is brought in to be read. */
static void test_wiring_what_is_being_protected(void)
{
    for (unsigned i = 0; i < 200; i++) {
        region_id id = region_at(SPOT, 2, LOCK_RW);
        sim_fiber *wirer = sim_spawn("wirer", wire, NULL);
        sim_fiber *protector = sim_spawn("protector", protect, NULL);
        sim_run();
        OK(sim_fiber_result(wirer));
        OK(sim_fiber_result(protector));
        assert_int_equal(region_info(id).resident_pages, 2);
        assert_int_equal(region_info(id).wiring, REGION_WIRING_WIRED);
        OK(vm_delete_region(program, id));
    }
}

static void test_wiring_of_a_run_stays(void)
{
    void *at = NULL;
    aspace_id kernel = vm_get_kernel_aspace_id();
    region_id id = vm_create_anonymous_region(kernel, "run", &at, 0, PAGES(3),
                                              REGION_WIRING_WIRED_CONTIG, LOCK_RW | LOCK_KERNEL);
    assert_true(id > 0);
    OK(vm_unwire_range(kernel, (addr_t)at, PAGES(3)));
    assert_int_equal(region_info(id).wiring, REGION_WIRING_WIRED_CONTIG);
    OK(vm_wire_range(kernel, (addr_t)at, PAGES(3)));
    assert_int_equal(region_info(id).wiring, REGION_WIRING_WIRED_CONTIG);
    OK(vm_delete_region(kernel, id));
}

/* Read-only memory can be wired from the start: its pages are there, and clear. */
static void test_wired_for_reading(void)
{
    void *at = PTR(SPOT);
    region_id id = vm_create_anonymous_region(program, "ro", &at, REGION_ADDR_EXACT_ADDRESS,
                                              PAGES(2), REGION_WIRING_WIRED, LOCK_RO);
    assert_true(id > 0);
    assert_int_equal(region_info(id).resident_pages, 2);
    uint64_t faults = sim_faults();
    assert_true(sim_is_filled(SPOT, 0, PAGES(2)));
    assert_int_equal(sim_faults(), faults);
}

/* An instruction that faults on its own address is being fetched. */
static void test_fetches(void)
{
    addr_t newip = 1;
    region_at(SPOT, 1, LOCK_EXECUTE);
    region_at(SPOT * 2, 1, LOCK_RW);
    uint64_t fetches = figures().execute_faults;
    OK(vm_page_fault(SPOT, SPOT, false, true, &newip));
    assert_int_equal(newip, 0);
    assert_int_equal(vm_page_fault(SPOT * 2, SPOT * 2, false, true, &newip), ERR_VM_PF_BAD_PERM);
    assert_int_equal(figures().execute_faults, fetches + 2);
}

/* Files that may be executed, and those that may not. */
static void test_executable_files(void)
{
    sim_file_create("/data", NULL, PAGE, VM_ACCESS_READ);
    sim_file_create("/program", NULL, PAGE, VM_ACCESS_READ | VM_ACCESS_EXECUTE);
    char *name = PTR(SPOT), *path = PTR(SPOT + 32);
    void **at = PTR(SPOT + 512);
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write((addr_t)name, "x", 2));
    OK(sim_write((addr_t)path, "/data", 6));
    assert_int_equal(user_vm_map_file(name, at, 0, PAGE, LOCK_EXECUTE, REGION_PRIVATE_MAP, path, 0),
                     ERR_PERMISSION_DENIED);
    assert_true(user_vm_map_file(name, at, 0, PAGE, LOCK_RO, REGION_PRIVATE_MAP, path, 0) > 0);
    OK(sim_write((addr_t)path, "/program", 9));
    assert_true(user_vm_map_file(name, at, 0, PAGE, LOCK_EXECUTE, REGION_PRIVATE_MAP, path, 0) > 0);
}

static bool is_resident(addr_t address)
{
    uint8_t page;
    OK(vm_get_residency(program, address, PAGE, &page));
    return page != 0;
}

/* A wired region that grows, or moves, brings in its own pages and not its neighbour's. */
static void test_wired_growth_and_moves_stop_at_their_end(void)
{
    void *to = PTR(SPOT * 2);
    region_at(SPOT, 2, LOCK_RW);
    region_at(SPOT + PAGES(4), 1, LOCK_RW);
    region_at(SPOT * 2 + PAGES(4), 1, LOCK_RW);
    OK(vm_wire_range(program, SPOT, PAGES(2)));
    OK(vm_resize_region(program, find_region(SPOT), PAGES(4)));
    assert_true(is_resident(SPOT + PAGES(3)));
    assert_false(is_resident(SPOT + PAGES(4)));
    OK(vm_move_range(program, SPOT, PAGES(4), PAGES(4), &to, REGION_ADDR_EXACT_ADDRESS));
    assert_true(is_resident(SPOT * 2 + PAGES(3)));
    assert_false(is_resident(SPOT * 2 + PAGES(4)));
}

UNIT_MAIN("kinds of regions", TEST(test_protecting_a_device), TEST(test_a_device_faults_again),
          TEST(test_wiring_passes_over_devices_and_guards),
          TEST_ON(test_wiring_what_is_being_protected, .seed = 1), TEST(test_wiring_of_a_run_stays),
          TEST(test_wired_for_reading), TEST(test_fetches), TEST(test_executable_files),
          TEST(test_wired_growth_and_moves_stop_at_their_end))
