/* SPDX-License-Identifier: MIT */
/* Creating regions: anonymous memory, reserved ranges, devices. */
#include "support.h"

#define RW_LAZY PAGES(1), REGION_WIRING_LAZY, LOCK_RW

static region_id create(void **address, int addr_type, addr_t size, int wiring, unsigned lock)
{
    return vm_create_anonymous_region(program, "test", address, addr_type, size, wiring, lock);
}

/* ---- vm_create_anonymous_region ---- */

static void test_vm_create_anonymous_region_is_zeroed(void)
{
    addr_t a = new_pages(3);
    assert_true(sim_is_filled(a, 0, PAGES(3)));
    OK(sim_fill(a, 0x77, PAGES(3)));
    assert_true(sim_is_filled(a, 0x77, PAGES(3)));
}

static void test_vm_create_anonymous_region_is_lazy(void)
{
    size_t before = sim_free_frames();
    addr_t a;
    region_id id = new_region(&a, 1000);
    assert_true(before - sim_free_frames() < 20);
    assert_int_equal(region_info(id).resident_pages, 0);
    OK(sim_write_byte(a + PAGES(500), 1));
    assert_int_equal(region_info(id).resident_pages, 1);
}

static void test_vm_create_anonymous_region_rounds_size_up(void)
{
    void *at = NULL;
    region_id id = create(&at, REGION_ADDR_ANY_ADDRESS, PAGE + 1, REGION_WIRING_LAZY, LOCK_RW);
    assert_true(id > 0);
    assert_int_equal(region_info(id).size, PAGES(2));
    OK(sim_write_byte((addr_t)at + PAGES(2) - 1, 1));
    assert_int_equal(sim_write_byte((addr_t)at + PAGES(2), 1), ERR_VM_PF_BAD_ADDRESS);
}

static void test_vm_create_anonymous_region_any_takes_lowest_hole(void)
{
    addr_t a = new_pages(1), b = new_pages(1), c = new_pages(1);
    assert_int_equal(a, SIM_USER_BASE);
    assert_int_equal(b, a + PAGE);
    assert_int_equal(c, b + PAGE);
    OK(vm_delete_region(program, find_region(b)));
    assert_int_equal(new_pages(2), c + PAGE);
    assert_int_equal(new_pages(1), b);
}

static void test_vm_create_anonymous_region_exact(void)
{
    region_at(SPOT, 4, LOCK_RW);
    region_at(SPOT + PAGES(4), 1, LOCK_RW);
    region_at(SPOT - PAGES(2), 2, LOCK_RW);
    for (int i = -2; i <= 4; i++) {
        void *at = PTR(SPOT + (addr_t)((long)PAGE * i));
        REFUSED(ERR_VM_NO_REGION_SLOT, create(&at, REGION_ADDR_EXACT_ADDRESS, RW_LAZY));
    }
    void *at = PTR(SPOT - PAGES(4));
    REFUSED(ERR_VM_NO_REGION_SLOT,
            create(&at, REGION_ADDR_EXACT_ADDRESS, PAGES(3), REGION_WIRING_LAZY, LOCK_RW));
    assert_true(create(&at, REGION_ADDR_EXACT_ADDRESS, PAGES(2), REGION_WIRING_LAZY, LOCK_RW) > 0);
}

static void test_vm_create_anonymous_region_exact_at_both_ends(void)
{
    region_at(SIM_USER_BASE, 1, LOCK_RW);
    region_at(SIM_USER_END - PAGE, 1, LOCK_RW);
    OK(sim_write_byte(SIM_USER_BASE, 1));
    OK(sim_write_byte(SIM_USER_END - 1, 1));
}

