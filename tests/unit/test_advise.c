/* SPDX-License-Identifier: MIT */
/* vm_advise_range and vm_keep_range of every kind of memory, and of ranges that they refuse. */
#include "bugs.h"

#include <stdio.h>

#include "../../vm/system.h"

#define SMALL .memory = (size_t)1 << 20, .swap = 1024

static vm_aspace_info usage(void)
{
    vm_aspace_info info;
    OK(vm_get_aspace_info(program, &info));
    return info;
}

static int advise(size_t page, size_t pages, int advice)
{
    return vm_advise_range(program, SPOT + PAGES(page), PAGES(pages), advice);
}

static int keep(size_t pages)
{
    bool lost;
    return vm_keep_range(program, SPOT, PAGES(pages), &lost);
}

static void map_device(void)
{
    void *at = PTR(SPOT);
    assert_true(vm_map_physical_memory(program, "device", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(2),
                                       LOCK_RW, SIM_DEVICE_LOW) > 0);
}

static sim_file *map_file_at_spot(size_t pages, int mapping)
{
    void *at = PTR(SPOT);
    sim_file *file = sim_file_create_numbered("/f", pages);
    assert_true(vm_map_vnode(program, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(pages), LOCK_RW,
                             mapping, file, 0) > 0);
    return file;
}

static void test_advice_for_access_refuses(void)
{
    region_at(SPOT, 4, LOCK_RW);
    assert_int_equal(vm_advise_range(99, SPOT, PAGE, VM_ADVICE_RANDOM), ERR_VM_INVALID_ASPACE);
    assert_int_equal(vm_advise_range(program, SPOT + 1, PAGE, VM_ADVICE_RANDOM),
                     ERR_VM_BAD_ADDRESS);
    sim_fail_at(SIM_FAIL_METADATA, 1, true);
    assert_int_equal(advise(1, 2, VM_ADVICE_RANDOM), ERR_NO_MEMORY);
    sim_fail_at(SIM_FAIL_METADATA, 0, false);
    OK(advise(1, 2, VM_ADVICE_SEQUENTIAL));
    assert_int_equal(region_info(find_region(SPOT + PAGE)).advice, VM_ADVICE_SEQUENTIAL);
    OK(advise(0, 4, VM_ADVICE_NORMAL));
    assert_int_equal(count_regions(program), 1);
}

/* There is nothing to read, to free, or to forget. */
static void test_advice_on_a_device(void)
{
    map_device();
    OK(sim_write_byte(SPOT, 7));
    OK(advise(0, 2, VM_ADVICE_WILL_NEED));
    OK(advise(0, 2, VM_ADVICE_COLD));
    OK(advise(0, 2, VM_ADVICE_PAGEOUT));
    assert_int_equal(advise(0, 2, VM_ADVICE_FREE), ERR_INVALID_ARGS);
    OK(keep(2));
    assert_byte(SPOT, 7);
}

static void test_advice_on_a_guard(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    OK(advise(0, 4, VM_ADVICE_PAGEOUT));
    OK(vm_protect_range(program, SPOT, PAGES(2), LOCK_NO_READ));
    OK(advise(0, 4, VM_ADVICE_WILL_NEED));
    assert_int_equal(figures().failed_faults, 0);
    assert_int_equal(usage().swapped_pages, 2);
    assert_numbered(SPOT + PAGES(2), 2, 3);
}

static void test_advice_on_wired_pages(void)
{
    region_at(SPOT, 4, LOCK_RW);
    OK(vm_wire_range(program, SPOT, PAGES(4)));
    assert_int_equal(advise(0, 4, VM_ADVICE_COLD), ERR_INVALID_ARGS);
    assert_int_equal(advise(0, 4, VM_ADVICE_PAGEOUT), ERR_INVALID_ARGS);
    assert_int_equal(advise(0, 4, VM_ADVICE_FREE), ERR_INVALID_ARGS);
    OK(vm_unwire_range(program, SPOT, PAGES(4)));
}

static int reclaim(void *wanted)
{
    return (int)vm_reclaim((size_t)wanted);
}

