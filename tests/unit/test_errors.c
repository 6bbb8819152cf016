/* SPDX-License-Identifier: MIT */
/* Which error each call names, where several could be named; and that a value at its limit is none. */
#include "support.h"

#include "file.h"

#define NOBODY ((aspace_id)12345)

static aspace_id kernel(void)
{
    return vm_get_kernel_aspace_id();
}

static region_id anonymous(aspace_id aid, void **at, int addr_type, addr_t size, int wiring,
                           unsigned lock)
{
    return vm_create_anonymous_region(aid, "x", at, addr_type, size, wiring, lock);
}

/* ---- spaces ---- */

static void test_errors_of_spaces(void)
{
    REFUSED(ERR_INVALID_ARGS, vm_create_aspace(NULL, SIM_USER_BASE, PAGE, false));
    REFUSED(ERR_INVALID_ARGS, vm_create_aspace("x", SIM_USER_BASE, PAGE, true));
    REFUSED(ERR_INVALID_ARGS, vm_create_aspace("x", SIM_USER_BASE, 0, false));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_create_aspace("x", SIM_USER_BASE + 1, PAGE, false));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_create_aspace("x", SIM_USER_BASE, PAGE + 1, false));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_create_aspace("x", SIM_USER_BASE - PAGE, PAGE, false));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_create_aspace("x", SIM_USER_END, PAGE, false));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_create_aspace("x", SIM_USER_END - PAGE, PAGES(2), false));
    REFUSED(ERR_INVALID_ARGS, vm_delete_aspace(kernel()));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_delete_aspace(NOBODY));
    REFUSED(ERR_INVALID_ARGS, vm_copy_aspace(program, NULL));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_copy_aspace(kernel(), "x"));
    assert_int_equal(vm_aspace_walk_start(NULL), ERR_INVALID_ARGS);
    sim_set_aspace(ERR_VM_INVALID_ASPACE);
    assert_int_equal(vm_get_current_user_aspace_id(), ERR_VM_INVALID_ASPACE);
    assert_null(vm_get_current_user_aspace());
    sim_set_aspace(program);
}

static void test_vm_create_aspace_up_to_the_last_page(void)
{
    aspace_id last = vm_create_aspace("last", SIM_USER_END - PAGE, PAGE, false);
    aspace_id all = vm_create_aspace("all", SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE, false);
    assert_true(last > 0 && all > 0);
    OK(vm_delete_aspace(last));
    OK(vm_delete_aspace(all));
}

/* ---- creating regions ---- */

static void test_errors_of_every_creator(void)
{
    void *at = NULL;
    sim_file *file = sim_file_create_numbered("/f", 2);
    REFUSED(ERR_VM_INVALID_ASPACE, anonymous(NOBODY, &at, 0, PAGE, 0, LOCK_RW));
    REFUSED(ERR_VM_INVALID_ASPACE,
            vm_map_physical_memory(NOBODY, "x", &at, 0, PAGE, LOCK_RW, SIM_DEVICE_LOW));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_create_null_region(NOBODY, "x", &at, 0, PAGE));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_map_vnode(NOBODY, "x", &at, 0, PAGE, LOCK_RW, 0, file, 0));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_map_file(NOBODY, "x", &at, 0, PAGE, LOCK_RW, 0, "/f", 0));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_clone_region(NOBODY, "x", &at, 0, 1, 0, LOCK_RW));
    REFUSED(ERR_VM_INVALID_REGION, vm_clone_region(program, "x", &at, 0, 99999, 0, LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, vm_map_vnode(program, "x", &at, 0, PAGE, LOCK_RW, 0, NULL, 0));
    REFUSED(ERR_INVALID_ARGS, vm_map_vnode(program, "x", &at, 0, PAGE, LOCK_RW, 0, file, -1));
    REFUSED(ERR_INVALID_ARGS, vm_map_vnode(program, "x", &at, 0, PAGE, LOCK_RW, 2, file, 0));
    REFUSED(ERR_INVALID_ARGS, vm_map_vnode(program, "x", &at, 0, PAGE, LOCK_RW, -1, file, 0));
    REFUSED(ERR_INVALID_ARGS, vm_map_file(program, "x", &at, 0, PAGE, LOCK_RW, 0, NULL, 0));
    REFUSED(ERR_NOT_FOUND, vm_map_file(program, "x", &at, 0, PAGE, LOCK_RW, 0, "/g", 0));
    REFUSED(ERR_PERMISSION_DENIED,
            vm_map_vnode(program, "x", &at, 0, PAGE, LOCK_RW | REGION_NO_WRITE, 0, file, 0));
    assert_int_equal(sim_file_references(file), 0);
}

