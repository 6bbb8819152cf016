/* SPDX-License-Identifier: MIT */
/* Mappings, physical pages, frames and small memory for the host; the commitment. */
#include "support.h"

#include <quire/host.h>

/* ---- vm_get_page_mapping ---- */

static void test_vm_get_page_mapping_agrees_with_the_mmu(void)
{
    struct sim_translation mmu;
    addr_t physical;
    region_at(SPOT, 2, LOCK_RW);
    OK(sim_write_byte(SPOT + 5, 77));
    OK(vm_get_page_mapping(program, SPOT + 5, &physical));
    assert_true(sim_look_up(SPOT + 5, &mmu));
    assert_int_equal(physical & ~VM_PAGE_MASK, mmu.physical & ~VM_PAGE_MASK);
    assert_int_equal(*(uint8_t *)sim_physical(mmu.physical), 77);
    assert_true(mmu.user && mmu.writable && mmu.dirty && mmu.accessed && !mmu.executable);
}

static void test_vm_get_page_mapping_errors(void)
{
    addr_t physical = 1;
    region_at(SPOT, 2, LOCK_RW);
    assert_int_equal(vm_get_page_mapping(program, SPOT, &physical), ERR_VM_PAGE_NOT_PRESENT);
    assert_int_equal(vm_get_page_mapping(program, SPOT + PAGES(9), &physical),
                     ERR_VM_PAGE_NOT_PRESENT);
    assert_int_equal(vm_get_page_mapping(0, SPOT, &physical), ERR_VM_INVALID_ASPACE);
    assert_true(vm_get_page_mapping(program, SIM_USER_END, &physical) < 0);
    region_at(SIM_USER_END - PAGE, 1, LOCK_RW);
    OK(sim_write_byte(SIM_USER_END - 1, 1));
    OK(vm_get_page_mapping(program, SIM_USER_END - 1, &physical));
    assert_true(vm_get_page_mapping(program, (addr_t)1 << 50, &physical) < 0);
}

static void test_vm_get_page_mapping_of_the_kernel(void)
{
    addr_t physical;
    OK(vm_get_page_mapping(vm_get_kernel_aspace_id(), SIM_BOOT_BASE + PAGES(2), &physical));
    assert_int_equal(*(uint8_t *)sim_physical(physical & ~VM_PAGE_MASK), SIM_BOOT_BYTE + 2);
}

/* ---- vm_get_physical_page, vm_put_physical_page ---- */

static void test_vm_get_physical_page_is_a_window(void)
{
    addr_t physical, window;
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT + 123, 45));
    OK(vm_get_page_mapping(program, SPOT, &physical));
    physical = (physical & ~VM_PAGE_MASK) + 123;
    OK(vm_get_physical_page(physical, &window, PHYSICAL_PAGE_NO_WAIT));
    assert_int_equal(*(uint8_t *)window, 45);
    *(uint8_t *)window = 46;
    OK(vm_put_physical_page(window));
    assert_byte(SPOT + 123, 46);
    OK(vm_get_physical_page(physical, &window, PHYSICAL_PAGE_CAN_WAIT));
    OK(vm_put_physical_page(window));
}

static void test_vm_get_physical_page_errors(void)
{
    addr_t window = 0;
    assert_int_equal(vm_get_physical_page(0, &window, PHYSICAL_PAGE_CAN_WAIT), ERR_VM_BAD_ADDRESS);
    assert_int_equal(vm_get_physical_page(SIM_RAM_HIGH - PAGE, &window, PHYSICAL_PAGE_CAN_WAIT),
                     ERR_VM_BAD_ADDRESS);
    assert_int_equal(vm_get_physical_page(UINTPTR_MAX, &window, PHYSICAL_PAGE_CAN_WAIT),
                     ERR_VM_BAD_ADDRESS);
}

static void test_vm_put_physical_page(void)
{
    addr_t window;
    OK(vm_get_physical_page(SIM_RAM_LOW + 8, &window, PHYSICAL_PAGE_NO_WAIT));
    assert_ptr_equal(PTR(window), host_frame_ptr(SIM_RAM_LOW + 8));
    OK(vm_put_physical_page(window));
}

/* ---- vm_allocate_frames, vm_free_frames ---- */

static void test_vm_allocate_frames_in_a_row(void)
{
    addr_t physical;
    size_t frames = sim_free_frames();
    OK(vm_allocate_frames(9, true, &physical));
    assert_int_equal(sim_free_frames(), frames - 9);
    assert_int_equal(physical & VM_PAGE_MASK, 0);
    uint8_t *memory = sim_physical(physical);
    for (size_t i = 0; i < PAGES(9); i++)
        assert_int_equal(memory[i], 0);
    memset(memory, 1, PAGES(9));
    SIM_CHECK();
    vm_free_frames(physical, 9);
    assert_int_equal(sim_free_frames(), frames);
}

