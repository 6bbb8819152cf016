/* SPDX-License-Identifier: MIT */
/* Regions that somebody else manages: over stores that read, or map frames by themselves, and with an owner. */
#include "support.h"

#include <quire/host.h>
#include <quire/store.h>

static unsigned destroyed;
static addr_t frames; /* four of the host's */

static void own_destroy(vm_store *store)
{
    (void)store;
    destroyed++;
}

static bool read_has_page(vm_store *store, off_t offset)
{
    (void)store;
    return offset == 0;
}

static int read_read(vm_store *store, off_t offset, const addr_t *at, size_t count, size_t *done)
{
    (void)store, (void)offset;
    memset(host_frame_ptr(at[0]), 0x77, PAGE);
    *done = count * PAGE;
    return VM_OK;
}

/* Maps the two frames that the address is in. */
static int map_fault(vm_store *store, vm_region *region, addr_t address, unsigned access)
{
    struct vm_store_region where;
    (void)store, (void)access;
    vm_store_get_region(region, &where);
    off_t offset = (where.offset + (off_t)(address - where.base)) & ~(off_t)(2 * PAGE - 1);
    if (offset >= (off_t)PAGES(4))
        return ERR_NOT_FOUND;
    addr_t at = where.base + (addr_t)(offset - where.offset);
    return vm_store_map_frames(region, at, frames + (addr_t)offset, 2);
}

static const struct vm_store_ops read_ops = {
    .destroy = own_destroy, .has_page = read_has_page, .read = read_read};
static const struct vm_store_ops map_ops = {.destroy = own_destroy, .fault = map_fault};
/* It says that it has a page to read, too. */
static const struct vm_store_ops map_read_ops = {
    .destroy = own_destroy, .has_page = read_has_page, .fault = map_fault};
static vm_store own;
static vm_cache_ref *cache;

static void make_cache(const struct vm_store_ops *ops, off_t size)
{
    own = (vm_store){.ops = ops};
    destroyed = 0;
    OK(vm_create_cache(&own, size, &cache));
}

static void make_frames(void)
{
    OK(vm_allocate_frames(4, true, &frames));
    make_cache(&map_ops, (off_t)PAGES(6));
}

static void free_all(void)
{
    OK(vm_unmap_range(program, SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE));
    vm_put_cache(cache);
    assert_int_equal(destroyed, 1);
    if (own.ops->fault)
        vm_free_frames(frames, 4);
}

static region_id map_at(addr_t base, size_t pages, size_t first_page, unsigned lock, int mapping,
                        void *owner)
{
    void *at = PTR(base);
    region_id id = vm_map_cache(program, "own", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(pages), lock,
                                mapping, cache, (off_t)PAGES(first_page));
    if (id > 0 && owner)
        OK(vm_set_region_owner(program, id, owner));
    return id;
}

static void test_vm_map_cache_that_is_read(void)
{
    make_cache(&read_ops, (off_t)PAGES(2));
    assert_true(map_at(SPOT, 2, 0, LOCK_RW, REGION_NO_PRIVATE_MAP, NULL) > 0);
    assert_true(map_at(2 * SPOT, 2, 0, LOCK_RW, REGION_PRIVATE_MAP, NULL) > 0);
    assert_byte(SPOT, 0x77);
    assert_byte(SPOT + PAGE, 0);
    OK(sim_write_byte(2 * SPOT, 1));
    assert_byte(SPOT, 0x77);
    OK(sim_write_byte(SPOT + PAGE, 3));
    assert_byte(2 * SPOT + PAGE, 3);
    free_all();
}

static void test_vm_map_cache_that_maps_frames(void)
{
    make_frames();
    assert_true(map_at(SPOT, 4, 0, LOCK_RW | REGION_CACHED, REGION_NO_PRIVATE_MAP, NULL) > 0);
    assert_true(map_at(2 * SPOT, 2, 2, LOCK_RO, REGION_NO_PRIVATE_MAP, NULL) > 0);
    number_pages(SPOT, 4, 1);
    assert_numbered(2 * SPOT, 2, 3);
    assert_int_equal(sim_write_byte(2 * SPOT, 1), ERR_VM_PF_BAD_PERM);
    uint64_t faults = sim_faults();
    assert_byte(SPOT + PAGES(3), 4); /* came with the page before it */
    assert_int_equal(sim_faults(), faults);
    assert_int_equal(*(uint8_t *)host_frame_ptr(frames + PAGES(2)), 3);
    free_all();
}

/* Frames of memory go through the CPUs' caches, a device's don't; what is mapped is left. */
static void test_vm_store_map_frames_twice(void)
{
    make_frames();
    vm_aspace_info info;
    assert_true(map_at(SPOT, 4, 0, LOCK_RW, REGION_NO_PRIVATE_MAP, NULL) > 0);
    OK(sim_write_byte(SPOT, 1));
    uint64_t flushes = sim_tlb_flushes();
    OK(vm_fault_aspace(program, SPOT, VM_ACCESS_WRITE | VM_ACCESS_USER));
    assert_int_equal(sim_tlb_flushes(), flushes);
    OK(vm_get_aspace_info(program, &info));
    assert_int_equal(info.resident_pages, 2);
    assert_true(info.table_pages >= 4);
    free_all();
}

