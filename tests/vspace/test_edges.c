/* SPDX-License-Identifier: MIT */
/* What seldom happens: operations of the user's own, address spaces that have gone, several regions and frames
 * where one is usual. */
#include "support.h"

static struct memobj_anon anon;
static struct vregion regions[2];

static errval_t refuse(struct memobj *memobj, struct vregion *vregion)
{
    (void)memobj, (void)vregion;
    return LIB_ERR_NOT_IMPLEMENTED;
}

/* A type of the user's own may refuse to let a vregion go: nothing changes then. */
static void test_unmap_region_of_the_users_own(void)
{
    struct memobj *m = &anon.m;
    OK(memobj_create_anon(&anon, PAGES(2), 0));
    OK(m->f.fill(m, 0, new_frame(2, 1), 0));
    OK(vregion_map_fixed(&regions[0], CURRENT, m, 0, PAGES(2), SPOT, RW));
    errval_t (*usual)(struct memobj *, struct vregion *) = m->f.unmap_region;
    m->f.unmap_region = refuse;
    FAILS(LIB_ERR_VREGION_NOT_FOUND, vregion_destroy(&regions[0]));
    FAILS(LIB_ERR_VREGION_DESTROY, vspace_unmap((void *)SPOT));
    FAILS(LIB_ERR_VREGION_DESTROY, memobj_destroy_anon(m, true));
    FAILS(LIB_ERR_VSPACE_DESTROY, vspace_destroy(CURRENT));
    assert_list(CURRENT, 1, &regions[0]);
    assert_numbered(SPOT, 2, 1);
    m->f.unmap_region = usual;
    OK(memobj_destroy_anon(m, true));
}

/* A user's own fault handler finds the frame, then lets the usual one map it. */
static errval_t (*usual_pagefault)(struct memobj *, struct vregion *, genvaddr_t, vm_fault_type_t);

static errval_t fill_then_map(struct memobj *memobj, struct vregion *vregion, genvaddr_t offset,
                              vm_fault_type_t type)
{
    offset &= ~VM_PAGE_MASK;
    OK(memobj->f.fill(memobj, offset, new_frame(1, (uint8_t)(40 + offset / PAGE)), 0));
    return usual_pagefault(memobj, vregion, offset, type);
}

static void test_pagefault_of_the_users_own(void)
{
    OK(memobj_create_anon(&anon, PAGES(4), 0));
    usual_pagefault = anon.m.f.pagefault;
    anon.m.f.pagefault = fill_then_map;
    OK(vregion_map_fixed(&regions[0], CURRENT, &anon.m, PAGE, PAGES(3), SPOT, RW));
    assert_nothing(SPOT, 3);
    OK(vspace_pagefault_handler(CURRENT, SPOT + PAGE + 9, PAGEFLT_WRITE));
    assert_nothing(SPOT, 1);
    assert_numbered(SPOT + PAGE, 1, 42);
    OK(memobj_destroy_anon(&anon.m, true));
}

/* The host may end a program before its vspace. */
static void test_address_space_has_gone(void)
{
    struct vspace vspace;
    struct pmap pmap;
    struct pmap_res_info info;
    struct capref frame = new_frame(1, 1);
    aspace_id first = machine_program(), second = machine_new_program();
    OK(pmap_init(&pmap, &vspace, second));
    OK(vspace_init(&vspace, &pmap));
    OK(memobj_create_anon(&anon, PAGE, 0));
    OK(anon.m.f.fill(&anon.m, 0, frame, 0));
    OK(vregion_map_fixed(&regions[0], &vspace, &anon.m, 0, PAGE, SPOT, RW));
    OK(vregion_map_fixed(&regions[1], &vspace, &anon.m, 0, PAGE, 2 * SPOT, RW));
    OK(pmap.f.map(&pmap, 3 * SPOT, frame, 0, PAGE, RW, NULL, NULL));
    assert_numbered(SPOT, 1, 1);
    machine_enter(first);
    machine_end_program(second);
    FAILS(QUIRE_ERR_INVALID_ASPACE, pmap.f.measure_res(&pmap, &info));
    errval_t error = anon.m.f.pagefault(&anon.m, &regions[1], 0, PAGEFLT_NULL);
    FAILS(LIB_ERR_MEMOBJ_PAGEFAULT_HANDLER, error);
    FAILS(QUIRE_ERR_INVALID_ASPACE, err_pop(error));
    FAILS(LIB_ERR_VSPACE_PAGEFAULT_ADDR_NOT_FOUND,
          vspace_pagefault_handler(&vspace, SPOT, PAGEFLT_READ));
    OK(vregion_destroy(&regions[1]));
    OK(vspace_destroy(&vspace));
    OK(memobj_destroy_anon(&anon.m, true));
}

