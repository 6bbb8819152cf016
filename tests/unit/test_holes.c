/* SPDX-License-Identifier: MIT */
/* Holes between regions that are too small for what is asked: guards below stacks, alignments that lie
 * elsewhere, ends of the space. And the index of no regions at all. */
#include "support.h"

#include "map.h"
#include "region.h"

#define GUARD_PAGES ((size_t)256)

static addr_t hole;

static int find(size_t pages, addr_t alignment, addr_t low, addr_t high)
{
    hole = 0;
    return vm_find_hole(program, PAGES(pages), alignment, low, high, &hole);
}

static void test_guards_below_stacks(void)
{
    addr_t stack = SPOT + PAGES(GUARD_PAGES);
    region_at(SPOT - PAGE, 1, LOCK_RW);
    region_at(stack, 1, LOCK_RW | REGION_GROWS_DOWN);
    assert_int_equal(find(1, PAGE, SPOT, stack), ERR_VM_NO_REGION_SLOT); /* just the guard */
    OK(vm_unmap_range(program, SPOT - PAGE, PAGE));
    OK(find(1, PAGE, SPOT - PAGE, stack));
    assert_int_equal(hole, SPOT - PAGE);
    assert_int_equal(find(2, PAGE, SPOT - PAGE, stack), ERR_VM_NO_REGION_SLOT);
    /* A wish that ends where the guard begins can't have the guard either. */
    assert_int_equal(find(1, PAGE, stack - PAGES(10), stack), ERR_VM_NO_REGION_SLOT);
}

static void test_alignments_that_lie_elsewhere(void)
{
    addr_t mega = (addr_t)1 << 20;
    region_at(SPOT, 1, LOCK_RW);
    region_at(SPOT + mega, 1, LOCK_RW);
    OK(find(1, mega / 2, SPOT, SPOT + mega));
    assert_int_equal(hole, SPOT + mega / 2);
    assert_int_equal(find(1, mega, SPOT, SPOT + mega), ERR_VM_NO_REGION_SLOT);
    OK(find(1, mega, SPOT, SPOT + 3 * mega));
    assert_int_equal(hole, SPOT + 2 * mega);
    /* Behind the last multiple there is room, but not from a multiple on. */
    assert_int_equal(find(3, 4 * PAGE, SPOT + PAGES(2), SPOT + PAGES(6)), ERR_VM_NO_REGION_SLOT);
    assert_int_equal(find(1, mega, SPOT + PAGES(2), SPOT + mega - 1), ERR_VM_NO_REGION_SLOT);
}

/* The next multiple would be behind all addresses. */
static void test_alignments_behind_the_last_address(void)
{
    addr_t found = 0;
    aspace_id kernel = vm_get_kernel_aspace_id();
    addr_t low = SIM_KERNEL_BASE + PAGE, high = SIM_KERNEL_BASE + SIM_KERNEL_SIZE;
    assert_int_equal(vm_find_hole(kernel, PAGE, (addr_t)1 << 63, low, high, &found),
                     ERR_VM_NO_REGION_SLOT);
    OK(vm_find_hole(kernel, PAGE, (addr_t)1 << 38, low, high, &found));
    assert_int_equal(found, SIM_KERNEL_BASE + ((addr_t)1 << 38));
}

static void test_bounds_of_the_wish(void)
{
    region_at(SPOT, 1, LOCK_RW);
    region_at(SPOT + PAGES(4), 1, LOCK_RW);
    OK(find(3, PAGE, SPOT, SPOT + PAGES(5)));
    assert_int_equal(hole, SPOT + PAGE);
    assert_int_equal(find(3, PAGE, SPOT + PAGES(2), SPOT + PAGES(5)), ERR_VM_NO_REGION_SLOT);
    assert_int_equal(find(3, PAGE, SPOT, SPOT + PAGES(3)), ERR_VM_NO_REGION_SLOT);
    OK(find(1, PAGE, SPOT, SPOT + PAGES(2)));
    assert_int_equal(hole, SPOT + PAGE);
}

