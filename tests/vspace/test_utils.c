/* SPDX-License-Identifier: MIT */
/* The helpers, the region that grows, pinned memory. */
#include "support.h"

/* ---- memory that is counted ---- */

static size_t allocated, fail_after;
static bool may_allocate;

static void *count_alloc(size_t size)
{
    if (!may_allocate)
        fail_msg("malloc before there is one");
    if (fail_after > 0 && --fail_after == 0)
        return NULL;
    void *memory = vm_meta_alloc(size);
    allocated += memory != NULL;
    return memory;
}

static void count_free(void *memory, size_t size)
{
    allocated--;
    vm_meta_free(memory, size);
}

static const struct vspace_allocator counting = {count_alloc, count_free, vm_meta_alloc,
                                                 vm_meta_free};

static void count_allocations(bool allowed)
{
    allocated = fail_after = 0;
    may_allocate = allowed;
    vspace_set_allocator(&counting);
}

static void end_counting(void)
{
    assert_int_equal(allocated, 0);
    vspace_set_allocator(NULL);
}

/* ---- one frame ---- */

static void test_vspace_map_one_frame(void)
{
    struct capref frame = new_frame(4, 1);
    struct memobj *memobj;
    struct vregion *vregion;
    void *at;
    count_allocations(true);
    OK(vspace_map_one_frame(&at, PAGES(4) - 7, frame, &memobj, &vregion));
    uint64_t faults = machine_faults();
    assert_numbered((addr_t)at, 4, 1);
    assert_int_equal(machine_faults(), faults); /* it was mapped at once */
    assert_ptr_equal(vspace_get_region(CURRENT, at), vregion);
    assert_ptr_equal(vregion_get_memobj(vregion), memobj);
    assert_int_equal(memobj->type, ONE_FRAME);
    OK(vspace_unmap((char *)at + PAGE));
    FAILS(LIB_ERR_VSPACE_VREGION_NOT_FOUND, vspace_unmap(at));
    OK(vspace_map_one_frame_attr(&at, PAGES(2), frame, RO, NULL, NULL));
    assert_int_equal(machine_write((addr_t)at, 1), ERR_VM_PF_BAD_PERM);
    OK(vspace_unmap(at));
    OK(vspace_map_one_frame_attr_aligned(&at, PAGE, frame, RW, LARGE_PAGE_SIZE, NULL, NULL));
    assert_int_equal((addr_t)at % LARGE_PAGE_SIZE, 0);
    OK(vspace_unmap(at));
    OK(vspace_map_one_frame(NULL, PAGE, frame, NULL, &vregion));
    OK(vspace_unmap((void *)vregion_get_base_addr(vregion)));
    OK(vspace_map_one_frame_fixed(SPOT, PAGE, frame, NULL, NULL));
    assert_numbered(SPOT, 1, 1);
    OK(vspace_map_one_frame_fixed_attr(2 * SPOT, PAGE, frame, VREGION_FLAGS_NONE, NULL, NULL));
    assert_true(machine_read(2 * SPOT) < 0);
    OK(vspace_unmap((void *)SPOT));
    OK(vspace_unmap((void *)(2 * SPOT)));
    OK(cap_destroy(frame));
    end_counting();
}

static void test_vspace_map_one_frame_errors(void)
{
    struct capref frame = new_frame(1, 1);
    struct memobj_one_frame_one_map one;
    struct vregion vregion;
    void *at;
    count_allocations(true);
    errval_t error = vspace_map_one_frame(&at, PAGES(2), frame, NULL, NULL);
    FAILS(LIB_ERR_MEMOBJ_FILL, error);
    FAILS(LIB_ERR_PMAP_FRAME_SIZE, err_pop(error));
    FAILS(LIB_ERR_MEMOBJ_FILL, vspace_map_one_frame(&at, PAGE, NULL_CAP, NULL, NULL));
    FAILS(LIB_ERR_MEMOBJ_CREATE_ONE_FRAME, vspace_map_one_frame(&at, 0, frame, NULL, NULL));
    error = vspace_map_one_frame_fixed(SPOT + 1, PAGE, frame, NULL, NULL);
    FAILS(LIB_ERR_VREGION_MAP, error);
    FAILS(LIB_ERR_VREGION_BAD_ALIGNMENT, err_pop(error));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_map_one_frame_one_map(NULL, &vregion, PAGE, frame));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_map_one_frame_one_map(&one, NULL, PAGE, frame));
    FAILS(LIB_ERR_MEMOBJ_CREATE_ONE_FRAME_ONE_MAP,
          vspace_map_one_frame_one_map(&one, &vregion, 0, frame));
    for (size_t n = 1; n <= 2; n++) {
        fail_after = n;
        FAILS(LIB_ERR_MALLOC_FAIL, vspace_map_one_frame(&at, PAGE, frame, NULL, NULL));
    }
    aspace_id program = machine_program();
    machine_leave();
    FAILS(LIB_ERR_VSPACE_VREGION_NOT_FOUND, vspace_map_one_frame(&at, PAGE, frame, NULL, NULL));
    FAILS(LIB_ERR_VSPACE_VREGION_NOT_FOUND, vspace_unmap(at));
    machine_enter(program);
    assert_list(CURRENT, 0);
    OK(cap_destroy(frame));
    end_counting();
}

