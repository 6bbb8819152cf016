/* SPDX-License-Identifier: MIT */
/* Page tables that are kept, and looked at. */
#include "support.h"

#define SPAN PAGES(512) /* of a table of the lowest level */

static size_t tables(void)
{
    vm_aspace_info info;
    OK(vm_get_aspace_info(program, &info));
    return info.table_pages;
}

static void test_vm_keep_tables(void)
{
    size_t before = tables();
    addr_t table;
    OK(vm_keep_tables(program, SPOT + PAGE, SPAN));
    assert_int_equal(tables(), before + 4); /* two, and two above them */
    OK(vm_keep_tables(program, SPOT, PAGE));
    OK(vm_keep_tables(program, SPOT + SPAN, 2 * SPAN));
    assert_int_equal(tables(), before + 5);
    OK(vm_get_leaf_table(program, SPOT + 2 * SPAN, &table));
    assert_int_equal(vm_get_leaf_table(program, SPOT + 3 * SPAN, &table), ERR_VM_PAGE_NOT_PRESENT);
    OK(vm_release_tables(program));
    assert_int_equal(tables(), before);
    assert_int_equal(vm_get_leaf_table(program, SPOT, &table), ERR_VM_PAGE_NOT_PRESENT);
}

/* What is mapped comes and goes; the tables stay until they are released, and then go with the last page. */
static void test_kept_tables_stay(void)
{
    size_t before = tables();
    OK(vm_keep_tables(program, SPOT, PAGE));
    region_id id = region_at(SPOT, 2, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    assert_int_equal(tables(), before + 3);
    OK(vm_delete_region(program, id));
    assert_int_equal(tables(), before + 3);
    id = region_at(SPOT, 2, LOCK_RW);
    OK(sim_write_byte(SPOT, 2));
    OK(vm_release_tables(program));
    assert_int_equal(sim_read_byte(SPOT), 2);
    assert_int_equal(tables(), before + 3);
    OK(vm_delete_region(program, id));
    assert_int_equal(tables(), before);
}

/* A fault finds its tables though every further one would fail. */
static void test_kept_tables_need_no_memory(void)
{
    OK(vm_keep_tables(program, SPOT, PAGE));
    (void)region_at(SPOT, 1, LOCK_RW);
    sim_fail_at(SIM_FAIL_TABLE, 1, true);
    OK(sim_write_byte(SPOT, 1));
    sim_fail_at(SIM_FAIL_TABLE, 0, false);
}

static void test_vm_keep_tables_without_memory(void)
{
    size_t before = tables();
    OK(vm_keep_tables(program, SPOT + 2 * SPAN, PAGE));
    for (unsigned n = 1; n <= 4; n++) {
        sim_fail_at(SIM_FAIL_TABLE, n, true);
        assert_int_equal(vm_keep_tables(program, SPOT, 6 * SPAN), ERR_NO_MEMORY);
        assert_int_equal(tables(), before + 3);
    }
    sim_fail_at(SIM_FAIL_TABLE, 0, false);
    OK(vm_keep_tables(program, SPOT, 6 * SPAN));
    assert_int_equal(tables(), before + 8);
    OK(vm_release_tables(program));
    assert_int_equal(tables(), before);
}

static void test_kept_tables_go_with_the_space(void)
{
    aspace_id aid = vm_create_aspace("other", SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE, false);
    OK(vm_keep_tables(aid, SPOT, 20 * SPAN));
    OK(vm_keep_tables(aid, SIM_USER_END - PAGE, PAGE));
    OK(vm_delete_aspace(aid));
}

static void test_vm_get_leaf_table(void)
{
    addr_t table, address = new_pages(2);
    struct sim_translation now;
    OK(sim_write_byte(address + PAGE, 1));
    OK(vm_get_leaf_table(program, address + PAGE + 77, &table));
    assert_true(sim_look_up(address + PAGE, &now));
    const uint64_t *entry = (const uint64_t *)table;
    size_t slot = (address + PAGE) / PAGE % 512;
    assert_int_equal(entry[slot] & 0x000ffffffffff000, now.physical & ~VM_PAGE_MASK);
    assert_int_equal(entry[slot - 1], 0);
}

/* What is asked for is far more than there is: others' pages need not go for it. */
static void test_vm_keep_tables_of_too_much(void)
{
    region_at(SPOT, 40, LOCK_RW);
    number_pages(SPOT, 40, 1);
    assert_int_equal(
        vm_keep_tables(program, SIM_USER_BASE, (SIM_USER_END - SIM_USER_BASE) & ~VM_PAGE_MASK),
        ERR_NO_MEMORY);
    assert_int_equal(figures().evictions, 0);
}

/* Where there are no frames left, pages go for them. */
static void test_vm_keep_tables_reclaims(void)
{
    static addr_t frames[64];
    size_t before = tables(), count = 0, pages = figures().available_pages - 16;
    region_at(SPOT, pages, LOCK_RW);
    for (size_t i = 0; i < pages; i++)
        OK(sim_write_byte(SPOT + PAGES(i), 1));
    while (vm_allocate_reserved_frame(&frames[count]) == VM_OK)
        count++;
    OK(vm_keep_tables(program, SPOT * 64, PAGE));
    assert_true(figures().evictions > 0);
    assert_true(tables() >= before + 3);
    while (count > 0)
        vm_free_frames(frames[--count], 1);
    OK(vm_release_tables(program));
}

/* Only what is kept is released: not what is in use, and not what boot code has made. */
static void test_vm_release_tables_leaves_others(void)
{
    aspace_id kernel = vm_get_kernel_aspace_id();
    vm_aspace_info info;
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    size_t before = tables();
    OK(vm_keep_tables(program, SPOT + 4 * SPAN, PAGE));
    assert_int_equal(tables(), before + 1);
    OK(vm_release_tables(program));
    assert_int_equal(tables(), before);
    assert_byte(SPOT, 1);
    OK(vm_get_aspace_info(kernel, &info));
    before = info.table_pages;
    OK(vm_keep_tables(kernel, SIM_BOOT_BASE, PAGE));
    OK(vm_keep_tables(kernel, SIM_BOOT_BASE + 4 * SPAN, PAGE));
    OK(vm_release_tables(kernel));
    OK(vm_get_aspace_info(kernel, &info));
    assert_int_equal(info.table_pages, before);
}

/* Three quarters of the frames, as all that is wired. */
static void test_vm_keep_tables_within_the_limit(void)
{
    size_t spans = 1;
    while (vm_keep_tables(program, SPOT, spans * SPAN) == VM_OK)
        spans++;
    assert_true(figures().wired_pages <= figures().physical_pages / 4 * 3);
    assert_true(spans > figures().physical_pages / 4);
    OK(vm_release_tables(program));
}

static void test_tables_errors(void)
{
    addr_t table;
    assert_int_equal(vm_keep_tables(0, SPOT, PAGE), ERR_VM_INVALID_ASPACE);
    assert_int_equal(vm_keep_tables(program, SPOT + 1, PAGE), ERR_VM_BAD_ADDRESS);
    assert_int_equal(vm_keep_tables(program, SPOT, PAGE + 1), ERR_VM_BAD_ADDRESS);
    assert_int_equal(vm_keep_tables(program, SPOT, 0), ERR_VM_BAD_ADDRESS);
    assert_int_equal(vm_keep_tables(program, 0, PAGE), ERR_VM_BAD_ADDRESS);
    assert_int_equal(vm_keep_tables(program, SIM_USER_END - PAGE, PAGES(2)), ERR_VM_BAD_ADDRESS);
    assert_int_equal(vm_keep_tables(program, SPOT, ~VM_PAGE_MASK), ERR_VM_BAD_ADDRESS);
    assert_int_equal(vm_release_tables(0), ERR_VM_INVALID_ASPACE);
    assert_int_equal(vm_get_leaf_table(0, SPOT, &table), ERR_VM_INVALID_ASPACE);
    assert_int_equal(vm_get_leaf_table(program, SIM_USER_END, &table), ERR_VM_BAD_ADDRESS);
}

UNIT_MAIN("page tables", TEST(test_vm_keep_tables), TEST(test_kept_tables_stay),
          TEST(test_kept_tables_need_no_memory), TEST(test_vm_keep_tables_without_memory),
          TEST_ON(test_vm_keep_tables_of_too_much, .memory = (size_t)1 << 20, .swap = 64),
          TEST_ON(test_vm_keep_tables_within_the_limit, .memory = (size_t)1 << 20),
          TEST_ON(test_vm_keep_tables_reclaims, .memory = (size_t)1 << 20, .swap = 64),
          TEST(test_vm_release_tables_leaves_others), TEST(test_kept_tables_go_with_the_space),
          TEST(test_vm_get_leaf_table), TEST(test_tables_errors))
