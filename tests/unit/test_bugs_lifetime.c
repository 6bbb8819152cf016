/* SPDX-License-Identifier: MIT */
/* Classic bugs 18 to 27: what is used after it has gone. docs/testing.md has the list. */
#include "bugs.h"

#include "aspace.h"
#include "cache.h"
#include "system.h"

static region_id stack_at(addr_t base, size_t pages)
{
    return region_at(base, pages, LOCK_RW | REGION_GROWS_DOWN);
}

/* ---- 18: a stack grows while others search the index ------------------------------------------------- */

#define DEPTH 6

static int grow_page_by_page(void *base)
{
    for (unsigned i = 1; i <= DEPTH; i++) {
        int error = sim_write_byte((addr_t)base - PAGES(i), (uint8_t)i);
        if (error != VM_OK)
            return error;
    }
    return VM_OK;
}

static int map_and_unmap(void *address)
{
    for (unsigned i = 0; i < DEPTH; i++) {
        void *at = address;
        region_id id = vm_create_anonymous_region(program, "x", &at, REGION_ADDR_EXACT_ADDRESS,
                                                  PAGE, REGION_WIRING_LAZY, LOCK_RW);
        if (id < 0 || sim_write_byte((addr_t)address, 1) != VM_OK)
            return -1;
        int error = vm_unmap_range(program, (addr_t)address, PAGE);
        if (error != VM_OK)
            return error;
    }
    return VM_OK;
}

static void stacks_grow(void)
{
    stack_at(SPOT, 2);
    for (addr_t i = 0; i < 40; i++) /* a tree of two levels */
        region_at(2 * SPOT + PAGES(2 * i), 1, LOCK_NO_READ);
    sim_fiber *fiber[3] = {
        sim_spawn_on(0, program, "grow", grow_page_by_page, PTR(SPOT)),
        sim_spawn_on(1, program, "grow", grow_page_by_page, PTR(SPOT)),
        sim_spawn_on(2, program, "map", map_and_unmap, PTR(SPOT + PAGES(2))),
    };
    sim_run();
    for (unsigned i = 0; i < 3; i++)
        OK(sim_fiber_result(fiber[i]));
    for (unsigned i = 1; i <= DEPTH; i++)
        assert_byte(SPOT - PAGES(i), (int)i);
}

static void test_bug_18_stacks_grow_while_others_look(void)
{
    in_many_orders(60, stacks_grow);
}

/* ---- 19: a stack grows into what is being unmapped ------------------------------------------------------ */

static int unmap_below(void *stack)
{
    return vm_unmap_range(program, (addr_t)stack - PAGES(8), PAGES(8));
}

static int touch_below(void *stack)
{
    int error = sim_write_byte((addr_t)stack - PAGE, 9);
    return error == VM_OK || error == ERR_VM_PF_BAD_ADDRESS ? VM_OK : error;
}

/* What was there before the unmapping never shows in the stack. */
static void unmap_next_to_stack(void)
{
    stack_at(SPOT, 1);
    region_at(SPOT - PAGES(8), 8, LOCK_RW);
    number_pages(SPOT - PAGES(8), 8, 100);
    sim_fiber *unmap = sim_spawn_on(0, program, "unmap", unmap_below, PTR(SPOT));
    sim_fiber *touch = sim_spawn_on(1, program, "touch", touch_below, PTR(SPOT));
    sim_run();
    OK(sim_fiber_result(unmap));
    OK(sim_fiber_result(touch));
    int top = sim_read_byte(SPOT - PAGE);
    assert_true(top == 9 || top == 0);
    assert_byte(SPOT - PAGES(2), 0);
    assert_byte(SPOT - PAGES(8), 0);
}

static void test_bug_19_a_stack_grows_over_a_hole_only(void)
{
    in_many_orders(60, unmap_next_to_stack);
}

/* A piece of the stack that was moved away keeps its pages when the rest grows over their offsets. */
static void test_bug_19_a_stack_leaves_its_moved_piece_alone(void)
{
    void *to = PTR(2 * SPOT);
    stack_at(SPOT, 4);
    number_pages(SPOT, 4, 1);
    OK(vm_move_range(program, SPOT, PAGES(2), PAGES(2), &to, REGION_ADDR_EXACT_ADDRESS));
    assert_byte(SPOT + PAGE, 0);
    SIM_CHECK();
    assert_numbered(2 * SPOT, 2, 1);
    OK(sim_write_byte(SPOT + PAGE, 77));
    OK(sim_write_byte(SPOT, 78));
    assert_numbered(2 * SPOT, 2, 1);
    assert_numbered(SPOT + PAGES(2), 2, 3);
}