static void test_vspace_map_one_frame_one_map(void)
{
    static struct memobj_one_frame_one_map one;
    static struct vregion vregion, other;
    struct capref frame = new_frame(2, 1);
    count_allocations(false);
    OK(vspace_map_one_frame_one_map(&one, &vregion, PAGES(2), frame));
    assert_numbered(vregion.base, 2, 1);
    FAILS(LIB_ERR_MEMOBJ_MAP_REGION, vregion_map(&other, CURRENT, &one.m, 0, PAGE, RW));
    OK(vspace_unmap((void *)vregion.base));
    OK(memobj_destroy_one_frame_one_map(&one.m));
    OK(cap_destroy(frame));
    end_counting();
}

/* ---- anonymous, append ---- */

static void test_vspace_map_anon(void)
{
    struct memobj *memobj;
    struct vregion *vregion, more;
    size_t size;
    void *at;
    count_allocations(true);
    OK(vspace_map_anon_attr(&at, &memobj, &vregion, PAGES(2) + 1, &size, RW));
    assert_int_equal(size, PAGES(3));
    assert_nothing((addr_t)at, 3);
    struct capref frame = new_frame(3, 1);
    OK(memobj->f.fill(memobj, 0, frame, 0));
    assert_numbered((addr_t)at, 3, 1);
    OK(vregion_map(&more, CURRENT, memobj, PAGE, PAGES(2), RO));
    OK(vspace_unmap(at)); /* the object stays, since another shows it */
    assert_numbered(more.base, 2, 2);
    OK(vspace_unmap((void *)more.base));
    OK(cap_destroy(frame));
    OK(vspace_map_anon_aligned(&at, NULL, NULL, PAGE, NULL, RW, LARGE_PAGE_SIZE));
    assert_int_equal((addr_t)at % LARGE_PAGE_SIZE, 0);
    OK(vspace_map_anon_fixed(SPOT, PAGE + 1, RW, &vregion, &memobj));
    assert_int_equal(vregion->size, PAGES(2));
    FAILS(LIB_ERR_VREGION_MAP, vspace_map_anon_fixed(SPOT, PAGE, RW, NULL, NULL));
    FAILS(LIB_ERR_MEMOBJ_CREATE_ANON, vspace_map_anon_fixed(SPOT, 0, RW, NULL, NULL));
    OK(memobj_destroy_anon(memobj, false)); /* frees the vregion, too */
    vm_meta_free(memobj, sizeof(struct memobj_anon));
    allocated--;
    OK(vspace_unmap(at));
    end_counting();
}

static void test_vspace_map_nomalloc(void)
{
    static struct memobj_anon anon;
    static struct memobj_append append;
    static struct vregion one, two;
    void *at, *behind;
    size_t size;
    count_allocations(false);
    OK(vspace_map_anon_nomalloc(&at, &anon, &one, PAGE + 1, &size, RW, 0));
    assert_int_equal(size, PAGES(2));
    OK(vspace_map_append_nomalloc(&behind, &append, &two, PAGES(4), NULL, RW, PAGES(4)));
    assert_int_equal((addr_t)behind % PAGES(4), 0);
    assert_ptr_equal(vspace_get_region(CURRENT, behind), &two);
    struct memobj_anon none;
    FAILS(LIB_ERR_INVALID_ARGS, vspace_map_anon_nomalloc(&at, NULL, &one, PAGE, NULL, RW, 0));
    FAILS(LIB_ERR_VREGION_MAP,
          vspace_map_anon_nomalloc(&at, &none, &(struct vregion){0}, PAGE, NULL, RW, 3));
    OK(memobj_destroy_anon(&anon.m, false));
    OK(memobj_destroy_append(&append.m));
    end_counting();
}

