/* SPDX-License-Identifier: MIT */
/* Regions that grow, shrink and move. */
#include "support.h"

/* ---- vm_resize_region ---- */

static void test_vm_resize_region_grows(void)
{
    region_id id = region_at(SPOT, 2, LOCK_RW);
    number_pages(SPOT, 2, 1);
    int64_t committed = sim_committed();
    OK(vm_resize_region(program, id, PAGES(5)));
    SIM_CHECK();
    assert_int_equal(sim_committed(), committed + (int64_t)PAGES(3));
    assert_int_equal(region_info(id).size, PAGES(5));
    assert_numbered(SPOT, 2, 1);
    assert_true(sim_is_filled(SPOT + PAGES(2), 0, PAGES(3)));
    OK(sim_write_byte(SPOT + PAGES(5) - 1, 1));
    assert_int_equal(sim_write_byte(SPOT + PAGES(5), 1), ERR_VM_PF_BAD_ADDRESS);
}

static void test_vm_resize_region_shrinks(void)
{
    region_id id = region_at(SPOT, 5, LOCK_RW);
    number_pages(SPOT, 5, 1);
    int64_t committed = sim_committed();
    OK(vm_resize_region(program, id, PAGES(2)));
    SIM_CHECK();
    assert_int_equal(sim_committed(), committed - (int64_t)PAGES(3));
    assert_numbered(SPOT, 2, 1);
    assert_int_equal(sim_read_byte(SPOT + PAGES(2)), ERR_VM_PF_BAD_ADDRESS);
    OK(vm_resize_region(program, id, PAGES(5)));
    assert_true(sim_is_filled(SPOT + PAGES(2), 0, PAGES(3)));
}

static void test_vm_resize_region_rounds_up(void)
{
    region_id id = region_at(SPOT, 1, LOCK_RW);
    OK(vm_resize_region(program, id, PAGE + 1));
    assert_int_equal(region_info(id).size, PAGES(2));
    OK(vm_resize_region(program, id, 1));
    assert_int_equal(region_info(id).size, PAGE);
}

static void test_vm_resize_region_no_room(void)
{
    region_id id = region_at(SPOT, 2, LOCK_RW);
    region_at(SPOT + PAGES(4), 1, LOCK_RW);
    REFUSED(ERR_VM_NO_REGION_SLOT, vm_resize_region(program, id, PAGES(5)));
    OK(vm_resize_region(program, id, PAGES(4)));
    REFUSED(ERR_VM_NO_REGION_SLOT, vm_resize_region(program, id, PAGES(4) + 1));
}

static void test_vm_resize_region_errors(void)
{
    region_id id = region_at(SPOT, 2, LOCK_RW);
    region_id last = region_at(SIM_USER_END - PAGE, 1, LOCK_RW);
    REFUSED(ERR_VM_INVALID_ASPACE, vm_resize_region(0, id, PAGE));
    REFUSED(ERR_VM_INVALID_REGION, vm_resize_region(program, id + 50, PAGE));
    REFUSED(ERR_VM_INVALID_REGION, vm_resize_region(vm_get_kernel_aspace_id(), id, PAGE));
    REFUSED(ERR_INVALID_ARGS, vm_resize_region(program, id, 0));
    struct picture before;
    take_picture(&before, program);
    assert_true(vm_resize_region(program, last, PAGES(2)) < 0);
    assert_true(vm_resize_region(program, id, UINTPTR_MAX) < 0);
    assert_true(vm_resize_region(program, id, UINTPTR_MAX - PAGE) < 0);
    assert_true(vm_resize_region(program, id, (addr_t)0 - SPOT) < 0);
    assert_unchanged(&before);
    REFUSED(ERR_VM_WOULD_OVERCOMMIT,
            vm_resize_region(program, id, (addr_t)figures().max_commit + PAGE));
}

static void test_vm_resize_region_after_fork(void)
{
    region_id id = region_at(SPOT, 3, LOCK_RW);
    number_pages(SPOT, 3, 1);
    aspace_id child = fork_program();
    sim_set_aspace(program);
    OK(vm_resize_region(program, id, PAGE));
    OK(vm_resize_region(program, id, PAGES(3)));
    SIM_CHECK();
    assert_byte(SPOT, 1);
    assert_true(sim_is_filled(SPOT + PAGE, 0, PAGES(2)));
    sim_set_aspace(child);
    assert_numbered(SPOT, 3, 1);
    OK(sim_delete_aspace(child));
}

