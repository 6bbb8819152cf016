/* SPDX-License-Identifier: MIT */
/* Files with places that can't be written: only what can't be written stays modified. */
#include "support.h"

#include <quire/store.h>

#include "../../vm/cache.h"

#define SMALL .memory = (size_t)1 << 20
#define FILE_PAGES ((size_t)56)
#define CLUSTERED 40 /* two clusters and a half; then pages that have no neighbours */
#define LONE 8

static sim_file *file;
static vm_cache_ref *cache;
static const struct vm_store_ops *good;
static struct vm_store_ops with_bad;
static bool bad[FILE_PAGES]; /* pages of the file */
static bool stops_short;     /* a write of a bad page says no error, and how much it has done */
static unsigned writes;

static size_t first_bad(off_t offset, size_t count)
{
    size_t i = 0;
    while (i < count && !bad[(size_t)offset / PAGE + i])
        i++;
    return i;
}

static int write_but_for_bad(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                             size_t *done)
{
    size_t fine = first_bad(offset, count);
    writes++;
    if (fine == count)
        return good->write(store, offset, frames, count, done);
    if (stops_short && fine > 0)
        return good->write(store, offset, frames, fine, done);
    return stops_short ? VM_OK : ERR_IO;
}

static bool is_modified_page(size_t page)
{
    return page < CLUSTERED || (page < CLUSTERED + 2 * LONE && page % 2 == 1);
}

static void begin(void)
{
    file = sim_file_create_numbered("/f", FILE_PAGES);
    OK(vm_get_vnode_cache(file, &cache));
    good = cache->cache->store->ops;
    with_bad = *good;
    with_bad.write = write_but_for_bad;
    cache->cache->store->ops = &with_bad;
    memset(bad, 0, sizeof bad);
    writes = 0;
    stops_short = false;
}

static void end(void)
{
    SIM_CHECK();
    cache->cache->store->ops = good;
    vm_put_cache(cache);
}

static void modify(uint8_t byte)
{
    size_t done;
    for (size_t i = 0; i < FILE_PAGES; i++)
        if (is_modified_page(i))
            OK(vm_cache_write(cache, (off_t)PAGES(i), &byte, 1, false, &done));
}

static int sync_all(void)
{
    return vm_cache_sync(cache, 0, INT64_MAX);
}

static size_t modified_pages(void)
{
    return (size_t)figures().modified_file_pages;
}

/* All but the bad ones, of which there are so many among those that were written. */
static void assert_written(uint8_t byte, size_t without)
{
    size_t missing = 0;
    for (size_t i = 0; i < FILE_PAGES; i++)
        if (is_modified_page(i) && sim_file_data(file)[i * PAGE] != byte) {
            assert_true(bad[i]);
            missing++;
        }
    assert_int_equal(missing, without);
    assert_int_equal(modified_pages(), without);
}

static void check_bad_places(bool is_short)
{
    begin();
    stops_short = is_short;
    modify(99);
    bad[0] = bad[5] = bad[6] = bad[31] = bad[43] = true;
    assert_int_equal(sync_all(), ERR_IO);
    assert_written(99, 5);
    memset(bad, 0, sizeof bad);
    OK(sync_all());
    assert_written(99, 0);
    end();
}

static void test_bad_sectors_are_the_only_pages_that_are_not_written(void)
{
    check_bad_places(false);
}

static void test_bad_sectors_of_a_store_that_stops_before_them(void)
{
    check_bad_places(true);
}

/* Good clusters are one write each, as ever. */
static void test_only_the_cluster_of_a_bad_sector_is_written_by_pages(void)
{
    begin();
    modify(99);
    bad[17] = true;
    assert_int_equal(sync_all(), ERR_IO);
    assert_int_equal(writes, 3 + 16 + LONE);
    end();
}

/* A device that has gone is not asked for each page; what it would have got is modified still. */
static void test_a_device_that_is_gone_is_not_asked_for_each_page(void)
{
    begin();
    modify(99);
    size_t all = modified_pages();
    memset(bad, 1, sizeof bad);
    assert_int_equal(sync_all(), ERR_IO);
    assert_int_equal(writes, 32);
    assert_int_equal(modified_pages(), all);
    memset(bad, 0, sizeof bad);
    OK(sync_all());
    assert_written(99, 0);
    end();
}

/* The 32nd failure is a cluster's: its pages are not tried one by one. */
static void test_the_last_failure_is_a_clusters(void)
{
    size_t done;
    uint8_t byte = 99;
    vm_cache_ref *large;
    sim_file *big = sim_file_create_numbered("/big", 80);
    OK(vm_get_vnode_cache(big, &large));
    for (size_t i = 0; i < 31; i++)
        OK(vm_cache_write(large, (off_t)PAGES(2 * i), &byte, 1, false, &done));
    for (size_t i = 70; i < 72; i++)
        OK(vm_cache_write(large, (off_t)PAGES(i), &byte, 1, false, &done));
    sim_file_fail_writes(big, 1, 1000, ERR_IO);
    assert_int_equal(vm_cache_sync(large, 0, INT64_MAX), ERR_IO);
    assert_int_equal(sim_file_writes(big), 32);
    assert_int_equal(modified_pages(), 33);
    sim_file_fail_writes(big, 0, 0, VM_OK);
    OK(vm_cache_sync(large, 0, INT64_MAX));
    assert_int_equal(modified_pages(), 0);
    vm_put_cache(large);
}

