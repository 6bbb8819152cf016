/* SPDX-License-Identifier: MIT */
/* More memory than there is: pages that go to swap or to their files, and come back. */
#include "support.h"

#include "../../vm/aspace.h"
#include "../../vm/cache.h"
#include "../../vm/system.h"

#define SMALL .memory = (size_t)1 << 20, .swap = 1024
#define MANY 600 /* pages; the machine has 256 frames */

static void check_pages(addr_t base, size_t count, unsigned round)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(sim_read_byte(base + PAGES(i)), (uint8_t)(i * 7 + round));
}

static void write_pages(addr_t base, size_t count, unsigned round)
{
    for (size_t i = 0; i < count; i++)
        OK(sim_write_byte(base + PAGES(i), (uint8_t)(i * 7 + round)));
}

/* ---- swap ---- */

static void test_more_pages_than_frames(void)
{
    region_at(SPOT, MANY, LOCK_RW);
    for (unsigned round = 0; round < 3; round++) {
        write_pages(SPOT, MANY, round);
        check_pages(SPOT, MANY, round);
    }
    SIM_CHECK();
    vm_info info = figures();
    assert_true(info.swap_outs > MANY && info.swap_ins > MANY);
    assert_true(info.collections > 0);
    assert_true(info.clean_evictions > 0 && info.clean_evictions < info.evictions);
}

static void test_each_policy_keeps_every_byte(void)
{
    region_at(SPOT, MANY, LOCK_RW);
    write_pages(SPOT, MANY, 1);
    check_pages(SPOT, MANY, 1);
    SIM_CHECK();
}

static void test_pages_never_written_go_without_being_written(void)
{
    region_at(SPOT, MANY, LOCK_RW);
    for (size_t i = 0; i < MANY; i++)
        assert_byte(SPOT + PAGES(i), 0);
    assert_int_equal(figures().swap_outs, 0);
    assert_true(figures().clean_evictions > 0);
}

/* Parent and child have the same pages in swap, and each its own once it writes. */
static void test_forks_share_what_is_in_swap(void)
{
    region_at(SPOT, 300, LOCK_RW);
    write_pages(SPOT, 300, 1);
    aspace_id child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
    sim_set_aspace(child);
    check_pages(SPOT, 300, 1);
    write_pages(SPOT, 300, 2);
    SIM_CHECK();
    sim_set_aspace(program);
    check_pages(SPOT, 300, 1);
    write_pages(SPOT, 150, 3);
    sim_set_aspace(child);
    check_pages(SPOT, 300, 2);
    SIM_CHECK();
    sim_set_aspace(program);
    OK(sim_delete_aspace(child));
    check_pages(SPOT, 150, 3);
    SIM_CHECK();
}

static void test_discarded_pages_do_not_come_back_from_swap(void)
{
    region_at(SPOT, 40, LOCK_RW);
    write_pages(SPOT, 40, 1);
    assert_true(vm_reclaim(40) >= 40);
    OK(vm_discard_range(program, SPOT, PAGES(20)));
    for (size_t i = 0; i < 20; i++)
        assert_byte(SPOT + PAGES(i), 0);
    assert_int_equal(sim_read_byte(SPOT + PAGES(20)), (uint8_t)(20 * 7 + 1));
    OK(vm_unmap_range(program, SPOT, PAGES(40)));
    assert_int_equal(figures().free_swap_slots, 1024);
}

static void test_swap_that_is_full_is_an_answer(void)
{
    region_id id = region_at(SPOT, 400, LOCK_RW);
    size_t written = 0;
    int error = VM_OK;
    while (written < 400 && error == VM_OK)
        error = sim_write_byte(SPOT + PAGES(written++), 1);
    assert_int_equal(error, ERR_NO_MEMORY);
    SIM_CHECK();
    OK(vm_delete_region(program, id));
    region_at(SPOT, 40, LOCK_RW);
    write_pages(SPOT, 40, 5);
    check_pages(SPOT, 40, 5);
}

