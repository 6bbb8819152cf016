/* SPDX-License-Identifier: MIT */
/* Stale translations: after each operation that takes something away, no CPU may act on the old. */
#include "support.h"

#define CPUS 3

/* Every CPU reads and writes the page, so that every TLB has it, dirty; then CPU 0 goes on. */
static void warm(addr_t address, uint8_t byte)
{
    for (unsigned cpu = CPUS; cpu-- > 0;) {
        sim_set_cpu(cpu);
        OK(sim_write_byte(address, byte));
        assert_byte(address, byte);
        assert_true(sim_tlb_holds(address));
    }
}

static void warm_reading(addr_t address, int expected)
{
    for (unsigned cpu = CPUS; cpu-- > 0;) {
        sim_set_cpu(cpu);
        assert_byte(address, expected);
    }
}

static void assert_everywhere(addr_t address, int expected)
{
    for (unsigned cpu = CPUS; cpu-- > 0;) {
        sim_set_cpu(cpu);
        assert_byte(address, expected);
    }
    assert_int_equal(sim_stale_accesses(), 0);
}

static void assert_no_writing(addr_t address)
{
    for (unsigned cpu = CPUS; cpu-- > 0;) {
        sim_set_cpu(cpu);
        assert_int_equal(sim_write_byte(address, 1), ERR_VM_PF_BAD_PERM);
    }
    assert_int_equal(sim_stale_accesses(), 0);
}

static void test_tlb_after_unmap(void)
{
    region_at(SPOT, 3, LOCK_RW);
    warm(SPOT + PAGE, 7);
    OK(vm_unmap_range(program, SPOT + PAGE, PAGE));
    assert_everywhere(SPOT + PAGE, ERR_VM_PF_BAD_ADDRESS);
    region_at(SPOT + PAGE, 1, LOCK_RW);
    assert_everywhere(SPOT + PAGE, 0);
}

static void test_tlb_after_unmap_of_many_pages(void)
{
    enum { N = 600 };
    region_at(SPOT, N, LOCK_RW);
    for (unsigned i = 0; i < N; i++)
        warm(SPOT + PAGES(i), (uint8_t)i);
    OK(vm_unmap_range(program, SPOT, PAGES(N)));
    for (unsigned i = 0; i < N; i++)
        assert_everywhere(SPOT + PAGES(i), ERR_VM_PF_BAD_ADDRESS);
}

static void test_tlb_after_delete(void)
{
    addr_t a;
    region_id id = new_region(&a, 1);
    warm(a, 7);
    OK(vm_delete_region(program, id));
    assert_everywhere(a, ERR_VM_PF_BAD_ADDRESS);
}

static void test_tlb_after_protect(void)
{
    region_at(SPOT, 1, LOCK_RW);
    warm(SPOT, 9);
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RO));
    assert_no_writing(SPOT);
    assert_everywhere(SPOT, 9);
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_NO_READ));
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        sim_set_cpu(cpu);
        assert_true(sim_read_byte(SPOT) < 0);
    }
}

static void test_tlb_after_protect_execute(void)
{
    uint8_t byte;
    region_at(SPOT, 1, LOCK_RO | LOCK_EXECUTE);
    for (unsigned cpu = CPUS; cpu-- > 0;) {
        sim_set_cpu(cpu);
        OK(sim_execute(SPOT, &byte, 1));
    }
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RO));
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        sim_set_cpu(cpu);
        assert_int_equal(sim_execute(SPOT, &byte, 1), ERR_VM_PF_BAD_PERM);
    }
}

static void test_tlb_gaining_needs_no_flush(void)
{
    region_at(SPOT, 1, LOCK_RO);
    warm_reading(SPOT, 0);
    uint64_t flushes = sim_tlb_flushes();
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RW));
    assert_int_equal(sim_tlb_flushes(), flushes);
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        sim_set_cpu(cpu);
        OK(sim_write_byte(SPOT, (uint8_t)(cpu + 1)));
    }
    assert_everywhere(SPOT, CPUS);
}

