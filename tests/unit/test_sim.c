/* SPDX-License-Identifier: MIT */
/* The simulated machine itself: what the tests believe about the core they believe through it. */
#include "support.h"

#include <quire/host.h>

/* ---- memory ---- */

static void test_sim_memory_has_a_hole(void)
{
    kernel_args ka;
    sim_power_on(NULL, &ka);
    assert_int_equal(ka.physical_memory_ranges, 2);
    assert_true(ka.physical_memory_range[0].base > 0);
    assert_true(ka.physical_memory_range[0].base + ka.physical_memory_range[0].size <
                ka.physical_memory_range[1].base);
    uint8_t *a = host_frame_ptr(ka.physical_memory_range[1].base);
    assert_ptr_equal(host_frame_ptr(ka.physical_memory_range[1].base + 12345), a + 12345);
    assert_int_equal(a[12345], SIM_STALE_BYTE);
    OK(sim_start(NULL));
    program = sim_new_aspace();
}

static void test_sim_programs_addresses_are_not_the_process_s(void)
{
    int on_the_stack;
    static int in_the_image;
    assert_true((addr_t)&on_the_stack >= SIM_USER_END);
    assert_true((addr_t)&in_the_image >= SIM_USER_END);
    assert_true((addr_t)host_frame_ptr(SIM_RAM_HIGH) >= SIM_USER_END);
}

/* ---- the MMU, on a table made by hand ---- */

#define P 0x1u
#define W 0x2u
#define U 0x4u
#define A 0x20u
#define D 0x40u
#define LARGE 0x80u
#define NX ((uint64_t)1 << 63)

static addr_t tables[4]; /* from the root down */

static uint64_t *entry(unsigned level)
{
    static const unsigned index[4] = {1, 2, 3, 4};
    return (uint64_t *)sim_physical(tables[level]) + index[level];
}

#define HAND_MADE (((addr_t)1 << 39) | ((addr_t)2 << 30) | ((addr_t)3 << 21) | ((addr_t)4 << 12))

/* Puts tables under the program's root for HAND_MADE, which the core knows nothing of. */
static void make_tables(uint64_t upper, uint64_t leaf)
{
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    tables[0] = vm_enter_aspace(aspace, 0);
    for (unsigned i = 1; i < 4; i++) {
        OK(vm_allocate_frames(1, true, &tables[i]));
        *entry(i - 1) = tables[i] | upper;
    }
    *entry(3) = leaf;
    vm_put_aspace(aspace);
}

static void forget_tables(void)
{
    *entry(0) = 0;
    host_tlb_flush(tables[0], 1, HAND_MADE, 1);
    for (unsigned i = 1; i < 4; i++)
        vm_free_frames(tables[i], 1);
}

static void test_sim_mmu_sets_accessed_and_dirty_bits(void)
{
    make_tables(P | W | U, SIM_DEVICE_LOW | P | W | U);
    assert_byte(HAND_MADE, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(*entry(i) & (A | D), A);
    OK(sim_write_byte(HAND_MADE, 9));
    assert_int_equal(*entry(3) & (A | D), A | D);
    assert_int_equal(*entry(2) & D, 0);
    assert_int_equal(*(uint8_t *)sim_physical(SIM_DEVICE_LOW), 9);
    forget_tables();
}

static void test_sim_mmu_rights_of_all_levels_count(void)
{
    static const struct {
        uint64_t upper, leaf;
        bool read, write, execute;
    } cases[] = {
        {P | W | U, P | W | U, true, true, true},
        {P | U, P | W | U, true, false, true},
        {P | W | U, P | U, true, false, true},
        {P | W, P | W | U, false, false, false},
        {P | W | U, P | W, false, false, false},
        {P | W | U, P | W | U | NX, true, true, false},
        {P | W | U | NX, P | W | U, true, true, false},
        {P | W | U, W | U, false, false, false},
    };
    uint8_t byte;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        make_tables(cases[i].upper, SIM_DEVICE_LOW | cases[i].leaf);
        assert_int_equal(sim_read_byte(HAND_MADE) >= 0, cases[i].read);
        assert_int_equal(sim_write_byte(HAND_MADE, 1) == VM_OK, cases[i].write);
        assert_int_equal(sim_execute(HAND_MADE, &byte, 1) == VM_OK, cases[i].execute);
        forget_tables();
    }
}

