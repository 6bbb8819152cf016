/* SPDX-License-Identifier: MIT */
/* Page faults: what they resolve, refuse, count and recover from. */
#include "support.h"

/* ---- vm_handle_fault ---- */

static int fault(addr_t address, unsigned access)
{
    addr_t newip = 0;
    int error = vm_handle_fault(address, 0x1234, access, &newip);
    assert_int_equal(newip, 0);
    return error;
}

static void test_vm_handle_fault_no_region(void)
{
    region_at(SPOT, 1, LOCK_RW);
    assert_int_equal(fault(SPOT - 1, VM_ACCESS_READ | VM_ACCESS_USER), ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(fault(SPOT + PAGE, VM_ACCESS_READ | VM_ACCESS_USER), ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(fault(SIM_USER_END, VM_ACCESS_READ | VM_ACCESS_USER), ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(fault(0, VM_ACCESS_READ | VM_ACCESS_USER), ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(fault((addr_t)1 << 60, VM_ACCESS_READ | VM_ACCESS_USER),
                     ERR_VM_PF_BAD_ADDRESS);
    assert_true(fault(UINTPTR_MAX, VM_ACCESS_WRITE | VM_ACCESS_USER) < 0);
}

static void test_vm_handle_fault_every_protection(void)
{
    static const unsigned locks[] = {LOCK_RO, LOCK_RW, LOCK_RO | LOCK_EXECUTE,
                                     LOCK_RW | LOCK_EXECUTE, LOCK_NO_READ};
    for (unsigned i = 0; i < 5; i++) {
        addr_t base = SPOT + PAGES(10 * i);
        bool readable = locks[i] != LOCK_NO_READ;
        region_at(base, 1, locks[i]);
        assert_int_equal(fault(base, VM_ACCESS_READ | VM_ACCESS_USER) == VM_OK, readable);
        assert_int_equal(fault(base, VM_ACCESS_WRITE | VM_ACCESS_USER) == VM_OK,
                         (locks[i] & LOCK_RW) != 0);
        assert_int_equal(fault(base, VM_ACCESS_EXECUTE | VM_ACCESS_USER) == VM_OK,
                         (locks[i] & LOCK_EXECUTE) != 0);
        SIM_CHECK();
    }
}

static void test_vm_handle_fault_programs_may_not_touch_the_kernel(void)
{
    assert_int_equal(fault(SIM_BOOT_BASE, VM_ACCESS_READ | VM_ACCESS_USER), ERR_VM_PF_BAD_PERM);
    assert_int_equal(fault(SIM_BOOT_BASE, VM_ACCESS_WRITE | VM_ACCESS_USER), ERR_VM_PF_BAD_PERM);
    assert_true(fault(SIM_KERNEL_BASE, VM_ACCESS_READ | VM_ACCESS_USER) < 0);
}

static void test_vm_handle_fault_is_idempotent(void)
{
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 5));
    for (int i = 0; i < 5; i++) {
        OK(fault(SPOT, VM_ACCESS_WRITE | VM_ACCESS_USER));
        OK(fault(SPOT + 17, VM_ACCESS_READ | VM_ACCESS_USER));
        SIM_CHECK();
    }
    assert_byte(SPOT, 5);
    assert_int_equal(region_info(find_region(SPOT)).resident_pages, 1);
}

static void test_vm_handle_fault_without_a_program(void)
{
    region_at(SPOT, 1, LOCK_RW);
    sim_set_aspace(ERR_VM_INVALID_ASPACE);
    assert_true(fault(SPOT, VM_ACCESS_READ) < 0);
    sim_set_aspace(program);
    OK(fault(SPOT, VM_ACCESS_READ));
}

static void test_vm_handle_fault_kernel_recovers(void)
{
    char kernel_memory[16] = "something else";
    uint64_t before = figures().kernel_recoveries;
    assert_int_equal(user_memcpy(kernel_memory, PTR(SPOT), 16), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(figures().kernel_recoveries, before + 1);
    assert_string_equal(kernel_memory, "something else");
}

static void test_vm_handle_fault_read_then_write(void)
{
    region_at(SPOT, 2, LOCK_RW);
    assert_byte(SPOT, 0);
    assert_byte(SPOT + PAGE, 0);
    OK(sim_write_byte(SPOT, 1));
    assert_byte(SPOT, 1);
    assert_byte(SPOT + PAGE, 0);
    SIM_CHECK();
}

static void test_vm_handle_fault_out_of_memory(void)
{
    void *at = NULL;
    size_t pages = sim_free_frames() + 100;
    region_id id =
        vm_create_anonymous_region(program, "huge", &at, REGION_ADDR_ANY_ADDRESS, PAGES(pages),
                                   REGION_WIRING_LAZY, LOCK_RW | REGION_OVERCOMMIT);
    assert_true(id > 0);
    size_t written = 0;
    int error = VM_OK;
    for (; written < pages && error == VM_OK; written++)
        error = sim_write_byte((addr_t)at + PAGES(written), (uint8_t)written);
    assert_int_equal(error, ERR_NO_MEMORY);
    SIM_CHECK();
    assert_true(written > 100);
    assert_numbered((addr_t)at, 100, 0);
    OK(vm_delete_region(program, id));
    OK(sim_write_byte(new_pages(1), 1));
}

/* ---- vm_page_fault ---- */

static void test_vm_page_fault_user(void)
{
    addr_t newip = 0;
    region_at(SPOT, 1, LOCK_RO);
    OK(vm_page_fault(SPOT, 0x1000, false, true, &newip));
    assert_int_equal(newip, 0);
    assert_int_equal(vm_page_fault(SPOT, 0x1000, true, true, &newip), ERR_VM_PF_BAD_PERM);
    assert_int_equal(vm_page_fault(SPOT + PAGE, 0x1000, true, true, &newip), ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(newip, 0);
}

static void test_vm_page_fault_kernel_without_handler(void)
{
    addr_t newip = 0;
    assert_int_equal(vm_page_fault(SPOT, 0x1000, false, false, &newip), ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(newip, 0);
}

static void test_vm_page_fault_kernel_with_handler(void)
{
    addr_t newip = 0;
    addr_t copy_ip = SIM_BOOT_BASE + 0x100;
    OK(vm_page_fault(SPOT, copy_ip, false, false, &newip));
    assert_int_equal(newip, SIM_BOOT_BASE + 0x200);
    newip = 0;
    region_at(SPOT, 1, LOCK_RW);
    OK(vm_page_fault(SPOT, copy_ip, true, false, &newip));
    assert_int_equal(newip, 0);
}

/* ---- vm_fault_aspace ---- */

static void test_vm_fault_aspace_in_another_space(void)
{
    aspace_id other = vm_create_aspace("other", SIM_USER_BASE, PAGES(100), false);
    void *at = NULL;
    region_id id = vm_create_anonymous_region(other, "x", &at, REGION_ADDR_ANY_ADDRESS, PAGES(2),
                                              REGION_WIRING_LAZY, LOCK_RW);
    addr_t physical;
    assert_int_equal(vm_get_page_mapping(other, (addr_t)at, &physical), ERR_VM_PAGE_NOT_PRESENT);
    OK(vm_fault_aspace(other, (addr_t)at + 5, VM_ACCESS_WRITE));
    OK(vm_get_page_mapping(other, (addr_t)at, &physical));
    assert_int_equal(region_info(id).resident_pages, 1);
    assert_int_equal(vm_fault_aspace(other, (addr_t)at + PAGES(2), VM_ACCESS_READ),
                     ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(vm_fault_aspace(0, (addr_t)at, VM_ACCESS_READ), ERR_VM_INVALID_ASPACE);
    OK(vm_delete_aspace(other));
    assert_int_equal(vm_fault_aspace(other, (addr_t)at, VM_ACCESS_READ), ERR_VM_INVALID_ASPACE);
}

/* ---- counting ---- */

static void test_faults_are_counted_by_kind(void)
{
    uint8_t byte;
    region_at(SPOT, 4, LOCK_RW | LOCK_EXECUTE);
    vm_info before = figures();
    assert_byte(SPOT, 0);
    OK(sim_write_byte(SPOT + PAGE, 1));
    OK(sim_execute(SPOT + PAGES(2), &byte, 1));
    assert_true(sim_read_byte(SPOT + PAGES(4)) < 0);
    vm_info after = figures();
    assert_int_equal(after.page_faults, before.page_faults + 4);
    assert_int_equal(after.read_faults, before.read_faults + 2);
    assert_int_equal(after.write_faults, before.write_faults + 1);
    assert_int_equal(after.execute_faults, before.execute_faults + 1);
    assert_int_equal(after.failed_faults, before.failed_faults + 1);
    assert_true(after.zero_fills >= before.zero_fills + 3);
}

static void test_faults_count_copies(void)
{
    region_at(SPOT, 3, LOCK_RW);
    number_pages(SPOT, 3, 1);
    uint64_t copies = figures().copies;
    aspace_id child = fork_program();
    number_pages(SPOT, 3, 5);
    assert_int_equal(figures().copies, copies + 3);
    OK(sim_delete_aspace(child));
}

/* ---- files ---- */

static void test_fault_reads_each_page_once(void)
{
    sim_file *file = sim_file_create_numbered("/f", 4);
    addr_t a, b;
    map_pages(&a, file, 4, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    map_pages(&b, file, 4, LOCK_RO, REGION_PRIVATE_MAP, 0);
    assert_numbered(a, 4, 1);
    assert_numbered(b, 4, 1);
    assert_numbered(a, 4, 1);
    assert_int_equal(sim_file_pages_read(file), 4);
}

static void test_fault_read_error_is_told_and_not_remembered(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    addr_t a;
    map_pages(&a, file, 2, LOCK_RW, REGION_PRIVATE_MAP, 0);
    sim_file_fail_reads(file, 1, UINT32_MAX, ERR_IO);
    size_t frames = free_frames();
    assert_int_equal(sim_read_byte(a), ERR_IO);
    assert_int_equal(sim_write_byte(a + PAGE, 1), ERR_IO);
    SIM_CHECK();
    assert_true(free_frames() + 3 >= frames);
    assert_int_equal(region_info(find_region(a)).resident_pages, 0);
    sim_file_fail_reads(file, 0, 0, VM_OK);
    assert_numbered(a, 2, 1);
}

static void test_fault_short_read_gives_zeros(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a;
    map_pages(&a, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    sim_file_shorten_reads(file, 100);
    assert_true(sim_is_filled(a, 1, 100));
    assert_true(sim_is_filled(a + 100, 0, PAGE - 100));
}

static void test_fault_end_of_file_is_zeroed(void)
{
    sim_file *file = sim_file_create("/f", NULL, PAGE + 10, ALL_ACCESS);
    addr_t a;
    memset(sim_file_data(file), 3, PAGE + 10);
    map_pages(&a, file, 3, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    assert_true(sim_is_filled(a, 3, PAGE + 10));
    assert_true(sim_is_filled(a + PAGE + 10, 0, PAGE - 10));
    assert_int_equal(sim_read_byte(a + PAGES(2)), ERR_VM_PF_PAST_END);
}

static void test_fault_past_end_of_private_mapping(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a;
    map_pages(&a, file, 3, LOCK_RW, REGION_PRIVATE_MAP, 0);
    assert_byte(a, 1);
    assert_int_equal(sim_read_byte(a + PAGE), ERR_VM_PF_PAST_END);
    assert_int_equal(sim_write_byte(a + PAGES(2), 1), ERR_VM_PF_PAST_END);
    SIM_CHECK();
}

static void test_fault_shared_pages_are_the_same_frame(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a, b, pa, pb;
    map_pages(&a, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    map_pages(&b, file, 1, LOCK_RW, REGION_PRIVATE_MAP, 0);
    uint64_t shared = figures().file_pages_shared;
    assert_byte(a, 1);
    assert_byte(b, 1);
    assert_true(figures().file_pages_shared > shared);
    OK(vm_get_page_mapping(program, a, &pa));
    OK(vm_get_page_mapping(program, b, &pb));
    assert_int_equal(pa, pb);
    OK(sim_write_byte(b, 2));
    OK(vm_get_page_mapping(program, b, &pb));
    assert_int_not_equal(pa, pb);
    assert_byte(a, 1);
}

/* ---- stacks ---- */

static void test_stack_grows_down_on_faults(void)
{
    region_id id = region_at(SPOT, 2, LOCK_RW | REGION_GROWS_DOWN);
    OK(sim_write_byte(SPOT - 1, 1));
    SIM_CHECK();
    assert_int_equal(region_info(id).base, SPOT - PAGE);
    OK(sim_write_byte(SPOT - PAGES(5), 2));
    assert_int_equal(region_info(id).base, SPOT - PAGES(5));
    assert_int_equal(region_info(id).size, PAGES(7));
    assert_int_equal(sim_committed(), (int64_t)PAGES(7));
    assert_byte(SPOT - 1, 1);
    assert_byte(SPOT - PAGES(5), 2);
    assert_byte(SPOT - PAGES(3), 0);
    OK(sim_write_byte(SPOT, 3));
}

static void test_stack_keeps_guard_gap(void)
{
    addr_t floor = SPOT - PAGES(VM_STACK_GUARD_PAGES + 10);
    region_at(floor - PAGE, 1, LOCK_RW);
    region_id stack = region_at(SPOT, 1, LOCK_RW | REGION_GROWS_DOWN);
    OK(sim_write_byte(SPOT - PAGES(10), 1));
    assert_int_equal(region_info(stack).base, floor + PAGES(VM_STACK_GUARD_PAGES));
    assert_true(sim_write_byte(SPOT - PAGES(10) - 1, 1) < 0);
    assert_true(sim_write_byte(floor + 5, 1) < 0);
    assert_int_equal(region_info(stack).base, floor + PAGES(VM_STACK_GUARD_PAGES));
    SIM_CHECK();
}

static void test_stack_guard_gap_is_not_given_away(void)
{
    region_at(SPOT, 1, LOCK_RW | REGION_GROWS_DOWN);
    void *at = PTR(SPOT);
    assert_true(vm_create_anonymous_region(program, "top", &at, REGION_ADDR_TOP, PAGE,
                                           REGION_WIRING_LAZY, LOCK_RW) > 0);
    assert_true((addr_t)at + PAGE <= SPOT - PAGES(VM_STACK_GUARD_PAGES));
}

static void test_stack_grows_on_kernel_copies(void)
{
    region_id id = region_at(SPOT, 1, LOCK_RW | REGION_GROWS_DOWN);
    OK(user_memset(PTR(SPOT - PAGES(2)), 7, PAGES(2)));
    assert_int_equal(region_info(id).base, SPOT - PAGES(2));
    assert_true(sim_is_filled(SPOT - PAGES(2), 7, PAGES(2)));
}

static void test_stack_growth_after_fork(void)
{
    region_at(SPOT, 1, LOCK_RW | REGION_GROWS_DOWN);
    OK(sim_write_byte(SPOT - PAGE, 1));
    aspace_id child = fork_program();
    OK(sim_write_byte(SPOT - PAGES(3), 2));
    SIM_CHECK();
    assert_byte(SPOT - PAGE, 1);
    sim_set_aspace(program);
    assert_int_equal(region_info(find_region(SPOT)).size, PAGES(2));
    OK(sim_write_byte(SPOT - PAGES(2), 3));
    SIM_CHECK();
    sim_set_aspace(child);
    assert_byte(SPOT - PAGES(2), 0);
    assert_byte(SPOT - PAGES(3), 2);
    OK(sim_delete_aspace(child));
}

static void test_stack_growth_would_overcommit(void)
{
    region_id stack = region_at(SPOT, 1, LOCK_RW | REGION_GROWS_DOWN);
    addr_t rest = ((addr_t)(figures().max_commit - sim_committed()) & ~VM_PAGE_MASK);
    region_at(SPOT * 2, rest / PAGE, LOCK_RW);
    assert_true(sim_write_byte(SPOT - PAGE, 1) < 0);
    SIM_CHECK();
    assert_int_equal(region_info(stack).base, SPOT);
}

UNIT_MAIN("faults", TEST(test_vm_handle_fault_no_region),
          TEST(test_vm_handle_fault_every_protection),
          TEST(test_vm_handle_fault_programs_may_not_touch_the_kernel),
          TEST(test_vm_handle_fault_is_idempotent), TEST(test_vm_handle_fault_without_a_program),
          TEST(test_vm_handle_fault_kernel_recovers), TEST(test_vm_handle_fault_read_then_write),
          TEST(test_vm_handle_fault_out_of_memory), TEST(test_vm_page_fault_user),
          TEST(test_vm_page_fault_kernel_without_handler),
          TEST(test_vm_page_fault_kernel_with_handler), TEST(test_vm_fault_aspace_in_another_space),
          TEST(test_faults_are_counted_by_kind), TEST(test_faults_count_copies),
          TEST(test_fault_reads_each_page_once),
          TEST(test_fault_read_error_is_told_and_not_remembered),
          TEST(test_fault_short_read_gives_zeros), TEST(test_fault_end_of_file_is_zeroed),
          TEST(test_fault_past_end_of_private_mapping),
          TEST(test_fault_shared_pages_are_the_same_frame), TEST(test_stack_grows_down_on_faults),
          TEST(test_stack_keeps_guard_gap), TEST(test_stack_guard_gap_is_not_given_away),
          TEST(test_stack_grows_on_kernel_copies), TEST(test_stack_growth_after_fork),
          TEST(test_stack_growth_would_overcommit))