/* Pages that are being written stay what they are. */
static void test_advice_on_busy_pages(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    sim_swap_block(sim_boot_swap(), true);
    (void)sim_spawn("reclaimer", reclaim, PTR((addr_t)4));
    sim_run_until_blocked();
    OK(advise(0, 4, VM_ADVICE_COLD));
    OK(advise(0, 4, VM_ADVICE_FREE));
    sim_swap_block(sim_boot_swap(), false);
    sim_run();
    OK(keep(4));
    assert_byte(SPOT, 1);
}

/* What somebody else sees may not be forgotten: it stays, and no error is said. */
static void test_free_leaves_what_others_see(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    void *at = NULL;
    region_id clone = vm_clone_region(program, "clone", &at, REGION_ADDR_ANY_ADDRESS,
                                      find_region(SPOT), REGION_PRIVATE_MAP, LOCK_RW);
    assert_true(clone > 0);
    OK(advise(0, 4, VM_ADVICE_FREE));
    assert_true(vm_reclaim(4) >= 4);
    assert_numbered(SPOT, 4, 1);
    OK(vm_delete_region(program, clone));
    at = NULL;
    clone = vm_clone_region(program, "clone", &at, REGION_ADDR_ANY_ADDRESS, find_region(SPOT),
                            REGION_NO_PRIVATE_MAP, LOCK_RW);
    assert_true(clone > 0);
    OK(advise(0, 4, VM_ADVICE_FREE));
    assert_true(vm_reclaim(4) >= 4);
    assert_numbered(SPOT, 4, 1);
}

static void test_free_refuses_files_and_shared_memory(void)
{
    (void)map_file_at_spot(2, REGION_NO_PRIVATE_MAP);
    assert_int_equal(advise(0, 2, VM_ADVICE_FREE), ERR_INVALID_ARGS);
    OK(vm_unmap_range(program, SPOT, PAGES(2)));
    (void)map_file_at_spot(2, REGION_PRIVATE_MAP);
    OK(sim_write_byte(SPOT, 9));
    assert_int_equal(advise(0, 2, VM_ADVICE_FREE), ERR_INVALID_ARGS);
    OK(keep(2));
    assert_byte(SPOT, 9);
    assert_byte(SPOT + PAGE, 2);
    OK(vm_unmap_range(program, SPOT, PAGES(2)));
    region_at(SPOT, 2, LOCK_RW | REGION_SHARED);
    assert_int_equal(advise(0, 2, VM_ADVICE_FREE), ERR_INVALID_ARGS);
}

/* What was forgotten already has nothing to forget. */
static void test_free_twice(void)
{
    bool lost;
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    OK(advise(0, 4, VM_ADVICE_FREE));
    assert_true(vm_reclaim(4) >= 4);
    OK(advise(0, 4, VM_ADVICE_FREE));
    OK(advise(0, 4, VM_ADVICE_COLD));
    OK(vm_keep_range(program, SPOT, PAGES(4), &lost));
    assert_true(lost);
    number_pages(SPOT, 4, 1);
    OK(advise(0, 4, VM_ADVICE_FREE));
    assert_int_equal(region_info(find_region(SPOT)).discardable_pages, 4);
    OK(vm_keep_range(program, SPOT, PAGES(4), &lost));
    assert_false(lost);
    assert_int_equal(region_info(find_region(SPOT)).discardable_pages, 0);
    OK(vm_keep_range(program, SPOT, PAGES(4), &lost));
    assert_false(lost);
}

/* What swap has of it goes at once, a page that was read from there gives its slot back. */
static void test_free_of_what_is_in_swap(void)
{
    bool lost;
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    OK(advise(0, 4, VM_ADVICE_PAGEOUT));
    OK(advise(0, 4, VM_ADVICE_FREE));
    assert_int_equal(figures().free_swap_slots, 1024);
    OK(vm_keep_range(program, SPOT, PAGES(4), &lost));
    assert_true(lost);
    assert_byte(SPOT, 0);
}

static void test_free_of_what_was_in_swap(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    OK(advise(0, 4, VM_ADVICE_PAGEOUT));
    assert_byte(SPOT, 1);
    OK(advise(0, 4, VM_ADVICE_FREE));
    assert_int_equal(figures().free_swap_slots, 1024);
    assert_byte(SPOT, 1);
}

