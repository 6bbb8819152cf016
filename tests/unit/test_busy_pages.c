/* SPDX-License-Identifier: MIT */
/* What others do while pages of a file are read or written. */
#include "support.h"

#include "cache.h"
#include "system.h"
#include "writeback.h"

static sim_file *file;
static addr_t place;

static int touch(void *page)
{
    return sim_read_byte(place + PAGES((uintptr_t)page));
}

/* A fault waits for its read. */
static sim_fiber *start_reading(size_t page)
{
    sim_file_block_reads(file, true);
    sim_fiber *fiber = sim_spawn("reader", touch, PTR(page));
    assert_int_equal(sim_run_until_blocked(), 1);
    assert_int_equal(sim_file_blocked(file), 1);
    return fiber;
}

static void finish_reading(sim_fiber *fiber, int expected)
{
    sim_file_block_reads(file, false);
    sim_run();
    assert_int_equal(sim_fiber_result(fiber), expected);
}

static vm_cache_ref *cache_of_file(void)
{
    vm_cache_ref *ref;
    OK(vm_get_vnode_cache(file, &ref));
    return ref;
}

static void test_discard_leaves_what_is_being_read(void)
{
    file = sim_file_create_numbered("/f", 40);
    map_pages(&place, file, 40, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    assert_byte(place + PAGES(20), 21);
    vm_cache_ref *ref = cache_of_file();
    sim_fiber *reader = start_reading(0);
    vm_cache_discard(ref);
    assert_null(vm_cache_lookup_page(ref, (off_t)PAGES(20)));
    assert_non_null(vm_cache_lookup_page(ref, 0));
    finish_reading(reader, 1);
    vm_put_cache(ref);
}

/* A private copy is the program's, not the file's. */
static void test_discard_leaves_private_copies(void)
{
    file = sim_file_create_numbered("/f", 2);
    map_pages(&place, file, 2, LOCK_RW, REGION_PRIVATE_MAP, 0);
    OK(sim_write_byte(place, 50));
    assert_byte(place + PAGE, 2);
    vm_cache_ref *ref = cache_of_file();
    sim_file_data(file)[PAGE] = 60;
    vm_cache_discard(ref);
    assert_byte(place, 50);
    assert_byte(place + PAGE, 60);
    vm_put_cache(ref);
}

static void test_sync_passes_over_what_is_being_read(void)
{
    file = sim_file_create_numbered("/f", 40);
    map_pages(&place, file, 40, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(sim_write_byte(place + PAGES(20), 70));
    sim_fiber *reader = start_reading(0);
    OK(vm_sync_range(program, place, PAGES(40)));
    assert_int_equal(sim_file_data(file)[PAGES(20)], 70);
    finish_reading(reader, 1);
}

static int sync_page(void *page)
{
    return vm_sync_range(program, place + PAGES((uintptr_t)page), PAGE);
}

/* Two syncs of a modified page: the second begins while the store writes for the first. */
static void sync_twice(sim_fiber *fibers[2])
{
    file = sim_file_create_numbered("/f", 4);
    map_pages(&place, file, 4, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(sim_write_byte(place + PAGE, 70));
    sim_file_block_writes(file, true);
    fibers[0] = sim_spawn("first", sync_page, PTR(1));
    (void)sim_run_until_blocked();
    assert_int_equal(sim_file_blocked(file), 1);
    fibers[1] = sim_spawn("second", sync_page, PTR(1));
    (void)sim_run_until_blocked();
}

/* What somebody else is writing isn't in the file yet. */
static void test_sync_waits_for_what_is_being_written(void)
{
    sim_fiber *fibers[2];
    sync_twice(fibers);
    assert_false(sim_fiber_ended(fibers[1]));
    sim_file_block_writes(file, false);
    sim_run();
    OK(sim_fiber_result(fibers[0]));
    OK(sim_fiber_result(fibers[1]));
    assert_int_equal(sim_file_data(file)[PAGE], 70);
    assert_int_equal(sim_file_writes(file), 1);
}

static void test_sync_writes_what_another_could_not(void)
{
    sim_fiber *fibers[2];
    sync_twice(fibers);
    sim_file_fail_writes(file, 1, 1, ERR_IO);
    sim_file_block_writes(file, false);
    sim_run();
    assert_int_equal(sim_fiber_result(fibers[0]), ERR_IO);
    OK(sim_fiber_result(fibers[1]));
    assert_int_equal(sim_file_data(file)[PAGE], 70);
}

static void test_sync_writes_in_runs(void)
{
    file = sim_file_create_numbered("/f", 40);
    map_pages(&place, file, 40, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    number_pages(place, 20, 100);
    OK(vm_sync_range(program, place, PAGES(40)));
    assert_int_equal(sim_file_writes(file), 2); /* 16 pages at most at once */
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(sim_file_data(file)[PAGES(i)], 100 + i);
    number_pages(place, 3, 1);
    OK(sim_write_byte(place + PAGES(7), 1));
    OK(vm_sync_range(program, place, PAGES(40)));
    assert_int_equal(sim_file_writes(file), 4); /* not what lies between */
}

static void test_the_last_write_back_that_fails_is_logged(void)
{
    file = sim_file_create_numbered("/f", 1);
    map_pages(&place, file, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(sim_write_byte(place, 9));
    sim_file_fail_writes(file, 1, 1, ERR_IO);
    sim_log_clear();
    OK(vm_unmap_range(program, place, PAGE));
    assert_non_null(strstr(sim_log_text(), "modified pages are lost: reading or writing"));
    assert_int_equal(sim_file_data(file)[0], 1);
    assert_int_equal(sim_file_references(file), 0);
}

static void test_what_is_being_read_is_not_resident(void)
{
    uint8_t resident[2] = {7, 7};
    file = sim_file_create_numbered("/f", 40);
    map_pages(&place, file, 40, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    sim_fiber *reader = start_reading(0);
    OK(vm_get_residency(program, place, PAGES(2), resident));
    assert_int_equal(resident[0] + resident[1], 0);
    finish_reading(reader, 1);
    OK(vm_get_residency(program, place, PAGES(2), resident));
    assert_int_equal(resident[0] + resident[1], 2);
}

/* What a short read leaves is cleared. */
static void test_reads_that_stop_short(void)
{
    file = sim_file_create_numbered("/f", 1);
    map_pages(&place, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    sim_fail_at(SIM_FAIL_SHORT_READ, 1, false);
    assert_byte(place, 1);
    assert_int_equal(sim_fail_done(SIM_FAIL_SHORT_READ), 1);
    assert_byte(place + PAGE / 2 - 1, 1);
    assert_true(sim_is_filled(place + PAGE / 2, 0, PAGE / 2));
}

/* ---- sync, while the regions change ---- */

static int sync_all(void *unused)
{
    (void)unused;
    return vm_sync_range(program, place, PAGES(4));
}

/* Two regions of one file, of which the first is about to be written: then they join, and what is
 * written already isn't looked at again. */
static void test_sync_of_regions_that_join_meanwhile(void)
{
    file = sim_file_create_numbered("/f", 4);
    map_pages(&place, file, 4, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    number_pages(place, 4, 80);
    OK(vm_protect_range(program, place + PAGES(2), PAGES(2), LOCK_RO));
    assert_int_equal(count_regions(program), 2);
    vm_cache_ref *ref = cache_of_file();
    cache_lock(ref);
    sim_fiber *fiber = sim_spawn("sync", sync_all, NULL);
    assert_int_equal(sim_run_until_blocked(), 1);
    cache_unlock(ref);
    OK(vm_protect_range(program, place, PAGES(4), LOCK_RW));
    assert_int_equal(count_regions(program), 1);
    sim_run();
    OK(sim_fiber_result(fiber));
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(sim_file_data(file)[PAGES(i)], 80 + i);
    assert_int_equal(sim_file_writes(file), 2);
    vm_put_cache(ref);
}

/* ---- copies without a page in the file ---- */

static void test_writing_behind_the_end_without_memory(void)
{
    size_t done;
    file = sim_file_create_numbered("/f", 1);
    vm_cache_ref *ref = cache_of_file();
    sim_fail_at(SIM_FAIL_METADATA, 1, true);
    assert_int_equal(vm_cache_write(ref, (off_t)PAGES(5), "x", 1, false, &done), ERR_NO_MEMORY);
    sim_fail_at(SIM_FAIL_METADATA, 0, false);
    assert_int_equal(done, 0);
    SIM_CHECK();
    OK(vm_cache_write(ref, (off_t)PAGES(5), "x", 1, false, &done));
    assert_int_equal(done, 1);
    vm_put_cache(ref);
}

/* From the two lists' hand it may be inactive by then; the policy hears of it all the same. */
static void test_a_hand_passes_a_page_before_it_is_in_its_cache(void)
{
    vm_cache_ref *ref = cache_create_for(vm_store_create_anonymous_noswap(), 0, true);
    struct vm_page *page = vm_page_allocate(VM_PAGE_ACTIVE, true, VM_INJECT_FRAME);
    assert_non_null(ref);
    assert_non_null(page);
    page_deactivate(page);
    page->born = (uint8_t)(vm_system.pages.generation - 9);
    cache_lock(ref);
    OK(vm_cache_insert_page(ref, page, 0));
    cache_unlock(ref);
    assert_true(page_is_young(page));
    vm_cache_release_ref(ref);
}

UNIT_MAIN("pages that are busy", TEST(test_discard_leaves_what_is_being_read),
          TEST(test_discard_leaves_private_copies), TEST(test_sync_passes_over_what_is_being_read),
          TEST(test_sync_waits_for_what_is_being_written),
          TEST(test_sync_writes_what_another_could_not), TEST(test_sync_writes_in_runs),
          TEST(test_the_last_write_back_that_fails_is_logged),
          TEST(test_what_is_being_read_is_not_resident), TEST(test_reads_that_stop_short),
          TEST(test_sync_of_regions_that_join_meanwhile),
          TEST(test_writing_behind_the_end_without_memory),
          TEST(test_a_hand_passes_a_page_before_it_is_in_its_cache))
