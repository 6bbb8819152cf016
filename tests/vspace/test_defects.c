/* SPDX-License-Identifier: MIT */
/* Defects of Barrelfish's vspace, vregion, memobj and pmap that a layer with the same interface could have.
 * The list is in docs/testing.md; the tests of those that the core alone could have are in
 * tests/unit/test_barrelfish.c. */
#include "support.h"

static struct memobj_anon anon;
static struct vregion regions[3];
static struct capref frame;

static void make_anon(size_t pages)
{
    frame = new_frame(pages, 1);
    OK(memobj_create_anon(&anon, PAGES(pages), 0));
}

static void map_at(struct vregion *vregion, struct memobj *memobj, genvaddr_t base, size_t pages,
                   size_t first)
{
    OK(vregion_map_fixed(vregion, CURRENT, memobj, PAGES(first), PAGES(pages), base, RW));
}

/* ---- offsets ---- */

/* A vregion at an offset shows, faults, protects and pins what is there, by every way. */
static void test_barrelfish_vregions_at_an_offset(void)
{
    make_anon(8);
    for (size_t i = 0; i < 8; i++)
        OK(anon.m.f.fill_foff(&anon.m, PAGES(i), frame, PAGE, PAGES(i)));
    map_at(&regions[0], &anon.m, SPOT, 3, 4);
    assert_numbered(SPOT, 3, 5);
    assert_int_equal(machine_read(SPOT + PAGES(3)), ERR_VM_PF_BAD_ADDRESS);
    map_at(&regions[1], &anon.m, 2 * SPOT, 3, 5);
    OK(vspace_pagefault_handler(CURRENT, 2 * SPOT + PAGE, PAGEFLT_READ));
    struct pmap_mapping_info info;
    OK(get_current_pmap()->f.lookup(get_current_pmap(), 2 * SPOT + PAGE, &info));
    assert_int_equal(info.offset, PAGES(6));
    FAILS(LIB_ERR_PMAP_FIND_VNODE,
          get_current_pmap()->f.lookup(get_current_pmap(), 2 * SPOT, NULL));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET,
          anon.m.f.pagefault(&anon.m, &regions[1], PAGE, PAGEFLT_READ));
    OK(anon.m.f.pagefault(&anon.m, &regions[1], PAGES(5), PAGEFLT_READ));
    OK(anon.m.f.protect(&anon.m, &regions[1], PAGES(6), PAGE, RO));
    assert_int_equal(machine_write(2 * SPOT, 6), 0);
    assert_int_equal(machine_write(2 * SPOT + PAGE, 7), ERR_VM_PF_BAD_PERM);
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, anon.m.f.pin(&anon.m, &regions[1], PAGES(4), PAGE));
    OK(anon.m.f.pin(&anon.m, &regions[1], PAGES(7), PAGE));
    FAILS(LIB_ERR_MEMOBJ_PIN_REGION, anon.m.f.unfill(&anon.m, PAGES(7), NULL, NULL));
    OK(anon.m.f.unfill(&anon.m, PAGES(5), NULL, NULL));
    assert_nothing(SPOT + PAGE, 1);
    assert_nothing(2 * SPOT, 1);
    assert_numbered(SPOT, 1, 5);
    OK(memobj_destroy_anon(&anon.m, true));
}

/* Translation goes by the vspace's own layout, not by the running one's. */
static void test_barrelfish_layout_of_the_right_vspace(void)
{
    struct vspace vspace;
    struct pmap pmap;
    make_anon(1);
    OK(pmap_create(&pmap, &vspace, machine_user_base(), machine_user_size()));
    OK(vspace_init(&vspace, &pmap));
    vspace.layout.offset = SPOT;
    OK(anon.m.f.fill(&anon.m, 0, frame, 0));
    OK(vregion_map_fixed(&regions[0], &vspace, &anon.m, 0, PAGE, SPOT + PAGE, RW));
    assert_ptr_equal(vspace_get_region(&vspace, (void *)PAGE), &regions[0]);
    assert_null(vspace_get_region(&vspace, (void *)(SPOT + PAGE)));
    assert_null(vspace_get_region(CURRENT, (void *)PAGE));
    OK(vspace_pagefault_handler(&vspace, PAGE + 5, PAGEFLT_READ));
    OK(vspace_destroy(&vspace));
    OK(memobj_destroy_anon(&anon.m, true));
}

