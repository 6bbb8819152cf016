/* SPDX-License-Identifier: MIT */
/* pmaps: each operation, over vregions and over what was mapped directly. */
#include "support.h"

static struct memobj_anon object;
static struct vregion region;
static struct capref frame;
static struct pmap *pmap;

static void begin(void)
{
    pmap = get_current_pmap();
    frame = new_frame(8, 1);
    OK(memobj_create_anon(&object, PAGES(8), 0));
    OK(object.m.f.fill(&object.m, 0, frame, 0));
    OK(vregion_map_fixed(&region, CURRENT, &object.m, 0, PAGES(8), SPOT, RW));
}

static void end(void)
{
    OK(memobj_destroy_anon(&object.m, true));
}

static void test_pmap_init_errors(void)
{
    struct pmap other;
    struct vspace vspace;
    FAILS(LIB_ERR_INVALID_ARGS, pmap_init(NULL, &vspace, machine_program()));
    FAILS(LIB_ERR_INVALID_ARGS, pmap_init(&other, NULL, machine_program()));
    FAILS(LIB_ERR_PMAP_INIT, pmap_init(&other, &vspace, 0));
    FAILS(LIB_ERR_PMAP_INIT, pmap_init(&other, &vspace, vm_get_kernel_aspace_id()));
    FAILS(LIB_ERR_INVALID_ARGS, pmap_create(&other, NULL, SPOT, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, pmap_set_min_mappable_va(NULL, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, pmap_set_min_mappable_va(get_current_pmap(), 1));
    FAILS(LIB_ERR_INVALID_ARGS,
          pmap_set_min_mappable_va(get_current_pmap(), ~VM_PAGE_MASK + PAGE - 1));
    get_current_pmap()->max_mappable_va = SPOT;
    FAILS(LIB_ERR_INVALID_ARGS, pmap_set_min_mappable_va(get_current_pmap(), SPOT));
    OK(pmap_set_min_mappable_va(get_current_pmap(), SPOT - PAGE));
}

static void test_no_pmap_function_is_missing(void)
{
    const struct pmap_funcs *f = &get_current_pmap()->f;
    assert_true(f->determine_addr && f->determine_addr_raw && f->map && f->unmap);
    assert_true(f->modify_flags && f->lookup && f->serialise && f->deserialise && f->dump);
    assert_true(f->measure_res && f->get_leaf_pt && f->create_pts_pinned);
}

static void test_determine_addr(void)
{
    genvaddr_t at;
    begin();
    OK(pmap_set_min_mappable_va(pmap, SPOT - PAGES(4)));
    OK(pmap->f.determine_addr_raw(pmap, PAGES(4), 0, &at));
    assert_int_equal(at, SPOT - PAGES(4));
    OK(pmap->f.determine_addr_raw(pmap, PAGES(4) + 1, 0, &at));
    assert_int_equal(at, SPOT + PAGES(8));
    OK(pmap->f.determine_addr(pmap, &object.m, LARGE_PAGE_SIZE, &at));
    assert_int_equal(at, SPOT + LARGE_PAGE_SIZE);
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.determine_addr(pmap, NULL, 0, &at));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.determine_addr_raw(NULL, PAGE, 0, &at));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.determine_addr_raw(pmap, 0, 0, &at));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.determine_addr_raw(pmap, PAGE, 0, NULL));
    FAILS(QUIRE_ERR_INVALID_ARGS, pmap->f.determine_addr_raw(pmap, PAGE, 3 * PAGE, &at));
    pmap->max_mappable_va = SPOT + PAGES(10);
    errval_t error = pmap->f.determine_addr_raw(pmap, PAGES(5), 0, &at);
    FAILS(LIB_ERR_OUT_OF_VIRTUAL_ADDR, error);
    error = vregion_map(&(struct vregion){0}, CURRENT, &object.m, 0, PAGES(8), RW);
    FAILS(LIB_ERR_PMAP_DETERMINE_ADDR, error);
    FAILS(LIB_ERR_OUT_OF_VIRTUAL_ADDR, err_pop(error));
    end();
}

