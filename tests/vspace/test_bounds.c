/* SPDX-License-Identifier: MIT */
/* Where frames begin and end, which of them go first, and what is asked of memory meanwhile. */
#include "support.h"

static struct memobj_anon anon;
static struct memobj_pinned pinned;
static struct vregion region;
static struct capref frame;

/* Frames of one page each. */
static void make_pages(size_t count)
{
    frame = new_frame(count, 1);
    OK(memobj_create_anon(&anon, PAGES(count), 0));
    for (size_t i = 0; i < count; i++)
        OK(anon.m.f.fill_foff(&anon.m, PAGES(i), frame, PAGE, PAGES(i)));
}

static size_t resident(void)
{
    struct pmap_res_info info;
    OK(get_current_pmap()->f.measure_res(get_current_pmap(), &info));
    return info.slots_used;
}

/* ---- how much of a frame ---- */

/* Size 0 is what is left from the offset on, and no more; nothing left is no frame. */
static void test_fill_foff_takes_the_rest(void)
{
    frame = new_frame(4, 1);
    OK(memobj_create_anon(&anon, PAGES(8), 0));
    OK(vregion_map_fixed(&region, CURRENT, &anon.m, 0, PAGES(8), SPOT, RW));
    FAILS(LIB_ERR_PMAP_FRAME_SIZE, anon.m.f.fill_foff(&anon.m, 0, frame, 0, PAGES(4)));
    FAILS(LIB_ERR_PMAP_FRAME_SIZE, anon.m.f.fill_foff(&anon.m, 0, frame, PAGES(3), PAGES(2)));
    OK(anon.m.f.fill_foff(&anon.m, 0, frame, 0, PAGES(2)));
    assert_numbered(SPOT, 2, 3);
    assert_nothing(SPOT + PAGES(2), 6);
    OK(anon.m.f.fill_foff(&anon.m, PAGES(2), frame, PAGES(2), PAGES(2)));
    assert_numbered(SPOT + PAGES(2), 2, 3);
    OK(memobj_destroy_anon(&anon.m, true));
}

/* One fault maps what one page table holds, wherever the frame begins. */
static void test_fault_maps_one_table(void)
{
    enum { COUNT = 1400 };
    struct capref large = new_frame(COUNT, 0);
    genvaddr_t base = SPOT + PAGES(100);
    OK(memobj_create_anon(&anon, PAGES(COUNT), 0));
    OK(anon.m.f.fill(&anon.m, 0, large, 0));
    OK(vregion_map_fixed(&region, CURRENT, &anon.m, 0, PAGES(COUNT), base, RW));
    size_t before = resident();
    assert_int_equal(machine_read(base + PAGES(600)), (uint8_t)600);
    assert_int_equal(resident(), before + 512);
    assert_int_equal(machine_read(base + PAGES(COUNT - 1)), (uint8_t)(COUNT - 1));
    assert_int_equal(resident(), before + 512 + COUNT - 1024);
    OK(vspace_pagefault_handler(CURRENT, base, PAGEFLT_NULL));
    assert_int_equal(resident(), before + COUNT);
    OK(memobj_destroy_anon(&anon.m, true));
}

/* A frame before, in and behind what the vregion shows of a pinned object. */
static void test_pinned_frame_over_the_vregion(void)
{
    frame = new_frame(8, 1);
    OK(memobj_create_pinned(&pinned, PAGES(8), 0));
    OK(vregion_map_fixed(&region, CURRENT, &pinned.m, PAGES(3), PAGES(2), SPOT, RW));
    size_t before = resident();
    OK(pinned.m.f.fill(&pinned.m, 0, frame, 0));
    assert_int_equal(resident(), before + 2);
    assert_numbered(SPOT, 2, 4);
    OK(pinned.m.f.unfill(&pinned.m, 0, NULL, NULL));
    for (size_t i = 0; i < 4; i++)
        OK(pinned.m.f.fill_foff(&pinned.m, PAGES(2 * i), frame, PAGES(2), PAGES(2 * i)));
    assert_int_equal(resident(), before + 2);
    assert_numbered(SPOT, 2, 4);
    OK(memobj_destroy_pinned(&pinned.m));
    OK(cap_destroy(frame));
}

