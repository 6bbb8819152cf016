/* SPDX-License-Identifier: MIT */
/* vspaces and vregions: the list, the places, faults, the end. */
#include "support.h"

static struct memobj_anon object;
static struct vregion regions[4];
static struct capref frame;

/* An object of eight pages, filled with one frame. */
static void make_object(void)
{
    frame = new_frame(8, 1);
    OK(memobj_create_anon(&object, PAGES(8), 0));
    OK(object.m.f.fill(&object.m, 0, frame, PAGES(8)));
}

static void destroy_object(void)
{
    OK(memobj_destroy_anon(&object.m, true));
}

static void map_at(struct vregion *vregion, genvaddr_t base, size_t pages, size_t first_page,
                   vregion_flags_t flags)
{
    OK(vregion_map_fixed(vregion, CURRENT, &object.m, PAGES(first_page), PAGES(pages), base,
                         flags));
}

/* ---- the list ---- */

static void test_vspace_add_vregion_keeps_order(void)
{
    make_object();
    map_at(&regions[0], SPOT + PAGES(4), 2, 0, RW);
    map_at(&regions[1], SPOT, 2, 0, RW);
    map_at(&regions[2], SPOT + PAGES(8), 2, 0, RW);
    map_at(&regions[3], SPOT + PAGES(2), 2, 0, RW);
    assert_list(CURRENT, 4, &regions[1], &regions[3], &regions[0], &regions[2]);
    OK(vregion_destroy(&regions[3]));
    assert_list(CURRENT, 3, &regions[1], &regions[0], &regions[2]);
    OK(vregion_destroy(&regions[2]));
    OK(vregion_destroy(&regions[1]));
    assert_list(CURRENT, 1, &regions[0]);
    OK(vregion_destroy(&regions[0]));
    assert_list(CURRENT, 0);
    destroy_object();
}

static void test_vspace_add_vregion_overlap(void)
{
    struct vregion other;
    make_object();
    map_at(&regions[0], SPOT + PAGES(2), 4, 0, RW);
    for (size_t first = 0; first < 7; first++) {
        errval_t error =
            vregion_map_fixed(&other, CURRENT, &object.m, 0, PAGES(2), SPOT + PAGES(first), RW);
        if (first == 0 || first == 6) {
            OK(error);
            OK(vregion_destroy(&other));
        } else {
            FAILS(LIB_ERR_VSPACE_ADD_REGION, error);
            FAILS(LIB_ERR_VSPACE_REGION_OVERLAP, err_pop(error));
            assert_list(CURRENT, 1, &regions[0]);
        }
    }
    destroy_object();
}

static void test_vspace_add_vregion_without_object(void)
{
    regions[0] = (struct vregion){.base = SPOT, .size = PAGES(2)};
    OK(vspace_add_vregion(CURRENT, &regions[0]));
    assert_list(CURRENT, 1, &regions[0]);
    assert_int_equal(machine_read(SPOT), ERR_VM_PF_FATAL);
    make_object();
    FAILS(LIB_ERR_VSPACE_ADD_REGION,
          vregion_map_fixed(&regions[1], CURRENT, &object.m, 0, PAGE, SPOT + PAGE, RW));
    FAILS(LIB_ERR_VREGION_PAGEFAULT_HANDLER, vspace_pagefault_handler(CURRENT, SPOT, PAGEFLT_READ));
    OK(vspace_remove_vregion(CURRENT, &regions[0]));
    FAILS(LIB_ERR_VSPACE_VREGION_NOT_FOUND, vspace_remove_vregion(CURRENT, &regions[0]));
    destroy_object();
}

