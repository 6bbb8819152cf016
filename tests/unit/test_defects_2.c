/* SPDX-License-Identifier: MIT */
/* NewOS's defects from the eleventh on: see test_defects.c. */
#include "support.h"

static region_id anonymous(aspace_id aid, void **at, int addr_type, addr_t size, int wiring,
                           unsigned lock)
{
    return vm_create_anonymous_region(aid, "test", at, addr_type, size, wiring, lock);
}

static int read_page(void *address)
{
    return sim_read_byte((addr_t)address);
}

static void test_defect_11_failed_read_shows_no_old_bytes(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    addr_t a;
    map_pages(&a, file, 2, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    sim_file_fail_reads(file, 1, 2, ERR_IO);
    assert_int_equal(sim_read_byte(a), ERR_IO);
    sim_file_shorten_reads(file, 10);
    assert_true(sim_is_filled(a, 1, 10));
    assert_true(sim_is_filled(a + 10, 0, PAGE - 10));
}

static void test_defect_11_contiguous_runs_are_cleared(void)
{
    aspace_id kernel = vm_get_kernel_aspace_id();
    void *at = NULL;
    region_id id =
        anonymous(kernel, &at, 0, PAGES(20), REGION_WIRING_WIRED_CONTIG, LOCK_RW | LOCK_KERNEL);
    assert_true(id > 0);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t word = 1;
        OK(sim_kernel_read((addr_t)at + PAGES(i) + 8 * i, &word, sizeof(word)));
        assert_int_equal(word, 0);
    }
    OK(vm_delete_region(kernel, id));
}

static void test_defect_12_wired_pages_stay_wired(void)
{
    void *at = NULL;
    size_t wired = figures().wired_pages;
    region_id id = anonymous(program, &at, 0, PAGES(8), REGION_WIRING_WIRED, LOCK_RW);
    assert_true(id > 0);
    number_pages((addr_t)at, 8, 1);
    assert_true(figures().wired_pages >= wired + 8);
    addr_t newip = 0;
    OK(vm_handle_fault((addr_t)at, 0, VM_ACCESS_WRITE | VM_ACCESS_USER, &newip));
    assert_true(figures().wired_pages >= wired + 8);
    SIM_CHECK();
}

