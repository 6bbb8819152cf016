/* SPDX-License-Identifier: MIT */
/* Unmapping and protecting ranges. */
#include "support.h"

/* ---- vm_unmap_range ---- */

static void test_vm_unmap_range_splits(void)
{
    region_at(SPOT, 10, LOCK_RW);
    number_pages(SPOT, 10, 1);
    int64_t committed = sim_committed();
    OK(vm_unmap_range(program, SPOT + PAGES(3), PAGES(4)));
    SIM_CHECK();
    assert_int_equal(count_regions(program), 2);
    assert_int_equal(sim_committed(), committed - (int64_t)PAGES(4));
    assert_numbered(SPOT, 3, 1);
    assert_numbered(SPOT + PAGES(7), 3, 8);
    for (unsigned i = 3; i < 7; i++)
        assert_int_equal(sim_read_byte(SPOT + PAGES(i)), ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(region_info(find_region(SPOT)).size, PAGES(3));
    assert_int_equal(region_info(find_region(SPOT + PAGES(7))).size, PAGES(3));
}

static void test_vm_unmap_range_frees_pages(void)
{
    region_at(SPOT, 10, LOCK_RW);
    number_pages(SPOT, 10, 1);
    size_t frames = sim_free_frames();
    OK(vm_unmap_range(program, SPOT + PAGES(2), PAGES(5)));
    assert_true(sim_free_frames() + 2 >= frames + 5);
    region_at(SPOT + PAGES(2), 5, LOCK_RW);
    assert_true(sim_is_filled(SPOT + PAGES(2), 0, PAGES(5)));
}

static void test_vm_unmap_range_head_and_tail(void)
{
    region_at(SPOT, 6, LOCK_RW);
    number_pages(SPOT, 6, 1);
    OK(vm_unmap_range(program, SPOT, PAGES(2)));
    SIM_CHECK();
    OK(vm_unmap_range(program, SPOT + PAGES(5), PAGES(1)));
    SIM_CHECK();
    assert_int_equal(count_regions(program), 1);
    vm_region_info info = region_info(find_region(SPOT + PAGES(2)));
    assert_int_equal(info.base, SPOT + PAGES(2));
    assert_int_equal(info.size, PAGES(3));
    assert_numbered(SPOT + PAGES(2), 3, 3);
}

static void test_vm_unmap_range_over_holes(void)
{
    for (unsigned i = 0; i < 8; i++)
        region_at(SPOT + PAGES(3 * i), 2, LOCK_RW);
    OK(vm_unmap_range(program, SPOT + PAGES(1), PAGES(20)));
    SIM_CHECK();
    assert_int_equal(count_regions(program), 2);
    assert_int_equal(region_info(find_region(SPOT)).size, PAGE);
    assert_int_equal(region_info(find_region(SPOT + PAGES(21))).base, SPOT + PAGES(21));
}

static void test_vm_unmap_range_nothing_there(void)
{
    OK(vm_unmap_range(program, SPOT, PAGES(100)));
    OK(vm_unmap_range(program, SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE));
}

static void test_vm_unmap_range_everything(void)
{
    for (addr_t i = 0; i < 50; i++) {
        region_at(SPOT + PAGES(5 * i), 2, LOCK_RW);
        OK(sim_write_byte(SPOT + PAGES(5 * i), 1));
    }
    OK(vm_unmap_range(program, SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE));
    assert_int_equal(count_regions(program), 0);
    assert_int_equal(sim_committed(), 0);
}

static void test_vm_unmap_range_rounds_size_up(void)
{
    region_at(SPOT, 3, LOCK_RW);
    OK(vm_unmap_range(program, SPOT, PAGE + 1));
    assert_int_equal(find_region(SPOT + PAGE), 0);
    assert_true(find_region(SPOT + PAGES(2)) > 0);
}

static void test_vm_unmap_range_errors(void)
{
    region_at(SPOT, 3, LOCK_RW);
    REFUSED(ERR_VM_INVALID_ASPACE, vm_unmap_range(0, SPOT, PAGE));
    REFUSED(ERR_INVALID_ARGS, vm_unmap_range(program, SPOT, 0));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_unmap_range(program, SPOT + 1, PAGE));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_unmap_range(program, 0, PAGE));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_unmap_range(program, SPOT, SIM_USER_END));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_unmap_range(program, SPOT, UINTPTR_MAX));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_unmap_range(program, SPOT, (addr_t)0 - SPOT));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_unmap_range(program, SPOT, (addr_t)0 - SPOT + PAGE));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_unmap_range(program, SIM_KERNEL_BASE, PAGE));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_unmap_range(program, SIM_USER_END, PAGE));
}