/* Growing over the start of a file shows the file, and takes nothing from it. */
static void test_bug_19_growth_over_a_file_loses_nothing(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    void *at = PTR(SPOT);
    addr_t whole;
    map_pages(&whole, file, 2, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    assert_true(vm_map_vnode(program, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                             LOCK_RW | REGION_GROWS_DOWN, REGION_NO_PRIVATE_MAP, file, PAGE) > 0);
    OK(sim_write_byte(whole, 50));
    assert_byte(SPOT - PAGE, 50);
    OK(sim_write_byte(whole, 51));
    assert_byte(SPOT - PAGE, 51);
}

/* ---- 20: who shares with whom, after forks and ends in any order ------------------------------------------- */

/* A chain of forks, of which the middle ones end first; what is left shows the right pages. */
static void test_bug_20_a_middle_that_goes(void)
{
    aspace_id child[5];
    region_at(SPOT, 6, LOCK_RW);
    number_pages(SPOT, 6, 1);
    for (unsigned i = 0; i < 5; i++) {
        child[i] = fork_program();
        OK(sim_write_byte(SPOT + PAGES(i), (uint8_t)(50 + i)));
        sim_set_aspace(program);
        OK(sim_write_byte(SPOT + PAGES(5), (uint8_t)(10 + i)));
    }
    static const unsigned order[5] = {2, 0, 3, 1, 4};
    for (unsigned gone = 0; gone < 5; gone++) {
        for (unsigned i = gone; i < 5; i++) {
            sim_set_aspace(child[order[i]]);
            assert_byte(SPOT + PAGES(order[i]), (int)(50 + order[i]));
            assert_byte(SPOT + PAGES(5), order[i] == 0 ? 6 : (int)(9 + order[i]));
        }
        OK(sim_delete_aspace(child[order[gone]]));
        SIM_CHECK();
    }
    sim_set_aspace(program);
    assert_numbered(SPOT, 5, 1);
    assert_byte(SPOT + PAGES(5), 14);
}

/* What a merge moves: into the larger of the two, whichever that is. */
static void test_bug_20_a_merge_keeps_what_both_have(void)
{
    for (addr_t more = 1; more <= 8; more += 7) {
        region_at(SPOT, 16, LOCK_RW);
        number_pages(SPOT, 4, 1);
        aspace_id child = vm_copy_aspace(program, "child");
        number_pages(SPOT + PAGES(3), more, 50);
        OK(vm_delete_aspace(child));
        assert_int_equal(region_info(find_region(SPOT)).chain_depth, 1);
        assert_numbered(SPOT, 3, 1);
        assert_numbered(SPOT + PAGES(3), more, 50);
        SIM_CHECK();
        OK(vm_unmap_range(program, SPOT, PAGES(16)));
    }
}

/* ---- 21: a region that has gone is not found again ------------------------------------------------------------ */

static void test_bug_21_what_was_looked_up_last_is_forgotten(void)
{
    region_id id = region_at(SPOT, 1, LOCK_RW);
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    aspace->virtual_map.change_count = UINT32_MAX; /* no number comes back at 2^32 */
    OK(sim_write_byte(SPOT, 1));
    OK(vm_delete_region(program, id));
    assert_int_equal(aspace->virtual_map.change_count, (uint64_t)UINT32_MAX + 1);
    assert_int_equal(sim_read_byte(SPOT), ERR_VM_PF_BAD_ADDRESS);
    region_id next = region_at(SPOT, 1, LOCK_RO);
    assert_true(next > id);
    assert_int_equal(sim_write_byte(SPOT, 1), ERR_VM_PF_BAD_PERM);
    vm_put_aspace(aspace);
}

static void test_bug_21_ids_go_on_behind_32_bits(void)
{
    region_id old = region_at(SPOT, 1, LOCK_RW);
    vm_system.next_region_id = (region_id)UINT32_MAX + old;
    for (addr_t i = 1; i < 4; i++)
        assert_true(region_at(SPOT + PAGES(i), 1, LOCK_RO) > UINT32_MAX);
    assert_int_equal(region_info(old).base, SPOT);
    OK(vm_delete_region(program, old));
    vm_region_info info;
    assert_int_equal(vm_get_region_info(old, &info), ERR_VM_INVALID_REGION);
}

/* ---- 22: what a region is set to, while others read it ------------------------------------------------------------ */

static int set_inheritance_often(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 9; i++) {
        int error = vm_set_inheritance(program, SPOT + PAGES(i % 3), PAGES(2), (int)(i % 3));
        if (error != VM_OK)
            return error;
    }
    return vm_set_inheritance(program, SPOT, PAGES(4), VM_INHERIT_COPY);
}

