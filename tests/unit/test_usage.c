/* SPDX-License-Identifier: MIT */
/* What regions use, and what the frames hold. */
#include "support.h"

#include "../../vm/system.h"
#include "../../vm/usage.h"

#define SWAP .swap = 64

static vm_region_info info_at(addr_t address)
{
    return region_info(find_region(address));
}

static vm_frame_info frames(void)
{
    vm_frame_info info;
    OK(vm_get_frame_info(&info));
    return info;
}

/* So often that no page is young. */
static void collect(void)
{
    for (unsigned i = 0; i < 3; i++) {
        vm_system.reclaim.gone = SIZE_MAX / 2;
        reclaim_collect();
    }
}

/* Reads each page by the tables: no TLB knows it. */
static void access_anew(addr_t address, size_t pages, unsigned lock)
{
    OK(vm_protect_range(program, address, PAGES(pages), LOCK_NO_READ));
    OK(vm_protect_range(program, address, PAGES(pages), lock));
    for (size_t i = 0; i < pages; i++)
        assert_true(sim_read_byte(address + PAGES(i)) >= 0);
}

/* ---- vm_get_region_info ---- */

static void test_usage_of_memory(void)
{
    region_at(SPOT, 5, LOCK_RW);
    number_pages(SPOT, 3, 1);
    assert_byte(SPOT + PAGES(3), 0);
    vm_region_info info = info_at(SPOT);
    assert_int_equal(info.resident_pages, 4);
    assert_int_equal(info.memory_pages, 4);
    assert_int_equal(info.modified_pages, 3);
    assert_int_equal(info.referenced_pages, 4);
    assert_int_equal(info.shared_pages, 0);
    assert_int_equal(info.shared_modified_pages, 0);
    assert_int_equal(info.discardable_pages, 0);
    assert_int_equal(info.proportional_size, PAGES(4));
    assert_int_equal(info.proportional_swap, 0);
}