static void test_vspace_add_vregion_errors(void)
{
    make_object();
    struct vregion vregion = {.base = SPOT, .size = PAGE, .memobj = &object.m, .flags = RW};
    FAILS(LIB_ERR_INVALID_ARGS, vspace_add_vregion(NULL, &vregion));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_add_vregion(CURRENT, NULL));
    vregion.size = 0;
    FAILS(LIB_ERR_INVALID_ARGS, vspace_add_vregion(CURRENT, &vregion));
    vregion.size = SIZE_MAX;
    FAILS(LIB_ERR_INVALID_ARGS, vspace_add_vregion(CURRENT, &vregion));
    vregion.size = PAGE;
    vregion.base = SPOT + 1;
    FAILS(LIB_ERR_VREGION_BAD_ALIGNMENT, vspace_add_vregion(CURRENT, &vregion));
    vregion.base = SPOT;
    vregion.offset = 1;
    FAILS(LIB_ERR_VREGION_BAD_ALIGNMENT, vspace_add_vregion(CURRENT, &vregion));
    vregion.offset = PAGES(8);
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, vspace_add_vregion(CURRENT, &vregion));
    vregion.offset = PAGES(7);
    vregion.size = PAGE + 1;
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, vspace_add_vregion(CURRENT, &vregion));
    vregion.size = PAGE;
    vregion.base = machine_user_base() + machine_user_size();
    FAILS(QUIRE_ERR_BAD_ADDRESS, vspace_add_vregion(CURRENT, &vregion));
    assert_list(CURRENT, 0);
    destroy_object();
}

static void test_vspace_remove_vregion_errors(void)
{
    struct vspace other = {0};
    make_object();
    map_at(&regions[0], SPOT, 2, 0, RW);
    FAILS(LIB_ERR_INVALID_ARGS, vspace_remove_vregion(NULL, &regions[0]));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_remove_vregion(CURRENT, NULL));
    FAILS(LIB_ERR_VSPACE_VREGION_NOT_FOUND, vspace_remove_vregion(&other, &regions[0]));
    regions[1] = (struct vregion){0};
    FAILS(LIB_ERR_VSPACE_VREGION_NOT_FOUND, vspace_remove_vregion(CURRENT, &regions[1]));
    assert_list(CURRENT, 1, &regions[0]);
    destroy_object();
}

/* ---- lookup ---- */

static void test_vspace_get_region(void)
{
    make_object();
    map_at(&regions[0], SPOT, 2, 0, RW);
    map_at(&regions[1], SPOT + PAGES(2), 2, 0, RO);
    assert_null(vspace_get_region(CURRENT, (void *)(SPOT - 1)));
    assert_ptr_equal(vspace_get_region(CURRENT, (void *)SPOT), &regions[0]);
    assert_ptr_equal(vspace_get_region(CURRENT, (void *)(SPOT + PAGES(2) - 1)), &regions[0]);
    assert_ptr_equal(vspace_get_region(CURRENT, (void *)(SPOT + PAGES(2))), &regions[1]);
    assert_null(vspace_get_region(CURRENT, (void *)(SPOT + PAGES(4))));
    assert_null(vspace_get_region(CURRENT, NULL));
    assert_null(vspace_get_region(NULL, (void *)SPOT));
    /* A part with other rights is of the same vregion. */
    OK(object.m.f.protect(&object.m, &regions[0], PAGE, PAGE, RO));
    assert_ptr_equal(vspace_get_region(CURRENT, (void *)SPOT), &regions[0]);
    assert_ptr_equal(vspace_get_region(CURRENT, (void *)(SPOT + PAGE)), &regions[0]);
    destroy_object();
}

static void test_vspace_layout_moves_addresses(void)
{
    make_object();
    map_at(&regions[0], SPOT, 2, 0, RW);
    CURRENT->layout.offset = SPOT;
    assert_ptr_equal(vspace_get_region(CURRENT, NULL), &regions[0]);
    assert_int_equal(vspace_lvaddr_to_genvaddr(PAGE), SPOT + PAGE);
    assert_int_equal(vspace_genvaddr_to_lvaddr(SPOT + PAGE), PAGE);
    OK(vspace_pagefault_handler(CURRENT, PAGE, PAGEFLT_READ));
    CURRENT->layout.offset = 0;
    assert_int_equal(vspace_lvaddr_to_genvaddr(PAGE), PAGE);
    FAILS(LIB_ERR_INVALID_ARGS, vspace_layout_init(NULL));
    destroy_object();
}

/* ---- vregion_map ---- */

