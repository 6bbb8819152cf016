/* SPDX-License-Identifier: MIT */
/* Classic bugs 28 to 34: counts and arithmetic. docs/testing.md has the list. */
#include "bugs.h"

#include <quire/host.h>

#include "aspace.h"
#include "cache.h"
#include "system.h"

/* ---- 28: references that wrap ------------------------------------------------------------------------- */

static void acquire_cache_for_ever(void)
{
    vm_region *region = vm_get_region_by_id(region_at(SPOT, 1, LOCK_RW));
    region->cache_ref->ref_count = UINT32_MAX - 1;
    for (unsigned i = 0; i < 4; i++)
        vm_cache_acquire_ref(region->cache_ref);
}

static void try_cache_for_ever(void)
{
    vm_region *region = vm_get_region_by_id(region_at(SPOT, 1, LOCK_RW));
    region->cache_ref->ref_count = UINT32_MAX - 1;
    for (unsigned i = 0; i < 4; i++)
        (void)cache_try_acquire_ref(region->cache_ref);
}

static void get_region_for_ever(void)
{
    region_id id = region_at(SPOT, 1, LOCK_RW);
    vm_get_region_by_id(id)->ref_count = UINT32_MAX - 1;
    for (unsigned i = 0; i < 4; i++)
        (void)vm_get_region_by_id(id);
}

static void get_aspace_for_ever(void)
{
    vm_get_aspace_by_id(program)->ref_count = UINT32_MAX - 1;
    for (unsigned i = 0; i < 4; i++)
        (void)vm_get_aspace_by_id(program);
}

static void get_current_aspace_for_ever(void)
{
    vm_get_aspace_by_id(program)->ref_count = UINT32_MAX - 1;
    for (unsigned i = 0; i < 4; i++)
        (void)vm_get_current_user_aspace();
}

static void walk_aspaces_for_ever(void)
{
    vm_get_aspace_by_id(program)->ref_count = UINT32_MAX - 1;
    for (unsigned i = 0; i < 4; i++) {
        struct hash_iterator walk;
        OK(vm_aspace_walk_start(&walk));
        while (vm_aspace_walk_next(&walk) != NULL)
            ;
    }
}

/* A leak of references ends the kernel, loudly, long before one that is in use is freed. */
static void test_bug_28_references_never_wrap(void)
{
    assert_panics(acquire_cache_for_ever, "not so");
    assert_panics(try_cache_for_ever, "not so");
    assert_panics(get_region_for_ever, "not so");
    assert_panics(get_aspace_for_ever, "not so");
    assert_panics(get_current_aspace_for_ever, "not so");
    assert_panics(walk_aspaces_for_ever, "not so");
}

/* No call leaves a reference behind, also where it fails. */
static void test_bug_28_failing_calls_leak_no_reference(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    void *at = PTR(SPOT + 1), *device_at = NULL;
    region_id id = region_at(SPOT, 1, LOCK_RW);
    region_id device_id =
        vm_map_physical_memory(program, "d", &device_at, 0, PAGE, LOCK_RW, SIM_DEVICE_LOW);
    vm_region *region = vm_get_region_by_id(id), *device = vm_get_region_by_id(device_id);
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    uint32_t aspace_count = aspace->ref_count, cache_count = region->cache_ref->ref_count;
    for (unsigned i = 0; i < 10; i++) {
        assert_true(vm_map_vnode(program, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGE, LOCK_RO, 0,
                                 file, 0) < 0);
        assert_true(vm_clone_region(program, "c", &at, REGION_ADDR_EXACT_ADDRESS, id,
                                    REGION_PRIVATE_MAP, LOCK_RW) < 0);
        assert_int_equal(
            vm_clone_region(program, "c", &at, 0, device_id, REGION_PRIVATE_MAP, LOCK_RW),
            ERR_UNSUPPORTED);
        assert_int_equal(vm_wire_range(program, SPOT, PAGES(2)), ERR_VM_PAGE_NOT_PRESENT);
        assert_int_equal(vm_protect_range(program, SPOT + 1, PAGE, LOCK_RO), ERR_VM_BAD_ADDRESS);
        assert_int_equal(vm_sync_range(program, SPOT, PAGES(2)), ERR_VM_PAGE_NOT_PRESENT);
        assert_int_equal(vm_delete_region(program, id + 999), ERR_VM_INVALID_REGION);
        assert_int_equal(vm_delete_region(vm_get_kernel_aspace_id(), id), ERR_VM_INVALID_REGION);
    }
    assert_int_equal(sim_file_references(file), 0);
    assert_int_equal(aspace->ref_count, aspace_count);
    assert_int_equal(region->cache_ref->ref_count, cache_count);
    assert_int_equal(region->ref_count, 2);
    assert_int_equal(device->ref_count, 2);
    vm_put_region(device);
    vm_put_aspace(aspace);
    vm_put_region(region);
}

