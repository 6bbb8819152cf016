/* SPDX-License-Identifier: MIT */
/* What boot code may hand over: tables with large leaves, tables outside of the core's memory, few
 * top-level entries, memory from address 0 on; and calls before, or out of, their stage. */
#include "support.h"

#include "aspace.h"
#include "system.h"

#define LARGE_PAGE ((addr_t)2 << 20)
#define ENTRY_LARGE 0x83u /* present, writable */

static kernel_args ka;

static void begin(void)
{
    sim_power_on(NULL, &ka);
}

static void started(void)
{
    OK(vm_init(&ka));
    sim_allow_waiting();
    OK(vm_init_postsem(&ka));
}

static void ended(void)
{
    struct vm_leftovers left;
    SIM_CHECK();
    vm_shutdown(&left);
    assert_int_equal(left.regions + left.caches + left.pages + left.aspaces, 0);
}

static region_id kernel_region(addr_t base, size_t pages, int wiring)
{
    void *at = PTR(base);
    return vm_create_anonymous_region(vm_get_kernel_aspace_id(), "k", &at,
                                      REGION_ADDR_EXACT_ADDRESS, PAGES(pages), wiring,
                                      LOCK_RW | LOCK_KERNEL);
}

/* ---- large leaves ---- */

/* The table of large entries on the way to the boot image. */
static uint64_t *large_entry(addr_t address)
{
    addr_t table = ka.kernel_root;
    for (unsigned shift = 39; shift > 21; shift -= 9) {
        const uint64_t *entries = sim_physical(table);
        table = entries[address >> shift & 511] & ~VM_PAGE_MASK;
    }
    return (uint64_t *)sim_physical(table) + (address >> 21 & 511);
}

static void test_large_leaves(void **state)
{
    (void)state;
    addr_t large = SIM_BOOT_BASE + LARGE_PAGE, physical;
    begin();
    *large_entry(large) = SIM_RAM_HIGH | ENTRY_LARGE;
    ka.physical_allocated_range[ka.physical_allocated_ranges++] =
        (struct vm_range){SIM_RAM_HIGH, LARGE_PAGE};
    started();
    aspace_id kernel = vm_get_kernel_aspace_id();
    OK(vm_get_page_mapping(kernel, large + 0x12345, &physical));
    assert_int_equal(physical, SIM_RAM_HIGH + 0x12345);
    /* It isn't the core's to adopt, nor to put a table in its place. */
    assert_int_equal(kernel_region(large, 1, REGION_WIRING_WIRED_ALREADY), ERR_INVALID_ARGS);
    region_id id = kernel_region(large, 3, REGION_WIRING_LAZY);
    assert_true(id > 0);
    assert_int_equal(vm_fault_aspace(kernel, large, VM_ACCESS_WRITE), ERR_NO_MEMORY);
    assert_int_equal(region_info(id).resident_pages, 0);
    OK(vm_delete_region(kernel, id));
    OK(vm_get_page_mapping(kernel, large, &physical));
    ended();
}

/* ---- adopting ---- */

/* What is mapped is adopted; where a page isn't, none are. */
static void test_adoption_of_all_or_nothing(void **state)
{
    (void)state;
    begin();
    ka.boot_regions = 0;
    started();
    size_t unused = figures().unused_pages;
    assert_int_equal(kernel_region(SIM_BOOT_BASE, SIM_BOOT_PAGES + 1, REGION_WIRING_WIRED_ALREADY),
                     ERR_VM_PAGE_NOT_PRESENT);
    assert_int_equal(figures().unused_pages, unused);
    SIM_CHECK();
    region_id id = kernel_region(SIM_BOOT_BASE, SIM_BOOT_PAGES, REGION_WIRING_WIRED_ALREADY);
    assert_true(id > 0);
    assert_int_equal(figures().unused_pages, unused - SIM_BOOT_PAGES);
    assert_int_equal(region_info(id).resident_pages, SIM_BOOT_PAGES);
    struct vm_leftovers left;
    vm_shutdown(&left);
    assert_int_equal(left.regions, 0);
}

