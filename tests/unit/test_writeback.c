/* SPDX-License-Identifier: MIT */
/* Writing files back: what is written, what waits, who hears of it. */
#include "support.h"

#include <quire/host.h>
#include <quire/store.h>

#include "../../vm/system.h"
#include "../../vm/writeback.h"

#define SMALL .memory = (size_t)1 << 20

/* ---- a store of this test's own ------------------------------------------------------------------ */

static unsigned char bytes[4 * 4096];
static off_t size;
static uint32_t gate; /* 1: writes of the second page wait */
static off_t shrinks; /* what `size` becomes while it writes; -1: it stays */
static bool silent;   /* it doesn't say what it has done */
static vm_store store;
static vm_cache_ref *cache;

static void own_destroy(vm_store *unused)
{
    (void)unused;
}

static bool own_has_page(vm_store *unused, off_t offset)
{
    (void)unused;
    return offset < size;
}

static off_t own_size(vm_store *unused)
{
    (void)unused;
    return size;
}

static int own_read(vm_store *unused, off_t offset, const addr_t *frames, size_t count,
                    size_t *done)
{
    (void)unused;
    for (size_t i = 0; i < count; i++)
        memcpy(sim_physical(frames[i]), bytes + offset + i * PAGE, PAGE);
    *done = count * PAGE;
    return VM_OK;
}

static int own_write(vm_store *unused, off_t offset, const addr_t *frames, size_t count,
                     size_t *done)
{
    (void)unused;
    while (offset == (off_t)PAGE && gate != 0)
        (void)host_wait(&gate, 1, VM_NO_DEADLINE, false);
    for (size_t i = 0; i < count; i++)
        memcpy(bytes + offset + i * PAGE, sim_physical(frames[i]), PAGE);
    if (shrinks >= 0)
        size = shrinks;
    if (!silent)
        *done = count * PAGE;
    return VM_OK;
}

static const struct vm_store_ops own_ops = {.destroy = own_destroy,
                                            .has_page = own_has_page,
                                            .size = own_size,
                                            .read = own_read,
                                            .write = own_write};

/* Mapped at SPOT, of `length` bytes; the first byte of each page is written. */
static void map_own(off_t length)
{
    void *at = PTR(SPOT);
    size_t pages = (size_t)(length + (off_t)VM_PAGE_MASK) / PAGE;
    memset(bytes, 0, sizeof(bytes));
    size = length;
    gate = 0;
    shrinks = -1;
    silent = false;
    store = (vm_store){.ops = &own_ops};
    OK(vm_create_cache(&store, length, &cache));
    assert_true(vm_map_cache(program, "own", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(pages), LOCK_RW,
                             REGION_NO_PRIVATE_MAP, cache, 0) > 0);
    number_pages(SPOT, pages, 1);
}

static void unmap_own(void)
{
    shrinks = -1;
    silent = false;
    vm_put_cache(cache);
    OK(vm_unmap_range(program, SPOT, PAGES(4)));
}

static int page_out_second(void *unused)
{
    (void)unused;
    return vm_advise_range(program, SPOT + PAGE, PAGE, VM_ADVICE_PAGEOUT);
}

static int sync_own(void *unused)
{
    (void)unused;
    return vm_cache_sync(cache, 0, INT64_MAX);
}

static sim_fiber *begin_second_page(void)
{
    gate = 1;
    (void)sim_spawn("page-out", page_out_second, NULL);
    assert_int_equal(sim_run_until_blocked(), 1);
    sim_fiber *syncer = sim_spawn("syncer", sync_own, NULL);
    assert_int_equal(sim_run_until_blocked(), 2);
    return syncer;
}

static void open_gate(void)
{
    gate = 0;
    host_wake(&gate, UINT32_MAX);
}

/* ---- waiting for others --------------------------------------------------------------------------- */

