/* SPDX-License-Identifier: MIT */
/* What meets a clone, a fork or a wiring that is under way. A clone waits for the map of its space, which
 * the test holds. */
#include "bugs.h"

#include "aspace.h"
#include "cache.h"
#include "system.h"

#define OTHER (SPOT * 2)

static aspace_id target;
static vm_address_space *target_space;
static region_id source;
static int mapping;

static int make_clone(void *address)
{
    return (int)vm_clone_region(target, "clone", &address, REGION_ADDR_EXACT_ADDRESS, source,
                                mapping, LOCK_RW);
}

/* Begins to clone `id` to SPOT in a space of its own; there is no place if `taken`. */
static sim_fiber *begin_clone(region_id id, int how, bool taken)
{
    void *at = PTR(SPOT);
    source = id;
    mapping = how;
    target = vm_create_aspace("target", SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE, false);
    if (taken)
        assert_true(vm_create_null_region(target, "x", &at, REGION_ADDR_EXACT_ADDRESS, PAGE) > 0);
    target_space = vm_get_aspace_by_id(target);
    vm_read_lock(&target_space->virtual_map.lock, VM_RANK_MAP);
    sim_fiber *clone = sim_spawn_on(0, program, "clone", make_clone, PTR(SPOT));
    sim_run_until_blocked();
    assert_false(sim_fiber_ended(clone));
    return clone;
}

static int end_clone(sim_fiber *clone)
{
    vm_read_unlock(&target_space->virtual_map.lock);
    vm_put_aspace(target_space);
    sim_run();
    return sim_fiber_result(clone);
}

/* A thread of the program does this now. */
static void now(int (*function)(void *), void *argument)
{
    sim_fiber *fiber = sim_spawn_on(0, program, "now", function, argument);
    sim_run_until_blocked();
    assert_true(sim_fiber_ended(fiber));
    OK(sim_fiber_result(fiber));
}

static int delete_region(void *id)
{
    return vm_delete_region(program, (region_id)(uintptr_t)id);
}

static region_id private_clone(region_id of)
{
    void *at = PTR(OTHER);
    region_id id = vm_clone_region(program, "private", &at, REGION_ADDR_EXACT_ADDRESS, of,
                                   REGION_PRIVATE_MAP, LOCK_RW);
    assert_true(id > 0);
    return id;
}

/* Two regions of one cache, of two pages each, numbered from 1. */
static region_id second_piece(unsigned lock)
{
    region_at(SPOT, 4, lock);
    if (lock & LOCK_RW)
        number_pages(SPOT, 4, 1);
    OK(vm_set_inheritance(program, SPOT + PAGES(2), PAGES(2), VM_INHERIT_NONE));
    return find_region(SPOT + PAGES(2));
}

/* ---- a clone whose source goes ---- */

/* The last who sees a page takes it, but not from whom it is about to be mapped by. */
static void test_page_stays_for_a_clone_that_comes(void)
{
    region_id id = region_at(SPOT, 1, LOCK_RW);
    number_pages(SPOT, 1, 7);
    private_clone(id);
    sim_fiber *clone = begin_clone(id, REGION_NO_PRIVATE_MAP, false);
    now(delete_region, PTR(id));
    now(write_there, PTR(OTHER));
    assert_true(end_clone(clone) > 0);
    sim_set_aspace(target);
    assert_byte(SPOT, 7);
    OK(sim_delete_aspace(target));
    sim_set_aspace(program);
}

static int read_other(void *value)
{
    return sim_read_byte(OTHER) == (int)(uintptr_t)value ? VM_OK : ERR_IO;
}

/* What a private clone reads must be the page that the one who comes will write. */
static void test_private_clone_sees_what_a_clone_that_comes_writes(void)
{
    region_id id = region_at(SPOT, 1, LOCK_RW);
    number_pages(SPOT, 1, 7);
    aspace_id child = vm_copy_aspace(program, "child");
    private_clone(id);
    sim_fiber *clone = begin_clone(id, REGION_NO_PRIVATE_MAP, false);
    now(delete_region, PTR(id));
    now(read_other, PTR(7));
    assert_true(end_clone(clone) > 0);
    sim_set_aspace(target);
    OK(sim_write_byte(SPOT, 8));
    sim_set_aspace(program);
    assert_byte(OTHER, 8);
    OK(sim_delete_aspace(target));
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
}

