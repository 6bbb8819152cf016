/* SPDX-License-Identifier: MIT */
/* vm_translate: the walk of a host that is its own MMU. */
#include "support.h"

static unsigned calls;
static addr_t found_at;

static void note_found(addr_t address, void *argument)
{
    assert_ptr_equal(argument, &calls);
    found_at = address;
    calls++;
}

static int translate(addr_t address, unsigned access, addr_t *physical, bool *writable)
{
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    calls = 0;
    int error = vm_translate(aspace, address, access, note_found, &calls, physical, writable);
    vm_put_aspace(aspace);
    return error;
}

static void test_translate_nothing_is_there(void)
{
    addr_t physical = 1, address = new_pages(1);
    bool writable;
    assert_int_equal(translate(address, VM_ACCESS_READ, &physical, &writable),
                     ERR_VM_PAGE_NOT_PRESENT);
    assert_int_equal(translate(SPOT * 64, VM_ACCESS_READ, &physical, &writable),
                     ERR_VM_PAGE_NOT_PRESENT);
    assert_int_equal(calls, 0);
    assert_int_equal(physical, 1);
}

static void test_translate_reads_leave_the_dirty_bit(void)
{
    addr_t physical, address = new_pages(1);
    bool writable;
    struct sim_translation now;
    OK(vm_fault_aspace(program, address, VM_ACCESS_READ | VM_ACCESS_USER));
    OK(translate(address + 5, VM_ACCESS_READ, &physical, &writable));
    assert_int_equal(calls, 1);
    assert_int_equal(found_at, address + 5);
    assert_false(writable); /* by the entry; but the next write must be noted */
    assert_true(sim_look_up(address, &now));
    assert_int_equal(physical, now.physical + 5);
    assert_true(now.accessed && !now.dirty);
}

static void test_translate_writes_set_the_dirty_bit(void)
{
    addr_t physical, address = new_pages(1);
    bool writable;
    struct sim_translation now;
    OK(vm_fault_aspace(program, address, VM_ACCESS_WRITE | VM_ACCESS_USER));
    OK(translate(address, VM_ACCESS_WRITE, &physical, &writable));
    assert_true(writable);
    assert_true(sim_look_up(address, &now));
    assert_true(now.dirty);
}

static void test_translate_a_read_only_entry_refuses_writes(void)
{
    addr_t physical;
    bool writable = true;
    region_at(SPOT, 1, LOCK_RO);
    OK(vm_fault_aspace(program, SPOT, VM_ACCESS_READ | VM_ACCESS_USER));
    assert_int_equal(translate(SPOT, VM_ACCESS_WRITE, &physical, &writable),
                     ERR_VM_PAGE_NOT_PRESENT);
    assert_int_equal(calls, 0);
    OK(translate(SPOT, VM_ACCESS_READ, &physical, &writable));
    assert_false(writable);
}

static void test_translate_looks_whether_it_may_be_executed(void)
{
    addr_t physical;
    bool writable;
    region_at(SPOT, 1, LOCK_RW);
    region_at(SPOT + PAGE, 1, LOCK_RO | LOCK_EXECUTE);
    for (size_t i = 0; i < 2; i++) {
        OK(vm_fault_aspace(program, SPOT + PAGES(i), VM_ACCESS_READ | VM_ACCESS_USER));
        OK(translate(SPOT + PAGES(i), VM_ACCESS_READ, &physical, &writable));
        assert_int_equal(translate(SPOT + PAGES(i), VM_ACCESS_EXECUTE, &physical, &writable),
                         i == 1 ? VM_OK : ERR_VM_PAGE_NOT_PRESENT);
        assert_int_equal(
            translate(SPOT + PAGES(i), VM_ACCESS_WRITE | VM_ACCESS_EXECUTE, &physical, &writable),
            ERR_VM_PAGE_NOT_PRESENT);
    }
}

static void test_vm_fault_address_space(void)
{
    addr_t physical, address = new_pages(1);
    bool writable;
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    OK(vm_fault_address_space(aspace, address, VM_ACCESS_WRITE | VM_ACCESS_USER));
    OK(translate(address, VM_ACCESS_WRITE, &physical, &writable));
    assert_int_equal(vm_fault_address_space(aspace, address, VM_ACCESS_EXECUTE | VM_ACCESS_USER),
                     ERR_VM_PF_BAD_PERM);
    assert_int_equal(vm_fault_address_space(aspace, SPOT * 64, VM_ACCESS_READ | VM_ACCESS_USER),
                     ERR_VM_PF_BAD_ADDRESS);
    vm_put_aspace(aspace);
}

static void test_translate_run_marks_nothing(void)
{
    addr_t physical[5] = {7, 7, 7, 7, 7}, address = new_pages(4), first;
    bool writable;
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    OK(vm_fault_aspace(program, address + PAGE, VM_ACCESS_READ | VM_ACCESS_USER));
    OK(translate(address + PAGE, VM_ACCESS_READ, &first, &writable));
    OK(vm_fault_aspace(program, address + PAGES(3), VM_ACCESS_WRITE | VM_ACCESS_USER));
    calls = 0;
    vm_translate_run(aspace, address, 4, note_found, &calls, physical);
    assert_int_equal(calls, 1);
    assert_int_equal(found_at, address);
    assert_true(physical[0] == 0 && physical[1] == first && physical[2] == 0);
    assert_true(physical[3] != 0 && physical[3] != 7 && physical[4] == 7);
    struct sim_translation now;
    assert_true(sim_look_up(address + PAGES(3), &now) && !now.dirty);
    vm_translate_run(aspace, SPOT * 64, 2, note_found, &calls, physical);
    assert_true(physical[0] == 0 && physical[1] == 0 && calls == 2);
    vm_put_aspace(aspace);
}

/* Whatever is there: it is the same afterwards, and nobody has faulted. */
static void test_vm_prefetch_translation(void)
{
    addr_t address = new_pages(2);
    struct sim_translation now;
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    uint64_t faults = figures().page_faults;
    size_t tables = figures().table_pages;
    vm_prefetch_translation(aspace, address);
    vm_prefetch_translation(aspace, SPOT * 64);
    vm_prefetch_translation(aspace, 0);
    vm_prefetch_translation(aspace, UINTPTR_MAX);
    assert_int_equal(figures().table_pages, tables);
    assert_false(sim_look_up(address, &now));
    OK(vm_fault_address_space(aspace, address, VM_ACCESS_READ | VM_ACCESS_USER));
    vm_prefetch_translation(aspace, address);
    vm_prefetch_translation(aspace, address + PAGE);
    assert_true(sim_look_up(address, &now) && !now.dirty);
    assert_false(sim_look_up(address + PAGE, &now));
    assert_int_equal(figures().page_faults, faults + 1);
    vm_put_aspace(aspace);
}

UNIT_MAIN("translate", TEST(test_vm_prefetch_translation), TEST(test_translate_run_marks_nothing),
          TEST(test_translate_nothing_is_there), TEST(test_translate_reads_leave_the_dirty_bit),
          TEST(test_translate_writes_set_the_dirty_bit),
          TEST(test_translate_a_read_only_entry_refuses_writes),
          TEST(test_translate_looks_whether_it_may_be_executed), TEST(test_vm_fault_address_space))