/* ---- unmapping ---- */

/* Frames before, across, in and behind the region; holes; none at all: unmapping ends, and is complete. */
static void test_barrelfish_unmapping_whatever_is_filled(void)
{
    for (unsigned filled = 0; filled < 64; filled++) {
        make_anon(6);
        for (size_t i = 0; i < 6; i++)
            if (filled & 1u << i)
                OK(anon.m.f.fill_foff(&anon.m, PAGES(i), frame, PAGE, PAGES(i)));
        map_at(&regions[0], &anon.m, SPOT, 2, 2);
        map_at(&regions[1], &anon.m, SPOT + PAGES(2), 6, 0);
        for (size_t i = 0; i < 8; i++)
            (void)machine_read(SPOT + PAGES(i));
        OK(vregion_destroy(&regions[0]));
        assert_list(CURRENT, 1, &regions[1]);
        for (size_t i = 0; i < 6; i++)
            assert_int_equal(machine_read(SPOT + PAGES(2 + i)),
                             filled & 1u << i ? (int)i + 1 : ERR_NOT_FOUND);
        OK(vregion_destroy(&regions[1]));
        assert_int_equal(machine_read(SPOT + PAGES(4)), ERR_VM_PF_BAD_ADDRESS);
        OK(memobj_destroy_anon(&anon.m, filled != 0));
        if (filled == 0)
            OK(cap_destroy(frame));
    }
}

/* One frame across the borders of regions. */
static void test_barrelfish_a_frame_larger_than_its_region(void)
{
    make_anon(8);
    OK(anon.m.f.fill(&anon.m, 0, frame, 0));
    map_at(&regions[0], &anon.m, SPOT, 2, 3);
    map_at(&regions[1], &anon.m, SPOT + PAGES(2), 2, 0);
    assert_numbered(SPOT, 2, 4);
    assert_numbered(SPOT + PAGES(2), 2, 1);
    assert_int_equal(machine_read(SPOT + PAGES(4)), ERR_VM_PF_BAD_ADDRESS);
    OK(vregion_destroy(&regions[0]));
    assert_numbered(SPOT + PAGES(2), 2, 1);
    OK(memobj_destroy_anon(&anon.m, true));
}

/* Whichever of its regions goes, an object of one frame stays for the others. */
static void test_barrelfish_one_frame_stays_for_the_others(void)
{
    static struct memobj_one_frame one;
    frame = new_frame(2, 1);
    for (unsigned first = 0; first < 3; first++) {
        OK(memobj_create_one_frame(&one, PAGES(2), 0));
        OK(one.m.f.fill(&one.m, 0, frame, 0));
        for (size_t i = 0; i < 3; i++)
            map_at(&regions[i], &one.m, SPOT + PAGES(2 * i), 2, 0);
        assert_numbered(SPOT, 2, 1);
        for (unsigned i = 0; i < 3; i++) {
            OK(vregion_destroy(&regions[(first + i) % 3]));
            for (unsigned j = i + 1; j < 3; j++)
                assert_numbered(SPOT + PAGES(2 * ((first + j) % 3)), 2, 1);
        }
        OK(memobj_destroy_one_frame(&one.m));
    }
    OK(cap_destroy(frame));
}

