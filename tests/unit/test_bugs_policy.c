/* SPDX-License-Identifier: MIT */
/* Classic bugs 41 to 47: what programs may reach, and what they may see. docs/testing.md has the list. */
#include "bugs.h"

#include <quire/host.h>

#define GAP PAGES(VM_STACK_GUARD_PAGES)

/* ---- 41: what comes close to a stack ------------------------------------------------------------------ */

static addr_t place_of(int addr_type, addr_t wish, addr_t size)
{
    void *at = PTR(wish);
    region_id id =
        vm_create_anonymous_region(program, "x", &at, addr_type, size, REGION_WIRING_LAZY, LOCK_RW);
    assert_true(id > 0);
    return (addr_t)at;
}

static bool is_in_gap(addr_t base, addr_t size, addr_t stack)
{
    return base < stack && base + size > stack - GAP;
}

/* Nothing goes into the gap of its own accord: where the lowest hole is too small, or a hint is there. */
static void test_bug_41_nothing_is_placed_below_a_stack(void)
{
    addr_t stack = SIM_USER_BASE + GAP + PAGES(9);
    region_at(stack, 4, LOCK_RW | REGION_GROWS_DOWN);
    assert_int_equal(place_of(REGION_ADDR_ANY_ADDRESS, 0, PAGES(2)), SIM_USER_BASE);
    assert_false(is_in_gap(place_of(REGION_ADDR_ANY_ADDRESS, 0, PAGE), PAGE, stack));
    assert_false(is_in_gap(place_of(REGION_ADDR_TOP, stack, PAGE), PAGE, stack));
    for (addr_t below = PAGE; below <= GAP + PAGE; below += GAP / 4) {
        addr_t hint = stack - below;
        assert_false(is_in_gap(place_of(REGION_ADDR_HINT, hint, PAGE), PAGE, stack));
    }
}

/* The gap is the stack's; who asks for a place far below loses nothing. */
static void test_bug_41_the_gap_is_at_the_stack(void)
{
    addr_t found;
    region_at(2 * SPOT, 4, LOCK_RW | REGION_GROWS_DOWN);
    assert_int_equal(place_of(REGION_ADDR_TOP, SPOT, PAGE), SPOT - PAGE);
    OK(vm_find_hole(program, PAGE, PAGE, SPOT, SPOT + PAGE, &found));
    assert_int_equal(vm_find_hole(program, PAGE, PAGE, 2 * SPOT - GAP, 2 * SPOT, &found),
                     ERR_VM_NO_REGION_SLOT);
}

static void test_bug_41_a_hint_below_the_gap_is_taken(void)
{
    region_at(SPOT, 4, LOCK_RW | REGION_GROWS_DOWN);
    assert_int_equal(place_of(REGION_ADDR_HINT, SPOT - GAP - PAGE, PAGE), SPOT - GAP - PAGE);
}

/* A stack comes no closer to its neighbour than the gap, in small steps or in one. */
static void test_bug_41_a_stack_stops_before_its_neighbour(void)
{
    region_at(SPOT - GAP - PAGES(4), 1, LOCK_RW);
    region_at(SPOT, 2, LOCK_RW | REGION_GROWS_DOWN);
    assert_int_equal(sim_write_byte(SPOT - PAGES(4), 1), ERR_VM_PF_BAD_ADDRESS);
    for (addr_t i = 1; i <= 3; i++)
        OK(sim_write_byte(SPOT - PAGES(i), 1));
    for (addr_t i = 4; i < 4 + VM_STACK_GUARD_PAGES; i += 7)
        assert_int_equal(sim_write_byte(SPOT - PAGES(i), 1), ERR_VM_PF_BAD_ADDRESS);
    OK(sim_write_byte(SPOT - GAP - PAGES(4), 1));
}

/* ---- 42: growth below the lowest address ------------------------------------------------------------------ */