/* The pages of a range that isn't all of its cache. */
static void test_swapped_pages_of_a_part(void)
{
    region_at(SPOT, 8, LOCK_RW);
    number_pages(SPOT, 8, 1);
    OK(vm_protect_range(program, SPOT, PAGES(4), LOCK_RO));
    OK(advise(0, 8, VM_ADVICE_PAGEOUT));
    assert_int_equal(region_info(find_region(SPOT)).swapped_pages, 4);
    assert_int_equal(region_info(find_region(SPOT + PAGES(4))).swapped_pages, 4);
    vm_region_info info = region_info(find_region(SPOT));
    char line[64];
    snprintf(line, sizeof(line), "cache 0x%lx", (unsigned long)info.id);
    (void)vm_debugger_command(line);
    assert_numbered(SPOT, 8, 1);
}

static void test_pageout_of_a_hole_and_of_nothing(void)
{
    region_at(SPOT, 4, LOCK_RW);
    OK(sim_write_byte(SPOT + PAGES(3), 1));
    OK(advise(0, 2, VM_ADVICE_PAGEOUT));
    assert_int_equal(usage().resident_pages, 1);
    assert_int_equal(advise(2, 4, VM_ADVICE_PAGEOUT), ERR_VM_PAGE_NOT_PRESENT);
    assert_int_equal(usage().resident_pages, 0);
}

/* Not even one that the next look of a hand would spare. */
static void test_pageout_of_a_page_in_use(void)
{
    addr_t physical;
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    OK(vm_get_page_mapping(program, SPOT, &physical));
    vm_page_at(physical)->referenced = 1;
    OK(advise(0, 1, VM_ADVICE_PAGEOUT));
    assert_int_equal(figures().evictions, 1);
    assert_byte(SPOT, 1);
}

/* Regions whose pages are there are passed over each time anew. */
static void test_will_need_of_several_regions(void)
{
    uint8_t resident[44];
    void *at = PTR(SPOT + PAGES(4));
    sim_file *second = sim_file_create_numbered("/g", 40);
    (void)map_file_at_spot(4, REGION_NO_PRIVATE_MAP);
    assert_true(vm_map_vnode(program, "g", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(40), LOCK_RO,
                             REGION_NO_PRIVATE_MAP, second, 0) > 0);
    OK(advise(0, 44, VM_ADVICE_WILL_NEED));
    OK(vm_get_residency(program, SPOT, PAGES(44), resident));
    for (size_t i = 0; i < 44; i++)
        assert_int_equal(resident[i], 1);
    assert_int_equal(sim_file_reads(second), 3); /* 16 pages each, at most */
    assert_int_equal(advise(0, 45, VM_ADVICE_WILL_NEED), ERR_VM_PAGE_NOT_PRESENT);
}

/* As far as there are frames beyond those at which the daemons begin. */
static void test_will_need_leaves_frames(void)
{
    static addr_t frames[512];
    size_t count = 0, low = vm_system.pages.reserve.low;
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    OK(advise(0, 1, VM_ADVICE_PAGEOUT));
    while (figures().available_pages > low)
        OK(vm_allocate_frames(1, false, &frames[count++]));
    OK(advise(0, 1, VM_ADVICE_WILL_NEED));
    assert_int_equal(usage().swapped_pages, 1);
    vm_free_frames(frames[--count], 1);
    OK(advise(0, 1, VM_ADVICE_WILL_NEED));
    assert_int_equal(usage().swapped_pages, 0);
    while (count > 0)
        vm_free_frames(frames[--count], 1);
}

/* It is passed over: who accesses it hears of the error. */
static void test_will_need_of_what_cannot_be_read(void)
{
    uint8_t resident[3];
    sim_file *file = map_file_at_spot(3, REGION_NO_PRIVATE_MAP);
    sim_file_fail_reads(file, 1, 2, ERR_IO); /* of all, and of the first alone */
    OK(advise(0, 3, VM_ADVICE_WILL_NEED));
    OK(vm_get_residency(program, SPOT, PAGES(3), resident));
    assert_int_equal(resident[0], 0);
    assert_true(resident[1] && resident[2]);
    assert_byte(SPOT, 1);
}

