/* SPDX-License-Identifier: MIT */
/* Arguments that a call can't use: it says so and changes nothing. */
#include "support.h"

#include "aspace.h"

static aspace_id kernel;

static region_id make(aspace_id aid, void **at, int addr_type, addr_t size, int wiring,
                      unsigned lock)
{
    return vm_create_anonymous_region(aid, "x", at, addr_type, size, wiring, lock);
}

/* ---- creating ---- */

static void test_creation_without_a_place(void)
{
    REFUSED(ERR_INVALID_ARGS, make(program, NULL, REGION_ADDR_ANY_ADDRESS, PAGE, 0, LOCK_RW));
}

static void test_creation_forbids_reading_alone(void)
{
    void *at = NULL;
    REFUSED(ERR_INVALID_ARGS, make(program, &at, 0, PAGE, 0, LOCK_NO_READ | LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, make(program, &at, 0, PAGE, 0, LOCK_NO_READ | LOCK_EXECUTE));
    assert_true(make(program, &at, 0, PAGE, 0, LOCK_NO_READ) > 0);
}

static void test_adoption_needs_an_exact_address(void)
{
    void *at = PTR(SIM_BOOT_BASE);
    kernel = vm_get_kernel_aspace_id();
    REFUSED(ERR_INVALID_ARGS, make(kernel, &at, REGION_ADDR_ANY_ADDRESS, PAGE,
                                   REGION_WIRING_WIRED_ALREADY, LOCK_RW | LOCK_KERNEL));
    at = PTR(SIM_KERNEL_BASE - PAGE);
    REFUSED(ERR_VM_BAD_ADDRESS, make(kernel, &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                     REGION_WIRING_WIRED_ALREADY, LOCK_RW | LOCK_KERNEL));
}

/* What is mapped there must be a frame that was taken before the core came. */
static void test_adoption_of_other_frames(void)
{
    void *at = NULL;
    kernel = vm_get_kernel_aspace_id();
    region_id heap = make(kernel, &at, 0, PAGE, REGION_WIRING_WIRED, LOCK_RW | LOCK_KERNEL);
    assert_true(heap > 0);
    REFUSED(ERR_INVALID_ARGS, make(kernel, &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                   REGION_WIRING_WIRED_ALREADY, LOCK_RW | LOCK_KERNEL));
    OK(vm_delete_region(kernel, heap));
    region_id device =
        vm_map_physical_memory(kernel, "d", &at, 0, PAGE, LOCK_RW | LOCK_KERNEL, SIM_DEVICE_LOW);
    assert_true(device > 0);
    OK(vm_fault_aspace(kernel, (addr_t)at, VM_ACCESS_READ));
    REFUSED(ERR_INVALID_ARGS, make(kernel, &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                   REGION_WIRING_WIRED_ALREADY, LOCK_RW | LOCK_KERNEL));
    OK(vm_delete_region(kernel, device));
}

static void test_device_of_impossible_size(void)
{
    void *at = NULL;
    REFUSED(ERR_VM_BAD_ADDRESS,
            vm_map_physical_memory(program, "d", &at, 0, UINTPTR_MAX, LOCK_RW, SIM_DEVICE_LOW + 8));
    REFUSED(ERR_VM_BAD_ADDRESS,
            vm_map_physical_memory(program, "d", &at, 0, UINTPTR_MAX - 8, LOCK_RW, SIM_DEVICE_LOW));
}

/* The kernel may map memory of the core's, too; a program's space may not. */
static void test_device_that_is_memory(void)
{
    void *at = NULL;
    addr_t frame;
    kernel = vm_get_kernel_aspace_id();
    OK(vm_allocate_frames(1, true, &frame));
    REFUSED(ERR_INVALID_ARGS, vm_map_physical_memory(program, "d", &at, 0, PAGE, LOCK_RW, frame));
    region_id id =
        vm_map_physical_memory(kernel, "d", &at, 0, PAGE, LOCK_RW | LOCK_KERNEL, frame + 8);
    assert_true(id > 0);
    uint8_t byte = 77;
    OK(sim_kernel_write((addr_t)at, &byte, 1));
    assert_int_equal(*(uint8_t *)sim_physical(frame + 8), 77);
    OK(vm_delete_region(kernel, id));
    vm_free_frames(frame, 1);
}

static void test_null_region_of_the_kernel(void)
{
    void *at = NULL;
    kernel = vm_get_kernel_aspace_id();
    region_id id = vm_create_null_region(kernel, "none", &at, 0, PAGE);
    assert_true(id > 0);
    assert_true(region_info(id).lock & LOCK_KERNEL);
    assert_int_equal(vm_fault_aspace(kernel, (addr_t)at, VM_ACCESS_READ), ERR_VM_PF_FATAL);
    OK(vm_delete_region(kernel, id));
}

/* ---- ranges ---- */

static void test_top_of_all_or_nothing(void)
{
    void *at = PTR(SIM_USER_BASE);
    REFUSED(ERR_VM_NO_REGION_SLOT, make(program, &at, REGION_ADDR_TOP, PAGE, 0, LOCK_RW));
    at = PTR(SIM_KERNEL_BASE);
    assert_true(make(program, &at, REGION_ADDR_TOP, PAGE, 0, LOCK_RW) > 0);
    assert_int_equal((addr_t)at, SIM_USER_END - PAGE);
}

static void test_protection_forbids_reading_alone(void)
{
    region_at(SPOT, 1, LOCK_RW);
    REFUSED(ERR_INVALID_ARGS, vm_protect_range(program, SPOT, PAGE, LOCK_NO_READ | LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, vm_protect_range(program, SPOT, PAGE, LOCK_NO_READ | LOCK_EXECUTE));
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_NO_READ));
}