static void test_vregion_map(void)
{
    make_object();
    OK(vregion_map(&regions[0], CURRENT, &object.m, PAGES(3), PAGES(2) - 5, RW));
    assert_ptr_equal(vregion_get_vspace(&regions[0]), CURRENT);
    assert_ptr_equal(vregion_get_memobj(&regions[0]), &object.m);
    assert_int_equal(vregion_get_offset(&regions[0]), PAGES(3));
    assert_int_equal(vregion_get_size(&regions[0]), PAGES(2));
    assert_int_equal(vregion_get_flags(&regions[0]), RW);
    assert_numbered(vregion_get_base_addr(&regions[0]), 2, 4);
    assert_int_equal(machine_write(regions[0].base + PAGE, 77), 0);
    assert_int_equal(frame_byte(frame, 4), 77);
    destroy_object();
}

static void test_vregion_map_aligned(void)
{
    make_object();
    for (size_t alignment = PAGE; alignment <= 64 * PAGE; alignment *= 2) {
        OK(vregion_map_aligned(&regions[0], CURRENT, &object.m, 0, PAGES(8), RW, alignment));
        assert_int_equal(regions[0].base % alignment, 0);
        assert_numbered(regions[0].base, 8, 1);
        OK(vregion_destroy(&regions[0]));
    }
    OK(vregion_map(&regions[0], CURRENT, &object.m, 0, PAGE, RW | VREGION_FLAGS_LARGE));
    assert_int_equal(regions[0].base % LARGE_PAGE_SIZE, 0);
    OK(vregion_map(&regions[1], CURRENT, &object.m, 0, PAGE, RW | VREGION_FLAGS_HUGE));
    assert_int_equal(regions[1].base % HUGE_PAGE_SIZE, 0);
    FAILS(LIB_ERR_VREGION_BAD_ALIGNMENT,
          vregion_map_aligned(&regions[2], CURRENT, &object.m, 0, PAGE, RW, 3 * PAGE));
    destroy_object();
}

static void test_vregion_map_errors(void)
{
    struct vregion *r = &regions[0];
    struct vspace nowhere = {0};
    make_object();
    FAILS(LIB_ERR_INVALID_ARGS, vregion_map(NULL, CURRENT, &object.m, 0, PAGE, RW));
    FAILS(LIB_ERR_INVALID_ARGS, vregion_map(r, NULL, &object.m, 0, PAGE, RW));
    FAILS(LIB_ERR_INVALID_ARGS, vregion_map(r, &nowhere, &object.m, 0, PAGE, RW));
    FAILS(LIB_ERR_INVALID_ARGS, vregion_map(r, CURRENT, NULL, 0, PAGE, RW));
    FAILS(LIB_ERR_INVALID_ARGS, vregion_map(r, CURRENT, &object.m, 0, 0, RW));
    FAILS(LIB_ERR_INVALID_ARGS, vregion_map(r, CURRENT, &object.m, 0, SIZE_MAX, RW));
    FAILS(LIB_ERR_INVALID_ARGS, vregion_map(r, CURRENT, &object.m, 0, PAGE, 0x400));
    FAILS(LIB_ERR_VSPACE_ADD_REGION, vregion_map(r, CURRENT, &object.m, 0, PAGES(9), RW));
    FAILS(LIB_ERR_VSPACE_ADD_REGION, vregion_map(r, CURRENT, &object.m, PAGE + 1, PAGE, RW));
    FAILS(LIB_ERR_PMAP_DETERMINE_ADDR,
          vregion_map_aligned(r, CURRENT, &object.m, 0, PAGE, RW, (size_t)1 << 60));
    FAILS(LIB_ERR_VREGION_BAD_ALIGNMENT,
          vregion_map_fixed(r, CURRENT, &object.m, 0, PAGE, SPOT + 8, RW));
    FAILS(LIB_ERR_INVALID_ARGS, vregion_map_fixed(r, CURRENT, &object.m, 0, 0, SPOT, RW));
    FAILS(LIB_ERR_VREGION_NOT_FOUND, vregion_destroy(r));
    OK(vregion_destroy(NULL));
    assert_list(CURRENT, 0);
    destroy_object();
}

