/* SPDX-License-Identifier: MIT */
/* Copies of address spaces: who sees what after a fork, and how long chains become. */
#include "support.h"

#define N 6

static void make_numbered(void)
{
    region_at(SPOT, N, LOCK_RW);
    number_pages(SPOT, N, 1);
}

static unsigned depth(void)
{
    addr_t cookie = SPOT;
    vm_region_info info;
    OK(vm_get_next_region_info(vm_get_current_user_aspace_id(), &cookie, &info));
    return info.chain_depth;
}

/* ---- vm_copy_aspace ---- */

static void test_vm_copy_aspace_child_sees_parent(void)
{
    make_numbered();
    aspace_id child = fork_program();
    SIM_CHECK();
    assert_numbered(SPOT, N, 1);
    assert_int_equal(count_regions(child), 1);
    OK(sim_delete_aspace(child));
}

static void test_vm_copy_aspace_parent_writes(void)
{
    make_numbered();
    aspace_id child = fork_program();
    sim_set_aspace(program);
    number_pages(SPOT, N, 50);
    SIM_CHECK();
    assert_numbered(SPOT, N, 50);
    sim_set_aspace(child);
    assert_numbered(SPOT, N, 1);
    OK(sim_delete_aspace(child));
    SIM_CHECK();
    sim_set_aspace(program);
    assert_numbered(SPOT, N, 50);
}

static void test_vm_copy_aspace_child_writes(void)
{
    make_numbered();
    aspace_id child = fork_program();
    number_pages(SPOT, N, 80);
    SIM_CHECK();
    sim_set_aspace(program);
    assert_numbered(SPOT, N, 1);
    sim_set_aspace(child);
    assert_numbered(SPOT, N, 80);
    OK(sim_delete_aspace(child));
}

static void test_vm_copy_aspace_both_write(void)
{
    make_numbered();
    aspace_id child = fork_program();
    for (unsigned i = 0; i < N; i++) {
        sim_set_aspace(i % 2 == 0 ? program : child);
        OK(sim_write_byte(SPOT + PAGES(i), (uint8_t)(100 + i)));
        SIM_CHECK();
    }
    for (unsigned i = 0; i < N; i++) {
        sim_set_aspace(i % 2 == 0 ? program : child);
        assert_byte(SPOT + PAGES(i), (int)(100 + i));
        sim_set_aspace(i % 2 == 0 ? child : program);
        assert_byte(SPOT + PAGES(i), (int)(1 + i));
    }
    OK(sim_delete_aspace(child));
}

static void test_vm_copy_aspace_untouched_page_is_zero_for_both(void)
{
    region_at(SPOT, 2, LOCK_RW);
    aspace_id child = fork_program();
    OK(sim_write_byte(SPOT, 9));
    sim_set_aspace(program);
    assert_byte(SPOT, 0);
    OK(sim_write_byte(SPOT + PAGE, 8));
    sim_set_aspace(child);
    assert_byte(SPOT + PAGE, 0);
    OK(sim_delete_aspace(child));
}

static void test_vm_copy_aspace_parent_exits_first(void)
{
    make_numbered();
    aspace_id parent = program;
    aspace_id child = fork_program();
    OK(sim_delete_aspace(parent));
    SIM_CHECK();
    sim_set_aspace(child);
    assert_numbered(SPOT, N, 1);
    number_pages(SPOT, N, 9);
    assert_numbered(SPOT, N, 9);
    program = child;
}