/* Another frame in place of one that is mapped: no TLB knows the old one any more. */
static void test_vm_store_map_frames_replaces(void)
{
    make_frames();
    addr_t first = frames;
    assert_true(map_at(SPOT, 4, 0, LOCK_RW, REGION_NO_PRIVATE_MAP, NULL) > 0);
    number_pages(SPOT, 4, 1);
    frames += PAGES(2); /* what the store maps from now on */
    OK(vm_fault_aspace(program, SPOT, VM_ACCESS_READ | VM_ACCESS_USER));
    assert_numbered(SPOT, 2, 3);
    assert_numbered(SPOT + PAGES(2), 2, 3);
    frames = first;
    free_all();
}

static void test_vm_store_map_frames_without_tables(void)
{
    make_frames();
    assert_true(map_at(SPOT, 4, 0, LOCK_RW, REGION_NO_PRIVATE_MAP, NULL) > 0);
    sim_fail_at(SIM_FAIL_TABLE, 1, true);
    assert_int_equal(sim_read_byte(SPOT), ERR_NO_MEMORY);
    sim_fail_at(SIM_FAIL_TABLE, 0, false);
    assert_byte(SPOT, 0);
    free_all();
}

static void test_vm_map_cache_of_a_device(void)
{
    make_frames();
    assert_true(map_at(SPOT, 4, 0, LOCK_RW, REGION_NO_PRIVATE_MAP, NULL) > 0);
    number_pages(SPOT, 4, 1);
    assert_int_equal(region_info(find_region(SPOT)).lock, LOCK_RW);
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RO));
    assert_numbered(SPOT, 4, 1);
    free_all();
}

static void test_vm_set_region_owner_errors(void)
{
    addr_t address;
    region_id id = new_region(&address, 1);
    aspace_id other = sim_new_aspace();
    sim_set_aspace(program);
    assert_int_equal(vm_set_region_owner(0, id, &own), ERR_VM_INVALID_ASPACE);
    assert_int_equal(vm_set_region_owner(program, id + 1, &own), ERR_VM_INVALID_REGION);
    assert_int_equal(vm_set_region_owner(other, id, &own), ERR_VM_INVALID_REGION);
    OK(sim_delete_aspace(other));
    OK(vm_delete_region(program, id));
    assert_int_equal(vm_set_region_owner(program, id, &own), ERR_VM_INVALID_REGION);
}

static void test_vm_find_owner(void)
{
    int one, two;
    struct vm_owner found;
    make_frames();
    region_id id = map_at(SPOT, 4, 0, LOCK_RW, REGION_NO_PRIVATE_MAP, &one);
    assert_true(id > 0);
    assert_true(
        map_at(SPOT + PAGES(4), 2, 4, LOCK_RO | REGION_CACHED, REGION_NO_PRIVATE_MAP, &two) > 0);
    OK(vm_find_owner(program, 0, &found));
    assert_ptr_equal(found.owner, &one);
    assert_int_equal(found.base, SPOT);
    assert_int_equal(found.id, id);
    assert_int_equal(found.size, PAGES(4));
    assert_int_equal(found.offset, 0);
    assert_int_equal(found.wiring, REGION_WIRING_LAZY);
    assert_int_equal(found.lock, LOCK_RW); /* neighbours of different owners stay two */
    OK(vm_find_owner(program, SPOT + PAGES(4), &found));
    assert_ptr_equal(found.owner, &two);
    assert_int_equal(found.lock, LOCK_RO | REGION_CACHED);
    OK(vm_protect_range(program, SPOT, PAGE, LOCK_RO));
    OK(vm_find_owner(program, SPOT + PAGES(2), &found));
    assert_ptr_equal(found.owner, &one);
    assert_int_equal(found.base, SPOT + PAGE);
    aspace_id child = fork_program();
    OK(vm_find_owner(child, SPOT, &found));
    assert_null(found.owner);
    sim_set_aspace(program);
    OK(sim_delete_aspace(child));
    assert_int_equal(vm_find_owner(program, SPOT + PAGES(6), &found), ERR_NOT_FOUND);
    region_at(SIM_USER_END - PAGE, 1, LOCK_RW);
    OK(vm_find_owner(program, SIM_USER_END - 1, &found));
    assert_int_equal(found.base, SIM_USER_END - PAGE);
    assert_int_equal(vm_find_owner(program, SIM_USER_END, &found), ERR_NOT_FOUND);
    assert_int_equal(vm_find_owner(program, UINTPTR_MAX, &found), ERR_NOT_FOUND);
    assert_int_equal(vm_find_owner(0, SPOT, &found), ERR_VM_INVALID_ASPACE);
    assert_int_equal(vm_find_owner(program, SPOT, NULL), ERR_INVALID_ARGS);
    free_all();
}

