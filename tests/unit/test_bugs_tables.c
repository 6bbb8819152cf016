/* SPDX-License-Identifier: MIT */
/* Classic bugs 10 to 17: translations, and what CPUs remember of them. docs/testing.md has the list. */
#include "bugs.h"

#include "aspace.h"
#include "system.h"

/* ---- 10: moved, and flushed too late ----------------------------------------------------------------- */

static int write_until_gone(void *address)
{
    for (unsigned i = 0; i < 12; i++) {
        int error = sim_write_byte((addr_t)address, 0x55);
        if (error != VM_OK && error != ERR_VM_PF_BAD_ADDRESS)
            return error;
    }
    return VM_OK;
}

/* Once the move has returned, nobody writes to the page through its old address. */
static int move_and_look(void *address)
{
    void *to = PTR(2 * SPOT);
    int error = vm_move_range(program, (addr_t)address, PAGE, PAGE, &to, REGION_ADDR_EXACT_ADDRESS);
    if (error == VM_OK)
        error = sim_write_byte((addr_t)to, 1);
    for (unsigned i = 0; i < 8 && error == VM_OK; i++) {
        sim_yield();
        error = sim_read_byte((addr_t)to) == 1 ? VM_OK : -1;
    }
    return error == VM_OK ? vm_unmap_range(program, (addr_t)to, PAGE) : error;
}

static void move_under_a_writer(void)
{
    region_at(SPOT, 1, LOCK_RW);
    sim_fiber *write = sim_spawn_on(1, program, "write", write_until_gone, PTR(SPOT));
    sim_fiber *move = sim_spawn_on(2, program, "move", move_and_look, PTR(SPOT));
    sim_run();
    OK(sim_fiber_result(write));
    OK(sim_fiber_result(move));
}

static void test_bug_10_a_moved_page_is_flushed_first(void)
{
    in_many_orders(100, move_under_a_writer);
}

/* ---- 11: no longer shared, and not flushed ------------------------------------------------------------ */

static void read_on_all_cpus(addr_t address, int expected)
{
    for (unsigned cpu = BUG_CPUS; cpu-- > 0;) {
        sim_set_cpu(cpu);
        assert_byte(address, expected);
    }
}