static void test_errors_of_anonymous_regions(void)
{
    void *at = NULL, *user = PTR(SPOT), *base = PTR(SIM_BOOT_BASE);
    REFUSED(ERR_INVALID_ARGS, anonymous(program, NULL, 0, PAGE, 0, LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, anonymous(program, &at, -1, PAGE, 0, LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, anonymous(program, &at, 5, PAGE, 0, LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, anonymous(program, &at, 0, PAGE, -1, LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, anonymous(program, &at, 0, PAGE, 4, LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, anonymous(program, &at, 0, PAGE, 0, 0x100));
    REFUSED(ERR_INVALID_ARGS, anonymous(program, &at, 0, PAGE, 0, LOCK_NO_READ | LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, anonymous(program, &at, 0, PAGE, 0, LOCK_NO_READ | LOCK_EXECUTE));
    REFUSED(ERR_INVALID_ARGS,
            anonymous(program, &user, 1, PAGE, REGION_WIRING_WIRED_ALREADY, LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, anonymous(kernel(), &at, 0, PAGE, 0, LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, anonymous(kernel(), &base, 0, PAGE, REGION_WIRING_WIRED_ALREADY,
                                        LOCK_RW | LOCK_KERNEL));
    REFUSED(ERR_VM_BAD_ADDRESS, anonymous(kernel(), &user, 1, PAGE, REGION_WIRING_WIRED_ALREADY,
                                          LOCK_RW | LOCK_KERNEL));
    REFUSED(ERR_VM_BAD_ADDRESS, anonymous(program, &base, 1, PAGE, 0, LOCK_RW));
    REFUSED(ERR_VM_BAD_ADDRESS, anonymous(program, &at, 0, UINTPTR_MAX, 0, LOCK_RW));
}

static void test_adopting_frames_of_the_core(void)
{
    void *at = PTR(SIM_KERNEL_BASE + PAGES(1000));
    region_id id =
        anonymous(kernel(), &at, 1, PAGES(2), REGION_WIRING_WIRED, LOCK_RW | LOCK_KERNEL);
    assert_true(id > 0);
    REFUSED(ERR_INVALID_ARGS,
            anonymous(kernel(), &at, 1, PAGE, REGION_WIRING_WIRED_ALREADY, LOCK_RW | LOCK_KERNEL));
    OK(vm_delete_region(kernel(), id));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT,
            anonymous(kernel(), &at, 1, PAGE, REGION_WIRING_WIRED_ALREADY, LOCK_RW | LOCK_KERNEL));
}

static region_id map_device(addr_t size, addr_t physical)
{
    void *at = NULL;
    return vm_map_physical_memory(program, "x", &at, 0, size, LOCK_RW, physical);
}

static void test_errors_of_devices(void)
{
    addr_t end = (addr_t)1 << 52; /* what an entry has bits for */
    REFUSED(ERR_INVALID_ARGS, map_device(0, SIM_DEVICE_LOW));
    REFUSED(ERR_INVALID_ARGS, map_device(PAGE, SIM_RAM_LOW));
    REFUSED(ERR_INVALID_ARGS, map_device(PAGES(2), SIM_RAM_LOW - PAGE));
    REFUSED(ERR_INVALID_ARGS, map_device(1, SIM_RAM_LOW + 1));
    REFUSED(ERR_VM_BAD_ADDRESS, map_device(PAGE, end));
    REFUSED(ERR_VM_BAD_ADDRESS, map_device(PAGE + 1, end - PAGE));
    REFUSED(ERR_VM_BAD_ADDRESS, map_device(2, UINTPTR_MAX));
    REFUSED(ERR_VM_BAD_ADDRESS, map_device(UINTPTR_MAX, 1));
    REFUSED(ERR_VM_BAD_ADDRESS, map_device(UINTPTR_MAX, 0));
    region_id last = map_device(PAGE, end - PAGE), below = map_device(PAGE, SIM_RAM_LOW - PAGE);
    assert_true(last > 0 && below > 0);
    OK(vm_delete_region(program, last));
    OK(vm_delete_region(program, below));
}

/* ---- ranges ---- */

static void test_holes_are_not_present(void)
{
    uint8_t pages[4];
    region_at(SPOT, 1, LOCK_RW);
    region_at(SPOT + PAGES(3), 1, LOCK_RW);
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_set_inheritance(program, SPOT, PAGES(4), VM_INHERIT_NONE));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_protect_range(program, SPOT + PAGE, PAGE, LOCK_RO));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_discard_range(program, SPOT, PAGES(4)));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_sync_range(program, SPOT, PAGES(4)));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_get_residency(program, SPOT, PAGES(4), pages));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_wire_range(program, SPOT, PAGES(4)));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_unwire_range(program, SPOT + PAGE, PAGES(2)));
}