static void test_vm_unmap_range_every_cut(void)
{
    enum { N = 5 };
    for (unsigned from = 0; from < N; from++) {
        for (unsigned to = from + 1; to <= N; to++) {
            region_at(SPOT, N, LOCK_RW);
            number_pages(SPOT, N, 1);
            OK(vm_unmap_range(program, SPOT + PAGES(from), PAGES(to - from)));
            SIM_CHECK();
            for (unsigned i = 0; i < N; i++) {
                bool cut = i >= from && i < to;
                assert_byte(SPOT + PAGES(i), cut ? ERR_VM_PF_BAD_ADDRESS : (int)i + 1);
            }
            OK(vm_unmap_range(program, SPOT, PAGES(N)));
            assert_int_equal(sim_committed(), 0);
        }
    }
}

static void test_vm_unmap_range_of_private_file(void)
{
    sim_file *file = sim_file_create_numbered("/f", 6);
    addr_t a;
    map_pages(&a, file, 6, LOCK_RW, REGION_PRIVATE_MAP, 0);
    OK(sim_write_byte(a + PAGES(4), 99));
    OK(vm_unmap_range(program, a + PAGES(2), PAGE));
    SIM_CHECK();
    assert_numbered(a, 2, 1);
    assert_numbered(a + PAGES(3), 1, 4);
    assert_byte(a + PAGES(4), 99);
    assert_byte(a + PAGES(5), 6);
    assert_int_equal(region_info(find_region(a + PAGES(3))).cache_offset, PAGES(3));
}

/* ---- vm_protect_range ---- */

static void test_vm_protect_range_takes_write_away(void)
{
    region_at(SPOT, 3, LOCK_RW);
    number_pages(SPOT, 3, 1);
    OK(vm_protect_range(program, SPOT + PAGE, PAGE, LOCK_RO));
    SIM_CHECK();
    assert_int_equal(count_regions(program), 3);
    OK(sim_write_byte(SPOT, 11));
    assert_int_equal(sim_write_byte(SPOT + PAGE, 12), ERR_VM_PF_BAD_PERM);
    OK(sim_write_byte(SPOT + PAGES(2), 13));
    assert_byte(SPOT, 11);
    assert_byte(SPOT + PAGE, 2);
    assert_byte(SPOT + PAGES(2), 13);
}

static void test_vm_protect_range_gives_write_back(void)
{
    region_at(SPOT, 2, LOCK_RO);
    assert_byte(SPOT, 0);
    OK(vm_protect_range(program, SPOT, PAGES(2), LOCK_RW));
    OK(sim_write_byte(SPOT, 5));
    OK(vm_protect_range(program, SPOT, PAGES(2), LOCK_RO));
    assert_int_equal(sim_write_byte(SPOT, 6), ERR_VM_PF_BAD_PERM);
    OK(vm_protect_range(program, SPOT, PAGES(2), LOCK_RW));
    OK(sim_write_byte(SPOT, 7));
    assert_byte(SPOT, 7);
}

static void test_vm_protect_range_none_keeps_contents(void)
{
    region_at(SPOT, 2, LOCK_RW);
    number_pages(SPOT, 2, 3);
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_NO_READ));
    assert_true(sim_read_byte(SPOT) < 0);
    assert_true(sim_write_byte(SPOT, 1) < 0);
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RW));
    assert_numbered(SPOT, 2, 3);
}

static void test_vm_protect_range_execute(void)
{
    uint8_t byte;
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 0xc3));
    assert_int_equal(sim_execute(SPOT, &byte, 1), ERR_VM_PF_BAD_PERM);
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RO | LOCK_EXECUTE));
    OK(sim_execute(SPOT, &byte, 1));
    assert_int_equal(byte, 0xc3);
    assert_int_equal(sim_write_byte(SPOT, 1), ERR_VM_PF_BAD_PERM);
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RO));
    assert_int_equal(sim_execute(SPOT, &byte, 1), ERR_VM_PF_BAD_PERM);
}

static void test_vm_protect_range_hole_after_change(void)
{
    region_at(SPOT, 1, LOCK_RW);
    region_at(SPOT + PAGES(2), 1, LOCK_RW);
    assert_int_equal(vm_protect_range(program, SPOT, PAGES(3), LOCK_RO), ERR_VM_PAGE_NOT_PRESENT);
    SIM_CHECK();
    assert_int_equal(sim_write_byte(SPOT, 1), ERR_VM_PF_BAD_PERM);
    OK(sim_write_byte(SPOT + PAGES(2), 1));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_protect_range(program, SPOT + PAGE, PAGE, LOCK_RW));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_protect_range(program, SPOT + PAGE, PAGES(2), LOCK_RO));
}