static void test_bug_11_what_leaves_a_cache_leaves_every_tlb(void)
{
    sim_file *file = sim_file_create_numbered("/f", 3);
    vm_cache_ref *cache;
    addr_t private, shared;
    map_pages(&private, file, 3, LOCK_RW, REGION_PRIVATE_MAP, 0);
    map_pages(&shared, file, 3, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    for (unsigned i = 0; i < 3; i++) {
        read_on_all_cpus(private + PAGES(i), (int)i + 1);
        read_on_all_cpus(shared + PAGES(i), (int)i + 1);
    }
    OK(vm_get_vnode_cache(file, &cache));
    sim_file_set_size(file, PAGE);
    OK(vm_cache_truncate(cache, (off_t)PAGE));
    read_on_all_cpus(private + PAGE, ERR_VM_PF_PAST_END);
    read_on_all_cpus(shared + PAGE, ERR_VM_PF_PAST_END);
    sim_file_data(file)[0] = 77;
    vm_cache_discard(cache);
    read_on_all_cpus(private, 77);
    read_on_all_cpus(shared, 77);
    assert_int_equal(sim_stale_accesses(), 0);
    vm_put_cache(cache);
}

/* ---- 12: dirty bits -------------------------------------------------------------------------------------- */

/* A fault that another CPU has resolved already must not make the entry clean under a TLB that holds it
 * dirty: that CPU's next write would set no bit. */
static void test_bug_12_a_late_fault_keeps_the_dirty_bit(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a, newip;
    map_pages(&a, file, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(sim_write_byte(a, 50));
    sim_set_cpu(1);
    OK(vm_handle_fault(a, 0, VM_ACCESS_WRITE | VM_ACCESS_USER, &newip));
    sim_set_cpu(0);
    OK(vm_sync_range(program, a, PAGE));
    OK(sim_write_byte(a, 51));
    OK(vm_sync_range(program, a, PAGE));
    assert_int_equal(sim_file_data(file)[0], 51);
}

static int write_rising(void *address)
{
    for (unsigned i = 1; i <= 20; i++) {
        int error = sim_write_byte((addr_t)address, (uint8_t)i);
        if (error != VM_OK)
            return error;
    }
    return VM_OK;
}

static int sync_often(void *address)
{
    for (unsigned i = 0; i < 8; i++) {
        int error = vm_sync_range(program, (addr_t)address, PAGE);
        if (error != VM_OK)
            return error;
    }
    return VM_OK;
}

static void write_while_cleaning(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a, b;
    map_pages(&a, file, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    map_pages(&b, file, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    sim_fiber *write = sim_spawn_on(0, program, "write", write_rising, PTR(a));
    sim_fiber *sync = sim_spawn_on(1, program, "sync", sync_often, PTR(b));
    sim_run();
    OK(sim_fiber_result(write));
    OK(sim_fiber_result(sync));
    OK(vm_sync_range(program, a, PAGE));
    assert_int_equal(sim_file_data(file)[0], 20);
}

static void test_bug_12_a_write_while_the_page_is_cleaned(void)
{
    in_many_orders(100, write_while_cleaning);
}

/* ---- 13: tables freed before the flush --------------------------------------------------------------------- */

/* The table of SPOT comes and goes with one page. */
static int come_and_go(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 6; i++) {
        void *at = PTR(SPOT);
        region_id id = vm_create_anonymous_region(program, "x", &at, REGION_ADDR_EXACT_ADDRESS,
                                                  PAGE, REGION_WIRING_LAZY, LOCK_RW);
        int error = id > 0 ? sim_write_byte(SPOT, 1) : (int)id;
        if (error == VM_OK)
            error = vm_unmap_range(program, SPOT, PAGE);
        if (error != VM_OK)
            return error;
    }
    return VM_OK;
}

/* Another thread's tables take the frames that SPOT's had. */
static int need_tables(void *unused)
{
    (void)unused;
    for (addr_t i = 2; i < 8; i++) {
        region_at(i * SPOT, 1, LOCK_RW);
        if (sim_write_byte(i * SPOT, (uint8_t)i) != VM_OK)
            return -1;
    }
    return VM_OK;
}

static int look_often(void *address)
{
    for (unsigned i = 0; i < 12; i++) {
        int byte = sim_read_byte((addr_t)address);
        if (byte != 0 && byte != 1 && byte != ERR_VM_PF_BAD_ADDRESS)
            return byte;
    }
    return VM_OK;
}

static void tables_under_a_reader(void)
{
    sim_fiber *fiber[3] = {
        sim_spawn_on(0, program, "come", come_and_go, NULL),
        sim_spawn_on(1, program, "look", look_often, PTR(SPOT)),
        sim_spawn_on(2, program, "need", need_tables, NULL),
    };
    sim_run();
    for (unsigned i = 0; i < 3; i++)
        OK(sim_fiber_result(fiber[i]));
    for (addr_t i = 2; i < 8; i++)
        assert_byte(i * SPOT, (int)i);
}

static void test_bug_13_a_table_is_freed_behind_the_flush(void)
{
    in_many_orders(200, tables_under_a_reader);
}

/* ---- 14: one table made by two -------------------------------------------------------------------------- */

static int write_six(void *address)
{
    return sim_write_byte((addr_t)address, 6);
}

static void faults_without_tables(void)
{
    sim_fiber *fiber[3];
    size_t tables = figures().table_pages;
    for (unsigned i = 0; i < 3; i++)
        region_at(SPOT + PAGES(i), 1,
                  LOCK_RW); /* of three caches: no lock of theirs is in common */
    for (unsigned i = 0; i < 3; i++)
        fiber[i] = sim_spawn_on(i, program, "write", write_six, PTR(SPOT + PAGES(i)));
    sim_run();
    for (unsigned i = 0; i < 3; i++)
        OK(sim_fiber_result(fiber[i]));
    for (unsigned i = 0; i < 3; i++)
        assert_byte(SPOT + PAGES(i), 6);
    assert_int_equal(figures().table_pages, tables + 3); /* one of each level below the root */
    OK(vm_unmap_range(program, SPOT, PAGES(3)));
    assert_int_equal(figures().table_pages, tables);
}

static void test_bug_14_two_faults_make_one_table(void)
{
    in_many_orders(200, faults_without_tables);
}

/* ---- 15: a large entry where tables were expected ---------------------------------------------------------- */

#define LARGE_ENTRY 0x83u /* present, writable, large */

/* A machine whose boot code has mapped the first GiB of the kernel's space by one entry. */
static uint64_t *start_with_large_entry(void)
{
    kernel_args ka;
    struct vm_leftovers left;
    OK(sim_delete_aspace(program));
    assert_int_equal(sim_end_counting(&left), 0);
    sim_power_on(NULL, &ka);
    uint64_t *root = sim_physical(ka.kernel_root);
    uint64_t *entries = sim_physical(root[511] & ~VM_PAGE_MASK);
    assert_int_equal(entries[0], 0);
    entries[0] = LARGE_ENTRY;
    OK(vm_init(&ka));
    sim_allow_waiting();
    OK(vm_init_postsem(&ka));
    return &entries[0];
}

static void use_range_of_large_entry(aspace_id kernel)
{
    addr_t base = SIM_KERNEL_BASE + PAGES(4), physical;
    void *at = PTR(base), *to = NULL;
    int exact = REGION_ADDR_EXACT_ADDRESS;
    assert_true(vm_create_anonymous_region(kernel, "adopt", &at, exact, PAGES(2),
                                           REGION_WIRING_WIRED_ALREADY, LOCK_RW | LOCK_KERNEL) < 0);
    assert_true(vm_create_anonymous_region(kernel, "lazy", &at, exact, PAGES(2), REGION_WIRING_LAZY,
                                           LOCK_RW | LOCK_KERNEL) > 0);
    assert_true(vm_fault_aspace(kernel, base, VM_ACCESS_WRITE) < 0);
    OK(vm_get_page_mapping(kernel, base + 5, &physical));
    assert_int_equal(physical, PAGES(4) + 5);
    OK(vm_protect_range(kernel, base, PAGES(2), LOCK_RO));
    OK(vm_move_range(kernel, base, PAGES(2), PAGES(2), &to, REGION_ADDR_ANY_ADDRESS));
    OK(vm_unmap_range(kernel, (addr_t)to, PAGES(2)));
    OK(vm_unmap_range(kernel, base, PAGES(2)));
}

static void test_bug_15_a_large_entry_is_left_alone(void)
{
    struct vm_leftovers left;
    uint64_t *entry = start_with_large_entry();
    size_t frames = free_frames();
    use_range_of_large_entry(vm_get_kernel_aspace_id());
    assert_int_equal(*entry, LARGE_ENTRY);
    assert_int_equal(free_frames(), frames);
    assert_int_equal(vm_check(), 0);
    vm_shutdown(&left);
    OK(sim_start(NULL));
    program = sim_new_aspace();
}

/* ---- 16: sizes that are not whole pages ---------------------------------------------------------------------- */

static void test_bug_16_no_entry_outlives_an_odd_size(void)
{
    for (addr_t size = 1; size < PAGES(3); size += 1365) {
        void *at = NULL;
        size_t tables = figures().table_pages;
        region_id id =
            vm_map_physical_memory(program, "odd", &at, 0, size, LOCK_RW, SIM_DEVICE_LOW + 0xabc);
        assert_true(id > 0);
        vm_region_info info = region_info(id);
        assert_int_equal((info.base | info.size) & VM_PAGE_MASK, 0);
        assert_true((addr_t)at >= info.base && (addr_t)at - info.base + size <= info.size);
        OK(sim_write_byte((addr_t)at, 1));
        OK(sim_write_byte((addr_t)at + size - 1, 2));
        OK(vm_unmap_range(program, info.base, info.size - 1));
        assert_int_equal(sim_read_byte((addr_t)at + size - 1), ERR_VM_PF_BAD_ADDRESS);
        assert_int_equal(sim_read_byte((addr_t)at), ERR_VM_PF_BAD_ADDRESS);
        assert_int_equal(figures().table_pages, tables);
    }
    assert_int_equal(sim_stale_accesses(), 0);
}

/* ---- 17: a root table, or an address, used again ---------------------------------------------------------------- */

static addr_t root_of(aspace_id aid)
{
    vm_address_space *aspace = vm_get_aspace_by_id(aid);
    addr_t root = aspace->translation_map.root;
    vm_put_aspace(aspace);
    return root;
}

static void test_bug_17_a_new_space_sees_nothing_of_an_old_one(void)
{
    unsigned same = 0;
    addr_t root = 0;
    for (unsigned i = 1; i < 6; i++) {
        aspace_id aid = sim_new_aspace();
        same += root_of(aid) == root;
        root = root_of(aid);
        read_on_all_cpus(SPOT, ERR_VM_PF_BAD_ADDRESS);
        void *at = PTR(SPOT);
        assert_true(vm_create_anonymous_region(aid, "x", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                               REGION_WIRING_LAZY, LOCK_RW) > 0);
        read_on_all_cpus(SPOT, 0);
        OK(sim_write_byte(SPOT, (uint8_t)i));
        read_on_all_cpus(SPOT, (int)i);
        OK(sim_delete_aspace(aid));
    }
    assert_true(same > 0); /* or the test shows nothing */
    assert_int_equal(sim_stale_accesses(), 0);
    sim_set_aspace(program);
}

static void test_bug_17_a_new_region_sees_nothing_of_an_old_one(void)
{
    for (unsigned i = 1; i < 6; i++) {
        region_at(SPOT, 1, LOCK_RW);
        read_on_all_cpus(SPOT, 0);
        OK(sim_write_byte(SPOT, (uint8_t)i));
        read_on_all_cpus(SPOT, (int)i);
        OK(vm_unmap_range(program, SPOT, PAGE));
        read_on_all_cpus(SPOT, ERR_VM_PF_BAD_ADDRESS);
    }
    assert_int_equal(sim_stale_accesses(), 0);
}

UNIT_MAIN("bugs 10 to 17", TEST(test_bug_10_a_moved_page_is_flushed_first),
          TEST_ON(test_bug_11_what_leaves_a_cache_leaves_every_tlb, .cpus = BUG_CPUS),
          TEST_ON(test_bug_12_a_late_fault_keeps_the_dirty_bit, .cpus = 2),
          TEST(test_bug_12_a_write_while_the_page_is_cleaned),
          TEST(test_bug_13_a_table_is_freed_behind_the_flush),
          TEST(test_bug_14_two_faults_make_one_table),
          TEST(test_bug_15_a_large_entry_is_left_alone),
          TEST(test_bug_16_no_entry_outlives_an_odd_size),
          TEST_ON(test_bug_17_a_new_space_sees_nothing_of_an_old_one, .cpus = BUG_CPUS),
          TEST_ON(test_bug_17_a_new_region_sees_nothing_of_an_old_one, .cpus = BUG_CPUS))
