/* SPDX-License-Identifier: MIT */
/* What forks do with the source of shared clones that have come, and may fail until their pages are there. */
#include "bugs.h"

#include "region.h"

#define WHOLE (SPOT * 2)
#define PIECE (SPOT * 3)
#define SECOND (SPOT + PAGE)

static sim_file *file;

/* A wired private mapping of two pages, of which the second must be read again: that waits. */
static void map_source(void)
{
    void *at = PTR(SPOT);
    vm_cache_ref *cache;
    file = sim_file_create_numbered("/source", 2);
    assert_true(vm_map_vnode(program, "source", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(2), LOCK_RW,
                             REGION_PRIVATE_MAP, file, 0) > 0);
    OK(vm_wire_range(program, SPOT, PAGES(2)));
    OK(vm_get_vnode_cache(file, &cache));
    sim_file_set_size(file, PAGE);
    OK(vm_cache_truncate(cache, (off_t)PAGE));
    sim_file_set_size(file, PAGES(2));
    vm_put_cache(cache);
    sim_file_block_reads(file, true);
}

static int clone_to(addr_t to, addr_t from)
{
    void *at = PTR(to);
    region_id id = vm_clone_region(program, "clone", &at, REGION_ADDR_EXACT_ADDRESS,
                                   find_region(from), REGION_NO_PRIVATE_MAP, LOCK_RW);
    return id < 0 ? (int)id : VM_OK;
}

static int clone_whole(void *unused)
{
    (void)unused;
    return clone_to(WHOLE, SPOT);
}

static int clone_piece(void *unused)
{
    (void)unused;
    return clone_to(PIECE, SECOND);
}

static sim_fiber *begin(int (*clone)(void *))
{
    sim_fiber *fiber = sim_spawn_on(0, program, "clone", clone, NULL);
    sim_run_until_blocked();
    assert_false(sim_fiber_ended(fiber));
    return fiber;
}

/* The clone there fails: where it is, a page can't be read. */
static void doom(addr_t clone)
{
    void *at = PTR(clone);
    sim_file *bad = sim_file_create_numbered(clone == WHOLE ? "/bad" : "/worse", 2);
    sim_file_fail_reads(bad, 1, 1000, ERR_IO);
    assert_true(vm_map_vnode(program, "bad", &at, REGION_ADDR_REPLACE, PAGES(2), LOCK_RO,
                             REGION_NO_PRIVATE_MAP, bad, 0) > 0);
}

static void assert_no_clone_is_known(addr_t address)
{
    vm_region *region = vm_get_region_by_id(find_region(address));
    assert_null(region->clones);
    vm_put_region(region);
}

/* The pages come. */
static void end(void)
{
    sim_file_block_reads(file, false);
    sim_run();
    assert_no_clone_is_known(SPOT);
    assert_no_clone_is_known(SECOND);
}

static void cut_source(void)
{
    OK(vm_advise_range(program, SECOND, PAGE, VM_ADVICE_RANDOM));
    assert_int_not_equal(find_region(SPOT), find_region(SECOND));
}

static void assert_inherit(int first, int second)
{
    assert_int_equal(region_info(find_region(SPOT)).inherit, first);
    assert_int_equal(region_info(find_region(SECOND)).inherit, second);
}

static void test_cut_source_of_a_clone_that_fails(void)
{
    map_source();
    sim_fiber *whole = begin(clone_whole);
    cut_source();
    assert_inherit(VM_INHERIT_COPY, VM_INHERIT_COPY);
    doom(WHOLE);
    end();
    assert_int_equal(sim_fiber_result(whole), ERR_IO);
    assert_inherit(VM_INHERIT_COPY, VM_INHERIT_COPY);
}

/* What goes back is what was said of it, whatever that is. */
static void test_cut_source_that_forks_leave_out(void)
{
    map_source();
    OK(vm_set_inheritance(program, SPOT, PAGES(2), VM_INHERIT_NONE));
    (void)begin(clone_whole);
    cut_source();
    assert_inherit(VM_INHERIT_NONE, VM_INHERIT_NONE);
    doom(WHOLE);
    end();
    assert_inherit(VM_INHERIT_NONE, VM_INHERIT_NONE);
}