/* What lies before and behind a page that somebody else writes is written; then that is waited for. */
static void test_a_sync_waits_for_a_page_amid_its_own(void)
{
    map_own((off_t)PAGES(3));
    sim_fiber *syncer = begin_second_page();
    assert_int_equal(bytes[0], 1);
    assert_int_equal(bytes[PAGE], 0);
    open_gate();
    sim_run();
    OK(sim_fiber_result(syncer));
    assert_int_equal(bytes[PAGE], 2);
    assert_int_equal(bytes[PAGES(2)], 3);
    unmap_own();
}

/* It is no wait that a signal ends: the bytes must be there. */
static void test_a_sync_that_waits_for_another_is_killed(void)
{
    map_own((off_t)PAGES(2));
    sim_fiber *syncer = begin_second_page();
    sim_kill(syncer);
    assert_int_equal(sim_run_until_blocked(), 2);
    open_gate();
    sim_run();
    OK(sim_fiber_result(syncer));
    assert_int_equal(bytes[PAGE], 2);
    unmap_own();
}

/* Whoever waited for a page looks again: its frame is somebody else's by now. */
static void test_a_sync_looks_again_after_its_wait(void)
{
    static addr_t frames[16];
    size_t count = 0;
    map_own((off_t)PAGES(2));
    region_at(2 * SPOT, 2, LOCK_RW);
    OK(sim_write_byte(2 * SPOT + PAGE, 1)); /* so that there are tables */
    sim_fiber *syncer = begin_second_page();
    vm_cache_discard(cache); /* it goes with the end of its write */
    open_gate();
    while (figures().file_pages > 0)
        sim_yield();
    assert_false(sim_fiber_ended(syncer));
    while (vm_system.pages.count[VM_PAGE_CLEAR] > 0) /* the next is the page's */
        OK(vm_allocate_frames(1, true, &frames[count++]));
    OK(sim_write_byte(2 * SPOT, 99));
    sim_run();
    OK(sim_fiber_result(syncer));
    assert_int_equal(bytes[PAGE], 2);
    assert_byte(2 * SPOT, 99);
    while (count > 0)
        vm_free_frames(frames[--count], 1);
    unmap_own();
}

/* ---- ends of files -------------------------------------------------------------------------------- */

static void test_a_sync_leaves_what_is_behind_the_end(void)
{
    map_own((off_t)PAGES(4));
    size = (off_t)PAGES(2);
    OK(sync_own(NULL));
    assert_int_equal(bytes[PAGE], 2);
    assert_int_equal(bytes[PAGES(2)] + bytes[PAGES(3)], 0);
    assert_int_equal(figures().modified_file_pages, 2);
    size = (off_t)PAGES(4);
    OK(sync_own(NULL));
    assert_numbered(SPOT, 4, 1);
    assert_int_equal(bytes[PAGES(3)], 4);
    unmap_own();
}

/* How many pages are modified still when the file has ended at `end` while they were written. */
static size_t modified_after_shrinking_to(off_t end)
{
    shrinks = end;
    OK(sync_own(NULL));
    size_t modified = figures().modified_file_pages;
    shrinks = -1;
    size = (off_t)PAGES(3);
    return modified;
}

/* What of a page lies behind the end may be wanted when the file is longer: the page isn't clean. */
static void test_pages_that_are_behind_the_end_by_now(void)
{
    map_own((off_t)PAGES(3));
    assert_int_equal(modified_after_shrinking_to((off_t)PAGES(3)), 0);
    number_pages(SPOT, 3, 1);
    assert_int_equal(modified_after_shrinking_to((off_t)PAGES(2)), 1);
    number_pages(SPOT, 3, 1);
    assert_int_equal(modified_after_shrinking_to((off_t)PAGE), 2);
    number_pages(SPOT, 3, 1);
    assert_int_equal(modified_after_shrinking_to((off_t)PAGE + 1),
                     1); /* its first byte is within */
    OK(sim_write_byte(SPOT + PAGE + 1, 7));
    assert_int_equal(modified_after_shrinking_to((off_t)PAGE + 1), 2);
    OK(sync_own(NULL));
    assert_int_equal(figures().modified_file_pages, 0);
    unmap_own();
}