/* Pieces of a vregion that begins within its object. */
static void test_pieces_at_an_offset(void)
{
    frame = new_frame(8, 1);
    OK(memobj_create_anon(&anon, PAGES(8), 0));
    OK(anon.m.f.fill(&anon.m, 0, frame, 0));
    OK(vregion_map_fixed(&region, CURRENT, &anon.m, PAGES(3), PAGES(4), SPOT, RW));
    OK(anon.m.f.protect(&anon.m, &region, PAGES(4), PAGE, RO));
    OK(anon.m.f.protect(&anon.m, &region, PAGES(6), PAGE, VREGION_FLAGS_NONE));
    size_t before = resident();
    FAILS(LIB_ERR_MEMOBJ_PAGEFAULT_HANDLER,
          anon.m.f.pagefault(&anon.m, &region, PAGES(6), PAGEFLT_NULL));
    OK(anon.m.f.pagefault(&anon.m, &region, PAGES(3), PAGEFLT_NULL));
    assert_int_equal(resident(), before + 3);
    assert_numbered(SPOT, 3, 4);
    OK(memobj_destroy_anon(&anon.m, true));
}

/* ---- parts of vregions ---- */

/* A range that begins in what is shown and ends behind it. */
static void test_ranges_behind_the_vregion(void)
{
    struct memobj *m = &anon.m;
    frame = new_frame(8, 1);
    OK(memobj_create_anon(&anon, PAGES(8), 0));
    OK(m->f.fill(m, 0, frame, 0));
    OK(vregion_map_fixed(&region, CURRENT, m, PAGES(3), PAGES(2), SPOT, RW));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, m->f.protect(m, &region, PAGES(4), PAGES(2), RO));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, m->f.protect(m, &region, PAGES(3), PAGES(2) + 1, RO));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, m->f.protect(m, &region, PAGES(2), PAGES(2), RO));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, m->f.pin(m, &region, PAGES(4), PAGE + 1));
    assert_int_equal(machine_write(SPOT + PAGE, 5), 0);
    OK(m->f.pin(m, &region, PAGES(4), 1)); /* of whole pages */
    FAILS(LIB_ERR_MEMOBJ_PIN_REGION, m->f.unfill(m, 0, NULL, NULL));
    OK(m->f.unpin(m, &region, PAGES(4), 1));
    OK(vspace_pagefault_handler(CURRENT, SPOT + PAGES(2) - 1, PAGEFLT_READ));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, m->f.pagefault(m, &region, PAGES(5), PAGEFLT_READ));
    OK(memobj_destroy_anon(m, true));
}

/* Whoever asks for a frame gets that one, whatever is before and behind it. */
static void test_pagefault_null_maps_one_frame(void)
{
    frame = new_frame(8, 1);
    OK(memobj_create_anon(&anon, PAGES(8), 0));
    OK(anon.m.f.fill_foff(&anon.m, PAGES(2), frame, PAGE, PAGES(2)));
    OK(anon.m.f.fill_foff(&anon.m, PAGES(3), frame, PAGES(2), PAGES(3)));
    OK(anon.m.f.fill_foff(&anon.m, PAGES(5), frame, PAGES(3), PAGES(5)));
    OK(vregion_map_fixed(&region, CURRENT, &anon.m, 0, PAGES(8), SPOT, VREGION_FLAGS_READ_EXECUTE));
    size_t before = resident();
    OK(anon.m.f.pagefault(&anon.m, &region, PAGES(4) + 77, PAGEFLT_NULL));
    assert_int_equal(resident(), before + 2);
    OK(anon.m.f.pagefault(&anon.m, &region, PAGES(2), PAGEFLT_EXEC));
    assert_int_equal(resident(), before + 3);
    assert_numbered(SPOT + PAGES(2), 6, 3);
    OK(memobj_destroy_anon(&anon.m, true));
}

