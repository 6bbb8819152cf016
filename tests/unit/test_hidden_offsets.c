/* SPDX-License-Identifier: MIT */
/* What must not come back: pages at offsets that nobody shows any more, when a region grows over them,
 * and pages below what a private clone has discarded. */
#include "support.h"

/* ---- growth of shared memory ---- */

/* Of eight pages the first, the third and the seventh stay mapped; the first then grows to four. */
static void three_pieces(void)
{
    OK(vm_unmap_range(program, SPOT + PAGE, PAGE));
    OK(vm_unmap_range(program, SPOT + PAGES(3), PAGES(3)));
    OK(vm_unmap_range(program, SPOT + PAGES(7), PAGE));
    assert_int_equal(count_regions(program), 3);
}

static int grow_elsewhere(void)
{
    void *at = PTR(SPOT * 2);
    return vm_move_range(program, SPOT, PAGE, PAGES(4), &at, REGION_ADDR_EXACT_ADDRESS);
}

static void assert_grown(void)
{
    assert_byte(SPOT * 2, 1);
    assert_byte(SPOT * 2 + PAGE, 0); /* nobody showed it */
    assert_byte(SPOT * 2 + PAGES(2), 3);
    assert_byte(SPOT * 2 + PAGES(3), 0);
    OK(sim_write_byte(SPOT * 2 + PAGES(2), 99));
    assert_byte(SPOT + PAGES(2), 99);
    assert_byte(SPOT + PAGES(6), 7);
}

static void test_growth_over_what_others_show(void)
{
    region_at(SPOT, 8, LOCK_RW | REGION_SHARED);
    number_pages(SPOT, 8, 1);
    three_pieces();
    OK(grow_elsewhere());
    assert_grown();
}

/* The pages are in a source that a fork has put below: hiding them needs nodes. */
static void test_growth_over_a_source_without_memory(void)
{
    region_at(SPOT, 8, LOCK_RW | REGION_SHARED);
    number_pages(SPOT, 8, 1);
    OK(vm_set_inheritance(program, SPOT, PAGES(8), VM_INHERIT_COPY));
    aspace_id child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
    three_pieces();
    unsigned failed = 0;
    for (unsigned n = 1;; n++) {
        sim_fail_at(SIM_FAIL_METADATA, n, false);
        int error = grow_elsewhere();
        bool done = sim_fail_done(SIM_FAIL_METADATA) == 0;
        sim_fail_at(SIM_FAIL_METADATA, 0, false);
        SIM_CHECK();
        if (done) {
            OK(error);
            break;
        }
        assert_int_equal(error, ERR_NO_MEMORY);
        assert_byte(SPOT, 1);
        failed++;
    }
    assert_true(failed >= 1);
    assert_grown();
    sim_set_aspace(child);
    assert_numbered(SPOT, 8, 1);
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
}

/* ---- private clones ---- */

/* What is discarded in a private clone doesn't show what its source writes later. */
static void test_discarding_in_a_private_clone(void)
{
    void *at = PTR(SPOT * 2);
    region_id source = region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 2, 1);
    assert_true(vm_clone_region(program, "clone", &at, REGION_ADDR_EXACT_ADDRESS, source,
                                REGION_PRIVATE_MAP, LOCK_RW) > 0);
    assert_byte(SPOT * 2, 1);
    OK(vm_discard_range(program, SPOT * 2 + PAGE, PAGES(2)));
    number_pages(SPOT, 4, 50);
    assert_byte(SPOT * 2, 50);
    assert_byte(SPOT * 2 + PAGE, 0);
    assert_byte(SPOT * 2 + PAGES(2), 0);
    assert_byte(SPOT * 2 + PAGES(3), 53);
    sim_fail_at(SIM_FAIL_METADATA, 1, true);
    OK(vm_discard_range(program, SPOT * 2, PAGES(4))); /* the node is there */
    sim_fail_at(SIM_FAIL_METADATA, 0, false);
    assert_byte(SPOT * 2 + PAGES(3), 0);
    assert_numbered(SPOT, 4, 50);
}

/* A file below, which somebody else maps, shows again. */
static void test_discarding_over_a_file(void)
{
    addr_t shared, own;
    sim_file *file = sim_file_create_numbered("/f", 2);
    map_pages(&shared, file, 2, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    map_pages(&own, file, 2, LOCK_RW, REGION_PRIVATE_MAP, 0);
    OK(sim_write_byte(own, 60));
    aspace_id child = fork_program();
    OK(vm_discard_range(child, own, PAGES(2)));
    assert_byte(own, 1);
    sim_set_aspace(program);
    OK(sim_write_byte(shared, 70));
    sim_set_aspace(child);
    assert_byte(own, 70);
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
    assert_byte(own, 60);
}

UNIT_MAIN("hidden offsets", TEST(test_growth_over_what_others_show),
          TEST(test_growth_over_a_source_without_memory), TEST(test_discarding_in_a_private_clone),
          TEST(test_discarding_over_a_file))