static void test_map_and_unmap(void)
{
    size_t offset, size;
    begin();
    OK(pmap->f.map(pmap, 2 * SPOT, frame, PAGES(2) + 5, PAGES(3), RW, &offset, &size));
    assert_int_equal(offset, PAGES(2));
    assert_int_equal(size, PAGES(4));
    uint64_t faults = machine_faults();
    assert_numbered(2 * SPOT, 4, 3);
    assert_int_equal(machine_faults(), faults); /* it is mapped, not only promised */
    FAILS(LIB_ERR_PMAP_EXISTING_MAPPING,
          pmap->f.map(pmap, 2 * SPOT + PAGES(3), frame, 0, PAGE, RW, NULL, NULL));
    FAILS(LIB_ERR_PMAP_EXISTING_MAPPING, pmap->f.map(pmap, SPOT, frame, 0, PAGE, RW, NULL, NULL));
    assert_null(vspace_get_region(CURRENT, (void *)(2 * SPOT)));
    OK(pmap->f.unmap(pmap, 2 * SPOT + PAGE, PAGES(2), &size));
    assert_int_equal(size, PAGES(2));
    assert_numbered(2 * SPOT, 1, 3);
    assert_int_equal(machine_read(2 * SPOT + PAGE), ERR_VM_PF_BAD_ADDRESS);
    assert_numbered(2 * SPOT + PAGES(3), 1, 6);
    FAILS(LIB_ERR_PMAP_FIND_VNODE, pmap->f.unmap(pmap, 2 * SPOT + PAGE, PAGES(2), &size));
    OK(pmap->f.unmap(pmap, 2 * SPOT, PAGES(100), &size)); /* over the hole, and more */
    assert_int_equal(size, PAGES(2));
    OK(pmap->f.map(pmap, 2 * SPOT, frame, 0, PAGE, RO, NULL, NULL));
    assert_int_equal(machine_write(2 * SPOT, 1), ERR_VM_PF_BAD_PERM);
    OK(pmap->f.map(pmap, 3 * SPOT, frame, 0, PAGE, VREGION_FLAGS_NONE, NULL, NULL));
    assert_true(machine_read(3 * SPOT) < 0);
    end(); /* what is left the vspace's end unmaps */
}

static void test_map_errors(void)
{
    begin();
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.map(NULL, 2 * SPOT, frame, 0, PAGE, RW, NULL, NULL));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.map(pmap, 2 * SPOT, frame, 0, 0, RW, NULL, NULL));
    FAILS(LIB_ERR_PMAP_FRAME_IDENTIFY,
          pmap->f.map(pmap, 2 * SPOT, NULL_CAP, 0, PAGE, RW, NULL, NULL));
    FAILS(LIB_ERR_PMAP_FRAME_SIZE,
          pmap->f.map(pmap, 2 * SPOT, frame, PAGES(7), PAGE + 1, RW, NULL, NULL));
    FAILS(LIB_ERR_PMAP_FRAME_SIZE,
          pmap->f.map(pmap, 2 * SPOT, frame, PAGES(8), PAGE, RW, NULL, NULL));
    errval_t error = pmap->f.map(pmap, 2 * SPOT + 1, frame, 0, PAGE, RW, NULL, NULL);
    FAILS(LIB_ERR_PMAP_DO_MAP, error);
    FAILS(QUIRE_ERR_BAD_ADDRESS, err_pop(error));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.unmap(NULL, SPOT, PAGE, NULL));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.unmap(pmap, SPOT + 1, PAGE, NULL));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.unmap(pmap, SPOT, 0, NULL));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.unmap(pmap, ~VM_PAGE_MASK, PAGES(2), NULL));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.unmap(pmap, SPOT, SIZE_MAX, NULL));
    end();
}

