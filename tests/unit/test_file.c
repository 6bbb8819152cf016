/* SPDX-License-Identifier: MIT */
/* Mapped files, and files through their cache. */
#include "support.h"

#include <quire/host.h>

static region_id map_file(void **at, addr_t size, unsigned lock, int mapping, const char *path,
                          off_t offset)
{
    return vm_map_file(program, "file", at, REGION_ADDR_ANY_ADDRESS, size, lock, mapping, path,
                       offset);
}

/* ---- vm_map_file ---- */

static void test_vm_map_file_shared(void)
{
    sim_file *file = sim_file_create_numbered("/f", 4);
    void *a = NULL, *b = NULL;
    assert_true(map_file(&a, PAGES(4), LOCK_RW, REGION_NO_PRIVATE_MAP, "/f", 0) > 0);
    assert_true(map_file(&b, PAGES(4), LOCK_RW, REGION_NO_PRIVATE_MAP, "/f", 0) > 0);
    assert_numbered((addr_t)a, 4, 1);
    OK(sim_write_byte((addr_t)a + PAGES(2), 77));
    assert_byte((addr_t)b + PAGES(2), 77);
    SIM_CHECK();
    assert_true(sim_file_references(file) > 0);
}

static void test_vm_map_file_private(void)
{
    sim_file *file = sim_file_create_numbered("/f", 3);
    void *a = NULL, *b = NULL;
    assert_true(map_file(&a, PAGES(3), LOCK_RW, REGION_PRIVATE_MAP, "/f", 0) > 0);
    assert_true(map_file(&b, PAGES(3), LOCK_RO, REGION_NO_PRIVATE_MAP, "/f", 0) > 0);
    OK(sim_write_byte((addr_t)a + PAGE, 50));
    assert_byte((addr_t)a + PAGE, 50);
    assert_byte((addr_t)b + PAGE, 2);
    assert_int_equal(sim_file_data(file)[PAGE], 2);
}

static void test_vm_map_file_private_sees_file_until_it_writes(void)
{
    sim_file_create_numbered("/f", 2);
    void *a = NULL, *b = NULL;
    map_file(&a, PAGES(2), LOCK_RW, REGION_PRIVATE_MAP, "/f", 0);
    map_file(&b, PAGES(2), LOCK_RW, REGION_NO_PRIVATE_MAP, "/f", 0);
    assert_byte((addr_t)a, 1);
    OK(sim_write_byte((addr_t)b, 60));
    assert_byte((addr_t)a, 60);
    OK(sim_write_byte((addr_t)a + 1, 61));
    OK(sim_write_byte((addr_t)b, 62));
    assert_byte((addr_t)a, 60);
}

static void test_vm_map_file_offset_is_rounded_down(void)
{
    sim_file_create_numbered("/f", 5);
    void *a = NULL;
    region_id id = map_file(&a, PAGE, LOCK_RO, REGION_NO_PRIVATE_MAP, "/f", (off_t)PAGES(3) + 100);
    assert_true(id > 0);
    assert_int_equal(region_info(id).cache_offset, PAGES(3));
    assert_byte((addr_t)a & ~VM_PAGE_MASK, 4);
}

static void test_vm_map_file_errors(void)
{
    sim_file *file = sim_file_create("/ro", NULL, PAGE, VM_ACCESS_READ);
    void *at = NULL;
    int shared = REGION_NO_PRIVATE_MAP;
    REFUSED(ERR_NOT_FOUND, map_file(&at, PAGE, LOCK_RO, shared, "/none", 0));
    REFUSED(ERR_INVALID_ARGS, map_file(&at, PAGE, LOCK_RO, 7, "/ro", 0));
    REFUSED(ERR_INVALID_ARGS, map_file(&at, 0, LOCK_RO, shared, "/ro", 0));
    REFUSED(ERR_INVALID_ARGS, map_file(&at, PAGE, LOCK_RO, shared, "/ro", -1));
    REFUSED(ERR_INVALID_ARGS, map_file(&at, PAGE, LOCK_RO, shared, "/ro", -(off_t)PAGE));
    REFUSED(ERR_INVALID_ARGS, map_file(&at, PAGE, LOCK_RO, shared, NULL, 0));
    REFUSED(ERR_INVALID_ARGS, map_file(&at, PAGE, 0x100, shared, "/ro", 0));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_map_file(0, "f", &at, 0, PAGE, LOCK_RO, shared, "/ro", 0));
    REFUSED(ERR_INVALID_ARGS, vm_map_file(program, NULL, &at, 0, PAGE, LOCK_RO, shared, "/ro", 0));
    at = PTR(SPOT + 1);
    REFUSED(ERR_VM_BAD_ADDRESS, vm_map_file(program, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                            LOCK_RO, shared, "/ro", 0));
    assert_int_equal(sim_file_references(file), 0);
}