/* ---- files ---- */

static void test_vspace_map_file(void)
{
    struct memobj *memobj;
    struct vregion *vregion;
    static const char text[] = "a file that is mapped";
    void *file = machine_file(text, sizeof text);
    count_allocations(true);
    OK(vspace_map_file(PAGE, RW, file, 0, sizeof text, &vregion, &memobj));
    struct capref frame = new_frame(1, 0);
    assert_nothing(vregion->base, 1);
    OK(memobj->f.fill(memobj, 0, frame, 0));
    assert_int_equal(machine_read(vregion->base + 7), text[7]);
    OK(vspace_unmap((void *)vregion->base));
    OK(vspace_map_file_fixed(SPOT, PAGE, RW, file, 0, 0, &vregion, &memobj));
    assert_int_equal(vregion->base, SPOT);
    OK(vspace_unmap((void *)SPOT));
    OK(vspace_map_file_aligned(LARGE_PAGE_SIZE, PAGE, RW, file, 0, 0, &vregion, NULL));
    assert_int_equal(vregion->base % LARGE_PAGE_SIZE, 0);
    OK(vspace_unmap((void *)vregion->base));
    FAILS(LIB_ERR_MEMOBJ_CREATE_VFS, vspace_map_file(PAGE, RW, NULL, 0, 0, NULL, NULL));
    OK(cap_destroy(frame));
    end_counting();
}

/* ---- the region that grows ---- */

static struct vspace_mmu_aware heap;

static void test_mmu_aware_grows_and_shrinks(void)
{
    char *at, *next;
    size_t size;
    OK(vspace_mmu_aware_init(&heap, PAGES(1024)));
    OK(vspace_mmu_aware_map(&heap, 100, (void **)&at, &size));
    assert_int_equal(size, PAGE);
    assert_int_equal(machine_write((addr_t)at + PAGE - 1, 9), 0);
    OK(vspace_mmu_aware_map(&heap, PAGES(300), (void **)&next, &size));
    assert_ptr_equal(next, at + PAGE);
    assert_int_equal(size, PAGES(300));
    uint64_t faults = machine_faults();
    assert_int_equal(machine_read((addr_t)next + PAGES(299)), 0);
    assert_int_equal(machine_faults(), faults);
    FAILS(LIB_ERR_INVALID_ARGS, vspace_mmu_aware_unmap(&heap, (lvaddr_t)next, PAGES(299)));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_mmu_aware_unmap(&heap, (lvaddr_t)at - PAGE, PAGES(302)));
    size_t free = machine_free_frames();
    OK(vspace_mmu_aware_unmap(&heap, (lvaddr_t)next, PAGES(300)));
    assert_true(machine_free_frames() >= free + 300);
    OK(vspace_mmu_aware_map(&heap, PAGES(4), (void **)&next, &size));
    free = machine_free_frames();
    OK(vspace_mmu_aware_unmap(&heap, (lvaddr_t)next, PAGES(4))); /* little: it is kept */
    assert_int_equal(machine_free_frames(), free);
    OK(vspace_mmu_aware_map(&heap, PAGES(2), (void **)&next, &size));
    assert_int_equal(size, PAGES(2));
    assert_int_equal(machine_free_frames(), free);
    OK(vspace_mmu_aware_unmap(&heap, (lvaddr_t)at, PAGES(3))); /* all of it */
    assert_int_equal(heap.consumed, 0);
    OK(vspace_mmu_aware_destroy(&heap));
}

