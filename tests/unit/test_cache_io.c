/* SPDX-License-Identifier: MIT */
/* Files through their cache: reading, writing, truncating. */
#include "support.h"

/* ---- vm_cache_read, vm_cache_write ---- */

static void test_vm_cache_read_every_shape(void)
{
    sim_file *file = sim_file_create("/f", NULL, PAGES(3), ALL_ACCESS);
    for (size_t i = 0; i < PAGES(3); i++)
        sim_file_data(file)[i] = (uint8_t)(i * 7 + i / 256);
    vm_cache_ref *cache;
    OK(vm_get_vnode_cache(file, &cache));
    static const size_t starts[] = {0, 1, PAGE - 1, PAGE, PAGE + 1, PAGES(2) - 3};
    static const size_t lengths[] = {0, 1, 2, PAGE - 1, PAGE, PAGE + 1};
    static uint8_t buffer[2 * 4096];
    for (unsigned i = 0; i < 6; i++) {
        for (unsigned j = 0; j < 6; j++) {
            size_t done = 99;
            OK(vm_cache_read(cache, (off_t)starts[i], buffer, lengths[j], false, &done));
            assert_int_equal(done, lengths[j]);
            if (lengths[j] > 0)
                assert_memory_equal(buffer, sim_file_data(file) + starts[i], lengths[j]);
        }
    }
    vm_put_cache(cache);
}

static void test_vm_cache_read_past_the_file(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    vm_cache_ref *cache;
    uint8_t buffer[64];
    size_t done;
    memset(buffer, 9, sizeof(buffer));
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_cache_read(cache, (off_t)PAGES(5), buffer, sizeof(buffer), false, &done));
    assert_int_equal(done, sizeof(buffer));
    for (unsigned i = 0; i < sizeof(buffer); i++)
        assert_int_equal(buffer[i], 0);
    vm_put_cache(cache);
}

/* A read or a write behind the end leaves a page there, which no mapping may show. */
static void test_vm_cache_read_past_the_file_makes_nothing_mappable(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    vm_cache_ref *cache;
    uint8_t byte = 1;
    size_t done;
    addr_t a;
    map_pages(&a, file, 4, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_cache_read(cache, (off_t)PAGES(2), &byte, 1, false, &done));
    OK(vm_cache_write(cache, (off_t)PAGES(3), "x", 1, false, &done));
    assert_numbered(a, 2, 1);
    assert_int_equal(sim_read_byte(a + PAGES(2)), ERR_VM_PF_PAST_END);
    assert_int_equal(sim_write_byte(a + PAGES(3), 1), ERR_VM_PF_PAST_END);
    OK(vm_sync_range(program, a, PAGES(4)));
    SIM_CHECK();
    sim_file_set_size(file, PAGES(4));
    assert_byte(a + PAGES(2), 0);
    assert_byte(a + PAGES(3), 'x');
    OK(vm_sync_range(program, a, PAGES(4)));
    assert_int_equal(sim_file_data(file)[PAGES(3)], 'x');
    vm_put_cache(cache);
}

static void test_vm_cache_write_is_seen_by_mappings(void)
{
    sim_file *file = sim_file_create_numbered("/f", 3);
    vm_cache_ref *cache;
    addr_t a;
    size_t done;
    map_pages(&a, file, 3, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    assert_numbered(a, 3, 1);
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_cache_write(cache, (off_t)PAGE - 2, "abcd", 4, false, &done));
    assert_int_equal(done, 4);
    char text[5] = "";
    OK(sim_read(a + PAGE - 2, text, 4));
    assert_string_equal(text, "abcd");
    assert_byte(a + PAGE + 2, 2);
    vm_put_cache(cache);
    SIM_CHECK();
}

static void test_vm_cache_write_reads_the_rest_of_the_page(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    vm_cache_ref *cache;
    uint8_t buffer[3];
    size_t done;
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_cache_write(cache, 100, "x", 1, false, &done));
    OK(vm_cache_read(cache, 99, buffer, 3, false, &done));
    assert_int_equal(buffer[0], 1);
    assert_int_equal(buffer[1], 'x');
    assert_int_equal(buffer[2], 1);
    vm_put_cache(cache);
    assert_int_equal(sim_file_data(file)[100], 'x');
}