/* NewOS's daemon aged pages that nothing ever freed. */
static void test_defect_17_pages_are_reclaimed(void)
{
    region_at(SPOT, 100, LOCK_RW);
    write_pages(SPOT, 100, 1);
    size_t before = sim_free_frames();
    assert_true(vm_reclaim(50) >= 50);
    assert_true(sim_free_frames() >= before + 50);
    check_pages(SPOT, 100, 1);
}

/* NewOS's daemon looked at the first 500 pages of a region. */
static void test_defect_18_no_page_of_a_region_is_skipped(void)
{
    region_id id = region_at(SPOT, 1200, LOCK_RW);
    write_pages(SPOT, 1200, 1);
    vm_system.reclaim.gone = SIZE_MAX / 2;
    reclaim_collect();
    assert_int_equal(region_info(id).working_set, 1200);
    vm_system.reclaim.gone = SIZE_MAX / 2;
    reclaim_collect();
    assert_int_equal(region_info(id).working_set, 0);
}

/* A slot gets another page's bytes while what it had before is thought of still. */
static void test_bug_35_a_slot_used_again_is_another_page(void)
{
    region_at(SPOT, 8, LOCK_RW);
    region_at(SPOT + PAGES(100), 8, LOCK_RW);
    for (unsigned round = 0; round < 20; round++) {
        write_pages(SPOT, 8, round);
        assert_true(vm_reclaim(8) >= 8);
        OK(vm_discard_range(program, SPOT, PAGES(4)));
        write_pages(SPOT + PAGES(100), 8, round + 100);
        (void)vm_reclaim(8);
        assert_byte(SPOT, 0);
        assert_int_equal(sim_read_byte(SPOT + PAGES(5)), (uint8_t)(5 * 7 + round));
        check_pages(SPOT + PAGES(100), 8, round + 100);
    }
    SIM_CHECK();
}

/* A page comes from swap when no frame is free: another goes for it, and needs none to do so. */
static void test_bug_40_a_page_comes_from_swap_when_memory_is_full(void)
{
    static addr_t frames[256];
    size_t count = 0;
    region_at(SPOT, 80, LOCK_RW);
    write_pages(SPOT, 80, 1);
    assert_true(vm_reclaim(20) >= 20);
    while (figures().available_pages > 0)
        OK(vm_allocate_frames(1, false, &frames[count++]));
    check_pages(SPOT, 80, 1);
    write_pages(SPOT, 80, 2);
    check_pages(SPOT, 80, 2);
    while (count > 0)
        vm_free_frames(frames[--count], 1);
}

/* ---- stores that fail ---- */

static void test_a_failed_write_keeps_the_page(void)
{
    region_at(SPOT, 30, LOCK_RW);
    write_pages(SPOT, 30, 1);
    sim_swap_fail_writes(sim_boot_swap(), 1, 1000);
    (void)vm_reclaim(30);
    assert_int_equal(figures().swap_outs, 0);
    assert_int_equal(figures().free_swap_slots, 1024);
    check_pages(SPOT, 30, 1);
    sim_swap_fail_writes(sim_boot_swap(), 0, 0);
    sim_sleep(SWAP_RESTS);
    assert_true(vm_reclaim(30) > 0);
    check_pages(SPOT, 30, 1);
    SIM_CHECK();
}

static void test_a_failed_read_is_the_accesss_error_and_can_be_tried_again(void)
{
    region_at(SPOT, 4, LOCK_RW);
    write_pages(SPOT, 4, 1);
    assert_true(vm_reclaim(4) >= 4);
    sim_swap_fail_reads(sim_boot_swap(), 1, 2);
    assert_int_equal(sim_read_byte(SPOT), ERR_IO);
    SIM_CHECK();
    check_pages(SPOT, 4, 1);
}

static void test_no_slot_is_no_loss(void)
{
    region_at(SPOT, 8, LOCK_RW);
    write_pages(SPOT, 8, 1);
    sim_fail_at(SIM_FAIL_SLOT, 1, true);
    (void)vm_reclaim(8);
    assert_int_equal(figures().swap_outs, 0);
    sim_fail_at(SIM_FAIL_SLOT, 0, false);
    check_pages(SPOT, 8, 1);
}

/* ---- files ---- */

