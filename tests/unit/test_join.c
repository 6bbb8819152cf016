/* SPDX-License-Identifier: MIT */
/* Neighbours that show one cache in a row, and yet are not one region: something else differs. */
#include "support.h"

/* Gives the range the protection that it has: neighbours that could be one join. */
static void join_what_can(addr_t address, size_t pages)
{
    vm_region_info info = region_info(find_region(address));
    OK(vm_protect_range(program, address, PAGES(pages), info.lock & LOCK_MASK));
}

static void move_to(addr_t from, addr_t to)
{
    void *at = PTR(to);
    OK(vm_move_range(program, from, PAGE, PAGE, &at, REGION_ADDR_EXACT_ADDRESS));
}

/* Two pages at SPOT, of which the second is the clone's. */
static void half_and_half(region_id source, int mapping)
{
    void *at = PTR(SPOT * 2);
    assert_true(vm_clone_region(program, "clone", &at, REGION_ADDR_EXACT_ADDRESS, source, mapping,
                                LOCK_RW) > 0);
    OK(vm_set_inheritance(program, SPOT, PAGES(2), VM_INHERIT_SHARE));
    OK(vm_set_inheritance(program, SPOT * 2, PAGES(2), VM_INHERIT_SHARE));
    OK(vm_unmap_range(program, SPOT + PAGE, PAGE));
    move_to(SPOT * 2 + PAGE, SPOT + PAGE);
    OK(vm_unmap_range(program, SPOT * 2, PAGE));
}

static void test_pieces_of_one_region_join(void)
{
    region_at(SPOT, 2, LOCK_RW);
    move_to(SPOT + PAGE, SPOT * 2);
    assert_int_equal(count_regions(program), 2);
    move_to(SPOT * 2, SPOT + PAGE);
    join_what_can(SPOT, 2);
    assert_int_equal(count_regions(program), 1);
}

static void test_one_is_charged(void)
{
    half_and_half(region_at(SPOT, 2, LOCK_RW), REGION_NO_PRIVATE_MAP);
    number_pages(SPOT, 2, 1);
    join_what_can(SPOT, 2);
    assert_int_equal(count_regions(program), 2);
    SIM_CHECK();
    assert_numbered(SPOT, 2, 1);
}

static void test_one_is_private(void)
{
    void *at = PTR(SPOT);
    sim_file *file = sim_file_create_numbered("/f", 2);
    region_id source = vm_map_vnode(program, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(2), LOCK_RW,
                                    REGION_PRIVATE_MAP, file, 0);
    half_and_half(source, REGION_NO_PRIVATE_MAP);
    join_what_can(SPOT, 2);
    assert_int_equal(count_regions(program), 2);
    assert_numbered(SPOT, 2, 1);
}

/* A mapping of a file that is open for reading only never becomes writable. */
static void test_one_may_become_writable(void)
{
    void *at = PTR(SPOT);
    sim_file *file = sim_file_create_numbered("/f", 2);
    assert_true(vm_map_vnode(program, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGE, LOCK_RO,
                             REGION_NO_PRIVATE_MAP, file, 0) > 0);
    at = PTR(SPOT + PAGE);
    assert_true(vm_map_vnode(program, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                             LOCK_RO | REGION_NO_WRITE, REGION_NO_PRIVATE_MAP, file,
                             (off_t)PAGE) > 0);
    join_what_can(SPOT, 2);
    assert_int_equal(count_regions(program), 2);
    REFUSED(ERR_PERMISSION_DENIED, vm_protect_range(program, SPOT, PAGES(2), LOCK_RW));
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RW));
}

static void test_a_private_mapping_of_it_may(void)
{
    void *at = PTR(SPOT);
    sim_file *file = sim_file_create_numbered("/f", 1);
    assert_true(vm_map_vnode(program, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                             LOCK_RO | REGION_NO_WRITE, REGION_PRIVATE_MAP, file, 0) > 0);
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RW));
    OK(sim_write_byte(SPOT, 9));
    assert_int_equal(sim_file_data(file)[0], 1);
    at = PTR(SPOT * 2);
    REFUSED(ERR_PERMISSION_DENIED,
            (int)vm_map_vnode(program, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                              LOCK_RW | REGION_NO_WRITE, REGION_NO_PRIVATE_MAP, file, 0));
}

/* A guard was charged so that it could be shared: that is given back some day, what its neighbour was
 * charged isn't. */
static void test_one_was_charged_to_be_shared(void)
{
    region_at(SPOT, 2, LOCK_NO_READ);
    OK(vm_protect_range(program, SPOT + PAGE, PAGE, LOCK_RW));
    OK(vm_set_inheritance(program, SPOT, PAGES(2), VM_INHERIT_SHARE));
    OK(vm_delete_aspace(vm_copy_aspace(program, "child")));
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RW));
    join_what_can(SPOT, 2);
    assert_int_equal(count_regions(program), 2);
    number_pages(SPOT, 2, 1);
    assert_numbered(SPOT, 2, 1);
}

/* At the end of the space there is nothing behind to join with. */
static void test_at_the_end_of_the_space(void)
{
    addr_t first = SIM_USER_END - PAGES(2);
    region_at(first, 2, LOCK_RW);
    OK(vm_protect_range(program, SIM_USER_END - PAGE, PAGE, LOCK_RO));
    assert_int_equal(count_regions(program), 2);
    OK(vm_protect_range(program, SIM_USER_END - PAGE, PAGE, LOCK_RW));
    assert_int_equal(count_regions(program), 1);
    join_what_can(first, 2);
    assert_int_equal(region_info(find_region(first)).size, PAGES(2));
}

/* At its beginning there is nothing before. */
static void test_at_the_beginning_of_the_space(void)
{
    region_at(SIM_USER_BASE, 2, LOCK_RW);
    OK(vm_protect_range(program, SIM_USER_BASE, PAGE, LOCK_RO));
    assert_int_equal(count_regions(program), 2);
    OK(vm_protect_range(program, SIM_USER_BASE, PAGE, LOCK_RW));
    assert_int_equal(count_regions(program), 1);
}

UNIT_MAIN("joining", TEST(test_pieces_of_one_region_join), TEST(test_one_is_charged),
          TEST(test_one_is_private), TEST(test_one_may_become_writable),
          TEST(test_a_private_mapping_of_it_may), TEST(test_one_was_charged_to_be_shared),
          TEST(test_at_the_end_of_the_space), TEST(test_at_the_beginning_of_the_space))