/* ---- errors --------------------------------------------------------------------------------------- */

static void test_a_store_that_says_nothing_has_written_nothing(void)
{
    map_own(1);
    silent = true;
    assert_int_equal(sync_own(NULL), ERR_IO);
    assert_int_equal(figures().modified_file_pages, 1);
    silent = false;
    OK(sync_own(NULL));
    sim_fail_at(SIM_FAIL_STORE_WRITE, 1, false);
    OK(sim_write_byte(SPOT, 2));
    assert_int_equal(sync_own(NULL), ERR_IO);
    sim_fail_at(SIM_FAIL_STORE_WRITE, 0, false);
    unmap_own();
}

static vm_cache_ref *open_file(sim_file **file, size_t pages)
{
    vm_cache_ref *opened;
    *file = sim_file_create_numbered("/f", pages);
    OK(vm_get_vnode_cache(*file, &opened));
    return opened;
}

static void modify(vm_cache_ref *opened, size_t first, size_t count)
{
    size_t done;
    uint8_t byte = 99;
    for (size_t i = first; i < first + count; i++)
        OK(vm_cache_write(opened, (off_t)PAGES(i), &byte, 1, false, &done));
}

/* Who asked has heard of it; of what daemons couldn't write, who asks next hears. */
static void test_who_hears_of_an_error(void)
{
    sim_file *file;
    uint32_t seen = 0;
    vm_cache_ref *opened = open_file(&file, 1);
    modify(opened, 0, 1);
    sim_file_fail_writes(file, 1, 1, ERR_IO);
    assert_int_equal(vm_sync_files(), ERR_IO);
    OK(vm_cache_take_error(opened, &seen));
    sim_file_fail_writes(file, 1, 1, ERR_IO);
    writeback_old();
    sim_sleep((uint64_t)6 * 1000000000);
    writeback_old();
    assert_int_equal(vm_cache_take_error(opened, &seen), ERR_IO);
    OK(vm_cache_take_error(opened, &seen));
    OK(vm_sync_files());
    vm_put_cache(opened);
}

/* Nor does who has to write back before he may write: who asks next hears of that. */
static void test_who_writes_much_hears_of_no_error(void)
{
    sim_file *file, *other = sim_file_create_numbered("/g", 1);
    uint32_t seen = 0, seen_other = 0;
    vm_cache_ref *opened = open_file(&file, 80), *of_other;
    OK(vm_get_vnode_cache(other, &of_other));
    modify(opened, 0, figures().physical_pages / 4 + 1);
    sim_file_fail_writes(file, 1, 1000, ERR_IO);
    modify(of_other, 0, 1);                      /* first its own pages, then others' */
    assert_int_equal(sim_file_writes(file), 32); /* then the file is left alone */
    assert_int_equal(vm_cache_take_error(opened, &seen), ERR_IO);
    OK(vm_cache_take_error(of_other, &seen_other));
    sim_file_fail_writes(file, 1, 2, ERR_IO); /* a cluster's, and its first page's by itself */
    modify(opened, 0, 1);
    assert_int_equal(vm_cache_take_error(opened, &seen), ERR_IO);
    OK(vm_sync_files());
    vm_put_cache(of_other);
    vm_put_cache(opened);
}

/* ---- how much ------------------------------------------------------------------------------------- */

