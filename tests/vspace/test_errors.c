/* SPDX-License-Identifier: MIT */
/* Errors that no other test of a function is about: each function with each of its errors. */
#include "support.h"

static struct memobj_anon anon;
static struct memobj_append append;
static struct vregion region, taken;

static bool no_memory;

static void *sometimes_alloc(size_t size)
{
    return no_memory ? NULL : vm_meta_alloc(size);
}

static const struct vspace_allocator sometimes = {sometimes_alloc, vm_meta_free, sometimes_alloc,
                                                  vm_meta_free};

static void without_memory(bool without)
{
    no_memory = without;
    vspace_set_allocator(without ? &sometimes : NULL);
}

/* The reason inside. */
static void fails_for(enum err_code reason, enum err_code code, errval_t error)
{
    FAILS(code, error);
    FAILS(reason, err_pop(error));
}

static void fill_spot(void)
{
    taken = (struct vregion){.base = SPOT, .size = PAGE};
    OK(vspace_add_vregion(CURRENT, &taken));
}

/* ---- vregions ---- */

static void test_vregion_map_errors(void)
{
    OK(memobj_create_anon(&anon, PAGES(2), 0));
    fails_for(LIB_ERR_VREGION_BAD_ALIGNMENT, LIB_ERR_VSPACE_ADD_REGION,
              vregion_map(&region, CURRENT, &anon.m, 1, PAGE, RW));
    fails_for(LIB_ERR_MEMOBJ_WRONG_OFFSET, LIB_ERR_VSPACE_ADD_REGION,
              vregion_map(&region, CURRENT, &anon.m, PAGE, PAGE + 1, RW));
    fails_for(LIB_ERR_MEMOBJ_WRONG_OFFSET, LIB_ERR_VSPACE_ADD_REGION,
              vregion_map(&region, CURRENT, &anon.m, ~VM_PAGE_MASK, PAGES(2), RW));
    FAILS(LIB_ERR_INVALID_ARGS, vregion_map(&region, CURRENT, &anon.m, 0, SIZE_MAX, RW));
    FAILS(LIB_ERR_INVALID_ARGS, vregion_map_aligned(&region, CURRENT, NULL, 0, PAGE, RW, 0));
    FAILS(LIB_ERR_VREGION_BAD_ALIGNMENT,
          vregion_map_aligned(&region, CURRENT, &anon.m, 0, PAGE, RW, 3 * PAGE));
    fails_for(LIB_ERR_OUT_OF_VIRTUAL_ADDR, LIB_ERR_PMAP_DETERMINE_ADDR,
              vregion_map_aligned(&region, CURRENT, &anon.m, 0, PAGE, RW, (size_t)1 << 63));
    FAILS(LIB_ERR_VREGION_NOT_FOUND, vregion_destroy(&region));
    assert_list(CURRENT, 0);
    OK(memobj_destroy_anon(&anon.m, false));
}

/* Any size but none is one of whole pages; an alignment below a page is a page's. */
static void test_sizes_are_rounded_up(void)
{
    struct capref frame;
    size_t bytes;
    OK(memobj_create_anon(&anon, 1, 0));
    OK(vregion_map_aligned(&region, CURRENT, &anon.m, 0, 1, RW, 1));
    assert_int_equal(vregion_get_size(&region), PAGE);
    taken = (struct vregion){.base = SPOT, .size = 1, .memobj = &anon.m, .flags = RW};
    OK(vspace_add_vregion(CURRENT, &taken));
    assert_int_equal(vregion_get_size(&taken), PAGE);
    OK(vregion_destroy(&taken));
    OK(frame_alloc(&frame, 1, &bytes));
    assert_int_equal(bytes, PAGE);
    OK(anon.m.f.fill(&anon.m, 0, frame, 1));
    assert_numbered(vregion_get_base_addr(&region), 1, 0);
    OK(memobj_destroy_anon(&anon.m, true));
}

static void test_vspace_add_vregion_overlaps(void)
{
    fill_spot();
    region = (struct vregion){.base = SPOT - PAGE, .size = PAGES(3)};
    fails_for(QUIRE_ERR_NO_REGION_SLOT, LIB_ERR_VSPACE_REGION_OVERLAP,
              vspace_add_vregion(CURRENT, &region));
    assert_list(CURRENT, 1, &taken);
}

static void test_map_region_is_once_more(void)
{
    static struct memobj_pinned pinned;
    OK(memobj_create_pinned(&pinned, PAGE, 0));
    OK(vregion_map(&region, CURRENT, &pinned.m, 0, PAGE, RW));
    taken = (struct vregion){.base = SPOT, .size = PAGE, .memobj = &pinned.m, .flags = RW};
    OK(vspace_add_vregion(CURRENT, &taken));
    FAILS(LIB_ERR_MEMOBJ_VREGION_ALREADY_MAPPED, pinned.m.f.map_region(&pinned.m, &taken));
    OK(vregion_destroy(&taken));
    OK(memobj_destroy_pinned(&pinned.m));
}

/* ---- pmaps ---- */