static void test_defect_12_modified_pages_stay_modified(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a, newip = 0;
    map_pages(&a, file, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(sim_write_byte(a, 55));
    OK(vm_handle_fault(a, 0, VM_ACCESS_READ | VM_ACCESS_USER, &newip));
    OK(vm_sync_range(program, a, PAGE));
    assert_int_equal(sim_file_data(file)[0], 55);
}

static void test_defect_13_wired_faults_the_right_space(void)
{
    aspace_id other = vm_create_aspace("other", SIM_USER_BASE, PAGES(100), false);
    void *at = PTR(SIM_USER_BASE);
    addr_t physical;
    assert_true(anonymous(other, &at, REGION_ADDR_EXACT_ADDRESS, PAGES(3), REGION_WIRING_WIRED,
                          LOCK_RW) > 0);
    for (unsigned i = 0; i < 3; i++) {
        OK(vm_get_page_mapping(other, SIM_USER_BASE + PAGES(i), &physical));
        assert_int_equal(vm_get_page_mapping(program, SIM_USER_BASE + PAGES(i), &physical),
                         ERR_VM_PAGE_NOT_PRESENT);
    }
    OK(vm_delete_aspace(other));
}

static void test_defect_14_device_fault_maps_one_region(void)
{
    aspace_id other = vm_create_aspace("other", SIM_USER_BASE, PAGES(100), false);
    void *a = PTR(SPOT), *b = PTR(SIM_USER_BASE);
    addr_t physical;
    region_id source = vm_map_physical_memory(program, "d", &a, REGION_ADDR_EXACT_ADDRESS, PAGES(2),
                                              LOCK_RW, SIM_DEVICE_LOW);
    assert_true(vm_clone_region(other, "c", &b, REGION_ADDR_EXACT_ADDRESS, source,
                                REGION_NO_PRIVATE_MAP, LOCK_RW) > 0);
    OK(sim_write_byte(SPOT, 1));
    assert_int_equal(vm_get_page_mapping(program, SIM_USER_BASE, &physical),
                     ERR_VM_PAGE_NOT_PRESENT);
    assert_int_equal(vm_get_page_mapping(other, SPOT, &physical), ERR_VM_PAGE_NOT_PRESENT);
    OK(vm_delete_aspace(other));
}

/* It read zeros: now it is refused. */
static void test_defect_14_private_clone_of_a_device(void)
{
    void *a = NULL, *b = NULL;
    region_id source = vm_map_physical_memory(program, "d", &a, 0, PAGE, LOCK_RW, SIM_DEVICE_LOW);
    REFUSED(ERR_UNSUPPORTED,
            vm_clone_region(program, "c", &b, 0, source, REGION_PRIVATE_MAP, LOCK_RW));
}

static void test_defect_15_second_deletion_is_an_error(void)
{
    addr_t a;
    region_id id = new_region(&a, 1);
    vm_region *region = vm_get_region_by_id(id);
    OK(vm_delete_region(program, id));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(vm_delete_region(program, id), ERR_VM_INVALID_REGION);
    vm_put_region(region);
    SIM_CHECK();
}

struct deletion {
    region_id id;
};

static int delete_region(void *argument)
{
    struct deletion *d = argument;
    return vm_delete_region(program, d->id);
}

static void test_defect_15_concurrent_deletions(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a;
    struct deletion d = {map_pages(&a, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0)};
    sim_file_block_reads(file, true);
    sim_fiber *reader = sim_spawn("reader", read_page, PTR(a));
    sim_run_until_blocked();
    sim_fiber *first = sim_spawn("first", delete_region, &d);
    sim_fiber *second = sim_spawn("second", delete_region, &d);
    sim_run_until_blocked();
    sim_file_block_reads(file, false);
    sim_run();
    int one = sim_fiber_result(first), two = sim_fiber_result(second);
    assert_true((one == VM_OK && two == ERR_VM_INVALID_REGION) ||
                (two == VM_OK && one == ERR_VM_INVALID_REGION));
    int seen = sim_fiber_result(reader);
    assert_true(seen == 1 || seen == ERR_VM_PF_BAD_ADDRESS);
}

static void test_defect_15_long_chain_ends_without_recursion(void)
{
    enum { LONG = 400 };
    region_id previous = region_at(SPOT, 1, LOCK_RW);
    for (unsigned i = 0; i < LONG; i++) {
        void *at = NULL;
        OK(sim_write_byte(SPOT, (uint8_t)i));
        region_id next =
            vm_clone_region(program, "next", &at, 0, previous, REGION_PRIVATE_MAP, LOCK_RW);
        assert_true(next > 0);
        previous = next;
    }
    SIM_CHECK();
    OK(vm_unmap_range(program, SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE));
    SIM_CHECK();
    assert_true(sim_deepest_stack() < 32 << 10);
}

static void test_defect_16_programs_get_no_kernel_rights(void)
{
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write(SPOT, "x", 2));
    char *name = PTR(SPOT);
    void **address = PTR(SPOT + 64);
    region_id boot = vm_find_region_by_name(vm_get_kernel_aspace_id(), "boot image");
    struct picture before;
    take_picture(&before, program);
    assert_true(user_vm_clone_region(name, address, 0, boot, 0, LOCK_RW) < 0);
    assert_true(user_vm_create_anonymous_region(name, address, 0, PAGE, REGION_WIRING_WIRED_ALREADY,
                                                LOCK_RW) < 0);
    assert_true(user_vm_create_anonymous_region(name, address, 0, PAGE, REGION_WIRING_WIRED_CONTIG,
                                                LOCK_RW) < 0);
    assert_int_equal(user_vm_create_anonymous_region(name, PTR(SIM_BOOT_BASE), 0, PAGE, 0, LOCK_RW),
                     ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_vm_get_vm_info(PTR(SIM_BOOT_BASE)), ERR_VM_BAD_USER_MEMORY);
    assert_unchanged(&before);
    uint8_t byte;
    OK(sim_kernel_read(SIM_BOOT_BASE, &byte, 1));
    assert_int_equal(byte, SIM_BOOT_BYTE);
}

static void test_defect_16_read_only_clones_stay_read_only(void)
{
    sim_file_create("/f", NULL, PAGE, VM_ACCESS_READ);
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write(SPOT, "x", 2));
    OK(sim_write(SPOT + 32, "/f", 3));
    region_id source = user_vm_map_file(PTR(SPOT), PTR(SPOT + 64), 0, PAGE, LOCK_RO,
                                        REGION_NO_PRIVATE_MAP, PTR(SPOT + 32), 0);
    assert_true(source > 0);
    REFUSED(ERR_PERMISSION_DENIED, user_vm_clone_region(PTR(SPOT), PTR(SPOT + 64), 0, source,
                                                        REGION_NO_PRIVATE_MAP, LOCK_RW));
}

/* Without memory there is an error, no panic; and modified pages of files reach the file. */
static void test_defect_17_no_memory_is_an_answer(void)
{
    static addr_t frames[8192];
    size_t count = 0;
    region_at(SPOT, 1, LOCK_RW);
    while (vm_allocate_frames(1, false, &frames[count]) == VM_OK)
        count++;
    assert_int_equal(sim_write_byte(SPOT, 1), ERR_NO_MEMORY);
    SIM_CHECK();
    while (count > 0)
        vm_free_frames(frames[--count], 1);
    OK(sim_write_byte(SPOT, 1));
}

