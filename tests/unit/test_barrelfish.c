/* SPDX-License-Identifier: MIT */
/* Defects of Barrelfish's user-space memory management whose shape this core could have, too. The list is
 * in docs/testing.md. */
#include "support.h"

/* The address of an offset in the object counts from the region's own offset. */
static void test_barrelfish_offsets_count_from_the_region(void)
{
    sim_file *file = sim_file_create_numbered("/f", 8);
    vm_cache_ref *cache;
    addr_t late, early;
    map_pages(&late, file, 4, LOCK_RW, REGION_NO_PRIVATE_MAP, 4);
    map_pages(&early, file, 6, LOCK_RW, REGION_PRIVATE_MAP, 1);
    OK(vm_unmap_range(program, late, PAGE));
    assert_numbered(late + PAGE, 3, 6);
    assert_numbered(early, 6, 2);
    OK(vm_get_vnode_cache(file, &cache));
    sim_file_set_size(file, PAGES(6));
    OK(vm_cache_truncate(cache, (off_t)PAGES(6)));
    assert_byte(late + PAGE, 6);
    assert_int_equal(sim_read_byte(late + PAGES(2)), ERR_VM_PF_PAST_END);
    assert_byte(early + PAGES(4), 6);
    assert_int_equal(sim_read_byte(early + PAGES(5)), ERR_VM_PF_PAST_END);
    vm_put_cache(cache);
}

/* Unmapping goes over holes, untouched pages and the ends of regions, and ends. */
static void test_barrelfish_unmap_over_holes(void)
{
    for (addr_t i = 0; i < 5; i++)
        region_at(SPOT + PAGES(4 * i), 3, LOCK_RW);
    OK(sim_write_byte(SPOT + PAGES(2), 1));
    OK(sim_write_byte(SPOT + PAGES(16), 1));
    OK(vm_unmap_range(program, SPOT + PAGE, PAGES(16)));
    assert_int_equal(count_regions(program), 2);
    assert_byte(SPOT, 0);
    assert_int_equal(sim_read_byte(SPOT + PAGES(2)), ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(sim_read_byte(SPOT + PAGES(16)), ERR_VM_PF_BAD_ADDRESS);
    assert_byte(SPOT + PAGES(17), 0);
    OK(vm_unmap_range(program, SPOT - PAGES(4), PAGES(2)));
    OK(vm_unmap_range(program, SPOT, PAGES(40)));
    assert_int_equal(count_regions(program), 0);
    OK(vm_unmap_range(program, SPOT, PAGES(40)));
}

/* The object stays as long as anybody maps it, whoever goes first. */
static void test_barrelfish_the_first_region_may_go_first(void)
{
    for (unsigned first = 0; first < 3; first++) {
        region_id id[3];
        addr_t at[3];
        id[0] = new_region(&at[0], 2);
        number_pages(at[0], 2, 7);
        for (unsigned i = 1; i < 3; i++) {
            void *where = NULL;
            id[i] =
                vm_clone_region(program, "same", &where, 0, id[0], REGION_NO_PRIVATE_MAP, LOCK_RW);
            assert_true(id[i] > 0);
            at[i] = (addr_t)where;
        }
        OK(vm_delete_region(program, id[first]));
        for (unsigned i = 0; i < 3; i++)
            if (i != first)
                assert_numbered(at[i], 2, 7);
        SIM_CHECK();
        OK(vm_unmap_range(program, SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE));
    }
}

/* Unmapping another count of pages than was mapped unmaps these. */
static void test_barrelfish_unmap_of_another_count(void)
{
    region_at(SPOT, 8, LOCK_RW);
    number_pages(SPOT, 8, 1);
    OK(vm_unmap_range(program, SPOT + PAGES(2), PAGES(3)));
    assert_numbered(SPOT, 2, 1);
    for (unsigned i = 2; i < 5; i++)
        assert_int_equal(sim_read_byte(SPOT + PAGES(i)), ERR_VM_PF_BAD_ADDRESS);
    assert_numbered(SPOT + PAGES(5), 3, 6);
}

/* A hole that fits exactly is a place, from below and from above. */
static void test_barrelfish_exact_fit(void)
{
    static const int types[] = {REGION_ADDR_ANY_ADDRESS, REGION_ADDR_TOP};
    for (unsigned i = 0; i < 2; i++) {
        aspace_id aid = vm_create_aspace("small", SPOT, PAGES(8), false);
        void *at = PTR(SPOT);
        assert_true(vm_create_anonymous_region(aid, "low", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(2),
                                               REGION_WIRING_LAZY, LOCK_RW) > 0);
        at = PTR(SPOT + PAGES(5));
        assert_true(vm_create_anonymous_region(aid, "high", &at, REGION_ADDR_EXACT_ADDRESS,
                                               PAGES(3), REGION_WIRING_LAZY, LOCK_RW) > 0);
        at = NULL;
        assert_true(vm_create_anonymous_region(aid, "fits", &at, types[i], PAGES(3),
                                               REGION_WIRING_LAZY, LOCK_RW) > 0);
        assert_ptr_equal(at, PTR(SPOT + PAGES(2)));
        at = NULL;
        assert_int_equal(vm_create_anonymous_region(aid, "none", &at, types[i], PAGE,
                                                    REGION_WIRING_LAZY, LOCK_RW),
                         ERR_VM_NO_REGION_SLOT);
        OK(vm_delete_aspace(aid));
    }
}

/* A guard can't be read, whatever was there before. */
static void test_barrelfish_guards_are_not_readable(void)
{
    struct sim_translation seen;
    region_at(SPOT, 2, LOCK_RW);
    number_pages(SPOT, 2, 1);
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_NO_READ));
    assert_int_equal(sim_read_byte(SPOT), ERR_VM_PF_BAD_PERM);
    assert_false(sim_look_up(SPOT, &seen));
    region_at(2 * SPOT, 1, LOCK_NO_READ);
    assert_int_equal(sim_read_byte(2 * SPOT), ERR_VM_PF_BAD_PERM);
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RO));
    assert_numbered(SPOT, 2, 1);
}