static void test_sim_mmu_kernel_rights(void)
{
    uint8_t byte = 1;
    make_tables(P | W | U, SIM_DEVICE_LOW | P | W);
    OK(sim_kernel_write(HAND_MADE, &byte, 1));
    forget_tables();
    make_tables(P | W | U, SIM_DEVICE_LOW | P | U);
    OK(sim_kernel_read(HAND_MADE, &byte, 1));
    assert_true(sim_kernel_write(HAND_MADE, &byte, 1) < 0);
    forget_tables();
}

static void test_sim_mmu_large_pages(void)
{
    struct sim_translation mmu;
    make_tables(P | W | U, P);
    *entry(2) = SIM_RAM_HIGH | P | U | LARGE;
    assert_true(sim_look_up(HAND_MADE + 5, &mmu));
    assert_int_equal(mmu.physical, SIM_RAM_HIGH + PAGES(4) + 5);
    forget_tables();
}

static void test_sim_mmu_addresses_must_be_canonical(void)
{
    assert_int_equal(sim_read_byte((addr_t)1 << 47), ERR_VM_PF_BAD_ADDRESS);
    assert_true(sim_read_byte(((addr_t)0xffff << 48) - 1) < 0);
}

/* ---- TLBs ---- */

static void test_sim_tlb_keeps_what_it_has(void)
{
    make_tables(P | W | U, SIM_DEVICE_LOW | P | W | U);
    OK(sim_write_byte(HAND_MADE, 5));
    *entry(3) = 0;
    assert_byte(HAND_MADE, 5);
    assert_int_equal(sim_stale_accesses(), 1);
    host_tlb_flush(tables[0], 2, HAND_MADE, 1);
    assert_byte(HAND_MADE, 5);
    host_tlb_flush(tables[0], 1, HAND_MADE + PAGE, 1);
    assert_byte(HAND_MADE, 5);
    host_tlb_flush(tables[0], 1, HAND_MADE, 1);
    assert_int_equal(sim_read_byte(HAND_MADE), ERR_VM_PF_BAD_ADDRESS);
    *entry(3) = SIM_DEVICE_LOW | P | W | U;
    forget_tables();
}

static void test_sim_tlb_flushes_everything(void)
{
    make_tables(P | W | U, SIM_DEVICE_LOW | P | W | U);
    assert_byte(HAND_MADE, 0);
    *entry(3) = 0;
    host_tlb_flush(tables[0], 1, 0, VM_TLB_ALL);
    assert_int_equal(sim_read_byte(HAND_MADE), ERR_VM_PF_BAD_ADDRESS);
    forget_tables();
}

static void test_sim_tlb_remembers_dirty(void)
{
    make_tables(P | W | U, SIM_DEVICE_LOW | P | W | U);
    OK(sim_write_byte(HAND_MADE, 5));
    *entry(3) &= ~(uint64_t)D;
    OK(sim_write_byte(HAND_MADE, 6));
    assert_int_equal(*entry(3) & D, 0);
    host_tlb_flush(tables[0], 1, HAND_MADE, 1);
    OK(sim_write_byte(HAND_MADE, 7));
    assert_int_equal(*entry(3) & D, D);
    forget_tables();
}

static void write_to_a_free_frame(void)
{
    addr_t frame;
    OK(vm_allocate_frames(1, true, &frame));
    make_tables(P | W | U, frame | P | W | U);
    OK(sim_write_byte(HAND_MADE, 5));
    *entry(3) = 0;
    vm_free_frames(frame, 1);
    (void)sim_write_byte(HAND_MADE, 6);
}

static void leave_a_region(void)
{
    OK(sim_delete_aspace(program));
    program = sim_new_aspace();
    new_pages(1);
    sim_end();
}

