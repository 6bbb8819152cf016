/* SPDX-License-Identifier: MIT */
/* One batch of reclaim: what goes along, what is unmapped for it, what is written, what is counted. */
#include "support.h"

#include "../../vm/system.h"

#define SMALL .memory = (size_t)1 << 20, .swap = 64

static int page_out(addr_t address, size_t pages)
{
    return vm_advise_range(program, address, PAGES(pages), VM_ADVICE_PAGEOUT);
}

static void collect(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        vm_system.reclaim.gone = SIZE_MAX / 2;
        reclaim_collect();
    }
}

static vm_region_info info_at(addr_t address)
{
    return region_info(find_region(address));
}

/* ---- what goes along ---- */

static void test_pages_that_are_old_go_along_whenever_they_came(void)
{
    region_at(SPOT, 4, LOCK_RW);
    for (size_t i = 0; i < 4; i++) {
        OK(sim_write_byte(SPOT + PAGES(i), (uint8_t)(i + 1)));
        collect(1);
    }
    collect(2);
    assert_true(vm_reclaim(1) > 0);
    assert_int_equal(figures().swap_outs, 4);
    assert_int_equal(sim_swap_writes(sim_boot_swap()), 1);
    assert_int_equal(vm_system.reclaim.gone, 4);
    assert_numbered(SPOT, 4, 1);
}

static int read_page(void *address)
{
    return sim_read_byte((addr_t)address);
}

/* A page that is being read can't go: nothing is freed, and nothing is said to be. */
static void test_a_busy_page_is_no_victim(void)
{
    addr_t at;
    sim_file *file = sim_file_create_numbered("/f", 1);
    map_pages(&at, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    sim_file_block_reads(file, true);
    (void)sim_spawn("reader", read_page, PTR(at));
    assert_int_equal(sim_run_until_blocked(), 1);
    assert_int_equal(vm_reclaim(4), 0);
    sim_file_block_reads(file, false);
    sim_run();
}

/* The time it takes goes by the pages there are. */
static void test_pageout_of_a_huge_region(void)
{
    void *at = PTR(SPOT);
    assert_true(vm_create_anonymous_region(program, "huge", &at, REGION_ADDR_EXACT_ADDRESS,
                                           (addr_t)1 << 45, REGION_WIRING_LAZY, LOCK_NO_READ) > 0);
    OK(vm_advise_range(program, SPOT, (addr_t)1 << 45, VM_ADVICE_PAGEOUT));
}

/* ---- unmapping ---- */

static void test_pageout_leaves_the_mappings_before_it(void)
{
    region_at(SPOT, 20, LOCK_RW);
    number_pages(SPOT, 20, 1);
    OK(page_out(SPOT + PAGES(16), 4));
    assert_int_equal(info_at(SPOT).swapped_pages, 4);
    assert_int_equal(info_at(SPOT).resident_pages, 16);
}

/* Its accessed bit spares it when a hand passes, but not here. */
static void test_pageout_of_an_old_page_in_use(void)
{
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    collect(3);
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_NO_READ)); /* so that no TLB knows it */
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RW));
    OK(sim_write_byte(SPOT, 2));
    OK(page_out(SPOT, 1));
    assert_int_equal(figures().evictions, 1);
    assert_byte(SPOT, 2);
}

/* The last of a row isn't mapped; the others are. */
static void test_pageout_of_a_row_of_which_some_are_mapped(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    OK(page_out(SPOT, 4));
    OK(sim_write_byte(SPOT, 1)); /* the others come along */
    assert_int_equal(info_at(SPOT).unmapped_pages, 3);
    OK(page_out(SPOT, 4));
    assert_int_equal(info_at(SPOT).swapped_pages, 4);
    assert_numbered(SPOT, 4, 1);
}

