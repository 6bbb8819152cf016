/* SPDX-License-Identifier: MIT */
/* Cloned regions. */
#include "support.h"

static region_id clone(aspace_id aid, void **at, region_id source, int mapping, unsigned lock)
{
    return vm_clone_region(aid, "clone", at, REGION_ADDR_ANY_ADDRESS, source, mapping, lock);
}

/* ---- vm_clone_region ---- */

static void test_vm_clone_region_shared_sees_both_ways(void)
{
    addr_t a;
    void *b = NULL;
    region_id source = new_region(&a, 4);
    number_pages(a, 2, 1);
    region_id copy = clone(program, &b, source, REGION_NO_PRIVATE_MAP, LOCK_RW);
    assert_true(copy > 0);
    assert_int_equal(region_info(copy).size, PAGES(4));
    assert_numbered((addr_t)b, 2, 1);
    OK(sim_write_byte((addr_t)b + PAGES(3), 9));
    assert_byte(a + PAGES(3), 9);
    OK(sim_write_byte(a, 8));
    assert_byte((addr_t)b, 8);
    SIM_CHECK();
    OK(vm_delete_region(program, source));
    SIM_CHECK();
    assert_byte((addr_t)b, 8);
    assert_byte((addr_t)b + PAGES(3), 9);
}

static void test_vm_clone_region_private_is_no_snapshot(void)
{
    addr_t a;
    void *b = NULL;
    region_id source = new_region(&a, 3);
    number_pages(a, 3, 1);
    assert_true(clone(program, &b, source, REGION_PRIVATE_MAP, LOCK_RW) > 0);
    assert_numbered((addr_t)b, 3, 1);
    OK(sim_write_byte((addr_t)b, 50));
    assert_byte(a, 1);
    OK(sim_write_byte(a + PAGE, 60));
    assert_byte((addr_t)b + PAGE, 60);
    OK(sim_write_byte(a, 61));
    assert_byte((addr_t)b, 50);
    SIM_CHECK();
}

static void test_vm_clone_region_private_before_source_is_touched(void)
{
    addr_t a;
    void *b = NULL;
    region_id source = new_region(&a, 2);
    assert_true(clone(program, &b, source, REGION_PRIVATE_MAP, LOCK_RW) > 0);
    assert_byte((addr_t)b, 0);
    OK(sim_write_byte(a, 5));
    assert_byte((addr_t)b, 5);
    OK(sim_write_byte((addr_t)b + PAGE, 6));
    assert_byte(a + PAGE, 0);
}

static void test_vm_clone_region_read_only(void)
{
    addr_t a;
    void *b = NULL;
    region_id source = new_region(&a, 1);
    OK(sim_write_byte(a, 3));
    assert_true(clone(program, &b, source, REGION_NO_PRIVATE_MAP, LOCK_RO) > 0);
    assert_byte((addr_t)b, 3);
    assert_int_equal(sim_write_byte((addr_t)b, 1), ERR_VM_PF_BAD_PERM);
}

static void test_vm_clone_region_into_another_space(void)
{
    addr_t a;
    void *b = NULL;
    region_id source = new_region(&a, 2);
    number_pages(a, 2, 1);
    aspace_id other = sim_new_aspace();
    assert_true(clone(other, &b, source, REGION_NO_PRIVATE_MAP, LOCK_RW) > 0);
    assert_numbered((addr_t)b, 2, 1);
    OK(sim_write_byte((addr_t)b, 99));
    sim_set_aspace(program);
    assert_byte(a, 99);
    OK(sim_delete_aspace(other));
    SIM_CHECK();
    assert_byte(a, 99);
}

static void test_vm_clone_region_of_file(void)
{
    sim_file *file = sim_file_create_numbered("/f", 6);
    addr_t a;
    void *b = NULL;
    region_id source = map_pages(&a, file, 3, LOCK_RW, REGION_NO_PRIVATE_MAP, 2);
    region_id copy = clone(program, &b, source, REGION_NO_PRIVATE_MAP, LOCK_RO);
    assert_true(copy > 0);
    assert_int_equal(region_info(copy).cache_offset, PAGES(2));
    assert_numbered((addr_t)b, 3, 3);
}

