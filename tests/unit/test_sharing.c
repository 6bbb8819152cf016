/* SPDX-License-Identifier: MIT */
/* Sharing by pieces: what each is promised, what is taken back, and what keeps pieces apart. */
#include "support.h"

#include "aspace.h"
#include "cache.h"
#include "region.h"

/* A guard has no promise until somebody shares it. */
static void guard_in_two_pieces(void)
{
    region_at(SPOT, 6, LOCK_NO_READ);
    OK(vm_set_inheritance(program, SPOT + PAGES(3), PAGES(3), VM_INHERIT_NONE));
    assert_int_equal(count_regions(program), 2);
}

static region_id share(addr_t source, addr_t to)
{
    void *at = PTR(to);
    return vm_clone_region(program, "clone", &at, REGION_ADDR_EXACT_ADDRESS, find_region(source),
                           REGION_NO_PRIVATE_MAP, LOCK_NO_READ);
}

static void test_vm_clone_region_promises_each_piece(void)
{
    guard_in_two_pieces();
    assert_int_equal(sim_committed(), 0);
    assert_true(share(SPOT, SPOT * 2) > 0);
    assert_int_equal(sim_committed(), PAGES(3));
    assert_true(share(SPOT + PAGES(3), SPOT * 3) > 0);
    assert_int_equal(sim_committed(), PAGES(6));
    /* Again: it is promised already. */
    assert_true(share(SPOT, SPOT * 4) > 0);
    assert_int_equal(sim_committed(), PAGES(6));
}

static void test_vm_clone_region_failed_takes_its_promise_back(void)
{
    guard_in_two_pieces();
    assert_true(share(SPOT, SPOT * 2) > 0);
    REFUSED(ERR_VM_NO_REGION_SLOT, share(SPOT + PAGES(3), SPOT));
    assert_int_equal(sim_committed(), PAGES(3));
    REFUSED(ERR_VM_NO_REGION_SLOT, share(SPOT, SPOT));
    assert_int_equal(sim_committed(), PAGES(3));
}

/* A piece of what is shared is shared itself: one clone more that fails takes nothing from it. */
static void test_vm_clone_region_failed_leaves_a_piece_shared(void)
{
    region_at(SPOT, 4, LOCK_NO_READ);
    assert_true(share(SPOT, SPOT * 2) > 0);
    assert_int_equal(sim_committed(), PAGES(4));
    OK(vm_set_inheritance(program, SPOT + PAGES(2), PAGES(2), VM_INHERIT_NONE));
    REFUSED(ERR_VM_NO_REGION_SLOT, share(SPOT + PAGES(2), SPOT));
    assert_int_equal(sim_committed(), PAGES(4));
}

static void test_vm_copy_aspace_promises_each_piece(void)
{
    region_at(SPOT, 6, LOCK_NO_READ);
    OK(vm_set_inheritance(program, SPOT, PAGES(2), VM_INHERIT_SHARE));
    OK(vm_set_inheritance(program, SPOT + PAGES(4), PAGES(2), VM_INHERIT_SHARE));
    aspace_id child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
    assert_int_equal(sim_committed(), PAGES(4));
    OK(vm_protect_range(program, SPOT, PAGES(6), LOCK_RW));
    assert_int_equal(sim_committed(), PAGES(6));
    OK(sim_delete_aspace(child));
}

/* What the clone shows next to its source is the source's memory, too, but it was promised otherwise. */
static void test_regions_of_clone_and_source_are_not_joined(void)
{
    void *at = PTR(SPOT + PAGES(8)), *to = PTR(SPOT + PAGES(2));
    unsigned lock = LOCK_RW | REGION_OVERCOMMIT;
    region_at(SPOT, 4, lock);
    assert_true(vm_clone_region(program, "fixed", &at, REGION_ADDR_EXACT_ADDRESS, find_region(SPOT),
                                REGION_NO_PRIVATE_MAP, lock) > 0);
    OK(vm_unmap_range(program, SPOT + PAGES(2), PAGES(2)));
    OK(vm_move_range(program, SPOT + PAGES(10), PAGES(2), PAGES(2), &to,
                     REGION_ADDR_EXACT_ADDRESS));
    OK(vm_unmap_range(program, SPOT + PAGES(8), PAGES(2)));
    OK(vm_set_inheritance(program, SPOT, PAGES(4), VM_INHERIT_SHARE));
    assert_int_equal(count_regions(program), 2);
    number_pages(SPOT, 4, 1);
    assert_numbered(SPOT, 4, 1);
}

/* Nothing is given back while memory is shared, so what grows again is promised already. */
static void test_vm_resize_region_of_shared_memory_keeps_one_promise(void)
{
    region_id id = region_at(SPOT, 4, LOCK_RW | REGION_SHARED);
    for (unsigned i = 0; i < 100; i++) {
        OK(vm_resize_region(program, id, PAGES(2)));
        OK(vm_resize_region(program, id, PAGES(4)));
    }
    assert_int_equal(sim_committed(), PAGES(4));
    OK(vm_resize_region(program, id, PAGES(7)));
    assert_int_equal(sim_committed(), PAGES(7));
}

static void test_cache_forget_hidden_leaves_pages(void)
{
    region_at(SPOT, 3, LOCK_RW);
    number_pages(SPOT, 3, 1);
    aspace_id child = vm_copy_aspace(program, "child");
    OK(sim_write_byte(SPOT + PAGES(2), 9));
    OK(vm_discard_range(program, SPOT + PAGE, PAGE));
    assert_byte(SPOT + PAGE, 0);
    OK(vm_discard_range(program, SPOT + PAGE, PAGE));
    vm_region *region = vm_get_region_by_id(find_region(SPOT));
    vm_cache_ref *ref = region->cache_ref;
    cache_lock(ref);
    assert_ptr_equal(vm_cache_lookup_page(ref, (off_t)PAGE), VM_CACHE_SKIP);
    cache_forget_hidden(ref, 0);
    assert_null(vm_cache_lookup_page(ref, (off_t)PAGE));
    assert_non_null(vm_cache_lookup_page(ref, (off_t)PAGES(2)));
    cache_unlock(ref);
    vm_put_region(region);
    assert_byte(SPOT + PAGE, 2); /* what is below shows again */
    assert_byte(SPOT + PAGES(2), 9);
    OK(sim_delete_aspace(child));
}

UNIT_MAIN("sharing", TEST(test_vm_clone_region_promises_each_piece),
          TEST(test_vm_clone_region_failed_takes_its_promise_back),
          TEST(test_vm_clone_region_failed_leaves_a_piece_shared),
          TEST(test_vm_copy_aspace_promises_each_piece),
          TEST(test_regions_of_clone_and_source_are_not_joined),
          TEST(test_vm_resize_region_of_shared_memory_keeps_one_promise),
          TEST(test_cache_forget_hidden_leaves_pages))