static void test_defect_17_shared_writes_reach_the_file(void)
{
    sim_file *file = sim_file_create_numbered("/f", 3);
    addr_t a;
    region_id id = map_pages(&a, file, 3, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    number_pages(a, 3, 200);
    OK(vm_delete_region(program, id));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(sim_file_data(file)[PAGES(i)], 200 + i);
}

static void test_defect_19_every_frame_can_be_had(void)
{
    static addr_t frames[8192];
    static bool had[8192];
    size_t count = 0, expected = free_frames();
    memset(had, 0, sizeof(had));
    while (vm_allocate_frames(1, false, &frames[count]) == VM_OK) {
        assert_non_null(sim_physical(frames[count]));
        size_t slot = frames[count] >= SIM_RAM_HIGH ? 4096 + (frames[count] - SIM_RAM_HIGH) / PAGE
                                                    : (frames[count] - SIM_RAM_LOW) / PAGE;
        assert_false(had[slot]);
        had[slot] = true;
        count++;
    }
    assert_int_equal(count, expected);
    vm_info info = figures();
    assert_int_equal(info.free_pages + info.clear_pages, 0);
    assert_int_equal(info.physical_pages, ((size_t)16 << 20) / PAGE);
    while (count > 0)
        vm_free_frames(frames[--count], 1);
}

static void test_defect_19_runs_stay_inside_ranges(void)
{
    addr_t run;
    size_t pages = 16 * 256 / 8 * 3;
    while (pages > 0 && vm_allocate_frames(pages, false, &run) != VM_OK)
        pages--;
    assert_non_null(sim_physical(run));
    assert_non_null(sim_physical(run + PAGES(pages) - 1));
    for (size_t i = 0; i < pages; i++)
        assert_non_null(sim_physical(run + PAGES(i)));
    vm_free_frames(run, pages);
}

static void test_defect_20_nothing_mapped_is_not_frame_zero(void)
{
    void *at = PTR(SIM_KERNEL_BASE + PAGES(3));
    aspace_id kernel = vm_get_kernel_aspace_id();
    struct picture before;
    take_picture(&before, kernel);
    assert_true(anonymous(kernel, &at, REGION_ADDR_EXACT_ADDRESS, PAGES(2),
                          REGION_WIRING_WIRED_ALREADY, LOCK_RW | LOCK_KERNEL) < 0);
    assert_unchanged(&before);
}

static void test_defect_21_many_regions_are_found_fast(void)
{
    enum { COUNT = 5000 };
    for (addr_t i = 0; i < COUNT; i++)
        region_at(SPOT + PAGES(2 * i), 1, LOCK_NO_READ);
    for (addr_t i = 0; i < COUNT; i++)
        assert_int_equal(region_info(find_region(SPOT + PAGES(2 * i))).base, SPOT + PAGES(2 * i));
    for (addr_t i = 0; i < COUNT; i += 2)
        OK(vm_unmap_range(program, SPOT + PAGES(2 * i), PAGE));
    assert_int_equal(count_regions(program), COUNT / 2);
}

static void test_defect_21_chains_merge(void)
{
    region_at(SPOT, 2, LOCK_RW);
    for (unsigned i = 0; i < 50; i++) {
        number_pages(SPOT, 2, i);
        aspace_id child = vm_copy_aspace(program, "child");
        assert_true(child > 0);
        OK(sim_write_byte(SPOT, (uint8_t)i));
        OK(vm_delete_aspace(child));
    }
    number_pages(SPOT, 2, 1);
    assert_int_equal(region_info(find_region(SPOT)).chain_depth, 1);
}

UNIT_MAIN("defects 11 to 21", TEST(test_defect_11_failed_read_shows_no_old_bytes),
          TEST(test_defect_11_contiguous_runs_are_cleared),
          TEST(test_defect_12_wired_pages_stay_wired),
          TEST(test_defect_12_modified_pages_stay_modified),
          TEST(test_defect_13_wired_faults_the_right_space),
          TEST(test_defect_14_device_fault_maps_one_region),
          TEST(test_defect_14_private_clone_of_a_device),
          TEST(test_defect_15_second_deletion_is_an_error),
          TEST(test_defect_15_concurrent_deletions),
          TEST(test_defect_15_long_chain_ends_without_recursion),
          TEST(test_defect_16_programs_get_no_kernel_rights),
          TEST(test_defect_16_read_only_clones_stay_read_only),
          TEST(test_defect_17_no_memory_is_an_answer),
          TEST(test_defect_17_shared_writes_reach_the_file),
          TEST(test_defect_19_every_frame_can_be_had), TEST(test_defect_19_runs_stay_inside_ranges),
          TEST(test_defect_20_nothing_mapped_is_not_frame_zero),
          TEST(test_defect_21_many_regions_are_found_fast), TEST(test_defect_21_chains_merge))
