/* SPDX-License-Identifier: MIT */
/* What vm_init takes and makes of its arguments: the most of everything, the last of every range. */
#include "support.h"

#include "aspace.h"
#include "lock.h"
#include "system.h"

static void end_core(void)
{
    struct vm_leftovers left;
    sim_allow_waiting();
    vm_shutdown(&left);
    assert_int_equal(left.aspaces + left.regions + left.caches + left.metadata_bytes, 0);
    assert_int_equal(left.committed, 0);
    vm_assert_no_locks();
}

/* A machine whose core makes its own root and has no boot image. */
static kernel_args empty_machine(void)
{
    kernel_args ka;
    sim_power_on(NULL, &ka);
    ka.kernel_root = 0;
    ka.boot_regions = 0;
    ka.physical_allocated_ranges = 0;
    return ka;
}

static void test_vm_init_masks_of_cpus(void **state)
{
    (void)state;
    for (unsigned cpus = 1; cpus <= VM_MAX_CPUS; cpus++) {
        kernel_args ka = empty_machine();
        ka.num_cpus = cpus;
        OK(vm_init(&ka));
        assert_int_equal(vm_system.all_cpus, UINT64_MAX >> (64 - cpus));
        end_core();
    }
}

static void test_vm_init_frames_that_are_taken(void **state)
{
    (void)state;
    kernel_args ka = empty_machine();
    ka.physical_allocated_ranges = VM_MAX_PHYSICAL_RANGES;
    for (unsigned i = 0; i < VM_MAX_PHYSICAL_RANGES; i++)
        ka.physical_allocated_range[i] =
            (struct vm_range){SIM_RAM_HIGH + PAGES(1000 + 3 * (VM_MAX_PHYSICAL_RANGES - i)), PAGE};
    OK(vm_init(&ka));
    assert_int_equal(figures().unused_pages, VM_MAX_PHYSICAL_RANGES);
    for (unsigned i = 0; i < VM_MAX_PHYSICAL_RANGES; i++) {
        addr_t taken = ka.physical_allocated_range[i].base;
        assert_int_equal(vm_page_at(taken - PAGE)->state, VM_PAGE_FREE);
        assert_int_equal(vm_page_at(taken)->state, VM_PAGE_UNUSED);
        assert_int_equal(vm_page_at(taken + PAGE)->state, VM_PAGE_FREE);
    }
    end_core();
}

static void test_vm_init_as_many_ranges_as_there_may_be(void **state)
{
    (void)state;
    kernel_args ka = empty_machine();
    ka.physical_memory_ranges = VM_MAX_PHYSICAL_RANGES;
    for (unsigned i = 0; i < VM_MAX_PHYSICAL_RANGES; i++)
        ka.physical_memory_range[i] = (struct vm_range){SIM_RAM_HIGH + PAGES(80 * i), PAGES(79)};
    OK(vm_init(&ka));
    assert_int_equal(figures().physical_pages, 79 * VM_MAX_PHYSICAL_RANGES);
    for (unsigned i = 0; i < VM_MAX_PHYSICAL_RANGES; i++) {
        addr_t base = ka.physical_memory_range[i].base;
        assert_int_equal(vm_page_at(base)->number, base >> VM_PAGE_SHIFT);
        assert_int_equal(vm_page_at(base + PAGES(79) - 1)->number, (base >> VM_PAGE_SHIFT) + 78);
        assert_null(vm_page_at(base + PAGES(79)));
        assert_null(vm_page_at(base - 1));
    }
    assert_int_equal(vm_check(), 0);
    end_core();
}