static void test_mmu_aware_errors(void)
{
    void *at;
    size_t size;
    FAILS(LIB_ERR_INVALID_ARGS, vspace_mmu_aware_init(NULL, PAGE));
    FAILS(LIB_ERR_MEMOBJ_CREATE_ANON, vspace_mmu_aware_init(&heap, 0));
    FAILS(LIB_ERR_VREGION_MAP, vspace_mmu_aware_init_aligned(&heap, NULL, PAGE, 3, RW));
    OK(vspace_mmu_aware_init_aligned(&heap, NULL, PAGES(2048), LARGE_PAGE_SIZE, RW));
    assert_int_equal(heap.vregion.base % LARGE_PAGE_SIZE, 0);
    FAILS(LIB_ERR_INVALID_ARGS, vspace_mmu_aware_map(NULL, PAGE, &at, &size));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_mmu_aware_map(&heap, 0, &at, &size));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_mmu_aware_map(&heap, PAGE, NULL, &size));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_mmu_aware_map(&heap, PAGE, &at, NULL));
    FAILS(LIB_ERR_VSPACE_MMU_AWARE_NO_SPACE,
          vspace_mmu_aware_map(&heap, PAGES(2048) + 1, &at, &size));
    FAILS(LIB_ERR_VSPACE_MMU_AWARE_NO_SPACE, vspace_mmu_aware_map(&heap, SIZE_MAX, &at, &size));
    size_t all = 0;
    struct capref large[4096];
    while (all < 4096 && err_is_ok(frame_alloc(&large[all], PAGES(64), NULL)))
        all++;
    errval_t error = vspace_mmu_aware_map(&heap, PAGES(64), &at, &size);
    FAILS(LIB_ERR_FRAME_CREATE_MS_CONSTRAINTS, error);
    assert_true(err_has(error, QUIRE_ERR_NO_MEMORY));
    OK(vspace_mmu_aware_map(&heap, PAGE, &at, &size)); /* a smaller one */
    while (all > 0)
        OK(cap_destroy(large[--all]));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_mmu_aware_unmap(NULL, 0, 0));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_mmu_aware_destroy(NULL));
    OK(vspace_mmu_aware_destroy(&heap));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_mmu_aware_destroy(&heap));
}

/* What is left over from the last map counts; what isn't used stays up to a MiB. */
static void test_mmu_aware_uses_what_is_left(void)
{
    void *at;
    char *next;
    size_t size;
    memset(&heap, 0xa5, sizeof heap);
    OK(vspace_mmu_aware_init_aligned(&heap, NULL, PAGES(600), PAGES(2), RW));
    assert_int_equal(heap.alignment, PAGES(2));
    OK(vspace_mmu_aware_map(&heap, PAGES(4), &at, &size));
    assert_ptr_equal(at, (void *)heap.vregion.base);
    next = (char *)at + PAGES(2);
    OK(vspace_mmu_aware_unmap(&heap, (lvaddr_t)next, PAGES(2)));
    OK(vspace_mmu_aware_map(&heap, PAGES(4), &at, &size));
    assert_ptr_equal(at, next);
    assert_int_equal(size, PAGES(4));
    assert_int_equal(heap.mapoffset, PAGES(6));
    OK(vspace_mmu_aware_map(&heap, PAGES(394), &at, &size));
    FAILS(LIB_ERR_VSPACE_MMU_AWARE_NO_SPACE, vspace_mmu_aware_map(&heap, PAGES(201), &at, &size));
    OK(vspace_mmu_aware_map(&heap, PAGES(4), &at, &size));
    OK(vspace_mmu_aware_unmap(&heap, (lvaddr_t)at, PAGES(4)));
    assert_int_equal(heap.mapoffset, PAGES(404)); /* little, of much */
    next = (char *)heap.vregion.base + PAGES(404 - 256);
    OK(vspace_mmu_aware_unmap(&heap, (lvaddr_t)next, PAGES(252)));
    assert_int_equal(heap.mapoffset, PAGES(404)); /* a MiB */
    OK(vspace_mmu_aware_unmap(&heap, (lvaddr_t)next - PAGE, PAGE));
    assert_int_equal(heap.mapoffset, PAGES(400)); /* the frame that nothing of is used */
    OK(vspace_mmu_aware_destroy(&heap));
}

/* A frame of the region's whole size. */
static void test_mmu_aware_reset_to_all(void)
{
    struct capref frame = new_frame(8, 1);
    void *at;
    size_t size;
    OK(vspace_mmu_aware_init(&heap, PAGES(8)));
    OK(vspace_mmu_aware_reset(&heap, frame, PAGES(8)));
    OK(vspace_mmu_aware_map(&heap, PAGES(8), &at, &size));
    assert_numbered((addr_t)at, 8, 1);
    FAILS(LIB_ERR_VSPACE_MMU_AWARE_NO_SPACE, vspace_mmu_aware_map(&heap, 1, &at, &size));
    OK(vspace_mmu_aware_destroy(&heap));
}