static void test_vregion_destroy(void)
{
    make_object();
    map_at(&regions[0], SPOT, 2, 0, RW);
    map_at(&regions[1], 2 * SPOT, 2, 0, RW);
    assert_numbered(SPOT, 2, 1);
    OK(vregion_destroy(&regions[0]));
    assert_int_equal(machine_read(SPOT), ERR_VM_PF_BAD_ADDRESS);
    assert_numbered(2 * SPOT, 2, 1);
    FAILS(LIB_ERR_VREGION_NOT_FOUND, vregion_destroy(&regions[0]));
    FAILS(LIB_ERR_VSPACE_VREGION_NOT_FOUND,
          object.m.f.pagefault(&object.m, &regions[0], 0, PAGEFLT_READ));
    destroy_object();
    assert_list(CURRENT, 0);
}

/* ---- rights ---- */

static void test_flags_are_rights(void)
{
    static const struct {
        vregion_flags_t flags;
        bool read, write, execute;
    } cases[] = {
        {VREGION_FLAGS_NONE, false, false, false},
        {VREGION_FLAGS_READ, true, false, false},
        {VREGION_FLAGS_READ_WRITE, true, true, false},
        {VREGION_FLAGS_READ_EXECUTE, true, false, true},
        {VREGION_FLAGS_READ_WRITE | VREGION_FLAGS_EXECUTE, true, true, true},
        {VREGION_FLAGS_READ_WRITE | VREGION_FLAGS_GUARD, false, false, false},
        {VREGION_FLAGS_READ_WRITE_NOCACHE, true, true, false},
        {VREGION_FLAGS_READ_WRITE_MPB, true, true, false},
        {VREGION_FLAGS_READ | VREGION_FLAGS_NOCACHE, true, false, false},
        {VREGION_FLAGS_READ | VREGION_FLAGS_MPB, true, false, false},
        {VREGION_FLAGS_READ | VREGION_FLAGS_WRITE_COMBINING, true, false, false},
    };
    make_object();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        map_at(&regions[0], SPOT, 1, 0, cases[i].flags);
        assert_int_equal(machine_read(SPOT) >= 0, cases[i].read);
        assert_int_equal(machine_write(SPOT, 1) >= 0, cases[i].write);
        assert_int_equal(machine_execute(SPOT) >= 0, cases[i].execute);
        OK(vregion_destroy(&regions[0]));
    }
    destroy_object();
}

/* ---- faults ---- */

static void test_vspace_pagefault_handler(void)
{
    make_object();
    map_at(&regions[0], SPOT, 4, 4, RO);
    FAILS(LIB_ERR_VSPACE_PAGEFAULT_ADDR_NOT_FOUND,
          vspace_pagefault_handler(CURRENT, SPOT - 1, PAGEFLT_READ));
    FAILS(LIB_ERR_VSPACE_PAGEFAULT_ADDR_NOT_FOUND,
          vspace_pagefault_handler(CURRENT, SPOT + PAGES(4), PAGEFLT_READ));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_pagefault_handler(NULL, SPOT, PAGEFLT_READ));
    OK(vspace_pagefault_handler(CURRENT, SPOT + PAGES(3) + 5, PAGEFLT_READ));
    OK(vspace_pagefault_handler(CURRENT, SPOT + PAGES(3) + 5, PAGEFLT_READ)); /* once more */
    OK(vspace_pagefault_handler(CURRENT, SPOT, PAGEFLT_NULL));
    uint64_t faults = machine_faults();
    assert_numbered(SPOT, 4, 5);
    assert_int_equal(machine_faults(), faults);
    errval_t error = vspace_pagefault_handler(CURRENT, SPOT, PAGEFLT_WRITE);
    FAILS(LIB_ERR_VREGION_PAGEFAULT_HANDLER, error);
    assert_true(err_has(error, LIB_ERR_MEMOBJ_PAGEFAULT_HANDLER));
    assert_true(err_has(error, QUIRE_ERR_PF_BAD_PERM));
    FAILS(LIB_ERR_VREGION_PAGEFAULT_HANDLER, vspace_pagefault_handler(CURRENT, SPOT, PAGEFLT_EXEC));
    FAILS(LIB_ERR_INVALID_ARGS, err_pop(vspace_pagefault_handler(CURRENT, SPOT, 4)));
    destroy_object();
}

