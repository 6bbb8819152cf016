/* SPDX-License-Identifier: MIT */
/* Every allocation fails once, and once for good: the operation says so, changes nothing, leaks
 * nothing, and succeeds when it is tried again. */
#include "support.h"

#include <stdio.h>

#define MAX_N 2000

/* One operation: `prepare` makes its surroundings, `run` does it, `verify` looks at what it did,
 * `undo` brings the surroundings back. What `run` may have changed where it failed is only what the
 * contract names: nothing, or (with `partial`) what came before the failure and stays useful: pages
 * brought in, a stack that has grown, caches put between. */
struct scenario {
    const char *name;
    void (*prepare)(void);
    int (*run)(void);
    void (*verify)(void);
    void (*undo)(void);
    bool partial;
    int refusal; /* an error of its own that the scenario may end with */
};

static sim_file *file;
static addr_t place;
static aspace_id child;
static region_id made;

static void nothing(void)
{
}

static int status(int64_t id_or_error)
{
    return id_or_error > 0 ? VM_OK : (int)id_or_error;
}

static void unmap_everything(void)
{
    OK(vm_unmap_range(program, SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE));
}

static void region_of_numbers(void)
{
    region_at(SPOT, 6, LOCK_RW);
    number_pages(SPOT, 6, 1);
}

/* ---- creating ---- */

static int run_create(void)
{
    void *at = PTR(SPOT);
    made = vm_create_anonymous_region(program, "new", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(4),
                                      REGION_WIRING_LAZY, LOCK_RW);
    return status(made);
}

static void verify_new(void)
{
    assert_true(sim_is_filled(SPOT, 0, PAGES(4)));
}

static int run_create_wired(void)
{
    void *at = PTR(SPOT);
    made = vm_create_anonymous_region(program, "wired", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(4),
                                      REGION_WIRING_WIRED, LOCK_RW);
    return status(made);
}

static int run_create_contiguous(void)
{
    void *at = NULL;
    made = vm_create_anonymous_region(vm_get_kernel_aspace_id(), "run", &at, 0, PAGES(4),
                                      REGION_WIRING_WIRED_CONTIG, LOCK_RW | LOCK_KERNEL);
    return status(made);
}

static void delete_from_kernel(void)
{
    OK(vm_delete_region(vm_get_kernel_aspace_id(), made));
}

static int run_create_replacing(void)
{
    void *at = PTR(SPOT + PAGES(2));
    made = vm_create_anonymous_region(program, "new", &at, REGION_ADDR_REPLACE, PAGES(2),
                                      REGION_WIRING_LAZY, LOCK_RW);
    return status(made);
}

static void verify_replaced(void)
{
    assert_numbered(SPOT, 2, 1);
    assert_true(sim_is_filled(SPOT + PAGES(2), 0, PAGES(2)));
    assert_numbered(SPOT + PAGES(4), 2, 5);
}

static int run_map_device(void)
{
    void *at = PTR(SPOT);
    return status(vm_map_physical_memory(program, "d", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(2),
                                         LOCK_RW, SIM_DEVICE_LOW));
}

static int run_null(void)
{
    void *at = PTR(SPOT);
    return status(vm_create_null_region(program, "n", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(2)));
}

/* ---- files ---- */

static void make_file(void)
{
    file = sim_file_create_numbered("/f", 6);
}

static int run_map_file_shared(void)
{
    void *at = PTR(SPOT);
    return status(vm_map_vnode(program, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(6), LOCK_RW,
                               REGION_NO_PRIVATE_MAP, file, 0));
}

static int run_map_file_private(void)
{
    void *at = PTR(SPOT);
    return status(vm_map_vnode(program, "f", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(6), LOCK_RW,
                               REGION_PRIVATE_MAP, file, 0));
}

static void verify_file(void)
{
    assert_numbered(SPOT, 6, 1);
}

static void unmap_file(void)
{
    unmap_everything();
    assert_int_equal(sim_file_references(file), 0);
}

