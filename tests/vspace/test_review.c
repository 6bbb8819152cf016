/* SPDX-License-Identifier: MIT */
/* What a review of the layer found: misuse that crashed, and parts of regions that were forgotten. */
#include "support.h"

static struct memobj_anon anon;
static struct memobj_pinned pinned;
static struct vregion regions[3];

static void make_anon(size_t pages)
{
    OK(memobj_create_anon(&anon, PAGES(pages), 0));
    OK(anon.m.f.fill(&anon.m, 0, new_frame(pages, 1), 0));
}

static void map_at(struct vregion *vregion, struct memobj *memobj, genvaddr_t base, size_t pages)
{
    OK(vregion_map_fixed(vregion, CURRENT, memobj, 0, PAGES(pages), base, RW));
}

static void assert_numbered_without_faults(genvaddr_t base, size_t pages)
{
    uint64_t faults = machine_faults();
    assert_numbered(base, pages, 1);
    assert_int_equal(machine_faults(), faults);
}

/* ---- vregions that protection has cut into pieces ---- */

/* A pin maps each piece. */
static void test_pin_over_protected_pieces(void)
{
    make_anon(6);
    map_at(&regions[0], &anon.m, SPOT, 6);
    OK(anon.m.f.protect(&anon.m, &regions[0], PAGES(2), PAGE, RO));
    OK(anon.m.f.protect(&anon.m, &regions[0], PAGES(4), PAGE, RO));
    OK(anon.m.f.pin(&anon.m, &regions[0], 0, PAGES(6)));
    assert_numbered_without_faults(SPOT, 6);
    OK(memobj_destroy_anon(&anon.m, true));
}

/* And who asks for all that goes together gets it. */
static void test_pagefault_null_over_protected_pieces(void)
{
    make_anon(6);
    map_at(&regions[0], &anon.m, SPOT, 6);
    OK(anon.m.f.protect(&anon.m, &regions[0], PAGES(2), PAGE, RO));
    OK(anon.m.f.pagefault(&anon.m, &regions[0], PAGES(5), PAGEFLT_NULL));
    assert_numbered_without_faults(SPOT, 6);
    OK(memobj_destroy_anon(&anon.m, true));
}

static void test_pinned_fill_over_protected_pieces(void)
{
    struct capref frame = new_frame(6, 1);
    OK(memobj_create_pinned(&pinned, PAGES(6), 0));
    map_at(&regions[0], &pinned.m, SPOT, 6);
    OK(pinned.m.f.protect(&pinned.m, &regions[0], PAGES(2), PAGE, RO));
    OK(pinned.m.f.fill(&pinned.m, 0, frame, 0));
    assert_numbered_without_faults(SPOT, 6);
    OK(memobj_destroy_pinned(&pinned.m));
    OK(cap_destroy(frame));
}

/* What may not be touched isn't mapped, and is no reason not to fill. */
static void test_pinned_fill_over_a_guard(void)
{
    struct capref frame = new_frame(6, 1);
    OK(memobj_create_pinned(&pinned, PAGES(6), 0));
    map_at(&regions[0], &pinned.m, SPOT, 6);
    OK(pinned.m.f.protect(&pinned.m, &regions[0], PAGES(2), PAGE, VREGION_FLAGS_NONE));
    OK(pinned.m.f.fill(&pinned.m, 0, frame, 0));
    assert_numbered_without_faults(SPOT, 2);
    assert_int_equal(machine_read(SPOT + PAGES(2)), ERR_VM_PF_FATAL);
    OK(pinned.m.f.protect(&pinned.m, &regions[0], PAGES(2), PAGE, RO));
    assert_numbered_without_faults(SPOT, 6);
    OK(memobj_destroy_pinned(&pinned.m));
    OK(cap_destroy(frame));
}

