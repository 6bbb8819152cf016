/* SPDX-License-Identifier: MIT */
/* vm_snapshot_region: a fork of one region. */
#include "support.h"

static region_id snapshot(region_id of, addr_t *address)
{
    void *at = NULL;
    region_id id = vm_snapshot_region(program, "snapshot", &at, REGION_ADDR_ANY_ADDRESS, of);
    *address = (addr_t)at;
    return id;
}

static void test_snapshot_keeps_what_was_there(void)
{
    addr_t address, copy;
    region_id id = new_region(&address, 4);
    number_pages(address, 3, 1);
    region_id second = snapshot(id, &copy);
    assert_true(second > 0);
    number_pages(address, 4, 11);
    assert_numbered(copy, 3, 1);
    assert_byte(copy + PAGES(3), 0);
    assert_numbered(address, 4, 11);
    number_pages(copy, 1, 99);
    assert_numbered(address, 4, 11);
    assert_byte(copy, 99);
    OK(vm_delete_region(program, second));
    assert_numbered(address, 4, 11);
}

static void test_snapshot_outlives_its_source(void)
{
    addr_t address, copy, third;
    region_id id = new_region(&address, 2);
    number_pages(address, 2, 1);
    region_id second = snapshot(id, &copy);
    OK(vm_delete_region(program, id));
    assert_numbered(copy, 2, 1);
    assert_true(snapshot(second, &third) > 0);
    number_pages(copy, 2, 5);
    assert_numbered(third, 2, 1);
}

static void test_snapshot_copies_nothing(void)
{
    addr_t address, copy;
    region_id id = new_region(&address, 64);
    number_pages(address, 64, 1);
    vm_info before = figures();
    assert_true(snapshot(id, &copy) > 0);
    assert_int_equal(figures().copies, before.copies);
    sim_write_byte(address + PAGES(5), 77);
    assert_int_equal(figures().copies, before.copies + 1);
}

static void test_snapshot_of_a_private_mapping_keeps_both_sources(void)
{
    addr_t address, copy;
    sim_file *file = sim_file_create_numbered("/f", 3);
    region_id id = map_pages(&address, file, 3, LOCK_RW, REGION_PRIVATE_MAP, 0);
    sim_write_byte(address + PAGE, 50);
    assert_true(snapshot(id, &copy) > 0);
    sim_write_byte(address, 60);
    sim_write_byte(address + PAGE, 61);
    assert_byte(copy, 1);
    assert_byte(copy + PAGE, 50);
    assert_byte(copy + PAGES(2), 3);
}

static void test_snapshot_is_charged_as_its_source(void)
{
    addr_t address, copy;
    region_id id = new_region(&address, 8);
    int64_t before = sim_committed();
    region_id second = snapshot(id, &copy);
    assert_int_equal(sim_committed(), before + (int64_t)PAGES(8));
    OK(vm_delete_region(program, second));
    assert_int_equal(sim_committed(), before);
}

static void test_snapshot_of_a_piece_shows_the_piece(void)
{
    addr_t address, copy;
    (void)new_region(&address, 4);
    number_pages(address, 4, 1);
    OK(vm_unmap_range(program, address, PAGES(2)));
    assert_true(snapshot(find_region(address + PAGES(2)), &copy) > 0);
    assert_numbered(copy, 2, 3);
}

/* It is nobody else's, and doesn't grow. */
static void test_snapshot_of_shared_memory_and_of_a_stack(void)
{
    addr_t copy;
    region_id shared = region_at(SPOT, 2, LOCK_RW | REGION_SHARED);
    region_id stack = region_at(SPOT * 2, 2, LOCK_RW | REGION_GROWS_DOWN);
    assert_int_equal(region_info(snapshot(shared, &copy)).lock, LOCK_RW);
    assert_int_equal(region_info(snapshot(stack, &copy)).lock, LOCK_RW);
}

/* What a read shows is the file's: it is charged when it may be written, and FREE has nothing to forget. */
static void test_snapshot_of_a_private_mapping_shows_the_file(void)
{
    addr_t address, copy;
    sim_file *file = sim_file_create_numbered("/f", 3);
    region_id id = map_pages(&address, file, 3, LOCK_RO, REGION_PRIVATE_MAP, 0);
    int64_t before = sim_committed();
    assert_true(snapshot(id, &copy) > 0);
    assert_int_equal(sim_committed(), before);
    assert_int_equal(vm_advise_range(program, copy, PAGES(3), VM_ADVICE_FREE), ERR_INVALID_ARGS);
    assert_true(snapshot(new_region(&address, 3), &copy) > 0);
    OK(vm_advise_range(program, copy, PAGES(3), VM_ADVICE_FREE));
}