/* The array of vm_page fills the only run of free frames that is long enough. */
static void test_vm_init_finds_room_for_its_pages(void **state)
{
    (void)state;
    kernel_args ka = empty_machine();
    addr_t low = ka.physical_memory_range[0].size;
    addr_t frames = (low + ka.physical_memory_range[1].size) / PAGE;
    addr_t ghosts = (addr_t)1 << (63 - __builtin_clzll(frames));
    addr_t needed = frames * sizeof(struct vm_page) + ghosts * sizeof(struct vm_ghost);
    needed = (needed + VM_PAGE_MASK) & ~VM_PAGE_MASK;
    addr_t room = SIM_RAM_LOW + PAGES(10), behind = room + needed;
    ka.physical_allocated_ranges = 3;
    ka.physical_allocated_range[0] = (struct vm_range){SIM_RAM_LOW + PAGES(5), PAGES(5)};
    ka.physical_allocated_range[1] = (struct vm_range){behind, PAGES(3)};
    ka.physical_allocated_range[2] =
        (struct vm_range){behind + PAGES(3) + needed - PAGE, SIM_RAM_LOW + low - PAGES(100)};
    OK(vm_init(&ka));
    assert_ptr_equal(vm_page_at(SIM_RAM_LOW), sim_physical(room));
    assert_int_equal(vm_page_at(room - 1)->state, VM_PAGE_UNUSED);
    assert_int_equal(vm_page_at(room)->state, VM_PAGE_WIRED);
    assert_int_equal(vm_page_at(behind - 1)->state, VM_PAGE_WIRED);
    assert_int_equal(vm_page_at(behind)->state, VM_PAGE_UNUSED);
    end_core();
}

static void test_vm_init_finds_room_in_the_second_range(void **state)
{
    (void)state;
    kernel_args ka = empty_machine();
    ka.physical_allocated_ranges = 1;
    ka.physical_allocated_range[0] = ka.physical_memory_range[0];
    OK(vm_init(&ka));
    assert_ptr_equal(vm_page_at(SIM_RAM_LOW), sim_physical(SIM_RAM_HIGH));
    end_core();
    ka.physical_allocated_ranges = 2;
    ka.physical_allocated_range[1] = ka.physical_memory_range[1];
    assert_int_equal(vm_init(&ka), ERR_NO_MEMORY);
}

static void test_vm_init_spaces_of_no_size(void **state)
{
    (void)state;
    kernel_args ka = empty_machine();
    ka.user_base = ka.user_size = 0;
    assert_int_equal(vm_init(&ka), ERR_INVALID_ARGS);
    ka = empty_machine();
    ka.kernel_base = ka.kernel_size = 0;
    assert_int_equal(vm_init(&ka), ERR_INVALID_ARGS);
}

static void test_vm_init_one_space_inside_the_other(void **state)
{
    (void)state;
    kernel_args ka = empty_machine();
    ka.user_base = SIM_KERNEL_BASE + PAGE;
    ka.user_size = PAGE;
    assert_int_equal(vm_init(&ka), ERR_INVALID_ARGS);
    ka.user_base = SIM_KERNEL_BASE - PAGE;
    ka.user_size = PAGES(2);
    assert_int_equal(vm_init(&ka), ERR_INVALID_ARGS);
    ka.user_size = PAGE;
    OK(vm_init(&ka));
    end_core();
}

static void test_vm_init_ranges_of_whole_pages(void **state)
{
    (void)state;
    kernel_args ka = empty_machine();
    ka.physical_memory_range[1].base += 8;
    assert_int_equal(vm_init(&ka), ERR_INVALID_ARGS);
    ka = empty_machine();
    ka.physical_memory_range[1].size -= 8;
    assert_int_equal(vm_init(&ka), ERR_INVALID_ARGS);
}

static region_id adopt(addr_t pages)
{
    void *at = PTR(SIM_BOOT_BASE + PAGES(4));
    return vm_create_anonymous_region(vm_get_kernel_aspace_id(), "late", &at,
                                      REGION_ADDR_EXACT_ADDRESS, PAGES(pages),
                                      REGION_WIRING_WIRED_ALREADY, LOCK_RW | LOCK_KERNEL);
}