static void test_mmu_aware_reset(void)
{
    struct capref frame = new_frame(8, 1), other;
    void *at, *old;
    size_t size;
    OK(vspace_mmu_aware_init(&heap, PAGES(16)));
    OK(vspace_mmu_aware_map(&heap, PAGES(4), &old, &size));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_mmu_aware_reset(NULL, frame, PAGES(8)));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_mmu_aware_reset(&heap, NULL_CAP, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_mmu_aware_reset(&heap, frame, PAGES(9)));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_mmu_aware_reset(&heap, frame, 0));
    OK(frame_alloc(&other, PAGES(32), NULL));
    FAILS(LIB_ERR_VSPACE_MMU_AWARE_NO_SPACE, vspace_mmu_aware_reset(&heap, other, PAGES(32)));
    OK(cap_destroy(other));
    OK(heap.memobj.m.f.pin(&heap.memobj.m, &heap.vregion, 0, PAGE));
    FAILS(LIB_ERR_MEMOBJ_PIN_REGION, vspace_mmu_aware_reset(&heap, frame, PAGES(8)));
    OK(heap.memobj.m.f.unpin(&heap.memobj.m, &heap.vregion, 0, PAGE));
    OK(vspace_mmu_aware_reset(&heap, frame, PAGES(8)));
    OK(vspace_mmu_aware_map(&heap, PAGES(8), &at, &size));
    assert_ptr_equal(at, old);
    assert_numbered((addr_t)at, 8, 1);
    OK(vspace_mmu_aware_map(&heap, PAGES(8), &at, &size));
    OK(vspace_mmu_aware_destroy(&heap));
}

/* ---- before there is a malloc ---- */

/* All that comes before malloc works, in an allocator that may not be called: the vspace, the heap's region, its
 * first frames and many more, other objects by the functions that need no malloc. */
static void test_nothing_before_malloc_needs_malloc(void)
{
    static struct memobj_anon anon;
    static struct memobj_pinned pinned;
    static struct vregion one, two;
    size_t size, frames = machine_free_frames(), bytes = machine_metadata_bytes();
    void *at;
    count_allocations(false);
    OK(vspace_current_init(true));
    OK(vspace_mmu_aware_init(&heap, PAGES(1000)));
    for (size_t i = 0; i < 200; i++)
        OK(vspace_mmu_aware_map(&heap, PAGE, &at, &size));
    OK(vspace_map_anon_nomalloc(&at, &anon, &one, PAGES(64), NULL, RW, 0));
    for (size_t i = 0; i < 64; i++)
        OK(anon.m.f.fill(&anon.m, PAGES(i), new_frame(1, (uint8_t)i), 0));
    assert_numbered((addr_t)at, 64, 0);
    OK(memobj_create_pinned(&pinned, PAGE, 0));
    OK(vregion_map(&two, CURRENT, &pinned.m, 0, PAGE, RW));
    OK(anon.m.f.pin(&anon.m, &one, 0, PAGE));
    OK(vspace_pagefault_handler(CURRENT, (lvaddr_t)at, PAGEFLT_WRITE));
    OK(memobj_destroy_anon(&anon.m, true));
    OK(memobj_destroy_pinned(&pinned.m));
    OK(vspace_mmu_aware_destroy(&heap));
    OK(vspace_destroy(CURRENT));
    end_counting();
    assert_true(machine_metadata_bytes() <= bytes + 1024); /* ids go on: their table may grow */
    assert_int_equal(machine_free_frames(), frames);
}

/* A heap whose malloc grows by itself may be what the helpers allocate from. */
static char *heap_next, *heap_end;

static void *heap_alloc(size_t size)
{
    void *at;
    size_t got;
    if ((size_t)(heap_end - heap_next) < size) {
        OK(vspace_mmu_aware_map(&heap, PAGE, &at, &got));
        heap_next = heap_end ? heap_next : at;
        heap_end = (char *)at + got;
    }
    return vm_meta_alloc(size); /* as much as the program's heap has grown for */
}

static const struct vspace_allocator growing = {heap_alloc, vm_meta_free, vm_meta_alloc,
                                                vm_meta_free};

static void test_malloc_may_grow_its_region(void)
{
    void *at[40];
    struct capref frame = new_frame(1, 5);
    OK(vspace_mmu_aware_init(&heap, PAGES(64)));
    heap_next = heap_end = NULL;
    vspace_set_allocator(&growing);
    for (size_t i = 0; i < 40; i++)
        OK(vspace_map_one_frame(&at[i], PAGE, frame, NULL, NULL));
    for (size_t i = 0; i < 40; i++)
        OK(vspace_unmap(at[i]));
    vspace_set_allocator(NULL);
    OK(cap_destroy(frame));
    OK(vspace_mmu_aware_destroy(&heap));
}