/* What must be one region may be less than it, but not more. */
static void test_errors_of_moves(void)
{
    void *to = NULL, *inside = PTR(SPOT + PAGE);
    region_at(SPOT, 2, LOCK_RW);
    region_at(SPOT + PAGES(2), 1, LOCK_RO);
    REFUSED(ERR_INVALID_ARGS, vm_move_range(program, SPOT, PAGE, PAGE, NULL, 0));
    REFUSED(ERR_INVALID_ARGS, vm_move_range(program, SPOT, PAGE, 0, &to, 0));
    REFUSED(ERR_INVALID_ARGS, vm_move_range(program, SPOT, 0, PAGE, &to, 0));
    REFUSED(ERR_INVALID_ARGS,
            vm_move_range(program, SPOT, PAGES(2), PAGES(2), &inside, REGION_ADDR_REPLACE));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_move_range(program, SPOT, PAGES(3), PAGES(3), &to, 0));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_move_range(program, SPOT - PAGE, PAGE, PAGE, &to, 0));
    REFUSED(ERR_VM_NO_REGION_SLOT, vm_move_range(program, SPOT, PAGE, UINTPTR_MAX, &to, 0));
    REFUSED(ERR_VM_NO_REGION_SLOT,
            vm_move_range(program, SPOT, PAGE, (addr_t)INT64_MAX + 1, &to, 0));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_move_range(program, SPOT + 1, PAGE, PAGE, &to, 0));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_move_range(NOBODY, SPOT, PAGE, PAGE, &to, 0));
    REFUSED(ERR_VM_NO_REGION_SLOT,
            vm_move_range(program, SPOT, PAGE, PAGE, &inside, REGION_ADDR_EXACT_ADDRESS));
}

static void test_errors_of_resizing(void)
{
    region_id id = region_at(SPOT, 2, LOCK_RW);
    region_at(SPOT + PAGES(4), 1, LOCK_RW);
    aspace_id other = vm_create_aspace("other", SIM_USER_BASE, PAGES(100), false);
    REFUSED(ERR_INVALID_ARGS, vm_resize_region(program, id, 0));
    REFUSED(ERR_VM_NO_REGION_SLOT, vm_resize_region(program, id, UINTPTR_MAX));
    REFUSED(ERR_VM_NO_REGION_SLOT, vm_resize_region(program, id, PAGES(5)));
    REFUSED(ERR_VM_NO_REGION_SLOT, vm_resize_region(program, id, SIM_USER_END));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_resize_region(NOBODY, id, PAGE));
    REFUSED(ERR_VM_INVALID_REGION, vm_resize_region(program, 99999, PAGE));
    REFUSED(ERR_VM_INVALID_REGION, vm_resize_region(other, id, PAGE));
    struct picture before;
    take_picture(&before, program);
    OK(vm_resize_region(program, id, PAGES(2)));
    OK(vm_resize_region(program, id, PAGE + 1));
    assert_unchanged(&before);
    OK(vm_resize_region(program, id, PAGES(4)));
    OK(vm_delete_aspace(other));
}