/* A part of what was mapped is unmapped, and it is said how much. */
static void test_barrelfish_pmap_unmaps_another_count(void)
{
    struct pmap *pmap = get_current_pmap();
    size_t size;
    frame = new_frame(8, 1);
    OK(pmap->f.map(pmap, SPOT, frame, 0, PAGES(8), RW, NULL, NULL));
    OK(pmap->f.unmap(pmap, SPOT + PAGES(2), PAGES(3), &size));
    assert_int_equal(size, PAGES(3));
    assert_numbered(SPOT, 2, 1);
    for (size_t i = 2; i < 5; i++)
        assert_int_equal(machine_read(SPOT + PAGES(i)), ERR_VM_PF_BAD_ADDRESS);
    assert_numbered(SPOT + PAGES(5), 3, 6);
    OK(pmap->f.unmap(pmap, SPOT, PAGES(64), &size));
    assert_int_equal(size, PAGES(5));
    OK(cap_destroy(frame));
}

/* No region where one is to be unmapped is an error; what a helper made is freed. */
static void test_barrelfish_vspace_unmap_frees(void)
{
    void *at;
    frame = new_frame(1, 1);
    FAILS(LIB_ERR_VSPACE_VREGION_NOT_FOUND, vspace_unmap((void *)SPOT));
    size_t before = machine_metadata_bytes();
    for (unsigned i = 0; i < 100; i++) {
        OK(vspace_map_one_frame(&at, PAGE, frame, NULL, NULL));
        OK(vspace_unmap(at));
    }
    assert_true(machine_metadata_bytes() <= before + 2048);
    OK(cap_destroy(frame));
}

/* ---- places ---- */

/* A hole that fits the region exactly is a place, however large the object is. */
static void test_barrelfish_exact_fit_of_a_vregion(void)
{
    struct pmap *pmap = get_current_pmap();
    make_anon(8);
    OK(anon.m.f.fill(&anon.m, 0, frame, 0));
    pmap->min_mappable_va = SPOT;
    pmap->max_mappable_va = SPOT + PAGES(6);
    map_at(&regions[0], &anon.m, SPOT + PAGES(2), 2, 0);
    OK(vregion_map(&regions[1], CURRENT, &anon.m, PAGES(1), PAGES(2), RW));
    assert_int_equal(regions[1].base, SPOT);
    OK(vregion_map(&regions[2], CURRENT, &anon.m, PAGES(2), PAGES(2), RW));
    assert_int_equal(regions[2].base, SPOT + PAGES(4));
    struct vregion none;
    FAILS(LIB_ERR_PMAP_DETERMINE_ADDR, vregion_map(&none, CURRENT, &anon.m, 0, PAGE, RW));
    assert_list(CURRENT, 3, &regions[1], &regions[0], &regions[2]);
    OK(memobj_destroy_anon(&anon.m, true));
}

/* An empty vspace has room. */
static void test_barrelfish_map_into_an_empty_vspace(void)
{
    struct vspace vspace;
    struct pmap pmap;
    make_anon(2);
    OK(pmap_create(&pmap, &vspace, SPOT, PAGES(2)));
    OK(vspace_init(&vspace, &pmap));
    OK(vregion_map(&regions[0], &vspace, &anon.m, 0, PAGES(2), RW));
    assert_int_equal(regions[0].base, SPOT);
    OK(vspace_destroy(&vspace)); /* which Barrelfish never wrote */
    OK(memobj_destroy_anon(&anon.m, false));
    OK(cap_destroy(frame));
}

static struct vregion thousands[3000];

/* Thousands of vregions, in any order, are in order, and found. */
static void test_barrelfish_thousands_of_vregions(void)
{
    enum { COUNT = sizeof(thousands) / sizeof(thousands[0]) };
    make_anon(1);
    OK(anon.m.f.fill(&anon.m, 0, frame, 0));
    for (size_t i = 0; i < COUNT; i++)
        map_at(&thousands[i], &anon.m, SPOT + PAGES(2 * (i * 1237 % COUNT)), 1, 0);
    const struct vregion *at = CURRENT->head;
    for (size_t i = 0; i < COUNT; i++, at = at->next) {
        assert_int_equal(at->base, SPOT + PAGES(2 * i));
        assert_ptr_equal(vspace_get_region(CURRENT, (void *)at->base), at);
        assert_null(vspace_get_region(CURRENT, (void *)(at->base + PAGE)));
    }
    assert_null(at);
    OK(memobj_destroy_anon(&anon.m, true));
    assert_list(CURRENT, 0);
}

