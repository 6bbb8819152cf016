/* SPDX-License-Identifier: MIT */
/* What stays behind when regions are cut, grow, shrink or move: neighbours, devices, promises. */
#include "support.h"

#include "aspace.h"
#include "cache.h"
#include "system.h"

static region_id map_device(addr_t at, size_t pages, unsigned lock)
{
    void *address = PTR(at);
    region_id id = vm_map_physical_memory(program, "device", &address, REGION_ADDR_EXACT_ADDRESS,
                                          PAGES(pages), lock, SIM_DEVICE_LOW);
    assert_true(id > 0);
    return id;
}

static uint8_t *device_page(size_t page)
{
    return sim_physical(SIM_DEVICE_LOW + PAGES(page));
}

static void test_pieces_of_a_device_are_device_memory(void)
{
    map_device(SPOT, 5, LOCK_RW);
    OK(vm_unmap_range(program, SPOT + PAGES(2), PAGE));
    OK(sim_write_byte(SPOT + PAGES(4), 44));
    OK(sim_write_byte(SPOT + PAGES(1), 11));
    assert_int_equal(*device_page(4), 44);
    assert_int_equal(*device_page(1), 11);
    *device_page(3) = 33;
    assert_byte(SPOT + PAGES(3), 33);
}

static void test_protection_of_mapped_device_memory(void)
{
    map_device(SPOT, 2, LOCK_RO);
    assert_byte(SPOT, *device_page(0));
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RW));
    OK(sim_write_byte(SPOT, 5));
    assert_int_equal(*device_page(0), 5);
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RO));
    assert_int_equal(sim_write_byte(SPOT, 6), ERR_VM_PF_BAD_PERM);
    assert_byte(SPOT, 5);
}

/* Wiring passes over device memory, and goes on behind it. */
static void test_wiring_around_device_memory(void)
{
    region_at(SPOT, 2, LOCK_RW);
    map_device(SPOT + PAGES(2), 2, LOCK_RW);
    region_id behind = region_at(SPOT + PAGES(4), 2, LOCK_RW);
    OK(vm_wire_range(program, SPOT, PAGES(6)));
    assert_int_equal(region_info(behind).wiring, REGION_WIRING_WIRED);
    assert_int_equal(region_info(behind).resident_pages, 2);
    OK(vm_unwire_range(program, SPOT, PAGES(6)));
    assert_int_equal(region_info(behind).wiring, REGION_WIRING_LAZY);
}

/* The core's memory is refused also where only the first byte asked for is its last. */
static void test_device_memory_ends_where_memory_begins(void)
{
    void *at = NULL;
    addr_t end = SIM_RAM_LOW + (16u << 20) * 3 / 8; /* of the simulator's first range */
    REFUSED(ERR_INVALID_ARGS, vm_map_physical_memory(program, "x", &at, 0, 1, LOCK_RW, end - 1));
    REFUSED(ERR_INVALID_ARGS,
            vm_map_physical_memory(program, "x", &at, 0, 2, LOCK_RW, SIM_RAM_LOW - 1));
    region_id before = vm_map_physical_memory(program, "x", &at, 0, 1, LOCK_RW, SIM_RAM_LOW - 1);
    region_id behind = vm_map_physical_memory(program, "x", &at, 0, PAGE, LOCK_RW, end);
    assert_true(before > 0 && behind > 0);
    assert_int_equal(region_info(before).size, PAGE);
}

/* ---- growing ---- */

static void test_growing_up_to_a_piece_of_the_same(void)
{
    region_id id = region_at(SPOT, 6, LOCK_RW);
    number_pages(SPOT, 6, 1);
    OK(vm_unmap_range(program, SPOT + PAGES(2), PAGES(2)));
    size_t caches = figures().caches;
    OK(vm_resize_region(program, id, PAGES(4)));
    assert_int_equal(figures().caches, caches);
    assert_int_equal(region_info(id).chain_depth, 1);
    assert_numbered(SPOT, 2, 1);
    assert_byte(SPOT + PAGES(2), 0);
    assert_byte(SPOT + PAGES(3), 0);
    assert_numbered(SPOT + PAGES(4), 2, 5);
}

/* A private clone goes on showing what its source has cut, but not what comes in its place. */
static void test_growing_anew_under_a_clone(void)
{
    void *at = NULL;
    region_id id = region_at(SPOT, 2, LOCK_RW);
    number_pages(SPOT, 2, 1);
    assert_true(vm_clone_region(program, "clone", &at, 0, id, REGION_PRIVATE_MAP, LOCK_RW) > 0);
    addr_t clone = (addr_t)at;
    assert_numbered(clone, 2, 1);
    OK(vm_unmap_range(program, SPOT + PAGE, PAGE));
    assert_byte(clone + PAGE, 2);
    OK(vm_resize_region(program, id, PAGES(2)));
    assert_byte(SPOT + PAGE, 0);
    assert_byte(clone + PAGE, 0);
    OK(sim_write_byte(SPOT + PAGE, 7));
    assert_byte(clone + PAGE, 7);
    assert_byte(clone, 1);
}