static void test_a_files_pages_go_clean_and_come_back(void)
{
    sim_file *file = sim_file_create_numbered("/f", 100);
    void *at = PTR(SPOT);
    assert_true(vm_map_file(program, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(100), LOCK_RW,
                            REGION_NO_PRIVATE_MAP, "/f", 0) > 0);
    for (size_t i = 0; i < 100; i++)
        assert_byte(SPOT + PAGES(i), (uint8_t)(i + 1));
    OK(sim_write_byte(SPOT + PAGES(50), 200));
    assert_true(vm_reclaim(100) >= 100);
    assert_int_equal(figures().file_pages, 0);
    assert_int_equal(sim_file_data(file)[PAGES(50)], 200);
    assert_byte(SPOT + PAGES(50), 200);
    assert_byte(SPOT + PAGES(99), 100);
}

static void test_msync_hears_once_of_a_write_that_failed_before(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    void *at = PTR(SPOT);
    assert_true(vm_map_file(program, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(2), LOCK_RW,
                            REGION_NO_PRIVATE_MAP, "/f", 0) > 0);
    OK(sim_write_byte(SPOT, 77));
    sim_file_fail_writes(file, 1, 1000, ERR_IO);
    (void)vm_reclaim(2);
    assert_true(figures().write_errors > 0);
    sim_file_fail_writes(file, 0, 0, VM_OK);
    assert_byte(SPOT, 77);
    assert_int_equal(vm_sync_range(program, SPOT, PAGES(2)), ERR_IO);
    OK(vm_sync_range(program, SPOT, PAGES(2)));
    assert_int_equal(sim_file_data(file)[0], 77);
}

/* ---- advice ---- */

static void test_vm_advise_range_pageout_and_will_need(void)
{
    region_at(SPOT, 16, LOCK_RW);
    write_pages(SPOT, 16, 1);
    OK(vm_advise_range(program, SPOT, PAGES(16), VM_ADVICE_PAGEOUT));
    vm_aspace_info info;
    OK(vm_get_aspace_info(program, &info));
    assert_int_equal(info.resident_pages, 0);
    assert_int_equal(info.swapped_pages, 16);
    OK(vm_advise_range(program, SPOT, PAGES(16), VM_ADVICE_WILL_NEED));
    OK(vm_get_aspace_info(program, &info));
    assert_int_equal(info.swapped_pages, 0);
    check_pages(SPOT, 16, 1);
    assert_int_equal(vm_advise_range(program, SPOT, PAGES(17), VM_ADVICE_COLD),
                     ERR_VM_PAGE_NOT_PRESENT);
    assert_int_equal(vm_advise_range(program, SPOT, PAGE, 99), ERR_INVALID_ARGS);
}

static void test_vm_keep_range_says_what_was_lost(void)
{
    bool lost = true;
    region_at(SPOT, 8, LOCK_RW);
    write_pages(SPOT, 8, 1);
    OK(vm_advise_range(program, SPOT, PAGES(8), VM_ADVICE_FREE));
    check_pages(SPOT, 8, 1);
    OK(vm_keep_range(program, SPOT, PAGES(8), &lost));
    assert_false(lost);
    check_pages(SPOT, 8, 1);
    assert_true(vm_reclaim(8) >= 8);
    check_pages(SPOT, 8, 1);
    OK(vm_advise_range(program, SPOT, PAGES(8), VM_ADVICE_FREE));
    assert_true(vm_reclaim(8) >= 8);
    assert_true(figures().discarded > 0);
    OK(vm_keep_range(program, SPOT, PAGES(8), &lost));
    assert_true(lost);
    assert_byte(SPOT, 0);
    assert_int_equal(vm_keep_range(program, SPOT, PAGES(8), NULL), ERR_INVALID_ARGS);
}

/* A fork has put the pages below what the region sees first. */
static void test_vm_keep_range_after_a_fork(void)
{
    bool lost = true;
    region_at(SPOT, 8, LOCK_RW);
    write_pages(SPOT, 8, 1);
    OK(vm_advise_range(program, SPOT, PAGES(8), VM_ADVICE_FREE));
    aspace_id child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
    OK(vm_keep_range(program, SPOT, PAGES(8), &lost));
    assert_false(lost);
    assert_true(vm_reclaim(8) >= 8);
    check_pages(SPOT, 8, 1);
    OK(sim_delete_aspace(child));
}