static void test_vm_create_anonymous_region_wraps(void)
{
    static const struct {
        addr_t base, size;
    } bad[] = {
        {0, PAGE},
        {SIM_USER_BASE - PAGE, PAGE},
        {SIM_USER_BASE - PAGE, PAGES(2)},
        {SIM_USER_END, PAGE},
        {SIM_USER_END - PAGE, PAGES(2)},
        {SPOT, SIM_USER_END},
        {SPOT, UINTPTR_MAX - PAGE + 1},
        {SPOT, (addr_t)0 - SPOT},
        {SPOT, (addr_t)0 - SPOT + PAGE},
        {SIM_KERNEL_BASE, PAGE},
        {UINTPTR_MAX - PAGE + 1, PAGE},
        {UINTPTR_MAX - PAGE + 1, PAGES(2)},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        void *at = PTR(bad[i].base);
        REFUSED(ERR_VM_BAD_ADDRESS, create(&at, REGION_ADDR_EXACT_ADDRESS, bad[i].size,
                                           REGION_WIRING_LAZY, LOCK_RW | REGION_OVERCOMMIT));
    }
}

static void test_vm_create_anonymous_region_size_at_the_limit(void)
{
    static const addr_t sizes[] = {UINTPTR_MAX, UINTPTR_MAX - PAGE + 1, UINTPTR_MAX - PAGE + 2};
    for (size_t i = 0; i < 3; i++) {
        for (int type = REGION_ADDR_ANY_ADDRESS; type <= REGION_ADDR_TOP; type++) {
            void *at = PTR(type == REGION_ADDR_TOP ? 0 : SPOT);
            struct picture before;
            take_picture(&before, program);
            assert_true(
                create(&at, type, sizes[i], REGION_WIRING_LAZY, LOCK_RW | REGION_OVERCOMMIT) < 0);
            assert_unchanged(&before);
        }
    }
}

static void test_vm_create_anonymous_region_unaligned(void)
{
    for (addr_t offset = 1; offset < PAGE; offset = offset * 2 + 1) {
        void *at = PTR(SPOT + offset);
        REFUSED(ERR_VM_BAD_ADDRESS, create(&at, REGION_ADDR_EXACT_ADDRESS, RW_LAZY));
        REFUSED(ERR_VM_BAD_ADDRESS, create(&at, REGION_ADDR_REPLACE, RW_LAZY));
    }
}

static void test_vm_create_anonymous_region_replace(void)
{
    region_at(SPOT, 6, LOCK_RW);
    number_pages(SPOT, 6, 1);
    void *at = PTR(SPOT + PAGES(2));
    assert_true(create(&at, REGION_ADDR_REPLACE, PAGES(2), REGION_WIRING_LAZY, LOCK_RW) > 0);
    SIM_CHECK();
    assert_int_equal(count_regions(program), 3);
    assert_numbered(SPOT, 2, 1);
    assert_byte(SPOT + PAGES(2), 0);
    assert_byte(SPOT + PAGES(3), 0);
    assert_numbered(SPOT + PAGES(4), 2, 5);
}

static void test_vm_create_anonymous_region_replace_covers_several(void)
{
    for (unsigned i = 0; i < 5; i++)
        region_at(SPOT + PAGES(2 * i), 1, LOCK_RW);
    number_pages(SPOT, 1, 1);
    void *at = PTR(SPOT);
    assert_true(create(&at, REGION_ADDR_REPLACE, PAGES(9), REGION_WIRING_LAZY, LOCK_RO) > 0);
    assert_int_equal(count_regions(program), 1);
    assert_byte(SPOT, 0);
}

static void test_vm_create_anonymous_region_replace_is_both_or_neither(void)
{
    region_at(SPOT, 2, LOCK_RW);
    number_pages(SPOT, 2, 1);
    void *at = PTR(SPOT);
    addr_t too_much = (addr_t)figures().max_commit + PAGE;
    REFUSED(ERR_VM_WOULD_OVERCOMMIT,
            create(&at, REGION_ADDR_REPLACE, too_much, REGION_WIRING_LAZY, LOCK_RW));
    assert_numbered(SPOT, 2, 1);
    at = PTR(SIM_USER_END - PAGE);
    REFUSED(ERR_VM_BAD_ADDRESS,
            create(&at, REGION_ADDR_REPLACE, PAGES(2), REGION_WIRING_LAZY, LOCK_RW));
}