static void test_moves_that_are_none(void)
{
    void *at = PTR(SPOT * 2);
    region_at(SPOT, 1, LOCK_RW);
    REFUSED(ERR_INVALID_ARGS, vm_move_range(program, SPOT, PAGE, PAGE, NULL, 0));
    REFUSED(ERR_INVALID_ARGS, vm_move_range(program, SPOT, PAGE, 0, &at, 0));
    REFUSED(ERR_VM_NO_REGION_SLOT, vm_move_range(program, SPOT, PAGE, INT64_MAX, &at, 0));
}

static void test_growth_past_the_last_offset(void)
{
    addr_t address;
    void *at = PTR(SPOT);
    sim_file *file = sim_file_create_numbered("/f", 1);
    region_id id =
        vm_map_vnode(program, "end", &at, REGION_ADDR_EXACT_ADDRESS, PAGE, LOCK_RO,
                     REGION_NO_PRIVATE_MAP, file, (off_t)(INT64_MAX & ~VM_PAGE_MASK) - (off_t)PAGE);
    assert_true(id > 0);
    address = (addr_t)at;
    REFUSED(ERR_VM_NO_REGION_SLOT, vm_resize_region(program, id, PAGES(3)));
    OK(vm_unmap_range(program, address, PAGE));
}

static void test_holes_that_are_none(void)
{
    addr_t at = 5;
    REFUSED(ERR_INVALID_ARGS, vm_find_hole(program, PAGE, PAGE, SPOT, SPOT * 2, NULL));
    REFUSED(ERR_INVALID_ARGS, vm_find_hole(program, PAGE, PAGE, SPOT, SPOT, &at));
    REFUSED(ERR_INVALID_ARGS, vm_find_hole(program, PAGE, PAGE / 2, SPOT, SPOT * 2, &at));
    REFUSED(ERR_INVALID_ARGS, vm_find_hole(program, PAGE, PAGE * 3, SPOT, SPOT * 2, &at));
    assert_int_equal(at, 5);
}

/* ---- names ---- */

static void test_no_name(void)
{
    REFUSED(ERR_INVALID_ARGS, vm_copy_aspace(program, NULL));
    REFUSED(ERR_INVALID_ARGS, (int)vm_find_region_by_name(program, NULL));
    REFUSED(ERR_INVALID_ARGS, vm_debugger_command(NULL));
}

static void test_long_names_are_cut(void)
{
    static const char name[] = "0123456789012345678901234567890123456789";
    aspace_id other = vm_create_aspace(name, SIM_USER_BASE, PAGES(4), false);
    vm_address_space *aspace = vm_get_aspace_by_id(other);
    assert_non_null(aspace);
    assert_int_equal(strlen(aspace->name), VM_NAME_LENGTH - 1);
    assert_memory_equal(aspace->name, name, VM_NAME_LENGTH - 1);
    vm_put_aspace(aspace);
    OK(vm_delete_aspace(other));
}