/* A frame behind the vregion, of an object that maps at once, is nothing to map. */
static void test_pinned_frames_behind_the_vregion(void)
{
    frame = new_frame(8, 1);
    OK(memobj_create_pinned(&pinned, PAGES(8), 0));
    for (size_t i = 0; i < 8; i++)
        OK(pinned.m.f.fill_foff(&pinned.m, PAGES(i), frame, PAGE, PAGES(i)));
    size_t before = resident();
    OK(vregion_map_fixed(&region, CURRENT, &pinned.m, PAGES(3), PAGES(2), SPOT, RW));
    assert_int_equal(resident(), before + 2);
    OK(pinned.m.f.protect(&pinned.m, &region, PAGES(3), PAGES(2), VREGION_FLAGS_NONE));
    assert_int_equal(resident(), before);
    OK(pinned.m.f.protect(&pinned.m, &region, PAGES(3), PAGE, RW));
    assert_int_equal(resident(), before + 1);
    OK(pinned.m.f.protect(&pinned.m, &region, PAGES(4), PAGE, RW));
    assert_int_equal(resident(), before + 2);
    assert_numbered(SPOT, 2, 4);
    OK(pinned.m.f.unmap_region(&pinned.m, &region));
    assert_int_equal(resident(), before); /* its translations go */
    OK(memobj_destroy_pinned(&pinned.m));
    OK(vregion_destroy(&region));
    OK(cap_destroy(frame));
}

/* ---- types ---- */

static void test_lazy_maps_a_chunk_and_no_more(void)
{
    static struct memobj_one_frame_lazy lazy;
    frame = new_frame(16, 1);
    OK(memobj_create_one_frame_lazy(&lazy, PAGES(16), 0, frame, PAGES(4)));
    OK(vregion_map_fixed(&region, CURRENT, &lazy.m, 0, PAGES(16), SPOT, RW));
    size_t before = resident();
    assert_numbered(SPOT + PAGES(6), 1, 7);
    assert_int_equal(resident(), before + 4);
    OK(lazy.m.f.pagefault(&lazy.m, &region, PAGES(15), PAGEFLT_NULL));
    assert_int_equal(resident(), before + 8);
    OK(lazy.m.f.pin(&lazy.m, &region, PAGES(3), PAGE));
    assert_int_equal(resident(), before + 12);
    OK(memobj_destroy_one_frame_lazy(&lazy.m));
    OK(cap_destroy(frame));
}

/* Frames that are larger than a node's part, and accesses from the end on. */
static void test_numa_backwards_in_large_frames(void)
{
    static struct memobj_numa numa;
    struct capref frames[2] = {new_frame(9, 0), new_frame(8, 100)};
    OK(memobj_create_numa(&numa, PAGES(12), 0, 2, PAGES(3)));
    OK(numa.m.f.fill(&numa.m, 0, frames[0], 0));
    OK(numa.m.f.fill(&numa.m, 1, frames[1], 0));
    FAILS(LIB_ERR_MEMOBJ_DUPLICATE_FILL, numa.m.f.fill(&numa.m, 1, frames[1], 0));
    OK(vregion_map_fixed(&region, CURRENT, &numa.m, 0, PAGES(12), SPOT, RW));
    size_t before = resident();
    for (size_t stride = 0; stride < 4; stride++) {
        assert_numbered(SPOT + PAGES(3 * stride + 2), 1,
                        (uint8_t)(stride % 2 * 100 + stride / 2 * 3 + 2));
        assert_int_equal(resident(), before + 3 * (stride + 1));
    }
    for (size_t i = 12; i > 0; i--)
        assert_numbered(SPOT + PAGES(i - 1), 1,
                        (uint8_t)((i - 1) / 3 % 2 * 100 + (i - 1) / 6 * 3 + (i - 1) % 3));
    OK(memobj_destroy_numa(&numa.m));
    OK(cap_destroy(frames[0]));
    OK(cap_destroy(frames[1]));
}

static void test_fixed_has_a_count(void)
{
    static struct memobj_fixed fixed;
    OK(memobj_create_fixed(&fixed, PAGES(6), 0, 3, PAGES(2)));
    assert_int_equal(fixed.count, 3);
    assert_int_equal(fixed.chunk_size, PAGES(2));
    OK(memobj_destroy_fixed(&fixed.m));
}

