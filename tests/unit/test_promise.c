/* SPDX-License-Identifier: MIT */
/* Who is charged: regions that may fill frames, once each, unless they overcommit; and what happens
 * where the promise can't be made. */
#include "support.h"

static int64_t pages_committed(void)
{
    return sim_committed() / (int64_t)PAGE;
}

static region_id clone_at(addr_t to, region_id source, int mapping, unsigned lock)
{
    void *at = PTR(to);
    return vm_clone_region(program, "clone", &at, REGION_ADDR_EXACT_ADDRESS, source, mapping, lock);
}

/* ---- shared regions ---- */

static void test_shared_memory_is_promised_as_a_whole(void)
{
    void *at = NULL;
    sim_fail_at(SIM_FAIL_COMMIT, 1, true);
    for (int wiring = REGION_WIRING_LAZY; wiring <= REGION_WIRING_WIRED; wiring++)
        REFUSED(ERR_VM_WOULD_OVERCOMMIT,
                (int)vm_create_anonymous_region(program, "x", &at, 0, PAGE, wiring,
                                                LOCK_RW | REGION_SHARED));
    sim_fail_at(SIM_FAIL_COMMIT, 0, false);
    region_at(SPOT, 3, LOCK_RW | REGION_SHARED);
    assert_int_equal(pages_committed(), 3);
    aspace_id child = fork_program();
    assert_int_equal(pages_committed(), 3);
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
    region_at(SPOT * 2, 3, LOCK_RW | REGION_SHARED | REGION_OVERCOMMIT);
    assert_int_equal(pages_committed(), 3);
}

/* A fork that copies what is shared is promised the copy, unless nothing was charged. */
static void test_copies_of_shared_memory(void)
{
    region_at(SPOT, 3, LOCK_RW | REGION_SHARED);
    region_at(SPOT * 2, 5, LOCK_RW | REGION_SHARED | REGION_OVERCOMMIT);
    OK(vm_set_inheritance(program, SPOT, PAGES(3), VM_INHERIT_COPY));
    OK(vm_set_inheritance(program, SPOT * 2, PAGES(5), VM_INHERIT_COPY));
    OK(sim_write_byte(SPOT * 2, 7));
    aspace_id child = fork_program();
    assert_int_equal(pages_committed(), 6);
    OK(sim_write_byte(SPOT * 2, 8));
    sim_set_aspace(program);
    assert_byte(SPOT * 2, 7);
    OK(sim_delete_aspace(child));
    assert_int_equal(pages_committed(), 3);
}

/* ---- what a clone makes of its source ---- */

/* A guard fills no frames, until its clone does. */
static void test_a_clone_charges_a_source_that_was_not(void)
{
    region_id guard = region_at(SPOT, 4, LOCK_NO_READ);
    assert_int_equal(pages_committed(), 0);
    sim_fail_at(SIM_FAIL_COMMIT, 1, true);
    REFUSED(ERR_VM_WOULD_OVERCOMMIT, clone_at(SPOT * 2, guard, REGION_NO_PRIVATE_MAP, LOCK_RW));
    sim_fail_at(SIM_FAIL_COMMIT, 0, false);
    assert_true(clone_at(SPOT * 2, guard, REGION_NO_PRIVATE_MAP, LOCK_RW) > 0);
    assert_int_equal(pages_committed(), 4);
    OK(sim_write_byte(SPOT * 2, 1));
    assert_int_equal(sim_read_byte(SPOT), ERR_VM_PF_BAD_PERM);
}

static void test_a_clone_that_fails_gives_the_charge_back(void)
{
    region_id guard = region_at(SPOT, 4, LOCK_NO_READ);
    REFUSED(ERR_VM_NO_REGION_SLOT, clone_at(SPOT, guard, REGION_NO_PRIVATE_MAP, LOCK_RW));
    assert_int_equal(pages_committed(), 0);
    region_id free_of_charge = region_at(SPOT * 2, 4, LOCK_RW | REGION_OVERCOMMIT);
    REFUSED(ERR_VM_NO_REGION_SLOT, clone_at(SPOT, free_of_charge, REGION_NO_PRIVATE_MAP, LOCK_RW));
    assert_int_equal(pages_committed(), 0);
    assert_true(clone_at(SPOT * 3, free_of_charge, REGION_NO_PRIVATE_MAP, LOCK_RW) > 0);
    assert_int_equal(pages_committed(), 0);
}

/* Nor is it given back while somebody else shares the source by now. */
static void test_a_clone_that_fails_beside_one_that_does_not(void)
{
    region_id guard = region_at(SPOT, 4, LOCK_NO_READ);
    assert_true(clone_at(SPOT * 2, guard, REGION_NO_PRIVATE_MAP, LOCK_RW) > 0);
    REFUSED(ERR_VM_NO_REGION_SLOT, clone_at(SPOT, guard, REGION_NO_PRIVATE_MAP, LOCK_RW));
    assert_int_equal(pages_committed(), 4);
    OK(vm_delete_region(program, guard));
    assert_int_equal(pages_committed(), 4);
    OK(sim_write_byte(SPOT * 2, 1));
}