static int delete_source(void *unused)
{
    (void)unused;
    return vm_delete_region(program, source);
}

static void private_clone_of_a_piece_that_goes(void)
{
    source = second_piece(LOCK_RW);
    mapping = REGION_PRIVATE_MAP;
    target = program;
    sim_fiber *clone = sim_spawn_on(0, program, "clone", make_clone, PTR(OTHER));
    sim_fiber *gone = sim_spawn_on(1, program, "delete", delete_source, NULL);
    sim_run();
    OK(sim_fiber_result(gone));
    if (sim_fiber_result(clone) > 0)
        assert_numbered(OTHER, 2, 3);
    else
        assert_int_equal(sim_fiber_result(clone), ERR_VM_INVALID_REGION);
}

static void test_private_clone_of_a_piece_that_goes(void)
{
    in_many_orders(300, private_clone_of_a_piece_that_goes);
}

/* ---- a clone that fails ---- */

/* The other piece is nobody else's, as before. */
static void test_failed_clone_of_a_piece_that_goes(void)
{
    region_id id = second_piece(LOCK_RW);
    sim_fiber *clone = begin_clone(id, REGION_NO_PRIVATE_MAP, true);
    now(delete_region, PTR(id));
    assert_int_equal(end_clone(clone), ERR_VM_NO_REGION_SLOT);
    assert_int_equal(sim_committed(), PAGES(2));
    OK(vm_discard_range(program, SPOT, PAGES(2)));
    assert_byte(SPOT, 0);
    OK(vm_delete_aspace(target));
}

static int inherit_none(void *address)
{
    return vm_set_inheritance(program, (addr_t)address, PAGES(2), VM_INHERIT_NONE);
}

/* Cut in two meanwhile: neither half is charged. */
static void test_failed_clone_of_a_guard_that_is_cut(void)
{
    sim_fiber *clone = begin_clone(region_at(SPOT, 4, LOCK_NO_READ), REGION_NO_PRIVATE_MAP, true);
    now(inherit_none, PTR(SPOT + PAGES(2)));
    assert_int_equal(end_clone(clone), ERR_VM_NO_REGION_SLOT);
    assert_int_equal(sim_committed(), 0);
    OK(vm_delete_aspace(target));
}

static int allow_writing(void *address)
{
    return vm_protect_range(program, (addr_t)address, PAGES(4), LOCK_RW);
}

/* What has become writable meanwhile keeps its promise. */
static void test_failed_clone_of_a_guard_that_becomes_writable(void)
{
    sim_fiber *clone = begin_clone(region_at(SPOT, 4, LOCK_NO_READ), REGION_NO_PRIVATE_MAP, true);
    now(allow_writing, PTR(SPOT));
    assert_int_equal(end_clone(clone), ERR_VM_NO_REGION_SLOT);
    assert_int_equal(sim_committed(), PAGES(4));
    OK(vm_delete_aspace(target));
}

/* So does one of two pieces, of which the other is shared for good. */
static void test_failed_clone_of_a_piece_that_becomes_writable(void)
{
    void *at = PTR(OTHER);
    region_id id = second_piece(LOCK_NO_READ), first = find_region(SPOT);
    assert_true(vm_clone_region(program, "clone", &at, REGION_ADDR_EXACT_ADDRESS, first,
                                REGION_NO_PRIVATE_MAP, LOCK_NO_READ) > 0);
    sim_fiber *clone = begin_clone(id, REGION_NO_PRIVATE_MAP, true);
    assert_int_equal(end_clone(clone), ERR_VM_NO_REGION_SLOT);
    assert_int_equal(sim_committed(), PAGES(2));
    OK(vm_delete_aspace(target));
    clone = begin_clone(id, REGION_NO_PRIVATE_MAP, true);
    now(allow_writing, PTR(SPOT));
    assert_int_equal(end_clone(clone), ERR_VM_NO_REGION_SLOT);
    assert_int_equal(sim_committed(), PAGES(4));
    OK(vm_delete_aspace(target));
}