/* No access to what is filled is ever a fault, also where there were no rights before. */
static void test_pinned_protect_maps_again(void)
{
    struct capref frame = new_frame(4, 1);
    OK(memobj_create_pinned(&pinned, PAGES(6), 0));
    OK(pinned.m.f.fill(&pinned.m, 0, frame, 0));
    OK(vregion_map_fixed(&regions[0], CURRENT, &pinned.m, 0, PAGES(6), SPOT, VREGION_FLAGS_NONE));
    OK(pinned.m.f.protect(&pinned.m, &regions[0], 0, PAGES(6), RW));
    assert_numbered_without_faults(SPOT, 4);
    OK(pinned.m.f.protect(&pinned.m, &regions[0], PAGE, PAGES(2), VREGION_FLAGS_NONE));
    OK(pinned.m.f.protect(&pinned.m, &regions[0], PAGE, PAGES(2), RW));
    assert_numbered_without_faults(SPOT, 4);
    OK(memobj_destroy_pinned(&pinned.m));
    OK(cap_destroy(frame));
}

/* So it is with what is pinned in another object, and with that only. */
static void test_pins_outlast_protection(void)
{
    struct capref frame = new_frame(6, 1);
    struct pmap_res_info before, now;
    OK(memobj_create_anon(&anon, PAGES(6), 0));
    for (size_t i = 0; i < 6; i++)
        OK(anon.m.f.fill_foff(&anon.m, PAGES(i), frame, PAGE, PAGES(i)));
    map_at(&regions[0], &anon.m, SPOT, 6);
    map_at(&regions[1], &anon.m, 2 * SPOT, 6);
    OK(anon.m.f.pin(&anon.m, &regions[1], PAGES(5), PAGE));
    OK(anon.m.f.pin(&anon.m, &regions[0], PAGE, PAGE));
    OK(anon.m.f.pin(&anon.m, &regions[0], PAGE, PAGES(2)));
    OK(anon.m.f.pin(&anon.m, &regions[0], PAGES(4), PAGE));
    OK(get_current_pmap()->f.measure_res(get_current_pmap(), &before));
    OK(anon.m.f.protect(&anon.m, &regions[0], 0, PAGES(6), VREGION_FLAGS_NONE));
    OK(anon.m.f.protect(&anon.m, &regions[0], PAGES(2), PAGES(4), RW));
    OK(anon.m.f.protect(&anon.m, &regions[0], 0, PAGES(3), RW));
    OK(get_current_pmap()->f.measure_res(get_current_pmap(), &now));
    assert_int_equal(now.slots_used, before.slots_used);
    uint64_t faults = machine_faults();
    assert_numbered(SPOT + PAGE, 2, 2);
    assert_numbered(SPOT + PAGES(4), 1, 5);
    assert_int_equal(machine_faults(), faults);
    OK(memobj_destroy_anon(&anon.m, true));
}

/* A right that comes back needs no fault, either. */
static void test_pins_get_rights_back(void)
{
    make_anon(2);
    map_at(&regions[0], &anon.m, SPOT, 2);
    OK(anon.m.f.pin(&anon.m, &regions[0], 0, PAGES(2)));
    OK(anon.m.f.protect(&anon.m, &regions[0], 0, PAGES(2), RO));
    OK(anon.m.f.protect(&anon.m, &regions[0], 0, PAGES(2), RW));
    uint64_t faults = machine_faults();
    assert_int_equal(machine_write(SPOT + PAGE, 7), 0);
    assert_int_equal(machine_faults(), faults);
    OK(memobj_destroy_anon(&anon.m, true));
}

/* ---- frames that are in an object more than once ---- */

static void test_destroy_caps_once_each(void)
{
    struct capref twice = new_frame(2, 1), also = new_frame(2, 1);
    size_t free = machine_free_frames();
    OK(memobj_create_anon(&anon, PAGES(16), 0));
    OK(anon.m.f.fill(&anon.m, 0, twice, 0));
    OK(anon.m.f.fill(&anon.m, PAGES(4), also, PAGE));
    OK(anon.m.f.fill(&anon.m, PAGES(8), twice, 0));
    OK(anon.m.f.fill(&anon.m, PAGES(10), also, 0));
    OK(memobj_destroy_anon(&anon.m, true));
    assert_int_equal(machine_free_frames(), free + 4);
}

/* ---- objects that have gone ---- */