/* ---- files ---- */

static struct memobj_vfs vfs;

/* A frame behind the file's first page, in which the file's part ends; and nothing beside the frame changes. */
static void test_vfs_part_ends_in_a_later_frame(void)
{
    static uint8_t content[3 * 4096];
    memset(content, 7, sizeof content);
    frame = new_frame(3, 50);
    OK(memobj_create_vfs(&vfs, PAGES(3), 0, machine_file(content, sizeof content), 0, PAGE + 100));
    OK(vfs.anon.m.f.fill_foff(&vfs.anon.m, PAGE, frame, PAGE, PAGE));
    OK(vregion_map_fixed(&region, CURRENT, &vfs.anon.m, 0, PAGES(3), SPOT, RW));
    assert_int_equal(machine_read(SPOT + PAGE + 99), 7);
    assert_int_equal(machine_read(SPOT + PAGE + 100), 0);
    assert_int_equal(machine_read(SPOT + PAGES(2) - 1), 0);
    assert_int_equal(frame_byte(frame, 0), 50);
    assert_int_equal(frame_byte(frame, 2), 52);
    OK(memobj_destroy_vfs(&vfs.anon.m));
    OK(cap_destroy(frame));
}

/* A part of one byte, which the file has, or no longer has. */
static void test_vfs_part_of_one_byte(void)
{
    void *file = machine_file("ab", 2);
    frame = new_frame(1, 50);
    for (off_t offset = 1; offset < 3; offset++) {
        OK(memobj_create_vfs(&vfs, PAGE, 0, file, offset, 1));
        OK(vfs.anon.m.f.fill(&vfs.anon.m, 0, frame, 0));
        OK(vregion_map_fixed(&region, CURRENT, &vfs.anon.m, 0, PAGE, SPOT, RW));
        assert_int_equal(machine_read(SPOT), offset == 1 ? 'b' : 0);
        assert_int_equal(machine_write(SPOT, 'c'), 0);
        FAILS(offset == 1 ? SYS_ERR_OK : QUIRE_ERR_PF_PAST_END,
              memobj_flush_vfs(&vfs.anon.m, NULL));
        assert_true(memcmp(machine_file_data(file), "ac", 2) == 0);
        OK(memobj_destroy_vfs(&vfs.anon.m));
    }
    OK(cap_destroy(frame));
}

/* What a flush has written is in the file then and there. */
static void test_flush_is_a_sync(void)
{
    void *file = machine_file(NULL, PAGES(2));
    frame = new_frame(2, 0);
    OK(memobj_create_vfs(&vfs, PAGES(2), 0, file, 0, PAGES(2)));
    OK(vfs.anon.m.f.fill(&vfs.anon.m, 0, frame, 0));
    OK(vregion_map_fixed(&region, CURRENT, &vfs.anon.m, 0, PAGES(2), SPOT, RW));
    assert_int_equal(machine_write(SPOT, 5), 0);
    assert_int_equal(machine_write(SPOT + PAGES(2) - 1, 6), 0);
    OK(memobj_flush_vfs(&vfs.anon.m, &region));
    assert_int_equal(machine_file_data(file)[0], 5);
    assert_int_equal(machine_file_data(file)[PAGES(2) - 1], 6);
    OK(memobj_destroy_vfs(&vfs.anon.m));
    OK(cap_destroy(frame));
}

/* ---- the index ---- */

static size_t linked(const struct memobj *memobj, size_t level)
{
    size_t count = 0;
    for (const struct memobj_frame_list *at = memobj->frames.head[level]; at; at = at->next[level])
        count++;
    return count;
}