static void test_cut_source_of_a_clone_that_comes(void)
{
    map_source();
    sim_fiber *whole = begin(clone_whole);
    cut_source();
    end();
    OK(sim_fiber_result(whole));
    assert_inherit(VM_INHERIT_SHARE, VM_INHERIT_SHARE);
}

/* What is cloned as a whole, then cut, then its second page once more, in any order of the two ends. */
static void clone_twice(bool whole_comes, bool piece_comes)
{
    map_source();
    sim_fiber *whole = begin(clone_whole);
    cut_source();
    sim_fiber *piece = begin(clone_piece);
    if (!whole_comes)
        doom(WHOLE);
    if (!piece_comes)
        doom(PIECE);
    end();
    assert_int_equal(sim_fiber_result(whole), whole_comes ? VM_OK : ERR_IO);
    assert_int_equal(sim_fiber_result(piece), piece_comes ? VM_OK : ERR_IO);
}

static void both_fail(void)
{
    clone_twice(false, false);
    assert_inherit(VM_INHERIT_COPY, VM_INHERIT_COPY);
}

static void the_clone_of_the_piece_comes(void)
{
    clone_twice(false, true);
    assert_inherit(VM_INHERIT_COPY, VM_INHERIT_SHARE);
}

static void the_clone_of_the_whole_comes(void)
{
    clone_twice(true, false);
    assert_inherit(VM_INHERIT_SHARE, VM_INHERIT_SHARE);
}

static void both_come(void)
{
    clone_twice(true, true);
    assert_inherit(VM_INHERIT_SHARE, VM_INHERIT_SHARE);
}

static void test_clones_of_a_region_and_of_its_piece(void)
{
    in_many_orders(20, both_fail);
    in_many_orders(20, the_clone_of_the_piece_comes);
    in_many_orders(20, the_clone_of_the_whole_comes);
    in_many_orders(20, both_come);
}

/* ---- what is said meanwhile ---- */

static void say_of_second(int inherit)
{
    OK(vm_set_inheritance(program, SECOND, PAGE, inherit));
}

static void test_inheritance_set_while_a_clone_fails(void)
{
    map_source();
    (void)begin(clone_whole);
    say_of_second(VM_INHERIT_NONE);
    doom(WHOLE);
    end();
    assert_inherit(VM_INHERIT_COPY, VM_INHERIT_NONE);
}

static void test_inheritance_set_while_a_clone_comes(void)
{
    map_source();
    (void)begin(clone_whole);
    say_of_second(VM_INHERIT_COPY);
    end();
    assert_inherit(VM_INHERIT_SHARE, VM_INHERIT_COPY);
}

/* The second clone fails back to what was said between the two. */
static void test_inheritance_set_between_two_clones_that_fail(void)
{
    map_source();
    (void)begin(clone_whole);
    say_of_second(VM_INHERIT_NONE);
    (void)begin(clone_piece);
    assert_inherit(VM_INHERIT_COPY, VM_INHERIT_NONE);
    doom(PIECE);
    doom(WHOLE);
    end();
    assert_inherit(VM_INHERIT_COPY, VM_INHERIT_NONE);
}

/* ---- forks meanwhile ---- */

static int inherit_in(aspace_id aid, addr_t address)
{
    vm_region_info info;
    addr_t cookie = address;
    if (vm_get_next_region_info(aid, &cookie, &info) != VM_OK || info.base != address)
        return -1;
    return info.inherit;
}

/* The child has what there was without the clone, whatever becomes of that: its source, a copy. */
static void check_child(aspace_id child)
{
    assert_int_equal(inherit_in(child, SPOT), VM_INHERIT_COPY);
    assert_int_equal(inherit_in(child, WHOLE), -1);
    OK(sim_write_byte(SPOT, 99));
    sim_set_aspace(child);
    assert_byte(SPOT, 5);
    OK(sim_write_byte(SPOT, 7));
    sim_set_aspace(program);
    assert_byte(SPOT, 99);
}

static void fork_meanwhile(bool comes)
{
    map_source();
    OK(sim_write_byte(SPOT, 5));
    sim_fiber *whole = begin(clone_whole);
    aspace_id child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
    if (!comes)
        doom(WHOLE);
    end();
    assert_int_equal(sim_fiber_result(whole), comes ? VM_OK : ERR_IO);
    assert_inherit(comes ? VM_INHERIT_SHARE : VM_INHERIT_COPY,
                   comes ? VM_INHERIT_SHARE : VM_INHERIT_COPY);
    check_child(child);
    if (comes) {
        assert_byte(WHOLE, 99);
        assert_int_equal(inherit_in(program, WHOLE), VM_INHERIT_SHARE);
    }
    OK(sim_delete_aspace(child));
}