static void test_vm_create_anonymous_region_hint(void)
{
    void *at = PTR(SPOT);
    assert_true(create(&at, REGION_ADDR_HINT, RW_LAZY) > 0);
    assert_ptr_equal(at, PTR(SPOT));
    at = PTR(SPOT);
    assert_true(create(&at, REGION_ADDR_HINT, RW_LAZY) > 0);
    assert_ptr_equal(at, PTR(SIM_USER_END - PAGE));
    at = PTR(SPOT + PAGE + 5);
    assert_true(create(&at, REGION_ADDR_HINT, RW_LAZY) > 0);
    assert_ptr_equal(at, PTR(SIM_USER_END - PAGES(2)));
    at = NULL;
    assert_true(create(&at, REGION_ADDR_HINT, RW_LAZY) > 0);
    assert_ptr_equal(at, PTR(SIM_USER_END - PAGES(3)));
}

static void test_vm_create_anonymous_region_top(void)
{
    void *at = NULL;
    assert_true(create(&at, REGION_ADDR_TOP, RW_LAZY) > 0);
    assert_ptr_equal(at, PTR(SIM_USER_END - PAGE));
    at = PTR(SPOT);
    assert_true(create(&at, REGION_ADDR_TOP, PAGES(3), REGION_WIRING_LAZY, LOCK_RW) > 0);
    assert_ptr_equal(at, PTR(SPOT - PAGES(3)));
    at = PTR(SPOT);
    assert_true(create(&at, REGION_ADDR_TOP, RW_LAZY) > 0);
    assert_ptr_equal(at, PTR(SPOT - PAGES(4)));
}

static void test_vm_create_anonymous_region_full(void)
{
    void *at = PTR(SIM_USER_BASE);
    addr_t rest = SIM_USER_END - SIM_USER_BASE - PAGES(2);
    assert_true(vm_create_null_region(program, "rest", &at, REGION_ADDR_EXACT_ADDRESS, rest) > 0);
    at = NULL;
    REFUSED(ERR_VM_NO_REGION_SLOT,
            create(&at, REGION_ADDR_ANY_ADDRESS, PAGES(3), REGION_WIRING_LAZY, LOCK_RW));
    REFUSED(ERR_VM_NO_REGION_SLOT,
            create(&at, REGION_ADDR_TOP, PAGES(3), REGION_WIRING_LAZY, LOCK_RW));
    assert_int_equal(new_pages(2), SIM_USER_END - PAGES(2));
    REFUSED(ERR_VM_NO_REGION_SLOT, create(&at, REGION_ADDR_ANY_ADDRESS, RW_LAZY));
}