/* What has been accessed since it was brought goes all the same, and before all else. */
static void test_cold_pages_go_first(void)
{
    region_at(SPOT, 16, LOCK_RW);
    OK(vm_protect_range(program, SPOT + PAGES(8), PAGES(8), LOCK_RW | LOCK_EXECUTE));
    for (unsigned i = 0; i < 3; i++) { /* so that none is young */
        number_pages(SPOT, 16, 1);
        vm_system.reclaim.gone = SIZE_MAX / 2;
        reclaim_collect();
        OK(vm_protect_range(program, SPOT, PAGES(16), LOCK_NO_READ));
        OK(vm_protect_range(program, SPOT, PAGES(8), LOCK_RW));
        OK(vm_protect_range(program, SPOT + PAGES(8), PAGES(8), LOCK_RW | LOCK_EXECUTE));
    }
    number_pages(SPOT, 16, 1);
    OK(advise(8, 8, VM_ADVICE_COLD));
    assert_int_equal(vm_reclaim(8), 8);
    assert_int_equal(figures().kept, 0);
    assert_int_equal(region_info(find_region(SPOT)).swapped_pages, 0);
    assert_int_equal(region_info(find_region(SPOT + PAGES(8))).swapped_pages, 8);
}

/* Without swap a modified page has nowhere to go, and is in nobody's batch. */
static void test_pageout_without_swap(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    OK(advise(0, 4, VM_ADVICE_PAGEOUT));
    assert_int_equal(figures().evictions, 0);
    assert_int_equal(figures().kept, 4); /* each was tried by itself */
    assert_numbered(SPOT, 4, 1);
}

/* Nothing lies behind it, though the next address is 0. */
static void test_will_need_of_the_last_page(void)
{
    aspace_id kernel = start_with_last_page();
    addr_t last = (addr_t)0 - PAGE;
    sim_file *file = sim_file_create_numbered("/f", 1);
    void *at = PTR(last);
    uint8_t resident;
    assert_true(vm_map_vnode(kernel, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                             LOCK_RW | LOCK_KERNEL, REGION_NO_PRIVATE_MAP, file, 0) > 0);
    for (unsigned i = 0; i < 2; i++) {
        OK(vm_advise_range(kernel, last, PAGE, VM_ADVICE_WILL_NEED));
        OK(vm_get_residency(kernel, last, PAGE, &resident));
        assert_int_equal(resident, 1);
        assert_int_equal(sim_file_reads(file), 1);
    }
    OK(vm_discard_range(kernel, last, PAGE));
    OK(vm_advise_range(kernel, last, PAGE, VM_ADVICE_PAGEOUT));
    sim_file_fail_reads(file, 1, 1000, ERR_IO);
    OK(vm_advise_range(kernel, last, PAGE, VM_ADVICE_WILL_NEED));
    assert_int_equal(sim_file_reads(file), 2);
    OK(vm_unmap_range(kernel, last, PAGE));
    end_last_page();
}

UNIT_MAIN("advise", TEST_ON(test_advice_for_access_refuses, SMALL),
          TEST_ON(test_advice_on_a_device, SMALL), TEST_ON(test_advice_on_a_guard, SMALL),
          TEST_ON(test_advice_on_wired_pages, SMALL), TEST_ON(test_advice_on_busy_pages, SMALL),
          TEST_ON(test_free_leaves_what_others_see, SMALL),
          TEST_ON(test_free_refuses_files_and_shared_memory, SMALL),
          TEST_ON(test_free_twice, SMALL), TEST_ON(test_free_of_what_is_in_swap, SMALL),
          TEST_ON(test_free_of_what_was_in_swap, SMALL),
          TEST_ON(test_swapped_pages_of_a_part, SMALL),
          TEST_ON(test_pageout_of_a_hole_and_of_nothing, SMALL),
          TEST_ON(test_pageout_of_a_page_in_use, SMALL),
          TEST_ON(test_will_need_of_several_regions, SMALL),
          TEST_ON(test_will_need_leaves_frames, SMALL),
          TEST_ON(test_will_need_of_what_cannot_be_read, SMALL),
          TEST_ON(test_cold_pages_go_first, SMALL),
          TEST_ON(test_pageout_without_swap, .memory = (size_t)1 << 20),
          TEST(test_will_need_of_the_last_page))