/* What was said of the source meanwhile holds. */
static void test_failed_clone_leaves_inheritance(void)
{
    for (int how = REGION_NO_PRIVATE_MAP; how <= REGION_PRIVATE_MAP; how++) {
        region_id id = region_at(SPOT + PAGES(4 * how), 2, LOCK_RW);
        sim_fiber *clone = begin_clone(id, how, true);
        now(inherit_none, PTR(SPOT + PAGES(4 * how)));
        assert_int_equal(end_clone(clone), ERR_VM_NO_REGION_SLOT);
        assert_int_equal(region_info(id).inherit, VM_INHERIT_NONE);
        OK(vm_delete_aspace(target));
    }
}

/* ---- a fork ---- */

static int fork_it(void *child)
{
    *(aspace_id *)child = vm_copy_aspace(program, "child");
    return VM_OK;
}

/* The fork has not yet made private clones look again: what one of them brings up, another must not go
 * on showing from below. */
static void test_reads_of_clones_before_a_fork_has_settled(void)
{
    aspace_id child = 0;
    void *at = PTR(SPOT * 3);
    region_id id = region_at(SPOT, 1, LOCK_RW);
    number_pages(SPOT, 1, 7);
    private_clone(id);
    assert_true(vm_clone_region(program, "second", &at, REGION_ADDR_EXACT_ADDRESS, id,
                                REGION_PRIVATE_MAP, LOCK_RW) > 0);
    aspace_id reader = sim_new_aspace();
    at = PTR(SPOT);
    assert_true(vm_clone_region(reader, "third", &at, REGION_ADDR_EXACT_ADDRESS, id,
                                REGION_PRIVATE_MAP, LOCK_RW) > 0);
    assert_byte(SPOT, 7);
    sim_set_aspace(program);
    vm_read_lock(&vm_system.walk_lock, VM_RANK_WALK);
    sim_fiber *fork = sim_spawn_on(0, program, "fork", fork_it, &child);
    sim_run_until_blocked();
    assert_false(sim_fiber_ended(fork));
    sim_spawn_on(0, program, "read", read_there, PTR(OTHER));
    sim_run_until_blocked();
    sim_fiber *write = sim_spawn_on(0, program, "write", write_there, PTR(SPOT));
    sim_run_until_blocked();
    bool written = sim_fiber_ended(write);
    sim_fiber *third = sim_spawn_on(0, reader, "third", read_there, PTR(SPOT));
    sim_run_until_blocked();
    if (written)
        assert_int_equal(sim_fiber_result(third), 0x99);
    vm_read_unlock(&vm_system.walk_lock);
    sim_run();
    sim_set_aspace(reader);
    assert_byte(SPOT, 0x99);
    OK(sim_delete_aspace(reader));
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
}

/* ---- a wiring ---- */

struct wish {
    addr_t base;
    addr_t size;
};

static int wire(void *argument)
{
    const struct wish *wish = argument;
    return vm_wire_range(program, wish->base, wish->size);
}

/* One thread's wiring fails, and undoes what another is about to end. */
static void test_wiring_beside_one_that_fails(void)
{
    sim_file *bad = sim_file_create_numbered("/bad", 1), *slow = sim_file_create_numbered("/f", 1);
    void *at = PTR(SPOT);
    assert_true(vm_map_vnode(program, "bad", &at, REGION_ADDR_EXACT_ADDRESS, PAGE, LOCK_RO,
                             REGION_NO_PRIVATE_MAP, bad, 0) > 0);
    at = PTR(SPOT + PAGE);
    region_id id = vm_map_vnode(program, "slow", &at, REGION_ADDR_EXACT_ADDRESS, PAGE, LOCK_RO,
                                REGION_NO_PRIVATE_MAP, slow, 0);
    struct wish second = {SPOT + PAGE, PAGE}, both = {SPOT, PAGES(2)};
    sim_file_fail_reads(bad, 1, 1, ERR_IO);
    sim_file_block_reads(slow, true);
    sim_fiber *one = sim_spawn_on(0, program, "one", wire, &second);
    sim_run_until_blocked();
    sim_fiber *two = sim_spawn_on(0, program, "two", wire, &both);
    sim_run_until_blocked();
    assert_int_equal(sim_fiber_result(two), ERR_IO);
    sim_file_block_reads(slow, false);
    sim_run();
    OK(sim_fiber_result(one));
    assert_int_equal(region_info(id).wiring, REGION_WIRING_WIRED);
    assert_int_equal(vm_discard_range(program, SPOT + PAGE, PAGE), ERR_INVALID_ARGS);
    OK(vm_unwire_range(program, SPOT + PAGE, PAGE));
}