/* About a quarter of the frames of a level is in the next one, too. */
static void test_index_has_levels(void)
{
    enum { COUNT = 2000 };
    frame = new_frame(1, 1);
    OK(memobj_create_anon(&anon, PAGES(COUNT), 0));
    for (size_t i = 0; i < COUNT; i++)
        OK(anon.m.f.fill(&anon.m, PAGES(i * 7 % COUNT), frame, 0));
    for (size_t level = 0, expected = COUNT; level < MEMOBJ_FRAME_LEVELS; level++, expected /= 4)
        assert_in_range(linked(&anon.m, level), expected / 2, 2 * expected + 8);
    assert_int_equal(linked(&anon.m, 0), COUNT);
    for (size_t i = 0; i < COUNT; i++)
        OK(anon.m.f.unfill(&anon.m, PAGES(i * 7 % COUNT), NULL, NULL));
    for (size_t level = 0; level < MEMOBJ_FRAME_LEVELS; level++)
        assert_int_equal(linked(&anon.m, level), 0);
    OK(memobj_destroy_anon(&anon.m, false));
    OK(cap_destroy(frame));
}

/* ---- which go first ---- */

/* As many as are wanted and no more, in the order of offsets, from where the last call stopped. */
static void test_pager_free_takes_each_once(void)
{
    enum { COUNT = 40 };
    struct capref got[COUNT];
    make_pages(COUNT);
    OK(vregion_map_fixed(&region, CURRENT, &anon.m, 0, PAGES(COUNT), SPOT, RW));
    for (size_t first = 0; first < COUNT; first += 8) {
        FAILS(LIB_ERR_MEMOBJ_PAGER_FREE, anon.m.f.pager_free(&anon.m, PAGES(8), got, 7));
        OK(anon.m.f.pager_free(&anon.m, PAGES(8), got, COUNT));
        assert_false(capref_is_null(got[7]));
        assert_true(capref_is_null(got[8]));
        assert_nothing(SPOT, first + 8);
        assert_numbered(SPOT + PAGES(first + 8), COUNT - first - 8, (uint8_t)(first + 9));
    }
    OK(memobj_destroy_anon(&anon.m, true));
    OK(cap_destroy(frame));
}

/* And round, with all levels of the index. */
static void test_pager_free_goes_on_at_the_start(void)
{
    enum { COUNT = 40 };
    struct capref got[COUNT];
    make_pages(COUNT);
    OK(vregion_map_fixed(&region, CURRENT, &anon.m, 0, PAGES(COUNT), SPOT, RW));
    OK(anon.m.f.pager_free(&anon.m, PAGES(20), got, COUNT));
    for (size_t i = 0; i < 20; i++)
        OK(anon.m.f.fill_foff(&anon.m, PAGES(i), frame, PAGE, PAGES(i)));
    OK(anon.m.f.pager_free(&anon.m, PAGES(25), got, COUNT));
    assert_nothing(SPOT, 5);
    assert_numbered(SPOT + PAGES(5), 15, 6);
    assert_nothing(SPOT + PAGES(20), 20);
    OK(memobj_destroy_anon(&anon.m, true));
}

/* Past what is pinned the next goes, each by itself. */
static void test_pager_free_past_pins(void)
{
    enum { COUNT = 40 };
    struct capref got;
    make_pages(COUNT);
    OK(vregion_map_fixed(&region, CURRENT, &anon.m, 0, PAGES(COUNT), SPOT, RW));
    OK(anon.m.f.pin(&anon.m, &region, 0, PAGES(10)));
    OK(anon.m.f.pin(&anon.m, &region, PAGES(25), PAGES(15)));
    for (size_t i = 10; i < 25; i++) {
        OK(anon.m.f.pager_free(&anon.m, PAGE, &got, 1));
        assert_nothing(SPOT + PAGES(i), 1);
        assert_numbered(SPOT + PAGES(i + 1), COUNT - i - 1, (uint8_t)(i + 2));
    }
    FAILS(LIB_ERR_MEMOBJ_PAGER_FREE, anon.m.f.pager_free(&anon.m, PAGE, &got, 1));
    assert_numbered(SPOT, 10, 1);
    OK(memobj_destroy_anon(&anon.m, true));
}