static void inheritance_changes_under_forks(void)
{
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    sim_fiber *set = sim_spawn_on(0, program, "set", set_inheritance_often, NULL);
    sim_fiber *one = sim_spawn_on(1, program, "fork", fork_often, PTR(3));
    sim_fiber *two = sim_spawn_on(2, program, "fork", fork_often, PTR(3));
    sim_run();
    OK(sim_fiber_result(set));
    OK(sim_fiber_result(one));
    OK(sim_fiber_result(two));
    assert_numbered(SPOT, 4, 1);
}

static void test_bug_22_policy_changes_while_others_use_it(void)
{
    in_many_orders(60, inheritance_changes_under_forks);
}

/* ---- 23: what a failed operation leaves behind ----------------------------------------------------------------------- */

/* The fork has given its second copy an id, and waits; then it fails, as somebody looks at that copy. */
static void test_bug_23_a_failed_fork_while_its_copy_is_looked_at(void)
{
    region_at(SPOT, 1, LOCK_RW);
    region_id last = region_at(2 * SPOT, 1, LOCK_RW);
    vm_region *second = vm_get_region_by_id(last);
    cache_lock(second->cache_ref);
    sim_fiber *fork = sim_spawn("fork", fork_once, NULL);
    sim_run_until_blocked();
    sim_fiber *look = sim_spawn("look", look_at_region, PTR(last + 2));
    sim_run_until_blocked();
    assert_false(sim_fiber_ended(look));
    sim_fail_at(SIM_FAIL_METADATA, 1, true);
    cache_unlock(second->cache_ref);
    sim_run();
    sim_fail_at(SIM_FAIL_METADATA, 0, false);
    assert_int_equal(sim_fiber_result(fork), ERR_NO_MEMORY);
    assert_int_equal(sim_fiber_result(look), ERR_VM_INVALID_REGION);
    vm_put_region(second);
}

static int unmap_middle(void *address)
{
    return vm_unmap_range(program, (addr_t)address + PAGE, PAGE);
}

static int look_at_next_ids(void *first)
{
    vm_region_info info;
    for (unsigned i = 0; i < 24; i++)
        (void)vm_get_region_info((region_id)(uintptr_t)first + i % 3, &info);
    return VM_OK;
}

/* A cut makes its pieces, gives them ids, and then finds no memory for the index. */
static void cut_fails(void)
{
    for (addr_t i = 0; i < 32; i++)
        region_at(SPOT + PAGES(4 * i), 3, LOCK_NO_READ);
    sim_fail_at(SIM_FAIL_METADATA, 3, true);
    sim_fiber *cut = sim_spawn_on(0, program, "cut", unmap_middle, PTR(SPOT));
    sim_fiber *look =
        sim_spawn_on(1, program, "look", look_at_next_ids, PTR(vm_system.next_region_id));
    sim_run();
    sim_fail_at(SIM_FAIL_METADATA, 0, false);
    assert_int_equal(sim_fiber_result(cut), ERR_NO_MEMORY);
    OK(sim_fiber_result(look));
}

static void test_bug_23_a_failed_cut_while_its_pieces_are_looked_at(void)
{
    in_many_orders(60, cut_fails);
}

/* ---- 24: frames that are still mapped --------------------------------------------------------------------------------- */

/* Whatever takes a page away from its object, its frame is not free while a program can reach it. */
static void test_bug_24_frames_of_programs_are_not_the_drivers(void)
{
    addr_t frame;
    void *at = NULL;
    OK(vm_allocate_frames(1, true, &frame));
    REFUSED(ERR_INVALID_ARGS,
            vm_map_physical_memory(program, "driver", &at, 0, PAGE, LOCK_RW, frame));
    REFUSED(ERR_INVALID_ARGS, vm_map_physical_memory(program, "driver", &at, 0, PAGES(2), LOCK_RW,
                                                     SIM_RAM_HIGH - PAGE));
    vm_free_frames(frame, 1);
}

static void free_a_page_in_use(void)
{
    struct sim_translation seen;
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    assert_true(sim_look_up(SPOT, &seen));
    vm_free_frames(seen.physical, 1);
}

static void test_bug_24_a_mapped_frame_is_not_given_back(void)
{
    assert_panics(free_a_page_in_use, "vm_free_frames");
}

/* ---- 25: what was checked before the lock was let go --------------------------------------------------------------------- */

static sim_file *blocked;

static int replace_by_guard(void *address)
{
    void *at = address;
    return (int)vm_create_null_region(program, "guard", &at, REGION_ADDR_REPLACE, PAGE);
}

