/* SPDX-License-Identifier: MIT */
/* Swap on stores that stack, under the core on the simulated machine. */
#include "support.h"

#include <quire/stores.h>

#include "../stores/trouble.h"

#define SLOTS 512
#define MANY 400 /* pages; the machine has 256 frames */
#define SMALL .memory = (size_t)1 << 20, .swap = SLOTS

static vm_store *swap;
static struct trouble trouble;

static struct vm_store_compressed_options options_for(enum vm_store_coder coder)
{
    return (struct vm_store_compressed_options){.pages = SLOTS,
                                                .coder = coder,
                                                .segment_pages = 4,
                                                .operations = 2,
                                                .allocate_frames = vm_allocate_frames,
                                                .free_frames = vm_free_frames};
}

static vm_store *make_lz4(size_t slots)
{
    struct vm_store_compressed_options options = options_for(VM_STORE_LZ4);
    assert_int_equal(slots, SLOTS);
    OK(vm_store_create_compressed(&options, &swap));
    return swap;
}

static vm_store *make_zstd(size_t slots)
{
    struct vm_store_compressed_options options = options_for(VM_STORE_ZSTD);
    (void)slots;
    options.level = -1;
    OK(vm_store_create_compressed(&options, &swap));
    return swap;
}

/* Room for a part of the slots: what doesn't find any stays in memory. */
static vm_store *make_tight(size_t slots)
{
    struct vm_store_compressed_options options = options_for(VM_STORE_LZ4);
    (void)slots;
    options.space = 20 * 4 * PAGE;
    OK(vm_store_create_compressed(&options, &swap));
    return swap;
}

/* Over a device that says when a slot is read that wasn't written, and that others may use while it is used. */
static vm_store *make_over_device(size_t slots)
{
    struct vm_store_compressed_options options = options_for(VM_STORE_LZ4);
    size_t space = vm_store_compressed_space(slots, 4) / PAGE;
    options.below = trouble_begin(&trouble, sim_swap_store(sim_swap_create(space)));
    OK(vm_store_create_compressed(&options, &swap));
    return swap;
}

static vm_store *make_checked_device(size_t slots)
{
    struct vm_store_checksum_options options = {
        .below = trouble_begin(&trouble, sim_swap_store(sim_swap_create(slots))), .pages = slots};
    OK(vm_store_create_checksum(&options, &swap));
    return swap;
}

static struct vm_store_compressed_info info(void)
{
    struct vm_store_compressed_info now;
    vm_store_compressed_info(swap, &now);
    return now;
}

/* A page's bytes follow from its number and a round; every fifth doesn't shrink. */
static void make_page(uint8_t *bytes, size_t page, unsigned round)
{
    uint64_t state = page * 1000003u + round;
    memset(bytes, (int)(page + round), PAGE);
    for (size_t i = 0; i < PAGE; i += page % 5 == 0 ? 8 : 64) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        memcpy(bytes + i, &state, 8);
    }
}

static void write_pages(addr_t base, size_t count, unsigned round)
{
    uint8_t bytes[PAGE];
    for (size_t i = 0; i < count; i++) {
        make_page(bytes, i, round);
        OK(sim_write(base + PAGES(i), bytes, PAGE));
    }
}

static void check_pages(addr_t base, size_t count, unsigned round)
{
    uint8_t bytes[PAGE], expected[PAGE];
    for (size_t i = 0; i < count; i++) {
        make_page(expected, i, round);
        OK(sim_read(base + PAGES(i), bytes, PAGE));
        assert_memory_equal(bytes, expected, PAGE);
    }
}

static void test_more_pages_than_frames(void)
{
    region_at(SPOT, MANY, LOCK_RW);
    for (unsigned round = 0; round < 4; round++) {
        write_pages(SPOT, MANY, round);
        check_pages(SPOT, MANY, round);
    }
    SIM_CHECK();
    assert_true(figures().swap_outs > 2 * MANY);
    OK(vm_unmap_range(program, SPOT, PAGES(MANY)));
    assert_int_equal(figures().free_swap_slots, SLOTS);
}

/* Slots that the core frees are forgotten: the store has what swap has. */
static void test_the_store_has_what_swap_has(void)
{
    region_at(SPOT, MANY, LOCK_RW);
    write_pages(SPOT, MANY, 1);
    size_t used = SLOTS - figures().free_swap_slots;
    assert_true(used > MANY / 3);
    assert_int_equal(info().pages, used);
    assert_true(info().bytes < used * PAGE / 2);
    OK(vm_unmap_range(program, SPOT, PAGES(MANY / 2)));
    assert_int_equal(info().pages, SLOTS - figures().free_swap_slots);
    OK(vm_unmap_range(program, SPOT, PAGES(MANY)));
    assert_int_equal(info().pages, 0);
    assert_int_equal(info().bytes, 0);
}

static void test_a_fork_with_pages_in_swap(void)
{
    region_at(SPOT, 200, LOCK_RW);
    write_pages(SPOT, 200, 1);
    aspace_id child = fork_program();
    check_pages(SPOT, 200, 1);
    write_pages(SPOT, 200, 2);
    sim_set_aspace(program);
    check_pages(SPOT, 200, 1);
    sim_set_aspace(child);
    check_pages(SPOT, 200, 2);
    sim_set_aspace(program);
    OK(sim_delete_aspace(child));
    OK(vm_unmap_range(program, SPOT, PAGES(200)));
    assert_int_equal(figures().free_swap_slots, SLOTS);
}

