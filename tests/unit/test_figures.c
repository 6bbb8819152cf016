/* SPDX-License-Identifier: MIT */
/* vm_get_info: what each event adds to which figure, and to no other. */
#include "support.h"

#include "system.h"

static vm_info before;

static void look(void)
{
    before = figures();
}

#define ADDED(figure, n) assert_int_equal(figures().figure - before.figure, (n))

/* All faults since look(): how many of each kind. */
static void assert_faults(uint64_t reads, uint64_t writes, uint64_t executes, uint64_t failed)
{
    ADDED(page_faults, reads + writes + executes);
    ADDED(read_faults, reads);
    ADDED(write_faults, writes);
    ADDED(execute_faults, executes);
    ADDED(failed_faults, failed);
}

static void test_figures_of_faults(void)
{
    region_at(SPOT, 4, LOCK_RW | LOCK_EXECUTE);
    uint8_t byte;
    look();
    assert_byte(SPOT, 0);
    assert_faults(1, 0, 0, 0);
    OK(sim_write_byte(SPOT + PAGE, 1));
    assert_faults(1, 1, 0, 0);
    OK(sim_execute(SPOT + PAGES(2), &byte, 1));
    assert_faults(1, 1, 1, 0);
    assert_int_equal(sim_read_byte(SPOT + PAGES(4)), ERR_VM_PF_BAD_ADDRESS);
    assert_faults(2, 1, 1, 1);
    ADDED(zero_fills, 3);
    ADDED(copies, 0);
    ADDED(inactive_pages, 3);
}

static void test_figures_of_forks(void)
{
    region_at(SPOT, 2, LOCK_RW);
    number_pages(SPOT, 2, 1);
    look();
    aspace_id child = fork_program();
    ADDED(forks, 1);
    ADDED(aspaces, 1);
    ADDED(regions, 1);
    ADDED(caches, 2);
    OK(sim_write_byte(SPOT, 9));
    ADDED(copies, 1);
    ADDED(reuses, 0);
    sim_set_aspace(program);
    OK(sim_write_byte(SPOT, 8));
    ADDED(copies, 1);
    ADDED(reuses, 1);
    assert_int_equal(figures().deepest_chain, 2);
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
    ADDED(merges, 1);
    ADDED(caches, 0);
}

static void test_figures_of_files(void)
{
    addr_t a, b;
    sim_file *file = sim_file_create_numbered("/f", 4);
    map_pages(&a, file, 4, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    look();
    assert_byte(a, 1);
    ADDED(page_ins, 4);
    ADDED(busy_pages, 0);
    ADDED(mapped_around, 3);
    ADDED(file_pages_shared, 0);
    assert_int_equal(figures().deepest_chain, 1);
    map_pages(&b, file, 4, LOCK_RW, REGION_PRIVATE_MAP, 0);
    assert_int_equal(figures().deepest_chain, 2);
    map_pages(&b, file, 4, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    assert_byte(b, 1);
    ADDED(page_ins, 4);
    ADDED(file_pages_shared, 1);
    ADDED(mapped_around, 6);
    OK(sim_write_byte(a, 5));
    OK(vm_sync_range(program, a, PAGES(4)));
    ADDED(page_outs, 1);
    ADDED(zero_fills, 0);
}

static int touch(void *address)
{
    return sim_read_byte((addr_t)address);
}

static void test_figures_of_busy_pages(void)
{
    addr_t a, b;
    sim_file *file = sim_file_create_numbered("/f", 2);
    map_pages(&a, file, 2, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    look();
    sim_file_block_reads(file, true);
    sim_spawn("reader", touch, PTR(a));
    assert_int_equal(sim_run_until_blocked(), 1);
    ADDED(busy_pages, 2);
    sim_file_block_reads(file, false);
    sim_run();
    ADDED(busy_pages, 0);
    ADDED(mapped_around, 1);
    map_pages(&b, file, 2, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    assert_byte(b, 1);
    ADDED(mapped_around, 2);
}

static void test_figures_of_flushes(void)
{
    region_at(SPOT, 2, LOCK_RW);
    number_pages(SPOT, 2, 1);
    look();
    OK(vm_protect_range(program, SPOT, PAGES(2), LOCK_RO));
    ADDED(tlb_flushes, 1);
    OK(vm_protect_range(program, SPOT, PAGES(2), LOCK_RW));
    ADDED(tlb_flushes, 1);
    OK(vm_unmap_range(program, SPOT, PAGES(2)));
    assert_in_range(figures().tlb_flushes - before.tlb_flushes, 2, 3);
    ADDED(table_pages, -3);
}

static void test_figures_of_the_most_at_once(void)
{
    aspace_id space[3];
    region_id region[5];
    addr_t a;
    look();
    for (unsigned i = 0; i < 3; i++)
        space[i] = vm_create_aspace("x", SIM_USER_BASE, PAGES(9), false);
    for (unsigned i = 0; i < 5; i++)
        region[i] = new_region(&a, 1);
    assert_int_equal(figures().most_aspaces, before.aspaces + 3);
    assert_int_equal(figures().most_regions, before.regions + 5);
    for (unsigned i = 0; i < 3; i++)
        OK(vm_delete_aspace(space[i]));
    for (unsigned i = 0; i < 5; i++)
        OK(vm_delete_region(program, region[i]));
    assert_int_equal(figures().most_aspaces, before.aspaces + 3);
    assert_int_equal(figures().most_regions, before.regions + 5);
    ADDED(aspaces, 0);
    ADDED(regions, 0);
}

static void test_figures_of_frames(void)
{
    addr_t frames;
    look();
    assert_int_equal(before.physical_page_size, PAGE);
    assert_int_equal(before.physical_pages, (16u << 20) / PAGE);
    assert_int_equal(before.inactive_pages + before.modified_pages +
                         before.modified_temporary_pages + before.busy_pages,
                     0);
    assert_int_equal(before.active_pages + before.free_pages + before.clear_pages +
                         before.wired_pages + before.unused_pages,
                     before.physical_pages);
    OK(vm_allocate_frames(3, false, &frames));
    ADDED(wired_pages, 3);
    vm_free_frames(frames, 3);
    ADDED(wired_pages, 0);
    OK(vm_commit(PAGES(5)));
    ADDED(committed, PAGES(5));
    OK(vm_commit(-(int64_t)PAGES(5)));
    vm_increase_max_commit(PAGES(7));
    ADDED(max_commit, PAGES(7));
}

static void test_figures_of_recoveries(void)
{
    uint8_t byte = 0;
    look();
    assert_int_equal(user_memcpy(&byte, PTR(SPOT), 1), ERR_VM_BAD_USER_MEMORY);
    ADDED(kernel_recoveries, 1);
    ADDED(failed_faults, 1);
}

UNIT_MAIN("figures", TEST(test_figures_of_faults), TEST(test_figures_of_forks),
          TEST(test_figures_of_files), TEST(test_figures_of_busy_pages),
          TEST(test_figures_of_flushes), TEST(test_figures_of_the_most_at_once),
          TEST(test_figures_of_frames), TEST(test_figures_of_recoveries))