static void test_vm_resize_region_of_file(void)
{
    sim_file *file = sim_file_create_numbered("/f", 5);
    addr_t a;
    region_id id = map_pages(&a, file, 2, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    OK(vm_resize_region(program, id, PAGES(5)));
    assert_numbered(a, 5, 1);
    OK(vm_resize_region(program, id, PAGES(6)));
    assert_int_equal(sim_read_byte(a + PAGES(5)), ERR_VM_PF_PAST_END);
    OK(vm_resize_region(program, id, PAGE));
    assert_int_equal(sim_read_byte(a + PAGE), ERR_VM_PF_BAD_ADDRESS);
}

static void test_vm_resize_region_wired(void)
{
    void *at = PTR(SPOT);
    region_id id = vm_create_anonymous_region(program, "w", &at, REGION_ADDR_EXACT_ADDRESS,
                                              PAGES(2), REGION_WIRING_WIRED, LOCK_RW);
    number_pages(SPOT, 2, 1);
    OK(vm_resize_region(program, id, PAGES(6)));
    SIM_CHECK();
    assert_int_equal(region_info(id).resident_pages, 6);
    assert_numbered(SPOT, 2, 1);
    OK(vm_resize_region(program, id, PAGE));
    SIM_CHECK();
    assert_byte(SPOT, 1);
}

static void test_vm_resize_region_piece_of_another(void)
{
    region_at(SPOT, 6, LOCK_RW);
    number_pages(SPOT, 6, 1);
    OK(vm_unmap_range(program, SPOT + PAGES(2), PAGES(2)));
    void *to = PTR(SPOT + PAGES(100));
    OK(vm_move_range(program, SPOT + PAGES(4), PAGES(2), PAGES(2), &to, REGION_ADDR_EXACT_ADDRESS));
    OK(vm_resize_region(program, find_region(SPOT), PAGES(6)));
    SIM_CHECK();
    assert_numbered(SPOT, 2, 1);
    assert_true(sim_is_filled(SPOT + PAGES(2), 0, PAGES(4)));
    number_pages(SPOT, 6, 40);
    assert_numbered(SPOT + PAGES(100), 2, 5);
}

/* ---- vm_move_range ---- */

static int move(addr_t from, addr_t size, addr_t new_size, addr_t *to, int addr_type)
{
    void *at = PTR(*to);
    int error = vm_move_range(program, from, size, new_size, &at, addr_type);
    *to = (addr_t)at;
    return error;
}

static void test_vm_move_range_whole_region(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    int64_t committed = sim_committed();
    size_t frames = sim_free_frames();
    addr_t to = SPOT + PAGES(100);
    OK(move(SPOT, PAGES(4), PAGES(4), &to, REGION_ADDR_EXACT_ADDRESS));
    SIM_CHECK();
    assert_int_equal(to, SPOT + PAGES(100));
    assert_int_equal(count_regions(program), 1);
    assert_int_equal(sim_read_byte(SPOT), ERR_VM_PF_BAD_ADDRESS);
    assert_numbered(to, 4, 1);
    assert_int_equal(sim_committed(), committed);
    assert_true(sim_free_frames() + 5 > frames);
}

static void test_vm_move_range_grows(void)
{
    region_at(SPOT, 3, LOCK_RW);
    region_at(SPOT + PAGES(3), 1, LOCK_RW);
    number_pages(SPOT, 4, 1);
    addr_t to = 0;
    OK(move(SPOT, PAGES(3), PAGES(6), &to, REGION_ADDR_ANY_ADDRESS));
    SIM_CHECK();
    assert_numbered(to, 3, 1);
    assert_true(sim_is_filled(to + PAGES(3), 0, PAGES(3)));
    assert_byte(SPOT + PAGES(3), 4);
    assert_int_equal(find_region(SPOT), 0);
    assert_int_equal(sim_committed(), (int64_t)PAGES(7));
}

static void test_vm_move_range_shrinks(void)
{
    region_at(SPOT, 5, LOCK_RW);
    number_pages(SPOT, 5, 1);
    addr_t to = SPOT + PAGES(50);
    OK(move(SPOT, PAGES(5), PAGES(2), &to, REGION_ADDR_EXACT_ADDRESS));
    SIM_CHECK();
    assert_numbered(to, 2, 1);
    assert_int_equal(sim_read_byte(to + PAGES(2)), ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(find_region(SPOT), 0);
    assert_int_equal(find_region(SPOT + PAGES(4)), 0);
    assert_int_equal(sim_committed(), (int64_t)PAGES(2));
}

static void test_vm_move_range_part_of_region(void)
{
    region_at(SPOT, 6, LOCK_RW);
    number_pages(SPOT, 6, 1);
    addr_t to = SPOT + PAGES(50);
    OK(move(SPOT + PAGES(2), PAGES(2), PAGES(2), &to, REGION_ADDR_EXACT_ADDRESS));
    SIM_CHECK();
    assert_int_equal(count_regions(program), 3);
    assert_numbered(SPOT, 2, 1);
    assert_int_equal(sim_read_byte(SPOT + PAGES(2)), ERR_VM_PF_BAD_ADDRESS);
    assert_numbered(to, 2, 3);
    assert_numbered(SPOT + PAGES(4), 2, 5);
    assert_int_equal(sim_committed(), (int64_t)PAGES(6));
}

static void test_vm_move_range_replaces(void)
{
    region_at(SPOT, 2, LOCK_RW);
    region_at(SPOT + PAGES(10), 4, LOCK_RW);
    number_pages(SPOT, 2, 1);
    number_pages(SPOT + PAGES(10), 4, 20);
    addr_t to = SPOT + PAGES(11);
    REFUSED(ERR_VM_NO_REGION_SLOT,
            move(SPOT, PAGES(2), PAGES(2), &(addr_t){SPOT + PAGES(11)}, REGION_ADDR_EXACT_ADDRESS));
    OK(move(SPOT, PAGES(2), PAGES(2), &to, REGION_ADDR_REPLACE));
    SIM_CHECK();
    assert_byte(SPOT + PAGES(10), 20);
    assert_numbered(SPOT + PAGES(11), 2, 1);
    assert_byte(SPOT + PAGES(13), 23);
}

static void test_vm_move_range_errors(void)
{
    region_at(SPOT, 2, LOCK_RW);
    region_at(SPOT + PAGES(2), 2, LOCK_RO);
    addr_t to = SPOT + PAGES(50);
    int exact = REGION_ADDR_EXACT_ADDRESS;
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, move(SPOT + PAGES(4), PAGE, PAGE, &to, exact));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, move(SPOT, PAGES(3), PAGES(3), &to, exact));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, move(SPOT + PAGES(3), PAGES(2), PAGES(2), &to, exact));
    REFUSED(ERR_VM_BAD_ADDRESS, move(SPOT + 1, PAGE, PAGE, &to, exact));
    REFUSED(ERR_INVALID_ARGS, move(SPOT, 0, PAGE, &to, exact));
    REFUSED(ERR_INVALID_ARGS, move(SPOT, PAGE, 0, &to, exact));
    REFUSED(ERR_VM_BAD_ADDRESS, move(SPOT, SIM_USER_END, PAGE, &to, exact));
    addr_t bad = to + 1;
    REFUSED(ERR_VM_BAD_ADDRESS, move(SPOT, PAGE, PAGE, &bad, exact));
    bad = SIM_USER_END - PAGE;
    REFUSED(ERR_VM_BAD_ADDRESS, move(SPOT, PAGE, PAGES(2), &bad, exact));
    REFUSED(ERR_VM_WOULD_OVERCOMMIT,
            move(SPOT, PAGE, (addr_t)figures().max_commit + PAGE, &to, exact));
    void *at = PTR(to);
    REFUSED(ERR_VM_INVALID_ASPACE, vm_move_range(0, SPOT, PAGE, PAGE, &at, exact));
    REFUSED(ERR_INVALID_ARGS, vm_move_range(program, SPOT, PAGE, PAGE, &at, 77));
}