static void test_tlb_first_touch_needs_no_flush(void)
{
    region_at(SPOT, 10, LOCK_RW);
    uint64_t flushes = sim_tlb_flushes();
    number_pages(SPOT, 10, 1);
    assert_int_equal(sim_tlb_flushes(), flushes);
}

static void test_tlb_after_fork(void)
{
    region_at(SPOT, 2, LOCK_RW);
    warm(SPOT, 5);
    aspace_id child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
    for (unsigned cpu = CPUS; cpu-- > 0;) {
        sim_set_cpu(cpu);
        OK(sim_write_byte(SPOT, (uint8_t)(50 + cpu)));
    }
    assert_int_equal(sim_stale_accesses(), 0);
    sim_set_aspace(child);
    assert_byte(SPOT, 5);
    sim_set_aspace(program);
    assert_everywhere(SPOT, 50);
    OK(sim_delete_aspace(child));
}

static void test_tlb_after_copy_on_write(void)
{
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 5));
    aspace_id child = vm_copy_aspace(program, "child");
    warm_reading(SPOT, 5);
    OK(sim_write_byte(SPOT, 6));
    assert_everywhere(SPOT, 6);
    sim_set_aspace(child);
    warm_reading(SPOT, 5);
    OK(sim_write_byte(SPOT, 7));
    assert_everywhere(SPOT, 7);
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
    assert_everywhere(SPOT, 6);
}

static void test_tlb_copy_on_write_of_shared_clone(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a;
    void *b = NULL;
    region_id source = map_pages(&a, file, 1, LOCK_RW, REGION_PRIVATE_MAP, 0);
    assert_true(vm_clone_region(program, "same", &b, REGION_ADDR_ANY_ADDRESS, source,
                                REGION_NO_PRIVATE_MAP, LOCK_RW) > 0);
    warm_reading(a, 1);
    warm_reading((addr_t)b, 1);
    OK(sim_write_byte(a, 9));
    assert_everywhere((addr_t)b, 9);
    assert_everywhere(a, 9);
}

static void test_tlb_after_discard(void)
{
    region_at(SPOT, 2, LOCK_RW);
    warm(SPOT, 5);
    OK(vm_discard_range(program, SPOT, PAGES(2)));
    assert_everywhere(SPOT, 0);
}

static void test_tlb_after_move(void)
{
    region_at(SPOT, 1, LOCK_RW);
    warm(SPOT, 5);
    void *to = PTR(SPOT + PAGES(10));
    OK(vm_move_range(program, SPOT, PAGE, PAGE, &to, REGION_ADDR_EXACT_ADDRESS));
    assert_everywhere(SPOT, ERR_VM_PF_BAD_ADDRESS);
    assert_everywhere(SPOT + PAGES(10), 5);
}