/* ---- 29: users of a page -------------------------------------------------------------------------------- */

static void use_page_for_ever(void)
{
    struct sim_translation seen;
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    assert_true(sim_look_up(SPOT, &seen));
    struct vm_page *page = vm_page_at(seen.physical);
    page->map_count = VM_PAGE_ORPHAN - 3;
    for (unsigned i = 0; i < 4; i++)
        vm_page_use(page);
}

static void test_bug_29_users_of_a_page_never_reach_the_flag(void)
{
    assert_panics(use_page_for_ever, "vm_page_use");
}

/* ---- 30 and 31: ends that wrap ------------------------------------------------------------------------------ */

static const addr_t bad_sizes[] = {
    UINTPTR_MAX, (addr_t)0 - PAGE, (addr_t)0 - SPOT, (addr_t)0 - SPOT - PAGE, (addr_t)INT64_MAX,
};

static void test_bug_30_no_call_takes_a_range_that_wraps(void)
{
    uint8_t resident;
    region_at(SPOT, 1, LOCK_RW);
    for (unsigned i = 0; i < sizeof(bad_sizes) / sizeof(bad_sizes[0]); i++) {
        addr_t size = bad_sizes[i];
        void *at = NULL;
        REFUSED(ERR_VM_BAD_ADDRESS, vm_unmap_range(program, SPOT, size));
        REFUSED(ERR_VM_BAD_ADDRESS, vm_protect_range(program, SPOT, size, LOCK_RO));
        REFUSED(ERR_VM_BAD_ADDRESS, vm_discard_range(program, SPOT, size));
        REFUSED(ERR_VM_BAD_ADDRESS, vm_sync_range(program, SPOT, size));
        REFUSED(ERR_VM_BAD_ADDRESS, vm_wire_range(program, SPOT, size));
        REFUSED(ERR_VM_BAD_ADDRESS, vm_unwire_range(program, SPOT, size));
        REFUSED(ERR_VM_BAD_ADDRESS, vm_set_inheritance(program, SPOT, size, VM_INHERIT_NONE));
        REFUSED(ERR_VM_BAD_ADDRESS, vm_get_residency(program, SPOT, size, &resident));
        REFUSED(ERR_VM_BAD_ADDRESS, vm_move_range(program, SPOT, size, PAGE, &at, 0));
        assert_true(vm_resize_region(program, find_region(SPOT), size) < 0);
        assert_true(vm_move_range(program, SPOT, PAGE, size, &at, 0) < 0);
    }
    SIM_CHECK();
}

