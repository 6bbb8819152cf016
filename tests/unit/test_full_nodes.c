/* SPDX-License-Identifier: MIT */
/* An operation that is the first to need another node: of the tables of ids, of the range index, of a
 * page table. Without memory for it nothing has changed. */
#include "support.h"

#include "radix.h"
#include "system.h"

#define NODE ((int64_t)RADIX_SLOTS)

/* The next id is the first of a leaf. */
static void fill_region_ids(void)
{
    vm_system.next_region_id = (vm_system.next_region_id / NODE + 1000) * NODE;
}

static void fill_aspace_ids(void)
{
    vm_system.next_aspace_id = (vm_system.next_aspace_id / (aspace_id)NODE + 10) * (aspace_id)NODE;
}

/* Fails the first, the second ... request for metadata until the call succeeds; how many failed. */
static unsigned fail_each(int (*run)(void))
{
    struct picture before;
    for (unsigned n = 1;; n++) {
        take_picture(&before, program);
        sim_fail_at(SIM_FAIL_METADATA, n, false);
        int error = run();
        bool failed = sim_fail_done(SIM_FAIL_METADATA) > 0;
        sim_fail_at(SIM_FAIL_METADATA, 0, false);
        SIM_CHECK();
        if (!failed) {
            OK(error);
            return n - 1;
        }
        assert_int_equal(error, ERR_NO_MEMORY);
        assert_unchanged(&before);
    }
}

static int create_space(void)
{
    aspace_id id = vm_create_aspace("other", SIM_USER_BASE, PAGES(4), false);
    if (id < 0)
        return (int)id;
    assert_int_equal(id % (aspace_id)NODE, 0);
    return vm_delete_aspace(id);
}

static void test_ids_of_spaces(void)
{
    fill_aspace_ids();
    /* The structure, a node for the leaf, and as many as the tree grows. */
    assert_true(fail_each(create_space) >= 2);
}

static int fork_and_delete(void)
{
    aspace_id id = vm_copy_aspace(program, "child");
    return id < 0 ? (int)id : vm_delete_aspace(id);
}

/* Where the copy gets no id at the end, what was shared for it isn't shared any more. */
static void test_ids_of_copies(void)
{
    region_at(SPOT, 2, LOCK_RW | REGION_SHARED);
    region_at(SPOT * 2, 2, LOCK_NO_READ);
    OK(vm_set_inheritance(program, SPOT * 2, PAGES(2), VM_INHERIT_SHARE));
    fill_aspace_ids();
    assert_true(fail_each(fork_and_delete) >= 4);
}

static int unmap_middle(void)
{
    return vm_unmap_range(program, SPOT + PAGE, PAGE);
}

static void test_ids_of_pieces(void)
{
    region_at(SPOT, 3, LOCK_RW);
    number_pages(SPOT, 3, 1);
    fill_region_ids();
    /* A piece, and the leaf, which stays for the next try. */
    assert_true(fail_each(unmap_middle) >= 2);
    assert_byte(SPOT, 1);
    assert_byte(SPOT + PAGES(2), 3);
    assert_int_equal(count_regions(program), 2);
}

/* The first piece has an id, the second is the first of a leaf. */
static void test_ids_of_second_pieces(void)
{
    region_at(SPOT, 3, LOCK_RW);
    fill_region_ids();
    vm_system.next_region_id--;
    assert_true(fail_each(unmap_middle) >= 2);
    assert_int_equal(count_regions(program), 2);
}

static void test_the_range_index(void)
{
    for (unsigned i = 0; i < 31; i++)
        region_at(SPOT + PAGES(4 * i), 3, LOCK_RW);
    assert_int_equal(count_regions(program), 31);
    assert_true(fail_each(unmap_middle) >= 3); /* two structures, a node or two */
    assert_int_equal(count_regions(program), 32);
}

static void test_page_tables(void)
{
    addr_t other_table = SPOT + ((addr_t)2 << 20);
    region_at(SPOT, 600, LOCK_RW);
    region_at(SPOT + PAGES(700), 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    OK(sim_write_byte(SPOT + PAGES(700), 2));
    assert_true(SPOT + PAGES(600) > other_table);
    size_t tables = figures().table_pages;
    OK(vm_unmap_range(program, SPOT, PAGES(600))); /* has nothing in the second table */
    assert_int_equal(figures().table_pages, tables - 1);
    assert_byte(SPOT + PAGES(700), 2);
    OK(vm_unmap_range(program, SPOT + PAGES(700), PAGE));
    assert_true(figures().table_pages < tables - 1);
}

static void test_no_frames(void)
{
    addr_t physical;
    sim_fail_at(SIM_FAIL_FRAME, 1, true);
    assert_null(vm_meta_alloc(PAGE - 8)); /* a frame of its own */
    assert_null(vm_meta_alloc(PAGES(2)));
    assert_int_equal(vm_allocate_frames(1, false, &physical), ERR_NO_MEMORY);
    assert_int_equal(vm_allocate_frames(3, false, &physical), ERR_NO_MEMORY);
    assert_int_equal(sim_fail_done(SIM_FAIL_FRAME), 4);
    sim_fail_at(SIM_FAIL_FRAME, 0, false);
    void *memory = vm_meta_alloc(PAGES(2));
    assert_non_null(memory);
    vm_meta_free(memory, PAGES(2));
}

static void test_keys_up_to_the_last(void)
{
    struct radix tree = {0};
    int value;
    uint64_t key = UINT64_MAX;
    OK(radix_insert(&tree, UINT64_MAX - 1, &value));
    assert_null(radix_next(&tree, &key)); /* nothing behind, and no way round to 0 */
    key = UINT64_MAX - 5;
    assert_ptr_equal(radix_next(&tree, &key), &value);
    assert_true(key == UINT64_MAX - 1);
    OK(radix_insert(&tree, 7, &value));
    key = UINT64_MAX;
    assert_null(radix_next(&tree, &key));
    radix_clear(&tree);
}

UNIT_MAIN("nodes that are full", TEST(test_ids_of_spaces), TEST(test_ids_of_copies),
          TEST(test_ids_of_pieces), TEST(test_ids_of_second_pieces), TEST(test_the_range_index),
          TEST(test_page_tables), TEST(test_no_frames), TEST(test_keys_up_to_the_last))