static void test_vm_keep_range_hears_of_a_loss_before_a_fork(void)
{
    bool lost = false;
    region_at(SPOT, 8, LOCK_RW);
    write_pages(SPOT, 8, 1);
    OK(vm_advise_range(program, SPOT, PAGES(8), VM_ADVICE_FREE));
    assert_true(vm_reclaim(8) >= 8);
    aspace_id child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
    OK(vm_keep_range(program, SPOT, PAGES(8), &lost));
    assert_true(lost);
    OK(sim_delete_aspace(child));
}

static void test_pageout_leaves_what_is_beside_the_range(void)
{
    vm_aspace_info info;
    region_at(SPOT, 16, LOCK_RW);
    write_pages(SPOT, 16, 1);
    for (unsigned i = 0; i < 3; i++) { /* so that none is young */
        vm_system.reclaim.gone = SIZE_MAX / 2;
        reclaim_collect();
    }
    OK(vm_advise_range(program, SPOT + PAGES(4), PAGES(2), VM_ADVICE_PAGEOUT));
    OK(vm_get_aspace_info(program, &info));
    assert_int_equal(info.swapped_pages, 2);
    check_pages(SPOT, 16, 1);
}

/* ---- who waits ---- */

/* What a fork shares must be hidden where the stack grows over it again, by structures for which there is
 * no frame before something goes. */
static void test_a_stack_grows_when_memory_is_full(void)
{
    static addr_t frames[256];
    size_t count = 0;
    region_at(SPOT, 100, LOCK_RW | REGION_GROWS_DOWN);
    write_pages(SPOT, 100, 1);
    aspace_id child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
    OK(vm_unmap_range(program, SPOT, PAGES(90)));
    vm_trim();
    while (vm_allocate_frames(1, false, &frames[count]) == VM_OK)
        count++;
    OK(sim_write_byte(SPOT, 9));
    assert_byte(SPOT, 9);
    assert_byte(SPOT + PAGES(50), 0);
    while (count > 0)
        vm_free_frames(frames[--count], 1);
    OK(sim_delete_aspace(child));
}

/* Frames are free again by the time somebody asks whether others work: that is no end of memory. */
static void test_free_frames_are_never_out_of_memory(void)
{
    struct reclaim_attempt attempt = {.shortage = UINT32_MAX};
    assert_int_equal(figures().busy_pages, 0);
    assert_int_equal(reclaim_for(&attempt, 1), 1);
}

/* ---- how much may be modified ---- */

static void test_who_writes_much_writes_back(void)
{
    static uint8_t bytes[VM_PAGE_SIZE];
    vm_cache_ref *cache;
    size_t done;
    sim_file *file = sim_file_create("/f", NULL, PAGES(150), VM_ACCESS_READ | VM_ACCESS_WRITE);
    OK(vm_get_vnode_cache(file, &cache));
    for (off_t i = 0; i < 150; i++) {
        OK(vm_cache_write(cache, i * (off_t)PAGE, bytes, PAGE, false, &done));
        assert_true(figures().modified_file_pages <= figures().physical_pages / 4 + 1);
    }
    assert_true(sim_file_writes(file) > 0);
    vm_put_cache(cache);
}

static void test_vm_sync_files(void)
{
    sim_file *file[2] = {sim_file_create_numbered("/a", 1), sim_file_create_numbered("/b", 1)};
    vm_cache_ref *cache[2];
    uint8_t byte = 99;
    size_t done;
    for (unsigned i = 0; i < 2; i++) {
        OK(vm_get_vnode_cache(file[i], &cache[i]));
        OK(vm_cache_write(cache[i], 0, &byte, 1, false, &done));
    }
    sim_file_fail_writes(file[0], 1, 1, ERR_IO);
    assert_int_equal(vm_sync_files(), ERR_IO);
    assert_int_equal(sim_file_data(file[1])[0], 99); /* tried all the same */
    OK(vm_sync_files());
    assert_int_equal(sim_file_data(file[0])[0], 99);
    for (unsigned i = 0; i < 2; i++)
        vm_put_cache(cache[i]);
}