static void test_errors_of_holes(void)
{
    addr_t a = 1;
    REFUSED(ERR_INVALID_ARGS, vm_find_hole(program, PAGE, PAGE, SPOT, SIM_USER_END, NULL));
    REFUSED(ERR_INVALID_ARGS, vm_find_hole(program, PAGE, PAGE, SPOT, SPOT, &a));
    REFUSED(ERR_VM_NO_REGION_SLOT, vm_find_hole(program, PAGES(2), PAGE, SPOT, SPOT + PAGE, &a));
    OK(vm_find_hole(program, PAGE, PAGE, SPOT, SPOT + PAGE, &a));
    assert_int_equal(a, SPOT);
    OK(vm_find_hole(program, 1, PAGES(2), SPOT + 1, SIM_USER_END, &a));
    assert_int_equal(a, SPOT + PAGES(2));
}

/* ---- what can be asked ---- */

static void test_errors_of_questions(void)
{
    addr_t cookie = 0, a;
    vm_region_info info;
    addr_t base;
    region_id id = new_region(&base, 1);
    REFUSED(ERR_INVALID_ARGS, vm_get_region_info(id, NULL));
    REFUSED(ERR_VM_INVALID_REGION, vm_get_region_info(99999, &info));
    REFUSED(ERR_INVALID_ARGS, vm_get_next_region_info(program, NULL, &info));
    REFUSED(ERR_INVALID_ARGS, vm_get_next_region_info(program, &cookie, NULL));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_get_next_region_info(NOBODY, &cookie, &info));
    OK(vm_get_next_region_info(program, &cookie, &info));
    assert_int_equal(cookie, base + PAGE);
    REFUSED(ERR_NOT_FOUND, vm_get_next_region_info(program, &cookie, &info));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_find_region_by_name(NOBODY, "pages"));
    REFUSED(ERR_NOT_FOUND, vm_find_region_by_name(program, "page"));
    REFUSED(ERR_INVALID_ARGS, vm_get_residency(program, base, PAGE, NULL));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_fault_aspace(NOBODY, base, VM_ACCESS_READ));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_get_page_mapping(NOBODY, base, &a));
    REFUSED(ERR_INVALID_ARGS, vm_get_page_mapping(program, base, NULL));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_get_page_mapping(program, SIM_USER_BASE - 1, &a));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_get_page_mapping(program, SIM_USER_END, &a));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_get_page_mapping(program, SIM_BOOT_BASE, &a));
}

static void test_errors_of_windows(void)
{
    addr_t window = 0;
    assert_int_equal(vm_get_physical_page(SIM_RAM_LOW, NULL, 0), ERR_INVALID_ARGS);
    assert_int_equal(vm_get_physical_page(SIM_RAM_LOW, &window, 2), ERR_INVALID_ARGS);
    assert_int_equal(vm_get_physical_page(SIM_RAM_LOW, &window, -1), ERR_INVALID_ARGS);
    size_t low = (16u << 20) * 3 / 8; /* the simulator's first range */
    OK(vm_get_physical_page(SIM_RAM_LOW + low - 1, &window, 0));
    OK(vm_put_physical_page(window));
    assert_int_equal(vm_get_physical_page(SIM_RAM_LOW + low, &window, 0), ERR_VM_BAD_ADDRESS);
    assert_int_equal(vm_get_physical_page(SIM_RAM_LOW - 1, &window, 0), ERR_VM_BAD_ADDRESS);
    assert_int_equal(vm_put_physical_page(window + 1), ERR_VM_BAD_ADDRESS);
    OK(vm_get_physical_page(SIM_RAM_LOW, &window, 0));
    assert_int_equal(vm_put_physical_page(window - 1), ERR_VM_BAD_ADDRESS);
    assert_int_equal(vm_put_physical_page(0), ERR_VM_BAD_ADDRESS);
}