static void test_determine_addr_out_of_virtual_addr(void)
{
    struct pmap *pmap = get_current_pmap();
    genvaddr_t at;
    OK(memobj_create_anon(&anon, (size_t)1 << 60, 0));
    FAILS(LIB_ERR_OUT_OF_VIRTUAL_ADDR, pmap->f.determine_addr(pmap, &anon.m, 0, &at));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.determine_addr(NULL, &anon.m, 0, &at));
    OK(memobj_destroy_anon(&anon.m, false));
}

/* Each request of the core fails in turn: protection cuts a region. */
static void test_modify_flags_without_memory(void)
{
    struct pmap *pmap = get_current_pmap();
    bool failed = true, seen = false;
    OK(memobj_create_anon(&anon, PAGES(4), 0));
    OK(anon.m.f.fill(&anon.m, 0, new_frame(4, 1), 0));
    OK(vregion_map_fixed(&region, CURRENT, &anon.m, 0, PAGES(4), SPOT, RW));
    for (unsigned n = 1; failed; n++) {
        machine_fail_at(0, n);
        errval_t error = pmap->f.modify_flags(pmap, SPOT + PAGE, PAGE, RO, NULL);
        failed = machine_has_failed(0);
        machine_fail_at(0, n);
        errval_t also = anon.m.f.protect(&anon.m, &region, PAGES(2), PAGE, RO);
        machine_fail_at(0, 0);
        if (err_is_fail(error)) {
            seen = true;
            fails_for(QUIRE_ERR_NO_MEMORY, LIB_ERR_PMAP_MODIFY_FLAGS, error);
            assert_int_equal(machine_write(SPOT + PAGE, 2), 0);
        }
        if (err_is_fail(also))
            fails_for(LIB_ERR_PMAP_MODIFY_FLAGS, LIB_ERR_PMAP_MODIFY_FLAGS, also);
        OK(pmap->f.modify_flags(pmap, SPOT, PAGES(4), RW, NULL));
    }
    assert_true(seen || machine_failure_classes() == 0);
    OK(memobj_destroy_anon(&anon.m, true));
}

/* ---- the current vspace ---- */

static void test_vspace_current_init_without_memory(void)
{
    aspace_id first = machine_program(), second;
    OK(vspace_current_init(true));
    second = machine_new_program();
    without_memory(true);
    FAILS(LIB_ERR_MALLOC_FAIL, vspace_current_init(true));
    without_memory(false);
    machine_enter(first);
    OK(vspace_destroy(CURRENT));
    without_memory(true); /* the first needs none, but for what it keeps for later */
    FAILS(LIB_ERR_VSPACE_PINNED_INIT, vspace_current_init(true));
    without_memory(false);
    OK(vspace_current_init(true));
    OK(vspace_destroy(CURRENT));
    machine_enter(first);
    machine_end_program(second);
}

/* ---- helpers ---- */

static void test_vspace_map_anon_errors(void)
{
    void *at;
    fill_spot();
    FAILS(LIB_ERR_MEMOBJ_CREATE_ANON, vspace_map_anon_attr(&at, NULL, NULL, 0, NULL, RW));
    FAILS(LIB_ERR_MEMOBJ_CREATE_ANON,
          vspace_map_anon_nomalloc(&at, &anon, &region, SIZE_MAX, NULL, RW, 0));
    fails_for(LIB_ERR_VREGION_BAD_ALIGNMENT, LIB_ERR_VREGION_MAP,
              vspace_map_anon_aligned(&at, NULL, NULL, PAGE, NULL, RW, 3));
    fails_for(LIB_ERR_INVALID_ARGS, LIB_ERR_VREGION_MAP,
              vspace_map_anon_attr(&at, NULL, NULL, PAGE, NULL, 0x1000));
    fails_for(LIB_ERR_VSPACE_ADD_REGION, LIB_ERR_VREGION_MAP,
              vspace_map_anon_fixed(SPOT, PAGE, RW, NULL, NULL));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_map_append_nomalloc(&at, NULL, &region, PAGE, NULL, RW, 0));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_map_append_nomalloc(&at, &append, NULL, PAGE, NULL, RW, 0));
    FAILS(LIB_ERR_MEMOBJ_CREATE_ANON,
          vspace_map_append_nomalloc(&at, &append, &region, 0, NULL, RW, 0));
    FAILS(LIB_ERR_VREGION_MAP,
          vspace_map_append_nomalloc(&at, &append, &region, PAGE, NULL, RW, 3));
    without_memory(true);
    FAILS(LIB_ERR_MALLOC_FAIL, vspace_map_anon_attr(&at, NULL, NULL, PAGE, NULL, RW));
    FAILS(LIB_ERR_MALLOC_FAIL, vspace_map_anon_fixed(SPOT + PAGE, PAGE, RW, NULL, NULL));
    without_memory(false);
    assert_list(CURRENT, 1, &taken);
}

