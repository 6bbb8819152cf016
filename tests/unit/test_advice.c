/* SPDX-License-Identifier: MIT */
/* Discarding, residency and wiring of ranges. */
#include "support.h"

/* ---- vm_discard_range ---- */

static void test_vm_discard_range_gives_zeros(void)
{
    region_at(SPOT, 6, LOCK_RW);
    number_pages(SPOT, 6, 1);
    size_t frames = sim_free_frames();
    OK(vm_discard_range(program, SPOT + PAGES(2), PAGES(3)));
    SIM_CHECK();
    assert_true(sim_free_frames() >= frames + 3);
    assert_numbered(SPOT, 2, 1);
    assert_true(sim_is_filled(SPOT + PAGES(2), 0, PAGES(3)));
    assert_byte(SPOT + PAGES(5), 6);
    assert_int_equal(count_regions(program), 1);
}

static void test_vm_discard_range_shows_the_file_again(void)
{
    sim_file *file = sim_file_create_numbered("/f", 3);
    addr_t a;
    map_pages(&a, file, 3, LOCK_RW, REGION_PRIVATE_MAP, 0);
    number_pages(a, 3, 90);
    OK(vm_discard_range(program, a + PAGE, PAGE));
    SIM_CHECK();
    assert_byte(a, 90);
    assert_byte(a + PAGE, 2);
    assert_byte(a + PAGES(2), 92);
}

static void test_vm_discard_range_leaves_the_other_side_of_a_fork(void)
{
    region_at(SPOT, 2, LOCK_RW);
    number_pages(SPOT, 2, 1);
    aspace_id child = fork_program();
    OK(vm_discard_range(child, SPOT, PAGES(2)));
    SIM_CHECK();
    assert_true(sim_is_filled(SPOT, 0, PAGES(2)));
    sim_set_aspace(program);
    assert_numbered(SPOT, 2, 1);
    OK(vm_discard_range(program, SPOT, PAGE));
    assert_byte(SPOT, 0);
    OK(sim_write_byte(SPOT, 8));
    sim_set_aspace(child);
    assert_byte(SPOT, 0);
    OK(sim_delete_aspace(child));
}

static void test_vm_discard_range_hole(void)
{
    region_at(SPOT, 1, LOCK_RW);
    region_at(SPOT + PAGES(2), 1, LOCK_RW);
    number_pages(SPOT, 1, 1);
    number_pages(SPOT + PAGES(2), 1, 2);
    assert_int_equal(vm_discard_range(program, SPOT, PAGES(3)), ERR_VM_PAGE_NOT_PRESENT);
    SIM_CHECK();
    assert_byte(SPOT, 0);
    assert_byte(SPOT + PAGES(2), 0);
}

static void test_vm_discard_range_wired(void)
{
    void *at = PTR(SPOT);
    vm_create_anonymous_region(program, "w", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(2),
                               REGION_WIRING_WIRED, LOCK_RW);
    number_pages(SPOT, 2, 1);
    REFUSED(ERR_INVALID_ARGS, vm_discard_range(program, SPOT, PAGES(2)));
    assert_numbered(SPOT, 2, 1);
}

static void test_vm_discard_range_errors(void)
{
    region_at(SPOT, 2, LOCK_RW);
    REFUSED(ERR_VM_BAD_ADDRESS, vm_discard_range(program, SPOT + 1, PAGE));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_discard_range(program, SPOT, (addr_t)0 - SPOT));
    REFUSED(ERR_INVALID_ARGS, vm_discard_range(program, SPOT, 0));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_discard_range(0, SPOT, PAGE));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_discard_range(program, SPOT + PAGES(2), PAGE));
}

/* ---- vm_get_residency ---- */

static void test_vm_get_residency_of_anonymous_memory(void)
{
    uint8_t pages[5];
    region_at(SPOT, 5, LOCK_RW);
    OK(sim_write_byte(SPOT + PAGE, 1));
    OK(sim_write_byte(SPOT + PAGES(3), 1));
    OK(vm_get_residency(program, SPOT, PAGES(5), pages));
    static const uint8_t expected[5] = {0, 1, 0, 1, 0};
    assert_memory_equal(pages, expected, 5);
}