/* What boot code has mapped may be adopted later. Until that succeeds, nothing of it is. */
static void test_adopting_is_all_or_nothing(void **state)
{
    (void)state;
    kernel_args ka;
    sim_power_on(NULL, &ka);
    ka.boot_region[0].size = PAGES(4);
    OK(vm_init(&ka));
    sim_allow_waiting();
    size_t unused = figures().unused_pages;
    assert_int_equal(adopt(SIM_BOOT_PAGES - 3), ERR_VM_PAGE_NOT_PRESENT);
    assert_int_equal(figures().unused_pages, unused);
    assert_int_equal(vm_check(), 0);
    region_id id = ERR_NO_MEMORY;
    unsigned n = 0;
    while (id < 0) {
        sim_fail_at(SIM_FAIL_METADATA, ++n, false);
        id = adopt(4);
        sim_fail_at(SIM_FAIL_METADATA, 0, false);
        assert_int_equal(figures().unused_pages, id > 0 ? unused - 4 : unused);
        assert_int_equal(vm_check(), 0);
    }
    assert_true(n > 3);
    OK(vm_delete_region(vm_get_kernel_aspace_id(), id));
    end_core();
}

/* Ranges that touch are two; those that overlap or go down are none. */
static void test_vm_init_neighbouring_ranges(void **state)
{
    (void)state;
    kernel_args ka = empty_machine();
    ka.physical_memory_range[0] = (struct vm_range){SIM_RAM_HIGH, PAGES(100)};
    ka.physical_memory_range[1] = (struct vm_range){SIM_RAM_HIGH + PAGES(100), PAGES(50)};
    OK(vm_init(&ka));
    assert_int_equal(figures().physical_pages, 150);
    end_core();
    ka.physical_memory_range[1].base -= PAGE;
    assert_int_equal(vm_init(&ka), ERR_INVALID_ARGS);
}

/* A frame's number has 32 bits. These frames are taken, since there is nothing at their addresses. */
static void test_vm_init_highest_frame(void **state)
{
    (void)state;
    kernel_args ka = empty_machine();
    addr_t end = (addr_t)1 << (32 + VM_PAGE_SHIFT);
    ka.physical_memory_range[1] = (struct vm_range){end - PAGES(3), PAGES(3)};
    ka.physical_allocated_ranges = 1;
    ka.physical_allocated_range[0] = ka.physical_memory_range[1];
    OK(vm_init(&ka));
    assert_int_equal(vm_page_at(end - 1)->number, UINT32_MAX);
    assert_null(vm_page_at(end));
    end_core();
    ka.physical_memory_range[1].size = PAGES(4);
    assert_int_equal(vm_init(&ka), ERR_INVALID_ARGS);
}

static void test_vm_init_boot_region_that_leaves_the_kernel(void **state)
{
    (void)state;
    kernel_args ka;
    sim_power_on(NULL, &ka);
    addr_t end = SIM_KERNEL_BASE + SIM_KERNEL_SIZE;
    ka.boot_region[0].size = end - SIM_BOOT_BASE;
    assert_int_equal(vm_init(&ka), ERR_VM_PAGE_NOT_PRESENT);
    ka.boot_region[0].size += PAGE;
    assert_int_equal(vm_init(&ka), ERR_INVALID_ARGS);
    ka.boot_region[0].size = PAGE;
    ka.boot_region[0].base = SIM_KERNEL_BASE - PAGE;
    assert_int_equal(vm_init(&ka), ERR_INVALID_ARGS);
    ka.boot_region[0].base = end;
    assert_int_equal(vm_init(&ka), ERR_INVALID_ARGS);
    ka.boot_region[0].name = NULL;
    ka.boot_region[0].base = SIM_BOOT_BASE;
    assert_int_equal(vm_init(&ka), ERR_INVALID_ARGS);
}

/* The kernel's root is complete on its top level: two entries here, both in every user's root. */
static void test_vm_init_kernel_of_two_top_entries(void **state)
{
    (void)state;
    kernel_args ka = empty_machine();
    ka.kernel_base = (addr_t)0 - ((addr_t)2 << 39);
    ka.kernel_size = (addr_t)2 << 39;
    OK(vm_init(&ka));
    sim_allow_waiting();
    assert_int_equal(vm_system.kernel_slots.count, 2);
    assert_int_equal(figures().table_pages, 3);
    assert_int_equal(vm_unmap_range(vm_get_kernel_aspace_id(), (addr_t)0 - PAGE, PAGE + 1),
                     ERR_VM_BAD_ADDRESS);
    OK(vm_unmap_range(vm_get_kernel_aspace_id(), (addr_t)0 - PAGE, PAGE));
    aspace_id aid = vm_create_aspace("x", SIM_USER_BASE, PAGE, false);
    vm_address_space *aspace = vm_get_aspace_by_id(aid);
    const uint64_t *root = sim_physical(aspace->translation_map.root);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(root[i] != 0, i >= 510);
    vm_put_aspace(aspace);
    OK(vm_delete_aspace(aid));
    end_core();
}