static void test_vm_allocate_frames_errors(void)
{
    addr_t physical = 7;
    size_t frames = sim_free_frames();
    assert_int_equal(vm_allocate_frames(0, false, &physical), ERR_INVALID_ARGS);
    assert_int_equal(vm_allocate_frames(1, false, NULL), ERR_INVALID_ARGS);
    assert_int_equal(vm_allocate_frames(frames, false, &physical), ERR_NO_MEMORY);
    assert_int_equal(vm_allocate_frames(SIZE_MAX, false, &physical), ERR_NO_MEMORY);
    assert_int_equal(sim_free_frames(), frames);
}

static void test_vm_free_frames_each_alone(void)
{
    addr_t physical;
    size_t frames = sim_free_frames();
    OK(vm_allocate_frames(4, false, &physical));
    for (unsigned i = 0; i < 4; i++)
        vm_free_frames(physical + PAGES((i * 3) % 4), 1);
    assert_int_equal(sim_free_frames(), frames);
}

static void test_vm_allocate_frames_all_there_are(void)
{
    static addr_t physical[8192];
    size_t count = 0, frames = free_frames();
    while (count < 8192 && vm_allocate_frames(1, false, &physical[count]) == VM_OK)
        count++;
    assert_int_equal(count, frames);
    SIM_CHECK();
    while (count > 0)
        vm_free_frames(physical[--count], 1);
    assert_int_equal(free_frames(), frames);
}

/* ---- vm_meta_alloc, vm_meta_free, vm_trim ---- */

static void test_vm_meta_alloc_every_size(void)
{
    static const size_t sizes[] = {1,   8,    31,   32,   33,   63,   64,   65,   100,  500,
                                   528, 1000, 1344, 2016, 2017, 4095, 4096, 4097, 8192, 20000};
    enum { COUNT = sizeof(sizes) / sizeof(sizes[0]) };
    uint8_t *memory[COUNT];
    size_t bytes = figures().metadata_bytes;
    for (unsigned i = 0; i < COUNT; i++) {
        memory[i] = vm_meta_alloc(sizes[i]);
        assert_non_null(memory[i]);
        assert_int_equal((uintptr_t)memory[i] % 8, 0);
        memset(memory[i], (int)i, sizes[i]);
    }
    assert_true(figures().metadata_bytes > bytes);
    for (unsigned i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(memory[i][k], i);
        vm_meta_free(memory[i], sizes[i]);
    }
    assert_int_equal(figures().metadata_bytes, bytes);
    SIM_CHECK();
}

static void test_vm_meta_alloc_without_memory(void)
{
    assert_null(vm_meta_alloc(PAGES(sim_free_frames() + 1)));
    assert_null(vm_meta_alloc(SIZE_MAX));
    assert_null(vm_meta_alloc(SIZE_MAX - PAGE));
}

static void test_vm_meta_free_nothing(void)
{
    vm_meta_free(NULL, 100);
    vm_meta_free(NULL, 0);
}

static void test_vm_trim_gives_frames_back(void)
{
    static void *memory[1000];
    size_t frames = free_frames();
    for (unsigned i = 0; i < 1000; i++)
        memory[i] = vm_meta_alloc(512);
    for (unsigned i = 0; i < 1000; i++)
        vm_meta_free(memory[(i * 7) % 1000], 512);
    vm_trim();
    assert_int_equal(sim_free_frames(), frames);
}

/* ---- vm_increase_max_commit, vm_commit ---- */

static void test_vm_increase_max_commit_more_and_less(void)
{
    vm_info before = figures();
    vm_increase_max_commit(PAGES(10));
    assert_int_equal(figures().max_commit, before.max_commit + (int64_t)PAGES(10));
    vm_increase_max_commit((addr_t)0 - PAGES(10));
    assert_int_equal(figures().max_commit, before.max_commit);
    SIM_CHECK();
}

static void test_vm_increase_max_commit_is_the_limit(void)
{
    void *at = NULL;
    vm_info info = figures();
    addr_t rest = (addr_t)(info.max_commit - info.committed) & ~VM_PAGE_MASK;
    REFUSED(ERR_VM_WOULD_OVERCOMMIT,
            vm_create_anonymous_region(program, "x", &at, REGION_ADDR_ANY_ADDRESS, rest + PAGE,
                                       REGION_WIRING_LAZY, LOCK_RW));
    vm_increase_max_commit(PAGE);
    assert_true(vm_create_anonymous_region(program, "x", &at, REGION_ADDR_ANY_ADDRESS, rest + PAGE,
                                           REGION_WIRING_LAZY, LOCK_RW) > 0);
    vm_increase_max_commit((addr_t)0 - PAGE);
    at = NULL;
    REFUSED(ERR_VM_WOULD_OVERCOMMIT,
            vm_create_anonymous_region(program, "y", &at, REGION_ADDR_ANY_ADDRESS, PAGE,
                                       REGION_WIRING_LAZY, LOCK_RW));
}

