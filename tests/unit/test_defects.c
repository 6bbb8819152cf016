/* SPDX-License-Identifier: MIT */
/* NewOS's defects, none of which is inherited. The numbers are those of the project's list. */
#include "support.h"

#include <quire/host.h>

static region_id anonymous(aspace_id aid, void **at, int addr_type, addr_t size, int wiring,
                           unsigned lock)
{
    return vm_create_anonymous_region(aid, "test", at, addr_type, size, wiring, lock);
}

/* A range whose end is computed past the address type was taken for a short one. */
static void test_defect_01_exact_wraps(void)
{
    static const struct {
        addr_t base, size;
    } wraps[] = {
        {0x40000000, (addr_t)0 - 0x40000000 + 0x200000},
        {0x40000000, 0xffffffffc0200000},
        {SIM_USER_BASE, (addr_t)0 - SIM_USER_BASE},
        {SIM_USER_BASE, (addr_t)0 - PAGE},
    };
    sim_file *file = sim_file_create_numbered("/f", 1);
    region_at(0x40000000 - PAGE, 1, LOCK_RW);
    for (unsigned i = 0; i < 4; i++) {
        void *at = PTR(wraps[i].base);
        REFUSED(ERR_VM_BAD_ADDRESS,
                vm_map_vnode(program, "f", &at, REGION_ADDR_EXACT_ADDRESS, wraps[i].size, LOCK_RO,
                             REGION_NO_PRIVATE_MAP, file, 0));
        REFUSED(ERR_VM_BAD_ADDRESS,
                vm_create_null_region(program, "n", &at, REGION_ADDR_EXACT_ADDRESS, wraps[i].size));
    }
}

static void test_defect_02_exact_not_aligned(void)
{
    void *at = PTR(0x200123);
    REFUSED(ERR_VM_BAD_ADDRESS,
            anonymous(program, &at, REGION_ADDR_EXACT_ADDRESS, PAGE, REGION_WIRING_LAZY, LOCK_RW));
    REFUSED(ERR_VM_BAD_ADDRESS, anonymous(program, &at, REGION_ADDR_EXACT_ADDRESS, PAGE - 0x123,
                                          REGION_WIRING_LAZY, LOCK_RW));
}

static void test_defect_03_any_in_a_full_map(void)
{
    aspace_id aid = vm_create_aspace("last", SIM_USER_END - PAGES(4), PAGES(4), false);
    void *at = NULL;
    assert_true(anonymous(aid, &at, 0, PAGES(4), REGION_WIRING_LAZY, LOCK_RW) > 0);
    at = NULL;
    REFUSED(ERR_VM_NO_REGION_SLOT, anonymous(aid, &at, 0, PAGE, REGION_WIRING_LAZY, LOCK_RW));
    OK(vm_delete_aspace(aid));
}

static void test_defect_03_any_respects_alloc_base(void)
{
    kernel_args ka;
    struct vm_leftovers left;
    aspace_id aid = program;
    OK(sim_delete_aspace(program));
    assert_int_equal(sim_end_counting(&left), 0);
    sim_power_on(NULL, &ka);
    ka.kernel_alloc_base = ka.kernel_base + PAGES(1 << 20);
    OK(vm_init(&ka));
    sim_allow_waiting();
    OK(vm_init_postsem(&ka));
    void *at = NULL;
    region_id id = anonymous(vm_get_kernel_aspace_id(), &at, 0, PAGE, REGION_WIRING_LAZY,
                             LOCK_RW | LOCK_KERNEL);
    assert_true(id > 0);
    assert_true((addr_t)at >= ka.kernel_alloc_base);
    OK(vm_delete_region(vm_get_kernel_aspace_id(), id));
    vm_shutdown(&left);
    OK(sim_start(NULL));
    program = sim_new_aspace();
    assert_true(program > 0 && aid > 0);
}

