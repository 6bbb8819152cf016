/* SPDX-License-Identifier: MIT */
/* Starting and ending a system, with arguments good and bad. */
#include "support.h"

#include <stdlib.h>

static int try_init(kernel_args *ka)
{
    int error = vm_init(ka);
    if (error == VM_OK) {
        struct vm_leftovers left;
        sim_allow_waiting();
        vm_shutdown(&left);
    }
    return error;
}

/* ---- vm_init ---- */

static void test_vm_init_and_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        OK(sim_start(&(struct sim_config){.cpus = i + 1, .core_makes_root = i % 2 == 1}));
        SIM_CHECK();
        assert_int_equal(figures().aspaces, 1);
        assert_int_equal(sim_committed(), 0);
        sim_end();
    }
}

static void test_vm_init_makes_a_root(void **state)
{
    (void)state;
    OK(sim_start(&(struct sim_config){.core_makes_root = true}));
    void *at = NULL;
    uint8_t byte = 5;
    aspace_id kernel = vm_get_kernel_aspace_id();
    region_id id = vm_create_anonymous_region(kernel, "heap", &at, REGION_ADDR_ANY_ADDRESS, PAGE,
                                              REGION_WIRING_LAZY, LOCK_RW | LOCK_KERNEL);
    assert_true(id > 0);
    program = sim_new_aspace();
    OK(sim_kernel_write((addr_t)at, &byte, 1));
    OK(sim_delete_aspace(program));
    OK(vm_delete_region(kernel, id));
    sim_end();
}

static void test_vm_init_boot_regions(void **state)
{
    (void)state;
    OK(sim_start(NULL));
    region_id id = vm_find_region_by_name(vm_get_kernel_aspace_id(), "boot image");
    vm_region_info info = region_info(id);
    assert_int_equal(info.size, PAGES(SIM_BOOT_PAGES));
    assert_int_equal(info.lock & LOCK_MASK, LOCK_RW | LOCK_KERNEL);
    void *at = PTR(SIM_BOOT_BASE + PAGES(2));
    assert_int_equal(vm_create_anonymous_region(vm_get_kernel_aspace_id(), "x", &at,
                                                REGION_ADDR_EXACT_ADDRESS, PAGE, REGION_WIRING_LAZY,
                                                LOCK_RW | LOCK_KERNEL),
                     ERR_VM_NO_REGION_SLOT);
    sim_end();
}

static void test_vm_init_memory_that_is_taken_stays(void **state)
{
    (void)state;
    OK(sim_start(NULL));
    addr_t first;
    OK(vm_allocate_frames(1, false, &first));
    assert_true(first >= SIM_RAM_LOW + PAGES(SIM_BOOT_PAGES));
    assert_true(figures().wired_pages >= SIM_BOOT_PAGES);
    vm_free_frames(first, 1);
    sim_end();
}

static void test_vm_init_contradictions(void **state)
{
    (void)state;
    kernel_args good;
    struct {
        size_t offset;
        uint64_t value;
        size_t size;
    } wrong[] = {
#define WRONG(field, v) {offsetof(kernel_args, field), (v), sizeof(good.field)}
        WRONG(physical_memory_ranges, 0),
        WRONG(physical_memory_ranges, VM_MAX_PHYSICAL_RANGES + 1),
        WRONG(physical_memory_range[0].base, SIM_RAM_LOW + 1),
        WRONG(physical_memory_range[0].size, 0),
        WRONG(physical_memory_range[0].size, PAGE + 5),
        WRONG(physical_memory_range[1].base, SIM_RAM_LOW),
        WRONG(physical_memory_range[1].size, UINTPTR_MAX & ~VM_PAGE_MASK),
        WRONG(physical_allocated_ranges, VM_MAX_PHYSICAL_RANGES + 1),
        WRONG(format, 0),
        WRONG(kernel_root, 7),
        WRONG(kernel_base, SIM_KERNEL_BASE + 1),
        WRONG(kernel_size, 0),
        WRONG(kernel_size, UINTPTR_MAX & ~VM_PAGE_MASK),
        WRONG(kernel_alloc_base, SIM_USER_BASE),
        WRONG(user_base, SIM_USER_BASE + 1),
        WRONG(user_size, 0),
        WRONG(user_size, UINTPTR_MAX & ~VM_PAGE_MASK),
        WRONG(boot_regions, VM_MAX_BOOT_REGIONS + 1),
        WRONG(boot_region[0].base, SIM_BOOT_BASE + 1),
        WRONG(boot_region[0].size, 0),
        WRONG(boot_region[0].size, 5),
        WRONG(boot_region[0].base, SIM_USER_BASE),
        WRONG(num_cpus, 0),
        WRONG(num_cpus, VM_MAX_CPUS + 1),
#undef WRONG
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        sim_power_on(NULL, &good);
        kernel_args bad = good;
        memcpy((char *)&bad + wrong[i].offset, &wrong[i].value, wrong[i].size);
        int error = try_init(&bad);
        if (error == VM_OK)
            fail_msg("contradiction %zu is accepted", i);
        assert_int_equal(error, ERR_INVALID_ARGS);
    }
    assert_int_equal(vm_init(NULL), ERR_INVALID_ARGS);
}