/* In a vregion only the translations go. */
static void test_unmap_in_a_vregion(void)
{
    size_t size;
    begin();
    assert_numbered(SPOT, 8, 1);
    OK(pmap->f.unmap(pmap, SPOT + PAGE, PAGES(20), &size));
    assert_int_equal(size, PAGES(7));
    FAILS(LIB_ERR_PMAP_FIND_VNODE, pmap->f.lookup(pmap, SPOT + PAGE, NULL));
    OK(pmap->f.lookup(pmap, SPOT, NULL));
    assert_numbered(SPOT, 8, 1);
    end();
}

/* What was never touched counts as nothing. */
static void test_unmap_counts_what_was_mapped(void)
{
    size_t size;
    begin();
    OK(object.m.f.unfill(&object.m, 0, NULL, NULL));
    for (size_t i = 0; i < 4; i++)
        OK(object.m.f.fill_foff(&object.m, PAGES(i), frame, PAGE, PAGES(i)));
    assert_numbered(SPOT, 1, 1);
    assert_numbered(SPOT + PAGES(3), 1, 4);
    OK(pmap->f.unmap(pmap, SPOT, PAGES(8), &size));
    assert_int_equal(size, PAGES(2));
    end();
}

/* More than one page table's, from the middle of one to that of another. */
static void test_map_over_page_tables(void)
{
    struct capref large = new_frame(900, 0);
    pmap = get_current_pmap();
    OK(pmap->f.map(pmap, SPOT + PAGES(300), large, 0, PAGES(900), VREGION_FLAGS_READ_EXECUTE, NULL,
                   NULL));
    uint64_t faults = machine_faults();
    assert_numbered(SPOT + PAGES(300), 900, 0);
    assert_int_equal(machine_faults(), faults);
    struct pmap_mapping_info info;
    OK(pmap->f.lookup(pmap, SPOT + PAGES(1199), &info));
    assert_int_equal(info.offset, PAGES(899));
    assert_int_equal(info.flags, VREGION_FLAGS_READ | VREGION_FLAGS_EXECUTE);
    FAILS(LIB_ERR_PMAP_FIND_VNODE, pmap->f.unmap(pmap, SPOT, PAGES(1200), NULL));
    OK(pmap->f.unmap(pmap, SPOT + PAGES(300), PAGES(900), NULL));
    OK(cap_destroy(large));
}

static void test_modify_flags(void)
{
    size_t size;
    begin();
    OK(pmap->f.map(pmap, SPOT + PAGES(8), frame, 0, PAGES(2), RW, NULL, NULL));
    OK(pmap->f.modify_flags(pmap, SPOT + PAGES(6), PAGES(3), RO, &size));
    assert_int_equal(size, PAGES(3));
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(machine_write(SPOT + PAGES(i), 1) == 0, i < 6 || i == 9);
    FAILS(LIB_ERR_PMAP_NOT_MAPPED, pmap->f.modify_flags(pmap, SPOT + PAGES(9), PAGES(2), RO, NULL));
    FAILS(LIB_ERR_PMAP_NOT_MAPPED, pmap->f.modify_flags(pmap, SPOT - PAGE, PAGES(2), RO, NULL));
    assert_int_equal(machine_write(SPOT + PAGES(9), 1), 0);
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.modify_flags(NULL, SPOT, PAGE, RO, NULL));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.modify_flags(pmap, SPOT, 0, RO, NULL));
    end();
}