static void test_errors_of_file_copies(void)
{
    vm_cache_ref *cache;
    uint8_t byte = 0;
    size_t done;
    sim_file *file = sim_file_create_numbered("/f", 2);
    OK(vm_get_vnode_cache(file, &cache));
    assert_int_equal(vm_cache_read(cache, -1, &byte, 1, false, &done), ERR_INVALID_ARGS);
    assert_int_equal(vm_cache_read(cache, INT64_MAX, &byte, 1, false, &done), ERR_INVALID_ARGS);
    assert_int_equal(vm_cache_read(cache, 1, &byte, SIZE_MAX, false, &done), ERR_INVALID_ARGS);
    assert_int_equal(vm_cache_read(cache, 0, &byte, 1, true, &done), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(vm_cache_truncate(cache, -1), ERR_INVALID_ARGS);
    OK(vm_cache_read(cache, INT64_MAX, &byte, 0, false, &done));
    OK(vm_cache_read(cache, PAGE, &byte, 1, false, &done));
    assert_int_equal(byte, 2);
    assert_int_equal(done, 1);
    vm_put_cache(cache);
}

/* Giving back, or promising nothing, is never refused. */
static void test_vm_commit_of_nothing(void)
{
    OK(vm_commit(PAGE));
    sim_fail_at(SIM_FAIL_COMMIT, 1, true);
    OK(vm_commit(0));
    OK(vm_commit(-(int64_t)PAGE));
    assert_int_equal(vm_commit(1), ERR_VM_WOULD_OVERCOMMIT);
    sim_fail_at(SIM_FAIL_COMMIT, 0, false);
    int64_t left = figures().max_commit - figures().committed;
    assert_int_equal(vm_commit(left + 1), ERR_VM_WOULD_OVERCOMMIT);
    OK(vm_commit(left));
    assert_int_equal(vm_commit(1), ERR_VM_WOULD_OVERCOMMIT);
    OK(vm_commit(-left));
}

/* Each error has a sentence of its own; what is no error of ours has one, too. */
static void test_errors_have_sentences(void)
{
    for (int error = ERR_VM_GENERAL; error > ERR_UNSUPPORTED - 2; error--) {
        bool known = error >= ERR_UNSUPPORTED;
        for (int other = error + 1; other <= ERR_VM_GENERAL; other++)
            if (known)
                assert_string_not_equal(vm_error_text(error), vm_error_text(other));
        assert_int_equal(strcmp(vm_error_text(error), "unknown error") != 0, known);
    }
    assert_string_equal(vm_error_text(1), "no error");
    assert_string_equal(vm_error_text(77), "no error");
    assert_string_equal(vm_error_text(VM_OK), "no error");
    assert_string_equal(vm_error_text(-1), "unknown error");
    assert_string_equal(vm_error_text(ERR_NO_MEMORY), "out of memory");
}

UNIT_MAIN("errors", TEST(test_errors_of_spaces), TEST(test_vm_create_aspace_up_to_the_last_page),
          TEST(test_errors_of_every_creator), TEST(test_errors_of_anonymous_regions),
          TEST(test_adopting_frames_of_the_core), TEST(test_errors_of_devices),
          TEST(test_holes_are_not_present), TEST(test_errors_of_moves),
          TEST(test_errors_of_resizing), TEST(test_errors_of_holes), TEST(test_errors_of_questions),
          TEST(test_errors_of_windows), TEST(test_errors_of_file_copies),
          TEST(test_vm_commit_of_nothing), TEST(test_errors_have_sentences))
