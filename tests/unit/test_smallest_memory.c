/* SPDX-License-Identifier: MIT */
/* How little memory is enough: one page for each thread that runs, where others have their tables. Less is an
 * answer, and nobody hangs. */
#include "support.h"

#define MACHINE .memory = (size_t)4 << 20, .swap = 2048, .cpus = 4
#define EACH 64    /* pages that a thread uses in turn */
#define ROUNDS 200 /* accesses of each */
#define AREA(thread) (SPOT + PAGES(1000 * (thread)))
#define MOST 8

static addr_t frames[1024];
static size_t taken;

/* Frames that pages could have, those that have them among them. */
static size_t room(void)
{
    vm_info info = figures();
    return info.available_pages + info.active_pages + info.inactive_pages;
}

/* Takes one more away from the programs. False: nothing can be freed for it now. */
static bool take_one(void)
{
    if (figures().available_pages == 0 && vm_reclaim(1) == 0)
        return false;
    if (figures().available_pages > 0 && vm_allocate_frames(1, false, &frames[taken]) == VM_OK)
        taken++;
    return true;
}

/* Leaves room for so many pages; all have gone. */
static void leave(size_t pages)
{
    while (figures().active_pages + figures().inactive_pages > 0)
        assert_true(vm_reclaim(1024) > 0);
    vm_trim();
    while (room() > pages)
        OK(vm_allocate_frames(1, false, &frames[taken++]));
}

static void give_back(void)
{
    while (taken > 0)
        vm_free_frames(frames[--taken], 1);
}

/* ---- threads ---- */

/* Reads and writes its pages, each of which must have what it wrote last. */
static int use_pages(void *number)
{
    uint8_t last[EACH] = {0};
    addr_t base = AREA((addr_t)number);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned i = (round * 37 + (unsigned)(addr_t)number * 11) % EACH;
        int byte = sim_read_byte(base + PAGES(i));
        if (byte != last[i])
            return byte < 0 ? byte : 1000 + byte;
        int error = sim_write_byte(base + PAGES(i), ++last[i]);
        if (error != VM_OK)
            return error;
    }
    return VM_OK;
}

static void make_areas(unsigned threads)
{
    for (addr_t i = 0; i < threads; i++) {
        region_at(AREA(i), EACH, LOCK_RW);
        for (size_t page = 0; page < EACH; page++)
            OK(sim_write_byte(AREA(i) + PAGES(page), 0));
    }
}

static void spawn(sim_fiber **fiber, unsigned threads)
{
    for (unsigned i = 0; i < threads; i++)
        fiber[i] = sim_spawn_on(i % 4, program, "use", use_pages, PTR((addr_t)i));
}

static void expect_all(sim_fiber *const *fiber, unsigned threads, int result)
{
    for (unsigned i = 0; i < threads; i++)
        assert_int_equal(sim_fiber_result(fiber[i]), result);
}

static void run_in(size_t pages, unsigned threads, int result)
{
    sim_fiber *fiber[MOST];
    make_areas(threads);
    leave(pages);
    spawn(fiber, threads);
    sim_run();
    expect_all(fiber, threads, result);
    SIM_CHECK();
    give_back();
}

static void test_one_thread_in_one_page(void)
{
    run_in(1, 1, VM_OK);
}

static void test_four_threads_in_four_pages(void)
{
    run_in(4, 4, VM_OK);
}

static void test_eight_threads_in_eight_pages(void)
{
    run_in(8, 8, VM_OK);
}

static void test_no_page_is_an_answer(void)
{
    run_in(0, 4, ERR_NO_MEMORY);
    for (addr_t i = 0; i < 4; i++)
        assert_byte(AREA(i), 0);
}

/* One page between two threads is too little: whoever hears that has lost nothing. */
static void test_one_page_for_two_threads_hangs_nobody(void)
{
    sim_fiber *fiber[2];
    make_areas(2);
    leave(1);
    spawn(fiber, 2);
    sim_run();
    for (unsigned i = 0; i < 2; i++) {
        int result = sim_fiber_result(fiber[i]);
        assert_true(result == VM_OK || result == ERR_NO_MEMORY);
    }
    SIM_CHECK();
    give_back();
}

/* ---- while they run ---- */