static void test_bug_42_no_stack_grows_below_its_space(void)
{
    aspace_id aid = vm_create_aspace("small", SPOT, PAGES(1000), false);
    void *at = PTR(SPOT + PAGES(2));
    assert_true(vm_create_anonymous_region(aid, "stack", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                           REGION_WIRING_LAZY, LOCK_RW | REGION_GROWS_DOWN) > 0);
    unsigned write = VM_ACCESS_WRITE | VM_ACCESS_USER;
    assert_int_equal(vm_fault_aspace(aid, SPOT - PAGE, write), ERR_VM_PF_BAD_ADDRESS);
    OK(vm_fault_aspace(aid, SPOT, write));
    assert_int_equal(vm_fault_aspace(aid, SPOT - PAGE, write), ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(vm_fault_aspace(aid, 0, write), ERR_VM_PF_BAD_ADDRESS);
    OK(vm_delete_aspace(aid));
}

/* ---- 43: behind the end of a file --------------------------------------------------------------------------- */

static void look_behind_the_end(const char *path, int mapping)
{
    sim_file *file = sim_file_create(path, NULL, PAGE + 100, ALL_ACCESS);
    addr_t a;
    memset(sim_file_data(file), 7, PAGE + 100);
    map_pages(&a, file, 4, LOCK_RW, mapping, 0);
    assert_true(sim_is_filled(a, 7, PAGE + 100));
    assert_true(sim_is_filled(a + PAGE + 100, 0, PAGE - 100));
    OK(sim_write_byte(a + PAGE + 200, 1)); /* in the last page: allowed, and not of the file */
    for (unsigned i = 2; i < 4; i++) {
        assert_int_equal(sim_read_byte(a + PAGES(i)), ERR_VM_PF_PAST_END);
        assert_int_equal(sim_write_byte(a + PAGES(i), 1), ERR_VM_PF_PAST_END);
    }
    OK(vm_sync_range(program, a, PAGES(4)));
    assert_int_equal(sim_file_data(file)[PAGE + 99], 7);
}

static void test_bug_43_behind_the_end(void)
{
    look_behind_the_end("/shared", REGION_NO_PRIVATE_MAP);
    look_behind_the_end("/private", REGION_PRIVATE_MAP);
}

static void test_bug_43_cut_off_and_grown_again(void)
{
    sim_file *file = sim_file_create_numbered("/f", 3);
    vm_cache_ref *cache;
    addr_t private, shared;
    map_pages(&private, file, 3, LOCK_RW, REGION_PRIVATE_MAP, 0);
    map_pages(&shared, file, 3, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(sim_write_byte(private + PAGE + 200, 90));
    OK(sim_write_byte(shared + PAGES(2), 91));
    OK(vm_get_vnode_cache(file, &cache));
    sim_file_set_size(file, PAGE + 100);
    OK(vm_cache_truncate(cache, (off_t)PAGE + 100));
    assert_byte(shared + PAGE, 2);
    assert_byte(shared + PAGE + 100, 0);
    assert_int_equal(sim_read_byte(shared + PAGES(2)), ERR_VM_PF_PAST_END);
    sim_file_set_size(file, PAGES(3));
    OK(vm_cache_truncate(cache, (off_t)PAGES(3)));
    assert_true(sim_is_filled(shared + PAGE + 100, 0, PAGES(2) - 100));
    vm_put_cache(cache);
}

/* ---- 44: more rights than the file was opened with ------------------------------------------------------------ */

static region_id map_read_only(addr_t at, sim_file *file)
{
    void *where = PTR(at);
    region_id id = vm_map_vnode(program, "ro", &where, REGION_ADDR_EXACT_ADDRESS, PAGES(3),
                                LOCK_RO | REGION_NO_WRITE, REGION_NO_PRIVATE_MAP, file, 0);
    assert_true(id > 0);
    return id;
}

static void test_bug_44_no_way_to_write_to_a_file_open_for_reading(void)
{
    sim_file *file = sim_file_create_numbered("/f", 3);
    void *to = PTR(2 * SPOT), *clone = NULL;
    region_id id = map_read_only(SPOT, file);
    REFUSED(ERR_PERMISSION_DENIED, vm_protect_range(program, SPOT, PAGES(3), LOCK_RW));
    OK(vm_protect_range(program, SPOT + PAGE, PAGE, LOCK_RO | LOCK_EXECUTE));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(vm_protect_range(program, SPOT + PAGES(i), PAGE, LOCK_RW),
                         ERR_PERMISSION_DENIED);
    REFUSED(ERR_PERMISSION_DENIED,
            vm_clone_region(program, "c", &clone, 0, id, REGION_NO_PRIVATE_MAP, LOCK_RW));
    region_id same = vm_clone_region(program, "c", &clone, 0, id, REGION_NO_PRIVATE_MAP, LOCK_RO);
    assert_true(same > 0);
    REFUSED(ERR_PERMISSION_DENIED, vm_protect_range(program, (addr_t)clone, PAGE, LOCK_RW));
    OK(vm_move_range(program, SPOT, PAGE, PAGES(2), &to, REGION_ADDR_EXACT_ADDRESS));
    REFUSED(ERR_PERMISSION_DENIED, vm_protect_range(program, (addr_t)to, PAGES(2), LOCK_RW));
    aspace_id child = fork_program();
    assert_int_equal(vm_protect_range(child, (addr_t)to, PAGE, LOCK_RW), ERR_PERMISSION_DENIED);
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
    assert_int_equal(sim_file_data(file)[0], 1);
}

/* A range of which one part may not: no part changes. */
static void test_bug_44_a_range_with_one_such_part(void)
{
    sim_file *file = sim_file_create_numbered("/f", 3);
    region_at(SPOT - PAGE, 1, LOCK_RO);
    map_read_only(SPOT, file);
    REFUSED(ERR_PERMISSION_DENIED, vm_protect_range(program, SPOT - PAGE, PAGES(2), LOCK_RW));
    assert_int_equal(sim_write_byte(SPOT - PAGE, 1), ERR_VM_PF_BAD_PERM);
}

/* What the host lets nobody execute is not executed by way of another protection, or of a clone. */
static void test_bug_44_no_way_to_execute_what_may_only_be_read(void)
{
    sim_file_create("/data", NULL, PAGE, VM_ACCESS_READ | VM_ACCESS_WRITE);
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write(SPOT, "x", 2));
    OK(sim_write(SPOT + 32, "/data", 6));
    for (int mapping = REGION_NO_PRIVATE_MAP; mapping <= REGION_PRIVATE_MAP; mapping++) {
        assert_int_equal(user_vm_map_file(PTR(SPOT), PTR(SPOT + 64), 0, PAGE,
                                          LOCK_RO | LOCK_EXECUTE, mapping, PTR(SPOT + 32), 0),
                         ERR_PERMISSION_DENIED);
        region_id id = user_vm_map_file(PTR(SPOT), PTR(SPOT + 64), 0, PAGE, LOCK_RO, mapping,
                                        PTR(SPOT + 32), 0);
        assert_true(id > 0);
        addr_t at = region_info(id).base;
        REFUSED(ERR_PERMISSION_DENIED, vm_protect_range(program, at, PAGE, LOCK_RO | LOCK_EXECUTE));
        assert_int_equal(
            user_vm_clone_region(PTR(SPOT), PTR(SPOT + 64), 0, id, mapping, LOCK_RO | LOCK_EXECUTE),
            ERR_PERMISSION_DENIED);
        OK(vm_protect_range(program, at, PAGE, LOCK_RW));
    }
}

/* ---- 45: a copy that meets a bad page at every byte ------------------------------------------------------------- */

#define AROUND 40

static void copy_to_edge(addr_t edge, size_t good, size_t size)
{
    unsigned char buffer[2 * AROUND];
    memset(buffer, 0x77, sizeof(buffer));
    int expected = good >= size ? VM_OK : ERR_VM_BAD_USER_MEMORY;
    assert_true(sim_fill(edge - AROUND, 1, AROUND) == VM_OK);
    assert_int_equal(user_memcpy(PTR(edge - good), buffer, size), expected);
    if (good < AROUND)
        assert_true(sim_is_filled(edge - AROUND, 1, AROUND - good));
    assert_int_equal(user_memcpy(buffer, PTR(edge - good), size), expected);
    assert_int_equal(buffer[size], 0x77);
    assert_int_equal(user_memset(PTR(edge - good), 3, size), expected);
    if (size >= good)
        assert_true(sim_is_filled(edge - good, 3, good));
}

static void copy_from_bad_start(addr_t start, size_t bad)
{
    unsigned char buffer[2 * AROUND];
    memset(buffer, 0x77, sizeof(buffer));
    assert_int_equal(user_memcpy(buffer, PTR(start - bad), AROUND), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(buffer[0], 0x77);
    assert_int_equal(user_memcpy(PTR(start - bad), buffer, AROUND), ERR_VM_BAD_USER_MEMORY);
    assert_true(sim_is_filled(start, 9, AROUND));
}

static void test_bug_45_copies_stop_at_the_bad_byte(void)
{
    uint64_t recovered = figures().kernel_recoveries;
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_fill(SPOT, 9, AROUND));
    for (size_t bad = 1; bad < AROUND; bad++)
        copy_from_bad_start(SPOT, bad);
    assert_int_equal(figures().kernel_recoveries, recovered + 2 * (AROUND - 1));
    for (size_t good = 1; good <= AROUND; good++)
        for (size_t size = 1; size < AROUND + 2; size += good % 3 + 1)
            copy_to_edge(SPOT + PAGE, good, size);
}

static void test_bug_45_strings_stop_at_the_bad_byte(void)
{
    char buffer[2 * AROUND];
    region_at(SPOT, 1, LOCK_RW);
    for (size_t good = 1; good < AROUND; good++) {
        OK(sim_fill(SPOT + PAGE - AROUND, 'x', AROUND));
        const char *from = PTR(SPOT + PAGE - good);
        assert_int_equal(user_strcpy(buffer, from), ERR_VM_BAD_USER_MEMORY);
        assert_int_equal(user_strncpy(buffer, from, good + 1), ERR_VM_BAD_USER_MEMORY);
        OK(user_strncpy(buffer, from, good));
        OK(sim_write_byte(SPOT + PAGE - 1, 0));
        OK(user_strcpy(buffer, from));
        assert_int_equal(strlen(buffer), good - 1);
    }
}

/* A system call's pointer is a program's: one that points at the kernel is refused. */
static void test_bug_45_no_call_writes_where_the_kernel_is(void)
{
    uint8_t before[16], after[16];
    region_id id = region_at(SPOT, 1, LOCK_RW);
    OK(sim_write(SPOT, "x", 2));
    OK(sim_kernel_read(SIM_BOOT_BASE, before, sizeof(before)));
    assert_int_equal(user_vm_get_region_info(id, PTR(SIM_BOOT_BASE)), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_vm_get_vm_info(PTR(SIM_BOOT_BASE)), ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(
        user_vm_create_anonymous_region(PTR(SPOT), PTR(SIM_BOOT_BASE), 0, PAGE, 0, LOCK_RW),
        ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(
        user_vm_create_anonymous_region(PTR(SIM_BOOT_BASE), PTR(SPOT + 64), 0, PAGE, 0, LOCK_RW),
        ERR_VM_BAD_USER_MEMORY);
    assert_int_equal(user_vm_clone_region(PTR(SPOT), PTR(SIM_BOOT_BASE), 0, id, 0, LOCK_RW),
                     ERR_VM_BAD_USER_MEMORY);
    OK(sim_kernel_read(SIM_BOOT_BASE, after, sizeof(after)));
    assert_memory_equal(before, after, sizeof(after));
}

/* ---- 46: where a host's random choice goes ------------------------------------------------------------------------- */

/* The core adds no randomness, and takes none away: each page that a host chooses is a place of its own. */
static void test_bug_46_each_choice_is_a_place(void)
{
    for (unsigned bit = VM_PAGE_SHIFT; bit < 40; bit++) {
        addr_t chosen = ((addr_t)1 << 41) + ((addr_t)1 << bit);
        assert_int_equal(place_of(REGION_ADDR_TOP, chosen, PAGE), chosen - PAGE);
        assert_int_equal(place_of(REGION_ADDR_HINT, chosen, PAGE), chosen);
        OK(vm_unmap_range(program, chosen - PAGE, PAGES(2)));
    }
}

/* ---- 47: what a fresh page shows -------------------------------------------------------------------------------------- */

static int write_first_bytes(void *address)
{
    for (unsigned i = 0; i < 4; i++) {
        int error = sim_write_byte((addr_t)address + PAGES(i), 1);
        if (error != VM_OK)
            return error;
    }
    return VM_OK;
}

/* Looks at the rest of the same pages all the time. */
static int snoop(void *address)
{
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < 4; i++) {
            int byte = sim_read_byte((addr_t)address + PAGES(i) + 64 * (i + 1));
            if (byte != 0)
                return byte;
        }
    return VM_OK;
}

static void fresh_pages(void)
{
    sim_file *file = sim_file_create("/short", NULL, PAGES(3) + 1, ALL_ACCESS);
    addr_t mapped;
    sim_file_shorten_reads(file, 10);
    region_at(SPOT, 4, LOCK_RW);
    map_pages(&mapped, file, 4, LOCK_RW, REGION_PRIVATE_MAP, 0);
    sim_fiber *fiber[4] = {
        sim_spawn_on(0, program, "write", write_first_bytes, PTR(SPOT)),
        sim_spawn_on(1, program, "snoop", snoop, PTR(SPOT)),
        sim_spawn_on(2, program, "write", write_first_bytes, PTR(mapped)),
        sim_spawn_on(1, program, "snoop", snoop, PTR(mapped)),
    };
    sim_run();
    for (unsigned i = 0; i < 4; i++)
        OK(sim_fiber_result(fiber[i]));
}

static void test_bug_47_a_fresh_page_shows_nothing_old(void)
{
    in_many_orders(60, fresh_pages);
}

UNIT_MAIN("bugs 41 to 47", TEST(test_bug_41_nothing_is_placed_below_a_stack),
          TEST(test_bug_41_the_gap_is_at_the_stack),
          TEST(test_bug_41_a_hint_below_the_gap_is_taken),
          TEST(test_bug_41_a_stack_stops_before_its_neighbour),
          TEST(test_bug_42_no_stack_grows_below_its_space), TEST(test_bug_43_behind_the_end),
          TEST(test_bug_43_cut_off_and_grown_again),
          TEST(test_bug_44_no_way_to_write_to_a_file_open_for_reading),
          TEST(test_bug_44_a_range_with_one_such_part),
          TEST(test_bug_44_no_way_to_execute_what_may_only_be_read),
          TEST(test_bug_45_copies_stop_at_the_bad_byte),
          TEST(test_bug_45_strings_stop_at_the_bad_byte),
          TEST(test_bug_45_no_call_writes_where_the_kernel_is),
          TEST(test_bug_46_each_choice_is_a_place),
          TEST(test_bug_47_a_fresh_page_shows_nothing_old))
