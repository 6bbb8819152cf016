/* SPDX-License-Identifier: MIT */
/* user_memcpy and its kin: they stop exactly at the byte that can't be reached. */
#include "support.h"

#define SIZE 64

/* A page that can be used, and behind it none. */
static addr_t edge(void)
{
    region_at(SPOT, 1, LOCK_RW);
    return SPOT + PAGE;
}

/* ---- user_memcpy ---- */

static void test_user_memcpy_both_ways(void)
{
    char out[32] = "", in[] = "to the program and back";
    region_at(SPOT, 2, LOCK_RW);
    OK(user_memcpy(PTR(SPOT + PAGE - 10), in, sizeof(in)));
    OK(user_memcpy(out, PTR(SPOT + PAGE - 10), sizeof(in)));
    assert_string_equal(out, in);
    OK(user_memcpy(PTR(SPOT), PTR(SPOT + PAGE - 10), sizeof(in)));
    OK(sim_read(SPOT, out, sizeof(in)));
    assert_string_equal(out, in);
    OK(user_memcpy(PTR(SPOT), in, 0));
    OK(user_memcpy(out, in, sizeof(in)));
}

static void test_user_memcpy_to_user_stops_at_every_offset(void)
{
    addr_t end = edge();
    uint8_t data[SIZE];
    memset(data, 0x3c, SIZE);
    for (size_t inside = 0; inside < SIZE; inside++) {
        OK(sim_fill(SPOT, 0, PAGE));
        assert_int_equal(user_memcpy(PTR(end - inside), data, SIZE), ERR_VM_BAD_USER_MEMORY);
        assert_true(sim_is_filled(end - inside, 0x3c, inside));
        assert_true(sim_is_filled(end - SIZE, 0, SIZE - inside));
    }
    OK(user_memcpy(PTR(end - SIZE), data, SIZE));
}

static void test_user_memcpy_from_user_stops_at_every_offset(void)
{
    addr_t end = edge();
    OK(sim_fill(SPOT, 0x4d, PAGE));
    for (size_t inside = 0; inside < SIZE; inside++) {
        uint8_t data[SIZE];
        memset(data, 0, SIZE);
        assert_int_equal(user_memcpy(data, PTR(end - inside), SIZE), ERR_VM_BAD_USER_MEMORY);
        for (size_t i = 0; i < SIZE; i++)
            assert_int_equal(data[i], i < inside ? 0x4d : 0);
    }
}

static void test_user_memcpy_bad_page_in_front(void)
{
    region_at(SPOT + PAGE, 1, LOCK_RW);
    uint8_t data[SIZE];
    memset(data, 1, SIZE);
    for (size_t before = 1; before < SIZE; before++) {
        assert_int_equal(user_memcpy(PTR(SPOT + PAGE - before), data, SIZE),
                         ERR_VM_BAD_USER_MEMORY);
        assert_true(sim_is_filled(SPOT + PAGE, 0, SIZE));
    }
}

static void test_user_memcpy_user_to_user_bad_sides(void)
{
    addr_t end = edge();
    region_at(SPOT * 2, 2, LOCK_RW);
    OK(sim_fill(SPOT * 2, 0x55, PAGES(2)));
    for (size_t inside = 0; inside < SIZE; inside += 7) {
        OK(sim_fill(SPOT, 0, PAGE));
        assert_int_equal(user_memcpy(PTR(end - inside), PTR(SPOT * 2 + PAGE - 9), SIZE),
                         ERR_VM_BAD_USER_MEMORY);
        assert_true(sim_is_filled(end - inside, 0x55, inside));
        assert_int_equal(user_memcpy(PTR(SPOT * 2), PTR(end - inside), SIZE),
                         ERR_VM_BAD_USER_MEMORY);
    }
}

static void test_user_memcpy_read_only_target(void)
{
    region_at(SPOT, 1, LOCK_RW);
    region_at(SPOT + PAGE, 1, LOCK_RO);
    uint8_t data[SIZE];
    memset(data, 7, SIZE);
    assert_int_equal(user_memcpy(PTR(SPOT + PAGE - 5), data, SIZE), ERR_VM_BAD_USER_MEMORY);
    assert_true(sim_is_filled(SPOT + PAGE - 5, 7, 5));
    assert_true(sim_is_filled(SPOT + PAGE, 0, PAGE));
    OK(user_memcpy(data, PTR(SPOT + PAGE - 5), SIZE));
}