static void test_growing_makes_the_cache_as_large(void)
{
    region_id id = region_at(SPOT, 2, LOCK_RW);
    OK(vm_resize_region(program, id, PAGES(7)));
    vm_region *region = vm_get_region_by_id(id);
    assert_int_equal(region->cache_ref->cache->virtual_size, PAGES(7));
    vm_put_region(region);
}

static void test_growing_to_the_last_page(void)
{
    region_id id = region_at(SIM_USER_END - PAGES(4), 2, LOCK_RW);
    REFUSED(ERR_VM_NO_REGION_SLOT, vm_resize_region(program, id, PAGES(5)));
    OK(vm_resize_region(program, id, PAGES(4)));
    OK(sim_write_byte(SIM_USER_END - 1, 1));
}

static void test_stacks_that_promise_nothing_grow(void)
{
    addr_t base = SPOT + PAGES(300);
    region_at(base, 2, LOCK_RW | REGION_GROWS_DOWN | REGION_OVERCOMMIT);
    int64_t committed = sim_committed();
    OK(sim_write_byte(base - PAGES(3), 1));
    assert_int_equal(sim_committed(), committed);
    region_at(base + PAGES(600), 2, LOCK_RW | REGION_GROWS_DOWN);
    committed = sim_committed();
    OK(sim_write_byte(base + PAGES(598), 1));
    assert_int_equal(sim_committed(), committed + (int64_t)PAGES(2));
}

/* The fault that makes a stack grow brings its page in, too. */
static void test_stacks_grow_in_one_fault(void)
{
    addr_t base = SPOT + PAGES(300);
    struct sim_translation mmu;
    region_at(base, 2, LOCK_RW | REGION_GROWS_DOWN);
    OK(vm_fault_aspace(program, base - PAGE, VM_ACCESS_WRITE | VM_ACCESS_USER));
    assert_true(sim_look_up(base - PAGE, &mmu));
    uint64_t faults = figures().page_faults;
    OK(sim_write_byte(base - PAGES(3), 1));
    assert_int_equal(figures().page_faults, faults + 1);
}

static void test_stacks_grow_to_the_first_page(void)
{
    region_at(SIM_USER_BASE + PAGES(2), 1, LOCK_RW | REGION_GROWS_DOWN);
    OK(sim_write_byte(SIM_USER_BASE, 1));
    assert_int_equal(sim_write_byte(SIM_USER_BASE - 1, 1), ERR_VM_PF_BAD_ADDRESS);
}

/* ---- moving ---- */

static void test_moving_less_leaves_the_neighbour_whole(void)
{
    void *to = PTR(SPOT + PAGES(50));
    region_id before = region_at(SPOT, 8, LOCK_RO);
    region_at(SPOT + PAGES(8), 4, LOCK_RW);
    number_pages(SPOT + PAGES(8), 4, 1);
    OK(vm_move_range(program, SPOT + PAGES(8), PAGES(4), PAGES(2), &to, REGION_ADDR_EXACT_ADDRESS));
    assert_int_equal(count_regions(program), 2);
    assert_int_equal(region_info(before).size, PAGES(8));
    assert_numbered(SPOT + PAGES(50), 2, 1);
    assert_int_equal(find_region(SPOT + PAGES(8)), 0);
}

/* ---- runs of frames ---- */

/* A cleared run ends where it ends: the frame behind it is somebody else's. */
static void test_clearing_a_run_spares_the_next_frame(void)
{
    addr_t first, again;
    OK(vm_allocate_frames(4, false, &first));
    memset(sim_physical(first), 0x77, PAGES(4));
    vm_free_frames(first, 3);
    OK(vm_allocate_frames(3, true, &again));
    assert_int_equal(again, first);
    const uint8_t *memory = sim_physical(first);
    for (size_t i = 0; i < PAGES(4); i++)
        assert_int_equal(memory[i], i < PAGES(3) ? 0 : 0x77);
    vm_free_frames(first, 4);
}