static void test_vregion_pagefault_handler(void)
{
    make_object();
    map_at(&regions[0], SPOT, 2, 6, RW);
    OK(vregion_pagefault_handler(&regions[0], SPOT + PAGE, PAGEFLT_WRITE));
    FAILS(LIB_ERR_VREGION_NOT_FOUND,
          vregion_pagefault_handler(&regions[0], SPOT + PAGES(2), PAGEFLT_READ));
    FAILS(LIB_ERR_VREGION_NOT_FOUND,
          vregion_pagefault_handler(&regions[0], SPOT - 1, PAGEFLT_READ));
    FAILS(LIB_ERR_INVALID_ARGS, vregion_pagefault_handler(NULL, SPOT, PAGEFLT_READ));
    destroy_object();
}

/* What was not filled is an error for the thread, and never a page of zeros. */
static void test_fault_on_what_is_not_filled(void)
{
    OK(memobj_create_anon(&object, PAGES(8), 0));
    map_at(&regions[0], SPOT, 8, 0, RW);
    assert_nothing(SPOT, 8);
    errval_t error = vspace_pagefault_handler(CURRENT, SPOT, PAGEFLT_READ);
    FAILS(LIB_ERR_VREGION_PAGEFAULT_HANDLER, error);
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, err_pop(error));
    FAILS(SYS_ERR_OK, err_pop(err_pop(error)));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET,
          err_pop(vspace_pagefault_handler(CURRENT, SPOT, PAGEFLT_NULL)));
    OK(object.m.f.fill(&object.m, PAGES(2), new_frame(1, 9), PAGE));
    assert_nothing(SPOT, 2);
    assert_numbered(SPOT + PAGES(2), 1, 9);
    assert_nothing(SPOT + PAGES(3), 5);
    destroy_object();
}

static bool fill_and_retry(addr_t address, unsigned access)
{
    struct vregion *vregion = vspace_get_region(CURRENT, (void *)address);
    if (!vregion)
        return false;
    genvaddr_t offset = vregion->offset + (address - vregion->base);
    offset &= ~VM_PAGE_MASK;
    OK(vregion->memobj->f.fill(vregion->memobj, offset, new_frame(1, (uint8_t)(offset / PAGE)),
                               PAGE));
    return err_is_ok(vspace_pagefault_handler(
        CURRENT, address, access & VM_ACCESS_WRITE ? PAGEFLT_WRITE : PAGEFLT_READ));
}

/* A thread that faults fills what it misses and goes on. */
static void test_self_paging(void)
{
    OK(memobj_create_anon(&object, PAGES(64), 0));
    map_at(&regions[0], SPOT, 32, 16, RW);
    machine_set_handler(fill_and_retry);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(machine_read(SPOT + PAGES(i * 7 % 32) + 0), 16 + i * 7 % 32);
    assert_int_equal(machine_write(SPOT, 3), 0);
    assert_int_equal(machine_read(SPOT), 3);
    assert_int_equal(machine_read(2 * SPOT), ERR_VM_PF_BAD_ADDRESS);
    machine_set_handler(NULL);
    destroy_object();
}

/* ---- beginning and ending ---- */

static void test_vspace_current_init_errors(void)
{
    aspace_id program = machine_program();
    FAILS(LIB_ERR_VSPACE_CURRENT_INIT, vspace_current_init(true));
    OK(vspace_current_init(false));
    assert_ptr_equal(vspace_get_pmap(CURRENT), get_current_pmap());
    machine_leave();
    FAILS(LIB_ERR_VSPACE_CURRENT_INIT, vspace_current_init(false));
    FAILS(LIB_ERR_PMAP_CURRENT_INIT, vspace_current_init(true));
    assert_null(CURRENT);
    assert_null(get_current_pmap());
    assert_int_equal(vspace_lvaddr_to_genvaddr(5), 5);
    assert_int_equal(vspace_genvaddr_to_lvaddr(5), 5);
    FAILS(LIB_ERR_VSPACE_PINNED_INIT, vspace_pinned_init());
    machine_enter(program);
}