/* Parts of several frames, some of which are there more than once, are destroyed once each. */
static void test_destroy_caps_of_parts(void)
{
    struct capref frames[3] = {new_frame(2, 1), new_frame(2, 3), new_frame(2, 5)};
    size_t free = machine_free_frames();
    OK(memobj_create_anon(&anon, PAGES(16), 0));
    for (size_t i = 0; i < 3; i++)
        for (size_t part = 0; part < 2; part++)
            OK(anon.m.f.fill_foff(&anon.m, PAGES(i + 3 * part), frames[i], PAGE, PAGES(part)));
    OK(memobj_destroy_anon(&anon.m, true));
    assert_int_equal(machine_free_frames(), free + 6);
}

/* The pins of one vregion go, those of another stay. */
static void test_pins_of_two_regions(void)
{
    OK(memobj_create_anon(&anon, PAGES(4), 0));
    OK(anon.m.f.fill(&anon.m, 0, new_frame(4, 1), 0));
    for (size_t i = 0; i < 2; i++) {
        OK(vregion_map(&regions[i], CURRENT, &anon.m, 0, PAGES(4), RW));
        OK(anon.m.f.pin(&anon.m, &regions[i], PAGE, PAGE));
    }
    OK(anon.m.f.pin(&anon.m, &regions[0], 0, PAGE));
    FAILS(LIB_ERR_MEMOBJ_UNPIN_REGION, anon.m.f.unpin(&anon.m, &regions[1], 0, PAGE));
    OK(vregion_destroy(&regions[0]));
    FAILS(LIB_ERR_MEMOBJ_PIN_REGION, anon.m.f.unfill(&anon.m, 0, NULL, NULL));
    OK(anon.m.f.unpin(&anon.m, &regions[1], PAGE, PAGE));
    struct capref frame;
    OK(anon.m.f.unfill(&anon.m, 0, &frame, NULL));
    OK(cap_destroy(frame));
    OK(memobj_destroy_anon(&anon.m, false));
}

/* A region's part of a file, with frames before and behind it. */
static void test_flush_of_a_part(void)
{
    static struct memobj_vfs vfs;
    struct capref frames[3] = {new_frame(1, 0), new_frame(1, 0), new_frame(1, 0)};
    void *file = machine_file(NULL, PAGES(3));
    OK(memobj_create_vfs(&vfs, PAGES(3), 0, file, 0, PAGES(3)));
    for (size_t i = 0; i < 3; i++)
        OK(vfs.anon.m.f.fill(&vfs.anon.m, PAGES(i), frames[i], 0));
    OK(vregion_map_fixed(&regions[0], CURRENT, &vfs.anon.m, 0, PAGES(3), SPOT, RW));
    OK(vregion_map_fixed(&regions[1], CURRENT, &vfs.anon.m, PAGE, PAGE, 2 * SPOT, RO));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(machine_write(SPOT + PAGES(i), 7), 0);
    OK(memobj_flush_vfs(&vfs.anon.m, &regions[1]));
    assert_int_equal(vm_sync_files(), VM_OK);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(machine_file_data(file)[PAGES(i)], i == 1 ? 7 : 0);
    OK(vfs.anon.m.f.unfill(&vfs.anon.m, PAGE, NULL, NULL));
    OK(memobj_flush_vfs(&vfs.anon.m, &regions[1])); /* it shows none now */
    assert_int_equal(vm_sync_files(), VM_OK);
    assert_int_equal(machine_file_data(file)[PAGES(2)], 0);
    OK(memobj_destroy_vfs(&vfs.anon.m));
    for (size_t i = 0; i < 3; i++)
        OK(cap_destroy(frames[i]));
}

/* Who fills a growing region's object by hand is in its way. */
static void test_mmu_aware_with_frames_of_others(void)
{
    static struct vspace_mmu_aware heap;
    struct capref frame = new_frame(1, 1);
    void *at;
    size_t size;
    OK(vspace_mmu_aware_init(&heap, PAGES(4)));
    OK(heap.memobj.m.f.fill(&heap.memobj.m, PAGE, frame, 0));
    OK(vspace_mmu_aware_map(&heap, PAGE, &at, &size));
    size_t free = machine_free_frames();
    errval_t error = vspace_mmu_aware_map(&heap, PAGE, &at, &size);
    FAILS(LIB_ERR_MEMOBJ_FILL, error);
    FAILS(LIB_ERR_MEMOBJ_DUPLICATE_FILL, err_pop(error));
    assert_int_equal(machine_free_frames(), free);
    OK(vspace_mmu_aware_destroy(&heap));
}

