/* SPDX-License-Identifier: MIT */
/* How far stacks grow, and what a growth needs. */
#include "support.h"

#include "aspace.h"
#include "region.h"

#define STACK_LIMIT ((addr_t)8 << 20)

static region_id stack_at(addr_t base, size_t pages, unsigned lock)
{
    return region_at(base, pages, lock | REGION_GROWS_DOWN);
}

static void test_a_stack_larger_than_the_limit_does_not_grow(void)
{
    stack_at(SPOT, STACK_LIMIT / PAGE + 1, LOCK_RW | REGION_OVERCOMMIT);
    OK(sim_write_byte(SPOT, 1));
    REFUSED(ERR_VM_PF_BAD_ADDRESS, sim_write_byte(SPOT - 1, 1));
}

static void test_a_stack_grows_to_the_limit(void)
{
    addr_t top = SPOT + PAGE;
    region_id id = stack_at(SPOT, 1, LOCK_RW | REGION_OVERCOMMIT);
    REFUSED(ERR_VM_PF_BAD_ADDRESS, sim_write_byte(top - STACK_LIMIT - 1, 1));
    OK(sim_write_byte(top - STACK_LIMIT, 1));
    assert_int_equal(region_info(id).size, STACK_LIMIT);
    REFUSED(ERR_VM_PF_BAD_ADDRESS, sim_write_byte(top - STACK_LIMIT - PAGE, 1));
}

static void test_a_stack_stays_in_its_space(void)
{
    addr_t base = SIM_USER_BASE + PAGES(4);
    aspace_id low = vm_create_aspace("low", base, PAGES(8), false);
    void *at = PTR(base + PAGE);
    assert_true(vm_create_anonymous_region(low, "stack", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                           REGION_WIRING_LAZY, LOCK_RW | REGION_GROWS_DOWN) > 0);
    assert_int_equal(vm_fault_aspace(low, base - PAGE, VM_ACCESS_WRITE), ERR_VM_PF_BAD_ADDRESS);
    OK(vm_fault_aspace(low, base, VM_ACCESS_WRITE));
    OK(vm_delete_aspace(low));
}

static void test_a_device_is_no_stack(void)
{
    void *at = PTR(SPOT);
    assert_true(vm_map_physical_memory(program, "d", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                       LOCK_RW | REGION_GROWS_DOWN, SIM_DEVICE_LOW + PAGES(4)) > 0);
    OK(sim_write_byte(SPOT, 1));
    REFUSED(ERR_VM_PF_BAD_ADDRESS, sim_write_byte(SPOT - 1, 1));
}

static void test_growth_charges_what_is_promised(void)
{
    stack_at(SPOT, 1, LOCK_RW);
    int64_t before = sim_committed();
    OK(sim_write_byte(SPOT - PAGES(2), 1));
    assert_int_equal(sim_committed(), before + (int64_t)PAGES(2));
    stack_at(SPOT * 2, 1, LOCK_RW | REGION_OVERCOMMIT);
    before = sim_committed();
    OK(sim_write_byte(SPOT * 2 - PAGES(2), 1));
    assert_int_equal(sim_committed(), before);
}

static void test_growth_that_would_overcommit(void)
{
    region_id id = stack_at(SPOT, 1, LOCK_RW);
    sim_fail_at(SIM_FAIL_COMMIT, 1, true);
    REFUSED(ERR_VM_WOULD_OVERCOMMIT, sim_write_byte(SPOT - PAGE, 1));
    sim_fail_at(SIM_FAIL_COMMIT, 0, false);
    assert_int_equal(region_info(id).size, PAGE);
    OK(sim_write_byte(SPOT - PAGE, 1));
}

/* The child's stack stands on what was the parent's: where it has shrunk and grows again, hiding what
 * is below needs memory. */