static void test_vm_clone_region_of_device(void)
{
    void *a = NULL, *b = NULL;
    region_id source = vm_map_physical_memory(program, "vga", &a, REGION_ADDR_ANY_ADDRESS, PAGES(2),
                                              LOCK_RW, SIM_DEVICE_LOW);
    assert_true(clone(program, &b, source, REGION_NO_PRIVATE_MAP, LOCK_RW) > 0);
    OK(sim_write_byte((addr_t)b, 17));
    assert_byte((addr_t)a, 17);
    assert_int_equal(*(uint8_t *)sim_physical(SIM_DEVICE_LOW), 17);
    REFUSED(ERR_UNSUPPORTED, clone(program, &b, source, REGION_PRIVATE_MAP, LOCK_RW));
}

static void test_vm_clone_region_may_not_gain_writing(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    void *a = NULL, *b = NULL;
    region_id source = vm_map_vnode(program, "ro", &a, REGION_ADDR_ANY_ADDRESS, PAGE,
                                    LOCK_RO | REGION_NO_WRITE, REGION_NO_PRIVATE_MAP, file, 0);
    assert_true(source > 0);
    REFUSED(ERR_PERMISSION_DENIED, clone(program, &b, source, REGION_NO_PRIVATE_MAP, LOCK_RW));
    REFUSED(ERR_PERMISSION_DENIED, vm_protect_range(program, (addr_t)a, PAGE, LOCK_RW));
    assert_true(clone(program, &b, source, REGION_PRIVATE_MAP, LOCK_RW) > 0);
    OK(sim_write_byte((addr_t)b, 9));
    assert_byte((addr_t)a, 1);
}

static void test_vm_clone_region_charges_private_only(void)
{
    addr_t a;
    void *at = NULL;
    region_id source = new_region(&a, 10);
    int64_t before = sim_committed();
    assert_true(clone(program, &at, source, REGION_NO_PRIVATE_MAP, LOCK_RW) > 0);
    assert_int_equal(sim_committed(), before);
    assert_true(clone(program, &at, source, REGION_PRIVATE_MAP, LOCK_RW) > 0);
    assert_int_equal(sim_committed(), before + (int64_t)PAGES(10));
}