static void test_vm_init_overlapping_spaces(void **state)
{
    (void)state;
    kernel_args ka;
    sim_power_on(NULL, &ka);
    ka.user_base = SIM_KERNEL_BASE;
    ka.user_size = PAGES(100);
    assert_int_equal(try_init(&ka), ERR_INVALID_ARGS);
}

static void test_vm_init_too_little_memory(void **state)
{
    (void)state;
    for (size_t pages = 1; pages < 24; pages++) {
        kernel_args ka;
        sim_power_on(NULL, &ka);
        ka.physical_memory_ranges = 1;
        ka.physical_allocated_ranges = 0;
        ka.kernel_root = 0;
        ka.boot_regions = 0;
        ka.physical_memory_range[0] = (struct vm_range){SIM_RAM_HIGH, PAGES(pages)};
        int error = try_init(&ka);
        assert_true(error == VM_OK || error == ERR_NO_MEMORY);
        if (pages == 1)
            assert_int_equal(error, ERR_NO_MEMORY);
        if (pages == 23)
            OK(error);
    }
}

static void test_vm_init_allocations_fail(void **state)
{
    (void)state;
    for (enum sim_failure class = SIM_FAIL_METADATA; class <= SIM_FAIL_COMMIT; class ++) {
        for (unsigned n = 1; n < 500; n++) {
            kernel_args ka;
            sim_power_on(NULL, &ka);
            sim_fail_at(class, n, false);
            int error = try_init(&ka);
            if (sim_fail_done(class) == 0) {
                OK(error);
                break;
            }
            assert_true(error == VM_OK || error == ERR_NO_MEMORY ||
                        error == ERR_VM_WOULD_OVERCOMMIT);
        }
    }
}

static void test_vm_init_kernel_space_to_the_last_byte(void **state)
{
    (void)state;
    kernel_args ka;
    sim_power_on(NULL, &ka);
    ka.kernel_size = (addr_t)0 - ka.kernel_base;
    OK(vm_init(&ka));
    sim_allow_waiting();
    OK(vm_init_postsem(&ka));
    void *at = PTR(UINTPTR_MAX - VM_PAGE_MASK);
    region_id id = vm_create_anonymous_region(vm_get_kernel_aspace_id(), "last", &at,
                                              REGION_ADDR_EXACT_ADDRESS, PAGE, REGION_WIRING_LAZY,
                                              LOCK_RW | LOCK_KERNEL);
    assert_true(id > 0);
    at = PTR(UINTPTR_MAX - VM_PAGE_MASK);
    assert_true(vm_create_anonymous_region(vm_get_kernel_aspace_id(), "last", &at,
                                           REGION_ADDR_EXACT_ADDRESS, PAGES(2), REGION_WIRING_LAZY,
                                           LOCK_RW | LOCK_KERNEL) < 0);
    OK(vm_fault_aspace(vm_get_kernel_aspace_id(), UINTPTR_MAX, VM_ACCESS_WRITE));
    vm_region_info info;
    addr_t cookie = UINTPTR_MAX - VM_PAGE_MASK;
    OK(vm_get_next_region_info(vm_get_kernel_aspace_id(), &cookie, &info));
    assert_int_equal(info.id, id);
    SIM_CHECK();
    OK(vm_delete_region(vm_get_kernel_aspace_id(), id));
    struct vm_leftovers left;
    vm_shutdown(&left);
    assert_int_equal(left.pages, 0);
}

