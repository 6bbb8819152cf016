/* SPDX-License-Identifier: MIT */
/* Devices with a place that can't be read, and devices that can't be written at all. */
#include "support.h"

#include <quire/store.h>

#include "../../vm/cache.h"

#define SMALL .memory = (size_t)1 << 20, .swap = 64
#define FOREVER 1000000

/* ---- a place that can't be read ---- */

static const struct vm_store_ops *good;
static off_t bad; /* offset in the store; -1: none */
static unsigned reads;

static int read_but_for_bad(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                            size_t *done)
{
    reads++;
    if (bad >= offset && bad < offset + (off_t)PAGES(count))
        return ERR_IO;
    return good->read(store, offset, frames, count, done);
}

static struct vm_store_ops with_bad;

static void begin_bad(vm_store *store)
{
    good = store->ops;
    with_bad = *good;
    with_bad.read = read_but_for_bad;
    store->ops = &with_bad;
    reads = 0;
}

static void test_a_bad_sector_of_swap_is_one_pages_error(void)
{
    vm_store *store = sim_swap_store(sim_boot_swap());
    region_at(SPOT, 16, LOCK_RW);
    number_pages(SPOT, 16, 1);
    OK(vm_advise_range(program, SPOT, PAGES(16), VM_ADVICE_PAGEOUT));
    begin_bad(store);
    bad = PAGES(5);
    assert_int_equal(sim_read_byte(SPOT + PAGES(5)), ERR_IO);
    for (size_t i = 0; i < 16; i++)
        if (i != 5)
            assert_byte(SPOT + PAGES(i), (uint8_t)(i + 1));
    assert_int_equal(sim_read_byte(SPOT + PAGES(5)), ERR_IO);
    SIM_CHECK();
    bad = -1;
    assert_numbered(SPOT, 16, 1);
    store->ops = good;
}