static void test_vm_cache_read_write_user_buffers(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    vm_cache_ref *cache;
    size_t done;
    region_at(SPOT, 2, LOCK_RW);
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_cache_read(cache, 0, PTR(SPOT + 50), PAGES(1), true, &done));
    assert_int_equal(done, PAGE);
    assert_true(sim_is_filled(SPOT + 50, 1, PAGE));
    OK(sim_fill(SPOT, 0x66, PAGES(2)));
    OK(vm_cache_write(cache, (off_t)PAGE / 2, PTR(SPOT + PAGE / 2), PAGE, true, &done));
    uint8_t byte;
    OK(vm_cache_read(cache, (off_t)PAGE, &byte, 1, false, &done));
    assert_int_equal(byte, 0x66);
    vm_put_cache(cache);
}

static void test_vm_cache_read_write_bad_user_buffers(void)
{
    sim_file *file = sim_file_create_numbered("/f", 3);
    vm_cache_ref *cache;
    size_t done = 77;
    region_at(SPOT, 1, LOCK_RW);
    OK(vm_get_vnode_cache(file, &cache));
    assert_int_equal(vm_cache_read(cache, 0, PTR(SPOT + PAGE - 100), 200, true, &done),
                     ERR_VM_BAD_USER_MEMORY);
    assert_true(done <= 100);
    assert_int_equal(vm_cache_write(cache, 0, PTR(SPOT + PAGE - 100), 200, true, &done),
                     ERR_VM_BAD_USER_MEMORY);
    assert_true(done <= 100);
    assert_int_equal(vm_cache_read(cache, 0, PTR(SIM_BOOT_BASE), 8, true, &done),
                     ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(done, 0);
    assert_int_equal(vm_cache_read(cache, 0, PTR(SIM_USER_END - 8), 16, true, &done),
                     ERR_VM_BAD_USER_MEMORY);
    SIM_CHECK();
    vm_put_cache(cache);
}

static void test_vm_cache_read_into_its_own_mapping(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    vm_cache_ref *cache;
    addr_t a;
    size_t done;
    map_pages(&a, file, 2, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_cache_read(cache, 0, PTR(a + PAGE), PAGE, true, &done));
    assert_byte(a + PAGE, 1);
    OK(vm_cache_write(cache, 10, PTR(a), PAGE, true, &done));
    SIM_CHECK();
    vm_put_cache(cache);
}

static void test_vm_cache_read_error(void)
{
    enum { PAGES_OF_FILE = 64 };
    static uint8_t buffer[PAGES_OF_FILE * 4096];
    sim_file *file = sim_file_create_numbered("/f", PAGES_OF_FILE);
    vm_cache_ref *cache;
    size_t done = 0;
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_cache_read(cache, 0, buffer, PAGE, false, &done));
    sim_file_fail_reads(file, 1, UINT32_MAX, ERR_IO);
    assert_int_equal(vm_cache_read(cache, 0, buffer, sizeof(buffer), false, &done), ERR_IO);
    assert_true(done >= PAGE && done < sizeof(buffer));
    assert_int_equal(buffer[done - 1], done / PAGE);
    off_t last = (off_t)sizeof(buffer) - 5;
    assert_int_equal(vm_cache_write(cache, last, "x", 1, false, &done), ERR_IO);
    assert_int_equal(done, 0);
    SIM_CHECK();
    sim_file_fail_reads(file, 0, 0, VM_OK);
    OK(vm_cache_read(cache, 0, buffer, sizeof(buffer), false, &done));
    assert_int_equal(buffer[sizeof(buffer) - 1], PAGES_OF_FILE);
    vm_put_cache(cache);
}

/* ---- vm_cache_truncate, vm_cache_discard ---- */

static void truncate_file(sim_file *file, vm_cache_ref *cache, size_t size)
{
    sim_file_set_size(file, size);
    vm_cache_truncate(cache, (off_t)size);
    SIM_CHECK();
}