/* What is another's between them stays. */
static void test_unmap_around_others(void)
{
    void *at = (void *)(2 * SPOT + PAGE);
    size_t size;
    begin();
    assert_true(vm_create_anonymous_region(machine_program(), "own", &at, REGION_ADDR_EXACT_ADDRESS,
                                           PAGE, 0, LOCK_RW) > 0);
    assert_int_equal(machine_write(2 * SPOT + PAGE, 77), 0);
    OK(pmap->f.map(pmap, 2 * SPOT, frame, 0, PAGE, RW, NULL, NULL));
    OK(pmap->f.map(pmap, 2 * SPOT + PAGES(2), frame, 0, PAGE, RW, NULL, NULL));
    OK(pmap->f.unmap(pmap, 2 * SPOT, PAGES(3), &size));
    assert_int_equal(size, PAGES(2));
    assert_int_equal(machine_read(2 * SPOT + PAGE), 77);
    assert_int_equal(machine_read(2 * SPOT), ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(machine_read(2 * SPOT + PAGES(2)), ERR_VM_PF_BAD_ADDRESS);
    assert_int_equal(vm_unmap_range(machine_program(), 2 * SPOT + PAGE, PAGE), VM_OK);
    end();
}

/* Pieces of a mapping that fault again show what they showed. */
static void test_modify_flags_and_back(void)
{
    begin();
    OK(pmap->f.map(pmap, 2 * SPOT, frame, PAGE, PAGES(7), RW, NULL, NULL));
    OK(pmap->f.unmap(pmap, 2 * SPOT + PAGE, PAGE, NULL));
    OK(pmap->f.modify_flags(pmap, 2 * SPOT + PAGES(2), PAGES(5), VREGION_FLAGS_NONE, NULL));
    OK(pmap->f.modify_flags(pmap, 2 * SPOT + PAGES(4), PAGES(3), RO, NULL));
    assert_numbered(2 * SPOT + PAGES(4), 3, 6);
    OK(pmap->f.modify_flags(pmap, 2 * SPOT + PAGES(2), PAGES(2), RW, NULL));
    assert_numbered(2 * SPOT + PAGES(2), 5, 4);
    assert_numbered(2 * SPOT, 1, 2);
    OK(pmap->f.unmap(pmap, 2 * SPOT, PAGES(7), NULL));
    end();
}

/* Each page of a large mapping: which frame it is of, and where in it. */
static void test_lookup_of_each_page(void)
{
    struct pmap_mapping_info info;
    struct capref large = new_frame(512, 0);
    begin();
    OK(pmap->f.map(pmap, 2 * SPOT, large, 0, PAGES(512), RO, NULL, NULL));
    for (size_t i = 0; i < 512; i++) {
        OK(pmap->f.lookup(pmap, 2 * SPOT + PAGES(i) + 77, &info));
        assert_int_equal(info.vaddr, 2 * SPOT + PAGES(i));
        assert_int_equal(info.size, PAGE);
        assert_int_equal(info.cap.base, large.base);
        assert_int_equal(info.offset, PAGES(i));
        assert_int_equal(info.flags, VREGION_FLAGS_READ);
    }
    FAILS(LIB_ERR_PMAP_FIND_VNODE, pmap->f.lookup(pmap, 2 * SPOT + PAGES(512), &info));
    assert_numbered(SPOT + PAGES(3), 1, 4);
    OK(pmap->f.lookup(pmap, SPOT + PAGES(3), &info));
    assert_int_equal(info.cap.base, frame.base);
    assert_int_equal(info.offset, PAGES(3));
    assert_int_equal(info.flags, VREGION_FLAGS_READ | VREGION_FLAGS_WRITE);
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.lookup(NULL, SPOT, &info));
    OK(pmap->f.unmap(pmap, 2 * SPOT, PAGES(512), NULL));
    OK(cap_destroy(large));
    end();
}