static void test_vm_protect_range_errors(void)
{
    region_at(SPOT, 3, LOCK_RW);
    REFUSED(ERR_VM_INVALID_ASPACE, vm_protect_range(-3, SPOT, PAGE, LOCK_RO));
    REFUSED(ERR_INVALID_ARGS, vm_protect_range(program, SPOT, 0, LOCK_RO));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_protect_range(program, SPOT + 8, PAGE, LOCK_RO));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_protect_range(program, SPOT, SIM_USER_END, LOCK_RO));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_protect_range(program, SPOT, (addr_t)0 - SPOT, LOCK_RO));
    REFUSED(ERR_INVALID_ARGS, vm_protect_range(program, SPOT, PAGE, 0x100));
    REFUSED(ERR_INVALID_ARGS, vm_protect_range(program, SPOT, PAGE, UINT32_MAX));
}

static void test_vm_protect_range_read_only_object(void)
{
    sim_file *file = sim_file_create("/ro", NULL, PAGES(2), VM_ACCESS_READ);
    void *at = NULL;
    region_id id = vm_map_file(program, "ro", &at, REGION_ADDR_ANY_ADDRESS, PAGES(2), LOCK_RO,
                               REGION_PRIVATE_MAP, "/ro", 0);
    assert_true(id > 0);
    OK(vm_protect_range(program, (addr_t)at, PAGES(2), LOCK_RW));
    OK(sim_write_byte((addr_t)at, 1));
    assert_int_equal(sim_file_data(file)[0], 0);
}

static void test_vm_protect_range_private_file_is_charged(void)
{
    sim_file *file = sim_file_create_numbered("/f", 4);
    addr_t a;
    int64_t before = sim_committed();
    map_pages(&a, file, 4, LOCK_RO, REGION_PRIVATE_MAP, 0);
    assert_int_equal(sim_committed(), before);
    OK(vm_protect_range(program, a + PAGE, PAGES(2), LOCK_RW));
    assert_true(sim_committed() >= before + (int64_t)PAGES(2));
    SIM_CHECK();
    OK(sim_write_byte(a + PAGE, 77));
    assert_numbered(a, 1, 1);
    assert_byte(a + PAGE, 77);
    assert_int_equal(sim_file_data(file)[PAGE], 2);
}

static void test_vm_protect_range_private_file_would_overcommit(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    void *at = NULL;
    addr_t size = ((addr_t)figures().max_commit + PAGES(2)) & ~VM_PAGE_MASK;
    region_id id = vm_map_vnode(program, "big", &at, REGION_ADDR_ANY_ADDRESS, size, LOCK_RO,
                                REGION_PRIVATE_MAP, file, 0);
    assert_true(id > 0);
    REFUSED(ERR_VM_WOULD_OVERCOMMIT, vm_protect_range(program, (addr_t)at, size, LOCK_RW));
}

static void test_vm_protect_range_same_protection_is_nothing(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    OK(vm_protect_range(program, SPOT, PAGES(4), LOCK_RW));
    assert_numbered(SPOT, 4, 1);
    assert_int_equal(count_regions(program), 1);
}

static void test_vm_protect_range_flip_many_times(void)
{
    region_at(SPOT, 16, LOCK_RW);
    number_pages(SPOT, 16, 1);
    int64_t committed = sim_committed();
    for (unsigned i = 0; i < 64; i++) {
        OK(vm_protect_range(program, SPOT + PAGES(i % 16), PAGE, i % 3 == 0 ? LOCK_RW : LOCK_RO));
        SIM_CHECK();
    }
    assert_numbered(SPOT, 16, 1);
    assert_int_equal(sim_committed(), committed);
    OK(vm_protect_range(program, SPOT, PAGES(16), LOCK_RW));
    number_pages(SPOT, 16, 50);
    assert_numbered(SPOT, 16, 50);
}

static void test_vm_protect_range_after_fork_keeps_copy_on_write(void)
{
    region_at(SPOT, 2, LOCK_RW);
    number_pages(SPOT, 2, 1);
    aspace_id child = fork_program();
    OK(vm_protect_range(child, SPOT, PAGES(2), LOCK_RO));
    OK(vm_protect_range(child, SPOT, PAGES(2), LOCK_RW));
    number_pages(SPOT, 2, 10);
    SIM_CHECK();
    sim_set_aspace(program);
    assert_numbered(SPOT, 2, 1);
    OK(sim_delete_aspace(child));
}

