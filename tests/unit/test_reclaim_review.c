/* SPDX-License-Identifier: MIT */
/* What a review of reclaim found, and what must not follow from mending it. */
#include "support.h"

#include <quire/store.h>

#include "../../vm/aspace.h"
#include "../../vm/cache.h"
#include "../../vm/system.h"

#define SMALL .memory = (size_t)1 << 20, .swap = 1024
#define NO_SWAP .memory = (size_t)1 << 20

static void write_pages(addr_t base, size_t count, unsigned round)
{
    for (size_t i = 0; i < count; i++)
        OK(sim_write_byte(base + PAGES(i), (uint8_t)(i * 7 + round)));
}

static void check_pages(addr_t base, size_t count, unsigned round)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(sim_read_byte(base + PAGES(i)), (uint8_t)(i * 7 + round));
}

/* ---- ghosts ---- */

/* A page that could not be written stays where it was: it didn't go and come back. */
static void test_a_page_that_stays_is_no_refault(void)
{
    region_at(SPOT, 8, LOCK_RW);
    write_pages(SPOT, 8, 1);
    sim_swap_fail_writes(sim_boot_swap(), 1, 1000);
    (void)vm_reclaim(8);
    assert_true(figures().kept >= 8);
    assert_int_equal(figures().refaults, 0);
    assert_int_equal(vm_system.pages.target, 0);
    assert_int_equal(vm_system.pages.ghosts.count[VM_GHOST_RECENT], 0);
    assert_int_equal(vm_system.pages.ghosts.count[VM_GHOST_FREQUENT], 0);
    SIM_CHECK();
}

static void test_a_page_that_was_written_is_remembered(void)
{
    region_at(SPOT, 8, LOCK_RW);
    write_pages(SPOT, 8, 1);
    assert_true(vm_reclaim(8) >= 8);
    assert_int_equal(vm_system.pages.ghosts.count[VM_GHOST_RECENT], 8);
    check_pages(SPOT, 8, 1);
    assert_true(figures().refaults > 0);
}

/* ---- writes that are too short ---- */

static unsigned char disk[4 * 4096];
static size_t longest_write;

static void disk_destroy(vm_store *store)
{
    (void)store;
}

static int disk_read(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                     size_t *done)
{
    (void)store;
    for (size_t i = 0; i < count; i++)
        memcpy(sim_physical(frames[i]), disk + offset + i * PAGE, PAGE);
    *done = count * PAGE;
    return VM_OK;
}

static int disk_write(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                      size_t *done)
{
    (void)store;
    *done = count * PAGE < longest_write ? count * PAGE : longest_write;
    for (size_t at = 0; at < *done; at++)
        disk[(size_t)offset + at] = ((unsigned char *)sim_physical(frames[at / PAGE]))[at % PAGE];
    return VM_OK;
}

static bool disk_has_page(vm_store *store, off_t offset)
{
    (void)store;
    return offset < (off_t)sizeof disk;
}

static const struct vm_store_ops disk_ops = {
    .destroy = disk_destroy, .has_page = disk_has_page, .read = disk_read, .write = disk_write};

static vm_store the_disk;

static void map_disk(void)
{
    vm_cache_ref *cache;
    void *at = PTR(SPOT);
    memset(disk, 0, sizeof disk);
    the_disk = (vm_store){.ops = &disk_ops};
    OK(vm_create_cache(&the_disk, (off_t)sizeof disk, &cache));
    assert_true(vm_map_cache(program, "disk", &at, REGION_ADDR_EXACT_ADDRESS, sizeof disk, LOCK_RW,
                             REGION_NO_PRIVATE_MAP, cache, 0) > 0);
    vm_put_cache(cache);
}

static void test_a_short_write_at_sync_is_an_error(void)
{
    map_disk();
    write_pages(SPOT, 4, 1);
    longest_write = 100; /* of a page that is written by itself, too */
    assert_int_equal(vm_sync_range(program, SPOT, PAGES(4)), ERR_IO);
    longest_write = SIZE_MAX;
    OK(vm_sync_range(program, SPOT, PAGES(4)));
    assert_int_equal(disk[PAGES(3)], 3 * 7 + 1);
}

static void test_a_short_write_keeps_the_page(void)
{
    map_disk();
    write_pages(SPOT, 4, 1);
    longest_write = 100;
    OK(vm_advise_range(program, SPOT, PAGES(4), VM_ADVICE_PAGEOUT));
    assert_true(figures().evictions == 0);
    assert_true(figures().write_errors > 0);
    check_pages(SPOT, 4, 1);
    longest_write = SIZE_MAX;
    assert_int_equal(vm_sync_range(program, SPOT, PAGES(4)), ERR_IO); /* of before */
    OK(vm_sync_range(program, SPOT, PAGES(4)));
    assert_int_equal(disk[PAGES(3)], 3 * 7 + 1);
}