static void test_vm_get_residency_of_files(void)
{
    sim_file *file = sim_file_create_numbered("/f", 3);
    addr_t a, b;
    uint8_t pages[3];
    map_pages(&a, file, 3, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    map_pages(&b, file, 3, LOCK_RO, REGION_PRIVATE_MAP, 0);
    assert_byte(a, 1);
    OK(vm_get_residency(program, b, PAGES(3), pages));
    assert_int_equal(pages[0], 1);
    OK(vm_get_residency(program, b, PAGE, pages));
}

static void test_vm_get_residency_after_fork(void)
{
    uint8_t pages[3];
    region_at(SPOT, 3, LOCK_RW);
    OK(sim_write_byte(SPOT + PAGE, 1));
    aspace_id child = fork_program();
    OK(vm_get_residency(child, SPOT, PAGES(3), pages));
    assert_int_equal(pages[0], 0);
    assert_int_equal(pages[1], 1);
    assert_int_equal(pages[2], 0);
    OK(sim_delete_aspace(child));
}

static void test_vm_get_residency_errors(void)
{
    uint8_t pages[8];
    region_at(SPOT, 2, LOCK_RW);
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_get_residency(program, SPOT, PAGES(3), pages));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_get_residency(program, SPOT - PAGE, PAGE, pages));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_get_residency(program, SPOT + 1, PAGE, pages));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_get_residency(program, SPOT, SIM_USER_END, pages));
    REFUSED(ERR_INVALID_ARGS, vm_get_residency(program, SPOT, 0, pages));
    REFUSED(ERR_INVALID_ARGS, vm_get_residency(program, SPOT, PAGE, NULL));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_get_residency(0, SPOT, PAGE, pages));
}

/* ---- vm_wire_range, vm_unwire_range ---- */

static void test_vm_wire_range_brings_pages_in(void)
{
    region_at(SPOT, 6, LOCK_RW);
    OK(vm_wire_range(program, SPOT + PAGE, PAGES(3)));
    SIM_CHECK();
    uint64_t faults = sim_faults();
    assert_true(sim_is_filled(SPOT + PAGE, 0, PAGES(3)));
    OK(sim_write_byte(SPOT + PAGES(2), 1));
    assert_int_equal(sim_faults(), faults);
    OK(vm_unwire_range(program, SPOT + PAGE, PAGES(3)));
    SIM_CHECK();
    assert_byte(SPOT + PAGES(2), 1);
}