static void test_vm_increase_max_commit_is_logged_by_its_thread(void)
{
    sim_run_until_blocked();
    sim_log_clear();
    vm_increase_max_commit(PAGES(1024));
    sim_run_until_blocked();
    assert_non_null(strstr(sim_log_text(), "max_commit"));
    sim_log_clear();
    sim_run_until_blocked();
    assert_string_equal(sim_log_text(), "");
}

static void test_vm_commit_charges_and_gives_back(void)
{
    vm_info before = figures();
    OK(vm_commit(12345));
    assert_int_equal(figures().committed, before.committed + 12345);
    SIM_CHECK();
    assert_int_equal(vm_commit(before.max_commit - before.committed), ERR_VM_WOULD_OVERCOMMIT);
    assert_int_equal(vm_commit(INT64_MAX), ERR_VM_WOULD_OVERCOMMIT);
    assert_int_equal(figures().committed, before.committed + 12345);
    OK(vm_commit(-12345));
    assert_int_equal(figures().committed, before.committed);
}

static void test_vm_commit_without_a_limit(void)
{
    void *at = NULL;
    assert_true(vm_create_anonymous_region(program, "huge", &at, REGION_ADDR_ANY_ADDRESS,
                                           (addr_t)1 << 40, REGION_WIRING_LAZY, LOCK_RW) > 0);
    OK(sim_write_byte((addr_t)at + ((addr_t)1 << 39), 1));
    SIM_CHECK();
}

/* ---- vm_get_info, vm_error_text ---- */

static void test_vm_get_info_pages_add_up(void)
{
    number_pages(new_pages(5), 5, 1);
    vm_info i = figures();
    assert_int_equal(i.physical_page_size, PAGE);
    assert_int_equal(i.physical_pages, (16 << 20) / PAGE);
    assert_int_equal(i.active_pages + i.inactive_pages + i.modified_pages +
                         i.modified_temporary_pages + i.free_pages + i.clear_pages + i.wired_pages +
                         i.unused_pages,
                     i.physical_pages);
    assert_int_equal(i.busy_pages, 0);
    assert_true(i.aspaces == 2 && i.regions >= 1 && i.caches >= 1);
    assert_true(i.table_pages >= 4);
    assert_true(i.most_regions >= i.regions);
    assert_true(i.most_aspaces >= i.aspaces);
}

static void test_vm_error_text_has_a_sentence_for_each(void)
{
    for (int error = ERR_UNSUPPORTED; error <= ERR_VM_GENERAL; error++) {
        const char *text = vm_error_text(error);
        assert_non_null(text);
        assert_true(strlen(text) > 3);
        assert_int_not_equal(text[strlen(text) - 1], '.');
        for (int other = ERR_UNSUPPORTED; other < error; other++)
            assert_string_not_equal(text, vm_error_text(other));
    }
    assert_non_null(vm_error_text(VM_OK));
    assert_non_null(vm_error_text(12345));
    assert_non_null(vm_error_text(INT32_MIN));
}

UNIT_MAIN("pages", TEST(test_vm_get_page_mapping_agrees_with_the_mmu),
          TEST(test_vm_get_page_mapping_errors), TEST(test_vm_get_page_mapping_of_the_kernel),
          TEST(test_vm_get_physical_page_is_a_window), TEST(test_vm_get_physical_page_errors),
          TEST(test_vm_put_physical_page), TEST(test_vm_allocate_frames_in_a_row),
          TEST(test_vm_allocate_frames_errors), TEST(test_vm_free_frames_each_alone),
          TEST(test_vm_allocate_frames_all_there_are), TEST(test_vm_meta_alloc_every_size),
          TEST(test_vm_meta_alloc_without_memory), TEST(test_vm_meta_free_nothing),
          TEST(test_vm_trim_gives_frames_back), TEST(test_vm_increase_max_commit_more_and_less),
          TEST(test_vm_increase_max_commit_is_the_limit),
          TEST(test_vm_increase_max_commit_is_logged_by_its_thread),
          TEST(test_vm_commit_charges_and_gives_back),
          TEST_ON(test_vm_commit_without_a_limit, .overcommit = true),
          TEST(test_vm_get_info_pages_add_up), TEST(test_vm_error_text_has_a_sentence_for_each))