/* A growing region gives back from its end, up to what is pinned. */
static void test_mmu_aware_gives_back_from_the_end(void)
{
    static struct vspace_mmu_aware heap;
    void *first, *rest;
    size_t size;
    OK(vspace_mmu_aware_init(&heap, PAGES(1024)));
    OK(vspace_mmu_aware_map(&heap, PAGE, &first, &size));
    OK(vspace_mmu_aware_map(&heap, PAGES(600), &rest, &size));
    OK(heap.memobj.m.f.pin(&heap.memobj.m, &heap.vregion, 0, PAGE));
    OK(vspace_mmu_aware_unmap(&heap, (lvaddr_t)first, PAGES(601)));
    assert_int_equal(heap.mapoffset, PAGE);
    OK(vspace_mmu_aware_map(&heap, PAGE, &first, &size));
    assert_int_equal(heap.mapoffset, PAGE);
    OK(vspace_mmu_aware_destroy(&heap));
}

/* ---- memory ---- */

static size_t requests;
static bool no_memory;

/* What is written behind a request's end is noticed. */
#define GUARD 64

static void *guarded_alloc(size_t size)
{
    requests++;
    char *memory = no_memory ? NULL : vm_meta_alloc(size + GUARD);
    if (memory)
        memset(memory + size, 0x5a, GUARD);
    return memory;
}

static void guarded_free(void *memory, size_t size)
{
    for (size_t i = 0; i < GUARD; i++)
        assert_int_equal(((const char *)memory)[size + i], 0x5a);
    vm_meta_free(memory, size + GUARD);
}

static const struct vspace_allocator guarded = {guarded_alloc, guarded_free, guarded_alloc,
                                                guarded_free};

static void test_nodes_are_used_again(void)
{
    struct capref got;
    vspace_set_allocator(&guarded);
    memset(&anon, 0xa5, sizeof anon);
    frame = new_frame(1, 1);
    OK(memobj_create_anon(&anon, PAGES(MEMOBJ_FIRST_FRAMES), 0));
    for (size_t i = 0; i < MEMOBJ_FIRST_FRAMES; i++)
        OK(anon.m.f.fill(&anon.m, PAGES(i), frame, 0));
    requests = 0;
    for (size_t round = 0; round < 100; round++) {
        OK(anon.m.f.unfill(&anon.m, 0, &got, NULL));
        OK(anon.m.f.pager_free(&anon.m, PAGE, &got, 1));
        for (size_t i = 0; i < MEMOBJ_FIRST_FRAMES; i++)
            (void)anon.m.f.fill(&anon.m, PAGES(i), frame, 0); /* those two */
    }
    assert_int_equal(requests, 0);
    OK(memobj_destroy_anon(&anon.m, true));
    vspace_set_allocator(NULL);
}

/* A pinned fill that can't be mapped gives its node back, too. */
static size_t fails_to_fill(unsigned class)
{
    machine_fail_at(class, 1);
    errval_t error = pinned.m.f.fill(&pinned.m, 0, frame, 0);
    machine_fail_at(class, 0);
    if (err_is_ok(error))
        OK(pinned.m.f.unfill(&pinned.m, 0, NULL, NULL));
    return err_is_fail(error);
}

static void test_failed_pinned_fills_keep_no_node(void)
{
    size_t failures = 0;
    frame = new_frame(1, 1);
    OK(memobj_create_pinned(&pinned, PAGES(64), 0));
    vspace_set_allocator(&guarded);
    OK(vregion_map_fixed(&region, CURRENT, &pinned.m, 0, PAGES(64), SPOT, RW));
    requests = 0;
    for (unsigned class = 0; class < machine_failure_classes(); class ++)
        for (unsigned round = 0; round < 20; round++)
            failures += fails_to_fill(class);
    assert_true(failures > MEMOBJ_FIRST_FRAMES || machine_failure_classes() == 0);
    assert_int_equal(requests, 0);
    vspace_set_allocator(NULL);
    OK(memobj_destroy_pinned(&pinned.m));
    OK(cap_destroy(frame));
}

