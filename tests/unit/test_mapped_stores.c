/* SPDX-License-Identifier: MIT */
/* Stores for Linux programs as objects that are mapped, on the simulated machine: a real file under pages of simulated
 * memory. */
#include "support.h"

#include <stdlib.h>
#include <unistd.h>

#include <quire/stores.h>

#include "../stores/trouble.h"

#define LENGTH (5 * PAGE + 100)

static int file;
static struct trouble trouble;

static vm_store *make_file(unsigned flags)
{
    char name[] = "quire-mapped-XXXXXX";
    vm_store *store;
    file = mkstemp(name);
    assert_true(file >= 0 && unlink(name) == 0);
    for (size_t i = 0; i < LENGTH + 50; i += 50)
        assert_int_equal(pwrite(file, &i, sizeof i, (off_t)i), sizeof i);
    struct vm_store_file_options options = {
        .descriptor = file, .flags = flags, .length = (off_t)LENGTH};
    OK(vm_store_create_file(&options, &store));
    return store;
}

/* What is in the file at that place. */
static size_t in_file(size_t at)
{
    size_t word = 0;
    assert_int_equal(pread(file, &word, sizeof word, (off_t)at), sizeof word);
    return word;
}

/* All of it at SPOT; the store is the region's. */
static region_id map_store(vm_store *store, unsigned lock, int mapping)
{
    vm_cache_ref *cache;
    void *at = PTR(SPOT);
    OK(vm_create_cache(store, (off_t)LENGTH, &cache));
    region_id id = vm_map_cache(program, "store", &at, REGION_ADDR_EXACT_ADDRESS, 8 * PAGE, lock,
                                mapping, cache, 0);
    assert_true(id > 0);
    vm_put_cache(cache);
    return id;
}

static size_t word_at(size_t at)
{
    size_t word = 0;
    OK(sim_read(SPOT + at, &word, sizeof word));
    return word;
}

static void check_and_write(void)
{
    size_t seventy = 70;
    for (size_t at = 0; at + 50 < LENGTH; at += 50)
        assert_int_equal(word_at(at), at);
    assert_int_equal(sim_read_byte(SPOT + LENGTH), 0); /* behind the end, in its page */
    assert_int_equal(sim_read_byte(SPOT + 6 * PAGE), ERR_VM_PF_PAST_END);
    OK(sim_write(SPOT + 2 * PAGE, &seventy, sizeof seventy));
    OK(sim_write(SPOT + 5 * PAGE + 50, &seventy, sizeof seventy));
    OK(sim_write_byte(SPOT + LENGTH + 9, 1)); /* nobody's */
    OK(vm_sync_range(program, SPOT, 6 * PAGE));
    assert_int_equal(in_file(2 * PAGE), 70);
    assert_int_equal(in_file(5 * PAGE + 50), 70);
    assert_int_equal(lseek(file, 0, SEEK_END), LENGTH + 50 + sizeof(size_t) - LENGTH % 50);
}

static void test_a_file(void)
{
    region_id id = map_store(make_file(VM_STORE_FILE_WRITABLE), LOCK_RW, REGION_NO_PRIVATE_MAP);
    check_and_write();
    OK(vm_delete_region(program, id));
    close(file);
}

static void test_a_checked_file(void)
{
    vm_store *store;
    struct vm_store_checksum_options options = {.below = make_file(VM_STORE_FILE_WRITABLE),
                                                .pages = 6};
    OK(vm_store_create_checksum(&options, &store));
    region_id id = map_store(store, LOCK_RW, REGION_NO_PRIVATE_MAP);
    check_and_write();
    OK(vm_advise_range(program, SPOT, 6 * PAGE, VM_ADVICE_PAGEOUT));
    assert_int_equal(word_at(2 * PAGE), 70);
    OK(vm_advise_range(program, SPOT, 6 * PAGE, VM_ADVICE_PAGEOUT));
    assert_int_equal(pwrite(file, "x", 1, 2 * PAGE + 9), 1);
    assert_int_equal(sim_read_byte(SPOT + 2 * PAGE), ERR_IO);
    OK(vm_delete_region(program, id));
    close(file);
}

/* Of a file that gets shorter, what is gone is the error of who accesses it; what was in memory stays. */
static void test_a_file_that_gets_shorter(void)
{
    region_id id = map_store(make_file(0), LOCK_RO, REGION_NO_PRIVATE_MAP);
    size_t word;
    assert_int_equal(word_at(0), 0);
    OK(vm_advise_range(program, SPOT, 6 * PAGE, VM_ADVICE_PAGEOUT));
    assert_int_equal(ftruncate(file, 2 * PAGE), 0);
    int error = sim_read(SPOT + 3 * PAGE, &word, sizeof word);
    assert_int_equal(error, ERR_VM_PF_PAST_END);
    assert_int_equal(word_at(PAGE + 4), 4100);
    assert_int_equal(sim_read(SPOT + 2 * PAGE, &word, sizeof word), ERR_VM_PF_PAST_END);
    OK(vm_delete_region(program, id));
    close(file);
}

static void test_a_compressed_object(void)
{
    vm_store *store;
    struct vm_store_compressed_options options = {.pages = 64};
    OK(vm_store_create_compressed(&options, &store));
    vm_cache_ref *cache;
    void *at = PTR(SPOT);
    OK(vm_create_cache(store, (off_t)PAGES(64), &cache));
    region_id id = vm_map_cache(program, "compressed", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(65),
                                LOCK_RW, REGION_NO_PRIVATE_MAP, cache, 0);
    assert_true(id > 0);
    number_pages(SPOT, 64, 1);
    OK(vm_advise_range(program, SPOT, PAGES(64), VM_ADVICE_PAGEOUT));
    struct vm_store_compressed_info info;
    vm_store_compressed_info(store, &info);
    assert_int_equal(info.pages, 64);
    assert_true(info.bytes < 64 * 100);
    assert_numbered(SPOT, 64, 1);
    assert_int_equal(sim_read_byte(SPOT + PAGES(64)), ERR_VM_PF_PAST_END);
    OK(vm_delete_region(program, id));
    vm_put_cache(cache);
}

/* The pages that were to be read with one that can't be are read when somebody wants them. */
static void test_reads_that_fail(void)
{
    region_id id = map_store(trouble_begin(&trouble, make_file(0)), LOCK_RO, REGION_NO_PRIVATE_MAP);
    size_t word;
    trouble.fail_read = 1;
    trouble.for_good = true;
    assert_int_equal(sim_read(SPOT, &word, sizeof word), ERR_IO);
    trouble.for_good = false;
    assert_int_equal(word_at(0), 0);
    assert_int_equal(word_at(3 * PAGE + 12), 12300);
    OK(vm_delete_region(program, id));
    close(file);
}

UNIT_MAIN("stores that are mapped", TEST(test_a_file), TEST(test_a_checked_file),
          TEST(test_a_file_that_gets_shorter), TEST(test_a_compressed_object),
          TEST(test_reads_that_fail))