static void test_vm_copy_aspace_grandchildren(void)
{
    enum { GENERATIONS = 6 };
    aspace_id generation[GENERATIONS];
    make_numbered();
    generation[0] = program;
    for (unsigned g = 1; g < GENERATIONS; g++) {
        generation[g] = vm_copy_aspace(generation[g - 1], "next");
        assert_true(generation[g] > 0);
        sim_set_aspace(generation[g]);
        OK(sim_write_byte(SPOT + PAGES(g), (uint8_t)(100 + g)));
        SIM_CHECK();
    }
    for (unsigned g = 0; g < GENERATIONS; g++) {
        sim_set_aspace(generation[g]);
        for (unsigned i = 0; i < N; i++)
            assert_byte(SPOT + PAGES(i), (int)(i > 0 && i <= g ? 100 + i : 1 + i));
    }
    for (unsigned g = 1; g < GENERATIONS; g++) {
        OK(sim_delete_aspace(generation[g]));
        SIM_CHECK();
    }
    sim_set_aspace(program);
    assert_numbered(SPOT, N, 1);
}

static void test_vm_copy_aspace_siblings(void)
{
    aspace_id child[5];
    make_numbered();
    for (unsigned i = 0; i < 5; i++) {
        sim_set_aspace(program);
        child[i] = vm_copy_aspace(program, "sibling");
        OK(sim_write_byte(SPOT, (uint8_t)(10 + i)));
    }
    SIM_CHECK();
    for (unsigned i = 0; i < 5; i++) {
        sim_set_aspace(child[i]);
        assert_byte(SPOT, i == 0 ? 1 : (int)(9 + i));
        OK(sim_write_byte(SPOT + PAGE, (uint8_t)(60 + i)));
    }
    for (unsigned i = 0; i < 5; i++) {
        sim_set_aspace(child[(i + 2) % 5]);
        assert_byte(SPOT + PAGE, (int)(60 + (i + 2) % 5));
        OK(sim_delete_aspace(child[(i + 2) % 5]));
        SIM_CHECK();
    }
    sim_set_aspace(program);
    assert_byte(SPOT, 14);
    assert_byte(SPOT + PAGE, 2);
}

static void test_vm_copy_aspace_last_owner_reuses_page(void)
{
    make_numbered();
    aspace_id child = fork_program();
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
    uint64_t copies = figures().copies;
    number_pages(SPOT, N, 30);
    assert_int_equal(figures().copies, copies);
    assert_numbered(SPOT, N, 30);
}

static void test_vm_copy_aspace_chain_merges_when_child_exits(void)
{
    make_numbered();
    aspace_id child = fork_program();
    sim_set_aspace(program);
    number_pages(SPOT, 2, 40);
    OK(sim_delete_aspace(child));
    number_pages(SPOT, N, 50);
    SIM_CHECK();
    assert_int_equal(depth(), 1);
    assert_numbered(SPOT, N, 50);
}

static void test_vm_copy_aspace_fork_loop_keeps_chain_short(void)
{
    make_numbered();
    size_t frames = 0;
    for (unsigned i = 0; i < 1000; i++) {
        aspace_id child = vm_copy_aspace(program, "loop");
        assert_true(child > 0);
        OK(sim_write_byte(SPOT + PAGES(i % N), (uint8_t)i));
        assert_true(depth() <= 3);
        OK(vm_delete_aspace(child));
        if (i == 100)
            frames = free_frames();
        if (i % 100 == 0)
            SIM_CHECK();
    }
    assert_true(free_frames() + 8 >= frames);
    assert_true(depth() <= 2);
}

static void test_vm_copy_aspace_chain_of_heirs_keeps_chain_short(void)
{
    make_numbered();
    for (unsigned i = 0; i < 300; i++) {
        aspace_id heir = vm_copy_aspace(program, "heir");
        assert_true(heir > 0);
        sim_set_aspace(heir);
        OK(sim_delete_aspace(program));
        program = heir;
        OK(sim_write_byte(SPOT + PAGES(i % N), (uint8_t)i));
        assert_true(depth() <= 3);
    }
    SIM_CHECK();
    for (unsigned i = 294; i < 300; i++)
        assert_byte(SPOT + PAGES(i % N), (uint8_t)i);
}