static void test_bug_30_offset_and_length_stay_below_the_largest_offset(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    off_t last = INT64_MAX & ~(off_t)VM_PAGE_MASK;
    void *at = NULL;
    vm_cache_ref *cache;
    size_t done;
    REFUSED(ERR_INVALID_ARGS, vm_map_vnode(program, "f", &at, 0, PAGES(2), LOCK_RO,
                                           REGION_NO_PRIVATE_MAP, file, last));
    REFUSED(ERR_INVALID_ARGS,
            vm_map_vnode(program, "f", &at, 0, PAGE, LOCK_RO, REGION_PRIVATE_MAP, file, -1));
    OK(vm_get_vnode_cache(file, &cache));
    assert_int_equal(vm_cache_read(cache, INT64_MAX, &at, 8, false, &done), ERR_INVALID_ARGS);
    assert_int_equal(vm_cache_write(cache, 8, &at, SIZE_MAX, false, &done), ERR_INVALID_ARGS);
    OK(vm_cache_truncate(cache, INT64_MAX));
    vm_put_cache(cache);
}

/* A region grows up to the largest offset, not past it. */
static void test_bug_30_growth_stops_at_the_largest_offset(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    off_t offset = (INT64_MAX & ~(off_t)VM_PAGE_MASK) - (off_t)PAGES(2);
    void *at = PTR(SPOT);
    region_id id = vm_map_vnode(program, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGE, LOCK_RO,
                                REGION_NO_PRIVATE_MAP, file, offset);
    assert_true(id > 0);
    OK(vm_resize_region(program, id, PAGES(2)));
    REFUSED(ERR_VM_NO_REGION_SLOT, vm_resize_region(program, id, PAGES(4)));
    assert_int_equal(sim_read_byte(SPOT + PAGE), ERR_VM_PF_PAST_END);
}

/* Regions at the very end keep their ends. */
static void test_bug_31_an_entry_at_the_end_is_not_clipped(void)
{
    addr_t end = SIM_USER_END;
    region_at(end - PAGES(4), 4, LOCK_RW);
    number_pages(end - PAGES(4), 4, 1);
    OK(vm_unmap_range(program, end - PAGES(3), PAGE));
    OK(vm_protect_range(program, end - PAGE, PAGE, LOCK_RO));
    assert_int_equal(region_info(find_region(end - PAGE)).size, PAGE);
    assert_byte(end - PAGE, 4);
    assert_byte(end - PAGES(2), 3);
    assert_int_equal(sim_read_byte(end - PAGES(3)), ERR_VM_PF_BAD_ADDRESS);
    REFUSED(ERR_VM_NO_REGION_SLOT, vm_resize_region(program, find_region(end - PAGE), PAGES(2)));
    OK(vm_unmap_range(program, end - PAGES(4), PAGES(4)));
    assert_int_equal(find_region(end - PAGES(4)), 0);
}

/* The same in the kernel's space, whose end is the end of all addresses. */
static void test_bug_31_the_last_page_of_all(void)
{
    aspace_id kernel = start_with_last_page();
    addr_t last = (addr_t)0 - PAGE, physical;
    void *at = PTR(last - PAGE);
    region_id id = vm_create_anonymous_region(kernel, "last", &at, REGION_ADDR_EXACT_ADDRESS,
                                              PAGES(2), REGION_WIRING_LAZY, LOCK_RW | LOCK_KERNEL);
    assert_true(id > 0);
    OK(vm_wire_range(kernel, last, PAGE));
    OK(vm_get_page_mapping(kernel, last, &physical));
    OK(vm_protect_range(kernel, last, PAGE, LOCK_RO));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_unmap_range(kernel, last, PAGES(2)));
    OK(vm_unmap_range(kernel, last, PAGE));
    assert_int_equal(vm_get_page_mapping(kernel, last, &physical), ERR_VM_PAGE_NOT_PRESENT);
    OK(vm_unmap_range(kernel, last - PAGE, PAGE));
    end_last_page();
}

/* ---- 32: lengths that a caller adds up ------------------------------------------------------------------------ */