static void test_usage_of_a_file_that_two_map(void)
{
    addr_t a, b;
    sim_file *file = sim_file_create_numbered("/f", 4);
    map_pages(&a, file, 4, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    map_pages(&b, file, 2, LOCK_RW, REGION_PRIVATE_MAP, 0);
    assert_byte(a, 1);
    assert_byte(b, 1);
    OK(sim_write_byte(a, 9));
    OK(sim_write_byte(a + PAGES(3), 9));
    OK(sim_write_byte(b + PAGE, 9));
    vm_region_info of_a = info_at(a), of_b = info_at(b);
    assert_int_equal(of_a.resident_pages, 4);
    assert_int_equal(of_a.memory_pages, 0);
    assert_int_equal(of_a.shared_pages, 1);
    assert_int_equal(of_a.modified_pages, 2);
    assert_int_equal(of_a.shared_modified_pages, 1);
    assert_int_equal(of_a.proportional_size, PAGES(3) + PAGE / 2);
    assert_int_equal(of_b.memory_pages, 1);
    assert_int_equal(of_b.proportional_size, PAGE + PAGE / 2);
}

/* The accessed bits have moved to the pages: they count all the same, until a policy's hand has passed. */
static void test_usage_of_pages_without_accessed_bits(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    collect();
    assert_int_equal(info_at(SPOT).referenced_pages, 0);
    access_anew(SPOT, 2, LOCK_RW);
    collect();
    assert_int_equal(info_at(SPOT).referenced_pages, 2);
    OK(vm_advise_range(program, SPOT, PAGES(4), VM_ADVICE_COLD));
    assert_int_equal(info_at(SPOT).referenced_pages, 0);
}

/* What a space uses is what its regions use. */
static void test_usage_of_a_space(void)
{
    vm_aspace_info all;
    region_at(SPOT, 6, LOCK_RW);
    number_pages(SPOT, 6, 1);
    OK(vm_advise_range(program, SPOT, PAGES(5), VM_ADVICE_PAGEOUT));
    number_pages(SPOT, 2, 1); /* the next three come along, unmapped */
    OK(vm_advise_range(program, SPOT + PAGES(3), PAGES(2), VM_ADVICE_PAGEOUT));
    region_at(SPOT * 2, 3, LOCK_RO);
    assert_byte(SPOT * 2, 0);
    OK(vm_get_aspace_info(program, &all));
    vm_region_info a = info_at(SPOT), b = info_at(SPOT * 2);
    assert_true(a.modified_pages > 0 && a.swapped_pages > 0 && a.unmapped_pages > 0);
    assert_true(a.refaults > 0);
    assert_int_equal(all.size, PAGES(9));
    assert_int_equal(all.regions, 2);
    assert_int_equal(all.resident_pages, a.resident_pages + b.resident_pages);
    assert_int_equal(all.modified_pages, a.modified_pages + b.modified_pages);
    assert_int_equal(all.swapped_pages, a.swapped_pages);
    assert_int_equal(all.unmapped_pages, a.unmapped_pages);
    assert_int_equal(all.faults, a.faults + b.faults);
    assert_int_equal(all.refaults, a.refaults);
}

static void test_usage_of_a_space_since_the_last_collection(void)
{
    vm_aspace_info all;
    region_at(SPOT, 6, LOCK_RW);
    number_pages(SPOT, 6, 1);
    collect();
    access_anew(SPOT, 2, LOCK_RW);
    vm_system.reclaim.gone = SIZE_MAX / 2;
    reclaim_collect();
    OK(vm_get_aspace_info(program, &all));
    assert_int_equal(all.working_set, 2);
}

static void test_usage_of_wired_pages(void)
{
    vm_aspace_info info;
    region_at(SPOT, 5, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    OK(vm_wire_range(program, SPOT + PAGES(2), PAGES(3)));
    OK(vm_get_aspace_info(program, &info));
    assert_int_equal(info.resident_pages, 4);
    assert_int_equal(info.wired_pages, 3);
    OK(vm_unwire_range(program, SPOT + PAGES(2), PAGES(3)));
}

static void test_usage_of_discardable_pages(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    OK(vm_advise_range(program, SPOT + PAGE, PAGES(2), VM_ADVICE_FREE));
    assert_int_equal(info_at(SPOT).discardable_pages, 2);
    assert_int_equal(frames().discardable_pages, 2);
}

static void test_usage_of_a_device(void)
{
    void *at = PTR(SPOT);
    assert_true(vm_map_physical_memory(program, "d", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(2),
                                       LOCK_RW, (addr_t)1 << 40) > 0);
    OK(vm_fault_aspace(program, SPOT, VM_ACCESS_READ));
    vm_region_info info = info_at(SPOT);
    assert_true(info.resident_pages > 0);
    assert_int_equal(info.memory_pages, 0);
    assert_int_equal(info.shared_pages, 0);
    assert_int_equal(info.proportional_size, PAGES(info.resident_pages));
}

static void test_usage_of_swap(void)
{
    region_at(SPOT, 8, LOCK_RW);
    number_pages(SPOT, 8, 1);
    OK(vm_advise_range(program, SPOT, PAGES(8), VM_ADVICE_PAGEOUT));
    assert_int_equal(info_at(SPOT).swapped_pages, 8);
    assert_int_equal(info_at(SPOT).proportional_swap, PAGES(8));
    OK(vm_unmap_range(program, SPOT + PAGES(6), PAGES(2)));
    assert_int_equal(info_at(SPOT).swapped_pages, 6);
    OK(vm_unmap_range(program, SPOT + PAGES(3), PAGE)); /* two pieces of one cache */
    assert_int_equal(info_at(SPOT).swapped_pages, 3);
    assert_int_equal(info_at(SPOT + PAGES(4)).swapped_pages, 2);
    assert_int_equal(info_at(SPOT).proportional_swap, PAGES(3) / 2);
}

static void test_usage_of_pages_that_nobody_maps(void)
{
    region_id id = region_at(SPOT, 6, LOCK_RW);
    number_pages(SPOT, 4, 1);
    assert_int_equal(info_at(SPOT).unmapped_pages, 0);
    OK(vm_protect_range(program, SPOT, PAGES(6), LOCK_NO_READ));
    assert_int_equal(info_at(SPOT).resident_pages, 0);
    assert_int_equal(info_at(SPOT).unmapped_pages, 4);
    aspace_id child = vm_copy_aspace(program, "child");
    vm_aspace_info info;
    OK(vm_get_aspace_info(child, &info));
    assert_int_equal(info.unmapped_pages, 4);
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
    sim_file *file = sim_file_create_numbered("/f", 2);
    addr_t a, b;
    vm_region_info before = region_info(id);
    map_pages(&a, file, 2, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    map_pages(&b, file, 2, LOCK_RW, REGION_PRIVATE_MAP, 0);
    OK(vm_fault_aspace(program, a, VM_ACCESS_READ));
    OK(vm_protect_range(program, a, PAGES(2), LOCK_NO_READ));
    assert_int_equal(info_at(a).unmapped_pages, 0);
    assert_int_equal(info_at(b).unmapped_pages, 0);
    assert_int_equal(region_info(id).unmapped_pages, before.unmapped_pages);
}

/* What both see below is in swap once; what one has written isn't there for it any more. */
static void test_usage_of_swap_below_a_fork(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    OK(vm_advise_range(program, SPOT, PAGES(4), VM_ADVICE_PAGEOUT));
    aspace_id child = fork_program();
    assert_int_equal(info_at(SPOT).swapped_pages, 4);
    assert_int_equal(info_at(SPOT).proportional_swap, PAGES(2));
    OK(vm_discard_range(child, SPOT, PAGE));
    vm_aspace_info info;
    OK(vm_get_aspace_info(child, &info));
    assert_int_equal(info.swapped_pages, 3);
    sim_set_aspace(program);
    OK(vm_get_aspace_info(program, &info));
    assert_int_equal(info.swapped_pages, 4);
    OK(sim_delete_aspace(child));
}

/* ---- vm_get_frame_info ---- */

static void test_vm_get_frame_info(void)
{
    addr_t a;
    sim_file *file = sim_file_create_numbered("/f", 2);
    vm_frame_info before = frames();
    map_pages(&a, file, 2, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    assert_byte(a, 1);
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    vm_frame_info info = frames();
    assert_int_equal(info.file_pages - before.file_pages, 2);
    assert_int_equal(info.mapped_file_pages - before.mapped_file_pages, 2);
    assert_int_equal(info.memory_pages - before.memory_pages, 4);
    assert_int_equal(info.mapped_memory_pages - before.mapped_memory_pages, 4);
    assert_int_equal(info.inactive_memory_pages - before.inactive_memory_pages, 4);
    assert_int_equal(info.inactive_file_pages - before.inactive_file_pages, 2);
    assert_int_equal(info.swap_cached_pages, 0);
    assert_int_equal(info.writing_pages, 0);
    OK(vm_wire_range(program, SPOT, PAGES(3)));
    assert_int_equal(frames().locked_pages - before.locked_pages, 3);
    OK(vm_unmap_range(program, a, PAGES(2)));
    assert_int_equal(frames().mapped_file_pages, before.mapped_file_pages);
    OK(vm_unmap_range(program, SPOT, PAGES(4)));
    assert_int_equal(frames().memory_pages, before.memory_pages);
}

static void test_vm_get_frame_info_of_active_pages(void)
{
    addr_t a;
    sim_file *file = sim_file_create_numbered("/f", 2);
    vm_frame_info before = frames();
    region_at(SPOT + PAGES(100), 1, LOCK_RW); /* which will be the one to go */
    assert_byte(SPOT + PAGES(100), 0);
    map_pages(&a, file, 2, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    region_at(SPOT, 3, LOCK_RW);
    assert_byte(a, 1);
    number_pages(SPOT, 3, 1);
    collect();
    access_anew(SPOT + PAGES(100), 1, LOCK_RW);
    access_anew(a, 2, LOCK_RO);
    access_anew(SPOT, 3, LOCK_RW);
    collect();
    (void)vm_reclaim(1);
    vm_info info = figures();
    vm_frame_info now = frames();
    assert_int_equal(now.active_memory_pages - before.active_memory_pages, 3);
    assert_int_equal(now.active_file_pages - before.active_file_pages, 2);
    assert_int_equal(now.active_memory_pages + now.active_file_pages, info.active_pages);
    assert_int_equal(now.inactive_memory_pages + now.inactive_file_pages, info.inactive_pages);
}

static void test_vm_get_frame_info_of_pages_in_swap_too(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    OK(vm_advise_range(program, SPOT, PAGES(4), VM_ADVICE_PAGEOUT));
    assert_int_equal(frames().swap_cached_pages, 0);
    assert_byte(SPOT, 1);
    assert_int_equal(frames().swap_cached_pages, 4);
    OK(sim_write_byte(SPOT, 9));
}

static int page_out(void *unused)
{
    (void)unused;
    return vm_advise_range(program, SPOT, PAGES(4), VM_ADVICE_PAGEOUT);
}

static void test_vm_get_frame_info_of_pages_being_written(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    collect();
    sim_swap_block(sim_boot_swap(), true);
    sim_spawn("writer", page_out, NULL);
    assert_int_equal(sim_run_until_blocked(), 1);
    assert_int_equal(frames().writing_pages, 4);
    sim_swap_block(sim_boot_swap(), false);
    sim_run();
    assert_int_equal(frames().writing_pages, 0);
}

static void test_vm_get_frame_info_refuses(void)
{
    assert_int_equal(vm_get_frame_info(NULL), ERR_INVALID_ARGS);
}

/* ---- vm_get_info ---- */

static void test_figures_of_major_faults(void)
{
    addr_t a;
    uint8_t byte;
    size_t done;
    sim_file *file = sim_file_create_numbered("/f", 40);
    vm_cache_ref *cache;
    map_pages(&a, file, 40, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    uint64_t before = figures().major_faults;
    assert_byte(a, 1);
    assert_int_equal(figures().major_faults - before, 1);
    assert_byte(a + PAGE, 2);
    assert_int_equal(figures().major_faults - before, 1);
    OK(vm_get_vnode_cache(file, &cache));
    OK(vm_cache_read(cache, (off_t)PAGES(20), &byte, 1, false, &done));
    assert_int_equal(figures().major_faults - before, 1);
    vm_put_cache(cache);
    region_at(SPOT, 2, LOCK_RW);
    number_pages(SPOT, 2, 1);
    assert_int_equal(figures().major_faults - before, 1);
    OK(vm_advise_range(program, SPOT, PAGES(2), VM_ADVICE_PAGEOUT));
    assert_numbered(SPOT, 2, 1);
    assert_int_equal(figures().major_faults - before, 2);
}

/* Who splits a mapping into many pieces doesn't make the figures slow, and a share is never too small to see. */
static void test_usage_of_very_many_pieces(void)
{
    region_id id = region_at(SPOT, 200, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    OK(vm_advise_range(program, SPOT, PAGE, VM_ADVICE_PAGEOUT));
    for (size_t i = 1; i < 200; i += 2)
        OK(vm_protect_range(program, SPOT + PAGES(i), PAGE, LOCK_RO));
    assert_int_equal(region_info(id).swapped_pages, 1);
    vm_region *region = vm_get_region_by_id(id);
    size_t share = region_usage(region).proportional_swap;
    vm_put_region(region);
    assert_true(share >= PAGE / 128 && share < PAGE / 60);
    assert_byte(SPOT, 1);
}

UNIT_MAIN("usage", TEST_ON(test_usage_of_very_many_pieces, SWAP), TEST(test_usage_of_memory),
          TEST(test_usage_of_a_file_that_two_map),
          TEST_ON(test_usage_of_pages_without_accessed_bits, SWAP),
          TEST_ON(test_usage_of_a_space, SWAP),
          TEST(test_usage_of_a_space_since_the_last_collection), TEST(test_usage_of_wired_pages),
          TEST(test_usage_of_discardable_pages), TEST(test_usage_of_a_device),
          TEST_ON(test_usage_of_swap, SWAP), TEST_ON(test_usage_of_swap_below_a_fork, SWAP),
          TEST(test_usage_of_pages_that_nobody_maps), TEST(test_vm_get_frame_info),
          TEST_ON(test_vm_get_frame_info_of_active_pages, SWAP),
          TEST_ON(test_vm_get_frame_info_of_pages_in_swap_too, SWAP),
          TEST_ON(test_vm_get_frame_info_of_pages_being_written, SWAP),
          TEST(test_vm_get_frame_info_refuses), TEST_ON(test_figures_of_major_faults, SWAP))