static void test_vm_copy_aspace_deep_chain_ends_without_recursion(void)
{
    enum { DEEP = 500 };
    static aspace_id heirs[DEEP];
    make_numbered();
    for (unsigned i = 0; i < DEEP; i++) {
        heirs[i] = vm_copy_aspace(i == 0 ? program : heirs[i - 1], "deep");
        assert_true(heirs[i] > 0);
    }
    SIM_CHECK();
    sim_set_aspace(heirs[DEEP - 1]);
    assert_numbered(SPOT, N, 1);
    sim_set_aspace(program);
    for (unsigned i = DEEP; i-- > 0;)
        OK(sim_delete_aspace(heirs[(i * 7) % DEEP]));
    SIM_CHECK();
    assert_numbered(SPOT, N, 1);
}

static void test_vm_copy_aspace_shared_region(void)
{
    region_at(SPOT, 2, LOCK_RW | REGION_SHARED);
    number_pages(SPOT, 2, 1);
    aspace_id child = fork_program();
    OK(sim_write_byte(SPOT, 70));
    OK(sim_write_byte(SPOT + PAGE, 71));
    sim_set_aspace(program);
    assert_byte(SPOT, 70);
    assert_byte(SPOT + PAGE, 71);
    OK(sim_delete_aspace(child));
    assert_byte(SPOT, 70);
}

static void test_vm_copy_aspace_shared_file(void)
{
    sim_file *file = sim_file_create_numbered("/f", 3);
    addr_t a;
    map_pages(&a, file, 3, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    aspace_id child = fork_program();
    OK(sim_write_byte(a + PAGE, 99));
    sim_set_aspace(program);
    assert_byte(a + PAGE, 99);
    OK(sim_delete_aspace(child));
}

static void test_vm_copy_aspace_private_file(void)
{
    sim_file *file = sim_file_create_numbered("/f", 4);
    addr_t a;
    map_pages(&a, file, 4, LOCK_RW, REGION_PRIVATE_MAP, 0);
    OK(sim_write_byte(a, 90));
    aspace_id child = fork_program();
    OK(sim_write_byte(a + PAGE, 91));
    assert_byte(a, 90);
    sim_set_aspace(program);
    assert_byte(a + PAGE, 2);
    OK(sim_write_byte(a, 92));
    sim_set_aspace(child);
    assert_byte(a, 90);
    assert_numbered(a + PAGES(2), 2, 3);
    OK(sim_delete_aspace(child));
    assert_int_equal(sim_file_data(file)[0], 1);
}

static void test_vm_copy_aspace_without_memory_promises(void)
{
    addr_t half = (addr_t)figures().max_commit / 2 & ~VM_PAGE_MASK;
    region_at(SPOT, half / PAGE + 16, LOCK_RW);
    REFUSED(ERR_VM_WOULD_OVERCOMMIT, vm_copy_aspace(program, "large"));
}

static void test_vm_copy_aspace_errors(void)
{
    REFUSED(ERR_VM_INVALID_ASPACE, vm_copy_aspace(0, "x"));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_copy_aspace(-1, "x"));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_copy_aspace(program + 5, "x"));
    struct picture before;
    take_picture(&before, program);
    assert_true(vm_copy_aspace(vm_get_kernel_aspace_id(), "x") < 0);
    assert_unchanged(&before);
}

static void test_vm_copy_aspace_wiring_is_not_inherited(void)
{
    void *at = PTR(SPOT);
    assert_true(vm_create_anonymous_region(program, "wired", &at, REGION_ADDR_EXACT_ADDRESS,
                                           PAGES(3), REGION_WIRING_WIRED, LOCK_RW) > 0);
    number_pages(SPOT, 3, 1);
    aspace_id child = fork_program();
    SIM_CHECK();
    addr_t cookie = SPOT;
    vm_region_info info;
    OK(vm_get_next_region_info(child, &cookie, &info));
    assert_int_equal(info.wiring, REGION_WIRING_LAZY);
    assert_numbered(SPOT, 3, 1);
    number_pages(SPOT, 3, 40);
    sim_set_aspace(program);
    assert_numbered(SPOT, 3, 1);
    number_pages(SPOT, 3, 70);
    sim_set_aspace(child);
    assert_numbered(SPOT, 3, 40);
    OK(sim_delete_aspace(child));
}