static void test_vm_move_range_copy_on_write(void)
{
    region_at(SPOT, 3, LOCK_RW);
    number_pages(SPOT, 3, 1);
    aspace_id child = fork_program();
    void *at = PTR(SPOT + PAGES(10));
    OK(vm_move_range(child, SPOT, PAGES(3), PAGES(3), &at, REGION_ADDR_EXACT_ADDRESS));
    SIM_CHECK();
    assert_numbered(SPOT + PAGES(10), 3, 1);
    number_pages(SPOT + PAGES(10), 3, 30);
    sim_set_aspace(program);
    assert_numbered(SPOT, 3, 1);
    OK(sim_delete_aspace(child));
    number_pages(SPOT, 3, 60);
    assert_numbered(SPOT, 3, 60);
}

static void test_vm_move_range_of_file(void)
{
    sim_file *file = sim_file_create_numbered("/f", 8);
    addr_t a, to = SPOT;
    map_pages(&a, file, 4, LOCK_RW, REGION_PRIVATE_MAP, 2);
    OK(sim_write_byte(a + PAGE, 99));
    OK(move(a, PAGES(4), PAGES(5), &to, REGION_ADDR_EXACT_ADDRESS));
    SIM_CHECK();
    assert_byte(to, 3);
    assert_byte(to + PAGE, 99);
    assert_numbered(to + PAGES(2), 3, 5);
}

static void test_vm_move_range_back_and_forth(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    addr_t here = SPOT;
    for (unsigned i = 0; i < 20; i++) {
        addr_t there = i % 2 == 0 ? SPOT + PAGES(2000) : SPOT;
        OK(move(here, PAGES(4), PAGES(4), &there, REGION_ADDR_EXACT_ADDRESS));
        here = there;
        assert_numbered(here, 4, 1);
        SIM_CHECK();
    }
}

UNIT_MAIN("resizing and moving", TEST(test_vm_resize_region_grows),
          TEST(test_vm_resize_region_shrinks), TEST(test_vm_resize_region_rounds_up),
          TEST(test_vm_resize_region_no_room), TEST(test_vm_resize_region_errors),
          TEST(test_vm_resize_region_after_fork), TEST(test_vm_resize_region_of_file),
          TEST(test_vm_resize_region_wired), TEST(test_vm_resize_region_piece_of_another),
          TEST(test_vm_move_range_whole_region), TEST(test_vm_move_range_grows),
          TEST(test_vm_move_range_shrinks), TEST(test_vm_move_range_part_of_region),
          TEST(test_vm_move_range_replaces), TEST(test_vm_move_range_errors),
          TEST(test_vm_move_range_copy_on_write), TEST(test_vm_move_range_of_file),
          TEST(test_vm_move_range_back_and_forth))
