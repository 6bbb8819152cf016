/* SPDX-License-Identifier: MIT */
/* Fibers that meet: faults and deletions, one file mapped by many, killed waiters. Each scenario with
 * a seed is run in many orders. */
#include "support.h"

#include <quire/host.h>

static int read_at(void *address)
{
    return sim_read_byte((addr_t)address);
}

static int write_at(void *address)
{
    return sim_write_byte((addr_t)address, 0x99);
}

/* ---- deletion and faults ---- */

static int delete_at(void *address)
{
    return vm_delete_region(program, find_region((addr_t)address));
}

static void test_vm_delete_region_waits_for_fault(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a;
    map_pages(&a, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    sim_file_block_reads(file, true);
    sim_fiber *reader = sim_spawn("reader", read_at, PTR(a));
    assert_int_equal(sim_run_until_blocked(), 1);
    assert_int_equal(sim_file_blocked(file), 1);
    sim_fiber *deleter = sim_spawn("deleter", delete_at, PTR(a));
    sim_run_until_blocked();
    sim_file_block_reads(file, false);
    sim_run();
    OK(sim_fiber_result(deleter));
    int seen = sim_fiber_result(reader);
    assert_true(seen == 1 || seen == ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(sim_file_references(file), 0);
}

static int delete_space(void *aid)
{
    return vm_delete_aspace((aspace_id)(intptr_t)aid);
}

static void test_vm_delete_aspace_waits_for_fault(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    aspace_id other = vm_create_aspace("other", SIM_USER_BASE, PAGES(100), false);
    void *at = NULL;
    assert_true(vm_map_vnode(other, "f", &at, 0, PAGE, LOCK_RO, 0, file, 0) > 0);
    sim_file_block_reads(file, true);
    sim_fiber *reader = sim_spawn_on(0, other, "reader", read_at, at);
    sim_run_until_blocked();
    assert_int_equal(sim_file_blocked(file), 1);
    sim_fiber *deleter = sim_spawn("deleter", delete_space, PTR((intptr_t)other));
    sim_run_until_blocked();
    sim_file_block_reads(file, false);
    sim_run();
    OK(sim_fiber_result(deleter));
    assert_true(sim_fiber_result(reader) == 1 || sim_fiber_result(reader) < 0);
    sim_set_aspace(program);
    assert_int_equal(sim_file_references(file), 0);
}

static int unmap_at(void *address)
{
    return vm_unmap_range(program, (addr_t)address, PAGES(4));
}

static void test_vm_unmap_range_during_fault(void)
{
    sim_file *file = sim_file_create_numbered("/f", 4);
    addr_t a;
    map_pages(&a, file, 4, LOCK_RW, REGION_PRIVATE_MAP, 0);
    sim_file_block_reads(file, true);
    sim_fiber *writer = sim_spawn("writer", write_at, PTR(a + PAGE));
    sim_run_until_blocked();
    sim_fiber *unmapper = sim_spawn("unmapper", unmap_at, PTR(a));
    sim_run_until_blocked();
    sim_file_block_reads(file, false);
    sim_run();
    OK(sim_fiber_result(unmapper));
    assert_true(sim_fiber_result(writer) == VM_OK ||
                sim_fiber_result(writer) == ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(sim_read_byte(a + PAGE), ERR_VM_PF_BAD_ADDRESS);
}

static int replace_at(void *address)
{
    void *at = address;
    region_id id = vm_create_anonymous_region(program, "new", &at, REGION_ADDR_REPLACE, PAGE,
                                              REGION_WIRING_LAZY, LOCK_RW);
    return id > 0 ? VM_OK : (int)id;
}

/* ---- wiring ---- */

static int wire_three(void *address)
{
    return vm_wire_range(program, (addr_t)address, PAGES(3));
}

/* A page of the file's between two anonymous ones: somebody wires them, and waits for the file. */
static sim_fiber *start_wiring(sim_file *file)
{
    void *at = PTR(SPOT + PAGE);
    region_at(SPOT, 1, LOCK_RW);
    region_at(SPOT + PAGES(2), 1, LOCK_RW);
    assert_true(vm_map_vnode(program, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGE, LOCK_RO,
                             REGION_NO_PRIVATE_MAP, file, 0) > 0);
    sim_file_block_reads(file, true);
    sim_fiber *wirer = sim_spawn("wirer", wire_three, PTR(SPOT));
    sim_run_until_blocked();
    assert_int_equal(sim_file_blocked(file), 1);
    return wirer;
}

/* What is unmapped while it is brought in comes behind the wiring. */
static void test_vm_wire_range_goes_on_behind_an_unmapping(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    sim_fiber *wirer = start_wiring(file);
    OK(vm_unmap_range(program, SPOT + PAGE, PAGE));
    sim_file_block_reads(file, false);
    sim_run();
    OK(sim_fiber_result(wirer));
    assert_int_equal(region_info(find_region(SPOT)).wiring, REGION_WIRING_WIRED);
    assert_int_equal(region_info(find_region(SPOT + PAGES(2))).wiring, REGION_WIRING_WIRED);
}

/* A wiring that has failed leaves nothing wired, though there is a hole by now. */
static void test_vm_wire_range_fails_beside_an_unmapping(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    sim_file_fail_reads(file, 1, 1, ERR_IO);
    sim_fiber *wirer = start_wiring(file);
    OK(vm_unmap_range(program, SPOT + PAGES(2), PAGE));
    sim_file_block_reads(file, false);
    sim_run();
    assert_int_equal(sim_fiber_result(wirer), ERR_IO);
    assert_int_equal(region_info(find_region(SPOT)).wiring, REGION_WIRING_LAZY);
    assert_int_equal(region_info(find_region(SPOT + PAGE)).wiring, REGION_WIRING_LAZY);
}

/* The region that the fault looked up is another one when its page comes. */
static void test_fault_looks_again_after_sleeping(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a;
    map_pages(&a, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    sim_file_block_reads(file, true);
    sim_fiber *reader = sim_spawn("reader", read_at, PTR(a));
    sim_run_until_blocked();
    sim_fiber *replacer = sim_spawn("replacer", replace_at, PTR(a));
    sim_run_until_blocked();
    sim_file_block_reads(file, false);
    sim_run();
    OK(sim_fiber_result(replacer));
    assert_true(sim_fiber_result(reader) == 0 || sim_fiber_result(reader) == 1);
    assert_byte(a, 0);
}

static int protect_at(void *address)
{
    return vm_protect_range(program, (addr_t)address, PAGE, LOCK_RO);
}

static void test_fault_sees_protection_taken_while_it_slept(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a;
    map_pages(&a, file, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    sim_file_block_reads(file, true);
    sim_fiber *writer = sim_spawn("writer", write_at, PTR(a));
    sim_run_until_blocked();
    sim_fiber *protector = sim_spawn("protector", protect_at, PTR(a));
    sim_run_until_blocked();
    sim_file_block_reads(file, false);
    sim_run();
    OK(sim_fiber_result(protector));
    assert_int_equal(sim_fiber_result(writer), ERR_VM_PF_BAD_PERM);
    assert_byte(a, 1);
}

static void test_fork_during_file_fault(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a;
    map_pages(&a, file, 1, LOCK_RW, REGION_PRIVATE_MAP, 0);
    sim_file_block_reads(file, true);
    sim_fiber *writer = sim_spawn("writer", write_at, PTR(a));
    sim_run_until_blocked();
    sim_fiber *forker = sim_spawn("forker", fork_often, PTR(2));
    sim_run_until_blocked();
    sim_file_block_reads(file, false);
    sim_run();
    OK(sim_fiber_result(forker));
    OK(sim_fiber_result(writer));
    assert_byte(a, 0x99);
    assert_int_equal(sim_file_data(file)[0], 1);
}

/* ---- many waiters ---- */

static void test_fault_waiters_share_one_read(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    sim_fiber *reader[8];
    addr_t a;
    map_pages(&a, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    sim_file_block_reads(file, true);
    for (unsigned i = 0; i < 8; i++)
        reader[i] = sim_spawn("reader", read_at, PTR(a));
    assert_int_equal(sim_run_until_blocked(), 8);
    assert_int_equal(figures().busy_pages, 1);
    sim_file_block_reads(file, false);
    sim_run();
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(sim_fiber_result(reader[i]), 1);
    assert_int_equal(sim_file_pages_read(file), 1);
}

static void test_fault_waiters_all_hear_of_the_error(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    sim_fiber *reader[4];
    addr_t a;
    map_pages(&a, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    sim_file_block_reads(file, true);
    sim_file_fail_reads(file, 1, UINT32_MAX, ERR_IO);
    for (unsigned i = 0; i < 4; i++)
        reader[i] = sim_spawn("reader", read_at, PTR(a));
    sim_run_until_blocked();
    sim_file_block_reads(file, false);
    sim_run();
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(sim_fiber_result(reader[i]), ERR_IO);
    sim_file_fail_reads(file, 0, 0, VM_OK);
    assert_byte(a, 1);
}

static void test_fault_waiter_is_killed(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a;
    map_pages(&a, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    sim_file_block_reads(file, true);
    sim_fiber *reader = sim_spawn("reader", read_at, PTR(a));
    sim_run_until_blocked();
    sim_fiber *waiter = sim_spawn("waiter", read_at, PTR(a));
    sim_run_until_blocked();
    sim_kill(waiter);
    assert_int_equal(sim_run_until_blocked(), 1);
    assert_true(sim_fiber_ended(waiter));
    assert_int_equal(sim_fiber_result(waiter), ERR_INTERRUPTED);
    sim_file_block_reads(file, false);
    sim_run();
    assert_int_equal(sim_fiber_result(reader), 1);
}

static vm_cache_ref *shared_cache;

static int read_through(void *unused)
{
    (void)unused;
    uint8_t byte = 0;
    size_t done;
    int error = vm_cache_read(shared_cache, 5, &byte, 1, false, &done);
    return error == VM_OK ? byte : error;
}

static void test_vm_cache_read_waits_for_a_read_under_way(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    sim_fiber *reader[3];
    OK(vm_get_vnode_cache(file, &shared_cache));
    sim_file_block_reads(file, true);
    for (unsigned i = 0; i < 3; i++) {
        reader[i] = sim_spawn("reader", read_through, NULL);
        sim_run_until_blocked();
    }
    sim_kill(reader[2]);
    assert_int_equal(sim_run_until_blocked(), 2);
    assert_int_equal(sim_fiber_result(reader[2]), ERR_INTERRUPTED);
    sim_file_block_reads(file, false);
    sim_run();
    assert_int_equal(sim_fiber_result(reader[0]), 1);
    assert_int_equal(sim_fiber_result(reader[1]), 1);
    assert_int_equal(sim_file_reads(file), 1);
    vm_put_cache(shared_cache);
}

static int truncate_to_nothing(void *file)
{
    sim_file_set_size(file, 0);
    (void)vm_cache_truncate(shared_cache, 0);
    return VM_OK;
}

static void test_vm_cache_truncate_during_fault(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    addr_t a;
    map_pages(&a, file, 2, LOCK_RW, REGION_PRIVATE_MAP, 0);
    OK(vm_get_vnode_cache(file, &shared_cache));
    sim_file_block_reads(file, true);
    sim_fiber *reader = sim_spawn("reader", read_at, PTR(a + PAGE));
    sim_run_until_blocked();
    sim_fiber *truncater = sim_spawn("truncater", truncate_to_nothing, file);
    sim_run_until_blocked();
    sim_file_block_reads(file, false);
    sim_run();
    OK(sim_fiber_result(truncater));
    int seen = sim_fiber_result(reader);
    assert_true(seen == ERR_VM_PF_PAST_END || seen == 2 || seen == 0);
    assert_int_equal(sim_read_byte(a + PAGE), ERR_VM_PF_PAST_END);
    assert_int_equal(sim_read_byte(a), ERR_VM_PF_PAST_END);
    sim_file_set_size(file, PAGES(2));
    OK(vm_cache_truncate(shared_cache, (off_t)PAGES(2)));
    assert_true(sim_is_filled(a, 0, PAGES(2)));
    vm_put_cache(shared_cache);
}

UNIT_MAIN("races", TEST(test_vm_delete_region_waits_for_fault),
          TEST(test_vm_delete_aspace_waits_for_fault), TEST(test_vm_unmap_range_during_fault),
          TEST(test_fault_looks_again_after_sleeping),
          TEST(test_fault_sees_protection_taken_while_it_slept), TEST(test_fork_during_file_fault),
          TEST(test_fault_waiters_share_one_read), TEST(test_fault_waiters_all_hear_of_the_error),
          TEST(test_fault_waiter_is_killed), TEST(test_vm_cache_read_waits_for_a_read_under_way),
          TEST(test_vm_cache_truncate_during_fault),
          TEST(test_vm_wire_range_goes_on_behind_an_unmapping),
          TEST(test_vm_wire_range_fails_beside_an_unmapping))