static size_t fewest;

static int shrink(void *pages)
{
    fewest = SIZE_MAX;
    while (room() > (size_t)pages && taken < 1000) {
        (void)take_one();
        fewest = room() < fewest ? room() : fewest;
        sim_yield();
    }
    return VM_OK;
}

static void shrink_beside(size_t pages, unsigned threads, sim_fiber **fiber)
{
    make_areas(threads);
    spawn(fiber, threads);
    sim_fiber *shrinker = sim_spawn_on(3, program, "shrink", shrink, PTR(pages));
    sim_run();
    OK(sim_fiber_result(shrinker));
    assert_true(fewest <= pages);
    SIM_CHECK();
    give_back();
}

static void test_memory_shrinks_to_a_page_for_each_thread(void)
{
    sim_fiber *fiber[4];
    shrink_beside(4, 3, fiber);
    expect_all(fiber, 3, VM_OK);
}

/* What a thread wrote is there when there is memory again. */
static void test_memory_shrinks_to_nothing(void)
{
    sim_fiber *fiber[4];
    shrink_beside(0, 3, fiber);
    for (unsigned i = 0; i < 3; i++) {
        int result = sim_fiber_result(fiber[i]);
        assert_true(result == VM_OK || result == ERR_NO_MEMORY);
    }
    for (addr_t i = 0; i < 3; i++)
        assert_true(sim_read_byte(AREA(i)) >= 0);
}

/* ---- copies ---- */

/* A copy needs the page that it is of beside it. */
static void copy_in(size_t pages, int result)
{
    region_at(SPOT, 8, LOCK_RW);
    number_pages(SPOT, 8, 1);
    aspace_id child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
    leave(pages);
    sim_set_aspace(child);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(sim_write_byte(SPOT + PAGES(i), 99), result);
    SIM_CHECK();
    give_back();
    sim_set_aspace(program);
    assert_numbered(SPOT, 8, 1);
    OK(sim_delete_aspace(child));
}

static void test_a_copy_in_two_pages(void)
{
    copy_in(2, VM_OK);
}

static void test_a_copy_in_one_page_is_an_answer(void)
{
    copy_in(1, ERR_NO_MEMORY);
}

static void test_a_file_in_one_page(void)
{
    addr_t at;
    sim_file *file = sim_file_create_numbered("/f", 40);
    map_pages(&at, file, 40, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    leave(1);
    assert_numbered(at, 40, 1);
    number_pages(at, 40, 100);
    assert_numbered(at, 40, 100);
    OK(vm_sync_range(program, at, PAGES(40)));
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(sim_file_data(file)[PAGES(i)], 100 + i);
    give_back();
}

UNIT_MAIN("smallest memory", TEST_ON(test_one_thread_in_one_page, MACHINE),
          TEST_ON(test_one_thread_in_one_page, MACHINE, .seed = 3, .page_daemons = 2),
          TEST_ON(test_four_threads_in_four_pages, MACHINE),
          TEST_ON(test_four_threads_in_four_pages, MACHINE, .seed = 7),
          TEST_ON(test_four_threads_in_four_pages, MACHINE, .seed = 8, .page_daemons = 1),
          TEST_ON(test_eight_threads_in_eight_pages, MACHINE, .seed = 9),
          TEST_ON(test_eight_threads_in_eight_pages, MACHINE, .seed = 10, .page_daemons = 2),
          TEST_ON(test_no_page_is_an_answer, MACHINE, .seed = 11),
          TEST_ON(test_one_page_for_two_threads_hangs_nobody, MACHINE),
          TEST_ON(test_one_page_for_two_threads_hangs_nobody, MACHINE, .seed = 12),
          TEST_ON(test_memory_shrinks_to_a_page_for_each_thread, MACHINE, .seed = 13),
          TEST_ON(test_memory_shrinks_to_a_page_for_each_thread, MACHINE, .seed = 14,
                  .page_daemons = 1),
          TEST_ON(test_memory_shrinks_to_nothing, MACHINE, .seed = 15),
          TEST_ON(test_a_copy_in_two_pages, MACHINE),
          TEST_ON(test_a_copy_in_one_page_is_an_answer, MACHINE),
          TEST_ON(test_a_file_in_one_page, MACHINE))