static void test_vm_create_anonymous_region_bad_arguments(void)
{
    void *at = PTR(SPOT);
    REFUSED(ERR_VM_INVALID_ASPACE, vm_create_anonymous_region(0, "x", &at, 0, RW_LAZY));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_create_anonymous_region(-1, "x", &at, 0, RW_LAZY));
    REFUSED(ERR_VM_INVALID_ASPACE,
            vm_create_anonymous_region(program + 1000, "x", &at, 0, RW_LAZY));
    REFUSED(ERR_INVALID_ARGS, vm_create_anonymous_region(program, NULL, &at, 0, RW_LAZY));
    REFUSED(ERR_INVALID_ARGS, create(&at, 0, 0, REGION_WIRING_LAZY, LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, create(&at, -1, RW_LAZY));
    REFUSED(ERR_INVALID_ARGS, create(&at, REGION_ADDR_TOP + 1, RW_LAZY));
    REFUSED(ERR_INVALID_ARGS, create(&at, 0, PAGE, -1, LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, create(&at, 0, PAGE, REGION_WIRING_WIRED_CONTIG + 1, LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, create(&at, 0, PAGE, REGION_WIRING_LAZY, 0x100));
    REFUSED(ERR_INVALID_ARGS, create(&at, 0, PAGE, REGION_WIRING_LAZY, UINT32_MAX));
}

static void test_vm_create_anonymous_region_kernel_wirings(void)
{
    void *at = PTR(SPOT);
    struct picture before;
    take_picture(&before, program);
    assert_true(create(&at, 0, PAGE, REGION_WIRING_WIRED_ALREADY, LOCK_RW) < 0);
    assert_true(create(&at, 0, PAGE, REGION_WIRING_WIRED_CONTIG, LOCK_RW) < 0);
    assert_unchanged(&before);
}

static void test_vm_create_anonymous_region_wired(void)
{
    void *at = NULL;
    region_id id = create(&at, REGION_ADDR_ANY_ADDRESS, PAGES(5), REGION_WIRING_WIRED, LOCK_RW);
    assert_true(id > 0);
    assert_int_equal(region_info(id).resident_pages, 5);
    assert_int_equal(region_info(id).wiring, REGION_WIRING_WIRED);
    size_t wired = figures().wired_pages;
    uint64_t faults = sim_faults();
    assert_true(sim_is_filled((addr_t)at, 0, PAGES(5)));
    assert_int_equal(sim_faults(), faults);
    OK(vm_delete_region(program, id));
    assert_true(figures().wired_pages + 5 <= wired);
}

static void test_vm_create_anonymous_region_wired_without_memory(void)
{
    void *at = NULL;
    addr_t size = PAGES(sim_free_frames() + 10);
    REFUSED(ERR_NO_MEMORY, create(&at, REGION_ADDR_ANY_ADDRESS, size, REGION_WIRING_WIRED,
                                  LOCK_RW | REGION_OVERCOMMIT));
}

static region_id create_contiguous(void **at, size_t pages)
{
    return vm_create_anonymous_region(vm_get_kernel_aspace_id(), "run", at, REGION_ADDR_ANY_ADDRESS,
                                      PAGES(pages), REGION_WIRING_WIRED_CONTIG,
                                      LOCK_RW | LOCK_KERNEL);
}

static void test_vm_create_anonymous_region_contiguous(void)
{
    aspace_id kernel = vm_get_kernel_aspace_id();
    void *at = NULL;
    region_id id = create_contiguous(&at, 7);
    assert_true(id > 0);
    addr_t first, next;
    OK(vm_get_page_mapping(kernel, (addr_t)at, &first));
    for (unsigned i = 0; i < 7; i++) {
        OK(vm_get_page_mapping(kernel, (addr_t)at + PAGES(i), &next));
        assert_int_equal(next, first + PAGES(i));
        for (unsigned j = 0; j < PAGE; j++)
            assert_int_equal(((uint8_t *)sim_physical(next))[j], 0);
    }
    SIM_CHECK();
    OK(vm_delete_region(kernel, id));
}

static void test_vm_create_anonymous_region_contiguous_without_run(void)
{
    void *at = NULL;
    REFUSED(ERR_NO_MEMORY, create_contiguous(&at, sim_free_frames()));
}

static void test_vm_create_anonymous_region_wired_already(void)
{
    aspace_id kernel = vm_get_kernel_aspace_id();
    region_id boot = vm_find_region_by_name(kernel, "boot image");
    assert_true(boot > 0);
    assert_int_equal(region_info(boot).base, SIM_BOOT_BASE);
    assert_int_equal(region_info(boot).wiring, REGION_WIRING_WIRED_ALREADY);
    for (unsigned i = 0; i < SIM_BOOT_PAGES; i++) {
        uint8_t byte;
        OK(sim_kernel_read(SIM_BOOT_BASE + PAGES(i) + 7, &byte, 1));
        assert_int_equal(byte, SIM_BOOT_BYTE + i);
    }
}

static void test_vm_create_anonymous_region_wired_already_over_nothing(void)
{
    void *at = PTR(SIM_KERNEL_BASE + PAGES(1000));
    struct picture before;
    take_picture(&before, vm_get_kernel_aspace_id());
    assert_true(vm_create_anonymous_region(vm_get_kernel_aspace_id(), "nothing", &at,
                                           REGION_ADDR_EXACT_ADDRESS, PAGE,
                                           REGION_WIRING_WIRED_ALREADY, LOCK_RW | LOCK_KERNEL) < 0);
    assert_unchanged(&before);
}

static void test_vm_create_anonymous_region_overcommit_flag(void)
{
    void *at = NULL;
    int64_t before = sim_committed();
    addr_t size = (addr_t)figures().max_commit * 4;
    region_id id =
        create(&at, REGION_ADDR_ANY_ADDRESS, size, REGION_WIRING_LAZY, LOCK_RW | REGION_OVERCOMMIT);
    assert_true(id > 0);
    assert_int_equal(sim_committed(), before);
    OK(sim_write_byte((addr_t)at + size - 1, 1));
    assert_int_equal(region_info(id).lock, LOCK_RW | REGION_OVERCOMMIT);
}

static void test_vm_create_anonymous_region_permissions(void)
{
    uint8_t byte;
    region_at(SPOT, 1, LOCK_RO);
    region_at(SPOT + PAGES(1), 1, LOCK_RW);
    region_at(SPOT + PAGES(2), 1, LOCK_RO | LOCK_EXECUTE);
    region_at(SPOT + PAGES(3), 1, LOCK_NO_READ);
    assert_byte(SPOT, 0);
    assert_int_equal(sim_write_byte(SPOT, 1), ERR_VM_PF_BAD_PERM);
    assert_int_equal(sim_execute(SPOT, &byte, 1), ERR_VM_PF_BAD_PERM);
    OK(sim_write_byte(SPOT + PAGES(1), 1));
    assert_int_equal(sim_execute(SPOT + PAGES(1), &byte, 1), ERR_VM_PF_BAD_PERM);
    OK(sim_execute(SPOT + PAGES(2), &byte, 1));
    assert_int_equal(sim_write_byte(SPOT + PAGES(2), 1), ERR_VM_PF_BAD_PERM);
    assert_true(sim_read_byte(SPOT + PAGES(3)) < 0);
    assert_true(sim_write_byte(SPOT + PAGES(3), 1) < 0);
}

static void test_vm_create_anonymous_region_kernel_only(void)
{
    region_at(SPOT, 1, LOCK_RW | LOCK_KERNEL);
    uint8_t byte = 9;
    assert_int_equal(sim_read_byte(SPOT), ERR_VM_PF_BAD_PERM);
    assert_int_equal(sim_write_byte(SPOT, 1), ERR_VM_PF_BAD_PERM);
    OK(sim_kernel_write(SPOT, &byte, 1));
    assert_int_equal(sim_read_byte(SPOT), ERR_VM_PF_BAD_PERM);
}

static void test_vm_create_anonymous_region_in_the_kernel(void)
{
    aspace_id kernel = vm_get_kernel_aspace_id();
    void *at = NULL;
    region_id id = vm_create_anonymous_region(kernel, "heap", &at, REGION_ADDR_ANY_ADDRESS,
                                              PAGES(2), REGION_WIRING_LAZY, LOCK_RW | LOCK_KERNEL);
    assert_true(id > 0);
    assert_true((addr_t)at >= SIM_KERNEL_BASE);
    uint8_t byte = 5, back = 0;
    OK(sim_kernel_write((addr_t)at + 100, &byte, 1));
    OK(sim_kernel_read((addr_t)at + 100, &back, 1));
    assert_int_equal(back, 5);
    assert_int_equal(sim_read_byte((addr_t)at + 100), ERR_VM_PF_BAD_PERM);
    OK(vm_delete_region(kernel, id));
}

/* ---- vm_create_null_region ---- */

static void test_vm_create_null_region_refuses_all(void)
{
    void *at = PTR(SPOT);
    uint8_t byte;
    int64_t committed = sim_committed();
    region_id id = vm_create_null_region(program, "null", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(3));
    assert_true(id > 0);
    assert_int_equal(sim_committed(), committed);
    assert_int_equal(sim_read_byte(SPOT), ERR_VM_PF_FATAL);
    assert_int_equal(sim_write_byte(SPOT + PAGES(3) - 1, 1), ERR_VM_PF_FATAL);
    assert_int_equal(sim_execute(SPOT, &byte, 1), ERR_VM_PF_FATAL);
    REFUSED(ERR_VM_NO_REGION_SLOT, create(&at, REGION_ADDR_EXACT_ADDRESS, RW_LAZY));
    OK(vm_delete_region(program, id));
    region_at(SPOT, 3, LOCK_RW);
}

static void test_vm_create_null_region_errors(void)
{
    void *at = PTR(SPOT + 1);
    REFUSED(ERR_VM_BAD_ADDRESS, vm_create_null_region(program, "n", &at, 1, PAGE));
    at = PTR(SPOT);
    REFUSED(ERR_INVALID_ARGS, vm_create_null_region(program, "n", &at, 1, 0));
    REFUSED(ERR_INVALID_ARGS, vm_create_null_region(program, NULL, &at, 1, PAGE));
    REFUSED(ERR_INVALID_ARGS, vm_create_null_region(program, "n", &at, 9, PAGE));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_create_null_region(-5, "n", &at, 1, PAGE));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_create_null_region(program, "n", &at, 1, SIM_USER_END));
}

