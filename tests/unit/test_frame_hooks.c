/* SPDX-License-Identifier: MIT */
/* What a host that moves frames' bytes is told: kernel_args.frames. */
#include "support.h"

#include <quire/host.h>

static size_t in_use, for_caches, runs, copies, wrong;

#define MOST_FRAMES 0x80000
static unsigned char is_used[MOST_FRAMES];

static void note_taken(addr_t physical, size_t count, bool for_cache)
{
    for (size_t i = 0; i < count; i++)
        wrong += is_used[physical / PAGE + i]++ != 0;
    in_use += count;
    for_caches += for_cache;
    runs += count > 1;
}

/* Frames that were in use before the machine's first call aren't known. */
static bool scribbles;

static void note_freed(addr_t physical)
{
    if (scribbles)
        memset(host_frame_ptr(physical), 0xaa, PAGE);
    wrong += is_used[physical / PAGE]-- != 1;
    in_use--;
}

static void note_copy(addr_t to, addr_t from)
{
    memcpy(host_frame_ptr(to), host_frame_ptr(from), PAGE);
    copies++;
}

static const struct vm_frame_hooks hooks = {note_taken, note_freed, note_copy};

static void begin(void)
{
    for_caches = runs = copies = wrong = 0;
}

static void test_taken_frames_of_a_region_are_for_a_cache_and_freed(void)
{
    begin();
    vm_trim();
    size_t before = in_use;
    addr_t address;
    region_id id = new_region(&address, 3);
    number_pages(address, 3, 7);
    assert_int_equal(for_caches, 3);
    assert_true(in_use >= before + 3);
    OK(vm_delete_region(program, id));
    vm_trim();
    assert_int_equal(in_use, before);
    assert_int_equal(wrong, 0);
}

static void test_taken_runs_and_single_frames_are_not_for_a_cache(void)
{
    addr_t one, four, reserved;
    begin();
    OK(vm_allocate_frames(1, true, &one));
    OK(vm_allocate_frames(4, true, &four));
    OK(vm_allocate_reserved_frame(&reserved));
    assert_int_equal(for_caches, 0);
    assert_int_equal(runs, 1);
    assert_true(is_used[one / PAGE] && is_used[four / PAGE + 3] && is_used[reserved / PAGE]);
    vm_free_frames(one, 1);
    vm_free_frames(four, 4);
    vm_free_frames(reserved, 1);
    assert_false(is_used[one / PAGE] || is_used[four / PAGE + 3] || is_used[reserved / PAGE]);
    assert_int_equal(wrong, 0);
}

static void test_copy_is_the_hosts(void)
{
    addr_t address;
    begin();
    new_region(&address, 2);
    number_pages(address, 2, 7);
    aspace_id child = fork_program();
    number_pages(address, 1, 9);
    assert_int_equal(copies, 1);
    assert_byte(address, 9);
    assert_byte(address + PAGE, 8);
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
    assert_numbered(address, 2, 7);
    assert_int_equal(wrong, 0);
}

/* A table that comes back as an empty one is cleared, whatever its frame has now. */
static void test_freed_frames_are_the_hosts(void)
{
    scribbles = true;
    for (unsigned i = 0; i < 20; i++)
        OK(sim_delete_aspace(sim_new_aspace()));
    scribbles = false;
}

UNIT_MAIN("frame hooks", TEST_ON(test_freed_frames_are_the_hosts, .frames = &hooks),
          TEST_ON(test_taken_frames_of_a_region_are_for_a_cache_and_freed, .frames = &hooks),
          TEST_ON(test_taken_runs_and_single_frames_are_not_for_a_cache, .frames = &hooks),
          TEST_ON(test_copy_is_the_hosts, .frames = &hooks))