static void test_current_of_several_programs(void)
{
    aspace_id first = machine_program(), second = machine_new_program();
    const struct vspace *vspace = CURRENT;
    assert_null(vspace);
    OK(vspace_current_init(true));
    vspace = CURRENT;
    machine_enter(first);
    assert_true(CURRENT && CURRENT != vspace);
    machine_enter(second);
    assert_ptr_equal(CURRENT, vspace);
    OK(vspace_destroy(CURRENT));
    machine_enter(first);
    machine_end_program(second);
}

static void test_vspace_init_and_destroy(void)
{
    struct vspace vspace, other;
    struct pmap pmap;
    aspace_id before = machine_program();
    make_object();
    FAILS(LIB_ERR_PMAP_INIT, pmap_create(&pmap, &vspace, 1, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, pmap_create(NULL, &vspace, SPOT, PAGES(64)));
    OK(pmap_create(&pmap, &vspace, SPOT, PAGES(64)));
    FAILS(LIB_ERR_VSPACE_INIT, vspace_init(&other, &pmap));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_init(NULL, &pmap));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_init(&vspace, NULL));
    OK(vspace_init(&vspace, &pmap));
    OK(vregion_map(&regions[0], &vspace, &object.m, 0, PAGES(8), RW));
    OK(pmap.f.map(&pmap, SPOT + PAGES(32), frame, 0, PAGE, RW, NULL, NULL));
    machine_enter(pmap.aid);
    assert_numbered(regions[0].base, 8, 1);
    assert_numbered(SPOT + PAGES(32), 1, 1);
    machine_enter(before);
    OK(vspace_destroy(&vspace));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_destroy(&vspace));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_destroy(NULL));
    FAILS(LIB_ERR_VSPACE_VREGION_NOT_FOUND, vspace_remove_vregion(&vspace, &regions[0]));
    assert_null(vspace_get_region(&vspace, (void *)SPOT));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_pagefault_handler(&vspace, SPOT, PAGEFLT_READ));
    FAILS(LIB_ERR_VREGION_NOT_FOUND, vregion_destroy(&regions[0]));
    destroy_object();
}

/* What else is in the address space stays. */
static void test_vspace_destroy_leaves_the_rest(void)
{
    void *at = (void *)(4 * SPOT);
    make_object();
    region_id id = vm_create_anonymous_region(machine_program(), "own", &at,
                                              REGION_ADDR_EXACT_ADDRESS, PAGE, 0, LOCK_RW);
    assert_true(id > 0);
    assert_int_equal(machine_write(4 * SPOT, 5), 0);
    map_at(&regions[0], SPOT, 1, 0, RW);
    assert_null(vspace_get_region(CURRENT, at));
    OK(vspace_destroy(CURRENT));
    assert_int_equal(machine_read(SPOT), ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(machine_read(4 * SPOT), 5);
    assert_int_equal(vm_delete_region(machine_program(), id), VM_OK);
    OK(vspace_current_init(true));
    destroy_object();
}

VSPACE_MAIN("vspace and vregion", TEST(test_vspace_add_vregion_keeps_order),
            TEST(test_vspace_add_vregion_overlap), TEST(test_vspace_add_vregion_without_object),
            TEST(test_vspace_add_vregion_errors), TEST(test_vspace_remove_vregion_errors),
            TEST(test_vspace_get_region), TEST(test_vspace_layout_moves_addresses),
            TEST(test_vregion_map), TEST(test_vregion_map_aligned), TEST(test_vregion_map_errors),
            TEST(test_vregion_destroy), TEST(test_flags_are_rights),
            TEST(test_vspace_pagefault_handler), TEST(test_vregion_pagefault_handler),
            TEST(test_fault_on_what_is_not_filled), TEST(test_self_paging),
            TEST(test_vspace_current_init_errors), TEST(test_current_of_several_programs),
            TEST(test_vspace_init_and_destroy), TEST(test_vspace_destroy_leaves_the_rest))