static int wait_for_ever(void *unused)
{
    (void)unused;
    uint32_t word = 0;
    return host_wait(&word, 0, VM_NO_DEADLINE, false);
}

static void deadlock(void)
{
    sim_spawn("sleeper", wait_for_ever, NULL);
    sim_run();
}

static int panic_in_fiber(void *unused)
{
    (void)unused;
    host_panic("from a fiber");
}

static void panic_elsewhere(void)
{
    sim_spawn("panics", panic_in_fiber, NULL);
    sim_run();
}

static void release_a_file_twice(void)
{
    host_vnode_release(sim_file_create_numbered("/f", 1));
}

static void test_sim_reports(void)
{
    assert_panics(write_to_a_free_frame, "stale TLB entry");
    assert_panics(leave_a_region, "left over");
    assert_panics(deadlock, "deadlock");
    assert_panics(panic_elsewhere, "from a fiber");
    assert_panics(release_a_file_twice, "more often");
}

/* ---- fibers ---- */

static uint32_t word;
static char order[64];

static int take_turns(void *name)
{
    for (unsigned i = 0; i < 3; i++) {
        strcat(order, name);
        sim_yield();
    }
    return (int)strlen(name);
}

static void test_sim_fibers_take_turns(void)
{
    order[0] = '\0';
    sim_fiber *a = sim_spawn("a", take_turns, "a");
    sim_fiber *b = sim_spawn("b", take_turns, "b");
    assert_false(sim_fiber_ended(a));
    sim_run();
    assert_string_equal(order, "ababab");
    assert_true(sim_fiber_ended(a) && sim_fiber_ended(b));
    assert_int_equal(sim_fiber_result(a), 1);
}

static int wait_for_word(void *deadline)
{
    int error = host_wait(&word, 0, *(uint64_t *)deadline, true);
    return error;
}

static void test_sim_wait_and_wake(void)
{
    uint64_t never = VM_NO_DEADLINE;
    word = 0;
    sim_fiber *a = sim_spawn("a", wait_for_word, &never);
    sim_fiber *b = sim_spawn("b", wait_for_word, &never);
    assert_int_equal(sim_run_until_blocked(), 2);
    host_wake(&word, 1);
    assert_int_equal(sim_run_until_blocked(), 1);
    assert_true(sim_fiber_ended(a) && !sim_fiber_ended(b));
    host_wake(&word, UINT32_MAX);
    sim_run();
    OK(sim_fiber_result(b));
    word = 1;
    OK(host_wait(&word, 0, never, false));
}

static void test_sim_wait_until_deadline(void)
{
    word = 0;
    uint64_t soon = host_time_ns() + 5000000, now = host_time_ns();
    sim_fiber *a = sim_spawn("a", wait_for_word, &soon);
    sim_run();
    assert_int_equal(sim_fiber_result(a), ERR_TIMED_OUT);
    assert_true(host_time_ns() >= soon && soon > now);
    assert_int_equal(host_wait(&word, 0, 0, false), ERR_TIMED_OUT);
}

static void test_sim_kill_ends_killable_waits(void)
{
    uint64_t never = VM_NO_DEADLINE;
    word = 0;
    sim_fiber *a = sim_spawn("a", wait_for_word, &never);
    sim_run_until_blocked();
    sim_kill(a);
    sim_run();
    assert_int_equal(sim_fiber_result(a), ERR_INTERRUPTED);
}

static void record_order(uint64_t seed, char *result)
{
    OK(sim_start(&(struct sim_config){.seed = seed}));
    order[0] = '\0';
    sim_spawn("a", take_turns, "a");
    sim_spawn("b", take_turns, "b");
    sim_spawn("c", take_turns, "c");
    sim_run();
    strcpy(result, order);
    sim_end();
}