/* The fault sleeps for its page; meanwhile the region becomes another one, then its page comes. */
static void test_bug_25_a_fault_looks_again_after_its_sleep(void)
{
    addr_t a;
    blocked = sim_file_create_numbered("/f", 1);
    map_pages(&a, blocked, 1, LOCK_RW, REGION_PRIVATE_MAP, 0);
    sim_file_block_reads(blocked, true);
    sim_fiber *write = sim_spawn("write", write_there, PTR(a));
    sim_run_until_blocked();
    sim_fiber *replace = sim_spawn("replace", replace_by_guard, PTR(a));
    sim_run_until_blocked();
    assert_true(sim_fiber_ended(replace));
    sim_file_block_reads(blocked, false);
    sim_run();
    assert_int_equal(sim_fiber_result(write), ERR_VM_PF_FATAL);
    assert_false(sim_tlb_holds(a));
}

/* ---- 26: waiting for a page that goes -------------------------------------------------------------------------------------- */

/* The read fails, so the page that two wait for is freed; its frame is the next file's, whose read hangs. */
static void test_bug_26_a_waiter_outlives_the_page(void)
{
    addr_t a, b;
    blocked = sim_file_create_numbered("/hangs", 1);
    sim_file *fails = sim_file_create_numbered("/fails", 1);
    map_pages(&a, fails, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    map_pages(&b, blocked, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    sim_file_block_reads(fails, true);
    sim_file_block_reads(blocked, true);
    sim_file_fail_reads(fails, 1, 1, ERR_IO);
    sim_fiber *reader = sim_spawn("reader", read_there, PTR(a));
    sim_run_until_blocked();
    sim_fiber *waiter = sim_spawn("waiter", read_there, PTR(a));
    sim_run_until_blocked();
    sim_file_block_reads(fails, false);
    sim_fiber *other = sim_spawn("other", read_there, PTR(b));
    assert_int_equal(sim_run_until_blocked(), 1);
    assert_int_equal(sim_fiber_result(reader), ERR_IO);
    assert_int_equal(sim_fiber_result(waiter), 1);
    assert_false(sim_fiber_ended(other));
    sim_file_block_reads(blocked, false);
    sim_run();
    assert_int_equal(sim_fiber_result(other), 1);
}

/* ---- 27: wiring against an end ------------------------------------------------------------------------------------------------ */

static int wire_and_unwire(void *address)
{
    aspace_id aid = vm_get_current_user_aspace_id();
    for (unsigned i = 0; i < 4; i++) {
        int error = vm_wire_range(aid, (addr_t)address, PAGE);
        if (error == VM_OK)
            error = vm_unwire_range(aid, (addr_t)address, PAGE);
        if (error != VM_OK && error != ERR_VM_INVALID_ASPACE && error != ERR_VM_PAGE_NOT_PRESENT &&
            error != ERR_VM_PF_BAD_ADDRESS)
            return error;
    }
    return VM_OK;
}

static int unwire_it(void *address)
{
    return vm_unwire_range(program, (addr_t)address, PAGE);
}

/* A page of a file that two programs map, each for itself. The one unwires it, and is held up before it
 * says so in the page's state; the other wires it meanwhile. */
static void test_bug_27_one_wires_what_another_unwires(void)
{
    sim_file *file = sim_file_create_numbered("/f", 1);
    void *at = PTR(SPOT);
    aspace_id other = vm_create_aspace("other", SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE, false);
    for (unsigned i = 0; i < 2; i++)
        assert_true(vm_map_vnode(i == 0 ? program : other, "f", &at, REGION_ADDR_EXACT_ADDRESS,
                                 PAGE, LOCK_RO, REGION_PRIVATE_MAP, file, 0) > 0);
    OK(vm_fault_aspace(other, SPOT, VM_ACCESS_READ));
    OK(vm_wire_range(program, SPOT, PAGE));
    vm_mutex_lock(&vm_system.pages.lock, VM_RANK_PAGE);
    sim_fiber *unwire = sim_spawn("unwire", unwire_it, at);
    sim_run_until_blocked();
    vm_mutex_unlock(&vm_system.pages.lock);
    OK(vm_wire_range(other, SPOT, PAGE));
    sim_run();
    OK(sim_fiber_result(unwire));
    SIM_CHECK();
    OK(vm_delete_aspace(other));
}

/* A wiring that finds no memory leaves what was wired before as it was. */
static void test_bug_27_a_failed_wiring_unwires_nothing_else(void)
{
    static addr_t frames[8192];
    size_t count = 0;
    region_at(SPOT, 8, LOCK_RW);
    OK(vm_wire_range(program, SPOT + PAGE, PAGES(2)));
    while (vm_allocate_frames(1, false, &frames[count]) == VM_OK)
        count++;
    vm_free_frames(frames[--count], 1);
    assert_int_equal(vm_wire_range(program, SPOT, PAGES(8)), ERR_NO_MEMORY);
    while (count > 0)
        vm_free_frames(frames[--count], 1);
    assert_int_equal(region_info(find_region(SPOT)).wiring, REGION_WIRING_LAZY);
    assert_int_equal(region_info(find_region(SPOT + PAGE)).wiring, REGION_WIRING_WIRED);
    assert_int_equal(region_info(find_region(SPOT + PAGES(3))).wiring, REGION_WIRING_LAZY);
    assert_int_equal(vm_discard_range(program, SPOT + PAGES(2), PAGE), ERR_INVALID_ARGS);
    OK(vm_wire_range(program, SPOT, PAGES(8)));
    assert_int_equal(region_info(find_region(SPOT)).size, PAGES(8));
    OK(vm_unwire_range(program, SPOT, PAGES(8)));
}

/* A wired piece that gets a cache of its own as it grows has its pages there all the same. */
static void test_bug_27_a_wired_piece_that_grows_stays_there(void)
{
    void *to = PTR(2 * SPOT);
    addr_t physical;
    region_at(SPOT, 4, LOCK_RW);
    number_pages(SPOT, 4, 1);
    OK(vm_move_range(program, SPOT + PAGES(2), PAGES(2), PAGES(2), &to, REGION_ADDR_EXACT_ADDRESS));
    OK(vm_wire_range(program, SPOT, PAGES(2)));
    OK(vm_resize_region(program, find_region(SPOT), PAGES(4)));
    for (unsigned i = 0; i < 4; i++)
        OK(vm_get_page_mapping(program, SPOT + PAGES(i), &physical));
    assert_numbered(SPOT, 2, 1);
    assert_numbered(2 * SPOT, 2, 3);
    OK(vm_unwire_range(program, SPOT, PAGES(4)));
}

static int end_space(void *aid)
{
    return vm_delete_aspace((aspace_id)(intptr_t)aid);
}

static void space_ends_while_wiring(void)
{
    void *at = PTR(SPOT);
    aspace_id other = vm_create_aspace("other", SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE, false);
    assert_true(vm_create_anonymous_region(other, "x", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(2),
                                           REGION_WIRING_WIRED, LOCK_RW) > 0);
    sim_fiber *wire = sim_spawn_on(1, other, "wire", wire_and_unwire, at);
    sim_fiber *end = sim_spawn_on(0, program, "end", end_space, PTR((intptr_t)other));
    sim_run();
    OK(sim_fiber_result(wire));
    OK(sim_fiber_result(end));
    sim_set_cpu(1);
    sim_set_aspace(program);
    sim_set_cpu(0);
    sim_set_aspace(program);
}

static void test_bug_27_a_space_ends_while_it_is_wired(void)
{
    in_many_orders(60, space_ends_while_wiring);
}

UNIT_MAIN("bugs 18 to 27", TEST(test_bug_18_stacks_grow_while_others_look),
          TEST(test_bug_19_a_stack_grows_over_a_hole_only),
          TEST(test_bug_19_a_stack_leaves_its_moved_piece_alone),
          TEST(test_bug_19_growth_over_a_file_loses_nothing), TEST(test_bug_20_a_middle_that_goes),
          TEST(test_bug_20_a_merge_keeps_what_both_have),
          TEST(test_bug_21_what_was_looked_up_last_is_forgotten),
          TEST(test_bug_21_ids_go_on_behind_32_bits),
          TEST(test_bug_22_policy_changes_while_others_use_it),
          TEST(test_bug_23_a_failed_fork_while_its_copy_is_looked_at),
          TEST(test_bug_23_a_failed_cut_while_its_pieces_are_looked_at),
          TEST(test_bug_24_frames_of_programs_are_not_the_drivers),
          TEST(test_bug_24_a_mapped_frame_is_not_given_back),
          TEST(test_bug_25_a_fault_looks_again_after_its_sleep),
          TEST(test_bug_26_a_waiter_outlives_the_page),
          TEST(test_bug_27_one_wires_what_another_unwires),
          TEST(test_bug_27_a_failed_wiring_unwires_nothing_else),
          TEST(test_bug_27_a_wired_piece_that_grows_stays_there),
          TEST(test_bug_27_a_space_ends_while_it_is_wired))