static void test_vspace_map_one_frame_attr_errors(void)
{
    struct capref frame = new_frame(1, 1);
    void *at;
    fill_spot();
    fails_for(LIB_ERR_INVALID_ARGS, LIB_ERR_VREGION_MAP,
              vspace_map_one_frame_attr(&at, PAGE, frame, 0x1000, NULL, NULL));
    fails_for(LIB_ERR_VREGION_BAD_ALIGNMENT, LIB_ERR_VREGION_MAP,
              vspace_map_one_frame_attr_aligned(&at, PAGE, frame, RW, 3, NULL, NULL));
    fails_for(LIB_ERR_VSPACE_ADD_REGION, LIB_ERR_VREGION_MAP,
              vspace_map_one_frame_fixed(SPOT, PAGE, frame, NULL, NULL));
    fails_for(LIB_ERR_VSPACE_ADD_REGION, LIB_ERR_VREGION_MAP,
              vspace_map_one_frame_fixed_attr(SPOT, PAGE, frame, RO, NULL, NULL));
    assert_list(CURRENT, 1, &taken);
    OK(cap_destroy(frame));
}

static void test_vspace_map_file_errors(void)
{
    void *file = machine_file(NULL, PAGE);
    fill_spot();
    fails_for(LIB_ERR_VSPACE_ADD_REGION, LIB_ERR_VREGION_MAP,
              vspace_map_file_fixed(SPOT, PAGE, RW, file, 0, PAGE, NULL, NULL));
    fails_for(LIB_ERR_VREGION_BAD_ALIGNMENT, LIB_ERR_VREGION_MAP,
              vspace_map_file_aligned(3, PAGE, RW, file, 0, PAGE, NULL, NULL));
    FAILS(LIB_ERR_MEMOBJ_CREATE_VFS, vspace_map_file(PAGE, RW, file, 0, PAGES(2), NULL, NULL));
    without_memory(true);
    FAILS(LIB_ERR_MALLOC_FAIL, vspace_map_file(PAGE, RW, file, 0, PAGE, NULL, NULL));
    without_memory(false);
    assert_list(CURRENT, 1, &taken);
}

static void test_vspace_mmu_aware_init_no_addresses(void)
{
    static struct vspace_mmu_aware heap;
    fails_for(LIB_ERR_PMAP_DETERMINE_ADDR, LIB_ERR_VREGION_MAP,
              vspace_mmu_aware_init(&heap, (size_t)1 << 60));
}

/* ---- objects and frames ---- */

static void test_memobj_create_without_memory(void)
{
    struct capref frame;
    without_memory(true);
    FAILS(LIB_ERR_MALLOC_FAIL, memobj_create_anon(&anon, PAGE, 0));
    without_memory(false);
    FAILS(LIB_ERR_INVALID_ARGS, anon.m.f.fill_foff(&anon.m, 0, NULL_CAP, PAGE, 0));
    FAILS(LIB_ERR_INVALID_ARGS, frame_create(NULL, PAGE, NULL));
    FAILS(LIB_ERR_INVALID_ARGS, frame_create(&frame, 0, NULL));
}

static void test_memobj_destroy_of_other_types(void)
{
    static errval_t (*const destroy[])(struct memobj * memobj) = {
        memobj_destroy_one_frame,      memobj_destroy_one_frame_one_map,
        memobj_destroy_one_frame_lazy, memobj_destroy_pinned,
        memobj_destroy_fixed,          memobj_destroy_numa,
        memobj_destroy_append,         memobj_destroy_vfs};
    OK(memobj_create_anon(&anon, PAGE, 0));
    for (size_t i = 0; i < sizeof(destroy) / sizeof(destroy[0]); i++) {
        FAILS(LIB_ERR_INVALID_ARGS, destroy[i](NULL));
        FAILS(LIB_ERR_INVALID_ARGS, destroy[i](&anon.m));
    }
    OK(memobj_destroy_anon(&anon.m, false));
    OK(memobj_create_append(&append, PAGE, 0));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_destroy_anon(&append.m, false));
    OK(memobj_destroy_append(&append.m));
}

static void test_vspace_layout(void)
{
    struct vspace_layout layout;
    OK(vspace_layout_init(&layout));
    assert_int_equal(layout.granularity, PAGE);
    assert_int_equal(vspace_layout_lvaddr_to_genvaddr(&layout, SPOT), SPOT);
    layout.offset = PAGES(2);
    assert_int_equal(vspace_layout_lvaddr_to_genvaddr(&layout, SPOT), SPOT + PAGES(2));
    assert_int_equal(vspace_layout_genvaddr_to_lvaddr(&layout, SPOT + PAGES(2)), SPOT);
}

VSPACE_MAIN("errors of the layer", TEST(test_vregion_map_errors), TEST(test_sizes_are_rounded_up),
            TEST(test_vspace_add_vregion_overlaps), TEST(test_map_region_is_once_more),
            TEST(test_determine_addr_out_of_virtual_addr), TEST(test_modify_flags_without_memory),
            BARE(test_vspace_current_init_without_memory), TEST(test_vspace_map_anon_errors),
            TEST(test_vspace_map_one_frame_attr_errors), TEST(test_vspace_map_file_errors),
            TEST(test_vspace_mmu_aware_init_no_addresses), TEST(test_memobj_create_without_memory),
            TEST(test_memobj_destroy_of_other_types), BARE(test_vspace_layout))