static void test_operations_on_a_destroyed_object(void)
{
    make_anon(2);
    map_at(&regions[0], &anon.m, SPOT, 2);
    OK(memobj_destroy_anon(&anon.m, true));
    FAILS(LIB_ERR_INVALID_ARGS, anon.m.f.unpin(&anon.m, &regions[0], 0, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, anon.m.f.pin(&anon.m, &regions[0], 0, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, anon.m.f.protect(&anon.m, &regions[0], 0, PAGE, RO));
    FAILS(LIB_ERR_INVALID_ARGS, anon.m.f.map_region(&anon.m, &regions[0]));
    FAILS(LIB_ERR_INVALID_ARGS, anon.m.f.pagefault(&anon.m, &regions[0], 0, PAGEFLT_NULL));
    regions[0] = (struct vregion){.base = SPOT, .size = PAGE, .memobj = &anon.m, .flags = RW};
    FAILS(LIB_ERR_INVALID_ARGS, vspace_add_vregion(CURRENT, &regions[0]));
}

/* It was never told of the vregion. */
static void test_object_goes_before_an_added_vregion(void)
{
    make_anon(2);
    regions[0] = (struct vregion){.base = SPOT, .size = PAGES(2), .memobj = &anon.m, .flags = RW};
    OK(vspace_add_vregion(CURRENT, &regions[0]));
    assert_numbered(SPOT, 2, 1);
    OK(memobj_destroy_anon(&anon.m, true));
    assert_nothing(SPOT, 2);
    for (vm_fault_type_t type = PAGEFLT_NULL; type <= PAGEFLT_EXEC; type++)
        FAILS(LIB_ERR_VREGION_PAGEFAULT_HANDLER, vspace_pagefault_handler(CURRENT, SPOT, type));
    FAILS(LIB_ERR_PMAP_FIND_VNODE, get_current_pmap()->f.lookup(get_current_pmap(), SPOT, NULL));
    FAILS(LIB_ERR_INVALID_ARGS, anon.m.f.map_region(&anon.m, &regions[0]));
    OK(vregion_destroy(&regions[0]));
    assert_list(CURRENT, 0);
}

/* ---- vregions that were added by hand ---- */

/* What isn't said of a vregion is the layer's, and may be anything. */
static void test_add_vregion_of_any_bytes(void)
{
    make_anon(2);
    memset(&regions[0], 0xa5, sizeof regions[0]);
    regions[0].base = SPOT;
    regions[0].size = PAGES(2);
    regions[0].memobj = &anon.m;
    regions[0].offset = 0;
    regions[0].flags = RW;
    OK(vspace_add_vregion(CURRENT, &regions[0]));
    OK(anon.m.f.map_region(&anon.m, &regions[0]));
    assert_list(CURRENT, 1, &regions[0]);
    assert_numbered(SPOT, 2, 1);
    OK(vspace_unmap((void *)SPOT));
    OK(memobj_destroy_anon(&anon.m, true));
}

static void test_vregion_destroy_without_map_region(void)
{
    make_anon(2);
    for (size_t i = 0; i < 2; i++) {
        regions[i] =
            (struct vregion){.base = (1 + i) * SPOT, .size = PAGE, .memobj = &anon.m, .flags = RW};
        OK(vspace_add_vregion(CURRENT, &regions[i]));
    }
    OK(vregion_destroy(&regions[0]));
    FAILS(LIB_ERR_VREGION_NOT_FOUND, vregion_destroy(&regions[0]));
    assert_list(CURRENT, 1, &regions[1]);
    OK(vspace_destroy(CURRENT));
    OK(vspace_current_init(true));
    OK(memobj_destroy_anon(&anon.m, true));
}

/* A vregion is in the list once. */
static void test_vregion_is_mapped_already(void)
{
    make_anon(4);
    map_at(&regions[0], &anon.m, SPOT, 2);
    map_at(&regions[1], &anon.m, 2 * SPOT, 2);
    FAILS(LIB_ERR_INVALID_ARGS, vregion_map(&regions[0], CURRENT, &anon.m, 0, PAGE, RW));
    FAILS(LIB_ERR_INVALID_ARGS,
          vregion_map_fixed(&regions[0], CURRENT, &anon.m, 0, PAGE, 3 * SPOT, RW));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_add_vregion(CURRENT, &regions[1]));
    assert_list(CURRENT, 2, &regions[0], &regions[1]);
    assert_numbered(SPOT, 2, 1);
    OK(vregion_destroy(&regions[0]));
    map_at(&regions[0], &anon.m, 3 * SPOT, 2);
    assert_list(CURRENT, 2, &regions[1], &regions[0]);
    OK(memobj_destroy_anon(&anon.m, true));
}

/* The other order of what vregion_destroy does: its range is somebody else's by then, or its vspace is no more. */
static void test_unmap_region_after_remove(void)
{
    struct vspace vspace;
    struct pmap pmap;
    struct capref frame = new_frame(2, 1);
    make_anon(2);
    map_at(&regions[0], &anon.m, SPOT, 2);
    OK(vspace_remove_vregion(CURRENT, &regions[0]));
    OK(memobj_create_pinned(&pinned, PAGES(2), 0));
    OK(pinned.m.f.fill(&pinned.m, 0, frame, 0));
    map_at(&regions[1], &pinned.m, SPOT, 2);
    OK(anon.m.f.unmap_region(&anon.m, &regions[0]));
    assert_numbered_without_faults(SPOT, 2);
    OK(pmap_create(&pmap, &vspace, SPOT, PAGES(64)));
    OK(vspace_init(&vspace, &pmap));
    OK(vregion_map(&regions[0], &vspace, &anon.m, 0, PAGES(2), RW));
    OK(vspace_remove_vregion(&vspace, &regions[0]));
    OK(vspace_destroy(&vspace));
    OK(anon.m.f.unmap_region(&anon.m, &regions[0]));
    OK(memobj_destroy_pinned(&pinned.m));
    OK(cap_destroy(frame));
    OK(memobj_destroy_anon(&anon.m, true));
}

/* ---- flags ---- */

#define UNKNOWN 0x1000u

static void test_unknown_flags(void)
{
    struct pmap *pmap = get_current_pmap();
    struct capref frame = new_frame(1, 1);
    make_anon(2);
    FAILS(LIB_ERR_INVALID_ARGS, vregion_map(&regions[0], CURRENT, &anon.m, 0, PAGE, RW | UNKNOWN));
    regions[0] = (struct vregion){.base = SPOT, .size = PAGE, .flags = UNKNOWN};
    FAILS(LIB_ERR_INVALID_ARGS, vspace_add_vregion(CURRENT, &regions[0]));
    map_at(&regions[0], &anon.m, SPOT, 2);
    FAILS(LIB_ERR_INVALID_ARGS, anon.m.f.protect(&anon.m, &regions[0], 0, PAGE, RO | UNKNOWN));
    FAILS(LIB_ERR_INVALID_ARGS, pmap->f.modify_flags(pmap, SPOT, PAGE, RO | UNKNOWN, NULL));
    FAILS(LIB_ERR_INVALID_ARGS,
          pmap->f.map(pmap, 2 * SPOT, frame, 0, PAGE, RW | UNKNOWN, NULL, NULL));
    assert_int_equal(machine_write(SPOT, 1), 0);
    OK(memobj_destroy_anon(&anon.m, true));
    OK(cap_destroy(frame));
}

/* Protection is about rights: how the caches are used stays, and how pages are aligned. */
static void test_protect_leaves_other_flags(void)
{
    make_anon(2);
    OK(vregion_map(&regions[0], CURRENT, &anon.m, 0, PAGES(2),
                   VREGION_FLAGS_READ_WRITE_NOCACHE | VREGION_FLAGS_LARGE));
    OK(anon.m.f.protect(&anon.m, &regions[0], 0, PAGES(2), RO));
    assert_int_equal(vregion_get_flags(&regions[0]),
                     RO | VREGION_FLAGS_NOCACHE | VREGION_FLAGS_LARGE);
    OK(anon.m.f.protect(&anon.m, &regions[0], 0, PAGES(2), VREGION_FLAGS_GUARD));
    OK(anon.m.f.protect(&anon.m, &regions[0], 0, PAGES(2), RW));
    assert_int_equal(vregion_get_flags(&regions[0]),
                     RW | VREGION_FLAGS_NOCACHE | VREGION_FLAGS_LARGE);
    OK(memobj_destroy_anon(&anon.m, true));
}

/* What goes past the caches does so from pmap to pmap. */
static void test_serialise_keeps_the_caching(void)
{
    static uint64_t buffer[64];
    struct pmap *pmap = get_current_pmap();
    struct pmap_mapping_info info;
    struct capref frame = new_frame(1, 1);
    OK(pmap->f.map(pmap, SPOT, frame, 0, PAGE, VREGION_FLAGS_READ_WRITE_NOCACHE, NULL, NULL));
    OK(pmap->f.map(pmap, 2 * SPOT, frame, 0, PAGE, RO, NULL, NULL));
    for (unsigned round = 0; round < 2; round++) {
        OK(pmap->f.lookup(pmap, SPOT, &info));
        assert_int_equal(info.flags,
                         VREGION_FLAGS_READ | VREGION_FLAGS_WRITE | VREGION_FLAGS_NOCACHE);
        OK(pmap->f.lookup(pmap, 2 * SPOT, &info));
        assert_int_equal(info.flags, VREGION_FLAGS_READ);
        OK(pmap->f.serialise(pmap, buffer, sizeof buffer));
        OK(pmap->f.unmap(pmap, SPOT, 2 * SPOT, NULL));
        OK(pmap->f.deserialise(pmap, buffer, sizeof buffer));
    }
    OK(pmap->f.unmap(pmap, SPOT, 2 * SPOT, NULL));
    OK(cap_destroy(frame));
}

/* Each of these flags by itself goes past the caches, and nothing else does. */
static void test_which_flags_go_past_the_caches(void)
{
    static const struct {
        vregion_flags_t flags;
        bool past;
    } cases[] = {{RO, false},
                 {RW, false},
                 {VREGION_FLAGS_READ_EXECUTE, false},
                 {RO | VREGION_FLAGS_LARGE, false},
                 {RO | VREGION_FLAGS_NOCACHE, true},
                 {RO | VREGION_FLAGS_MPB, true},
                 {RO | VREGION_FLAGS_WRITE_COMBINING, true}};
    struct pmap *pmap = get_current_pmap();
    struct pmap_mapping_info info;
    struct capref frame = new_frame(1, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        OK(pmap->f.map(pmap, SPOT, frame, 0, PAGE, cases[i].flags, NULL, NULL));
        OK(pmap->f.lookup(pmap, SPOT, &info));
        assert_int_equal((info.flags & VREGION_FLAGS_NOCACHE) != 0, cases[i].past);
        OK(pmap->f.unmap(pmap, SPOT, PAGE, NULL));
    }
    OK(cap_destroy(frame));
}

/* ---- numbers ---- */

/* What is reserved and not mapped takes no time, however much it is. */
static void test_pmap_over_a_huge_vregion(void)
{
    struct pmap *pmap = get_current_pmap();
    struct capref frame = new_frame(1, 1);
    struct pmap_dump_info runs[2];
    size_t size = machine_user_size() / 16 & ~VM_PAGE_MASK, count, unmapped;
    OK(memobj_create_anon(&anon, size, 0));
    OK(anon.m.f.fill(&anon.m, PAGE, frame, 0));
    OK(anon.m.f.fill(&anon.m, size - PAGE, frame, 0));
    OK(vregion_map(&regions[0], CURRENT, &anon.m, 0, size, RW));
    genvaddr_t base = vregion_get_base_addr(&regions[0]);
    assert_numbered(base + PAGE, 1, 1);
    assert_numbered(base + size - PAGE, 1, 1);
    OK(pmap->f.dump(pmap, runs, 2, &count));
    assert_int_equal(count, 2);
    assert_int_equal(runs[0].vaddr, base + PAGE);
    assert_int_equal(runs[1].vaddr, base + size - PAGE);
    OK(pmap->f.unmap(pmap, base + PAGE, size - PAGE, &unmapped));
    assert_int_equal(unmapped, PAGES(2));
    OK(memobj_destroy_anon(&anon.m, true));
}

/* Nodes whose parts no offset could name. */
static void test_numa_of_too_many_nodes(void)
{
    static struct memobj_numa numa;
    size_t huge = (size_t)1 << 61, nodes = ((size_t)1 << 52) + 1;
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_numa(&numa, huge, 0, nodes, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_numa(&numa, PAGE, 0, SIZE_MAX, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_numa(&numa, PAGE, 0, 3, (size_t)1 << 62));
    OK(memobj_create_numa(&numa, PAGE, 0, 5, PAGE)); /* more than are needed */
    OK(memobj_destroy_numa(&numa.m));
}

/* No page table has room for such an address. */
static void test_frames_where_no_memory_can_be(void)
{
    static uint64_t buffer[64];
    struct pmap *pmap = get_current_pmap();
    struct capref device, frame = new_frame(1, 1);
    genpaddr_t end = (genpaddr_t)1 << 52;
    FAILS(LIB_ERR_FRAME_CREATE, devframe_create(&device, end, PAGE));
    FAILS(LIB_ERR_FRAME_CREATE, devframe_create(&device, end - PAGE, PAGES(2)));
    FAILS(LIB_ERR_FRAME_CREATE, devframe_create(&device, 0, 2 * end));
    OK(devframe_create(&device, end - PAGE, PAGE));
    OK(pmap->f.map(pmap, SPOT, frame, 0, PAGE, RW, NULL, NULL));
    OK(pmap->f.serialise(pmap, buffer, sizeof buffer));
    OK(pmap->f.unmap(pmap, SPOT, PAGE, NULL));
    struct pmap_dump_info *run = (struct pmap_dump_info *)&buffer[2];
    for (genpaddr_t paddr = end; paddr > end - PAGES(2); paddr -= PAGE) {
        run->paddr = paddr;
        run->size = PAGES(2);
        FAILS(LIB_ERR_DESERIALISE, pmap->f.deserialise(pmap, buffer, sizeof buffer));
    }
    OK(cap_destroy(frame));
}

/* A growing region that was destroyed has no room. */
static void test_mmu_aware_after_destroy(void)
{
    static struct vspace_mmu_aware heap;
    void *at;
    size_t size;
    OK(vspace_mmu_aware_init(&heap, PAGES(16)));
    OK(vspace_mmu_aware_map(&heap, PAGES(4), &at, &size));
    OK(vspace_mmu_aware_unmap(&heap, (lvaddr_t)at, PAGES(4)));
    OK(vspace_mmu_aware_destroy(&heap));
    FAILS(LIB_ERR_VSPACE_MMU_AWARE_NO_SPACE, vspace_mmu_aware_map(&heap, PAGE, &at, &size));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_mmu_aware_unmap(&heap, (lvaddr_t)at, PAGE));
}

/* A frame shows nothing of what it had before, where the file is shorter than was said. */
static void test_vfs_short_file_shows_zeros(void)
{
    static struct memobj_vfs vfs;
    static const char text[100] = "short";
    struct capref frame = new_frame(4, 90);
    void *file = machine_file(text, sizeof text);
    OK(memobj_create_vfs(&vfs, PAGES(4), 0, file, 3, PAGES(3)));
    OK(vfs.anon.m.f.fill(&vfs.anon.m, 0, frame, 0));
    map_at(&regions[0], &vfs.anon.m, SPOT, 4);
    assert_int_equal(machine_read(SPOT), 'r');
    assert_int_equal(machine_read(SPOT + 97), 0);
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(machine_read(SPOT + PAGES(i)), 0);
    OK(memobj_destroy_vfs(&vfs.anon.m));
    OK(cap_destroy(frame));
}

VSPACE_MAIN("what a review found", TEST(test_pin_over_protected_pieces),
            TEST(test_pagefault_null_over_protected_pieces),
            TEST(test_pinned_fill_over_protected_pieces), TEST(test_pinned_fill_over_a_guard),
            TEST(test_pinned_protect_maps_again), TEST(test_pins_outlast_protection),
            TEST(test_pins_get_rights_back), TEST(test_destroy_caps_once_each),
            TEST(test_operations_on_a_destroyed_object),
            TEST(test_object_goes_before_an_added_vregion), TEST(test_add_vregion_of_any_bytes),
            TEST(test_vregion_destroy_without_map_region), TEST(test_vregion_is_mapped_already),
            TEST(test_unmap_region_after_remove), TEST(test_unknown_flags),
            TEST(test_protect_leaves_other_flags), TEST(test_serialise_keeps_the_caching),
            TEST(test_which_flags_go_past_the_caches), TEST(test_pmap_over_a_huge_vregion),
            TEST(test_numa_of_too_many_nodes), TEST(test_frames_where_no_memory_can_be),
            TEST(test_mmu_aware_after_destroy), TEST(test_vfs_short_file_shows_zeros))