/* The shared clone of a region of more than half the memory costs nothing. */
static void test_defect_04_shared_clone_is_not_charged_again(void)
{
    addr_t a;
    void *at = NULL;
    size_t pages = (size_t)figures().max_commit / PAGE * 40 / 64;
    region_id source = new_region(&a, pages);
    int64_t committed = sim_committed();
    assert_true(vm_clone_region(program, "clone", &at, REGION_ADDR_ANY_ADDRESS, source,
                                REGION_NO_PRIVATE_MAP, LOCK_RW) > 0);
    assert_int_equal(sim_committed(), committed);
}

static void test_defect_05_stores_without_charge_give_nothing_back(void)
{
    sim_file *file = sim_file_create_numbered("/f", 16);
    int64_t committed = sim_committed(), limit = figures().max_commit;
    for (unsigned i = 0; i < 10; i++) {
        void *at = NULL;
        region_id id =
            vm_map_physical_memory(program, "d", &at, 0, PAGES(16), LOCK_RW, SIM_DEVICE_LOW);
        OK(vm_delete_region(program, id));
        at = NULL;
        id = vm_create_null_region(program, "n", &at, 0, (addr_t)16 << 20);
        OK(vm_delete_region(program, id));
        at = NULL;
        id = vm_map_vnode(program, "f", &at, 0, PAGES(16), LOCK_RO, REGION_NO_PRIVATE_MAP, file, 0);
        OK(vm_delete_region(program, id));
        assert_int_equal(sim_committed(), committed);
        assert_int_equal(figures().max_commit, limit);
        SIM_CHECK();
    }
}

/* 4 KiB at 63 MiB cost 64,516 KiB; and the ledger turned negative at 2 GiB. */
static void test_defect_06_private_map_is_charged_its_size(void)
{
    sim_file *file = sim_file_create("/large", NULL, (size_t)64 << 20, ALL_ACCESS);
    void *at = NULL;
    int64_t committed = sim_committed();
    assert_true(vm_map_vnode(program, "f", &at, 0, PAGE, LOCK_RW, REGION_PRIVATE_MAP, file,
                             (off_t)63 << 20) > 0);
    assert_int_equal(sim_committed(), committed + (int64_t)PAGE);
    OK(sim_write_byte((addr_t)at, 1));
}

static void test_defect_06_ledger_beyond_two_gigabytes(void)
{
    vm_increase_max_commit((addr_t)10 << 30);
    assert_true(figures().max_commit > (int64_t)10 << 30);
    void *at = NULL;
    region_id id = anonymous(program, &at, 0, (addr_t)5 << 30, REGION_WIRING_LAZY, LOCK_RW);
    assert_true(id > 0);
    assert_int_equal(sim_committed(), (int64_t)5 << 30);
    OK(sim_write_byte((addr_t)at + ((addr_t)5 << 30) - 1, 1));
    OK(vm_delete_region(program, id));
    vm_increase_max_commit((addr_t)0 - ((addr_t)10 << 30));
}

/* Pages were freed first and unmapped later: a CPU could still write to them. */
static void test_defect_07_unmapped_before_freed(void)
{
    region_at(SPOT, 4, LOCK_RW);
    for (unsigned cpu = 2; cpu-- > 0;) {
        sim_set_cpu(cpu);
        number_pages(SPOT, 4, 1);
    }
    OK(vm_delete_region(program, find_region(SPOT)));
    region_at(SPOT * 2, 4, LOCK_RW);
    number_pages(SPOT * 2, 4, 20);
    for (unsigned cpu = 2; cpu-- > 0;) {
        sim_set_cpu(cpu);
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(sim_write_byte(SPOT + PAGES(i), 99), ERR_VM_PF_BAD_ADDRESS);
    }
    assert_numbered(SPOT * 2, 4, 20);
    assert_int_equal(sim_stale_accesses(), 0);
}