/* An object of one frame has its node with it. */
static void test_one_frame_needs_no_node(void)
{
    static struct memobj_one_frame one;
    static struct memobj_one_frame_one_map once;
    static struct memobj_one_frame_lazy lazy;
    frame = new_frame(1, 1);
    vspace_set_allocator(&guarded);
    OK(memobj_create_one_frame(&one, PAGE, 0));
    OK(memobj_create_one_frame_one_map(&once, PAGE, 0));
    requests = 0;
    OK(one.m.f.fill(&one.m, 0, frame, 0));
    OK(once.m.f.fill(&once.m, 0, frame, 0));
    assert_int_equal(requests, 0);
    OK(memobj_create_one_frame_lazy(&lazy, PAGE, 0, frame, PAGE));
    assert_int_equal(requests, 1);
    OK(memobj_destroy_one_frame(&one.m));
    OK(memobj_destroy_one_frame_one_map(&once.m));
    OK(memobj_destroy_one_frame_lazy(&lazy.m));
    vspace_set_allocator(NULL);
    OK(cap_destroy(frame));
}

/* Units of nodes are used to their ends, and not further; all go back. */
static void test_units_of_nodes(void)
{
    enum { COUNT = MEMOBJ_FIRST_FRAMES + 20 * VSPACE_PINNED_UNIT };
    vspace_set_allocator(&guarded);
    requests = 0;
    make_pages(COUNT);
    assert_int_equal(requests, 1 + 20); /* the object's own, and the units */
    OK(memobj_destroy_anon(&anon.m, true));
    vspace_set_allocator(NULL);
}

/* The first program's vspace is static; what it keeps for later isn't. */
static void test_first_vspace_is_static(void)
{
    aspace_id first = machine_program(), second;
    vspace_set_allocator(&guarded);
    for (unsigned round = 0; round < 2; round++) {
        requests = 0;
        OK(vspace_current_init(true));
        assert_int_equal(requests, 2);
        second = machine_new_program();
        requests = 0;
        OK(vspace_current_init(true));
        assert_int_equal(requests, 3);
        OK(vspace_destroy(CURRENT));
        machine_enter(first);
        machine_end_program(second);
        OK(vspace_destroy(CURRENT));
    }
    vspace_set_allocator(NULL);
}

/* Memory that nobody misses. */
static void *lasting_alloc(size_t size)
{
    static uint64_t memory[2048];
    static size_t used;
    requests++;
    used += (size + 7) / 8;
    assert_in_range(used, 1, 2048);
    return &memory[used - (size + 7) / 8];
}

static void lasting_free(void *memory, size_t size)
{
    (void)memory, (void)size;
}

static const struct vspace_allocator lasting = {lasting_alloc, lasting_free, lasting_alloc,
                                                lasting_free};

/* What a fork's child does: the vspace of who forked is nobody's there, and the static one is free. */
static void test_vspace_forget(void)
{
    aspace_id first = machine_program(), second = machine_new_program();
    vspace_set_allocator(&lasting);
    OK(vspace_current_init(true));
    machine_enter(first);
    machine_end_program(second); /* and not its vspace */
    vspace_forget();
    requests = 0;
    OK(vspace_current_init(true));
    assert_int_equal(requests, 2);
    OK(vspace_destroy(CURRENT));
    vspace_set_allocator(NULL);
}

VSPACE_MAIN("bounds, order and memory of frames", BARE(test_vspace_forget),
            TEST(test_pager_free_past_pins), TEST(test_fill_foff_takes_the_rest),
            TEST(test_fault_maps_one_table), TEST(test_pinned_frame_over_the_vregion),
            TEST(test_pieces_at_an_offset), TEST(test_ranges_behind_the_vregion),
            TEST(test_pagefault_null_maps_one_frame), TEST(test_pinned_frames_behind_the_vregion),
            TEST(test_lazy_maps_a_chunk_and_no_more), TEST(test_numa_backwards_in_large_frames),
            TEST(test_fixed_has_a_count), TEST(test_vfs_part_ends_in_a_later_frame),
            TEST(test_vfs_part_of_one_byte), TEST(test_flush_is_a_sync),
            TEST(test_index_has_levels), TEST(test_one_frame_needs_no_node),
            TEST(test_pager_free_takes_each_once), TEST(test_pager_free_goes_on_at_the_start),
            TEST(test_mmu_aware_gives_back_from_the_end), TEST(test_nodes_are_used_again),
            TEST(test_failed_pinned_fills_keep_no_node), TEST(test_units_of_nodes),
            BARE(test_first_vspace_is_static))