/* ---- rights ---- */

/* Guards guard: not even what was filled and readable before is. */
static void test_barrelfish_guard_regions_guard(void)
{
    static const vregion_flags_t guards[] = {VREGION_FLAGS_NONE, VREGION_FLAGS_GUARD,
                                             VREGION_FLAGS_GUARD | RW};
    make_anon(2);
    OK(anon.m.f.fill(&anon.m, 0, frame, 0));
    for (size_t i = 0; i < 3; i++) {
        OK(vregion_map_fixed(&regions[0], CURRENT, &anon.m, 0, PAGES(2), SPOT, guards[i]));
        assert_true(machine_read(SPOT) < 0 && machine_write(SPOT, 1) < 0);
        FAILS(LIB_ERR_VREGION_PAGEFAULT_HANDLER,
              vspace_pagefault_handler(CURRENT, SPOT, PAGEFLT_READ));
        FAILS(LIB_ERR_PMAP_FIND_VNODE,
              get_current_pmap()->f.lookup(get_current_pmap(), SPOT, NULL));
        OK(anon.m.f.protect(&anon.m, &regions[0], 0, PAGES(2), RO));
        assert_numbered(SPOT, 2, 1);
        OK(anon.m.f.protect(&anon.m, &regions[0], 0, PAGES(2), guards[i]));
        assert_true(machine_read(SPOT) < 0);
        OK(vregion_destroy(&regions[0]));
    }
    OK(memobj_destroy_anon(&anon.m, true));
}

/* The kind of access counts, and a page that is mapped may fault again. */
static void test_barrelfish_faults_look_at_the_access(void)
{
    make_anon(1);
    OK(anon.m.f.fill(&anon.m, 0, frame, 0));
    OK(vregion_map_fixed(&regions[0], CURRENT, &anon.m, 0, PAGE, SPOT, RO));
    for (unsigned i = 0; i < 2; i++) {
        OK(vspace_pagefault_handler(CURRENT, SPOT, PAGEFLT_READ));
        FAILS(LIB_ERR_VREGION_PAGEFAULT_HANDLER,
              vspace_pagefault_handler(CURRENT, SPOT, PAGEFLT_WRITE));
        FAILS(LIB_ERR_VREGION_PAGEFAULT_HANDLER,
              vspace_pagefault_handler(CURRENT, SPOT, PAGEFLT_EXEC));
    }
    OK(memobj_destroy_anon(&anon.m, true));
}

/* ---- memory ---- */

static bool no_memory;
static void *no_alloc(size_t size)
{
    return no_memory ? NULL : vm_meta_alloc(size);
}
static const struct vspace_allocator sometimes = {vm_meta_alloc, vm_meta_free, no_alloc,
                                                  vm_meta_free};

/* A refill that fails is one failure: the next try refills. */
static void test_barrelfish_one_failed_refill_disables_nothing(void)
{
    vspace_set_allocator(&sometimes);
    make_anon(64);
    size_t filled = 0;
    no_memory = true;
    while (err_is_ok(anon.m.f.fill_foff(&anon.m, PAGES(filled), frame, PAGE, PAGES(filled))))
        filled++;
    assert_int_equal(filled, MEMOBJ_FIRST_FRAMES + VSPACE_PINNED_UNIT);
    for (unsigned i = 0; i < 3; i++)
        FAILS(LIB_ERR_SLAB_REFILL, anon.m.f.fill(&anon.m, PAGES(60), frame, PAGE));
    no_memory = false;
    for (; filled < 64; filled++)
        OK(anon.m.f.fill_foff(&anon.m, PAGES(filled), frame, PAGE, PAGES(filled)));
    map_at(&regions[0], &anon.m, SPOT, 64, 0);
    assert_numbered(SPOT, 64, 1);
    OK(memobj_destroy_anon(&anon.m, true));
    vspace_set_allocator(NULL);
}