static void test_vm_cache_truncate_takes_pages_away(void)
{
    sim_file *file = sim_file_create_numbered("/f", 4);
    vm_cache_ref *cache;
    addr_t a;
    map_pages(&a, file, 4, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    assert_numbered(a, 4, 1);
    OK(vm_get_vnode_cache(file, &cache));
    truncate_file(file, cache, PAGES(2));
    assert_numbered(a, 2, 1);
    assert_int_equal(sim_read_byte(a + PAGES(2)), ERR_VM_PF_PAST_END);
    assert_int_equal(sim_write_byte(a + PAGES(3), 1), ERR_VM_PF_PAST_END);
    truncate_file(file, cache, PAGES(4));
    assert_byte(a + PAGES(2), 0);
    assert_byte(a + PAGES(3), 0);
    vm_put_cache(cache);
}

static void test_vm_cache_truncate_clears_the_rest_of_the_last_page(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    vm_cache_ref *cache;
    addr_t a;
    map_pages(&a, file, 2, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    assert_numbered(a, 2, 1);
    OK(vm_get_vnode_cache(file, &cache));
    truncate_file(file, cache, PAGE + 100);
    assert_true(sim_is_filled(a + PAGE, 2, 100));
    assert_true(sim_is_filled(a + PAGE + 100, 0, PAGE - 100));
    vm_put_cache(cache);
}

static void test_vm_cache_truncate_private_copies(void)
{
    sim_file *file = sim_file_create_numbered("/f", 3);
    vm_cache_ref *cache;
    addr_t a;
    map_pages(&a, file, 3, LOCK_RW, REGION_PRIVATE_MAP, 0);
    assert_numbered(a, 3, 1);
    OK(sim_write_byte(a + PAGES(2), 70));
    OK(vm_get_vnode_cache(file, &cache));
    truncate_file(file, cache, PAGE);
    assert_byte(a, 1);
    assert_int_equal(sim_read_byte(a + PAGE), ERR_VM_PF_PAST_END);
    vm_put_cache(cache);
}

static void test_vm_cache_truncate_to_nothing_and_grow(void)
{
    sim_file *file = sim_file_create_numbered("/f", 3);
    vm_cache_ref *cache;
    addr_t a;
    map_pages(&a, file, 3, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    assert_numbered(a, 3, 1);
    OK(vm_get_vnode_cache(file, &cache));
    truncate_file(file, cache, 0);
    assert_int_equal(sim_read_byte(a), ERR_VM_PF_PAST_END);
    truncate_file(file, cache, PAGES(3));
    assert_true(sim_is_filled(a, 0, PAGES(3)));
    vm_put_cache(cache);
}

static void test_vm_cache_discard_forgets_without_writing(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    vm_cache_ref *cache;
    size_t done;
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_cache_write(cache, 0, "changed", 7, false, &done));
    size_t frames = sim_free_frames();
    vm_cache_discard(cache);
    SIM_CHECK();
    assert_true(sim_free_frames() > frames);
    vm_put_cache(cache);
    assert_int_equal(sim_file_data(file)[0], 1);
    assert_int_equal(sim_file_writes(file), 0);
}

UNIT_MAIN("files through their cache", TEST(test_vm_cache_read_every_shape),
          TEST(test_vm_cache_read_past_the_file),
          TEST(test_vm_cache_read_past_the_file_makes_nothing_mappable),
          TEST(test_vm_cache_write_is_seen_by_mappings),
          TEST(test_vm_cache_write_reads_the_rest_of_the_page),
          TEST(test_vm_cache_read_write_user_buffers),
          TEST(test_vm_cache_read_write_bad_user_buffers),
          TEST(test_vm_cache_read_into_its_own_mapping), TEST(test_vm_cache_read_error),
          TEST(test_vm_cache_truncate_takes_pages_away),
          TEST(test_vm_cache_truncate_clears_the_rest_of_the_last_page),
          TEST(test_vm_cache_truncate_private_copies),
          TEST(test_vm_cache_truncate_to_nothing_and_grow),
          TEST(test_vm_cache_discard_forgets_without_writing))