/* ---- forks ---- */

static void test_a_fork_that_shares_a_guard(void)
{
    region_at(SPOT, 4, LOCK_NO_READ);
    OK(vm_set_inheritance(program, SPOT, PAGES(4), VM_INHERIT_SHARE));
    sim_fail_at(SIM_FAIL_COMMIT, 1, true);
    REFUSED(ERR_VM_WOULD_OVERCOMMIT, (int)vm_copy_aspace(program, "child"));
    sim_fail_at(SIM_FAIL_COMMIT, 0, false);
    aspace_id child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
    assert_int_equal(pages_committed(), 4);
    OK(vm_delete_aspace(child));
}

static void test_a_fork_of_what_is_not_charged(void)
{
    region_at(SPOT, 4, LOCK_RW | REGION_OVERCOMMIT);
    OK(sim_write_byte(SPOT, 1));
    sim_fail_at(SIM_FAIL_COMMIT, 1, true);
    aspace_id child = fork_program();
    sim_fail_at(SIM_FAIL_COMMIT, 0, false);
    assert_int_equal(pages_committed(), 0);
    OK(sim_write_byte(SPOT, 2));
    sim_set_aspace(program);
    assert_byte(SPOT, 1);
    OK(sim_delete_aspace(child));
}

/* A guard over what others share: a copy of it is promised nothing. */
static void test_copies_of_a_guard_over_shared_memory(void)
{
    region_id shared = region_at(SPOT, 3, LOCK_RW | REGION_SHARED);
    assert_true(clone_at(SPOT * 2, shared, REGION_NO_PRIVATE_MAP, LOCK_NO_READ) > 0);
    OK(vm_set_inheritance(program, SPOT * 2, PAGES(3), VM_INHERIT_COPY));
    aspace_id child = fork_program();
    assert_int_equal(pages_committed(), 3);
    assert_int_equal(sim_read_byte(SPOT * 2), ERR_VM_PF_BAD_PERM);
    sim_set_aspace(program);
    OK(sim_delete_aspace(child));
}

/* ---- protection and size ---- */

/* One of them is charged already, one never is: only the guard is new. */
static void test_protection_charges_what_is_new(void)
{
    region_at(SPOT, 1, LOCK_RW);
    region_at(SPOT + PAGE, 2, LOCK_NO_READ);
    region_at(SPOT + PAGES(3), 4, LOCK_NO_READ | REGION_OVERCOMMIT);
    assert_int_equal(pages_committed(), 1);
    OK(vm_protect_range(program, SPOT, PAGES(7), LOCK_RW));
    assert_int_equal(pages_committed(), 3);
    number_pages(SPOT, 7, 1);
    assert_numbered(SPOT, 7, 1);
}

static void test_growth_of_what_is_not_charged(void)
{
    region_id id = region_at(SPOT, 2, LOCK_RW | REGION_OVERCOMMIT);
    OK(vm_resize_region(program, id, PAGES(6)));
    assert_int_equal(pages_committed(), 0);
    region_id shared = region_at(SPOT * 2, 2, LOCK_RW | REGION_SHARED);
    OK(vm_resize_region(program, shared, PAGES(6)));
    assert_int_equal(pages_committed(), 6);
    region_id neither = region_at(SPOT * 3, 2, LOCK_RW | REGION_SHARED | REGION_OVERCOMMIT);
    OK(vm_resize_region(program, neither, PAGES(6)));
    assert_int_equal(pages_committed(), 6);
}

/* A piece that grows over offsets of another gets a cache of its own. */
static void test_growth_of_a_piece_that_is_not_charged(void)
{
    void *at = PTR(SPOT * 2);
    region_at(SPOT, 4, LOCK_RW | REGION_OVERCOMMIT);
    number_pages(SPOT, 4, 1);
    OK(vm_move_range(program, SPOT, PAGES(2), PAGES(4), &at, REGION_ADDR_EXACT_ADDRESS));
    assert_int_equal(pages_committed(), 0);
    assert_numbered(SPOT * 2, 2, 1);
    assert_byte(SPOT * 2 + PAGES(2), 0);
    assert_numbered(SPOT + PAGES(2), 2, 3);
}

UNIT_MAIN("promises", TEST(test_shared_memory_is_promised_as_a_whole),
          TEST(test_copies_of_shared_memory), TEST(test_a_clone_charges_a_source_that_was_not),
          TEST(test_a_clone_that_fails_gives_the_charge_back),
          TEST(test_a_clone_that_fails_beside_one_that_does_not),
          TEST(test_a_fork_that_shares_a_guard), TEST(test_a_fork_of_what_is_not_charged),
          TEST(test_copies_of_a_guard_over_shared_memory),
          TEST(test_protection_charges_what_is_new), TEST(test_growth_of_what_is_not_charged),
          TEST(test_growth_of_a_piece_that_is_not_charged))