static void test_user_memcpy_ranges_that_leave_user_space(void)
{
    char data[SIZE] = "";
    region_at(SIM_USER_END - PAGE, 1, LOCK_RW);
    assert_int_equal(user_memcpy(data, PTR(SIM_USER_END - 8), SIZE), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_memcpy(PTR(SIM_USER_END - 8), data, SIZE), ERR_VM_BAD_USER_MEMORY);
    OK(user_memcpy(data, PTR(SIM_USER_END - 8), 8));
    assert_int_equal(user_memcpy(data, PTR(SPOT), SIZE_MAX), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_memcpy(data, PTR(SPOT), SIZE_MAX - SPOT), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_memcpy(data, PTR(SPOT), (size_t)0 - SPOT + 1), ERR_VM_BAD_USER_MEMORY);
}

static void test_user_memcpy_breaks_copy_on_write(void)
{
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    aspace_id child = fork_program();
    OK(user_memcpy(PTR(SPOT), "x", 1));
    assert_byte(SPOT, 'x');
    sim_set_aspace(program);
    assert_byte(SPOT, 1);
    OK(sim_delete_aspace(child));
}

/* ---- user_strcpy ---- */

static void test_user_strcpy_stops_behind_the_nul(void)
{
    addr_t end = edge();
    char out[SIZE];
    OK(sim_write(end - 6, "abcde", 6));
    memset(out, 'z', SIZE);
    OK(user_strcpy(out, PTR(end - 6)));
    assert_string_equal(out, "abcde");
    assert_int_equal(out[6], 'z');
    OK(user_strcpy(PTR(SPOT + 3), "hello"));
    OK(sim_read(SPOT + 3, out, 6));
    assert_string_equal(out, "hello");
    OK(user_strcpy(PTR(SPOT + 3), ""));
    assert_byte(SPOT + 3, 0);
    assert_byte(SPOT + 4, 'e');
}

static void test_user_strcpy_stops_at_every_offset(void)
{
    addr_t end = edge();
    char text[SIZE];
    memset(text, 'q', SIZE);
    text[SIZE - 1] = '\0';
    for (size_t inside = 0; inside < SIZE; inside++) {
        OK(sim_fill(SPOT, 1, PAGE));
        assert_int_equal(user_strcpy(PTR(end - inside), text), ERR_VM_BAD_USER_MEMORY);
        assert_true(sim_is_filled(end - inside, 'q', inside));
        OK(sim_fill(SPOT, 'r', PAGE));
        char out[SIZE] = "";
        assert_int_equal(user_strcpy(out, PTR(end - inside)), ERR_VM_BAD_USER_MEMORY);
        for (size_t i = 0; i < SIZE; i++)
            assert_int_equal(out[i], i < inside ? 'r' : 0);
    }
    OK(user_strcpy(PTR(end - SIZE), text));
}

static void test_user_strcpy_across_pages(void)
{
    region_at(SPOT, 3, LOCK_RW);
    OK(sim_fill(SPOT, 'w', PAGES(3) - 1));
    static char out[3 * 4096];
    OK(user_strcpy(out, PTR(SPOT + 1)));
    assert_int_equal(strlen(out), PAGES(3) - 2);
}

/* ---- user_strncpy ---- */

static void test_user_strncpy_at_most_size(void)
{
    char out[SIZE];
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write(SPOT, "abcdefgh", 9));
    memset(out, 'z', SIZE);
    OK(user_strncpy(out, PTR(SPOT), 4));
    assert_memory_equal(out, "abcdz", 5);
    OK(user_strncpy(out, PTR(SPOT), SIZE));
    assert_string_equal(out, "abcdefgh");
    assert_int_equal(out[9], 'z');
    OK(user_strncpy(out, PTR(SPOT + PAGES(5)), 0));
}

static void test_user_strncpy_limit_before_the_bad_page(void)
{
    addr_t end = edge();
    char out[SIZE] = "";
    OK(sim_fill(SPOT, 'k', PAGE));
    OK(user_strncpy(out, PTR(end - 10), 10));
    assert_memory_equal(out, "kkkkkkkkkk", 10);
    assert_int_equal(user_strncpy(out, PTR(end - 10), 11), ERR_VM_BAD_USER_MEMORY);
    OK(sim_write_byte(end - 1, 0));
    OK(user_strncpy(out, PTR(end - 10), SIZE));
    assert_int_equal(strlen(out), 9);
}