static void test_vm_cache_sync(void)
{
    sim_file *file = sim_file_create_numbered("/f", 3);
    vm_cache_ref *cache;
    uint8_t byte = 99;
    size_t done;
    OK(vm_get_vnode_cache(file, &cache));
    for (off_t i = 0; i < 3; i++)
        OK(vm_cache_write(cache, i * (off_t)PAGE, &byte, 1, false, &done));
    assert_int_equal(vm_cache_sync(cache, -1, 5), ERR_INVALID_ARGS);
    assert_int_equal(vm_cache_sync(cache, 5, 4), ERR_INVALID_ARGS);
    OK(vm_cache_sync(cache, (off_t)PAGE, (off_t)PAGE));
    assert_int_equal(sim_file_data(file)[0], 1);
    assert_int_equal(sim_file_data(file)[PAGE], 99);
    sim_file_fail_writes(file, 1, 1, ERR_IO);
    assert_int_equal(vm_cache_sync(cache, 0, INT64_MAX), ERR_IO);
    OK(vm_cache_sync(cache, 0, INT64_MAX));
    assert_int_equal(sim_file_data(file)[PAGES(2)], 99);
    vm_put_cache(cache);
}

static void test_vm_get_aspace_info_refuses(void)
{
    vm_aspace_info info;
    assert_int_equal(vm_get_aspace_info(program, NULL), ERR_INVALID_ARGS);
    assert_int_equal(vm_get_aspace_info(99, &info), ERR_VM_INVALID_ASPACE);
}

static void test_vm_allocate_reserved_frame(void)
{
    static addr_t frames[1024];
    addr_t reserved;
    size_t count = 0;
    while (vm_allocate_frames(1, false, &frames[count]) == VM_OK)
        count++;
    OK(vm_allocate_reserved_frame(&reserved));
    vm_free_frames(reserved, 1);
    assert_int_equal(vm_allocate_reserved_frame(NULL), ERR_INVALID_ARGS);
    while (count > 0)
        vm_free_frames(frames[--count], 1);
}

static void test_daemons_write_what_is_old(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    vm_cache_ref *cache;
    uint8_t byte = 99;
    size_t done;
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_cache_write(cache, 0, &byte, 1, false, &done));
    reclaim_wake();
    sim_sleep((uint64_t)3 * 1000000000);
    assert_int_equal(sim_file_data(file)[0], 1);
    sim_sleep((uint64_t)6 * 1000000000);
    assert_int_equal(sim_file_data(file)[0], 99);
    vm_put_cache(cache);
}

/* ---- holding and wiring ---- */