static void test_a_bad_sector_of_a_file_is_one_pages_error(void)
{
    sim_file *file = sim_file_create_numbered("/f", 16);
    vm_cache_ref *cache;
    addr_t at;
    map_pages(&at, file, 16, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(vm_get_vnode_cache(file, &cache));
    vm_store *store = cache->cache->store;
    begin_bad(store);
    bad = PAGES(3);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(sim_read_byte(at + PAGES(i)), i == 3 ? ERR_IO : (int)i + 1);
    SIM_CHECK();
    bad = -1;
    assert_byte(at + PAGES(3), 4);
    store->ops = good;
    vm_put_cache(cache);
}

/* What is asked for fails twice, then the error is known: the neighbours are not tried one by one. */
static void test_a_device_that_is_gone_is_asked_twice(void)
{
    vm_store *store = sim_swap_store(sim_boot_swap());
    region_at(SPOT, 16, LOCK_RW);
    number_pages(SPOT, 16, 1);
    OK(vm_advise_range(program, SPOT, PAGES(16), VM_ADVICE_PAGEOUT));
    begin_bad(store);
    bad = 0;
    assert_int_equal(sim_read_byte(SPOT), ERR_IO);
    assert_int_equal(reads, 2);
    bad = -1;
    store->ops = good;
}

/* ---- an area that can't be written ---- */

static void reclaim_often(void)
{
    for (unsigned i = 0; i < 20; i++)
        (void)vm_reclaim(64);
}

static void test_an_area_that_fails_is_left_alone_for_a_while(void)
{
    sim_swap *swap = sim_boot_swap();
    region_at(SPOT, 60, LOCK_RW);
    number_pages(SPOT, 60, 1);
    sim_swap_fail_writes(swap, 1, FOREVER);
    reclaim_often();
    unsigned writes = sim_swap_writes(swap);
    assert_in_range(writes, 32, 36); /* a batch may be two runs of slots */
    reclaim_often();
    assert_int_equal(sim_swap_writes(swap), writes);
    sim_sleep(SWAP_RESTS);
    reclaim_often();
    assert_in_range(sim_swap_writes(swap), writes + 32, writes + 36);
    sim_swap_fail_writes(swap, 0, 0);
    reclaim_often();
    assert_int_equal(figures().swap_outs, 0);
    sim_sleep(SWAP_RESTS);
    reclaim_often();
    assert_true(figures().swap_outs >= 60);
    assert_numbered(SPOT, 60, 1);
    SIM_CHECK();
}

/* Nobody needs to be short of frames for that. */
static void test_page_out_works_again_after_a_rest(void)
{
    sim_swap *swap = sim_boot_swap();
    region_at(SPOT, 16, LOCK_RW);
    number_pages(SPOT, 16, 1);
    sim_swap_fail_writes(swap, 1, FOREVER);
    for (unsigned i = 0; i < 40; i++)
        OK(vm_advise_range(program, SPOT, PAGES(16), VM_ADVICE_PAGEOUT));
    assert_int_equal(sim_swap_writes(swap), 32);
    sim_swap_fail_writes(swap, 0, 0);
    OK(vm_advise_range(program, SPOT, PAGES(16), VM_ADVICE_PAGEOUT));
    assert_int_equal(figures().swap_outs, 0);
    sim_sleep(SWAP_RESTS);
    OK(vm_advise_range(program, SPOT, PAGES(16), VM_ADVICE_PAGEOUT));
    assert_int_equal(figures().swap_outs, 16);
}

static struct vm_store_ops changed;
static bool full;

static int write_but_for_bad(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                             size_t *done)
{
    return offset < (off_t)PAGES(512) ? ERR_IO : good->write(store, offset, frames, count, done);
}

/* Half of a device is bad, the half that is tried first. */
static void test_a_bad_stretch_is_passed_over(void)
{
    vm_store *store = sim_swap_store(sim_boot_swap());
    unsigned seconds = 0;
    good = store->ops;
    changed = *good;
    changed.write = write_but_for_bad;
    store->ops = &changed;
    region_at(SPOT, 60, LOCK_RW);
    number_pages(SPOT, 60, 1);
    for (reclaim_often(); figures().swap_outs == 0 && seconds < 100; reclaim_often(), seconds++)
        sim_sleep(SWAP_RESTS);
    assert_true(seconds <= 2);
    store->ops = good;
}

static int write_if_room(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                         size_t *done)
{
    return full ? ERR_NO_MEMORY : good->write(store, offset, frames, count, done);
}

static void forget(vm_store *store, off_t offset, size_t count)
{
    (void)store, (void)count;
    full = full && offset >= (off_t)PAGES(8);
}

/* As a store of compressed pages is: what leaves it makes room. */
static void test_a_full_store_is_used_as_soon_as_it_has_room(void)
{
    vm_store *store = sim_swap_store(sim_boot_swap());
    good = store->ops;
    changed = *good;
    changed.write = write_if_room;
    changed.discard = forget;
    region_at(SPOT, 8, LOCK_RW);
    number_pages(SPOT, 8, 1);
    OK(vm_advise_range(program, SPOT, PAGES(8), VM_ADVICE_PAGEOUT));
    store->ops = &changed;
    region_at(SPOT + PAGES(64), 40, LOCK_RW);
    number_pages(SPOT + PAGES(64), 40, 1);
    full = true;
    reclaim_often();
    assert_true(full);
    assert_int_equal(figures().swap_outs, 8);
    OK(vm_discard_range(program, SPOT, PAGES(8)));
    assert_false(full);
    assert_true(vm_reclaim(64) > 0);
    assert_numbered(SPOT + PAGES(64), 40, 1);
    store->ops = good;
}

/* Errors now and then are no reason. */
static void test_an_area_that_fails_now_and_then_is_used(void)
{
    sim_swap *swap = sim_boot_swap();
    region_at(SPOT, 60, LOCK_RW);
    for (unsigned round = 0; round < 20; round++) {
        number_pages(SPOT, 60, 1);
        sim_swap_fail_writes(swap, 1, 4);
        size_t freed = vm_reclaim(60);
        sim_swap_fail_writes(swap, 0, 0);
        assert_true(freed + vm_reclaim(60) >= 60);
    }
    assert_numbered(SPOT, 60, 1);
}

static void test_another_area_is_used_meanwhile(void)
{
    sim_swap *swap = sim_boot_swap();
    OK(vm_swap_add(sim_swap_store(sim_swap_create(64)), 64, "second"));
    region_at(SPOT, 60, LOCK_RW);
    number_pages(SPOT, 60, 1);
    sim_swap_fail_writes(swap, 1, FOREVER);
    reclaim_often();
    vm_swap_info info;
    OK(vm_get_swap_info(1, &info));
    assert_true(info.pages_written >= 60);
    assert_true(sim_swap_writes(swap) <= 36);
    sim_swap_fail_writes(swap, 0, 0);
    sim_sleep(SWAP_RESTS);
    number_pages(SPOT, 60, 2);
    reclaim_often();
    OK(vm_get_swap_info(0, &info));
    assert_true(info.pages_written > 0);
    assert_numbered(SPOT, 60, 2);
    SIM_CHECK();
}

/* Who needs a frame hears soon that there is none, and what is in swap can be read all the time. */
static void test_memory_is_full_when_swap_rests(void)
{
    sim_swap *swap = sim_boot_swap();
    region_at(SPOT, 256, LOCK_RW);
    number_pages(SPOT, 8, 1);
    OK(vm_advise_range(program, SPOT, PAGES(8), VM_ADVICE_PAGEOUT));
    sim_swap_fail_writes(swap, 1, FOREVER);
    int error = VM_OK;
    size_t i = 8;
    while (i < 256 && (error = sim_write_byte(SPOT + PAGES(i), 9)) == VM_OK)
        i++;
    assert_int_equal(error, ERR_NO_MEMORY);
    assert_true(sim_swap_writes(swap) <= 38);
    OK(vm_discard_range(program, SPOT + PAGES(8), PAGES(16)));
    assert_numbered(SPOT, 8, 1);
    sim_swap_fail_writes(swap, 0, 0);
}

UNIT_MAIN("devices with bad places", TEST_ON(test_a_bad_sector_of_swap_is_one_pages_error, SMALL),
          TEST_ON(test_a_bad_sector_of_a_file_is_one_pages_error, SMALL),
          TEST_ON(test_a_device_that_is_gone_is_asked_twice, SMALL),
          TEST_ON(test_an_area_that_fails_is_left_alone_for_a_while, SMALL),
          TEST_ON(test_page_out_works_again_after_a_rest, SMALL),
          TEST_ON(test_a_bad_stretch_is_passed_over, .memory = (size_t)1 << 20, .swap = 1024),
          TEST_ON(test_a_full_store_is_used_as_soon_as_it_has_room, SMALL),
          TEST_ON(test_an_area_that_fails_now_and_then_is_used, SMALL),
          TEST_ON(test_another_area_is_used_meanwhile, SMALL),
          TEST_ON(test_memory_is_full_when_swap_rests, SMALL))