static void test_user_strncpy_stops_at_every_offset(void)
{
    addr_t end = edge();
    for (size_t inside = 0; inside < SIZE; inside++) {
        OK(sim_fill(SPOT, 'm', PAGE));
        char out[SIZE] = "";
        assert_int_equal(user_strncpy(out, PTR(end - inside), SIZE), ERR_VM_BAD_USER_MEMORY);
        for (size_t i = 0; i < SIZE; i++)
            assert_int_equal(out[i], i < inside ? 'm' : 0);
    }
}

static void test_user_strings_stop_at_the_end_of_user_space(void)
{
    addr_t end = SIM_USER_END;
    char out[SIZE] = "", in[SIZE];
    region_at(end - PAGE, 1, LOCK_RW);
    OK(sim_fill(end - PAGE, 'u', PAGE));
    assert_int_equal(user_strcpy(out, PTR(end - 7)), ERR_VM_BAD_USER_MEMORY);
    assert_string_equal(out, "uuuuuuu");
    assert_int_equal(user_strncpy(out, PTR(end - 7), SIZE), ERR_VM_BAD_USER_MEMORY);
    OK(user_strncpy(out, PTR(end - 7), 7));
    memset(in, 'i', SIZE);
    in[SIZE - 1] = '\0';
    assert_int_equal(user_strcpy(PTR(end - 7), in), ERR_VM_BAD_USER_MEMORY);
    assert_true(sim_is_filled(end - 7, 'i', 7));
    assert_true(sim_is_filled(end - PAGE, 'u', PAGE - 7));
}

/* ---- user_memset ---- */

static void test_user_memset_stops_at_every_offset(void)
{
    addr_t end = edge();
    for (size_t inside = 0; inside < SIZE; inside++) {
        OK(sim_fill(SPOT, 0, PAGE));
        assert_int_equal(user_memset(PTR(end - inside), 9, SIZE), ERR_VM_BAD_USER_MEMORY);
        assert_true(sim_is_filled(end - inside, 9, inside));
        assert_true(sim_is_filled(end - SIZE, 0, SIZE - inside));
    }
    OK(user_memset(PTR(end), 9, 0));
}

static void test_user_memset_long(void)
{
    region_at(SPOT, 5, LOCK_RW);
    OK(user_memset(PTR(SPOT + 100), 'c', PAGES(4)));
    assert_true(sim_is_filled(SPOT, 0, 100));
    assert_true(sim_is_filled(SPOT + 100, 'c', PAGES(4)));
    assert_true(sim_is_filled(SPOT + 100 + PAGES(4), 0, PAGE - 100));
}

static void test_user_memset_ranges_that_leave_user_space(void)
{
    region_at(SIM_USER_END - PAGE, 1, LOCK_RW);
    assert_int_equal(user_memset(PTR(SIM_USER_END - 4), 1, 8), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_memset(PTR(SPOT), 1, SIZE_MAX - SPOT + 2), ERR_VM_BAD_USER_MEMORY);
}

static void test_user_copies_wait_for_file_pages(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    addr_t a;
    char out[8];
    map_pages(&a, file, 2, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    OK(user_memcpy(out, PTR(a + PAGE - 4), 8));
    assert_memory_equal(out, "\1\1\1\1\2\2\2\2", 8);
    sim_file_shorten_reads(file, 0);
    OK(vm_unmap_range(program, a, PAGES(2)));
    map_pages(&a, file, 2, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    sim_file_fail_reads(file, 1, UINT32_MAX, ERR_IO);
    assert_int_equal(user_memcpy(out, PTR(a), 8), ERR_VM_BAD_USER_MEMORY);
}

UNIT_MAIN("user copies", TEST(test_user_memcpy_both_ways),
          TEST(test_user_memcpy_to_user_stops_at_every_offset),
          TEST(test_user_memcpy_from_user_stops_at_every_offset),
          TEST(test_user_memcpy_bad_page_in_front), TEST(test_user_memcpy_user_to_user_bad_sides),
          TEST(test_user_memcpy_read_only_target),
          TEST(test_user_memcpy_ranges_that_leave_user_space),
          TEST(test_user_memcpy_breaks_copy_on_write), TEST(test_user_strcpy_stops_behind_the_nul),
          TEST(test_user_strcpy_stops_at_every_offset), TEST(test_user_strcpy_across_pages),
          TEST(test_user_strncpy_at_most_size), TEST(test_user_strncpy_limit_before_the_bad_page),
          TEST(test_user_strncpy_stops_at_every_offset),
          TEST(test_user_strings_stop_at_the_end_of_user_space),
          TEST(test_user_memset_stops_at_every_offset), TEST(test_user_memset_long),
          TEST(test_user_memset_ranges_that_leave_user_space),
          TEST(test_user_copies_wait_for_file_pages))