static int unwire_and_unmap(void *address)
{
    OK(vm_unwire_range(program, (addr_t)address, PAGE));
    return vm_unmap_range(program, (addr_t)address + PAGE, PAGE);
}

/* Begun again, it finds a hole. */
static void test_wiring_undone_beside_a_hole(void)
{
    void *at = PTR(SPOT);
    sim_file *slow = sim_file_create_numbered("/f", 1);
    region_id id = vm_map_vnode(program, "slow", &at, REGION_ADDR_EXACT_ADDRESS, PAGE, LOCK_RO,
                                REGION_NO_PRIVATE_MAP, slow, 0);
    region_at(SPOT + PAGE, 2, LOCK_RW);
    struct wish all = {SPOT, PAGES(3)};
    sim_file_block_reads(slow, true);
    sim_fiber *one = sim_spawn_on(0, program, "one", wire, &all);
    sim_run_until_blocked();
    now(unwire_and_unmap, PTR(SPOT + PAGE));
    sim_file_block_reads(slow, false);
    sim_run();
    assert_int_equal(sim_fiber_result(one), ERR_VM_PAGE_NOT_PRESENT);
    assert_int_equal(region_info(id).wiring, REGION_WIRING_LAZY);
    assert_int_equal(region_info(find_region(SPOT + PAGE)).wiring, REGION_WIRING_LAZY);
}

#define HUGE ((addr_t)1 << 44)

static int wire_huge(void *unused)
{
    (void)unused;
    return vm_wire_range(program, SPOT, PAGE + HUGE);
}

/* A huge region goes while what is before it is wired: the hole isn't looked at page by page. */
static void unmap_what_is_to_be_wired(bool page_behind)
{
    void *at = PTR(SPOT);
    sim_file *file = sim_file_create_numbered("/f", 1);
    assert_true(vm_map_vnode(program, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGE, LOCK_RO,
                             REGION_NO_PRIVATE_MAP, file, 0) > 0);
    at = PTR(SPOT + PAGE);
    assert_true(vm_create_anonymous_region(program, "huge", &at, REGION_ADDR_EXACT_ADDRESS, HUGE,
                                           REGION_WIRING_LAZY, LOCK_NO_READ) > 0);
    sim_file_block_reads(file, true);
    sim_fiber *wirer = sim_spawn("wirer", wire_huge, NULL);
    assert_int_equal(sim_run_until_blocked(), 1);
    OK(vm_unmap_range(program, SPOT + PAGE, HUGE));
    if (page_behind)
        region_at(SPOT + HUGE, 1, LOCK_RW);
    sim_file_block_reads(file, false);
    sim_run();
    /* What has come behind the hole isn't wired: it begins again, and finds the hole. */
    assert_int_equal(sim_fiber_result(wirer), page_behind ? ERR_VM_PAGE_NOT_PRESENT : VM_OK);
    OK(vm_unmap_range(program, SPOT, PAGE + HUGE));
}

static void test_wiring_passes_over_huge_holes(void)
{
    unmap_what_is_to_be_wired(false);
    unmap_what_is_to_be_wired(true);
}

UNIT_MAIN("under way", TEST(test_wiring_passes_over_huge_holes),
          TEST(test_page_stays_for_a_clone_that_comes),
          TEST(test_private_clone_sees_what_a_clone_that_comes_writes),
          TEST(test_private_clone_of_a_piece_that_goes),
          TEST(test_failed_clone_of_a_piece_that_goes),
          TEST(test_failed_clone_of_a_guard_that_is_cut),
          TEST(test_failed_clone_of_a_guard_that_becomes_writable),
          TEST(test_failed_clone_of_a_piece_that_becomes_writable),
          TEST(test_failed_clone_leaves_inheritance),
          TEST(test_reads_of_clones_before_a_fork_has_settled),
          TEST(test_wiring_beside_one_that_fails), TEST(test_wiring_undone_beside_a_hole))