static void test_bug_32_lengths_of_copies_and_names(void)
{
    char long_name[100], byte = 0;
    region_at(SIM_USER_END - PAGE, 1, LOCK_RW);
    char *last = PTR(SIM_USER_END - 1);
    OK(sim_write_byte(SIM_USER_END - 1, 5));
    assert_int_equal(user_memcpy(last, &byte, 2), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_memcpy(last, &byte, SIZE_MAX), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_memset(last, 1, SIZE_MAX), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_memset(last, 1, (size_t)0 - SIM_USER_END + 1), ERR_VM_BAD_USER_MEMORY);
    assert_byte(SIM_USER_END - 1, 5);
    OK(user_memcpy(last, &byte, 1));
    memset(long_name, 'n', sizeof(long_name));
    long_name[sizeof(long_name) - 1] = '\0';
    void *at = NULL;
    region_id id = vm_create_anonymous_region(program, long_name, &at, 0, PAGE, 0, LOCK_RW);
    assert_true(id > 0);
    assert_int_equal(strlen(region_info(id).name), VM_NAME_LENGTH - 1);
    assert_null(vm_meta_alloc(SIZE_MAX));
    assert_null(vm_meta_alloc(SIZE_MAX - VM_PAGE_MASK));
    addr_t physical;
    assert_int_equal(vm_allocate_frames(SIZE_MAX, false, &physical), ERR_NO_MEMORY);
}

/* ---- 33: promises ------------------------------------------------------------------------------------------------- */

/* Every split that fails leaves the ledger as it was: each request for memory in turn. */
static void split_without_memory(int (*cut)(void))
{
    struct picture before;
    region_at(SPOT, 3, LOCK_RW);
    for (addr_t i = 0; i < 31; i++) /* the index needs a node for a cut */
        region_at(SPOT + PAGES(4 + 2 * i), 1, LOCK_RW);
    take_picture(&before, program);
    unsigned failed = 0;
    for (unsigned n = 1;; n++) {
        sim_fail_at(SIM_FAIL_METADATA, n, false);
        int error = cut();
        unsigned done = sim_fail_done(SIM_FAIL_METADATA);
        sim_fail_at(SIM_FAIL_METADATA, 0, false);
        if (done == 0)
            break;
        assert_int_equal(error, ERR_NO_MEMORY);
        assert_unchanged(&before);
        failed++;
    }
    assert_true(failed > 2);
    SIM_CHECK();
    OK(vm_unmap_range(program, SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE));
    assert_int_equal(sim_committed(), 0);
}

static int cut_by_unmapping(void)
{
    return vm_unmap_range(program, SPOT + PAGE, PAGE);
}

static int cut_by_protecting(void)
{
    return vm_protect_range(program, SPOT + PAGE, PAGE, LOCK_RO);
}

static int cut_by_moving(void)
{
    void *to = PTR(2 * SPOT);
    return vm_move_range(program, SPOT + PAGE, PAGE, PAGES(2), &to, REGION_ADDR_EXACT_ADDRESS);
}

static void test_bug_33_a_failed_split_charges_nothing(void)
{
    split_without_memory(cut_by_unmapping);
    split_without_memory(cut_by_protecting);
    split_without_memory(cut_by_moving);
}

static void test_bug_33_the_ledger_ends_at_nothing(void)
{
    static const unsigned kinds[] = {
        LOCK_RW,
        LOCK_NO_READ,
        LOCK_RW | REGION_SHARED,
        LOCK_RW | REGION_OVERCOMMIT,
        LOCK_RW | REGION_SHARED | REGION_OVERCOMMIT,
        LOCK_RW | REGION_GROWS_DOWN,
    };
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        region_id id = region_at(SPOT, 4, kinds[i]);
        aspace_id child = vm_copy_aspace(program, "child");
        OK(vm_protect_range(program, SPOT + PAGE, PAGE, LOCK_RW));
        OK(vm_resize_region(child, id + 1, PAGES(6)));
        OK(vm_discard_range(program, SPOT, PAGES(4)));
        SIM_CHECK();
        OK(vm_delete_aspace(child));
        OK(vm_unmap_range(program, SPOT + PAGES(2), PAGE));
        SIM_CHECK();
        OK(vm_unmap_range(program, SPOT, PAGES(4)));
        assert_int_equal(sim_committed(), 0);
    }
}