static void test_lookup_beside_vregions(void)
{
    void *at = (void *)(4 * SPOT);
    static struct vregion kept; /* the end of the vspace takes it out */
    kept = (struct vregion){.base = 5 * SPOT, .size = PAGE};
    begin();
    assert_true(vm_create_anonymous_region(machine_program(), "own", &at, REGION_ADDR_EXACT_ADDRESS,
                                           PAGE, 0, LOCK_RW) > 0);
    assert_int_equal(machine_write(4 * SPOT, 1), 0);
    FAILS(LIB_ERR_PMAP_FIND_VNODE, pmap->f.lookup(pmap, 4 * SPOT, NULL));
    FAILS(LIB_ERR_PMAP_FIND_VNODE, pmap->f.unmap(pmap, 4 * SPOT, PAGE, NULL));
    FAILS(LIB_ERR_PMAP_NOT_MAPPED, pmap->f.modify_flags(pmap, 4 * SPOT, PAGE, RO, NULL));
    OK(vspace_add_vregion(CURRENT, &kept));
    FAILS(LIB_ERR_PMAP_FIND_VNODE, pmap->f.lookup(pmap, 5 * SPOT, NULL));
    assert_int_equal(vm_unmap_range(machine_program(), 4 * SPOT, PAGE), VM_OK);
    end();
}

static uint64_t buffer[256];

static void test_serialise(void)
{
    struct pmap other;
    struct vspace vspace;
    size_t bytes;
    begin();
    assert_numbered(SPOT, 8, 1);
    OK(object.m.f.protect(&object.m, &region, 0, PAGES(2), RO));
    OK(pmap->f.unmap(pmap, SPOT + PAGES(5), PAGE, NULL));
    OK(pmap->f.map(pmap, 2 * SPOT, frame, PAGES(4), PAGES(2), RO, NULL, NULL));
    OK(pmap_serialised_size(pmap, &bytes));
    assert_in_range(bytes, 1, sizeof buffer);
    FAILS(LIB_ERR_SERIALISE_BUFOVERFLOW, pmap->f.serialise(pmap, buffer, bytes - 1));
    FAILS(LIB_ERR_SERIALISE_BUFOVERFLOW, pmap->f.serialise(pmap, buffer, 0));
    OK(pmap->f.serialise(pmap, buffer, bytes));
    OK(pmap_create(&other, &vspace, machine_user_base(), machine_user_size()));
    OK(vspace_init(&vspace, &other));
    OK(other.f.deserialise(&other, buffer, bytes));
    aspace_id before = machine_program();
    machine_enter(other.aid);
    assert_numbered(SPOT, 5, 1);
    assert_int_equal(machine_read(SPOT + PAGES(5)), ERR_VM_PF_BAD_ADDRESS);
    assert_numbered(SPOT + PAGES(6), 2, 7);
    assert_numbered(2 * SPOT, 2, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(machine_write(SPOT + PAGES(i), (uint8_t)(1 + i)) == 0, i >= 2);
    FAILS(LIB_ERR_PMAP_EXISTING_MAPPING, other.f.deserialise(&other, buffer, bytes));
    machine_enter(before);
    OK(vspace_destroy(&vspace));
    end();
}

/* Nothing is written, and read, as nothing. */
static void test_serialise_nothing(void)
{
    size_t bytes;
    pmap = get_current_pmap();
    OK(pmap_serialised_size(pmap, &bytes));
    OK(pmap->f.serialise(pmap, buffer, bytes));
    OK(pmap->f.deserialise(pmap, buffer, bytes));
    FAILS(LIB_ERR_DESERIALISE, pmap->f.deserialise(pmap, buffer, bytes - 1));
}

/* Where the third run finds something in its way, the first two go again. */
static void test_deserialise_is_all_or_nothing(void)
{
    size_t bytes;
    begin();
    for (size_t i = 0; i < 3; i++)
        OK(pmap->f.map(pmap, (2 + i) * SPOT, frame, 0, PAGES(3 - i), RW, NULL, NULL));
    OK(pmap_serialised_size(pmap, &bytes));
    OK(pmap->f.serialise(pmap, buffer, bytes));
    for (size_t i = 0; i < 2; i++)
        OK(pmap->f.unmap(pmap, (2 + i) * SPOT, PAGES(3), NULL));
    FAILS(LIB_ERR_PMAP_EXISTING_MAPPING, pmap->f.deserialise(pmap, buffer, bytes));
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < 3; j++)
            assert_int_equal(machine_read((2 + i) * SPOT + PAGES(j)), ERR_VM_PF_BAD_ADDRESS);
    OK(pmap->f.unmap(pmap, 4 * SPOT, PAGE, NULL));
    OK(pmap->f.deserialise(pmap, buffer, bytes));
    assert_numbered(4 * SPOT, 1, 1);
    end();
}