static void test_tlb_after_truncate(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    vm_cache_ref *cache;
    addr_t a;
    map_pages(&a, file, 2, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    warm(a + PAGE, 44);
    OK(vm_get_vnode_cache(file, &cache));
    sim_file_set_size(file, PAGE);
    vm_cache_truncate(cache, (off_t)PAGE);
    assert_everywhere(a + PAGE, ERR_VM_PF_PAST_END);
    vm_put_cache(cache);
}

static void test_tlb_after_replace(void)
{
    region_at(SPOT, 1, LOCK_RW);
    warm(SPOT, 5);
    void *at = PTR(SPOT);
    assert_true(vm_create_anonymous_region(program, "new", &at, REGION_ADDR_REPLACE, PAGE,
                                           REGION_WIRING_LAZY, LOCK_RW) > 0);
    assert_everywhere(SPOT, 0);
}

static void test_tlb_after_resize(void)
{
    region_id id = region_at(SPOT, 3, LOCK_RW);
    warm(SPOT + PAGES(2), 5);
    OK(vm_resize_region(program, id, PAGE));
    assert_everywhere(SPOT + PAGES(2), ERR_VM_PF_BAD_ADDRESS);
    OK(vm_resize_region(program, id, PAGES(3)));
    assert_everywhere(SPOT + PAGES(2), 0);
}

static void test_tlb_dirty_bit_after_sync(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a;
    map_pages(&a, file, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    for (unsigned round = 0; round < 4; round++) {
        warm(a, (uint8_t)(100 + round));
        OK(vm_sync_range(program, a, PAGE));
        assert_int_equal(sim_file_data(file)[0], 100 + round);
    }
}

/* A fault on a page that is mapped already makes its entry anew, here by wiring it. What TLBs know as
 * dirty is written without a walk: the entry must not lose its dirty bit behind their backs. */
static void test_tlb_dirty_bit_after_another_fault(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a;
    map_pages(&a, file, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    warm(a, 100);
    OK(vm_wire_range(program, a, PAGE));
    OK(vm_sync_range(program, a, PAGE));
    for (unsigned cpu = CPUS; cpu-- > 0;) {
        sim_set_cpu(cpu);
        OK(sim_write_byte(a, (uint8_t)(110 + cpu)));
        OK(vm_sync_range(program, a, PAGE));
        assert_int_equal(sim_file_data(file)[0], 110 + cpu);
    }
}

static void test_tlb_of_the_kernel(void)
{
    aspace_id kernel = vm_get_kernel_aspace_id();
    void *at = NULL;
    uint8_t byte = 1;
    region_id id = vm_create_anonymous_region(kernel, "k", &at, REGION_ADDR_ANY_ADDRESS, PAGE,
                                              REGION_WIRING_LAZY, LOCK_RW | LOCK_KERNEL);
    for (unsigned cpu = CPUS; cpu-- > 0;) {
        sim_set_cpu(cpu);
        OK(sim_kernel_write((addr_t)at, &byte, 1));
    }
    OK(vm_delete_region(kernel, id));
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        sim_set_cpu(cpu);
        assert_true(sim_kernel_read((addr_t)at, &byte, 1) < 0);
    }
    assert_int_equal(sim_stale_accesses(), 0);
    sim_set_cpu(0);
}

static void test_tlb_reused_space(void)
{
    for (unsigned i = 0; i < 5; i++) {
        aspace_id aid = sim_new_aspace();
        void *at = PTR(SPOT);
        assert_true(vm_create_anonymous_region(aid, "x", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                               REGION_WIRING_LAZY, LOCK_RW) > 0);
        assert_everywhere(SPOT, 0);
        warm(SPOT, (uint8_t)(i + 1));
        OK(sim_delete_aspace(aid));
    }
    sim_set_aspace(program);
    assert_everywhere(SPOT, ERR_VM_PF_BAD_ADDRESS);
}

UNIT_MAIN(
    "stale translations", TEST_ON(test_tlb_after_unmap, .cpus = CPUS),
    TEST_ON(test_tlb_after_unmap_of_many_pages, .cpus = CPUS),
    TEST_ON(test_tlb_after_delete, .cpus = CPUS), TEST_ON(test_tlb_after_protect, .cpus = CPUS),
    TEST_ON(test_tlb_after_protect_execute, .cpus = CPUS),
    TEST_ON(test_tlb_gaining_needs_no_flush, .cpus = CPUS),
    TEST_ON(test_tlb_first_touch_needs_no_flush, .cpus = CPUS),
    TEST_ON(test_tlb_after_fork, .cpus = CPUS), TEST_ON(test_tlb_after_copy_on_write, .cpus = CPUS),
    TEST_ON(test_tlb_copy_on_write_of_shared_clone, .cpus = CPUS),
    TEST_ON(test_tlb_after_discard, .cpus = CPUS), TEST_ON(test_tlb_after_move, .cpus = CPUS),
    TEST_ON(test_tlb_after_truncate, .cpus = CPUS), TEST_ON(test_tlb_after_replace, .cpus = CPUS),
    TEST_ON(test_tlb_after_resize, .cpus = CPUS),
    TEST_ON(test_tlb_dirty_bit_after_sync, .cpus = CPUS),
    TEST_ON(test_tlb_dirty_bit_after_another_fault, .cpus = CPUS),
    TEST_ON(test_tlb_of_the_kernel, .cpus = CPUS), TEST_ON(test_tlb_reused_space, .cpus = CPUS))