static void test_vm_wire_range_of_file(void)
{
    sim_file *file = sim_file_create_numbered("/f", 4);
    addr_t a;
    map_pages(&a, file, 4, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    OK(vm_wire_range(program, a, PAGES(4)));
    SIM_CHECK();
    assert_int_equal(sim_file_pages_read(file), 4);
    assert_numbered(a, 4, 1);
    OK(vm_unwire_range(program, a, PAGES(4)));
}

static void test_vm_wire_range_overlapping(void)
{
    region_at(SPOT, 8, LOCK_RW);
    OK(vm_wire_range(program, SPOT, PAGES(5)));
    OK(vm_wire_range(program, SPOT + PAGES(3), PAGES(5)));
    SIM_CHECK();
    OK(vm_unwire_range(program, SPOT + PAGES(2), PAGES(2)));
    SIM_CHECK();
    OK(vm_unwire_range(program, SPOT, PAGES(8)));
    SIM_CHECK();
    OK(vm_discard_range(program, SPOT, PAGES(8)));
}

static void test_vm_wire_range_then_unmap(void)
{
    region_at(SPOT, 8, LOCK_RW);
    size_t wired = figures().wired_pages;
    OK(vm_wire_range(program, SPOT, PAGES(8)));
    OK(vm_unmap_range(program, SPOT + PAGES(2), PAGES(3)));
    SIM_CHECK();
    OK(vm_unmap_range(program, SPOT, PAGES(8)));
    SIM_CHECK();
    vm_trim();
    assert_true(figures().wired_pages <= wired + 2);
}

static void test_vm_wire_range_and_fork(void)
{
    region_at(SPOT, 3, LOCK_RW);
    number_pages(SPOT, 3, 1);
    OK(vm_wire_range(program, SPOT, PAGES(3)));
    aspace_id child = fork_program();
    SIM_CHECK();
    number_pages(SPOT, 3, 40);
    sim_set_aspace(program);
    number_pages(SPOT, 2, 70);
    SIM_CHECK();
    assert_numbered(SPOT, 2, 70);
    assert_byte(SPOT + PAGES(2), 3);
    sim_set_aspace(child);
    assert_numbered(SPOT, 3, 40);
    OK(sim_delete_aspace(child));
    OK(vm_unwire_range(program, SPOT, PAGES(3)));
}

static void test_vm_wire_range_without_memory(void)
{
    void *at = PTR(SPOT);
    addr_t size = PAGES(sim_free_frames() + 10);
    vm_create_anonymous_region(program, "large", &at, REGION_ADDR_EXACT_ADDRESS, size,
                               REGION_WIRING_LAZY, LOCK_RW | REGION_OVERCOMMIT);
    assert_int_equal(vm_wire_range(program, SPOT, size), ERR_NO_MEMORY);
    SIM_CHECK();
    OK(vm_unmap_range(program, SPOT, size));
    SIM_CHECK();
}

static void test_vm_wire_range_errors(void)
{
    region_at(SPOT, 2, LOCK_RW);
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_wire_range(program, SPOT, PAGES(3)));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_wire_range(program, SPOT + PAGES(2), PAGE));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_wire_range(program, SPOT + 1, PAGE));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_wire_range(program, SPOT, (addr_t)0 - SPOT));
    REFUSED(ERR_INVALID_ARGS, vm_wire_range(program, SPOT, 0));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_wire_range(0, SPOT, PAGE));
}

static void test_vm_unwire_range_errors(void)
{
    region_at(SPOT, 2, LOCK_RW);
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_unwire_range(program, SPOT + PAGES(2), PAGE));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_unwire_range(program, SPOT + 1, PAGE));
    REFUSED(ERR_INVALID_ARGS, vm_unwire_range(program, SPOT, 0));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_unwire_range(0, SPOT, PAGE));
}

