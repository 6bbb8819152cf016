/* SPDX-License-Identifier: MIT */
/* Reclaim at its edges: daemons that don't start, swap that is refused, stores that say less than they were
 * asked for, pages that are held, files that can't be written or have got shorter. */
#include "support.h"

#include <quire/store.h>

#include "../../vm/system.h"

#define SMALL .memory = (size_t)1 << 20, .swap = 1024

static int reclaim_some(void *unused)
{
    (void)unused;
    return (int)vm_reclaim(4);
}

/* ---- swap ---- */

/* Another machine: swap that is added stays until the end. */
static void start_anew(void)
{
    OK(sim_delete_aspace(program));
    sim_end();
    OK(sim_start(&(struct sim_config){.memory = (size_t)1 << 20}));
    program = sim_new_aspace();
}

static bool half;
static const struct vm_store_ops *whole;

static int read_half(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                     size_t *done)
{
    int error = whole->read(store, offset, frames, count, done);
    *done /= half ? 2 : 1;
    return error;
}

static int write_half(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                      size_t *done)
{
    int error = whole->write(store, offset, frames, count, done);
    *done /= half ? 2 : 1;
    return error;
}

/* Reads and writes that stop half-way are errors. */
static void test_swap_that_does_half(void)
{
    start_anew();
    vm_store *store = sim_swap_store(sim_swap_create(64));
    whole = store->ops;
    struct vm_store_ops ops = *whole;
    ops.read = read_half;
    ops.write = write_half;
    store->ops = &ops;
    OK(vm_swap_add(store, 64, "half"));
    region_at(SPOT, 8, LOCK_RW);
    number_pages(SPOT, 8, 1);
    half = true;
    (void)vm_reclaim(8);
    assert_int_equal(figures().swap_outs, 0);
    half = false;
    sim_sleep(SWAP_RESTS);
    assert_true(vm_reclaim(8) >= 8);
    half = true;
    assert_int_equal(sim_read_byte(SPOT), ERR_IO);
    half = false;
    assert_numbered(SPOT, 8, 1);
    store->ops = whole;
    start_anew();
}

static void test_vm_swap_add_refuses_more(void)
{
    static const char long_name[] = "a name that is longer than what figures can have of it";
    vm_swap_info info;
    start_anew();
    vm_store *store = sim_swap_store(sim_swap_create(4));
    whole = store->ops;
    struct vm_store_ops ops = *whole;
    ops.write = NULL;
    store->ops = &ops;
    assert_int_equal(vm_swap_add(store, 4, "x"), ERR_INVALID_ARGS);
    store->ops = whole;
    assert_int_equal(vm_swap_add(store, (size_t)1 << 29, "x"), ERR_INVALID_ARGS);
    assert_int_equal(vm_swap_add(store, ((size_t)1 << 29) - 1, "x"),
                     ERR_NO_MEMORY); /* for the map */
    sim_fail_at(SIM_FAIL_METADATA, 1, true);
    assert_int_equal(vm_swap_add(store, 4, "x"), ERR_NO_MEMORY);
    sim_fail_at(SIM_FAIL_METADATA, 0, false);
    OK(vm_swap_add(store, 4, long_name));
    for (unsigned i = 1; i < 8; i++)
        OK(vm_swap_add(sim_swap_store(sim_swap_create(4)), 4, "more"));
    store = sim_swap_store(sim_swap_create(4));
    assert_int_equal(vm_swap_add(store, 4, "ninth"), ERR_UNSUPPORTED);
    store->ops->destroy(store);
    OK(vm_get_swap_info(0, &info));
    assert_int_equal(strlen(info.name), VM_NAME_LENGTH - 1);
    assert_memory_equal(info.name, long_name, VM_NAME_LENGTH - 1);
    start_anew();
}

/* ---- holding ---- */

static void map_device(void)
{
    void *at = PTR(SPOT);
    assert_true(vm_map_physical_memory(program, "device", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                       LOCK_RW, SIM_DEVICE_LOW) > 0);
}

static void test_vm_hold_page_of_a_device(void)
{
    addr_t physical;
    map_device();
    assert_int_equal(vm_hold_page(program, SPOT, VM_ACCESS_READ, &physical), ERR_UNSUPPORTED);
    vm_system.reclaim.gone = SIZE_MAX / 2;
    reclaim_collect(); /* there is nothing to collect of it */
}

