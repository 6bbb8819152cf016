/* SPDX-License-Identifier: MIT */
/* Slots of swap that are free again: the store hears of each, before anybody else can take it. */
#include "support.h"

#include <quire/host.h>
#include <quire/store.h>

#define SLOTS 64
#define SMALL .memory = (size_t)1 << 20, .swap = SLOTS

static uint8_t bytes[SLOTS][PAGE];
static bool written[SLOTS];
static unsigned discards, too_early;
static int write_error;
static vm_store swap;

static void no_destroy(vm_store *store)
{
    (void)store;
}

static int read_slots(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                      size_t *done)
{
    (void)store;
    for (size_t i = 0, slot = (size_t)offset / PAGE; i < count; i++, slot++) {
        assert_true(written[slot]);
        memcpy(host_frame_ptr(frames[i]), bytes[slot], PAGE);
    }
    *done = count * PAGE;
    return VM_OK;
}

static int write_slots(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                       size_t *done)
{
    (void)store;
    for (size_t i = 0, slot = (size_t)offset / PAGE; i < count; i++, slot++) {
        too_early += written[slot]; /* taken again, and not yet forgotten */
        memcpy(bytes[slot], host_frame_ptr(frames[i]), PAGE);
        written[slot] = write_error == VM_OK;
        sim_yield();
    }
    *done = count * PAGE;
    return write_error;
}

static void discard_slots(vm_store *store, off_t offset, size_t count)
{
    assert_ptr_equal(store, &swap);
    assert_int_equal(count, 1);
    assert_true(offset >= 0 && offset < (off_t)PAGES(SLOTS) && offset % (off_t)PAGE == 0);
    written[(size_t)offset / PAGE] = false;
    discards++;
}

static const struct vm_store_ops forgetful = {
    .destroy = no_destroy, .read = read_slots, .write = write_slots, .discard = discard_slots};
static const struct vm_store_ops plain = {
    .destroy = no_destroy, .read = read_slots, .write = write_slots};

static vm_store *make_swap(const struct vm_store_ops *ops)
{
    swap = (vm_store){.magic = VM_STORE_MAGIC, .ops = ops};
    memset(written, 0, sizeof(written));
    discards = too_early = 0;
    write_error = VM_OK;
    return &swap;
}

static vm_store *make_forgetful(size_t slots)
{
    assert_int_equal(slots, SLOTS);
    return make_swap(&forgetful);
}

static vm_store *make_plain(size_t slots)
{
    assert_int_equal(slots, SLOTS);
    return make_swap(&plain);
}

static size_t slots_written(void)
{
    size_t count = 0;
    for (size_t i = 0; i < SLOTS; i++)
        count += written[i];
    return count;
}

static void swap_out(size_t pages)
{
    region_at(SPOT, pages, LOCK_RW);
    number_pages(SPOT, pages, 1);
    OK(vm_advise_range(program, SPOT, PAGES(pages), VM_ADVICE_PAGEOUT));
}

static void test_unmapped_pages_are_discarded(void)
{
    swap_out(40);
    assert_int_equal(slots_written(), 40);
    assert_int_equal(discards, 0);
    OK(vm_unmap_range(program, SPOT, PAGES(10)));
    assert_int_equal(discards, 10);
    assert_int_equal(slots_written(), 30);
    assert_numbered(SPOT + PAGES(10), 30, 11);
    OK(vm_unmap_range(program, SPOT, PAGES(40)));
    assert_int_equal(discards, 40);
    assert_int_equal(slots_written(), 0);
    assert_int_equal(figures().free_swap_slots, SLOTS);
}

static void test_a_failed_write_is_discarded(void)
{
    write_error = ERR_NO_MEMORY;
    swap_out(4);
    assert_true(discards >= 4);
    assert_int_equal(figures().free_swap_slots, SLOTS);
    write_error = VM_OK;
    assert_numbered(SPOT, 4, 1);
    OK(vm_unmap_range(program, SPOT, PAGES(4)));
}

static void test_a_store_without_discard(void)
{
    swap_out(8);
    OK(vm_unmap_range(program, SPOT, PAGES(8)));
    assert_int_equal(discards, 0);
    assert_int_equal(slots_written(), 8);
    assert_int_equal(figures().free_swap_slots, SLOTS);
}

static int use_pages(void *base)
{
    addr_t at = (addr_t)base;
    for (unsigned round = 0; round < 20; round++) {
        number_pages(at, 12, round);
        OK(vm_advise_range(program, at, PAGES(12), VM_ADVICE_PAGEOUT));
        assert_numbered(at, 12, round);
        OK(vm_discard_range(program, at, PAGES(6)));
    }
    return VM_OK;
}

/* Several free and take slots at once: no slot is forgotten behind the write of who took it next. */
static void test_nothing_is_discarded_too_late(void)
{
    region_at(SPOT, 48, LOCK_RW);
    for (unsigned i = 0; i < 4; i++)
        sim_spawn_on(i % 2, program, "user", use_pages, PTR(SPOT + PAGES(12 * i)));
    sim_run();
    assert_true(discards > 100);
    assert_int_equal(too_early, 0);
    OK(vm_unmap_range(program, SPOT, PAGES(48)));
    assert_int_equal(slots_written(), 0);
}

#define FORGETFUL SMALL, .make_swap = make_forgetful

UNIT_MAIN("slots that are discarded", TEST_ON(test_unmapped_pages_are_discarded, FORGETFUL),
          TEST_ON(test_a_failed_write_is_discarded, FORGETFUL),
          TEST_ON(test_a_store_without_discard, SMALL, .make_swap = make_plain),
          TEST_ON(test_nothing_is_discarded_too_late, FORGETFUL, .cpus = 2, .seed = 5),
          TEST_ON(test_nothing_is_discarded_too_late, FORGETFUL, .cpus = 2, .seed = 6))