/* ---- vm_find_hole ---- */

static void test_vm_find_hole_lowest_and_aligned(void)
{
    addr_t a;
    region_at(SPOT, 1, LOCK_RW);
    region_at(SPOT + PAGES(3), 1, LOCK_RW);
    OK(vm_find_hole(program, PAGE, PAGE, SPOT, SIM_USER_END, &a));
    assert_int_equal(a, SPOT + PAGE);
    OK(vm_find_hole(program, PAGES(2), PAGE, SPOT, SIM_USER_END, &a));
    assert_int_equal(a, SPOT + PAGE);
    OK(vm_find_hole(program, PAGES(3), PAGE, SPOT, SIM_USER_END, &a));
    assert_int_equal(a, SPOT + PAGES(4));
    OK(vm_find_hole(program, PAGE, PAGES(512), SPOT, SIM_USER_END, &a));
    assert_int_equal(a, SPOT + PAGES(512));
    OK(vm_find_hole(program, 1, PAGE, SPOT, SIM_USER_END, &a));
    assert_int_equal(a, SPOT + PAGE);
}

static void test_vm_find_hole_bounds(void)
{
    addr_t a = 1;
    OK(vm_find_hole(program, PAGES(4), PAGE, SPOT, SPOT + PAGES(4), &a));
    assert_int_equal(a, SPOT);
    REFUSED(ERR_VM_NO_REGION_SLOT,
            vm_find_hole(program, PAGES(5), PAGE, SPOT, SPOT + PAGES(4), &a));
    REFUSED(ERR_VM_NO_REGION_SLOT,
            vm_find_hole(program, PAGES(4), PAGES(8), SPOT + PAGE, SPOT + PAGES(8), &a));
    OK(vm_find_hole(program, PAGE, PAGE, 0, UINTPTR_MAX, &a));
    assert_int_equal(a, SIM_USER_BASE);
}

static void test_vm_find_hole_errors(void)
{
    addr_t a = 1;
    REFUSED(ERR_VM_INVALID_ASPACE, vm_find_hole(0, PAGE, PAGE, SPOT, SIM_USER_END, &a));
    REFUSED(ERR_INVALID_ARGS, vm_find_hole(program, 0, PAGE, SPOT, SIM_USER_END, &a));
    REFUSED(ERR_INVALID_ARGS, vm_find_hole(program, PAGE, 3 * PAGE, SPOT, SIM_USER_END, &a));
    REFUSED(ERR_INVALID_ARGS, vm_find_hole(program, PAGE, PAGE / 2, SPOT, SIM_USER_END, &a));
    REFUSED(ERR_INVALID_ARGS, vm_find_hole(program, PAGE, 0, SPOT, SIM_USER_END, &a));
    REFUSED(ERR_VM_NO_REGION_SLOT,
            vm_find_hole(program, UINTPTR_MAX, PAGE, SPOT, SIM_USER_END, &a));
    REFUSED(ERR_VM_NO_REGION_SLOT,
            vm_find_hole(program, PAGE, (addr_t)1 << 63, 0, UINTPTR_MAX, &a));
}

UNIT_MAIN("ranges", TEST(test_vm_unmap_range_splits), TEST(test_vm_unmap_range_frees_pages),
          TEST(test_vm_unmap_range_head_and_tail), TEST(test_vm_unmap_range_over_holes),
          TEST(test_vm_unmap_range_nothing_there), TEST(test_vm_unmap_range_everything),
          TEST(test_vm_unmap_range_rounds_size_up), TEST(test_vm_unmap_range_errors),
          TEST(test_vm_unmap_range_every_cut), TEST(test_vm_unmap_range_of_private_file),
          TEST(test_vm_protect_range_takes_write_away),
          TEST(test_vm_protect_range_gives_write_back),
          TEST(test_vm_protect_range_none_keeps_contents), TEST(test_vm_protect_range_execute),
          TEST(test_vm_protect_range_hole_after_change), TEST(test_vm_protect_range_errors),
          TEST(test_vm_protect_range_read_only_object),
          TEST(test_vm_protect_range_private_file_is_charged),
          TEST(test_vm_protect_range_private_file_would_overcommit),
          TEST(test_vm_protect_range_same_protection_is_nothing),
          TEST(test_vm_protect_range_flip_many_times),
          TEST(test_vm_protect_range_after_fork_keeps_copy_on_write),
          TEST(test_vm_find_hole_lowest_and_aligned), TEST(test_vm_find_hole_bounds),
          TEST(test_vm_find_hole_errors))
