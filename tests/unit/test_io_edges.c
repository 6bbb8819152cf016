/* SPDX-License-Identifier: MIT */
/* Files through their cache at the edges: pages with holes between them, short reads, the last page of
 * user space, what a program is told of a file. */
#include "support.h"

#include "aspace.h"
#include "file.h"
#include "system.h"

static void write_through(vm_cache_ref *cache, size_t page, uint8_t byte)
{
    size_t done;
    OK(vm_cache_write(cache, (off_t)PAGES(page), &byte, 1, false, &done));
    assert_int_equal(done, 1);
}

/* Modified pages that aren't neighbours are written apart, each to its own place. */
static void test_syncing_pages_with_holes_between(void)
{
    addr_t a;
    vm_cache_ref *cache;
    sim_file *file = sim_file_create("/f", NULL, 0, ALL_ACCESS);
    OK(vm_get_vnode_cache(file, &cache));
    write_through(cache, 1, 11);
    write_through(cache, 3, 33);
    write_through(cache, 4, 44);
    write_through(cache, 9, 99);
    sim_file_set_size(file, PAGES(10));
    map_pages(&a, file, 10, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(vm_sync_range(program, a, PAGES(10)));
    assert_int_equal(sim_file_writes(file), 3);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(sim_file_data(file)[PAGES(i)],
                         i == 1 || i == 3 || i == 4 || i == 9 ? 11 * i : 0);
    vm_put_cache(cache);
}

static void test_syncing_a_part_writes_that_part(void)
{
    addr_t a;
    sim_file *file = sim_file_create_numbered("/f", 6);
    map_pages(&a, file, 6, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    number_pages(a, 6, 101);
    OK(vm_sync_range(program, a + PAGES(2), PAGES(2)));
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(sim_file_data(file)[PAGES(i)], i == 2 || i == 3 ? 101 + i : 1 + i);
    OK(vm_sync_range(program, a, PAGES(6)));
    assert_int_equal(sim_file_data(file)[PAGES(5)], 106);
}

/* A frame forgets with its page that it was written to. */
static void test_frames_begin_unmodified(void)
{
    addr_t a, b;
    sim_file *file = sim_file_create_numbered("/f", 4);
    region_id id = new_region(&a, 4);
    number_pages(a, 4, 1);
    OK(vm_protect_range(program, a, PAGES(4), LOCK_RO));
    OK(vm_delete_region(program, id));
    map_pages(&b, file, 4, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    assert_numbered(b, 4, 1);
    OK(vm_sync_range(program, b, PAGES(4)));
    assert_int_equal(sim_file_writes(file), 0);
}

/* What a store leaves out is cleared. */
static void test_short_reads_are_cleared(void)
{
    addr_t a;
    sim_file *file = sim_file_create_numbered("/f", 1);
    map_pages(&a, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    sim_fail_at(SIM_FAIL_SHORT_READ, 1, false);
    assert_byte(a, 1);
    assert_int_equal(sim_fail_done(SIM_FAIL_SHORT_READ), 1);
    sim_fail_at(SIM_FAIL_SHORT_READ, 0, false);
    assert_true(sim_is_filled(a, 1, PAGE / 2));
    assert_true(sim_is_filled(a + PAGE / 2, 0, PAGE / 2));
}

static void test_discarded_files_are_mapped_nowhere(void)
{
    addr_t a, b;
    struct sim_translation mmu;
    vm_cache_ref *cache;
    sim_file *file = sim_file_create_numbered("/f", 2);
    OK(vm_get_vnode_cache(file, &cache));
    map_pages(&a, file, 2, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    map_pages(&b, file, 2, LOCK_RW, REGION_PRIVATE_MAP, 0);
    number_pages(a, 2, 5);
    assert_numbered(b, 2, 5);
    vm_cache_discard(cache);
    for (size_t i = 0; i < 2; i++) {
        assert_false(sim_look_up(a + PAGES(i), &mmu));
        assert_false(sim_look_up(b + PAGES(i), &mmu));
    }
    assert_numbered(a, 2, 1);
    vm_put_cache(cache);
}

static void test_copies_at_both_ends_of_user_space(void)
{
    vm_cache_ref *cache;
    size_t done;
    addr_t ends[] = {SIM_USER_BASE, SIM_USER_END - PAGE};
    sim_file *file = sim_file_create_numbered("/f", 2);
    OK(vm_get_vnode_cache(file, &cache));
    for (unsigned i = 0; i < 2; i++) {
        region_at(ends[i], 1, LOCK_RW);
        OK(vm_cache_read(cache, PAGE, PTR(ends[i]), PAGE, true, &done));
        assert_int_equal(done, PAGE);
        assert_true(sim_is_filled(ends[i], 2, PAGE));
    }
    assert_int_equal(vm_cache_read(cache, 0, PTR(ends[1]), PAGE + 1, true, &done),
                     ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(vm_cache_read(cache, 0, PTR(ends[0] - 1), 2, true, &done),
                     ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(vm_cache_read(cache, 0, NULL, 0, true, &done), ERR_VM_BAD_USER_MEMORY);
    vm_put_cache(cache);
}

/* A vnode is an address of the kernel's: programs aren't told. */
static void test_programs_see_no_vnode(void)
{
    addr_t a;
    vm_region_info info;
    sim_file *file = sim_file_create_numbered("/f", 1);
    region_id id = map_pages(&a, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    region_at(SPOT, 1, LOCK_RW);
    assert_ptr_equal(region_info(id).vnode, file);
    OK(sim_fill(SPOT, 0xff, sizeof(info)));
    OK(user_vm_get_region_info(id, PTR(SPOT)));
    OK(sim_read(SPOT, &info, sizeof(info)));
    assert_null(info.vnode);
    assert_int_equal(info.id, id);
    assert_int_equal(info.advice, VM_ADVICE_NORMAL);
}

static void test_user_copies_fail_on_request(void)
{
    char text[8] = "";
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_fill(SPOT, 0, 8));
    sim_fail_at(SIM_FAIL_USER_COPY, 1, true);
    assert_int_equal(user_memcpy(text, PTR(SPOT), 1), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_strcpy(text, PTR(SPOT)), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_strncpy(text, PTR(SPOT), 8), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_memset(PTR(SPOT), 1, 1), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(sim_fail_done(SIM_FAIL_USER_COPY), 4);
    sim_fail_at(SIM_FAIL_USER_COPY, 0, false);
    OK(user_strcpy(text, PTR(SPOT)));
    OK(user_memcpy(NULL, NULL, 0));
    OK(user_strncpy(text, PTR(SPOT), 0));
    OK(user_memset(PTR(SPOT), 1, 0));
}

static void test_failing_reads_are_the_stores_fault(void)
{
    addr_t a;
    sim_file *file = sim_file_create_numbered("/f", 1);
    map_pages(&a, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    sim_fail_at(SIM_FAIL_STORE_READ, 1, false);
    assert_int_equal(sim_read_byte(a), ERR_IO);
    sim_fail_at(SIM_FAIL_STORE_READ, 0, false);
    assert_byte(a, 1);
}

/* The kernel maps files by itself, whatever programs may do with them. */
static void test_the_kernel_maps_any_file(void)
{
    void *at = NULL;
    sim_file_create("/closed", NULL, PAGE, 0);
    region_id id = vm_map_file(program, "x", &at, 0, PAGE, LOCK_RW, 0, "/closed", 0);
    assert_true(id > 0);
    OK(vm_delete_region(program, id));
    REFUSED(ERR_PERMISSION_DENIED,
            _vm_map_file(program, "x", &at, 0, PAGE, LOCK_RW, 0, "/closed", 0, false));
}

static int clone(region_id id, int mapping, unsigned lock)
{
    return (int)user_vm_clone_region(PTR(SPOT), PTR(SPOT + 64), 0, id, mapping, lock);
}

/* A program may clone what it can read; and write, where the clone writes to the same. */
static void test_what_programs_may_clone(void)
{
    region_at(SPOT, 1, LOCK_RW);
    region_id guard = region_at(SPOT + PAGES(2), 1, LOCK_NO_READ);
    region_id kernels = region_at(SPOT + PAGES(4), 1, LOCK_RW | LOCK_KERNEL);
    region_id constant = region_at(SPOT + PAGES(6), 1, LOCK_RO);
    region_id data = region_at(SPOT + PAGES(8), 1, LOCK_RW);
    OK(sim_fill(SPOT, 0, 100));
    for (int mapping = REGION_NO_PRIVATE_MAP; mapping <= REGION_PRIVATE_MAP; mapping++) {
        REFUSED(ERR_PERMISSION_DENIED, clone(guard, mapping, LOCK_RO));
        REFUSED(ERR_PERMISSION_DENIED, clone(kernels, mapping, LOCK_RO));
        assert_true(clone(constant, mapping, LOCK_RO) > 0);
        assert_true(clone(data, mapping, LOCK_RW) > 0);
    }
    REFUSED(ERR_PERMISSION_DENIED, clone(constant, REGION_NO_PRIVATE_MAP, LOCK_RW));
    assert_true(clone(constant, REGION_PRIVATE_MAP, LOCK_RW) > 0);
    REFUSED(ERR_PERMISSION_DENIED, clone(data, REGION_NO_PRIVATE_MAP, LOCK_RO | LOCK_KERNEL));
    REFUSED(ERR_VM_INVALID_REGION, clone(99999, REGION_NO_PRIVATE_MAP, LOCK_RO));
}

/* Of another space's regions a program gets only what that space shares. */
static void test_programs_may_not_clone_what_others_keep(void)
{
    aspace_id other = vm_create_aspace("other", SIM_USER_BASE, PAGES(100), false);
    void *a = NULL, *b = NULL;
    region_id kept = vm_create_anonymous_region(other, "kept", &a, 0, PAGE, 0, LOCK_RW);
    region_id shared =
        vm_create_anonymous_region(other, "shared", &b, 0, PAGE, 0, LOCK_RW | REGION_SHARED);
    assert_true(kept > 0 && shared > 0);
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_fill(SPOT, 0, 100));
    for (int mapping = REGION_NO_PRIVATE_MAP; mapping <= REGION_PRIVATE_MAP; mapping++) {
        REFUSED(ERR_VM_INVALID_REGION, clone(kept, mapping, LOCK_RO));
        assert_true(clone(shared, mapping, LOCK_RW) > 0);
    }
    OK(vm_delete_aspace(other));
}

static region_id map_named(const char *path, unsigned lock, int mapping)
{
    OK(sim_fill(SPOT, 0, 100));
    OK(sim_write(SPOT + 200, path, strlen(path) + 1));
    return user_vm_map_file(PTR(SPOT), PTR(SPOT + 64), 0, PAGE, lock, mapping, PTR(SPOT + 200), 0);
}

/* A program's mapping needs of the file what it does with it; what it may do later, too. */
static void test_mappings_need_access_to_the_file(void)
{
    sim_file_create("/read", NULL, PAGE, VM_ACCESS_READ);
    sim_file_create("/write", NULL, PAGE, VM_ACCESS_WRITE);
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_fill(SPOT, 0, PAGE));
    REFUSED(ERR_PERMISSION_DENIED, map_named("/read", LOCK_RW, REGION_NO_PRIVATE_MAP));
    REFUSED(ERR_PERMISSION_DENIED, map_named("/read", LOCK_EXECUTE, REGION_NO_PRIVATE_MAP));
    REFUSED(ERR_PERMISSION_DENIED, map_named("/read", LOCK_EXECUTE, REGION_PRIVATE_MAP));
    for (int mapping = REGION_NO_PRIVATE_MAP; mapping <= REGION_PRIVATE_MAP; mapping++)
        REFUSED(ERR_PERMISSION_DENIED, map_named("/write", LOCK_RO, mapping));
    region_id shared = map_named("/read", LOCK_RO, REGION_NO_PRIVATE_MAP);
    region_id own = map_named("/read", LOCK_RO, REGION_PRIVATE_MAP);
    assert_int_equal(vm_protect_range(program, region_info(shared).base, PAGE, LOCK_RW),
                     ERR_PERMISSION_DENIED);
    OK(vm_protect_range(program, region_info(own).base, PAGE, LOCK_RW));
}

/* What the tables say of an address, whatever it may be used for. */
static void test_tmap_query_says_where(void)
{
    addr_t physical, agreed;
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    struct vm_translation_map *tmap = &aspace->translation_map;
    region_at(SPOT, 2, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    OK(tmap_query(tmap, SPOT + 9, &physical));
    OK(vm_get_page_mapping(program, SPOT + 9, &agreed));
    assert_int_equal(physical, agreed);
    assert_int_equal(physical & VM_PAGE_MASK, 9);
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RO));
    OK(tmap_query(tmap, SPOT + 9, &physical));
    assert_int_equal(physical, agreed);
    assert_int_equal(tmap_query(tmap, SPOT + PAGE, &physical), ERR_VM_PAGE_NOT_PRESENT);
    vm_put_aspace(aspace);
}

UNIT_MAIN("edges of files", TEST(test_syncing_pages_with_holes_between),
          TEST(test_syncing_a_part_writes_that_part), TEST(test_frames_begin_unmodified),
          TEST(test_short_reads_are_cleared), TEST(test_discarded_files_are_mapped_nowhere),
          TEST(test_copies_at_both_ends_of_user_space),
          TEST(test_failing_reads_are_the_stores_fault), TEST(test_the_kernel_maps_any_file),
          TEST(test_programs_see_no_vnode), TEST(test_user_copies_fail_on_request),
          TEST(test_what_programs_may_clone), TEST(test_programs_may_not_clone_what_others_keep),
          TEST(test_mappings_need_access_to_the_file), TEST(test_tmap_query_says_where))