/* Of a file's two pages one is mapped, by a private mapping. */
static void test_pageout_of_what_consumers_map(void)
{
    for (size_t mapped = 0; mapped < 2; mapped++) {
        addr_t shared, private;
        sim_file *file = sim_file_create_numbered(mapped ? "/a" : "/b", 2);
        map_pages(&shared, file, 2, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
        map_pages(&private, file, 2, LOCK_RO, REGION_PRIVATE_MAP, 0);
        OK(vm_advise_range(program, shared, PAGES(2), VM_ADVICE_WILL_NEED));
        OK(vm_protect_range(program, shared, PAGES(2), LOCK_NO_READ)); /* nothing is mapped there */
        OK(vm_advise_range(program, private, PAGES(2), VM_ADVICE_RANDOM));
        assert_byte(private + PAGES(mapped), (int)mapped + 1);
        uint64_t before = figures().evictions;
        OK(page_out(shared, 2));
        assert_int_equal(figures().evictions - before, 2);
        assert_int_equal(figures().kept, 0); /* both at once */
        assert_byte(private + PAGES(mapped), (int)mapped + 1);
    }
}

/* All that is in use goes, too, where it must: the hands go round twice for what isn't, then twice for all. */
static void test_pages_in_use_go_in_the_end(void)
{
    size_t pages = 200;
    region_at(SPOT, pages, LOCK_RW);
    for (size_t i = 0; i < pages; i++)
        OK(sim_write_byte(SPOT + PAGES(i), 1));
    collect(3);
    OK(vm_protect_range(program, SPOT, PAGES(pages), LOCK_NO_READ)); /* so that no TLB knows it */
    OK(vm_protect_range(program, SPOT, PAGES(pages), LOCK_RW));
    for (size_t i = 0; i < pages; i++)
        OK(sim_write_byte(SPOT + PAGES(i), 2));
    assert_true(vm_reclaim(pages) >= pages);
    assert_int_equal(info_at(SPOT).swapped_pages, pages);
}

/* ---- what is written ---- */

/* Over a source, too, a page whose slot has its bytes is clean. */
static void test_a_page_with_a_slot_is_not_written_again(void)
{
    region_at(SPOT, 2, LOCK_RW);
    number_pages(SPOT, 2, 9);
    aspace_id child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
    number_pages(SPOT, 2, 1);
    OK(page_out(SPOT, 2));
    assert_byte(SPOT, 1);
    unsigned writes = sim_swap_writes(sim_boot_swap());
    OK(page_out(SPOT, 2));
    assert_int_equal(sim_swap_writes(sim_boot_swap()), writes);
    assert_numbered(SPOT, 2, 1);
    OK(sim_delete_aspace(child));
}

/* It was to be forgotten until then. */
static void test_a_page_that_was_written_after_free_is_kept(void)
{
    region_at(SPOT, 2, LOCK_RW);
    number_pages(SPOT, 2, 1);
    OK(vm_advise_range(program, SPOT, PAGES(2), VM_ADVICE_FREE));
    OK(sim_write_byte(SPOT, 7));
    assert_true(vm_reclaim(2) >= 2);
    assert_int_equal(figures().discarded, 1);
    assert_int_equal(figures().swap_outs, 1);
    assert_byte(SPOT, 7);
    assert_byte(SPOT + PAGE, 0);
}

static int reclaim_some(void *unused)
{
    (void)unused;
    return (int)vm_reclaim(4);
}

/* What is being written is on no hand's way, and in a state of its own. */
static void test_pages_that_are_written_have_left_their_queue(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    sim_swap_block(sim_boot_swap(), true);
    (void)sim_spawn("reclaimer", reclaim_some, NULL);
    assert_int_equal(sim_run_until_blocked(), 1);
    vm_info info = figures();
    assert_int_equal(info.modified_temporary_pages, 4);
    assert_int_equal(info.inactive_pages + info.active_pages, 0);
    sim_swap_block(sim_boot_swap(), false);
    sim_run();
    assert_numbered(SPOT, 4, 1);
}

/* Where no slots lie together, a batch is several writes. */
static void test_a_batch_takes_slots_here_and_there(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    OK(page_out(SPOT, 4));
    OK(vm_discard_range(program, SPOT, PAGE));
    OK(vm_discard_range(program, SPOT + PAGES(2), PAGE));
    region_at(2 * SPOT, 2, LOCK_RW);
    number_pages(2 * SPOT, 2, 5);
    OK(page_out(2 * SPOT, 2));
    assert_int_equal(info_at(2 * SPOT).swapped_pages, 2);
    assert_int_equal(figures().kept, 0);
    assert_int_equal(figures().free_swap_slots, 0);
    assert_numbered(2 * SPOT, 2, 5);
    assert_byte(SPOT + PAGE, 2);
}

static void test_a_row_of_a_file_is_one_write(void)
{
    addr_t at;
    sim_file *file = sim_file_create_numbered("/f", 4);
    map_pages(&at, file, 4, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    number_pages(at, 4, 50);
    OK(page_out(at, 4));
    assert_int_equal(sim_file_writes(file), 1);
    assert_int_equal(figures().evictions, 4);
    assert_numbered(at, 4, 50);
    OK(page_out(at, 4)); /* clean by now */
    assert_int_equal(sim_file_writes(file), 1);
    assert_int_equal(figures().clean_evictions, 4);
}

/* Even of the only byte there is. */
static void test_a_byte_that_could_not_be_written_stays(void)
{
    addr_t at;
    sim_file *file = sim_file_create("/f", NULL, 1, ALL_ACCESS);
    map_pages(&at, file, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(sim_write_byte(at, 7));
    sim_file_fail_writes(file, 1, 1, ERR_IO);
    OK(page_out(at, 1));
    assert_int_equal(figures().evictions, 0);
    assert_byte(at, 7);
    assert_int_equal(vm_sync_range(program, at, PAGE), ERR_IO); /* of before */
    assert_int_equal(sim_file_data(file)[0], 7);
}

UNIT_MAIN("batches", TEST_ON(test_pages_that_are_old_go_along_whenever_they_came, SMALL),
          TEST(test_a_busy_page_is_no_victim), TEST(test_pageout_of_a_huge_region),
          TEST_ON(test_pageout_leaves_the_mappings_before_it, SMALL),
          TEST_ON(test_pageout_of_an_old_page_in_use, SMALL),
          TEST_ON(test_pageout_of_a_row_of_which_some_are_mapped, SMALL),
          TEST_ON(test_pageout_of_what_consumers_map, SMALL),
          TEST_ON(test_pages_in_use_go_in_the_end, .swap = 1024),
          TEST_ON(test_a_page_with_a_slot_is_not_written_again, SMALL),
          TEST_ON(test_a_page_that_was_written_after_free_is_kept, SMALL),
          TEST_ON(test_pages_that_are_written_have_left_their_queue, SMALL),
          TEST_ON(test_a_batch_takes_slots_here_and_there, .memory = (size_t)1 << 20, .swap = 4),
          TEST(test_a_row_of_a_file_is_one_write),
          TEST(test_a_byte_that_could_not_be_written_stays))