/* Two runs of a batch that is to go: the first fails, the second is written all the same. */
static void test_a_failed_run_of_pages_that_go_is_not_the_last(void)
{
    addr_t at;
    uint32_t seen = 0;
    begin();
    map_pages(&at, file, 16, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    for (size_t i = 0; i < 16; i++)
        if (i == 3)
            (void)sim_read_byte(at + PAGES(i));
        else
            OK(sim_write_byte(at + PAGES(i), 77));
    bad[1] = bad[12] = true;
    OK(vm_advise_range(program, at, PAGES(16), VM_ADVICE_PAGEOUT));
    for (size_t i = 0; i < 16; i++)
        if (i != 3)
            assert_int_equal(sim_file_data(file)[PAGES(i)], bad[i] ? i + 1 : 77);
    assert_int_equal(modified_pages(), 2);
    assert_int_equal(vm_cache_take_error(cache, &seen), ERR_IO);
    memset(bad, 0, sizeof bad);
    OK(sync_all());
    end();
}

/* A page that failed with its cluster was written by itself: that is no error. One that has no cluster has failed. */
static void test_each_write_of_a_sync_fails_in_turn(void)
{
    for (unsigned n = 1, done = 0; !done; n++) {
        begin();
        modify((uint8_t)(100 + n));
        sim_fail_at(SIM_FAIL_STORE_WRITE, n, false);
        int error = sync_all();
        done = sim_fail_done(SIM_FAIL_STORE_WRITE) == 0;
        sim_fail_at(SIM_FAIL_STORE_WRITE, 0, false);
        assert_int_equal(error, done || n <= 3 ? VM_OK : ERR_IO);
        assert_int_equal(modified_pages(), error == VM_OK ? 0 : 1);
        OK(sync_all());
        assert_written((uint8_t)(100 + n), 0);
        assert_true(n <= 3 + LONE + 1);
        end();
    }
}

static void test_each_write_of_a_sync_fails_from_one_on(void)
{
    for (unsigned n = 1; n <= 3 + LONE; n++) {
        begin();
        modify((uint8_t)(100 + n));
        sim_fail_at(SIM_FAIL_STORE_WRITE, n, true);
        assert_int_equal(sync_all(), ERR_IO);
        assert_true(modified_pages() > 0);
        sim_fail_at(SIM_FAIL_STORE_WRITE, 0, false);
        OK(sync_all());
        assert_written((uint8_t)(100 + n), 0);
        end();
    }
}

/* Pages that are to go: those that can be written do. Of the other whoever asks next hears, once. */
static void test_a_bad_sector_keeps_one_page_in_memory(void)
{
    addr_t at;
    uint32_t seen = 0;
    begin();
    map_pages(&at, file, 16, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    for (size_t i = 0; i < 16; i++)
        OK(sim_write_byte(at + PAGES(i), 77));
    bad[9] = true;
    OK(vm_advise_range(program, at, PAGES(16), VM_ADVICE_PAGEOUT));
    for (size_t i = 0; i < 16; i++) {
        uint8_t resident;
        OK(vm_get_residency(program, at + PAGES(i), PAGE, &resident));
        assert_int_equal(resident, i == 9);
        assert_int_equal(sim_file_data(file)[PAGES(i)], i == 9 ? 10 : 77);
    }
    assert_int_equal(modified_pages(), 1);
    assert_int_equal(vm_cache_take_error(cache, &seen), ERR_IO);
    OK(vm_cache_take_error(cache, &seen));
    bad[9] = false;
    OK(sync_all());
    assert_int_equal(sim_file_data(file)[PAGES(9)], 77);
    end();
}

/* Nobody hears of what was written after all. */
static void test_pages_that_go_one_by_one_are_no_error(void)
{
    addr_t at;
    uint32_t seen = 0;
    begin();
    map_pages(&at, file, 16, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    for (size_t i = 0; i < 16; i++)
        OK(sim_write_byte(at + PAGES(i), 77));
    sim_fail_at(SIM_FAIL_STORE_WRITE, 1, false);
    OK(vm_advise_range(program, at, PAGES(16), VM_ADVICE_PAGEOUT));
    assert_int_equal(sim_fail_done(SIM_FAIL_STORE_WRITE), 1);
    OK(vm_cache_take_error(cache, &seen));
    assert_int_equal(modified_pages(), 0);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(sim_file_data(file)[PAGES(i)], 77);
    end();
}

UNIT_MAIN("files with places that cannot be written",
          TEST_ON(test_bad_sectors_are_the_only_pages_that_are_not_written, SMALL),
          TEST_ON(test_bad_sectors_of_a_store_that_stops_before_them, SMALL),
          TEST_ON(test_only_the_cluster_of_a_bad_sector_is_written_by_pages, SMALL),
          TEST_ON(test_a_device_that_is_gone_is_not_asked_for_each_page, SMALL),
          TEST_ON(test_the_last_failure_is_a_clusters, SMALL),
          TEST_ON(test_a_failed_run_of_pages_that_go_is_not_the_last, SMALL),
          TEST_ON(test_each_write_of_a_sync_fails_in_turn, SMALL),
          TEST_ON(test_each_write_of_a_sync_fails_from_one_on, SMALL),
          TEST_ON(test_a_bad_sector_keeps_one_page_in_memory, SMALL),
          TEST_ON(test_pages_that_go_one_by_one_are_no_error, SMALL))