/* Pages that don't shrink, in a store too small for them: an answer, and what was there stays. */
static void test_a_store_that_is_full(void)
{
    uint8_t bytes[PAGE], expected[PAGE];
    size_t written = 0;
    int error = VM_OK;
    region_at(SPOT, MANY, LOCK_RW);
    while (written < MANY && error == VM_OK) {
        make_page(bytes, 5 * written, 1);
        error = sim_write(SPOT + PAGES(written), bytes, PAGE);
        written += error == VM_OK;
    }
    assert_int_equal(error, ERR_NO_MEMORY);
    assert_true(written > 200);
    SIM_CHECK();
    written -= 30; /* what is read back needs frames */
    OK(vm_unmap_range(program, SPOT + PAGES(written), PAGES(MANY - written)));
    for (size_t i = 0; i < written; i++) {
        make_page(expected, 5 * i, 1);
        OK(sim_read(SPOT + PAGES(i), bytes, PAGE));
        assert_memory_equal(bytes, expected, PAGE);
    }
    OK(vm_unmap_range(program, SPOT, PAGES(100)));
    region_at(SPOT, 40, LOCK_RW);
    write_pages(SPOT, 40, 5);
    check_pages(SPOT, 40, 5);
    OK(vm_unmap_range(program, SPOT, PAGES(MANY)));
}

static void test_each_failure_of_the_device(void)
{
    region_at(SPOT, MANY, LOCK_RW);
    for (unsigned n = 1; n < 30; n += 2) {
        trouble.fail_write = n;
        write_pages(SPOT, MANY, n);
        trouble.fail_read = n;
        uint8_t bytes[PAGE], expected[PAGE];
        for (size_t i = 0; i < MANY; i++) {
            int error = sim_read(SPOT + PAGES(i), bytes, PAGE);
            if (error == ERR_IO)
                error = sim_read(SPOT + PAGES(i), bytes, PAGE);
            assert_int_equal(error, VM_OK);
            make_page(expected, i, n);
            assert_memory_equal(bytes, expected, PAGE);
        }
    }
    assert_true(trouble.failed > 20);
    SIM_CHECK();
}

static void test_a_page_that_the_device_has_changed(void)
{
    uint8_t bytes[PAGE];
    region_at(SPOT, 40, LOCK_RW);
    write_pages(SPOT, 40, 1);
    OK(vm_advise_range(program, SPOT, PAGES(40), VM_ADVICE_PAGEOUT));
    trouble.flip_read = 1;
    trouble.for_good = true;
    assert_int_equal(sim_read(SPOT, bytes, PAGE), ERR_IO);
    trouble.flip_read = 0;
    check_pages(SPOT, 40, 1);
}

static int use_pages(void *base)
{
    for (unsigned round = 0; round < 3; round++) {
        write_pages((addr_t)base, MANY / 4, round);
        check_pages((addr_t)base, MANY / 4, round);
    }
    return VM_OK;
}

/* Fibers that wait in the store let others go on: for its places, its lock, its device. */
static void test_four_programs_at_once(void)
{
    region_at(SPOT, MANY + 100, LOCK_RW);
    for (unsigned i = 0; i < 4; i++)
        sim_spawn_on(i % 2, program, "user", use_pages, PTR(SPOT + PAGES(MANY / 4 * i)));
    sim_run();
    write_pages(SPOT + PAGES(MANY), 100, 9);
    for (unsigned i = 0; i < 4; i++)
        check_pages(SPOT + PAGES(MANY / 4 * i), MANY / 4, 2);
    check_pages(SPOT + PAGES(MANY), 100, 9);
    SIM_CHECK();
}

#define LZ4 SMALL, .make_swap = make_lz4
#define ZSTD SMALL, .make_swap = make_zstd
#define DEVICE SMALL, .make_swap = make_over_device
#define CHECKED SMALL, .make_swap = make_checked_device

UNIT_MAIN("swap on stores that stack", TEST_ON(test_more_pages_than_frames, LZ4),
          TEST_ON(test_more_pages_than_frames, ZSTD), TEST_ON(test_more_pages_than_frames, DEVICE),
          TEST_ON(test_more_pages_than_frames, CHECKED),
          TEST_ON(test_the_store_has_what_swap_has, LZ4),
          TEST_ON(test_the_store_has_what_swap_has, DEVICE),
          TEST_ON(test_a_fork_with_pages_in_swap, LZ4),
          TEST_ON(test_a_fork_with_pages_in_swap, DEVICE),
          TEST_ON(test_a_store_that_is_full, SMALL, .make_swap = make_tight),
          TEST_ON(test_each_failure_of_the_device, DEVICE),
          TEST_ON(test_each_failure_of_the_device, CHECKED),
          TEST_ON(test_a_page_that_the_device_has_changed, CHECKED),
          TEST_ON(test_four_programs_at_once, LZ4, .cpus = 2, .seed = 1),
          TEST_ON(test_four_programs_at_once, DEVICE, .cpus = 2, .seed = 2),
          TEST_ON(test_four_programs_at_once, DEVICE, .cpus = 2, .seed = 3, .page_daemons = 1),
          TEST_ON(test_four_programs_at_once, CHECKED, .cpus = 2, .seed = 4),
          TEST_ON(test_four_programs_at_once, ZSTD, .cpus = 2, .seed = 5, .page_daemons = 2))