/* A shared clone of a private mapping of a file that isn't open for writing stays read-only. */
static void test_snapshot_of_what_may_not_be_written(void)
{
    addr_t copy;
    void *at = NULL, *clone = NULL;
    sim_file *file = sim_file_create_numbered("/f", 3);
    region_id id = vm_map_vnode(program, "f", &at, REGION_ADDR_ANY_ADDRESS, PAGES(3),
                                LOCK_RO | REGION_NO_WRITE, REGION_PRIVATE_MAP, file, 0);
    assert_true(id > 0);
    id = vm_clone_region(program, "c", &clone, REGION_ADDR_ANY_ADDRESS, id, REGION_NO_PRIVATE_MAP,
                         LOCK_RO);
    assert_true(id > 0);
    assert_true(snapshot(id, &copy) > 0);
    assert_int_equal(vm_protect_range(program, copy, PAGES(3), LOCK_RW), ERR_PERMISSION_DENIED);
}

static void test_snapshot_errors(void)
{
    addr_t address, copy;
    sim_file *file = sim_file_create_numbered("/f", 3);
    region_id shared = map_pages(&address, file, 3, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    region_id memory = new_region(&address, 2);
    void *at = NULL;
    REFUSED(ERR_UNSUPPORTED, (int)snapshot(shared, &copy));
    REFUSED(ERR_VM_INVALID_REGION, (int)snapshot(12345, &copy));
    REFUSED(ERR_INVALID_ARGS,
            (int)vm_snapshot_region(program, NULL, &at, REGION_ADDR_ANY_ADDRESS, memory));
    REFUSED(ERR_VM_INVALID_ASPACE,
            (int)vm_snapshot_region(12345, "s", &at, REGION_ADDR_ANY_ADDRESS, memory));
    at = (void *)address;
    REFUSED(ERR_VM_NO_REGION_SLOT,
            (int)vm_snapshot_region(program, "s", &at, REGION_ADDR_EXACT_ADDRESS, memory));
}

static void test_snapshot_without_memory_changes_nothing(void)
{
    addr_t address, copy;
    region_id id = new_region(&address, 4);
    number_pages(address, 4, 1);
    for (unsigned n = 1; n < 100; n++) {
        sim_fail_at(SIM_FAIL_METADATA, n, false);
        region_id second = snapshot(id, &copy);
        sim_fail_at(SIM_FAIL_METADATA, 0, false);
        SIM_CHECK();
        assert_numbered(address, 4, 1);
        if (second > 0) {
            assert_numbered(copy, 4, 1);
            return;
        }
        assert_int_equal(second, ERR_NO_MEMORY);
    }
    fail();
}

static void test_snapshot_of_the_kernels_memory_is_refused(void)
{
    addr_t copy;
    void *at = NULL;
    region_id kernel =
        vm_create_anonymous_region(vm_get_kernel_aspace_id(), "k", &at, REGION_ADDR_ANY_ADDRESS,
                                   PAGES(2), REGION_WIRING_WIRED, LOCK_KERNEL | LOCK_RW);
    assert_true(kernel > 0);
    assert_int_equal(snapshot(kernel, &copy), ERR_VM_INVALID_REGION);
    OK(sim_kernel_write((addr_t)at, "b", 1));
    OK(vm_delete_region(vm_get_kernel_aspace_id(), kernel));
}

/* A private mapping of a file that isn't open for writing may be written, and so may the snapshot. */
static void test_snapshot_of_a_private_mapping_may_be_written_again(void)
{
    addr_t copy;
    void *at = NULL;
    sim_file *file = sim_file_create_numbered("/f", 3);
    region_id id = vm_map_vnode(program, "f", &at, REGION_ADDR_ANY_ADDRESS, PAGES(3),
                                LOCK_RW | REGION_NO_WRITE, REGION_PRIVATE_MAP, file, 0);
    assert_true(id > 0);
    assert_true(snapshot(id, &copy) > 0);
    OK(vm_protect_range(program, copy, PAGES(3), LOCK_RO));
    OK(vm_protect_range(program, copy, PAGES(3), LOCK_RW));
    OK(sim_write_byte(copy, 9));
    assert_byte((addr_t)at, 1);
}

UNIT_MAIN("snapshot", TEST(test_snapshot_of_the_kernels_memory_is_refused),
          TEST(test_snapshot_of_a_private_mapping_may_be_written_again),
          TEST(test_snapshot_keeps_what_was_there), TEST(test_snapshot_outlives_its_source),
          TEST(test_snapshot_copies_nothing), TEST(test_snapshot_of_a_piece_shows_the_piece),
          TEST(test_snapshot_of_shared_memory_and_of_a_stack),
          TEST(test_snapshot_of_a_private_mapping_shows_the_file),
          TEST(test_snapshot_of_what_may_not_be_written),
          TEST(test_snapshot_of_a_private_mapping_keeps_both_sources),
          TEST(test_snapshot_is_charged_as_its_source), TEST(test_snapshot_errors),
          TEST(test_snapshot_without_memory_changes_nothing))