/* What is not charged at first is not charged for growing, either. */
static void test_bug_33_overcommitted_memory_grows_uncharged(void)
{
    region_id id = region_at(SPOT, 1, LOCK_RW | REGION_SHARED | REGION_OVERCOMMIT);
    OK(vm_resize_region(program, id, PAGES(4)));
    assert_int_equal(sim_committed(), 0);
}

/* ---- 34: given back twice -------------------------------------------------------------------------------------------- */

static void free_frame_twice(void)
{
    addr_t frame;
    OK(vm_allocate_frames(1, false, &frame));
    vm_free_frames(frame, 1);
    vm_free_frames(frame, 1);
}

static void free_page_twice(void)
{
    addr_t frame;
    OK(vm_allocate_frames(1, false, &frame));
    vm_page_free(vm_page_at(frame), false);
    vm_page_free(vm_page_at(frame), false);
}

static void free_metadata_twice(void)
{
    void *one = vm_meta_alloc(100), *other = vm_meta_alloc(100);
    assert_non_null(other);
    vm_meta_free(one, 100);
    vm_meta_free(one, 100);
}

static void free_metadata_of_another_size(void)
{
    vm_meta_free(vm_meta_alloc(100), 500);
}

static void put_region_twice(void)
{
    vm_region *region = vm_get_region_by_id(region_at(SPOT, 1, LOCK_RW));
    OK(vm_unmap_range(program, SPOT, PAGE));
    vm_put_region(region);
    vm_put_region(region);
}

static void put_cache_twice(void)
{
    vm_cache_ref *cache;
    OK(vm_get_vnode_cache(sim_file_create_numbered("/f", 1), &cache));
    vm_put_cache(cache);
    vm_put_cache(cache);
}

static void test_bug_34_giving_back_twice_is_noticed(void)
{
    assert_panics(free_frame_twice, "vm_free_frames");
    assert_panics(free_page_twice, "vm_page_free");
    assert_panics(free_metadata_twice, "vm_meta_free");
    assert_panics(free_metadata_of_another_size, "vm_meta_free");
    assert_panics(put_region_twice, "_vm_put_region");
    assert_panics(put_cache_twice, "vm_cache_release_ref");
}

static void test_bug_34_free_memory_is_poisoned(void)
{
    addr_t frame;
    OK(vm_allocate_frames(1, true, &frame));
    vm_free_frames(frame, 1);
    assert_int_equal(*(uint32_t *)sim_physical(frame), 0xdeadf4ee);
    unsigned char *object = vm_meta_alloc(100);
    void *neighbour = vm_meta_alloc(100);
    memset(object, 1, 100);
    vm_meta_free(object, 100);
    assert_int_equal(object[50], 0xdb);
    vm_meta_free(neighbour, 100);
}

UNIT_MAIN("bugs 28 to 34", TEST(test_bug_28_references_never_wrap),
          TEST(test_bug_28_failing_calls_leak_no_reference),
          TEST(test_bug_29_users_of_a_page_never_reach_the_flag),
          TEST(test_bug_30_no_call_takes_a_range_that_wraps),
          TEST(test_bug_30_offset_and_length_stay_below_the_largest_offset),
          TEST(test_bug_30_growth_stops_at_the_largest_offset),
          TEST(test_bug_31_an_entry_at_the_end_is_not_clipped),
          TEST(test_bug_31_the_last_page_of_all), TEST(test_bug_32_lengths_of_copies_and_names),
          TEST(test_bug_33_a_failed_split_charges_nothing),
          TEST(test_bug_33_the_ledger_ends_at_nothing),
          TEST(test_bug_33_overcommitted_memory_grows_uncharged),
          TEST(test_bug_34_giving_back_twice_is_noticed), TEST(test_bug_34_free_memory_is_poisoned))