static void test_vm_clone_region_errors(void)
{
    addr_t a;
    void *at = NULL;
    region_id source = new_region(&a, 2);
    int shared = REGION_NO_PRIVATE_MAP;
    REFUSED(ERR_VM_INVALID_REGION, clone(program, &at, source + 100, shared, LOCK_RW));
    REFUSED(ERR_VM_INVALID_REGION, clone(program, &at, 0, shared, LOCK_RW));
    REFUSED(ERR_VM_INVALID_REGION, clone(program, &at, -1, shared, LOCK_RW));
    REFUSED(ERR_VM_INVALID_ASPACE, clone(0, &at, source, shared, LOCK_RW));
    REFUSED(ERR_VM_INVALID_ASPACE, clone(program + 9, &at, source, shared, LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, clone(program, &at, source, 2, LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, clone(program, &at, source, shared, 0x100));
    REFUSED(ERR_INVALID_ARGS, vm_clone_region(program, NULL, &at, 0, source, shared, LOCK_RW));
    REFUSED(ERR_INVALID_ARGS, vm_clone_region(program, "c", &at, 9, source, shared, LOCK_RW));
    at = PTR(a);
    REFUSED(ERR_VM_NO_REGION_SLOT,
            vm_clone_region(program, "c", &at, REGION_ADDR_EXACT_ADDRESS, source, shared, LOCK_RW));
    at = PTR(SPOT + 1);
    REFUSED(ERR_VM_BAD_ADDRESS,
            vm_clone_region(program, "c", &at, REGION_ADDR_EXACT_ADDRESS, source, shared, LOCK_RW));
}

static void test_vm_clone_region_of_a_fork(void)
{
    addr_t a;
    void *b = NULL;
    region_id source = new_region(&a, 3);
    number_pages(a, 3, 1);
    aspace_id child = fork_program();
    OK(sim_write_byte(a, 30));
    sim_set_aspace(program);
    assert_true(clone(program, &b, source, REGION_NO_PRIVATE_MAP, LOCK_RW) > 0);
    OK(sim_write_byte((addr_t)b + PAGE, 40));
    SIM_CHECK();
    assert_byte(a + PAGE, 40);
    OK(sim_write_byte(a + PAGES(2), 41));
    assert_byte((addr_t)b + PAGES(2), 41);
    sim_set_aspace(child);
    assert_byte(a, 30);
    assert_byte(a + PAGE, 2);
    assert_byte(a + PAGES(2), 3);
    OK(sim_delete_aspace(child));
    SIM_CHECK();
    sim_set_aspace(program);
    assert_byte((addr_t)b + PAGE, 40);
}

static void test_vm_clone_region_of_a_clone(void)
{
    addr_t a;
    void *b = NULL, *c = NULL;
    region_id source = new_region(&a, 2);
    number_pages(a, 2, 1);
    region_id middle = clone(program, &b, source, REGION_PRIVATE_MAP, LOCK_RW);
    OK(sim_write_byte((addr_t)b, 20));
    assert_true(clone(program, &c, middle, REGION_PRIVATE_MAP, LOCK_RW) > 0);
    assert_byte((addr_t)c, 20);
    assert_byte((addr_t)c + PAGE, 2);
    OK(sim_write_byte((addr_t)c + PAGE, 30));
    OK(vm_delete_region(program, middle));
    SIM_CHECK();
    assert_byte((addr_t)c, 20);
    assert_byte((addr_t)c + PAGE, 30);
    assert_numbered(a, 2, 1);
    OK(vm_delete_region(program, source));
    SIM_CHECK();
    assert_byte((addr_t)c, 20);
}

/* The fork puts a new cache under the source's reference: its private clone must look again. */
static void test_vm_clone_region_private_and_fork(void)
{
    addr_t a;
    void *at = NULL;
    region_id source = new_region(&a, 3);
    number_pages(a, 3, 1);
    assert_true(clone(program, &at, source, REGION_PRIVATE_MAP, LOCK_RW) > 0);
    addr_t b = (addr_t)at;
    assert_numbered(b, 3, 1);
    aspace_id child = vm_copy_aspace(program, "child");
    SIM_CHECK();
    OK(sim_write_byte(a, 50));
    assert_byte(b, 50);
    OK(sim_write_byte(b + PAGE, 60));
    OK(sim_write_byte(a + PAGE, 51));
    assert_byte(b + PAGE, 60);
    SIM_CHECK();
    sim_set_aspace(child);
    assert_numbered(a, 3, 1);
    assert_byte(b, 50); /* still a private mapping of the parent's object, as of a file */
    assert_byte(b + PAGE, 51);
    OK(sim_write_byte(a + PAGES(2), 70));
    sim_set_aspace(program);
    assert_byte(b + PAGES(2), 3);
    OK(sim_delete_aspace(child));
    SIM_CHECK();
    sim_set_aspace(program);
    assert_byte(a, 50);
    assert_byte(b, 50);
    OK(vm_discard_range(program, a, PAGE));
    SIM_CHECK();
}

/* What was promised to regions that shared memory doesn't stay with a private clone of it. */
static void test_vm_clone_region_private_outlives_shared(void)
{
    int64_t committed = sim_committed();
    addr_t a;
    void *b = NULL, *c = NULL;
    region_id source = new_region(&a, 2);
    number_pages(a, 2, 1);
    region_id shared = clone(program, &b, source, REGION_NO_PRIVATE_MAP, LOCK_RW);
    assert_true(clone(program, &c, source, REGION_PRIVATE_MAP, LOCK_RW) > 0);
    OK(vm_delete_region(program, source));
    OK(vm_delete_region(program, shared));
    SIM_CHECK();
    assert_int_equal(sim_committed(), committed + (int64_t)PAGES(2));
    assert_numbered((addr_t)c, 2, 1);
    OK(vm_unmap_range(program, (addr_t)c, PAGE));
    assert_int_equal(sim_committed(), committed + (int64_t)PAGE);
}

UNIT_MAIN("clones", TEST(test_vm_clone_region_shared_sees_both_ways),
          TEST(test_vm_clone_region_private_is_no_snapshot),
          TEST(test_vm_clone_region_private_before_source_is_touched),
          TEST(test_vm_clone_region_read_only), TEST(test_vm_clone_region_into_another_space),
          TEST(test_vm_clone_region_of_file), TEST(test_vm_clone_region_of_device),
          TEST(test_vm_clone_region_may_not_gain_writing),
          TEST(test_vm_clone_region_charges_private_only), TEST(test_vm_clone_region_errors),
          TEST(test_vm_clone_region_of_a_fork), TEST(test_vm_clone_region_of_a_clone),
          TEST(test_vm_clone_region_private_and_fork),
          TEST(test_vm_clone_region_private_outlives_shared))