/* ---- files and frames ---- */

static void test_copies_outside_of_all_files(void)
{
    vm_cache_ref *cache;
    size_t done = 9;
    char byte = 0;
    sim_file *file = sim_file_create_numbered("/f", 1);
    OK(vm_get_vnode_cache(file, &cache));
    assert_int_equal(vm_cache_read(cache, -1, &byte, 1, false, &done), ERR_INVALID_ARGS);
    assert_int_equal(done, 0);
    assert_int_equal(vm_cache_read(cache, INT64_MAX, &byte, 1, false, &done), ERR_INVALID_ARGS);
    assert_int_equal(vm_cache_truncate(cache, -1), ERR_INVALID_ARGS);
    OK(vm_cache_read(cache, 0, &byte, 1, false, &done));
    OK(vm_cache_truncate(cache, INT64_MAX)); /* behind all pages: nothing goes */
    assert_int_equal(byte, 1);
    OK(vm_cache_read(cache, 0, &byte, 1, false, &done));
    assert_int_equal(sim_file_reads(file), 1);
    vm_put_cache(cache);
}

static void test_physical_addresses_without_a_place_for_them(void)
{
    addr_t at = 5;
    assert_int_equal(vm_get_page_mapping(program, SPOT, NULL), ERR_INVALID_ARGS);
    assert_int_equal(vm_get_page_mapping(program, SIM_USER_BASE - 1, &at), ERR_VM_PAGE_NOT_PRESENT);
    assert_int_equal(vm_get_physical_page(SIM_RAM_LOW, NULL, PHYSICAL_PAGE_CAN_WAIT),
                     ERR_INVALID_ARGS);
    assert_int_equal(vm_get_physical_page(SIM_RAM_LOW, &at, 77), ERR_INVALID_ARGS);
    assert_int_equal(vm_get_physical_page(SIM_RAM_LOW, &at, PHYSICAL_PAGE_CAN_WAIT), VM_OK);
    OK(vm_put_physical_page(at));
    assert_int_equal(vm_allocate_frames(1, false, NULL), ERR_INVALID_ARGS);
    assert_int_equal(vm_allocate_frames(0, false, &at), ERR_INVALID_ARGS);
}

static void assert_count(addr_t physical, addr_t size, size_t memory, size_t hosts)
{
    struct vm_frame_count count;
    vm_count_frames(physical, size, &count);
    assert_int_equal(count.memory, memory);
    assert_int_equal(count.hosts, hosts);
}

static void test_frames_of_the_host_are_counted(void)
{
    addr_t run, one;
    OK(vm_allocate_frames(3, false, &run));
    OK(vm_allocate_reserved_frame(&one));
    assert_count(run, PAGES(3), 3, 3);
    assert_count(run + PAGE, PAGE, 1, 1);
    assert_count(one, PAGE, 1, 1);
    assert_count(run, 0, 0, 0);
    struct vm_frame_count all;
    vm_count_frames(0, ~VM_PAGE_MASK, &all);
    assert_int_equal(all.memory, figures().physical_pages);
    vm_free_frames(one, 1);
    assert_count(one, PAGE, 1, 0);
    vm_free_frames(run + PAGE, 1);
    assert_count(run, PAGES(3), 3, 2);
    vm_free_frames(run, 1);
    vm_free_frames(run + PAGES(2), 1);
    assert_count(0, ~VM_PAGE_MASK, all.memory, all.hosts - 4);
}

UNIT_MAIN("arguments", TEST(test_creation_without_a_place),
          TEST(test_creation_forbids_reading_alone), TEST(test_adoption_needs_an_exact_address),
          TEST(test_adoption_of_other_frames), TEST(test_device_of_impossible_size),
          TEST(test_device_that_is_memory), TEST(test_null_region_of_the_kernel),
          TEST(test_top_of_all_or_nothing), TEST(test_protection_forbids_reading_alone),
          TEST(test_moves_that_are_none), TEST(test_growth_past_the_last_offset),
          TEST(test_holes_that_are_none), TEST(test_no_name), TEST(test_long_names_are_cut),
          TEST(test_copies_outside_of_all_files),
          TEST(test_physical_addresses_without_a_place_for_them),
          TEST(test_frames_of_the_host_are_counted))