/* An append object faults in any order, and its end leaves nothing behind (machine_stop looks). */
static void test_barrelfish_append_faults_in_any_order(void)
{
    static struct memobj_append append;
    memset(&append, 0xa5, sizeof append);
    frame = new_frame(4, 1);
    OK(memobj_create_append(&append, PAGES(40), 0));
    for (size_t i = 0; i < 40; i++)
        OK(append.m.f.fill_foff(&append.m, PAGES(i), frame, PAGE, PAGES(i % 4)));
    map_at(&regions[0], &append.m, SPOT, 40, 0);
    for (size_t i = 40; i > 0; i--)
        assert_numbered(SPOT + PAGES(i - 1), 1, (uint8_t)(1 + (i - 1) % 4));
    OK(memobj_destroy_append(&append.m));
    OK(cap_destroy(frame));
}

/* All that a growing region gave can be given back, and other flags grow as well. */
static void test_barrelfish_mmu_aware_gives_all_back(void)
{
    static struct vspace_mmu_aware heap;
    static const vregion_flags_t flags[] = {RW, RW | VREGION_FLAGS_LARGE, RW | VREGION_FLAGS_HUGE};
    void *at;
    size_t size;
    for (size_t i = 0; i < 3; i++) {
        OK(vspace_mmu_aware_init_aligned(&heap, NULL, PAGES(1024), 0, flags[i]));
        for (unsigned round = 0; round < 3; round++) {
            OK(vspace_mmu_aware_map(&heap, PAGES(600), &at, &size));
            assert_int_equal((addr_t)at, heap.vregion.base);
            assert_int_equal(machine_write((addr_t)at + size - 1, 1), 0);
            OK(vspace_mmu_aware_unmap(&heap, (lvaddr_t)at, size));
            assert_int_equal(heap.mapoffset, 0);
        }
        OK(vspace_mmu_aware_destroy(&heap));
    }
}

/* ---- several spaces ---- */

/* A fork shows the object's frames, and no longer when they are taken out, or the object goes. */
static void test_barrelfish_forks_share_objects(void)
{
    aspace_id program = machine_program();
    make_anon(2);
    OK(anon.m.f.fill_foff(&anon.m, 0, frame, PAGE, 0));
    OK(anon.m.f.fill_foff(&anon.m, PAGE, frame, PAGE, PAGE));
    map_at(&regions[0], &anon.m, SPOT, 2, 0);
    assert_numbered(SPOT, 2, 1);
    aspace_id child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
    machine_enter(child);
    assert_null(CURRENT); /* a fork is no vspace yet */
    assert_numbered(SPOT, 2, 1);
    OK(anon.m.f.unfill(&anon.m, PAGE, NULL, NULL));
    assert_nothing(SPOT + PAGE, 1);
    OK(memobj_destroy_anon(&anon.m, true));
    assert_nothing(SPOT, 2);
    machine_enter(program);
    assert_int_equal(machine_read(SPOT), ERR_VM_PF_BAD_ADDRESS);
    machine_end_program(child);
}

VSPACE_MAIN("Barrelfish's defects in the layer", TEST(test_barrelfish_vregions_at_an_offset),
            TEST(test_barrelfish_layout_of_the_right_vspace),
            TEST(test_barrelfish_unmapping_whatever_is_filled),
            TEST(test_barrelfish_a_frame_larger_than_its_region),
            TEST(test_barrelfish_one_frame_stays_for_the_others),
            TEST(test_barrelfish_pmap_unmaps_another_count),
            TEST(test_barrelfish_vspace_unmap_frees), TEST(test_barrelfish_exact_fit_of_a_vregion),
            TEST(test_barrelfish_map_into_an_empty_vspace),
            TEST(test_barrelfish_thousands_of_vregions), TEST(test_barrelfish_guard_regions_guard),
            TEST(test_barrelfish_faults_look_at_the_access),
            TEST(test_barrelfish_one_failed_refill_disables_nothing),
            TEST(test_barrelfish_append_faults_in_any_order),
            TEST(test_barrelfish_mmu_aware_gives_all_back),
            TEST(test_barrelfish_forks_share_objects))
