/* SPDX-License-Identifier: MIT */
/* The cases of NewOS's own vm tests, which there were looked at and not compared. */
#include "support.h"

#define WORDS (PAGES(16) / 4)

static void write_word(void *base, size_t index, uint32_t word)
{
    OK(sim_write((addr_t)base + index * 4, &word, 4));
}

static uint32_t read_word(void *base, size_t index)
{
    uint32_t word;
    OK(sim_read((addr_t)base + index * 4, &word, 4));
    return word;
}

static region_id map_video_memory(void **at)
{
    return vm_map_physical_memory(program, "vid_mem", at, REGION_ADDR_ANY_ADDRESS, PAGES(16),
                                  LOCK_RW, 0xb8000);
}

static void assert_same_words(void *a, void *b)
{
    for (size_t i = 0; i < WORDS; i += 7)
        assert_int_equal(read_word(a, i), read_word(b, i));
}

static void test_newos_1_anonymous_region(void)
{
    void *at = NULL;
    region_id id = vm_create_anonymous_region(program, "test_region", &at, REGION_ADDR_ANY_ADDRESS,
                                              PAGES(16), REGION_WIRING_LAZY, LOCK_RW);
    assert_true(id > 0);
    for (size_t i = 0; i < WORDS; i++)
        write_word(at, i, (uint32_t)i);
    for (size_t i = 0; i < WORDS; i++)
        assert_int_equal(read_word(at, i), i);
    OK(vm_delete_region(program, id));
}

static void test_newos_2_physical_region_and_its_info(void)
{
    void *at = NULL;
    region_id id = map_video_memory(&at);
    assert_true(id > 0);
    assert_int_equal(region_info(id).base, (addr_t)at);
    write_word(at, 3, 0x0f410f42);
    assert_int_equal(((uint32_t *)sim_physical(0xb8000))[3], 0x0f410f42);
    OK(vm_delete_region(program, id));
}

static void test_newos_3_page_mapping_and_physical_page(void)
{
    addr_t physical, window;
    OK(vm_get_page_mapping(vm_get_kernel_aspace_id(), SIM_BOOT_BASE, &physical));
    physical &= ~VM_PAGE_MASK;
    OK(vm_get_physical_page(physical, &window, PHYSICAL_PAGE_CAN_WAIT));
    assert_int_equal(*(uint8_t *)window, SIM_BOOT_BYTE);
    OK(vm_put_physical_page(window));
}

static void clone_and_compare(unsigned lock)
{
    void *at = NULL, *copy = NULL;
    region_id id = map_video_memory(&at);
    for (size_t i = 0; i < WORDS; i++)
        ((uint32_t *)sim_physical(0xb8000))[i] = (uint32_t)(i * 2654435761u);
    region_id second = vm_clone_region(program, "vid_mem2", &copy, REGION_ADDR_ANY_ADDRESS, id,
                                       REGION_NO_PRIVATE_MAP, lock);
    assert_true(second > 0);
    assert_same_words(at, copy);
    OK(vm_delete_region(program, id));
    assert_int_equal(read_word(copy, 1), 2654435761u);
    OK(vm_delete_region(program, second));
}

static void test_newos_4_clone_of_video_memory(void)
{
    clone_and_compare(LOCK_RW);
}

static void test_newos_5_read_only_clone_of_video_memory(void)
{
    clone_and_compare(LOCK_RO);
}

static void test_newos_6_clone_of_anonymous_region(void)
{
    addr_t a;
    void *copy = NULL;
    region_id id = new_region(&a, 16);
    for (size_t i = 0; i < WORDS; i++)
        write_word(PTR(a), i, (uint32_t)i);
    assert_true(vm_clone_region(program, "test_region2", &copy, REGION_ADDR_ANY_ADDRESS, id,
                                REGION_NO_PRIVATE_MAP, LOCK_RW) > 0);
    assert_same_words(PTR(a), copy);
}