static void test_vm_hold_page_keeps_the_frame(void)
{
    addr_t physical, after;
    region_at(SPOT, 2, LOCK_RW);
    write_pages(SPOT, 2, 1);
    OK(vm_hold_page(program, SPOT + 5, VM_ACCESS_READ, &physical));
    OK(vm_advise_range(program, SPOT, PAGES(2), VM_ADVICE_PAGEOUT));
    assert_byte(SPOT, 1);
    OK(vm_get_page_mapping(program, SPOT + 5, &after));
    assert_int_equal(after, physical);
    vm_unhold_page(physical, false);
    assert_int_equal(vm_hold_page(program, SPOT + PAGES(9), VM_ACCESS_READ, &physical),
                     ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(vm_hold_page(program, SPOT, VM_ACCESS_READ, NULL), ERR_INVALID_ARGS);
    assert_int_equal(vm_hold_page(99, SPOT, VM_ACCESS_READ, &physical), ERR_VM_INVALID_ASPACE);
}

static void test_wired_pages_stay_and_are_limited(void)
{
    region_at(SPOT, 250, LOCK_RW);
    OK(vm_wire_range(program, SPOT, PAGES(20)));
    assert_int_equal(vm_advise_range(program, SPOT, PAGES(20), VM_ADVICE_PAGEOUT),
                     ERR_INVALID_ARGS);
    (void)vm_reclaim(256);
    vm_region_info info;
    addr_t cookie = SPOT;
    OK(vm_get_next_region_info(program, &cookie, &info));
    assert_int_equal(info.resident_pages, 20);
    assert_int_equal(vm_wire_range(program, SPOT, PAGES(250)), ERR_NO_MEMORY);
    OK(vm_unwire_range(program, SPOT, PAGES(250)));
}

/* ---- notices ---- */

static unsigned told;
static void note(struct vm_memory_notice *notice, enum vm_memory_level level)
{
    (void)notice;
    told |= 1u << level;
}

static void test_vm_memory_subscribe(void)
{
    struct vm_memory_notice notice = {.notify = note};
    told = 0;
    assert_int_equal(vm_memory_subscribe(NULL), ERR_INVALID_ARGS);
    OK(vm_memory_subscribe(&notice));
    region_at(SPOT, MANY, LOCK_RW);
    write_pages(SPOT, MANY, 1);
    assert_true(told & 1u << VM_MEMORY_LOW);
    vm_memory_unsubscribe(&notice);
}

/* Frames that are clear are free, too, and as many as the daemons want are enough. */
static void test_vm_memory_subscribe_hears_of_the_level(void)
{
    static addr_t frames[512];
    size_t count = 0;
    struct vm_memory_notice notice = {.notify = note};
    const size_t *pages = vm_system.pages.count;
    region_id id = region_at(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    OK(vm_delete_region(program, id)); /* its tables are clear */
    OK(vm_memory_subscribe(&notice));
    while (pages[VM_PAGE_FREE] + pages[VM_PAGE_CLEAR] > vm_system.pages.reserve.low)
        OK(vm_allocate_frames(1, false, &frames[count++]));
    assert_true(pages[VM_PAGE_CLEAR] > 0);
    told = 0;
    reclaim_tell(false);
    assert_int_equal(told, 0);
    OK(vm_allocate_frames(1, false, &frames[count++]));
    reclaim_tell(false);
    assert_int_equal(told, 1u << VM_MEMORY_LOW);
    told = 0;
    reclaim_tell(false);
    assert_int_equal(told, 0);
    reclaim_tell(true);
    assert_int_equal(told, 1u << VM_MEMORY_CRITICAL);
    vm_memory_unsubscribe(&notice);
    OK(vm_memory_subscribe(&notice));
    vm_memory_unsubscribe(&notice);
    told = 0;
    while (count > 0)
        vm_free_frames(frames[--count], 1);
    reclaim_tell(false);
    assert_int_equal(told, 0);
}

/* ---- several at once ---- */

static int use_pages(void *argument)
{
    addr_t base = (addr_t)argument;
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < 200; i++) {
            int error = sim_write_byte(base + PAGES(i), (uint8_t)(i + round));
            if (error != VM_OK)
                return error;
        }
        for (size_t i = 0; i < 200; i++) {
            int byte = sim_read_byte(base + PAGES(i));
            if (byte != (uint8_t)(i + round))
                return byte < 0 ? byte : 1000 + byte;
        }
    }
    return VM_OK;
}

static void test_four_programs_in_a_quarter_of_their_memory(void)
{
    sim_fiber *fiber[4];
    for (addr_t i = 0; i < 4; i++)
        region_at(SPOT + PAGES(1000 * i), 200, LOCK_RW);
    for (unsigned i = 0; i < 4; i++)
        fiber[i] = sim_spawn_on(i % 2, program, "use", use_pages, PTR(SPOT + PAGES(1000 * i)));
    sim_run();
    for (unsigned i = 0; i < 4; i++)
        OK(sim_fiber_result(fiber[i]));
    SIM_CHECK();
}