/* ---- vm_init_postthread ---- */

static void test_vm_init_postthread_without_a_thread(void **state)
{
    (void)state;
    kernel_args ka;
    sim_power_on(NULL, &ka);
    OK(vm_init(&ka));
    sim_allow_waiting();
    OK(vm_init_postsem(&ka));
    sim_allow_threads();
    sim_fail_at(SIM_FAIL_THREAD, 1, false);
    assert_int_equal(vm_init_postthread(&ka), ERR_NO_MEMORY);
    OK(vm_init_postthread(&ka));
    struct vm_leftovers left;
    vm_shutdown(&left);
    assert_int_equal(left.threads, 0);
}

/* ---- vm_init_postsem ---- */

static void test_vm_init_postsem_is_enough_for_everything(void **state)
{
    (void)state;
    kernel_args ka;
    struct vm_leftovers left;
    sim_power_on(NULL, &ka);
    OK(vm_init(&ka));
    sim_allow_waiting();
    OK(vm_init_postsem(&ka));
    aspace_id aid = vm_create_aspace("a", SIM_USER_BASE, PAGES(100), false);
    void *at = NULL;
    assert_true(
        vm_create_anonymous_region(aid, "x", &at, 0, PAGES(3), REGION_WIRING_LAZY, LOCK_RW) > 0);
    OK(vm_fault_aspace(aid, (addr_t)at, VM_ACCESS_WRITE));
    OK(vm_delete_aspace(aid));
    vm_shutdown(&left);
    assert_int_equal(left.regions + left.caches + left.pages + left.aspaces, 0);
}

/* ---- vm_shutdown ---- */

static void test_vm_shutdown_reports_what_is_left(void **state)
{
    (void)state;
    struct vm_leftovers left;
    OK(sim_start(NULL));
    program = sim_new_aspace();
    number_pages(new_pages(3), 3, 1);
    assert_true(sim_end_counting(&left) >= 4);
    assert_true(left.aspaces >= 1);
    assert_true(left.regions >= 1);
    assert_true(left.caches >= 1);
    assert_true(left.pages >= 3);
    assert_true(left.committed >= (int64_t)PAGES(3));
    OK(sim_start(NULL));
    sim_end();
}

static void test_vm_shutdown_reports_small_memory(void **state)
{
    (void)state;
    struct vm_leftovers left;
    OK(sim_start(NULL));
    assert_non_null(vm_meta_alloc(100));
    assert_true(sim_end_counting(&left) >= 1);
    assert_true(left.metadata_bytes >= 100);
}

int main(void)
{
    sim_set_failure_handler(fail_test);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vm_init_and_end),
        cmocka_unit_test(test_vm_init_makes_a_root),
        cmocka_unit_test(test_vm_init_boot_regions),
        cmocka_unit_test(test_vm_init_memory_that_is_taken_stays),
        cmocka_unit_test(test_vm_init_contradictions),
        cmocka_unit_test(test_vm_init_overlapping_spaces),
        cmocka_unit_test(test_vm_init_too_little_memory),
        cmocka_unit_test(test_vm_init_allocations_fail),
        cmocka_unit_test(test_vm_init_kernel_space_to_the_last_byte),
        cmocka_unit_test(test_vm_init_postthread_without_a_thread),
        cmocka_unit_test(test_vm_init_postsem_is_enough_for_everything),
        cmocka_unit_test(test_vm_shutdown_reports_what_is_left),
        cmocka_unit_test(test_vm_shutdown_reports_small_memory),
    };
    return unit_main("init", tests, sizeof(tests) / sizeof(tests[0]));
}