/* The only run that is free, between frames that are taken. */
static void test_runs_lie_between_taken_frames(void)
{
    static addr_t frames[8192];
    size_t count = 0;
    addr_t run = SIM_RAM_HIGH + PAGES(1000), again = 0;
    vm_trim();
    while (count < 8192 && vm_allocate_frames(1, false, &frames[count]) == VM_OK)
        count++;
    vm_free_frames(run, 3);
    assert_int_equal(vm_allocate_frames(4, false, &again), ERR_NO_MEMORY);
    OK(vm_allocate_frames(3, false, &again));
    assert_int_equal(again, run);
    while (count > 0)
        vm_free_frames(frames[--count], 1);
}

/* In test builds, what is freed has no old bytes for anybody to go on with. */
static void test_freed_frames_are_poisoned(void)
{
    addr_t frame;
    OK(vm_allocate_frames(1, false, &frame));
    const uint64_t *words = sim_physical(frame);
    memset(sim_physical(frame), 1, PAGE);
    vm_free_frames(frame, 1);
    for (size_t i = 0; i < PAGE / 8; i++)
        assert_int_equal(words[i], 0xdeadf4eedeadf4ee);
}

/* A cut needs room in the index, also where the leaf is full and nothing is in reserve. */
static void test_cuts_in_a_full_leaf(void)
{
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    for (size_t first = 0; first < 4; first += 3) {
        for (size_t i = 1; i < MAP_FANOUT; i++)
            region_at(SPOT + PAGES(10 * i), 1, LOCK_RW);
        region_at(SPOT, 4, LOCK_RW);
        assert_int_equal(aspace->virtual_map.height, 1);
        assert_int_equal(aspace->virtual_map.root->count, MAP_FANOUT);
        map_unreserve(&aspace->virtual_map);
        OK(vm_protect_range(program, SPOT + PAGES(first), PAGE, LOCK_RO));
        assert_int_equal(count_regions(program), MAP_FANOUT + 1);
        assert_int_equal(vm_check(), 0);
        OK(vm_unmap_range(program, SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE));
    }
    vm_put_aspace(aspace);
}

/* ---- spaces that go ---- */

static void test_faults_of_nobody(void)
{
    addr_t newip;
    sim_set_aspace(ERR_VM_INVALID_ASPACE);
    assert_int_equal(vm_handle_fault(SPOT, 0, VM_ACCESS_READ | VM_ACCESS_USER, &newip),
                     ERR_VM_PF_BAD_ADDRESS);
    sim_set_aspace(program);
}

static void test_copies_end_where_the_original_does(void)
{
    aspace_id small = vm_create_aspace("small", SPOT, PAGES(7), false);
    aspace_id copy = vm_copy_aspace(small, "copy");
    vm_address_space *aspace = vm_get_aspace_by_id(copy);
    assert_int_equal(aspace->virtual_map.base, SPOT);
    assert_int_equal(aspace->virtual_map.last, SPOT + PAGES(7) - 1);
    vm_put_aspace(aspace);
    OK(vm_delete_aspace(copy));
    OK(vm_delete_aspace(small));
}

static void test_faults_in_a_space_that_is_being_deleted(void)
{
    aspace_id aid = vm_create_aspace("goes", SIM_USER_BASE, PAGES(100), false);
    vm_address_space *aspace = vm_get_aspace_by_id(aid);
    OK(vm_delete_aspace(aid));
    assert_int_equal(vm_fault_aspace(aid, SIM_USER_BASE, VM_ACCESS_READ), ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(vm_unmap_range(aid, SIM_USER_BASE, PAGE), ERR_VM_INVALID_ASPACE);
    assert_int_equal(vm_get_residency(aid, SIM_USER_BASE, PAGE, (uint8_t *)&aid),
                     ERR_VM_INVALID_ASPACE);
    vm_put_aspace(aspace);
}

UNIT_MAIN("pieces", TEST(test_pieces_of_a_device_are_device_memory),
          TEST(test_protection_of_mapped_device_memory), TEST(test_wiring_around_device_memory),
          TEST(test_device_memory_ends_where_memory_begins),
          TEST(test_growing_up_to_a_piece_of_the_same), TEST(test_growing_anew_under_a_clone),
          TEST(test_growing_makes_the_cache_as_large), TEST(test_growing_to_the_last_page),
          TEST(test_stacks_that_promise_nothing_grow), TEST(test_stacks_grow_in_one_fault),
          TEST(test_stacks_grow_to_the_first_page),
          TEST(test_moving_less_leaves_the_neighbour_whole), TEST(test_cuts_in_a_full_leaf),
          TEST(test_faults_of_nobody), TEST(test_clearing_a_run_spares_the_next_frame),
          TEST(test_runs_lie_between_taken_frames), TEST(test_freed_frames_are_poisoned),
          TEST(test_copies_end_where_the_original_does),
          TEST(test_faults_in_a_space_that_is_being_deleted))