static void test_defect_08_dirty_bits_survive_unmapping(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    vm_cache_ref *cache;
    addr_t a;
    OK(vm_get_vnode_cache(file, &cache));
    map_pages(&a, file, 2, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(sim_write_byte(a + PAGE, 88));
    OK(vm_unmap_range(program, a, PAGES(2)));
    SIM_CHECK();
    map_pages(&a, file, 2, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    assert_byte(a + PAGE, 88);
    OK(vm_unmap_range(program, a, PAGES(2)));
    vm_put_cache(cache);
    assert_int_equal(sim_file_data(file)[PAGE], 88);
}

static void test_defect_08_mappings_are_counted(void)
{
    addr_t a;
    void *b = NULL;
    region_id source = new_region(&a, 1);
    region_id copy = vm_clone_region(program, "c", &b, 0, source, REGION_NO_PRIVATE_MAP, LOCK_RW);
    for (unsigned i = 0; i < 10; i++) {
        OK(sim_write_byte(a, 1));
        OK(sim_write_byte((addr_t)b, 1));
        OK(vm_protect_range(program, a, PAGE, i % 2 == 0 ? LOCK_RO : LOCK_RW));
        OK(vm_protect_range(program, a, PAGE, LOCK_RW));
        SIM_CHECK();
    }
    OK(vm_delete_region(program, copy));
    SIM_CHECK();
}

/* A copy into the top cache is seen by everybody who maps that cache. */
static void test_defect_09_copy_is_seen_by_other_mappers(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a;
    void *b = NULL;
    region_id first = map_pages(&a, file, 1, LOCK_RW, REGION_PRIVATE_MAP, 0);
    assert_true(vm_clone_region(program, "same", &b, 0, first, REGION_NO_PRIVATE_MAP, LOCK_RW) > 0);
    assert_byte(a, 1);
    assert_byte((addr_t)b, 1);
    OK(sim_write_byte(a, 2));
    assert_byte((addr_t)b, 2);
    OK(sim_write_byte((addr_t)b, 3));
    assert_byte(a, 3);
}

static int read_page(void *address)
{
    return sim_read_byte((addr_t)address);
}

/* Two private mappings of one file fault on the same page at once: it is read once. */
static void test_defect_10_two_tops_read_one_page_once(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a, b, pa, pb;
    map_pages(&a, file, 1, LOCK_RW, REGION_PRIVATE_MAP, 0);
    map_pages(&b, file, 1, LOCK_RW, REGION_PRIVATE_MAP, 0);
    sim_file_block_reads(file, true);
    sim_fiber *first = sim_spawn("first", read_page, PTR(a));
    sim_fiber *second = sim_spawn("second", read_page, PTR(b));
    assert_int_equal(sim_run_until_blocked(), 2);
    sim_file_block_reads(file, false);
    sim_run();
    assert_int_equal(sim_fiber_result(first), 1);
    assert_int_equal(sim_fiber_result(second), 1);
    assert_int_equal(sim_file_pages_read(file), 1);
    OK(vm_get_page_mapping(program, a, &pa));
    OK(vm_get_page_mapping(program, b, &pb));
    assert_int_equal(pa, pb);
}

UNIT_MAIN("defects 1 to 10", TEST(test_defect_01_exact_wraps),
          TEST(test_defect_02_exact_not_aligned), TEST(test_defect_03_any_in_a_full_map),
          TEST(test_defect_03_any_respects_alloc_base),
          TEST(test_defect_04_shared_clone_is_not_charged_again),
          TEST(test_defect_05_stores_without_charge_give_nothing_back),
          TEST(test_defect_06_private_map_is_charged_its_size),
          TEST(test_defect_06_ledger_beyond_two_gigabytes),
          TEST_ON(test_defect_07_unmapped_before_freed, .cpus = 2),
          TEST(test_defect_08_dirty_bits_survive_unmapping),
          TEST(test_defect_08_mappings_are_counted),
          TEST(test_defect_09_copy_is_seen_by_other_mappers),
          TEST(test_defect_10_two_tops_read_one_page_once))