static void test_a_fork_while_a_clone_fails(void)
{
    fork_meanwhile(false);
}

static void test_a_fork_while_a_clone_comes(void)
{
    fork_meanwhile(true);
}

static aspace_id other;

static int clone_to_other(void *unused)
{
    void *at = PTR(WHOLE);
    (void)unused;
    region_id id = vm_clone_region(other, "clone", &at, REGION_ADDR_EXACT_ADDRESS,
                                   find_region(SPOT), REGION_NO_PRIVATE_MAP, LOCK_RW);
    return id < 0 ? (int)id : VM_OK;
}

/* A clone in another space, which forks meanwhile: its child has none. */
static void test_a_fork_of_the_space_in_which_a_clone_comes(void)
{
    map_source();
    other = vm_create_aspace("other", SIM_USER_BASE, WHOLE * 2, false);
    assert_true(other > 0);
    sim_fiber *fiber = begin(clone_to_other);
    assert_int_equal(inherit_in(program, SPOT), VM_INHERIT_COPY);
    aspace_id child = vm_copy_aspace(other, "child");
    assert_true(child > 0);
    assert_int_equal(inherit_in(child, WHOLE), -1);
    end();
    OK(sim_fiber_result(fiber));
    assert_int_equal(inherit_in(other, WHOLE), VM_INHERIT_SHARE);
    assert_inherit(VM_INHERIT_SHARE, VM_INHERIT_SHARE);
    OK(sim_delete_aspace(child));
    OK(sim_delete_aspace(other));
}

static void test_inheritance_of_a_clone_set_while_it_comes(void)
{
    map_source();
    (void)begin(clone_whole);
    OK(vm_set_inheritance(program, WHOLE, PAGE, VM_INHERIT_COPY));
    end();
    assert_int_equal(inherit_in(program, WHOLE), VM_INHERIT_COPY);
    assert_int_equal(inherit_in(program, WHOLE + PAGE), VM_INHERIT_SHARE);
}

/* ---- joining ---- */

static void join_source(void)
{
    OK(vm_advise_range(program, SPOT, PAGES(2), VM_ADVICE_NORMAL));
}

static void test_pieces_join_while_a_clone_fails(void)
{
    map_source();
    (void)begin(clone_whole);
    cut_source();
    join_source();
    assert_int_equal(find_region(SPOT), find_region(SECOND));
    doom(WHOLE);
    end();
    assert_inherit(VM_INHERIT_COPY, VM_INHERIT_COPY);
}

/* A piece that is being cloned itself stays one until that has failed. */
static void test_a_piece_under_way_joins_behind_its_clone(void)
{
    map_source();
    (void)begin(clone_whole);
    cut_source();
    region_id second = find_region(SECOND);
    (void)begin(clone_piece);
    join_source();
    assert_int_equal(find_region(SECOND), second);
    doom(PIECE);
    doom(WHOLE);
    end();
    assert_inherit(VM_INHERIT_COPY, VM_INHERIT_COPY);
    join_source();
    assert_int_equal(find_region(SPOT), find_region(SECOND));
}

UNIT_MAIN("clones under way", TEST(test_cut_source_of_a_clone_that_fails),
          TEST(test_cut_source_that_forks_leave_out), TEST(test_cut_source_of_a_clone_that_comes),
          TEST(test_clones_of_a_region_and_of_its_piece),
          TEST(test_inheritance_set_while_a_clone_fails),
          TEST(test_inheritance_set_while_a_clone_comes),
          TEST(test_inheritance_set_between_two_clones_that_fail),
          TEST(test_a_fork_while_a_clone_fails), TEST(test_a_fork_while_a_clone_comes),
          TEST(test_a_fork_of_the_space_in_which_a_clone_comes),
          TEST(test_inheritance_of_a_clone_set_while_it_comes),
          TEST(test_pieces_join_while_a_clone_fails),
          TEST(test_a_piece_under_way_joins_behind_its_clone))