static void test_growth_hides_what_was_cut_off(void)
{
    region_id id = stack_at(SPOT, 8, LOCK_RW);
    number_pages(SPOT, 8, 1);
    aspace_id child = fork_program();
    OK(vm_unmap_range(child, SPOT, PAGES(4)));
    sim_fail_at(SIM_FAIL_METADATA, 1, true);
    assert_int_equal(sim_write_byte(SPOT + PAGES(2), 9), ERR_NO_MEMORY);
    assert_true(sim_fail_done(SIM_FAIL_METADATA) > 0);
    sim_fail_at(SIM_FAIL_METADATA, 0, false);
    SIM_CHECK();
    OK(sim_write_byte(SPOT + PAGES(2), 9));
    assert_byte(SPOT + PAGES(2), 9);
    assert_byte(SPOT + PAGES(3), 0);
    assert_numbered(SPOT + PAGES(4), 4, 5);
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
    assert_numbered(SPOT, 8, 1);
    assert_int_equal(region_info(id).size, PAGES(8));
}

/* ---- others that come in between ---- */

static vm_address_space *aspace;

static int write_below(void *unused)
{
    (void)unused;
    return sim_write_byte(SPOT - PAGE, 1);
}

/* A fault has seen the stack, and waits to grow it; then `change` comes. */
static int fault_meanwhile(void (*change)(void))
{
    aspace = vm_get_aspace_by_id(program);
    vm_read_lock(&aspace->virtual_map.lock, VM_RANK_MAP);
    sim_fiber *fiber = sim_spawn("faulter", write_below, NULL);
    assert_int_equal(sim_run_until_blocked(), 1);
    vm_read_unlock(&aspace->virtual_map.lock);
    change();
    sim_run();
    vm_put_aspace(aspace);
    return sim_fiber_result(fiber);
}

static void take_the_stack_away(void)
{
    OK(vm_unmap_range(program, SPOT, PAGE));
}

static void grow_it(void)
{
    OK(vm_fault_aspace(program, SPOT - PAGE, VM_ACCESS_WRITE));
}

static void end_the_space(void)
{
    aspace_id old = program;
    program = sim_new_aspace();
    OK(vm_delete_aspace(old));
}

static void test_a_stack_that_goes_before_it_grows(void)
{
    stack_at(SPOT, 1, LOCK_RW);
    assert_int_equal(fault_meanwhile(take_the_stack_away), ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(count_regions(program), 0);
}

static void test_a_stack_that_somebody_else_grows(void)
{
    region_id id = stack_at(SPOT, 1, LOCK_RW);
    OK(fault_meanwhile(grow_it));
    assert_int_equal(region_info(id).size, PAGES(2));
}

static void test_a_space_that_ends_before_its_stack_grows(void)
{
    stack_at(SPOT, 1, LOCK_RW);
    assert_int_equal(fault_meanwhile(end_the_space), ERR_VM_PF_BAD_ADDRESS);
}

static int unmap_below(void *unused)
{
    (void)unused;
    return vm_unmap_range(program, SPOT - PAGES(8), PAGES(9));
}

/* In random order, each step of both: it grows and goes, or goes before. */
static void test_a_stack_that_goes_as_it_grows(void)
{
    unsigned grown = 0, gone = 0;
    for (unsigned i = 0; i < 400; i++) {
        stack_at(SPOT, 1, LOCK_RW);
        sim_fiber *faulter = sim_spawn("faulter", write_below, NULL);
        sim_fiber *unmapper = sim_spawn("unmapper", unmap_below, NULL);
        sim_run();
        OK(sim_fiber_result(unmapper));
        if (sim_fiber_result(faulter) == VM_OK)
            grown++;
        else
            gone += sim_fiber_result(faulter) == ERR_VM_PF_BAD_ADDRESS;
        assert_int_equal(count_regions(program), 0);
    }
    assert_true(grown > 0 && gone > 0);
    assert_int_equal(grown + gone, 400);
}

UNIT_MAIN("stacks", TEST(test_a_stack_larger_than_the_limit_does_not_grow),
          TEST(test_a_stack_grows_to_the_limit), TEST(test_a_stack_stays_in_its_space),
          TEST(test_a_device_is_no_stack), TEST(test_growth_charges_what_is_promised),
          TEST(test_growth_that_would_overcommit), TEST(test_growth_hides_what_was_cut_off),
          TEST(test_a_stack_that_goes_before_it_grows), TEST(test_a_stack_that_somebody_else_grows),
          TEST_ON(test_a_stack_that_goes_as_it_grows, .seed = 1),
          TEST(test_a_space_that_ends_before_its_stack_grows))