/* A file that ends within its last page is not written short. */
static void test_a_files_last_bytes_are_enough(void)
{
    sim_file *file = sim_file_create("/f", NULL, 100, ALL_ACCESS);
    addr_t at = SPOT;
    map_pages(&at, file, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(sim_write_byte(at, 9));
    OK(vm_advise_range(program, at, PAGE, VM_ADVICE_PAGEOUT));
    assert_int_equal(figures().evictions, 1);
    assert_int_equal(figures().write_errors, 0);
    assert_byte(at, 9);
}

/* ---- the last reference ---- */

static int page_out(void *at)
{
    return vm_advise_range(program, *(addr_t *)at, PAGE, VM_ADVICE_PAGEOUT);
}

/* The region goes while reclaim writes its page, and that write fails: reclaim has the last reference, and the
 * page its last chance. */
static void test_a_failed_write_beside_the_last_reference_is_tried_again(void)
{
    sim_file *file = sim_file_create("/f", NULL, PAGE, ALL_ACCESS);
    addr_t at = SPOT;
    region_id id = map_pages(&at, file, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(sim_write_byte(at, 9));
    sim_file_block_writes(file, true);
    sim_file_fail_writes(file, 1, 1, ERR_IO);
    sim_spawn("pageout", page_out, &at);
    (void)sim_run_until_blocked();
    assert_int_equal(sim_file_blocked(file), 1);
    vm_cache_ref *ref;
    OK(vm_get_vnode_cache(file, &ref));
    ref->written = true; /* as whoever was the last for a moment has left it */
    OK(vm_delete_region(program, id));
    vm_put_cache(ref);
    sim_file_block_writes(file, false);
    sim_run();
    assert_int_equal(sim_file_writes(file), 2);
    assert_int_equal(sim_file_data(file)[0], 9);
}

/* ---- discarding ---- */

/* What was lost of a part that was unmapped is no loss of what comes in its place. */
static void test_unmapping_forgets_what_was_lost(void)
{
    bool lost = true;
    region_id id = region_at(SPOT, 4, LOCK_RW);
    write_pages(SPOT, 4, 1);
    OK(vm_advise_range(program, SPOT, PAGES(4), VM_ADVICE_FREE));
    assert_true(vm_reclaim(4) >= 4);
    OK(vm_unmap_range(program, SPOT + PAGES(2), PAGES(2)));
    OK(vm_resize_region(program, id, PAGES(4)));
    OK(vm_keep_range(program, SPOT + PAGES(2), PAGES(2), &lost));
    assert_false(lost);
    OK(vm_keep_range(program, SPOT, PAGES(2), &lost));
    assert_true(lost);
}

/* ---- chains ---- */

/* The child goes while a page of the parent's top is busy: they become one when it no longer is. */
static void test_a_merge_missed_because_the_top_was_busy(void)
{
    addr_t at = SPOT;
    region_id id = region_at(SPOT, 2, LOCK_RW);
    write_pages(SPOT, 2, 1);
    aspace_id child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
    OK(sim_write_byte(SPOT, 1)); /* the parent's top has a page of its own */
    assert_int_equal(region_info(id).chain_depth, 2);
    sim_swap_block(sim_boot_swap(), true);
    sim_spawn("pageout", page_out, &at);
    (void)sim_run_until_blocked();
    assert_int_equal(sim_swap_blocked(sim_boot_swap()), 1);
    OK(sim_delete_aspace(child));
    assert_int_equal(region_info(id).chain_depth, 2);
    sim_swap_block(sim_boot_swap(), false);
    sim_run();
    assert_int_equal(region_info(id).chain_depth, 1);
    check_pages(SPOT, 2, 1);
}

/* ---- without swap ---- */

static void test_memory_that_was_never_written_goes_without_swap(void)
{
    region_at(SPOT, 600, LOCK_RW | REGION_OVERCOMMIT);
    for (size_t i = 0; i < 600; i++)
        assert_byte(SPOT + PAGES(i), 0);
    assert_true(figures().evictions > 300);
    SIM_CHECK();
}

static void test_memory_that_was_written_stays_without_swap(void)
{
    int error = VM_OK;
    size_t written = 0;
    region_at(SPOT, 600, LOCK_RW | REGION_OVERCOMMIT);
    while (written < 600 && (error = sim_write_byte(SPOT + PAGES(written), 1)) == VM_OK)
        written++;
    assert_int_equal(error, ERR_NO_MEMORY);
    for (size_t i = 0; i < written; i++)
        assert_byte(SPOT + PAGES(i), 1);
    SIM_CHECK();
}

/* ---- wiring ---- */

/* A read in a wired region maps what is around it only as far as more may be wired. */
static void test_mapping_around_keeps_to_the_limit_of_wired_pages(void)
{
    static addr_t frames[256];
    sim_file *file = sim_file_create_numbered("/f", 16);
    addr_t first = SPOT, second = SPOT + PAGES(64);
    size_t limit = vm_system.pages.total - vm_system.pages.total / 4, taken = 0;
    map_pages(&first, file, 16, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    for (size_t i = 0; i < 16; i++)
        assert_byte(first + PAGES(i), (int)i + 1);
    map_pages(&second, file, 16, LOCK_NO_READ, REGION_NO_PRIVATE_MAP, 0);
    OK(vm_wire_range(program, second, PAGES(16))); /* brings nothing in */
    while (vm_system.pages.count[VM_PAGE_WIRED] < limit - 4)
        OK(vm_allocate_frames(1, false, &frames[taken++]));
    OK(vm_protect_range(program, second, PAGES(16), LOCK_RO));
    assert_byte(second, 1);
    assert_true(vm_system.pages.count[VM_PAGE_WIRED] <= limit);
    OK(vm_unwire_range(program, second, PAGES(16)));
    while (taken > 0)
        vm_free_frames(frames[--taken], 1);
}

/* ---- pages that stay ---- */

/* A file that lives in its cache: what was modified has no other place, and isn't tried again and again. */
static void test_a_page_that_cannot_be_written_stays(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    addr_t at = SPOT;
    sim_file_forbid_writing(file);
    map_pages(&at, file, 2, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(sim_write_byte(at, 9));
    OK(vm_sync_range(program, at, PAGES(2)));
    unsigned writes = sim_file_writes(file);
    OK(vm_advise_range(program, at, PAGES(2), VM_ADVICE_PAGEOUT));
    (void)vm_reclaim(8);
    assert_int_equal(sim_file_writes(file), writes);
    assert_byte(at, 9);
}

/* Advice through one region for a page that another has wired. */
static void test_cold_advice_leaves_what_is_wired_elsewhere(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t wired = SPOT, other = SPOT + PAGES(16);
    map_pages(&wired, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    map_pages(&other, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    OK(vm_wire_range(program, wired, PAGE));
    assert_byte(other, 1);
    OK(vm_advise_range(program, other, PAGE, VM_ADVICE_COLD));
    OK(vm_advise_range(program, other, PAGE, VM_ADVICE_PAGEOUT));
    (void)vm_reclaim(8);
    assert_int_equal(region_info(find_region(wired)).resident_pages, 1);
    SIM_CHECK();
    OK(vm_unwire_range(program, wired, PAGE));
}

/* ---- slots and frames ---- */

static void page_out_new(addr_t base, size_t pages)
{
    region_at(base, pages, LOCK_RW);
    write_pages(base, pages, 1);
    OK(vm_advise_range(program, base, PAGES(pages), VM_ADVICE_PAGEOUT));
}

/* The search for a slot ends where the area does, and goes on from its beginning. */
static void test_the_last_slots_of_an_area_are_its_end(void)
{
    page_out_new(SPOT, 10);
    assert_int_equal(figures().free_swap_slots, 0);
    OK(vm_discard_range(program, SPOT, PAGES(4)));
    page_out_new(SPOT + PAGES(32), 4);
    OK(vm_discard_range(program, SPOT + PAGES(32), PAGE));
    page_out_new(SPOT + PAGES(64), 1);
    assert_int_equal(figures().free_swap_slots, 0);
    assert_byte(SPOT + PAGES(64), 1);
    assert_byte(SPOT + PAGES(33), 8);
    assert_byte(SPOT + PAGES(9), 64);
}

static void test_vm_hold_page_of_the_hosts_frame_is_refused(void)
{
    addr_t frame, physical;
    void *at = NULL;
    aspace_id kernel = vm_get_kernel_aspace_id();
    OK(vm_allocate_frames(1, true, &frame));
    region_id id = vm_map_physical_memory(kernel, "f", &at, REGION_ADDR_ANY_ADDRESS, PAGE,
                                          LOCK_KERNEL | LOCK_RW, frame);
    assert_true(id > 0);
    assert_int_equal(vm_hold_page(kernel, (addr_t)at, VM_ACCESS_READ, &physical), ERR_UNSUPPORTED);
    OK(vm_delete_region(kernel, id));
    vm_free_frames(frame, 1);
}

UNIT_MAIN("reclaim: what a review found", TEST_ON(test_a_page_that_stays_is_no_refault, SMALL),
          TEST_ON(test_a_page_that_was_written_is_remembered, SMALL),
          TEST_ON(test_a_short_write_at_sync_is_an_error, SMALL),
          TEST_ON(test_a_short_write_keeps_the_page, SMALL),
          TEST_ON(test_a_files_last_bytes_are_enough, SMALL),
          TEST_ON(test_a_failed_write_beside_the_last_reference_is_tried_again, SMALL),
          TEST_ON(test_unmapping_forgets_what_was_lost, SMALL),
          TEST_ON(test_a_merge_missed_because_the_top_was_busy, SMALL),
          TEST_ON(test_memory_that_was_never_written_goes_without_swap, NO_SWAP),
          TEST_ON(test_memory_that_was_written_stays_without_swap, NO_SWAP),
          TEST_ON(test_mapping_around_keeps_to_the_limit_of_wired_pages, SMALL),
          TEST_ON(test_a_page_that_cannot_be_written_stays, SMALL),
          TEST_ON(test_cold_advice_leaves_what_is_wired_elsewhere, SMALL),
          TEST_ON(test_the_last_slots_of_an_area_are_its_end, .swap = 10),
          TEST(test_vm_hold_page_of_the_hosts_frame_is_refused))
