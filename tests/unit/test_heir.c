/* SPDX-License-Identifier: MIT */
/* What pieces, copies and movers of regions inherit: growth, promises, wiring. */
#include "support.h"

/* Unmapping the low part of a stack leaves a stack. */
static void test_stack_goes_on_growing_without_its_low_part(void)
{
    void *at = PTR(SPOT);
    assert_true(vm_create_anonymous_region(program, "stack", &at, REGION_ADDR_EXACT_ADDRESS,
                                           PAGES(4), REGION_WIRING_LAZY,
                                           LOCK_RW | REGION_GROWS_DOWN) > 0);
    OK(sim_write_byte(SPOT, 1));
    OK(sim_write_byte(SPOT + PAGES(2), 3));
    OK(vm_unmap_range(program, SPOT, PAGES(2)));
    SIM_CHECK();
    assert_int_equal(sim_read_byte(SPOT), 0); /* grown over what was unmapped: zeros */
    assert_byte(SPOT + PAGES(2), 3);
    OK(sim_write_byte(SPOT - PAGES(3), 7));
    SIM_CHECK();
}

/* The same when a fork's source still has the page that was unmapped. */
static void test_stack_growth_hides_what_a_source_has(void)
{
    void *at = PTR(SPOT);
    assert_true(vm_create_anonymous_region(program, "stack", &at, REGION_ADDR_EXACT_ADDRESS,
                                           PAGES(4), REGION_WIRING_LAZY,
                                           LOCK_RW | REGION_GROWS_DOWN) > 0);
    OK(sim_write_byte(SPOT, 77));
    aspace_id child = fork_program();
    sim_set_aspace(program);
    OK(vm_unmap_range(program, SPOT, PAGES(2)));
    assert_int_equal(sim_read_byte(SPOT), 0);
    sim_set_aspace(child);
    assert_byte(SPOT, 77);
    sim_set_aspace(program);
    OK(sim_delete_aspace(child));
    SIM_CHECK();
}

/* Shared memory that a fork is told to copy is promised to the copy. */
static void test_copy_of_shared_memory_is_charged(void)
{
    void *at = PTR(SPOT);
    int64_t before = sim_committed();
    assert_true(vm_create_anonymous_region(program, "shared", &at, REGION_ADDR_EXACT_ADDRESS,
                                           PAGES(3), REGION_WIRING_LAZY,
                                           LOCK_RW | REGION_SHARED) > 0);
    OK(sim_write_byte(SPOT, 5));
    OK(vm_set_inheritance(program, SPOT, PAGES(3), VM_INHERIT_COPY));
    aspace_id child = fork_program();
    assert_int_equal(sim_committed(), before + 2 * (int64_t)PAGES(3));
    sim_set_aspace(child);
    OK(sim_write_byte(SPOT, 6));
    sim_set_aspace(program);
    assert_byte(SPOT, 5);
    OK(sim_delete_aspace(child));
    assert_int_equal(sim_committed(), before + (int64_t)PAGES(3));
}

/* What was wired is there at the new place, too. */
static void test_moved_wired_region_stays_wired(void)
{
    void *to = PTR(SPOT + PAGES(100));
    region_at(SPOT, 3, LOCK_RW);
    number_pages(SPOT, 3, 1);
    OK(vm_wire_range(program, SPOT, PAGES(3)));
    size_t wired = figures().wired_pages;
    OK(vm_move_range(program, SPOT, PAGES(3), PAGES(5), &to, REGION_ADDR_EXACT_ADDRESS));
    SIM_CHECK();
    assert_true(figures().wired_pages >= wired + 2);
    for (unsigned i = 0; i < 5; i++) {
        addr_t physical;
        OK(vm_get_page_mapping(program, (addr_t)to + PAGES(i), &physical));
    }
    OK(vm_unwire_range(program, (addr_t)to, PAGES(5)));
    SIM_CHECK();
}

/* Pieces of a file mapping that are alike again are one again. */
static void test_file_pieces_join(void)
{
    sim_file *file = sim_file_create_numbered("/f", 4);
    addr_t at;
    map_pages(&at, file, 4, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    size_t before = count_regions(program);
    OK(vm_protect_range(program, at + PAGE, PAGE, LOCK_RO));
    assert_int_equal(count_regions(program), before + 2);
    OK(vm_protect_range(program, at + PAGE, PAGE, LOCK_RW));
    assert_int_equal(count_regions(program), before);
    SIM_CHECK();
    assert_numbered(at, 4, 1);
}

UNIT_MAIN("heirs", TEST(test_stack_goes_on_growing_without_its_low_part),
          TEST(test_stack_growth_hides_what_a_source_has),
          TEST(test_copy_of_shared_memory_is_charged), TEST(test_moved_wired_region_stays_wired),
          TEST(test_file_pieces_join))