/* ---- pinned memory ---- */

static bool pinned_fails;

static void *failing_alloc(size_t size)
{
    return pinned_fails ? NULL : vm_meta_alloc(size);
}

static const struct vspace_allocator failing = {vm_meta_alloc, vm_meta_free, failing_alloc,
                                                vm_meta_free};

static void test_vspace_pinned_alloc(void)
{
    void *unit[2], *none;
    OK(vspace_pinned_alloc(&unit[0], VREGION_LIST));
    OK(vspace_pinned_alloc(&unit[1], FRAME_LIST));
    memset(unit[0], 1, VSPACE_PINNED_UNIT * sizeof(struct vregion));
    memset(unit[1], 1, VSPACE_PINNED_UNIT * sizeof(struct memobj_frame_list));
    OK(vspace_pinned_free(unit[0], VREGION_LIST));
    OK(vspace_pinned_free(unit[1], FRAME_LIST));
    FAILS(LIB_ERR_VSPACE_PINNED_INVALID_TYPE, vspace_pinned_alloc(&none, (enum slab_type)2));
    FAILS(LIB_ERR_VSPACE_PINNED_INVALID_TYPE, vspace_pinned_free(unit, (enum slab_type)2));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_pinned_alloc(NULL, FRAME_LIST));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_pinned_free(NULL, FRAME_LIST));
    OK(vspace_pinned_init()); /* it is there already */
}

/* When there is no memory, the reserve is used; when there is again, it is filled again. */
static void test_vspace_pinned_reserve(void)
{
    void *unit[3];
    vspace_set_allocator(&failing);
    for (unsigned round = 0; round < 2; round++) {
        pinned_fails = true;
        OK(vspace_pinned_alloc(&unit[0], FRAME_LIST));
        FAILS(LIB_ERR_VSPACE_PINNED_ALLOC, vspace_pinned_alloc(&unit[1], FRAME_LIST));
        FAILS(LIB_ERR_VSPACE_PINNED_INIT, vspace_pinned_init());
        OK(vspace_pinned_alloc(&unit[1], VREGION_LIST));
        pinned_fails = false;
        OK(vspace_pinned_alloc(&unit[2], FRAME_LIST));
        OK(vspace_pinned_init());
        OK(vspace_pinned_free(unit[0], FRAME_LIST));
        OK(vspace_pinned_free(unit[2], FRAME_LIST));
        OK(vspace_pinned_free(unit[1], VREGION_LIST));
    }
    vspace_set_allocator(NULL);
}

/* Whoever gets memory again fills the reserve that others have used. */
static void test_vspace_pinned_alloc_fills_the_reserve(void)
{
    void *unit[3];
    vspace_set_allocator(&failing);
    pinned_fails = true;
    OK(vspace_pinned_alloc(&unit[0], FRAME_LIST));
    pinned_fails = false;
    OK(vspace_pinned_alloc(&unit[1], FRAME_LIST));
    pinned_fails = true;
    OK(vspace_pinned_alloc(&unit[2], FRAME_LIST));
    pinned_fails = false;
    for (size_t i = 0; i < 3; i++)
        OK(vspace_pinned_free(unit[i], FRAME_LIST));
    vspace_set_allocator(NULL);
}

VSPACE_MAIN("helpers, growing regions, pinned memory", TEST(test_vspace_map_one_frame),
            TEST(test_vspace_map_one_frame_errors), TEST(test_vspace_map_one_frame_one_map),
            TEST(test_vspace_map_anon), TEST(test_vspace_map_nomalloc), TEST(test_vspace_map_file),
            TEST(test_mmu_aware_grows_and_shrinks), TEST(test_mmu_aware_errors),
            TEST(test_mmu_aware_reset), TEST(test_mmu_aware_reset_to_all),
            TEST(test_mmu_aware_uses_what_is_left),
            TEST(test_vspace_pinned_alloc_fills_the_reserve),
            BARE(test_nothing_before_malloc_needs_malloc), TEST(test_malloc_may_grow_its_region),
            TEST(test_vspace_pinned_alloc), TEST(test_vspace_pinned_reserve))