static void test_vm_init_without_a_second_table(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 3; n++) {
        kernel_args ka = empty_machine();
        ka.kernel_base = (addr_t)0 - ((addr_t)2 << 39);
        ka.kernel_size = (addr_t)2 << 39;
        sim_fail_at(SIM_FAIL_TABLE, n, false);
        assert_int_equal(vm_init(&ka), ERR_NO_MEMORY);
        assert_int_equal(figures().table_pages, 0);
    }
}

static void test_vm_init_promises_all_but_a_sixteenth(void **state)
{
    (void)state;
    kernel_args ka = empty_machine();
    OK(vm_init(&ka));
    size_t free = figures().free_pages + figures().clear_pages;
    assert_in_range(figures().max_commit, PAGES(free - free / 16), PAGES(free - free / 16 + 8));
    assert_int_equal(figures().deepest_chain, 1);
    end_core();
    ka.overcommit = true;
    OK(vm_init(&ka));
    assert_int_equal(figures().max_commit, INT64_MAX / 2);
    end_core();
}

static void test_vm_init_last_place_for_regions(void **state)
{
    (void)state;
    kernel_args ka = empty_machine();
    ka.kernel_alloc_base = ka.kernel_base + ka.kernel_size - 1;
    OK(vm_init(&ka));
    end_core();
    ka.kernel_alloc_base++;
    assert_int_equal(vm_init(&ka), ERR_INVALID_ARGS);
    ka.kernel_alloc_base = ka.kernel_base - 1;
    assert_int_equal(vm_init(&ka), ERR_INVALID_ARGS);
}

static void test_vm_init_stages_in_order(void **state)
{
    (void)state;
    kernel_args ka = empty_machine();
    assert_int_equal(vm_init_postsem(&ka), ERR_INVALID_ARGS);
    assert_int_equal(vm_init_postthread(&ka), ERR_INVALID_ARGS);
    OK(vm_init(&ka));
    assert_int_equal(vm_init_postsem(NULL), ERR_INVALID_ARGS);
    assert_int_equal(vm_init_postthread(NULL), ERR_INVALID_ARGS);
    OK(vm_init_postsem(&ka));
    end_core();
}

UNIT_MAIN("the start", cmocka_unit_test(test_vm_init_masks_of_cpus),
          cmocka_unit_test(test_vm_init_frames_that_are_taken),
          cmocka_unit_test(test_vm_init_as_many_ranges_as_there_may_be),
          cmocka_unit_test(test_vm_init_finds_room_for_its_pages),
          cmocka_unit_test(test_vm_init_finds_room_in_the_second_range),
          cmocka_unit_test(test_vm_init_spaces_of_no_size),
          cmocka_unit_test(test_adopting_is_all_or_nothing),
          cmocka_unit_test(test_vm_init_ranges_of_whole_pages),
          cmocka_unit_test(test_vm_init_one_space_inside_the_other),
          cmocka_unit_test(test_vm_init_neighbouring_ranges),
          cmocka_unit_test(test_vm_init_highest_frame),
          cmocka_unit_test(test_vm_init_boot_region_that_leaves_the_kernel),
          cmocka_unit_test(test_vm_init_kernel_of_two_top_entries),
          cmocka_unit_test(test_vm_init_without_a_second_table),
          cmocka_unit_test(test_vm_init_promises_all_but_a_sixteenth),
          cmocka_unit_test(test_vm_init_last_place_for_regions),
          cmocka_unit_test(test_vm_init_stages_in_order))