static void test_vm_cache_unmap(void)
{
    struct sim_translation seen;
    make_frames();
    assert_true(map_at(SPOT, 4, 0, LOCK_RW, REGION_NO_PRIVATE_MAP, NULL) > 0);
    assert_true(map_at(2 * SPOT, 2, 2, LOCK_RW, REGION_NO_PRIVATE_MAP, NULL) > 0);
    number_pages(SPOT, 4, 1);
    assert_numbered(2 * SPOT, 2, 3);
    OK(vm_cache_unmap(cache, (off_t)PAGES(2) + 7, (off_t)PAGES(3) - 1));
    assert_false(sim_look_up(SPOT + PAGES(2), &seen) || sim_look_up(2 * SPOT, &seen));
    assert_true(sim_look_up(SPOT + PAGE, &seen) && sim_look_up(2 * SPOT + PAGE, &seen));
    assert_false(sim_tlb_holds(SPOT + PAGES(2)));
    OK(vm_cache_unmap(cache, 0, 0));
    assert_false(sim_look_up(SPOT, &seen));
    assert_true(sim_look_up(SPOT + PAGE, &seen));
    assert_numbered(SPOT, 4, 1);
    assert_int_equal(vm_cache_unmap(NULL, 0, 1), ERR_INVALID_ARGS);
    assert_int_equal(vm_cache_unmap(cache, -1, 1), ERR_INVALID_ARGS);
    assert_int_equal(vm_cache_unmap(cache, 2, 1), ERR_INVALID_ARGS);
    free_all();
}

/* What maps frames by itself does so when it is asked: nothing is read of it before. */
static void test_will_need_of_a_store_that_maps_frames(void)
{
    struct sim_translation seen;
    OK(vm_allocate_frames(4, true, &frames));
    make_cache(&map_read_ops, (off_t)PAGES(6));
    assert_true(map_at(SPOT, 4, 0, LOCK_RW, REGION_NO_PRIVATE_MAP, NULL) > 0);
    OK(vm_advise_range(program, SPOT, PAGES(4), VM_ADVICE_WILL_NEED));
    assert_false(sim_look_up(SPOT, &seen));
    free_all();
}

static void test_vm_aspace_owner(void)
{
    int owner;
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    assert_null(vm_aspace_owner(aspace));
    OK(vm_set_aspace_owner(program, &owner));
    assert_ptr_equal(vm_aspace_owner(aspace), &owner);
    vm_put_aspace(aspace);
    aspace = vm_get_aspace_by_id(fork_program());
    assert_null(vm_aspace_owner(aspace));
    sim_set_aspace(program);
    OK(sim_delete_aspace(vm_aspace_id(aspace)));
    vm_put_aspace(aspace);
    assert_int_equal(vm_set_aspace_owner(0, NULL), ERR_VM_INVALID_ASPACE);
}

static size_t pieces_after_protecting(addr_t base, size_t pages)
{
    OK(vm_protect_range(program, base, PAGES(pages), LOCK_RO));
    OK(vm_protect_range(program, base, PAGES(pages), LOCK_RW));
    return count_regions(program);
}

static void test_pieces_of_different_owners_stay_apart(void)
{
    size_t before = count_regions(program);
    (void)region_at(SPOT, 4, LOCK_RW);
    OK(vm_protect_range(program, SPOT + PAGES(2), PAGES(2), LOCK_RO));
    OK(vm_set_region_owner(program, find_region(SPOT + PAGES(2)), &own));
    assert_int_equal(pieces_after_protecting(SPOT + PAGES(2), 2), before + 2);
    OK(vm_set_region_owner(program, find_region(SPOT + PAGES(2)), NULL));
    assert_int_equal(pieces_after_protecting(SPOT + PAGES(2), 2), before + 1);
}

static void test_cached_and_uncached_pieces_stay_apart(void)
{
    size_t before = count_regions(program);
    make_frames();
    assert_true(map_at(SPOT, 2, 0, LOCK_RW | REGION_CACHED, REGION_NO_PRIVATE_MAP, NULL) > 0);
    assert_true(map_at(SPOT + PAGES(2), 2, 2, LOCK_RW, REGION_NO_PRIVATE_MAP, NULL) > 0);
    assert_int_equal(pieces_after_protecting(SPOT, 4), before + 2);
    free_all();
}

UNIT_MAIN("caches of one's own, and owners", TEST(test_vm_map_cache_that_is_read),
          TEST(test_vm_map_cache_that_maps_frames), TEST(test_vm_store_map_frames_twice),
          TEST(test_vm_store_map_frames_replaces), TEST(test_vm_store_map_frames_without_tables),
          TEST(test_vm_map_cache_of_a_device), TEST(test_vm_set_region_owner_errors),
          TEST(test_vm_find_owner), TEST(test_vm_cache_unmap),
          TEST(test_will_need_of_a_store_that_maps_frames), TEST(test_vm_aspace_owner),
          TEST(test_pieces_of_different_owners_stay_apart),
          TEST(test_cached_and_uncached_pieces_stay_apart))