static void test_vm_copy_aspace_keeps_protection_and_names(void)
{
    void *at = PTR(SPOT);
    vm_create_anonymous_region(program, "text", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                               REGION_WIRING_LAZY, LOCK_RO | LOCK_EXECUTE);
    at = PTR(SPOT + PAGES(2));
    vm_create_null_region(program, "guard", &at, REGION_ADDR_EXACT_ADDRESS, PAGE);
    aspace_id child = fork_program();
    uint8_t byte;
    assert_int_equal(sim_write_byte(SPOT, 1), ERR_VM_PF_BAD_PERM);
    OK(sim_execute(SPOT, &byte, 1));
    assert_int_equal(sim_read_byte(SPOT + PAGES(2)), ERR_VM_PF_FATAL);
    assert_true(vm_find_region_by_name(child, "text") > 0);
    assert_true(vm_find_region_by_name(child, "guard") > 0);
    OK(sim_delete_aspace(child));
}

static void test_vm_copy_aspace_charges_the_copy(void)
{
    make_numbered();
    int64_t before = sim_committed();
    aspace_id child = vm_copy_aspace(program, "child");
    assert_int_equal(sim_committed(), before + (int64_t)PAGES(N));
    OK(vm_delete_aspace(child));
    assert_int_equal(sim_committed(), before);
}

static void test_vm_copy_aspace_of_many_regions(void)
{
    for (addr_t i = 0; i < 300; i++) {
        region_at(SPOT + PAGES(3 * i), 2, LOCK_RW);
        OK(sim_write_byte(SPOT + PAGES(3 * i), (uint8_t)i));
    }
    aspace_id child = fork_program();
    SIM_CHECK();
    assert_int_equal(count_regions(child), 300);
    for (addr_t i = 0; i < 300; i++)
        assert_byte(SPOT + PAGES(3 * i), (uint8_t)i);
    OK(sim_delete_aspace(child));
}

static void test_vm_copy_aspace_split_region(void)
{
    make_numbered();
    OK(vm_protect_range(program, SPOT + PAGES(2), PAGES(2), LOCK_RO));
    OK(vm_unmap_range(program, SPOT, PAGE));
    aspace_id child = fork_program();
    SIM_CHECK();
    assert_int_equal(sim_read_byte(SPOT), ERR_VM_PF_BAD_ADDRESS);
    assert_numbered(SPOT + PAGE, N - 1, 2);
    assert_int_equal(sim_write_byte(SPOT + PAGES(2), 1), ERR_VM_PF_BAD_PERM);
    OK(sim_write_byte(SPOT + PAGES(4), 99));
    sim_set_aspace(program);
    assert_byte(SPOT + PAGES(4), 5);
    OK(sim_delete_aspace(child));
}

static void test_vm_copy_aspace_twice_then_unmap_parent(void)
{
    make_numbered();
    aspace_id first = vm_copy_aspace(program, "first");
    number_pages(SPOT, 3, 60);
    aspace_id second = vm_copy_aspace(program, "second");
    OK(vm_unmap_range(program, SPOT, PAGES(N)));
    SIM_CHECK();
    sim_set_aspace(first);
    assert_numbered(SPOT, N, 1);
    sim_set_aspace(second);
    assert_numbered(SPOT, 3, 60);
    assert_numbered(SPOT + PAGES(3), 3, 4);
    OK(sim_delete_aspace(first));
    SIM_CHECK();
    assert_numbered(SPOT, 3, 60);
    OK(sim_delete_aspace(second));
}

/* ---- vm_set_inheritance ---- */