static void test_vm_swap_add_refuses(void)
{
    sim_swap *swap = sim_swap_create(4);
    vm_store *null = vm_store_create_null();
    assert_int_equal(vm_swap_add(NULL, 4, "x"), ERR_INVALID_ARGS);
    assert_int_equal(vm_swap_add(null, 4, "x"), ERR_INVALID_ARGS);
    assert_int_equal(vm_swap_add(sim_swap_store(swap), 0, "x"), ERR_INVALID_ARGS);
    assert_int_equal(vm_swap_add(sim_swap_store(swap), 4, NULL), ERR_INVALID_ARGS);
    vm_swap_info info;
    OK(vm_get_swap_info(0, &info));
    assert_string_equal(info.name, "swap");
    assert_int_equal(info.slots, 1024);
    assert_int_equal(info.used_slots, 0);
    assert_int_equal(vm_get_swap_info(1, &info), ERR_NOT_FOUND);
    assert_int_equal(vm_get_swap_info(0, NULL), ERR_INVALID_ARGS);
    null->ops->destroy(null);
    sim_swap_store(swap)->ops->destroy(sim_swap_store(swap));
}

UNIT_MAIN("reclaim", TEST_ON(test_defect_17_pages_are_reclaimed, SMALL),
          TEST_ON(test_defect_18_no_page_of_a_region_is_skipped, .memory = (size_t)8 << 20),
          TEST_ON(test_bug_35_a_slot_used_again_is_another_page, SMALL),
          TEST_ON(test_bug_40_a_page_comes_from_swap_when_memory_is_full, SMALL),
          TEST_ON(test_more_pages_than_frames, SMALL),
          TEST_ON(test_each_policy_keeps_every_byte, SMALL, .policy = &vm_policy_clock),
          TEST_ON(test_each_policy_keeps_every_byte, SMALL, .policy = &vm_policy_two_lists),
          TEST_ON(test_pages_never_written_go_without_being_written, SMALL),
          TEST_ON(test_forks_share_what_is_in_swap, SMALL),
          TEST_ON(test_discarded_pages_do_not_come_back_from_swap, SMALL),
          TEST_ON(test_swap_that_is_full_is_an_answer, .memory = (size_t)1 << 20, .swap = 50,
                  .overcommit = true),
          TEST_ON(test_a_failed_write_keeps_the_page, SMALL),
          TEST_ON(test_a_failed_read_is_the_accesss_error_and_can_be_tried_again, SMALL),
          TEST_ON(test_no_slot_is_no_loss, SMALL),
          TEST_ON(test_a_files_pages_go_clean_and_come_back, SMALL),
          TEST_ON(test_msync_hears_once_of_a_write_that_failed_before, SMALL),
          TEST_ON(test_vm_advise_range_pageout_and_will_need, SMALL),
          TEST_ON(test_vm_keep_range_says_what_was_lost, SMALL),
          TEST_ON(test_vm_keep_range_after_a_fork, SMALL),
          TEST_ON(test_vm_keep_range_hears_of_a_loss_before_a_fork, SMALL),
          TEST_ON(test_pageout_leaves_what_is_beside_the_range, SMALL),
          TEST_ON(test_a_stack_grows_when_memory_is_full, SMALL),
          TEST_ON(test_free_frames_are_never_out_of_memory, SMALL),
          TEST_ON(test_who_writes_much_writes_back, SMALL), TEST(test_vm_sync_files),
          TEST(test_vm_cache_sync), TEST(test_vm_get_aspace_info_refuses),
          TEST_ON(test_vm_allocate_reserved_frame, .memory = (size_t)4 << 20, .swap = 64),
          TEST_ON(test_daemons_write_what_is_old, SMALL, .page_daemons = 1),
          TEST_ON(test_vm_hold_page_keeps_the_frame, SMALL),
          TEST_ON(test_wired_pages_stay_and_are_limited, SMALL),
          TEST_ON(test_vm_memory_subscribe, SMALL),
          TEST_ON(test_vm_memory_subscribe_hears_of_the_level, .memory = (size_t)1 << 20),
          TEST_ON(test_vm_swap_add_refuses, SMALL),
          TEST_ON(test_four_programs_in_a_quarter_of_their_memory, SMALL, .cpus = 2),
          TEST_ON(test_four_programs_in_a_quarter_of_their_memory, SMALL, .cpus = 2, .seed = 9),
          TEST_ON(test_four_programs_in_a_quarter_of_their_memory, SMALL, .cpus = 2,
                  .page_daemons = 2, .seed = 3))