/* What the host has written to a page that it held is not lost. */
static void test_vm_unhold_page_modified(void)
{
    addr_t physical;
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t at;
    map_pages(&at, file, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(vm_hold_page(program, at, VM_ACCESS_READ, &physical));
    *(uint8_t *)sim_physical(physical) = 77;
    vm_unhold_page(physical, true);
    assert_true(vm_reclaim(1) >= 1);
    assert_int_equal(sim_file_data(file)[0], 77);
}

static void test_vm_allocate_reserved_frame_runs_out(void)
{
    static addr_t frames[2048];
    size_t count = 0;
    int error;
    while ((error = vm_allocate_reserved_frame(&frames[count])) == VM_OK)
        count++;
    assert_int_equal(error, ERR_NO_MEMORY);
    assert_int_equal(sim_free_frames(), 0);
    while (count > 0)
        vm_free_frames(frames[--count], 1);
}

/* ---- notices, daemons ---- */

static void test_vm_memory_subscribe_without_a_function(void)
{
    struct vm_memory_notice notice = {.notify = NULL};
    assert_int_equal(vm_memory_subscribe(&notice), ERR_INVALID_ARGS);
}

/* The thread that logs is the first, each daemon one more: whichever fails, none is left. */
static void test_vm_init_postthread_without_a_daemon(void)
{
    OK(sim_delete_aspace(program));
    sim_end();
    for (unsigned n = 1; n <= 3; n++) {
        struct sim_config config = {.page_daemons = 2, .fail_n = n, .fail_class = SIM_FAIL_THREAD};
        assert_int_equal(sim_start(&config), ERR_NO_MEMORY);
    }
    kernel_args ka;
    sim_power_on(&(struct sim_config){.page_daemons = VM_MAX_PAGE_DAEMONS + 1}, &ka);
    assert_int_equal(vm_init(&ka), ERR_INVALID_ARGS);
    OK(sim_start(NULL));
    program = sim_new_aspace();
}

/* ---- files ---- */

static vm_cache_ref *modified_file(sim_file **file, const char *path, size_t pages)
{
    vm_cache_ref *cache;
    uint8_t byte = 99;
    size_t done;
    *file = sim_file_create_numbered(path, pages);
    OK(vm_get_vnode_cache(*file, &cache));
    for (size_t i = 0; i < pages; i++)
        OK(vm_cache_write(cache, (off_t)PAGES(i), &byte, 1, false, &done));
    return cache;
}

/* A file that lives in its cache: its modified pages stay, whoever asks, and nobody hears of an error. */
static void test_a_file_that_cannot_be_written_stays(void)
{
    sim_file *file;
    uint32_t seen = 0;
    vm_cache_ref *cache = modified_file(&file, "/f", 4);
    sim_file_forbid_writing(file);
    (void)vm_reclaim(4);
    assert_int_equal(figures().file_pages, 4);
    assert_int_equal(figures().modified_file_pages, 0); /* nobody need look after them */
    (void)vm_reclaim(4);
    assert_int_equal(figures().file_pages, 4);
    OK(vm_cache_take_error(cache, &seen));
    OK(vm_sync_files());
    vm_cache_discard(cache);
    vm_put_cache(cache);
}

/* What lies behind the end waits for the file to be longer. */
static void test_pages_behind_the_end_stay(void)
{
    sim_file *file;
    vm_cache_ref *cache = modified_file(&file, "/f", 4);
    sim_file_set_size(file, PAGES(2)); /* and the core hears of it only later */
    (void)vm_reclaim(8);
    assert_int_equal(figures().file_pages, 2);
    assert_int_equal(figures().page_outs, 2);
    assert_true(figures().kept > 0);
    OK(vm_cache_truncate(cache, (off_t)PAGES(2)));
    assert_int_equal(figures().file_pages, 0);
    vm_put_cache(cache);
}

/* The tail of the last page isn't written, so the page isn't clean. */
static void test_a_tail_behind_the_end_is_not_forgotten(void)
{
    addr_t at;
    sim_file *file = sim_file_create_numbered("/f", 1);
    sim_file_set_size(file, 100);
    map_pages(&at, file, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(sim_write_byte(at + 200, 5));
    (void)vm_reclaim(1);
    sim_file_set_size(file, PAGE);
    OK(vm_sync_range(program, at, PAGE));
    assert_int_equal(sim_file_data(file)[200], 5);
}

/* The first of two runs fails: the second isn't tried. */
static void test_a_batch_stops_at_an_error(void)
{
    sim_file *file = sim_file_create_numbered("/f", 8);
    vm_cache_ref *cache;
    uint8_t byte = 99;
    size_t done;
    OK(vm_get_vnode_cache(file, &cache));
    for (off_t i = 0; i < 8; i += 2)
        OK(vm_cache_write(cache, i * (off_t)PAGE, &byte, 1, false, &done));
    sim_file_fail_writes(file, 1, 1, ERR_IO);
    (void)vm_reclaim(1);
    assert_true(figures().write_errors > 0);
    OK(vm_cache_sync(cache, 0, INT64_MAX));
    for (size_t i = 0; i < 8; i += 2)
        assert_int_equal(sim_file_data(file)[PAGES(i)], 99);
    vm_put_cache(cache);
}

/* A copy at the limit writes its own file first, then others: what mappings have modified. */
static void test_who_writes_much_writes_other_files(void)
{
    sim_file *file[2], *own;
    addr_t at;
    uint8_t byte = 1;
    size_t done;
    for (unsigned i = 0; i < 2; i++) {
        file[i] = sim_file_create_numbered((const char *[]){"/a", "/b"}[i], 40);
        map_pages(&at, file[i], 40, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
        number_pages(at, 40, 100);
    }
    vm_system.reclaim.gone = SIZE_MAX / 2;
    reclaim_collect();
    assert_int_equal(figures().modified_file_pages, 80);
    vm_cache_ref *cache = modified_file(&own, "/c", 1);
    assert_true(sim_file_writes(file[0]) > 0);     /* the oldest */
    assert_int_equal(sim_file_writes(file[1]), 0); /* that was enough */
    OK(vm_cache_write(cache, 0, &byte, 1, false, &done));
    assert_int_equal(sim_file_writes(file[1]), 0);
    vm_put_cache(cache);
}

static int sync_files(void *unused)
{
    (void)unused;
    return vm_sync_files();
}

/* Who goes round finds one file less than there were. */
static void test_vm_sync_files_while_a_file_goes(void)
{
    sim_file *first, *second;
    vm_cache_ref *stays = modified_file(&first, "/a", 1), *goes;
    second = sim_file_create_numbered("/b", 1);
    OK(vm_get_vnode_cache(second, &goes));
    sim_file_block_writes(first, true);
    sim_fiber *syncer = sim_spawn("syncer", sync_files, NULL);
    assert_int_equal(sim_run_until_blocked(), 1);
    vm_put_cache(goes);
    sim_file_block_writes(first, false);
    sim_run();
    OK(sim_fiber_result(syncer));
    assert_int_equal(sim_file_data(first)[0], 99);
    vm_put_cache(stays);
}

static int stop_daemons(void *unused)
{
    (void)unused;
    reclaim_stop_daemons();
    return VM_OK;
}

/* A daemon that is to end does so behind the page it writes, however few frames are free. */
static void test_daemons_end_before_there_is_enough(void)
{
    static addr_t frames[512];
    size_t count = 0;
    struct vm_page_pool *pool = &vm_system.pages;
    region_at(SPOT, 16 * 16, LOCK_RW);
    for (size_t i = 0; i < 16; i++) /* none lies beside another */
        OK(sim_write_byte(SPOT + PAGES(16 * i), 1));
    sim_swap_block(sim_boot_swap(), true);
    while (pool->count[VM_PAGE_FREE] + pool->count[VM_PAGE_CLEAR] >= pool->reserve.low)
        OK(vm_allocate_frames(1, false, &frames[count++]));
    assert_int_equal(sim_run_until_blocked(), 0);
    assert_int_equal(sim_swap_blocked(sim_boot_swap()), 1);
    while (vm_allocate_reserved_frame(&frames[count]) == VM_OK)
        count++;
    sim_fiber *stopper = sim_spawn("stopper", stop_daemons, NULL);
    assert_int_equal(sim_run_until_blocked(), 1);
    sim_swap_block(sim_boot_swap(), false);
    sim_run();
    OK(sim_fiber_result(stopper));
    assert_int_equal(vm_system.reclaim.daemons, 0);
    assert_true(pool->count[VM_PAGE_FREE] + pool->count[VM_PAGE_CLEAR] < pool->reserve.high);
    while (count > 0)
        vm_free_frames(frames[--count], 1);
}

static void test_daemons_write_when_much_is_modified(void)
{
    sim_file *file;
    vm_cache_ref *cache = modified_file(&file, "/f", 40);
    reclaim_wake();
    sim_sleep((uint64_t)2500 * 1000000); /* nothing is old yet */
    assert_int_equal(figures().modified_file_pages, 0);
    vm_put_cache(cache);
}

/* A page of memory that was never written has no home where something shows through its cache. */
static void test_zeros_over_a_source_are_written(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    aspace_id child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
    OK(vm_discard_range(program, SPOT, PAGES(2)));
    assert_byte(SPOT, 0);
    assert_true(vm_reclaim(8) > 4);
    assert_int_equal(figures().clean_evictions, 0);
    assert_int_equal(figures().swap_outs, 5);
    assert_byte(SPOT, 0);
    assert_numbered(SPOT + PAGES(2), 2, 3);
    OK(sim_delete_aspace(child));
}

/* Without swap, memory stays; pages that were never written go all the same, unless something shows through. */
static void test_memory_without_swap(void)
{
    region_at(SPOT, 8, LOCK_RW);
    number_pages(SPOT, 4, 1);
    for (size_t i = 4; i < 8; i++)
        assert_byte(SPOT + PAGES(i), 0);
    assert_true(vm_reclaim(8) >= 4);
    assert_int_equal(figures().evictions, 4);
    assert_int_equal(figures().clean_evictions, 4);
    aspace_id child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
    OK(vm_discard_range(program, SPOT, PAGES(2)));
    assert_byte(SPOT, 0);
    (void)vm_reclaim(8);
    assert_byte(SPOT, 0);
    assert_numbered(SPOT + PAGES(2), 2, 3);
    OK(sim_delete_aspace(child));
}

/* What was discarded while it was written goes, however often it is said. */
static void test_discarded_twice_while_it_is_written(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    sim_swap_block(sim_boot_swap(), true);
    (void)sim_spawn("reclaimer", reclaim_some, NULL);
    sim_run_until_blocked();
    OK(vm_discard_range(program, SPOT, PAGES(4)));
    OK(vm_discard_range(program, SPOT, PAGES(4)));
    sim_swap_block(sim_boot_swap(), false);
    sim_run();
    for (size_t i = 0; i < 4; i++)
        assert_byte(SPOT + PAGES(i), 0);
    assert_int_equal(figures().free_swap_slots, 1024);
}

UNIT_MAIN("reclaim edges", TEST_ON(test_swap_that_does_half, .memory = (size_t)1 << 20),
          TEST_ON(test_vm_swap_add_refuses_more, .memory = (size_t)1 << 20),
          TEST(test_vm_hold_page_of_a_device), TEST_ON(test_vm_unhold_page_modified, SMALL),
          TEST_ON(test_vm_allocate_reserved_frame_runs_out, .memory = (size_t)4 << 20),
          TEST(test_vm_memory_subscribe_without_a_function),
          TEST(test_vm_init_postthread_without_a_daemon),
          TEST_ON(test_a_file_that_cannot_be_written_stays, SMALL),
          TEST_ON(test_pages_behind_the_end_stay, SMALL),
          TEST_ON(test_a_tail_behind_the_end_is_not_forgotten, SMALL),
          TEST_ON(test_a_batch_stops_at_an_error, SMALL),
          TEST_ON(test_who_writes_much_writes_other_files, SMALL),
          TEST_ON(test_vm_sync_files_while_a_file_goes, SMALL),
          TEST_ON(test_daemons_end_before_there_is_enough, SMALL, .page_daemons = 1),
          TEST_ON(test_daemons_write_when_much_is_modified, SMALL, .page_daemons = 1),
          TEST_ON(test_memory_without_swap, .memory = (size_t)1 << 20),
          TEST_ON(test_discarded_twice_while_it_is_written, SMALL),
          TEST_ON(test_zeros_over_a_source_are_written, SMALL))