/* ---- tables ---- */

/* Where the tables lie is not memory that the core knows: they are never counted or freed. */
static void test_tables_outside_of_memory(void **state)
{
    (void)state;
    begin();
    struct vm_range low = ka.physical_memory_range[0], high = ka.physical_memory_range[1];
    addr_t taken = ka.physical_allocated_range[0].size;
    ka.boot_regions = 0;
    ka.physical_memory_ranges = 3;
    ka.physical_memory_range[0] = (struct vm_range){low.base, PAGE}; /* the root */
    ka.physical_memory_range[1] = (struct vm_range){low.base + taken, low.size - taken};
    ka.physical_memory_range[2] = high;
    started();
    addr_t beside = SIM_BOOT_BASE + PAGES(SIM_BOOT_PAGES);
    region_id id = kernel_region(beside, 2, REGION_WIRING_LAZY);
    assert_true(id > 0);
    size_t tables = figures().table_pages;
    OK(vm_fault_aspace(vm_get_kernel_aspace_id(), beside, VM_ACCESS_WRITE));
    assert_int_equal(figures().table_pages, tables);
    assert_int_equal(region_info(id).resident_pages, 1);
    OK(vm_delete_region(vm_get_kernel_aspace_id(), id));
    ended();
}

/* The host's root has one top-level entry of two: user spaces have copies of it, so a second can't
 * come later. A root of the core's own is complete. */
static void test_top_level_entries_that_are_missing(void **state)
{
    (void)state;
    addr_t slot = (addr_t)1 << 39;
    for (unsigned own_root = 0; own_root < 2; own_root++) {
        sim_power_on(&(struct sim_config){.core_makes_root = own_root != 0}, &ka);
        ka.kernel_base -= slot;
        ka.kernel_size += slot;
        ka.kernel_alloc_base = 0;
        started();
        void *at = NULL;
        region_id id = vm_create_anonymous_region(vm_get_kernel_aspace_id(), "k", &at, 0, PAGE,
                                                  REGION_WIRING_LAZY, LOCK_RW | LOCK_KERNEL);
        assert_true(id > 0);
        assert_int_equal((addr_t)at, ka.kernel_base); /* no alloc base: from the start */
        assert_int_equal(vm_fault_aspace(vm_get_kernel_aspace_id(), (addr_t)at, VM_ACCESS_WRITE),
                         own_root ? VM_OK : ERR_NO_MEMORY);
        OK(vm_delete_region(vm_get_kernel_aspace_id(), id));
        ended();
    }
}

static void test_more_shared_entries_than_there_is_room_for(void **state)
{
    (void)state;
    struct vm_tmap_format all_shared = vm_tmap_x86_64;
    begin();
    all_shared.kernel_first = 0;
    ka.format = &all_shared;
    uint64_t *root = sim_physical(ka.kernel_root);
    for (unsigned i = 0; i < 255; i++)
        root[i] = root[511];
    OK(vm_init(&ka)); /* 256 of them */
    begin();
    ka.format = &all_shared;
    root = sim_physical(ka.kernel_root);
    for (unsigned i = 0; i < 256; i++)
        root[i] = root[511];
    assert_int_equal(vm_init(&ka), ERR_INVALID_ARGS);
}

/* ---- memory ---- */

/* A frame at address 0 is one like others, but not where the core puts its own array: 0 is none. */
static void test_memory_from_address_0(void **state)
{
    (void)state;
    begin();
    struct vm_range low = ka.physical_memory_range[0], high = ka.physical_memory_range[1];
    ka.physical_memory_ranges = 3;
    ka.physical_memory_range[0] = (struct vm_range){0, PAGE};
    ka.physical_memory_range[1] = low;
    ka.physical_memory_range[2] = high;
    started();
    const struct vm_page *first = vm_page_at(0);
    assert_non_null(first);
    assert_int_equal(first->state, VM_PAGE_FREE);
    assert_int_equal(figures().physical_pages, (low.size + high.size) / PAGE + 1);
    ended();
}