UNIT_MAIN("creating regions", TEST(test_vm_create_anonymous_region_is_zeroed),
          TEST(test_vm_create_anonymous_region_is_lazy),
          TEST(test_vm_create_anonymous_region_rounds_size_up),
          TEST(test_vm_create_anonymous_region_any_takes_lowest_hole),
          TEST(test_vm_create_anonymous_region_exact),
          TEST(test_vm_create_anonymous_region_exact_at_both_ends),
          TEST(test_vm_create_anonymous_region_wraps),
          TEST(test_vm_create_anonymous_region_size_at_the_limit),
          TEST(test_vm_create_anonymous_region_unaligned),
          TEST(test_vm_create_anonymous_region_replace),
          TEST(test_vm_create_anonymous_region_replace_covers_several),
          TEST(test_vm_create_anonymous_region_replace_is_both_or_neither),
          TEST(test_vm_create_anonymous_region_hint), TEST(test_vm_create_anonymous_region_top),
          TEST(test_vm_create_anonymous_region_full),
          TEST(test_vm_create_anonymous_region_bad_arguments),
          TEST(test_vm_create_anonymous_region_kernel_wirings),
          TEST(test_vm_create_anonymous_region_wired),
          TEST(test_vm_create_anonymous_region_wired_without_memory),
          TEST(test_vm_create_anonymous_region_contiguous),
          TEST(test_vm_create_anonymous_region_contiguous_without_run),
          TEST(test_vm_create_anonymous_region_wired_already),
          TEST(test_vm_create_anonymous_region_wired_already_over_nothing),
          TEST(test_vm_create_anonymous_region_overcommit_flag),
          TEST(test_vm_create_anonymous_region_permissions),
          TEST(test_vm_create_anonymous_region_kernel_only),
          TEST(test_vm_create_anonymous_region_in_the_kernel),
          TEST(test_vm_create_null_region_refuses_all), TEST(test_vm_create_null_region_errors))