static void map_file_shared(void)
{
    make_file();
    map_pages(&place, file, 6, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
}

static void map_file_private(void)
{
    make_file();
    map_pages(&place, file, 6, LOCK_RW, REGION_PRIVATE_MAP, 0);
}

static int run_file_fault(void)
{
    int byte = sim_read_byte(place + PAGES(2));
    return byte < 0 ? byte : VM_OK;
}

static int run_file_copy(void)
{
    return sim_write_byte(place + PAGES(2), 77);
}

static void verify_file_copy(void)
{
    assert_byte(place + PAGES(2), 77);
    assert_byte(place + PAGES(3), 4);
    assert_int_equal(sim_file_data(file)[PAGES(2)], 3);
}

static void discard_copies(void)
{
    OK(vm_discard_range(program, place, PAGES(6)));
}

/* ---- clones ---- */

static int run_clone_shared(void)
{
    void *at = PTR(SPOT * 2);
    made = vm_clone_region(program, "c", &at, REGION_ADDR_EXACT_ADDRESS, find_region(SPOT),
                           REGION_NO_PRIVATE_MAP, LOCK_RW);
    return status(made);
}

static int run_clone_private(void)
{
    void *at = PTR(SPOT * 2);
    made = vm_clone_region(program, "c", &at, REGION_ADDR_EXACT_ADDRESS, find_region(SPOT),
                           REGION_PRIVATE_MAP, LOCK_RW);
    return status(made);
}

static void verify_clone(void)
{
    assert_numbered(SPOT * 2, 6, 1);
}

static void delete_made(void)
{
    OK(vm_delete_region(program, made));
}

/* ---- forks ---- */

static void family_to_be(void)
{
    region_of_numbers();
    region_at(SPOT * 2, 2, LOCK_RW | REGION_SHARED);
    make_file();
    map_pages(&place, file, 6, LOCK_RW, REGION_PRIVATE_MAP, 0);
    OK(sim_write_byte(place, 50));
}

static int run_fork(void)
{
    child = vm_copy_aspace(program, "child");
    return status(child);
}

static void verify_fork(void)
{
    sim_set_aspace(child);
    assert_numbered(SPOT, 6, 1);
    assert_byte(place, 50);
    assert_byte(place + PAGE, 2);
    sim_set_aspace(program);
    assert_numbered(SPOT, 6, 1);
}

static void delete_child(void)
{
    OK(sim_delete_aspace(child));
}

static void forked(void)
{
    region_of_numbers();
    child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
}

static int run_copy_on_write(void)
{
    return sim_write_byte(SPOT + PAGES(3), 99);
}

static void verify_copy_on_write(void)
{
    assert_byte(SPOT + PAGES(3), 99);
    sim_set_aspace(child);
    assert_byte(SPOT + PAGES(3), 4);
    sim_set_aspace(program);
}

static int run_new_aspace(void)
{
    child = vm_create_aspace("other", SIM_USER_BASE, PAGES(100), false);
    return status(child);
}

/* ---- ranges ---- */

static int run_unmap_middle(void)
{
    return vm_unmap_range(program, SPOT + PAGES(2), PAGES(2));
}

static void verify_unmapped_middle(void)
{
    assert_numbered(SPOT, 2, 1);
    assert_int_equal(sim_read_byte(SPOT + PAGES(2)), ERR_VM_PF_BAD_ADDRESS);
    assert_numbered(SPOT + PAGES(4), 2, 5);
}

static int run_protect_middle(void)
{
    return vm_protect_range(program, SPOT + PAGES(2), PAGES(2), LOCK_RO);
}

static void verify_protected_middle(void)
{
    assert_numbered(SPOT, 6, 1);
    assert_int_equal(sim_write_byte(SPOT + PAGES(2), 1), ERR_VM_PF_BAD_PERM);
    OK(sim_write_byte(SPOT + PAGES(4), 5));
}

static void private_read_only_file(void)
{
    make_file();
    map_pages(&place, file, 6, LOCK_RO, REGION_PRIVATE_MAP, 0);
}

static int run_protect_file(void)
{
    return vm_protect_range(program, place + PAGE, PAGES(2), LOCK_RW);
}

static void verify_protected_file(void)
{
    OK(sim_write_byte(place + PAGE, 9));
    assert_byte(place, 1);
}

static int run_grow(void)
{
    return vm_resize_region(program, find_region(SPOT), PAGES(12));
}

static void verify_grown(void)
{
    assert_numbered(SPOT, 6, 1);
    assert_true(sim_is_filled(SPOT + PAGES(6), 0, PAGES(6)));
}

static int run_shrink(void)
{
    return vm_resize_region(program, find_region(SPOT), PAGES(2));
}

static void verify_shrunk(void)
{
    assert_numbered(SPOT, 2, 1);
    assert_int_equal(sim_read_byte(SPOT + PAGES(2)), ERR_VM_PF_BAD_ADDRESS);
}

static int run_move(void)
{
    void *at = PTR(SPOT * 3);
    return vm_move_range(program, SPOT + PAGE, PAGES(3), PAGES(5), &at, REGION_ADDR_EXACT_ADDRESS);
}

static void verify_moved(void)
{
    assert_byte(SPOT, 1);
    assert_numbered(SPOT * 3, 3, 2);
    assert_true(sim_is_filled(SPOT * 3 + PAGES(3), 0, PAGES(2)));
    assert_numbered(SPOT + PAGES(4), 2, 5);
}

static void lazy_region(void)
{
    region_at(SPOT, 6, LOCK_RW);
}

static int run_zero_fault(void)
{
    return sim_write_byte(SPOT + PAGES(2), 9);
}

static void verify_zero_fault(void)
{
    assert_byte(SPOT + PAGES(2), 9);
    assert_byte(SPOT + PAGES(2) + 1, 0);
}

static void discard_pages(void)
{
    OK(vm_discard_range(program, SPOT, PAGES(6)));
}

static int run_wire(void)
{
    return vm_wire_range(program, SPOT + PAGE, PAGES(3));
}

static void verify_wired(void)
{
    uint64_t faults = sim_faults();
    assert_true(sim_is_filled(SPOT + PAGE, 0, PAGES(3)));
    assert_int_equal(sim_faults(), faults);
}

static int run_inheritance(void)
{
    return vm_set_inheritance(program, SPOT + PAGES(2), PAGES(2), VM_INHERIT_NONE);
}

static void stack_region(void)
{
    region_at(SPOT, 2, LOCK_RW | REGION_GROWS_DOWN);
    number_pages(SPOT, 2, 1);
}

static int run_stack_growth(void)
{
    return sim_write_byte(SPOT - PAGES(3), 5);
}

static void verify_stack(void)
{
    assert_byte(SPOT - PAGES(3), 5);
    assert_numbered(SPOT, 2, 1);
}

/* A write-back that fails with the last reference has nobody to tell but the log. */
static bool said_lost;

static int run_cache_write(void)
{
    vm_cache_ref *cache;
    size_t done;
    int error = vm_get_vnode_cache(file, &cache);
    if (error != VM_OK)
        return error;
    error = vm_cache_write(cache, (off_t)PAGE - 2, "abcd", 4, false, &done);
    vm_put_cache(cache);
    said_lost = strstr(sim_log_text(), "modified pages are lost: ") != NULL;
    return error;
}

static void verify_cache_write(void)
{
    if (said_lost)
        return;
    assert_memory_equal(sim_file_data(file) + PAGE - 2, "abcd", 4);
}

/* ---- the loops ---- */

static bool is_failure(int error)
{
    return error == ERR_NO_MEMORY || error == ERR_VM_WOULD_OVERCOMMIT || error == ERR_IO ||
           error == ERR_VM_BAD_USER_MEMORY;
}

static void assert_as_before(const struct scenario *s, const struct picture *before)
{
    SIM_CHECK();
    if (!s->partial)
        assert_unchanged(before);
}

/* Prepares, fails the n-th request, tries again without failures. False: there is no n-th. */
static bool fail_nth(const struct scenario *s, enum sim_failure class, unsigned n, bool forever)
{
    struct picture before;
    size_t frames = free_frames();
    s->prepare();
    take_picture(&before, program);
    sim_fail_at(class, n, forever);
    int error = s->run();
    unsigned failed = sim_fail_done(class);
    sim_fail_at(class, 0, false);
    if (failed > 0 && error != VM_OK) {
        if (!is_failure(error) && error != s->refusal)
            fail_msg("%s: %s %u: unexpected error %d", s->name, sim_failure_name(class), n, error);
        assert_as_before(s, &before);
        error = s->run();
    }
    assert_int_equal(error, VM_OK);
    SIM_CHECK();
    s->verify();
    s->undo();
    SIM_CHECK();
    unmap_everything();
    assert_int_equal(sim_committed(), 0);
    size_t now = free_frames();
    if (now < frames && n > 0)
        fail_msg("%s: %s %u: %zu frames lost", s->name, sim_failure_name(class), n, frames - now);
    return failed > 0;
}

static void run_scenario(const struct scenario *s)
{
    /* Once without a failure: what the address space keeps for later is there now. */
    fail_nth(s, SIM_FAIL_METADATA, 0, false);
    for (enum sim_failure class = 0; class < SIM_FAILURES; class ++) {
        if (class == SIM_FAIL_SHORT_READ)
            continue; /* that is no error: zeros are read */
        for (unsigned forever = 0; forever < 2; forever++) {
            unsigned n = 1;
            while (n < MAX_N && fail_nth(s, class, n, forever != 0))
                n++;
            assert_true(n < MAX_N);
        }
    }
}

#define SCENARIO(function, prepare, run, verify, undo, partial, refusal)                           \
    static void function(void)                                                                     \
    {                                                                                              \
        run_scenario(&(struct scenario){#function, prepare, run, verify, undo, partial, refusal}); \
    }

SCENARIO(test_failures_create, nothing, run_create, verify_new, nothing, false, 0)
SCENARIO(test_failures_create_wired, nothing, run_create_wired, verify_new, nothing, false, 0)
SCENARIO(test_failures_create_contiguous, nothing, run_create_contiguous, nothing,
         delete_from_kernel, false, 0)
SCENARIO(test_failures_create_replacing, region_of_numbers, run_create_replacing, verify_replaced,
         nothing, false, 0)
SCENARIO(test_failures_map_device, nothing, run_map_device, nothing, nothing, false, 0)
SCENARIO(test_failures_null_region, nothing, run_null, nothing, nothing, false, 0)
SCENARIO(test_failures_map_file_shared, make_file, run_map_file_shared, verify_file, unmap_file,
         false, 0)
SCENARIO(test_failures_map_file_private, make_file, run_map_file_private, verify_file, unmap_file,
         false, 0)
SCENARIO(test_failures_file_fault, map_file_shared, run_file_fault, nothing, unmap_file, true, 0)
SCENARIO(test_failures_file_copy, map_file_private, run_file_copy, verify_file_copy, discard_copies,
         true, 0)
SCENARIO(test_failures_cache_write, make_file, run_cache_write, verify_cache_write, nothing, true,
         0)
SCENARIO(test_failures_clone_shared, region_of_numbers, run_clone_shared, verify_clone, delete_made,
         false, 0)
SCENARIO(test_failures_clone_private, region_of_numbers, run_clone_private, verify_clone,
         delete_made, false, 0)
SCENARIO(test_failures_fork, family_to_be, run_fork, verify_fork, delete_child, true, 0)
SCENARIO(test_failures_copy_on_write, forked, run_copy_on_write, verify_copy_on_write, delete_child,
         true, 0)
SCENARIO(test_failures_new_aspace, nothing, run_new_aspace, nothing, delete_child, false, 0)
SCENARIO(test_failures_unmap_with_split, region_of_numbers, run_unmap_middle,
         verify_unmapped_middle, nothing, false, 0)
SCENARIO(test_failures_protect_with_split, region_of_numbers, run_protect_middle,
         verify_protected_middle, nothing, false, 0)
SCENARIO(test_failures_protect_private_file, private_read_only_file, run_protect_file,
         verify_protected_file, nothing, false, 0)
SCENARIO(test_failures_grow, region_of_numbers, run_grow, verify_grown, nothing, false, 0)
SCENARIO(test_failures_shrink, region_of_numbers, run_shrink, verify_shrunk, nothing, false, 0)
/* What has been unmapped for a move that fails is faulted in again. */
SCENARIO(test_failures_move, region_of_numbers, run_move, verify_moved, nothing, true, 0)
SCENARIO(test_failures_zero_fault, lazy_region, run_zero_fault, verify_zero_fault, discard_pages,
         true, 0)
SCENARIO(test_failures_wire, lazy_region, run_wire, verify_wired, nothing, true, 0)
SCENARIO(test_failures_inheritance, region_of_numbers, run_inheritance, nothing, nothing, false, 0)
SCENARIO(test_failures_stack_growth, stack_region, run_stack_growth, verify_stack, nothing, true,
         ERR_VM_PF_BAD_ADDRESS)

UNIT_MAIN("failures on purpose", TEST(test_failures_create), TEST(test_failures_create_wired),
          TEST(test_failures_create_contiguous), TEST(test_failures_create_replacing),
          TEST(test_failures_map_device), TEST(test_failures_null_region),
          TEST(test_failures_map_file_shared), TEST(test_failures_map_file_private),
          TEST(test_failures_file_fault), TEST(test_failures_file_copy),
          TEST(test_failures_cache_write), TEST(test_failures_clone_shared),
          TEST(test_failures_clone_private), TEST(test_failures_fork),
          TEST(test_failures_copy_on_write), TEST(test_failures_new_aspace),
          TEST(test_failures_unmap_with_split), TEST(test_failures_protect_with_split),
          TEST(test_failures_protect_private_file), TEST(test_failures_grow),
          TEST(test_failures_shrink), TEST(test_failures_move), TEST(test_failures_zero_fault),
          TEST(test_failures_wire), TEST(test_failures_inheritance),
          TEST(test_failures_stack_growth))