/* A guard is a run of nothing; a device stays one from pmap to pmap. */
static void test_serialise_guards_and_devices(void)
{
    static uint64_t buffer[64];
    struct capref device, frame = new_frame(1, 1);
    struct pmap *pmap = get_current_pmap();
    struct pmap_mapping_info info;
    struct pmap_dump_info run;
    size_t count;
    OK(devframe_create(&device, machine_device(), PAGE));
    OK(pmap->f.map(pmap, SPOT, frame, 0, PAGE, VREGION_FLAGS_GUARD, NULL, NULL));
    OK(pmap->f.map(pmap, 2 * SPOT, device, 0, PAGE, VREGION_FLAGS_READ_WRITE_NOCACHE, NULL, NULL));
    OK(pmap->f.dump(pmap, &run, 1, &count));
    assert_int_equal(count, 1);
    assert_int_equal(run.paddr, device.base);
    OK(pmap->f.serialise(pmap, buffer, sizeof buffer));
    OK(pmap->f.unmap(pmap, 2 * SPOT, PAGE, NULL));
    OK(pmap->f.deserialise(pmap, buffer, sizeof buffer));
    OK(pmap->f.lookup(pmap, 2 * SPOT, &info));
    assert_int_equal(info.cap.type, ObjType_DevFrame);
    assert_int_equal(machine_write(2 * SPOT, 1), machine_has_devices() ? 0 : ERR_UNSUPPORTED);
    OK(pmap->f.unmap(pmap, 2 * SPOT, PAGE, NULL));
    FAILS(LIB_ERR_PMAP_FIND_VNODE, pmap->f.unmap(pmap, SPOT, PAGE, NULL));
    OK(cap_destroy(frame));
}

/* The smallest request that finds no frame is told so, and not to try a smaller one. */
static void test_mmu_aware_without_any_frame(void)
{
    static struct vspace_mmu_aware heap;
    static struct capref taken[8192];
    size_t count = 0, size;
    void *at;
    OK(vspace_mmu_aware_init(&heap, PAGES(4)));
    while (err_is_ok(frame_alloc(&taken[count], PAGE, NULL)))
        count++;
    FAILS(LIB_ERR_FRAME_CREATE, vspace_mmu_aware_map(&heap, PAGE, &at, &size));
    while (count > 0)
        OK(cap_destroy(taken[--count]));
    OK(vspace_mmu_aware_destroy(&heap));
}

/* ---- what is refused ---- */

static void test_arguments_of_memobj_operations(void)
{
    static struct memobj_pinned pinned;
    struct memobj *m = &anon.m;
    struct capref frame = new_frame(3, 1);
    OK(memobj_create_anon(&anon, PAGES(4), 0));
    OK(m->f.fill(m, 0, frame, 0));
    regions[0] = (struct vregion){.memobj = m, .vspace = CURRENT, .size = PAGE};
    FAILS(LIB_ERR_INVALID_ARGS, m->f.map_region(m, &regions[0])); /* it isn't in the vspace */
    FAILS(LIB_ERR_INVALID_ARGS, m->f.pagefault(m, NULL, 0, PAGEFLT_READ));
    OK(vregion_map_fixed(&regions[0], CURRENT, m, 0, PAGES(3), SPOT, RW));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, m->f.pin(m, &regions[0], 1, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_flush_vfs(m, NULL));
    OK(memobj_create_pinned(&pinned, PAGES(6), 0));
    OK(pinned.m.f.fill(&pinned.m, PAGES(3), frame, 0));
    OK(vregion_map_fixed(&regions[1], CURRENT, &pinned.m, 0, PAGES(2), 2 * SPOT, RW));
    assert_nothing(2 * SPOT, 2); /* the frame is behind what it shows */
    OK(memobj_destroy_pinned(&pinned.m));
    OK(memobj_destroy_anon(m, true));
}