/* The highest hole, when the space is taken up to its end. */
static void test_the_highest_hole(void)
{
    void *at = NULL;
    region_at(SIM_USER_END - PAGE, 1, LOCK_RW);
    region_at(SIM_USER_END - PAGES(4), 1, LOCK_RW);
    assert_true(
        vm_create_anonymous_region(program, "x", &at, REGION_ADDR_TOP, PAGES(2), 0, LOCK_RW) > 0);
    assert_ptr_equal(at, PTR(SIM_USER_END - PAGES(3)));
    at = NULL;
    assert_true(vm_create_anonymous_region(program, "x", &at, REGION_ADDR_TOP, PAGE, 0, LOCK_RW) >
                0);
    assert_ptr_equal(at, PTR(SIM_USER_END - PAGES(5)));
}

/* A space that is full from its first to its last page. */
static void test_no_hole_at_all(void)
{
    addr_t found;
    void *at = PTR(SIM_USER_BASE);
    aspace_id small = vm_create_aspace("small", SIM_USER_BASE, PAGES(2), false);
    assert_true(vm_create_anonymous_region(small, "all", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(2),
                                           0, LOCK_RW) > 0);
    assert_int_equal(vm_find_hole(small, PAGE, PAGE, 0, UINTPTR_MAX, &found),
                     ERR_VM_NO_REGION_SLOT);
    at = NULL;
    assert_int_equal(vm_create_anonymous_region(small, "x", &at, REGION_ADDR_TOP, PAGE, 0, LOCK_RW),
                     ERR_VM_NO_REGION_SLOT);
    OK(vm_delete_aspace(small));
}

static void test_the_index_of_nothing(void)
{
    struct vm_virtual_map map;
    struct map_cursor cursor;
    struct map_wish wish = {.size = PAGE, .alignment = PAGE, .low = 0, .high = UINTPTR_MAX};
    addr_t found;
    vm_virtual_map_init(&map, SPOT, PAGES(2), SPOT);
    assert_null(map_before(&map, SPOT + PAGE));
    assert_null(map_first(&map, SPOT, &cursor));
    assert_null(vm_virtual_map_lookup(&map, SPOT));
    assert_true(map_is_free(&map, SPOT, SPOT + PAGES(2) - 1));
    OK(map_find_gap(&map, &wish, &found));
    assert_int_equal(found, SPOT);
    assert_int_equal(map_check(&map), 0);
    vm_virtual_map_destroy(&map);
}

/* A hint that leaves exactly the gap below a stack is taken; one page higher it isn't. */
static void test_hint_at_the_edge_of_a_stack_s_gap(void)
{
    addr_t stack = SPOT + PAGES(1000), edge = stack - PAGES(VM_STACK_GUARD_PAGES + 2);
    region_at(stack, 1, LOCK_RW | REGION_GROWS_DOWN);
    void *at = PTR(edge + PAGE);
    assert_true(vm_create_anonymous_region(program, "high", &at, REGION_ADDR_HINT, PAGES(2),
                                           REGION_WIRING_LAZY, LOCK_RW) > 0);
    assert_ptr_not_equal(at, PTR(edge + PAGE));
    at = PTR(edge);
    assert_true(vm_create_anonymous_region(program, "edge", &at, REGION_ADDR_HINT, PAGES(2),
                                           REGION_WIRING_LAZY, LOCK_RW) > 0);
    assert_ptr_equal(at, PTR(edge));
}

UNIT_MAIN("holes", TEST(test_guards_below_stacks), TEST(test_alignments_that_lie_elsewhere),
          TEST(test_alignments_behind_the_last_address), TEST(test_bounds_of_the_wish),
          TEST(test_the_highest_hole), TEST(test_no_hole_at_all), TEST(test_the_index_of_nothing),
          TEST(test_hint_at_the_edge_of_a_stack_s_gap))