/* Addresses inside a page, and ranges where nothing is, are errors. */
static void test_barrelfish_protect_checks_its_range(void)
{
    region_at(SPOT, 2, LOCK_RW);
    for (addr_t odd = 1; odd < PAGE; odd *= 2)
        REFUSED(ERR_VM_BAD_ADDRESS, vm_protect_range(program, SPOT + odd, PAGE, LOCK_RO));
    REFUSED(ERR_VM_PAGE_NOT_PRESENT, vm_protect_range(program, 2 * SPOT, PAGE, LOCK_RO));
    OK(sim_write_byte(SPOT, 1));
}

/* One failure of an allocation is one failure: the next try finds everything as it should be. */
static void test_barrelfish_one_failure_disables_nothing(void)
{
    region_at(SPOT, 3, LOCK_RW);
    for (unsigned i = 0; i < 3; i++) {
        sim_fail_at(i == 0   ? SIM_FAIL_TABLE
                    : i == 1 ? SIM_FAIL_FRAME
                             : SIM_FAIL_METADATA,
                    1, false);
        int error = sim_write_byte(SPOT + PAGES(i), 5);
        assert_true(error == ERR_NO_MEMORY || (i == 2 && error == VM_OK));
        SIM_CHECK();
        OK(sim_write_byte(SPOT + PAGES(i), 5));
    }
}

UNIT_MAIN("Barrelfish's defects", TEST(test_barrelfish_offsets_count_from_the_region),
          TEST(test_barrelfish_unmap_over_holes),
          TEST(test_barrelfish_the_first_region_may_go_first),
          TEST(test_barrelfish_unmap_of_another_count), TEST(test_barrelfish_exact_fit),
          TEST(test_barrelfish_guards_are_not_readable),
          TEST(test_barrelfish_protect_checks_its_range),
          TEST(test_barrelfish_one_failure_disables_nothing))