/* The largest object there is: a frame over its end, and one over the end of all offsets. */
static void test_fill_over_the_last_offset(void)
{
    struct capref frame = new_frame(3, 1);
    size_t size = (size_t)INT64_MAX - PAGE + 1;
    OK(memobj_create_anon(&anon, size, 0));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, anon.m.f.fill(&anon.m, size - PAGE, frame, 0));
    OK(anon.m.f.fill(&anon.m, size - PAGE, frame, PAGES(2)));
    OK(vregion_map_fixed(&regions[0], CURRENT, &anon.m, size - PAGES(2), PAGES(2), SPOT, RW));
    assert_nothing(SPOT, 1);
    assert_numbered(SPOT + PAGE, 1, 1);
    OK(memobj_destroy_anon(&anon.m, true));
}

/* A pin isn't in the way of frames before and behind it. */
static void test_pins_of_other_frames(void)
{
    struct capref frames[3] = {new_frame(1, 1), new_frame(1, 2), new_frame(1, 3)};
    OK(memobj_create_anon(&anon, PAGES(3), 0));
    for (size_t i = 0; i < 3; i++)
        OK(anon.m.f.fill(&anon.m, PAGES(i), frames[i], 0));
    OK(vregion_map_fixed(&regions[0], CURRENT, &anon.m, 0, PAGES(3), SPOT, RW));
    OK(anon.m.f.pin(&anon.m, &regions[0], PAGE, PAGE));
    OK(anon.m.f.unfill(&anon.m, PAGES(2), NULL, NULL));
    OK(anon.m.f.unfill(&anon.m, 0, NULL, NULL));
    FAILS(LIB_ERR_MEMOBJ_PIN_REGION, anon.m.f.unfill(&anon.m, 0, NULL, NULL));
    OK(memobj_destroy_anon(&anon.m, false));
    for (size_t i = 0; i < 3; i++)
        OK(cap_destroy(frames[i]));
}

/* What nobody may touch can't be pinned, nor mapped by who asks for it. */
static void test_pin_and_pagefault_of_guards(void)
{
    OK(memobj_create_anon(&anon, PAGES(4), 0));
    OK(anon.m.f.fill(&anon.m, 0, new_frame(4, 1), 0));
    OK(vregion_map_fixed(&regions[0], CURRENT, &anon.m, 0, PAGES(4), SPOT, RW));
    OK(anon.m.f.protect(&anon.m, &regions[0], PAGES(2), PAGE, VREGION_FLAGS_GUARD));
    errval_t error = anon.m.f.pin(&anon.m, &regions[0], PAGE, PAGES(2));
    FAILS(LIB_ERR_MEMOBJ_PAGEFAULT_HANDLER, error);
    FAILS(QUIRE_ERR_PF_FATAL, err_pop(error));
    FAILS(LIB_ERR_MEMOBJ_UNPIN_REGION, anon.m.f.unpin(&anon.m, &regions[0], PAGE, PAGES(2)));
    error = anon.m.f.pagefault(&anon.m, &regions[0], PAGES(2), PAGEFLT_NULL);
    FAILS(LIB_ERR_MEMOBJ_PAGEFAULT_HANDLER, error);
    FAILS(QUIRE_ERR_PF_FATAL, err_pop(error));
    OK(anon.m.f.pagefault(&anon.m, &regions[0], PAGE, PAGEFLT_NULL));
    OK(anon.m.f.pin(&anon.m, &regions[0], PAGES(3), PAGE));
    OK(memobj_destroy_anon(&anon.m, true));
}

/* A frame of zeros behind the file's part is nothing to write. */
static void test_flush_behind_the_files_part(void)
{
    static struct memobj_vfs vfs;
    struct capref frame = new_frame(1, 9);
    void *file = machine_file(NULL, PAGES(3));
    OK(memobj_create_vfs(&vfs, PAGES(3), 0, file, 0, PAGE));
    OK(vfs.anon.m.f.fill(&vfs.anon.m, PAGES(2), frame, 0));
    OK(vregion_map_fixed(&regions[0], CURRENT, &vfs.anon.m, 0, PAGES(3), SPOT, RW));
    assert_int_equal(machine_write(SPOT + PAGES(2), 7), 0);
    OK(memobj_flush_vfs(&vfs.anon.m, NULL));
    assert_int_equal(vm_sync_files(), VM_OK);
    assert_int_equal(machine_file_data(file)[PAGES(2)], 0);
    OK(memobj_destroy_vfs(&vfs.anon.m));
    OK(cap_destroy(frame));
}

/* ---- no vspace ---- */

static void *no_memory(size_t size)
{
    (void)size;
    return NULL;
}

static const struct vspace_allocator empty = {no_memory, vm_meta_free, no_memory, vm_meta_free};