static void test_memory_that_is_all_taken(void **state)
{
    (void)state;
    begin();
    ka.physical_allocated_ranges = 2;
    ka.physical_allocated_range[0] = ka.physical_memory_range[0];
    ka.physical_allocated_range[1] = ka.physical_memory_range[1];
    assert_int_equal(vm_init(&ka), ERR_NO_MEMORY);
}

#define REFUSES(change)                                                                            \
    do {                                                                                           \
        begin();                                                                                   \
        change;                                                                                    \
        assert_int_equal(vm_init(&ka), ERR_INVALID_ARGS);                                          \
    } while (0)

static void test_arguments_that_contradict_themselves(void **state)
{
    (void)state;
    /* No root, so that nothing else is wrong. */
    REFUSES(ka.kernel_root = 0; ka.physical_memory_ranges = 0);
    REFUSES(ka.kernel_root = 0; ka.physical_memory_range[0].size = 0);
    REFUSES(ka.physical_memory_range[1].base = ((addr_t)UINT32_MAX + 1) << VM_PAGE_SHIFT);
    REFUSES(ka.kernel_root += 8);
    REFUSES(ka.user_base = PAGE; ka.user_size = ka.kernel_base);
    REFUSES(ka.boot_region[0].name = NULL);
    REFUSES(ka.boot_region[0].base = ka.kernel_base + (ka.kernel_size - PAGE);
            ka.boot_region[0].size = PAGES(2));
}

static void test_as_many_cpus_as_can_be(void **state)
{
    (void)state;
    begin();
    ka.num_cpus = VM_MAX_CPUS;
    started();
    assert_true(vm_system.all_cpus == UINT64_MAX);
    ended();
}

/* ---- stages ---- */

static void test_calls_out_of_their_stage(void **state)
{
    (void)state;
    struct vm_leftovers left = {.pages = 5};
    begin();
    vm_system = (struct vm_system){0};
    assert_int_equal(vm_init_postsem(&ka), ERR_INVALID_ARGS);
    assert_int_equal(vm_init_postthread(&ka), ERR_INVALID_ARGS);
    assert_int_equal(vm_delete_aspace(1), ERR_VM_INVALID_ASPACE);
    vm_shutdown(&left);
    assert_int_equal(left.pages, 0);
    started();
    assert_int_equal(vm_init_postsem(NULL), ERR_INVALID_ARGS);
    assert_int_equal(vm_init_postthread(NULL), ERR_INVALID_ARGS);
    sim_allow_threads();
    OK(vm_init_postthread(&ka));
    assert_int_equal(vm_init_postthread(&ka), ERR_INVALID_ARGS);
    assert_int_equal(vm_delete_aspace(vm_get_kernel_aspace_id()), ERR_INVALID_ARGS);
    ended();
}

int main(void)
{
    sim_set_failure_handler(fail_test);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_leaves),
        cmocka_unit_test(test_adoption_of_all_or_nothing),
        cmocka_unit_test(test_tables_outside_of_memory),
        cmocka_unit_test(test_top_level_entries_that_are_missing),
        cmocka_unit_test(test_more_shared_entries_than_there_is_room_for),
        cmocka_unit_test(test_memory_from_address_0),
        cmocka_unit_test(test_memory_that_is_all_taken),
        cmocka_unit_test(test_arguments_that_contradict_themselves),
        cmocka_unit_test(test_as_many_cpus_as_can_be),
        cmocka_unit_test(test_calls_out_of_their_stage),
    };
    return unit_main("boot", tests, sizeof(tests) / sizeof(tests[0]));
}