static void test_sim_random_order_can_be_repeated(void)
{
    char first[64], second[64];
    unsigned different = 0;
    OK(sim_delete_aspace(program));
    for (uint64_t seed = 1; seed < 20; seed++) {
        record_order(seed, first);
        record_order(seed, second);
        assert_string_equal(first, second);
        different += strcmp(first, "abcabcabc") != 0;
    }
    assert_true(different > 10);
    OK(sim_start(NULL));
    program = sim_new_aspace();
}

/* ---- files ---- */

static void test_sim_files_fail_on_request(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    addr_t frame;
    size_t done = 9;
    OK(vm_allocate_frames(1, false, &frame));
    sim_file_fail_reads(file, 2, 1, ERR_TIMED_OUT);
    OK(host_vnode_read(file, 0, &frame, 1, &done));
    assert_int_equal(done, PAGE);
    assert_int_equal(host_vnode_read(file, 0, &frame, 1, &done), ERR_TIMED_OUT);
    assert_int_equal(done, 0);
    OK(host_vnode_read(file, 0, &frame, 1, &done));
    sim_file_shorten_reads(file, 10);
    OK(host_vnode_read(file, 0, &frame, 1, &done));
    assert_int_equal(done, 10);
    sim_file_forbid_writing(file);
    assert_int_equal(host_vnode_write(file, 0, &frame, 1, &done), ERR_UNSUPPORTED);
    vm_free_frames(frame, 1);
}

static void test_sim_files_access(void)
{
    void *vnode;
    sim_file *file = sim_file_create("/ro", NULL, 10, VM_ACCESS_READ);
    assert_int_equal(host_vnode_from_path("/no", true, VM_ACCESS_READ, &vnode), ERR_NOT_FOUND);
    assert_int_equal(host_vnode_from_path("/ro", false, VM_ACCESS_WRITE, &vnode),
                     ERR_PERMISSION_DENIED);
    OK(host_vnode_from_path("/ro", false, VM_ACCESS_READ | VM_ACCESS_USER, &vnode));
    assert_ptr_equal(vnode, file);
    assert_int_equal(sim_file_references(file), 1);
    host_vnode_release(vnode);
}

static int charge_and_give_back(void)
{
    int error = vm_commit(4096);
    if (error == VM_OK)
        OK(vm_commit(-4096));
    return error;
}

static void test_sim_fail_at_counts(void)
{
    for (unsigned n = 1; n < 4; n++) {
        sim_fail_at(SIM_FAIL_COMMIT, n, false);
        for (unsigned i = 1; i < 6; i++)
            assert_int_equal(charge_and_give_back(), i == n ? ERR_VM_WOULD_OVERCOMMIT : VM_OK);
        assert_int_equal(sim_fail_done(SIM_FAIL_COMMIT), 1);
        sim_fail_at(SIM_FAIL_COMMIT, n, true);
        for (unsigned i = 1; i < 6; i++)
            assert_int_equal(charge_and_give_back(), i >= n ? ERR_VM_WOULD_OVERCOMMIT : VM_OK);
        sim_fail_at(SIM_FAIL_COMMIT, 0, false);
    }
}

UNIT_MAIN("the simulated machine", TEST(test_sim_memory_has_a_hole),
          TEST(test_sim_programs_addresses_are_not_the_process_s),
          TEST(test_sim_mmu_sets_accessed_and_dirty_bits),
          TEST(test_sim_mmu_rights_of_all_levels_count), TEST(test_sim_mmu_kernel_rights),
          TEST(test_sim_mmu_large_pages), TEST(test_sim_mmu_addresses_must_be_canonical),
          TEST(test_sim_tlb_keeps_what_it_has), TEST(test_sim_tlb_flushes_everything),
          TEST(test_sim_tlb_remembers_dirty), TEST(test_sim_reports),
          TEST(test_sim_fibers_take_turns), TEST(test_sim_wait_and_wake),
          TEST(test_sim_wait_until_deadline), TEST(test_sim_kill_ends_killable_waits),
          TEST(test_sim_random_order_can_be_repeated), TEST(test_sim_files_fail_on_request),
          TEST(test_sim_files_access), TEST(test_sim_fail_at_counts))