static void test_random_advice_reads_alone_but_for_a_cluster_that_is_asked_for(void)
{
    addr_t address;
    sim_file *file = sim_file_create_numbered("/f", 64);
    map_pages(&address, file, 64, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    OK(vm_advise_range(program, address, PAGES(64), VM_ADVICE_RANDOM));
    OK(vm_fault_aspace(program, address, VM_ACCESS_READ | VM_ACCESS_USER));
    assert_int_equal(sim_file_pages_read(file), 1);
    OK(vm_fault_aspace(program, address + PAGES(20),
                       VM_ACCESS_READ | VM_ACCESS_USER | VM_ACCESS_CLUSTER));
    assert_int_equal(sim_file_pages_read(file), 1 + 12); /* to the end of its cluster */
    assert_byte(address + PAGES(31), 32);
}

/* ---- parts of chains ---- */

/* What is hidden stays so, however many caches lie between it and what hides it. */
static void test_vm_get_residency_of_what_is_hidden(void)
{
    uint8_t pages[2];
    region_at(SPOT, 2, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    aspace_id first = vm_copy_aspace(program, "first");
    OK(sim_write_byte(SPOT + PAGE, 2));
    aspace_id second = vm_copy_aspace(program, "second");
    assert_true(first > 0 && second > 0);
    assert_int_equal(region_info(find_region(SPOT)).chain_depth, 3);
    OK(vm_get_residency(program, SPOT, PAGES(2), pages));
    assert_true(pages[0] && pages[1]);
    OK(vm_discard_range(program, SPOT, PAGE));
    OK(vm_get_residency(program, SPOT, PAGES(2), pages));
    assert_true(!pages[0] && pages[1]);
    OK(sim_delete_aspace(first));
    OK(sim_delete_aspace(second));
}

/* What a private clone has discarded shows the file, not what its source writes later. */
static void test_vm_discard_range_over_a_private_mapping(void)
{
    addr_t a;
    void *b = NULL;
    sim_file *file = sim_file_create_numbered("/f", 2);
    region_id id = map_pages(&a, file, 2, LOCK_RW, REGION_PRIVATE_MAP, 0);
    assert_true(vm_clone_region(program, "clone", &b, REGION_ADDR_ANY_ADDRESS, id,
                                REGION_PRIVATE_MAP, LOCK_RW) > 0);
    OK(vm_discard_range(program, (addr_t)b, PAGE));
    number_pages(a, 2, 50);
    assert_byte((addr_t)b, 1);
    assert_byte((addr_t)b + PAGE, 51);
}

/* ---- how much may be wired ---- */

static uint64_t all_faults(void)
{
    vm_info info = figures();
    return info.read_faults + info.write_faults;
}

/* Three quarters of all frames: what is more than that is refused before anything is brought in. */
static void test_vm_wire_range_beyond_the_limit(void)
{
    vm_info info = figures();
    size_t limit = info.physical_pages - info.physical_pages / 4;
    region_at(SPOT, limit, LOCK_RW);
    size_t left = limit - figures().wired_pages;
    uint64_t before = all_faults();
    assert_int_equal(vm_wire_range(program, SPOT, PAGES(left + 1)), ERR_NO_MEMORY);
    assert_int_equal(all_faults(), before);
    (void)vm_wire_range(program, SPOT,
                        PAGES(left)); /* tables count, too: it may be refused later */
    assert_true(all_faults() > before);
}

/* What has no frames, or has them wired already, doesn't count. */
static void test_vm_wire_range_of_what_needs_no_frames(void)
{
    size_t many = figures().physical_pages;
    void *at = PTR(SPOT);
    assert_true(vm_map_physical_memory(program, "device", &at, REGION_ADDR_EXACT_ADDRESS,
                                       PAGES(many), LOCK_RW, (addr_t)1 << 40) > 0);
    region_at(SPOT + PAGES(many), many, LOCK_NO_READ);
    region_at(SPOT + PAGES(2 * many), many / 2, LOCK_RW);
    OK(vm_wire_range(program, SPOT, PAGES(2 * many + many / 2)));
    OK(vm_wire_range(program, SPOT, PAGES(2 * many + many / 2)));
    OK(vm_unwire_range(program, SPOT, PAGES(2 * many + many / 2)));
}

UNIT_MAIN("advice", TEST(test_vm_get_residency_of_what_is_hidden),
          TEST(test_vm_discard_range_over_a_private_mapping),
          TEST_ON(test_vm_wire_range_beyond_the_limit, .memory = (size_t)1 << 20),
          TEST_ON(test_vm_wire_range_of_what_needs_no_frames, .memory = (size_t)1 << 20),
          TEST(test_random_advice_reads_alone_but_for_a_cluster_that_is_asked_for),
          TEST(test_vm_discard_range_gives_zeros), TEST(test_vm_discard_range_shows_the_file_again),
          TEST(test_vm_discard_range_leaves_the_other_side_of_a_fork),
          TEST(test_vm_discard_range_hole), TEST(test_vm_discard_range_wired),
          TEST(test_vm_discard_range_errors), TEST(test_vm_get_residency_of_anonymous_memory),
          TEST(test_vm_get_residency_of_files), TEST(test_vm_get_residency_after_fork),
          TEST(test_vm_get_residency_errors), TEST(test_vm_wire_range_brings_pages_in),
          TEST(test_vm_wire_range_of_file), TEST(test_vm_wire_range_overlapping),
          TEST(test_vm_wire_range_then_unmap), TEST(test_vm_wire_range_and_fork),
          TEST(test_vm_wire_range_without_memory), TEST(test_vm_wire_range_errors),
          TEST(test_vm_unwire_range_errors))