/* Bytes that serialise has not written. */
static void test_deserialise_checks(void)
{
    size_t bytes;
    begin();
    OK(pmap->f.map(pmap, 2 * SPOT, frame, 0, PAGES(2), RW, NULL, NULL));
    OK(pmap->f.map(pmap, 3 * SPOT, frame, 0, PAGES(2), RO, NULL, NULL));
    OK(pmap_serialised_size(pmap, &bytes));
    OK(pmap->f.serialise(pmap, buffer, bytes));
    OK(pmap->f.unmap(pmap, 2 * SPOT, 2 * SPOT, NULL));
    static const struct {
        size_t word;
        uint64_t flipped;
    } bad[] = {{0, 1},
               {0, (uint64_t)1 << 32},
               {1, 64},
               {2, 1},
               {2, ~0ull},
               {3, 1},
               {3, ~0ull},
               {2, 2 * SPOT ^ ~VM_PAGE_MASK},
               {4, 2 * PAGE},
               {4, 1},
               {4, ~0ull},
               {5, 0x400},
               {6, 2 * SPOT ^ 3 * SPOT}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        buffer[bad[i].word] ^= bad[i].flipped;
        FAILS(LIB_ERR_DESERIALISE, pmap->f.deserialise(pmap, buffer, bytes));
        buffer[bad[i].word] ^= bad[i].flipped;
    }
    for (size_t length = 0; length < bytes; length += 4)
        FAILS(LIB_ERR_DESERIALISE, pmap->f.deserialise(pmap, buffer, length));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.deserialise(NULL, buffer, bytes));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.deserialise(pmap, NULL, bytes));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.deserialise(pmap, (char *)buffer + 1, bytes));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.serialise(NULL, buffer, bytes));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.serialise(pmap, NULL, bytes));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.serialise(pmap, (char *)buffer + 1, bytes));
    FAILS(LIB_ERR_INVALID_ARGS, pmap_serialised_size(NULL, &bytes));
    FAILS(LIB_ERR_INVALID_ARGS, pmap_serialised_size(pmap, NULL));
    OK(pmap->f.deserialise(pmap, buffer, bytes));
    end();
}

static void test_dump(void)
{
    struct pmap_dump_info runs[4];
    size_t count;
    begin();
    assert_numbered(SPOT, 8, 1);
    OK(pmap->f.map(pmap, 2 * SPOT, frame, PAGE, PAGES(2), RO, NULL, NULL));
    OK(pmap->f.dump(pmap, runs, 4, &count));
    assert_int_equal(count, 2);
    assert_true(runs[0].vaddr == SPOT && runs[0].size == PAGES(8) && runs[0].paddr == frame.base);
    assert_true(runs[1].vaddr == 2 * SPOT && runs[1].size == PAGES(2) &&
                runs[1].paddr == frame.base + PAGE && runs[1].flags == VREGION_FLAGS_READ);
    OK(pmap->f.map(pmap, 2 * SPOT + PAGES(2), frame, PAGE, PAGE, RO, NULL, NULL));
    OK(pmap->f.dump(pmap, runs, 4, &count)); /* beside it, and not of the next frame */
    assert_int_equal(count, 3);
    assert_int_equal(runs[2].paddr, runs[1].paddr);
    FAILS(LIB_ERR_SERIALISE_BUFOVERFLOW, pmap->f.dump(pmap, runs, 1, &count));
    assert_int_equal(count, 1);
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.dump(NULL, runs, 4, &count));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.dump(pmap, NULL, 4, &count));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.dump(pmap, runs, 4, NULL));
    end();
}