static void test_without_a_vspace(void)
{
    static struct vspace_mmu_aware heap;
    struct vspace vspace;
    struct pmap pmap;
    void *unit;
    aspace_id program = machine_program();
    OK(vspace_pinned_alloc(&unit, FRAME_LIST));
    OK(vspace_pinned_free(unit, FRAME_LIST));
    vspace_set_allocator(&empty);
    FAILS(LIB_ERR_VSPACE_PINNED_ALLOC, vspace_pinned_alloc(&unit, VREGION_LIST));
    vspace_set_allocator(NULL);
    FAILS(LIB_ERR_INVALID_ARGS, vspace_mmu_aware_init(&heap, PAGE));
    machine_leave();
    errval_t error = pmap_current_init(&pmap, &vspace);
    FAILS(LIB_ERR_PMAP_CURRENT_INIT, error);
    FAILS(LIB_ERR_PMAP_INIT, err_pop(error));
    machine_enter(program);
}

/* ---- several vspaces ---- */

/* Each pmap looks at its own only, also where two are of one address space. */
static void test_two_vspaces(void)
{
    static struct vspace vspace;
    static struct pmap pmap;
    struct capref frame = new_frame(1, 1);
    OK(pmap_init(&pmap, &vspace, machine_program()));
    OK(vspace_init(&vspace, &pmap));
    regions[0] = (struct vregion){.base = SPOT, .size = PAGE};
    regions[1] = (struct vregion){.base = 2 * SPOT, .size = PAGE};
    OK(vspace_add_vregion(CURRENT, &regions[0]));
    OK(vspace_add_vregion(&vspace, &regions[1]));
    OK(get_current_pmap()->f.map(get_current_pmap(), 3 * SPOT, frame, 0, PAGE, RW, NULL, NULL));
    assert_list(CURRENT, 1, &regions[0]);
    assert_list(&vspace, 1, &regions[1]);
    assert_null(vspace_get_region(CURRENT, (void *)(2 * SPOT)));
    assert_null(vspace_get_region(&vspace, (void *)SPOT));
    FAILS(LIB_ERR_VSPACE_VREGION_NOT_FOUND, vspace_remove_vregion(CURRENT, &regions[1]));
    FAILS(LIB_ERR_PMAP_FIND_VNODE, pmap.f.lookup(&pmap, 3 * SPOT, NULL));
    FAILS(LIB_ERR_PMAP_FIND_VNODE, pmap.f.unmap(&pmap, 3 * SPOT, PAGE, NULL));
    OK(vspace_destroy(&vspace));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_add_vregion(&vspace, &regions[1]));
    assert_list(CURRENT, 1, &regions[0]);
    OK(get_current_pmap()->f.unmap(get_current_pmap(), 3 * SPOT, PAGE, NULL));
    OK(cap_destroy(frame));
}

/* What pmaps have mapped directly is no part of the list. */
static void test_list_beside_mappings(void)
{
    struct pmap *pmap = get_current_pmap();
    struct capref frame = new_frame(1, 1);
    regions[0] = (struct vregion){.base = 4 * SPOT, .size = PAGE};
    regions[1] = (struct vregion){.base = SPOT, .size = PAGE};
    OK(pmap->f.map(pmap, 2 * SPOT, frame, 0, PAGE, RW, NULL, NULL));
    OK(pmap->f.map(pmap, 3 * SPOT, frame, 0, PAGE, RW, NULL, NULL));
    OK(vspace_add_vregion(CURRENT, &regions[0]));
    OK(vspace_add_vregion(CURRENT, &regions[1]));
    assert_list(CURRENT, 2, &regions[1], &regions[0]);
    OK(pmap->f.unmap(pmap, 2 * SPOT, 2 * SPOT, NULL));
    OK(cap_destroy(frame));
}

VSPACE_MAIN("what seldom happens in the layer", TEST(test_arguments_of_memobj_operations),
            TEST(test_fill_over_the_last_offset), TEST(test_pins_of_other_frames),
            TEST(test_pin_and_pagefault_of_guards), TEST(test_flush_behind_the_files_part),
            BARE(test_without_a_vspace), TEST(test_two_vspaces), TEST(test_list_beside_mappings),
            TEST(test_unmap_region_of_the_users_own), TEST(test_pagefault_of_the_users_own),
            TEST(test_address_space_has_gone), TEST(test_destroy_caps_of_parts),
            TEST(test_pins_of_two_regions), TEST(test_flush_of_a_part),
            TEST(test_mmu_aware_with_frames_of_others), TEST(test_serialise_guards_and_devices),
            TEST(test_mmu_aware_without_any_frame))