static void test_vm_map_file_offset_overflows(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    void *at = NULL;
    struct picture before;
    take_picture(&before, program);
    assert_true(map_file(&at, PAGES(2), LOCK_RO, REGION_NO_PRIVATE_MAP, "/f", INT64_MAX) < 0);
    assert_true(map_file(&at, PAGES(2), LOCK_RO, REGION_PRIVATE_MAP, "/f",
                         INT64_MAX - (off_t)PAGE + 1) < 0);
    assert_unchanged(&before);
    assert_int_equal(sim_file_references(file), 0);
}

static void test_vm_map_file_has_one_cache(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    size_t caches = figures().caches;
    addr_t a[5];
    for (unsigned i = 0; i < 5; i++)
        map_pages(&a[i], file, 2, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    assert_int_equal(figures().caches, caches + 1);
    assert_non_null(host_vnode_get_cache(file));
    OK(vm_unmap_range(program, SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE));
    assert_null(host_vnode_get_cache(file));
    assert_int_equal(sim_file_references(file), 0);
    assert_int_equal(figures().caches, caches);
}

static void test_vm_map_file_charges_private_writable_only(void)
{
    sim_file *file = sim_file_create_numbered("/f", 8);
    addr_t a;
    int64_t before = sim_committed();
    map_pages(&a, file, 8, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    assert_int_equal(sim_committed(), before);
    map_pages(&a, file, 8, LOCK_RO, REGION_PRIVATE_MAP, 0);
    assert_int_equal(sim_committed(), before);
    map_pages(&a, file, 2, LOCK_RW, REGION_PRIVATE_MAP, 6);
    assert_int_equal(sim_committed(), before + (int64_t)PAGES(2));
}

static void test_vm_map_file_writes_back_when_unmapped(void)
{
    sim_file *file = sim_file_create_numbered("/f", 3);
    addr_t a;
    region_id id = map_pages(&a, file, 3, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(sim_write_byte(a + PAGE + 9, 200));
    OK(vm_delete_region(program, id));
    assert_int_equal(sim_file_data(file)[PAGE + 9], 200);
}

/* ---- vm_map_vnode ---- */

static void test_vm_map_vnode_keeps_its_own_reference(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a;
    host_vnode_acquire(file);
    region_id id = map_pages(&a, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    unsigned mapped = sim_file_references(file);
    assert_true(mapped >= 2);
    host_vnode_release(file);
    assert_byte(a, 1);
    OK(vm_delete_region(program, id));
    assert_int_equal(sim_file_references(file), 0);
}

static void test_vm_map_vnode_errors(void)
{
    void *at = NULL;
    sim_file *file = sim_file_create_numbered("/f", 1);
    REFUSED(ERR_INVALID_ARGS, vm_map_vnode(program, "f", &at, 0, PAGE, LOCK_RO, 0, NULL, 0));
    REFUSED(ERR_INVALID_ARGS, vm_map_vnode(program, "f", &at, 0, PAGE, LOCK_RO, 5, file, 0));
    REFUSED(ERR_INVALID_ARGS, vm_map_vnode(program, "f", &at, 0, 0, LOCK_RO, 0, file, 0));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_map_vnode(0, "f", &at, 0, PAGE, LOCK_RO, 0, file, 0));
    assert_int_equal(sim_file_references(file), 0);
}

/* ---- vm_get_vnode_cache, vm_put_cache ---- */

static void test_vm_get_vnode_cache_is_the_mapping_s(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    vm_cache_ref *first, *second;
    addr_t a;
    OK(vm_get_vnode_cache(file, &first));
    OK(vm_get_vnode_cache(file, &second));
    assert_ptr_equal(first, second);
    map_pages(&a, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    assert_ptr_equal(host_vnode_get_cache(file), first);
    vm_put_cache(second);
    OK(vm_unmap_range(program, a, PAGE));
    assert_ptr_equal(host_vnode_get_cache(file), first);
    vm_put_cache(first);
    assert_null(host_vnode_get_cache(file));
    assert_int_equal(sim_file_references(file), 0);
}

static void test_vm_put_cache_keeps_pages_while_referenced(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    vm_cache_ref *cache;
    addr_t a;
    OK(vm_get_vnode_cache(file, &cache));
    map_pages(&a, file, 2, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    assert_numbered(a, 2, 1);
    OK(vm_unmap_range(program, a, PAGES(2)));
    map_pages(&a, file, 2, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    assert_numbered(a, 2, 1);
    assert_int_equal(sim_file_pages_read(file), 2);
    vm_put_cache(cache);
}

/* ---- vm_sync_range ---- */

static void test_vm_sync_range_writes_modified_pages(void)
{
    sim_file *file = sim_file_create_numbered("/f", 4);
    addr_t a;
    map_pages(&a, file, 4, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    assert_numbered(a, 4, 1);
    OK(sim_write_byte(a + PAGES(2), 123));
    OK(vm_sync_range(program, a, PAGES(4)));
    SIM_CHECK();
    assert_int_equal(sim_file_data(file)[PAGES(2)], 123);
    assert_true(sim_file_writes(file) >= 1);
    unsigned writes = sim_file_writes(file);
    OK(vm_sync_range(program, a, PAGES(4)));
    assert_int_equal(sim_file_writes(file), writes);
    OK(sim_write_byte(a + PAGES(2), 124));
    OK(vm_sync_range(program, a, PAGES(4)));
    assert_int_equal(sim_file_data(file)[PAGES(2)], 124);
}

static void test_vm_sync_range_private_pages_stay(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a;
    map_pages(&a, file, 1, LOCK_RW, REGION_PRIVATE_MAP, 0);
    OK(sim_write_byte(a, 99));
    OK(vm_sync_range(program, a, PAGE));
    assert_int_equal(sim_file_data(file)[0], 1);
    assert_byte(a, 99);
}

static void test_vm_sync_range_write_error(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a;
    map_pages(&a, file, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(sim_write_byte(a, 99));
    sim_file_fail_writes(file, 1, 1, ERR_IO);
    assert_int_equal(vm_sync_range(program, a, PAGE), ERR_IO);
    SIM_CHECK();
    assert_int_equal(sim_file_data(file)[0], 1);
    OK(vm_sync_range(program, a, PAGE));
    assert_int_equal(sim_file_data(file)[0], 99);
}

static void test_vm_sync_range_store_without_a_place(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    addr_t a;
    sim_file_forbid_writing(file);
    map_pages(&a, file, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(sim_write_byte(a, 99));
    OK(vm_sync_range(program, a, PAGE));
    assert_byte(a, 99);
}

static void test_vm_sync_range_errors(void)
{
    region_at(SPOT, 2, LOCK_RW);
    OK(vm_sync_range(program, SPOT, PAGES(2)));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_sync_range(program, SPOT, PAGES(3)));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_sync_range(program, SPOT - PAGE, PAGE));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_sync_range(program, SPOT + 1, PAGE));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_sync_range(program, SPOT, SIM_USER_END));
    REFUSED(ERR_INVALID_ARGS, vm_sync_range(program, SPOT, 0));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_sync_range(0, SPOT, PAGE));
}

UNIT_MAIN("mapped files", TEST(test_vm_map_file_shared), TEST(test_vm_map_file_private),
          TEST(test_vm_map_file_private_sees_file_until_it_writes),
          TEST(test_vm_map_file_offset_is_rounded_down), TEST(test_vm_map_file_errors),
          TEST(test_vm_map_file_offset_overflows), TEST(test_vm_map_file_has_one_cache),
          TEST(test_vm_map_file_charges_private_writable_only),
          TEST(test_vm_map_file_writes_back_when_unmapped),
          TEST(test_vm_map_vnode_keeps_its_own_reference), TEST(test_vm_map_vnode_errors),
          TEST(test_vm_get_vnode_cache_is_the_mapping_s),
          TEST(test_vm_put_cache_keeps_pages_while_referenced),
          TEST(test_vm_sync_range_writes_modified_pages),
          TEST(test_vm_sync_range_private_pages_stay), TEST(test_vm_sync_range_write_error),
          TEST(test_vm_sync_range_store_without_a_place), TEST(test_vm_sync_range_errors))