static void test_newos_7_file_mapped_twice(void)
{
    sim_file_create_numbered("/boot/kernel", 4);
    void *a = NULL, *b = NULL;
    assert_true(vm_map_file(program, "mmap_test", &a, REGION_ADDR_ANY_ADDRESS, PAGES(4), LOCK_RW,
                            REGION_NO_PRIVATE_MAP, "/boot/kernel", 0) > 0);
    assert_true(vm_map_file(program, "mmap_test2", &b, REGION_ADDR_ANY_ADDRESS, PAGES(4), LOCK_RW,
                            REGION_NO_PRIVATE_MAP, "/boot/kernel", 0) > 0);
    assert_numbered((addr_t)a, 4, 1);
    assert_numbered((addr_t)b, 4, 1);
}

static void test_newos_8_private_clone(void)
{
    addr_t a;
    void *copy = NULL;
    region_id id = new_region(&a, 4);
    number_pages(a, 4, 1);
    assert_true(vm_clone_region(program, "cow", &copy, REGION_ADDR_ANY_ADDRESS, id,
                                REGION_PRIVATE_MAP, LOCK_RW) > 0);
    addr_t b = (addr_t)copy;
    assert_numbered(b, 4, 1);
    OK(sim_write_byte(b, 99));
    assert_byte(a, 1);
    assert_byte(b, 99);
    for (unsigned i = 1; i < 4; i++)
        assert_byte(b + PAGES(i), (int)i + 1);
    OK(sim_write_byte(a + PAGE, 77));
    assert_byte(b + PAGE, 77);
    OK(sim_write_byte(b + PAGES(2), 66));
    assert_byte(a + PAGES(2), 3);
    OK(sim_write_byte(a + PAGES(2), 55));
    assert_byte(b + PAGES(2), 66);
}

static void test_newos_9_shared_and_private_file(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    addr_t shared, private;
    map_pages(&shared, file, 2, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    map_pages(&private, file, 2, LOCK_RW, REGION_PRIVATE_MAP, 0);
    assert_numbered(private, 2, 1);
    OK(sim_write_byte(shared, 10));
    assert_byte(private, 10);
    OK(sim_write_byte(private, 20));
    assert_byte(shared, 10);
    OK(sim_write_byte(shared, 30));
    assert_byte(private, 20);
    assert_byte(private + PAGE, 2);
}

/* Of the program vmtest: more than there is, in two steps. */
static void test_newos_vmtest_overcommit(void)
{
    void *at = NULL;
    addr_t limit = (addr_t)figures().max_commit & ~VM_PAGE_MASK;
    region_id large =
        vm_create_anonymous_region(program, "large", &at, REGION_ADDR_ANY_ADDRESS,
                                   limit / 4 * 3 & ~VM_PAGE_MASK, REGION_WIRING_LAZY, LOCK_RW);
    assert_true(large > 0);
    REFUSED(ERR_VM_WOULD_OVERCOMMIT,
            vm_create_anonymous_region(program, "more", &at, REGION_ADDR_ANY_ADDRESS, limit / 2,
                                       REGION_WIRING_LAZY, LOCK_RW));
    OK(vm_delete_region(program, large));
    assert_true(vm_create_anonymous_region(program, "more", &at, REGION_ADDR_ANY_ADDRESS, limit / 2,
                                           REGION_WIRING_LAZY, LOCK_RW) > 0);
}

UNIT_MAIN("NewOS's own cases", TEST(test_newos_1_anonymous_region),
          TEST(test_newos_2_physical_region_and_its_info),
          TEST(test_newos_3_page_mapping_and_physical_page),
          TEST(test_newos_4_clone_of_video_memory),
          TEST(test_newos_5_read_only_clone_of_video_memory),
          TEST(test_newos_6_clone_of_anonymous_region), TEST(test_newos_7_file_mapped_twice),
          TEST(test_newos_8_private_clone), TEST(test_newos_9_shared_and_private_file),
          TEST(test_newos_vmtest_overcommit))