static void test_measure_res(void)
{
    struct pmap_res_info before, now;
    begin();
    OK(pmap->f.measure_res(pmap, &before));
    assert_numbered(SPOT, 8, 1);
    OK(pmap->f.measure_res(pmap, &now));
    assert_int_equal(now.slots_used, before.slots_used + 8);
    assert_int_equal(now.vnode_used, before.vnode_used + 3);
    assert_int_equal(now.vnode_free, 0);
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.measure_res(NULL, &now));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.measure_res(pmap, NULL));
    end();
}

/* The tables are there before what is mapped, and after; the end of the vspace takes them. */
static void test_create_pts_pinned(void)
{
    struct pmap_res_info before, now;
    lvaddr_t table, same;
    begin();
    OK(pmap->f.measure_res(pmap, &before));
    FAILS(LIB_ERR_PMAP_GET_PTABLE, pmap->f.get_leaf_pt(pmap, 2 * SPOT, &table));
    OK(pmap->f.create_pts_pinned(pmap, 2 * SPOT + PAGE, LARGE_PAGE_SIZE, RW));
    OK(pmap->f.measure_res(pmap, &now));
    assert_in_range(now.vnode_used, before.vnode_used + 2, before.vnode_used + 4);
    assert_int_equal(now.slots_used, before.slots_used);
    OK(pmap->f.get_leaf_pt(pmap, 2 * SPOT, &table));
    OK(pmap->f.map(pmap, 2 * SPOT, frame, PAGES(3), PAGE, RW, NULL, NULL));
    OK(pmap->f.get_leaf_pt(pmap, 2 * SPOT + 5, &same));
    assert_int_equal(same, table);
    assert_true(((const uint64_t *)table)[2 * SPOT / PAGE % 512] != 0);
    OK(pmap->f.unmap(pmap, 2 * SPOT, PAGE, NULL));
    assert_int_equal(((const uint64_t *)table)[2 * SPOT / PAGE % 512], 0);
    OK(pmap->f.create_pts_pinned(pmap, 2 * SPOT, 1, RW)); /* it is */
    OK(pmap->f.measure_res(pmap, &before));
    assert_int_equal(now.vnode_used, before.vnode_used);
    end();
}

static void test_page_table_errors(void)
{
    lvaddr_t table;
    begin();
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.get_leaf_pt(NULL, SPOT, &table));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.get_leaf_pt(pmap, SPOT, NULL));
    errval_t error = pmap->f.get_leaf_pt(pmap, 3 * SPOT, &table);
    FAILS(LIB_ERR_PMAP_GET_PTABLE, error);
    FAILS(QUIRE_ERR_PAGE_NOT_PRESENT, err_pop(error));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.create_pts_pinned(NULL, SPOT, PAGE, RW));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.create_pts_pinned(pmap, SPOT + 1, PAGE, RW));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.create_pts_pinned(pmap, SPOT, 0, RW));
    error = pmap->f.create_pts_pinned(pmap, machine_user_base() + machine_user_size(), PAGE, RW);
    FAILS(LIB_ERR_PMAP_ALLOC_VNODE, error);
    FAILS(QUIRE_ERR_BAD_ADDRESS, err_pop(error));
    end();
}

VSPACE_MAIN("pmaps", TEST(test_pmap_init_errors), TEST(test_no_pmap_function_is_missing),
            TEST(test_determine_addr), TEST(test_map_and_unmap), TEST(test_map_errors),
            TEST(test_unmap_in_a_vregion), TEST(test_unmap_counts_what_was_mapped),
            TEST(test_map_over_page_tables), TEST(test_modify_flags),
            TEST(test_modify_flags_and_back), TEST(test_unmap_around_others),
            TEST(test_lookup_of_each_page), TEST(test_lookup_beside_vregions), TEST(test_serialise),
            TEST(test_serialise_nothing), TEST(test_deserialise_is_all_or_nothing),
            TEST(test_deserialise_checks), TEST(test_dump), TEST(test_measure_res),
            TEST(test_create_pts_pinned), TEST(test_page_table_errors))