static void test_vm_set_inheritance_none(void)
{
    make_numbered();
    OK(vm_set_inheritance(program, SPOT + PAGES(2), PAGES(2), VM_INHERIT_NONE));
    SIM_CHECK();
    aspace_id child = fork_program();
    assert_numbered(SPOT, 2, 1);
    assert_int_equal(sim_read_byte(SPOT + PAGES(2)), ERR_VM_PF_BAD_ADDRESS);
    assert_numbered(SPOT + PAGES(4), 2, 5);
    OK(sim_delete_aspace(child));
}

static void test_vm_set_inheritance_share(void)
{
    make_numbered();
    OK(vm_set_inheritance(program, SPOT, PAGES(N), VM_INHERIT_SHARE));
    aspace_id child = fork_program();
    OK(sim_write_byte(SPOT, 88));
    sim_set_aspace(program);
    assert_byte(SPOT, 88);
    OK(sim_delete_aspace(child));
}

static void test_vm_set_inheritance_back_to_copy(void)
{
    make_numbered();
    OK(vm_set_inheritance(program, SPOT, PAGES(N), VM_INHERIT_NONE));
    OK(vm_set_inheritance(program, SPOT, PAGES(N), VM_INHERIT_COPY));
    assert_int_equal(region_info(find_region(SPOT)).inherit, VM_INHERIT_COPY);
    aspace_id child = fork_program();
    OK(sim_write_byte(SPOT, 88));
    sim_set_aspace(program);
    assert_byte(SPOT, 1);
    OK(sim_delete_aspace(child));
}

static void test_vm_set_inheritance_errors(void)
{
    make_numbered();
    REFUSED(ERR_INVALID_ARGS, vm_set_inheritance(program, SPOT, PAGE, 3));
    REFUSED(ERR_INVALID_ARGS, vm_set_inheritance(program, SPOT, PAGE, -1));
    REFUSED(ERR_INVALID_ARGS, vm_set_inheritance(program, SPOT, 0, VM_INHERIT_NONE));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_set_inheritance(program, SPOT + 1, PAGE, VM_INHERIT_NONE));
    REFUSED(ERR_VM_BAD_ADDRESS, vm_set_inheritance(program, SPOT, SIM_USER_END, VM_INHERIT_NONE));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_set_inheritance(0, SPOT, PAGE, VM_INHERIT_NONE));
}

UNIT_MAIN("forks", TEST(test_vm_copy_aspace_child_sees_parent),
          TEST(test_vm_copy_aspace_parent_writes), TEST(test_vm_copy_aspace_child_writes),
          TEST(test_vm_copy_aspace_both_write),
          TEST(test_vm_copy_aspace_untouched_page_is_zero_for_both),
          TEST(test_vm_copy_aspace_parent_exits_first), TEST(test_vm_copy_aspace_grandchildren),
          TEST(test_vm_copy_aspace_siblings), TEST(test_vm_copy_aspace_last_owner_reuses_page),
          TEST(test_vm_copy_aspace_chain_merges_when_child_exits),
          TEST(test_vm_copy_aspace_fork_loop_keeps_chain_short),
          TEST(test_vm_copy_aspace_chain_of_heirs_keeps_chain_short),
          TEST(test_vm_copy_aspace_deep_chain_ends_without_recursion),
          TEST(test_vm_copy_aspace_shared_region), TEST(test_vm_copy_aspace_shared_file),
          TEST(test_vm_copy_aspace_private_file), TEST(test_vm_copy_aspace_without_memory_promises),
          TEST(test_vm_copy_aspace_errors), TEST(test_vm_copy_aspace_wiring_is_not_inherited),
          TEST(test_vm_copy_aspace_keeps_protection_and_names),
          TEST(test_vm_copy_aspace_charges_the_copy), TEST(test_vm_copy_aspace_of_many_regions),
          TEST(test_vm_copy_aspace_split_region), TEST(test_vm_copy_aspace_twice_then_unmap_parent),
          TEST(test_vm_set_inheritance_none), TEST(test_vm_set_inheritance_share),
          TEST(test_vm_set_inheritance_back_to_copy), TEST(test_vm_set_inheritance_errors))