/* A mapping's writes are known to the tables alone. */
static void test_vm_sync_files_writes_what_only_tables_know(void)
{
    addr_t at;
    sim_file *file = sim_file_create_numbered("/f", 2);
    map_pages(&at, file, 2, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(sim_write_byte(at + PAGE, 77));
    assert_int_equal(figures().modified_file_pages, 0);
    OK(vm_sync_files());
    assert_int_equal(sim_file_data(file)[PAGE], 77);
}

/* A quarter of all frames may be modified before who writes has to write back. */
static void test_a_quarter_may_be_modified(void)
{
    sim_file *file;
    size_t most = figures().physical_pages / 4;
    vm_cache_ref *opened = open_file(&file, most + 2);
    modify(opened, 0, most + 1);
    assert_int_equal(sim_file_writes(file), 0);
    modify(opened, most + 1, 1);
    assert_true(sim_file_writes(file) > 0);
    vm_put_cache(opened);
}

/* Other files are written until no more than a quarter is modified. */
static void test_others_are_written_as_far_as_it_takes(void)
{
    addr_t at[2];
    size_t most = figures().physical_pages / 4;
    sim_file *file[2] = {sim_file_create_numbered("/a", 1), sim_file_create_numbered("/b", most)};
    sim_file *own;
    for (unsigned i = 0; i < 2; i++)
        map_pages(&at[i], file[i], i ? most : 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    number_pages(at[0], 1, 1);
    number_pages(at[1], most, 1);
    vm_system.reclaim.gone = SIZE_MAX / 2;
    reclaim_collect();
    assert_int_equal(figures().modified_file_pages, most + 1);
    vm_cache_ref *opened = open_file(&own, 1);
    modify(opened, 0, 1);
    assert_int_equal(sim_file_writes(file[0]), 1);
    assert_int_equal(sim_file_writes(file[1]), 0);
    vm_put_cache(opened);
}

static void sleep_tenths(unsigned tenths)
{
    sim_sleep(tenths * (uint64_t)100000000);
}

/* Five seconds after it was first seen to be modified. */
static void test_what_is_old_is_written(void)
{
    sim_file *file;
    vm_cache_ref *opened = open_file(&file, 1);
    sleep_tenths(100);
    assert_false(writeback_is_pending());
    writeback_old();
    sleep_tenths(60);
    for (unsigned round = 1; round <= 2; round++) {
        modify(opened, 0, 1);
        assert_true(writeback_is_pending());
        writeback_old();
        writeback_old();
        vm_system.reclaim.dirty_since -= 4900000000;
        writeback_old();
        assert_int_equal(sim_file_writes(file), round - 1);
        vm_system.reclaim.dirty_since = host_time_ns() + 1 - 5000000000; /* a look takes 1 ns */
        writeback_old();
        assert_int_equal(sim_file_writes(file), round);
        assert_int_equal(vm_system.reclaim.dirty_since, 0);
    }
    modify(opened, 0, 1);
    writeback_old();
    OK(vm_sync_files());
    writeback_old(); /* sees that nothing is modified any more */
    sleep_tenths(60);
    modify(opened, 0, 1);
    writeback_old();
    assert_int_equal(sim_file_writes(file), 3);
    vm_put_cache(opened);
}

/* Beyond an eighth daemons wait no five seconds. */
static void test_an_eighth_may_be_modified_for_a_while(void)
{
    sim_file *file;
    size_t many = figures().physical_pages / 8;
    vm_cache_ref *opened = open_file(&file, many + 1);
    modify(opened, 0, many);
    writeback_old();
    writeback_old();
    assert_int_equal(sim_file_writes(file), 0);
    modify(opened, many, 1);
    writeback_old();
    assert_int_equal(figures().modified_file_pages, 0);
    vm_put_cache(opened);
}

UNIT_MAIN("writing back", TEST(test_a_sync_waits_for_a_page_amid_its_own),
          TEST(test_a_sync_that_waits_for_another_is_killed),
          TEST(test_a_sync_looks_again_after_its_wait),
          TEST(test_a_sync_leaves_what_is_behind_the_end),
          TEST(test_pages_that_are_behind_the_end_by_now),
          TEST(test_a_store_that_says_nothing_has_written_nothing),
          TEST(test_who_hears_of_an_error), TEST(test_vm_sync_files_writes_what_only_tables_know),
          TEST_ON(test_a_quarter_may_be_modified, SMALL),
          TEST_ON(test_who_writes_much_hears_of_no_error, SMALL),
          TEST_ON(test_others_are_written_as_far_as_it_takes, SMALL),
          TEST(test_what_is_old_is_written),
          TEST_ON(test_an_eighth_may_be_modified_for_a_while, SMALL))
