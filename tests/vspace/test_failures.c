/* SPDX-License-Identifier: MIT */
/* Every request for memory fails once, in the core and in the layer: the call says so, changes nothing, leaks
 * nothing, and succeeds when it is tried again. */
#include "support.h"

/* ---- the layer's own requests ---- */

static unsigned layer_at, layer_seen; /* the n-th fails; 0: none */

static void *fail_alloc(size_t size)
{
    layer_seen++;
    return layer_at > 0 && layer_seen == layer_at ? NULL : vm_meta_alloc(size);
}

static const struct vspace_allocator failing = {fail_alloc, vm_meta_free, fail_alloc, vm_meta_free};

/* ---- what is done ---- */

struct scenario {
    void (*prepare)(void);
    errval_t (*run)(void);
    void (*undo)(void); /* of both */
};

static struct memobj_anon anon;
static struct memobj_pinned pinned;
static struct memobj_numa numa;
static struct memobj_vfs vfs;
static struct memobj_one_frame_lazy lazy;
static struct vregion region;
static struct capref frame, frames[40];
static struct vspace vspace;
static struct pmap pmap;
static struct vspace_mmu_aware heap;
static uint64_t bytes[64];
static void *file, *at;

static void nothing(void)
{
}

static void make_frame(void)
{
    frame = new_frame(4, 1);
}

static void destroy_frame(void)
{
    OK(cap_destroy(frame));
}

static errval_t run_frame_alloc(void)
{
    return frame_alloc(&frame, PAGES(3), NULL);
}

static void mapped_object(void)
{
    make_frame();
    OK(memobj_create_anon(&anon, PAGES(64), 0));
    OK(anon.m.f.fill(&anon.m, 0, frame, 0));
    OK(vregion_map_fixed(&region, CURRENT, &anon.m, 0, PAGES(64), SPOT, RW));
}

static void destroy_object(void)
{
    OK(memobj_destroy_anon(&anon.m, false));
    destroy_frame();
}

/* ---- objects ---- */

static errval_t run_create(void)
{
    return memobj_create_anon(&anon, PAGE, 0);
}

static void undo_create(void)
{
    OK(memobj_destroy_anon(&anon.m, false));
}

static errval_t run_create_lazy(void)
{
    return memobj_create_one_frame_lazy(&lazy, PAGES(4), 0, frame, PAGE);
}

static void undo_create_lazy(void)
{
    OK(memobj_destroy_one_frame_lazy(&lazy.m));
    destroy_frame();
}

/* As many as need more than the object begins with. */
static void many_filled(void)
{
    mapped_object();
    for (size_t i = 4; i < 3 + MEMOBJ_FIRST_FRAMES; i++)
        OK(anon.m.f.fill(&anon.m, PAGES(i), frame, PAGE));
}

static errval_t run_fill(void)
{
    return anon.m.f.fill(&anon.m, PAGES(40), frame, PAGE);
}

static errval_t run_fault(void)
{
    return vspace_pagefault_handler(CURRENT, SPOT, PAGEFLT_WRITE);
}

static errval_t run_pin(void)
{
    return anon.m.f.pin(&anon.m, &region, PAGE, PAGES(2));
}

static errval_t run_protect(void)
{
    return anon.m.f.protect(&anon.m, &region, PAGE, PAGES(2), RO);
}

static errval_t run_unfill(void)
{
    return anon.m.f.unfill(&anon.m, 0, NULL, NULL);
}

static errval_t run_pager_free(void)
{
    return anon.m.f.pager_free(&anon.m, PAGE, frames, 40);
}

static void faulted_object(void)
{
    mapped_object();
    assert_numbered(SPOT, 4, 1);
}

static void pinned_object(void)
{
    make_frame();
    OK(memobj_create_pinned(&pinned, PAGES(8), 0));
    OK(vregion_map_fixed(&region, CURRENT, &pinned.m, 0, PAGES(8), SPOT, RW));
}

static errval_t run_fill_pinned(void)
{
    return pinned.m.f.fill(&pinned.m, PAGE, frame, 0);
}

static void destroy_pinned(void)
{
    OK(memobj_destroy_pinned(&pinned.m));
    destroy_frame();
}

static void filled_pinned(void)
{
    make_frame();
    OK(memobj_create_pinned(&pinned, PAGES(8), 0));
    OK(pinned.m.f.fill(&pinned.m, PAGE, frame, 0));
}

static errval_t run_map_pinned(void)
{
    return vregion_map_fixed(&region, CURRENT, &pinned.m, 0, PAGES(8), SPOT, RW);
}

static void numa_object(void)
{
    make_frame();
    OK(memobj_create_numa(&numa, PAGES(4), 0, 1, PAGE));
    OK(numa.m.f.fill(&numa.m, 0, frame, 0));
    OK(vregion_map_fixed(&region, CURRENT, &numa.m, 0, PAGES(4), SPOT, RW));
}

static errval_t run_fault_numa(void)
{
    return vregion_pagefault_handler(&region, SPOT, PAGEFLT_NULL);
}

static void destroy_numa(void)
{
    OK(memobj_destroy_numa(&numa.m));
    destroy_frame();
}

static void file_object(void)
{
    make_frame();
    file = machine_file(NULL, PAGES(4));
    OK(memobj_create_vfs(&vfs, PAGES(4), 0, file, 0, PAGES(4)));
}

static errval_t run_fill_file(void)
{
    return vfs.anon.m.f.fill(&vfs.anon.m, 0, frame, 0);
}

static void destroy_file_object(void)
{
    OK(memobj_destroy_vfs(&vfs.anon.m));
    destroy_frame();
}

static void filled_file_object(void)
{
    file_object();
    OK(run_fill_file());
}

static errval_t run_flush(void)
{
    return memobj_flush_vfs(&vfs.anon.m, NULL);
}

static errval_t run_pager_free_file(void)
{
    return vfs.anon.m.f.pager_free(&vfs.anon.m, PAGE, frames, 1);
}

/* ---- vregions ---- */

static void object_only(void)
{
    make_frame();
    OK(memobj_create_anon(&anon, PAGES(8), 0));
}

static errval_t run_map(void)
{
    return vregion_map(&region, CURRENT, &anon.m, 0, PAGES(8), RW);
}

static errval_t run_map_fixed(void)
{
    return vregion_map_fixed(&region, CURRENT, &anon.m, 0, PAGES(8), SPOT, RW);
}

static errval_t run_destroy(void)
{
    return vregion_destroy(&region);
}

static errval_t run_add_nothing(void)
{
    region = (struct vregion){.base = SPOT, .size = PAGE};
    return vspace_add_vregion(CURRENT, &region);
}

static void undo_add_nothing(void)
{
    OK(vspace_remove_vregion(CURRENT, &region));
}

/* ---- vspaces and pmaps ---- */

static errval_t run_new_vspace(void)
{
    errval_t error = pmap_create(&pmap, &vspace, SPOT, PAGES(64));
    return err_is_ok(error) ? vspace_init(&vspace, &pmap) : error;
}

static void destroy_vspace(void)
{
    OK(vspace_destroy(&vspace));
}

static errval_t run_pmap_map(void)
{
    return get_current_pmap()->f.map(get_current_pmap(), SPOT, frame, 0, PAGES(4), RW, NULL, NULL);
}

static void unmap_and_destroy_frame(void)
{
    OK(get_current_pmap()->f.unmap(get_current_pmap(), SPOT, PAGES(4), NULL));
    destroy_frame();
}

static errval_t run_pin_pieces(void)
{
    return anon.m.f.pin(&anon.m, &region, 0, PAGES(4));
}

/* Protection has cut the vregion. */
static void mapped_in_pieces(void)
{
    mapped_object();
    OK(anon.m.f.protect(&anon.m, &region, PAGE, PAGE, RO));
    OK(anon.m.f.protect(&anon.m, &region, PAGES(3), PAGE, VREGION_FLAGS_NONE));
    OK(anon.m.f.protect(&anon.m, &region, PAGES(3), PAGE, RO));
    OK(anon.m.f.protect(&anon.m, &region, PAGES(8), PAGES(8), RO));
}

static errval_t run_fault_null(void)
{
    return anon.m.f.pagefault(&anon.m, &region, PAGES(2), PAGEFLT_NULL);
}

static void guarded_pinned(void)
{
    pinned_object();
    OK(run_fill_pinned());
    OK(pinned.m.f.protect(&pinned.m, &region, 0, PAGES(8), VREGION_FLAGS_NONE));
}

static errval_t run_protect_pinned(void)
{
    return pinned.m.f.protect(&pinned.m, &region, PAGE, PAGES(2), RW);
}

static errval_t run_vspace_unmap(void)
{
    return at ? vspace_unmap(at) : SYS_ERR_OK;
}

static void mapped_helper(void)
{
    OK(vspace_map_anon_attr(&at, NULL, NULL, PAGES(4), NULL, RW));
}

static void mapped_frame(void)
{
    make_frame();
    OK(run_pmap_map());
}

static errval_t run_modify_flags(void)
{
    return get_current_pmap()->f.modify_flags(get_current_pmap(), SPOT + PAGE, PAGE, RO, NULL);
}

static errval_t run_unmap_middle(void)
{
    return get_current_pmap()->f.unmap(get_current_pmap(), SPOT + PAGE, PAGE, NULL);
}

static void serialised(void)
{
    make_frame();
    for (size_t i = 1; i < 4; i++)
        OK(get_current_pmap()->f.map(get_current_pmap(), i * SPOT, frame, 0, PAGE, RW, NULL, NULL));
    OK(get_current_pmap()->f.serialise(get_current_pmap(), bytes, sizeof bytes));
    OK(get_current_pmap()->f.unmap(get_current_pmap(), SPOT, 3 * SPOT, NULL));
}

static errval_t run_deserialise(void)
{
    return get_current_pmap()->f.deserialise(get_current_pmap(), bytes, sizeof bytes);
}

static void unmap_three(void)
{
    OK(get_current_pmap()->f.unmap(get_current_pmap(), SPOT, 3 * SPOT, NULL));
    destroy_frame();
}

/* ---- helpers ---- */

static errval_t run_map_one_frame(void)
{
    return vspace_map_one_frame(&at, PAGES(4), frame, NULL, NULL);
}

static errval_t run_map_file(void)
{
    struct vregion *vregion;
    errval_t error = vspace_map_file(PAGE, RW, machine_file(NULL, PAGE), 0, 0, &vregion, NULL);
    at = err_is_ok(error) ? (void *)vregion->base : NULL;
    return error;
}

static errval_t run_map_anon(void)
{
    return vspace_map_anon_attr(&at, NULL, NULL, PAGE, NULL, RW);
}

static void unmap(void)
{
    OK(vspace_unmap(at));
}

static void unmap_one_frame(void)
{
    unmap();
    destroy_frame();
}

static errval_t run_mmu_aware_init(void)
{
    return vspace_mmu_aware_init(&heap, PAGES(64));
}

static void destroy_heap(void)
{
    OK(vspace_mmu_aware_destroy(&heap));
}

static void make_heap(void)
{
    size_t size;
    OK(run_mmu_aware_init());
    for (size_t i = 0; i < MEMOBJ_FIRST_FRAMES; i++)
        OK(vspace_mmu_aware_map(&heap, PAGE, &at, &size));
}

static errval_t run_mmu_aware_map(void)
{
    size_t size;
    return vspace_mmu_aware_map(&heap, PAGES(2), &at, &size);
}

static errval_t run_mmu_aware_reset(void)
{
    errval_t error = frame_alloc(&frame, PAGES(4), NULL);
    if (err_is_fail(error))
        return error;
    error = vspace_mmu_aware_reset(&heap, frame, PAGES(4));
    if (err_is_fail(error))
        destroy_frame();
    return error;
}

static errval_t run_create_pts(void)
{
    struct pmap *current = get_current_pmap();
    return current->f.create_pts_pinned(current, 2 * SPOT, 3 * LARGE_PAGE_SIZE, RW);
}

static void release_tables(void)
{
    assert_int_equal(vm_release_tables(machine_program()), VM_OK);
}

/* ---- making them fail ---- */

struct state {
    size_t frames, bytes, regions;
};

static struct state look(void)
{
    vm_info info;
    vm_get_info(&info);
    return (struct state){machine_free_frames(), info.metadata_bytes, info.regions};
}

static bool is_no_memory(errval_t error)
{
    return err_has(error, QUIRE_ERR_NO_MEMORY) || err_has(error, LIB_ERR_MALLOC_FAIL) ||
           err_has(error, LIB_ERR_SLAB_REFILL) || err_has(error, QUIRE_ERR_WOULD_OVERCOMMIT) ||
           err_has(error, QUIRE_ERR_IO);
}

/* Whether something failed. */
static bool fail_nth(const struct scenario *s, unsigned class, unsigned n)
{
    struct state before = look();
    s->prepare();
    struct state prepared = look();
    bool layer = class == machine_failure_classes();
    layer_seen = 0;
    layer_at = layer ? n : 0;
    if (!layer)
        machine_fail_at(class, n);
    errval_t error = s->run();
    bool failed = layer ? layer_at > 0 && layer_seen >= layer_at : machine_has_failed(class);
    layer_at = 0;
    if (!layer)
        machine_fail_at(class, 0);
    if (err_is_fail(error)) {
        assert_true(failed && is_no_memory(error));
        machine_check();
        assert_int_equal(look().regions, prepared.regions);
        assert_true(look().bytes <= prepared.bytes + 4096); /* spare nodes of the map may stay */
        OK(s->run());
    }
    s->undo();
    OK(vspace_pinned_init()); /* the reserve may have helped */
    machine_check();
    if (n > 0) {
        struct state now = look();
        /* The table of ids grows as ids go on; machine_stop sees that nothing is lost. */
        assert_true(now.bytes <= before.bytes + 2048);
        assert_int_equal(now.regions, before.regions);
        assert_true(now.frames >= before.frames);
    }
    return failed;
}

static void run_scenario(const struct scenario *s)
{
    vspace_set_allocator(&failing);
    fail_nth(s, machine_failure_classes(), 0); /* what is kept for later is there now */
    for (unsigned class = 0; class <= machine_failure_classes(); class ++)
        for (unsigned n = 1; fail_nth(s, class, n); n++)
            assert_true(n < 500);
    vspace_set_allocator(NULL);
}

#define SCENARIO(name, ...)                                                                        \
    static void test_failures_##name(void)                                                         \
    {                                                                                              \
        run_scenario(&(struct scenario){__VA_ARGS__});                                             \
    }

SCENARIO(frame_alloc, nothing, run_frame_alloc, destroy_frame)
SCENARIO(memobj_create, nothing, run_create, undo_create)
SCENARIO(memobj_create_lazy, make_frame, run_create_lazy, undo_create_lazy)
SCENARIO(fill, many_filled, run_fill, destroy_object)
SCENARIO(fill_pinned, pinned_object, run_fill_pinned, destroy_pinned)
SCENARIO(fill_file, file_object, run_fill_file, destroy_file_object)
SCENARIO(flush, filled_file_object, run_flush, destroy_file_object)
SCENARIO(pager_free_file, filled_file_object, run_pager_free_file, destroy_file_object)
SCENARIO(map_pinned, filled_pinned, run_map_pinned, destroy_pinned)
SCENARIO(fault, mapped_object, run_fault, destroy_object)
SCENARIO(fault_numa, numa_object, run_fault_numa, destroy_numa)
SCENARIO(pin, mapped_object, run_pin, destroy_object)
SCENARIO(pin_pieces, mapped_in_pieces, run_pin_pieces, destroy_object)
SCENARIO(fault_null, mapped_in_pieces, run_fault_null, destroy_object)
SCENARIO(destroy_pieces, mapped_in_pieces, run_destroy, destroy_object)
SCENARIO(protect_pinned, guarded_pinned, run_protect_pinned, destroy_pinned)
SCENARIO(vspace_unmap, mapped_helper, run_vspace_unmap, nothing)
SCENARIO(protect, mapped_object, run_protect, destroy_object)
SCENARIO(unfill, faulted_object, run_unfill, destroy_object)
SCENARIO(pager_free, faulted_object, run_pager_free, destroy_object)
SCENARIO(vregion_map, object_only, run_map, destroy_object)
SCENARIO(vregion_map_fixed, object_only, run_map_fixed, destroy_object)
SCENARIO(vregion_destroy, faulted_object, run_destroy, destroy_object)
SCENARIO(add_vregion, nothing, run_add_nothing, undo_add_nothing)
SCENARIO(new_vspace, nothing, run_new_vspace, destroy_vspace)
SCENARIO(pmap_map, make_frame, run_pmap_map, unmap_and_destroy_frame)
SCENARIO(modify_flags, mapped_frame, run_modify_flags, unmap_and_destroy_frame)
SCENARIO(pmap_unmap, mapped_frame, run_unmap_middle, unmap_and_destroy_frame)
SCENARIO(deserialise, serialised, run_deserialise, unmap_three)
SCENARIO(create_pts_pinned, nothing, run_create_pts, release_tables)
SCENARIO(map_one_frame, make_frame, run_map_one_frame, unmap_one_frame)
SCENARIO(map_file, nothing, run_map_file, unmap)
SCENARIO(map_anon, nothing, run_map_anon, unmap)
SCENARIO(mmu_aware_init, nothing, run_mmu_aware_init, destroy_heap)
SCENARIO(mmu_aware_map, make_heap, run_mmu_aware_map, destroy_heap)
SCENARIO(mmu_aware_reset, make_heap, run_mmu_aware_reset, destroy_heap)

/* The second program's vspace: the first is static. */
static void test_failures_current_init(void)
{
    aspace_id first = machine_program(), second = machine_new_program();
    vspace_set_allocator(&failing);
    for (unsigned n = 1; n <= 3; n++) {
        size_t before = machine_metadata_bytes();
        layer_seen = 0;
        layer_at = n;
        FAILS(n == 1 ? LIB_ERR_MALLOC_FAIL : LIB_ERR_VSPACE_PINNED_INIT, vspace_current_init(true));
        assert_null(CURRENT);
        assert_int_equal(machine_metadata_bytes(), before);
    }
    layer_at = 0;
    OK(vspace_current_init(true));
    OK(vspace_destroy(CURRENT));
    vspace_set_allocator(NULL);
    machine_enter(first);
    machine_end_program(second);
}

/* A range of two mappings, each of which is cut: what was unmapped before there was no memory is said. */
static void test_failures_unmap_says_how_much(void)
{
    struct pmap *current = get_current_pmap();
    bool failed = true, some = false;
    make_frame();
    for (unsigned n = 1; failed; n++) {
        size_t gone = 1, missing = 0;
        for (size_t i = 0; i < 2; i++)
            OK(current->f.map(current, SPOT + PAGES(4 * i), frame, 0, PAGES(4), RW, NULL, NULL));
        machine_fail_at(0, n);
        errval_t error = current->f.unmap(current, SPOT + PAGES(2), PAGES(4), &gone);
        failed = machine_has_failed(0);
        machine_fail_at(0, 0);
        for (size_t i = 0; i < 8; i++)
            missing += err_is_fail(current->f.lookup(current, SPOT + PAGES(i), NULL));
        assert_int_equal(gone, PAGES(missing));
        if (err_is_fail(error)) {
            FAILS(LIB_ERR_PMAP_UNMAP, error);
            FAILS(QUIRE_ERR_NO_MEMORY, err_pop(error));
            some |= missing > 0;
        }
        OK(current->f.unmap(current, SPOT, PAGES(8), NULL));
    }
    assert_true(some || machine_failure_classes() == 0);
    destroy_frame();
}

VSPACE_MAIN("failures in the layer", TEST(test_failures_unmap_says_how_much),
            TEST(test_failures_pin_pieces), TEST(test_failures_fault_null),
            TEST(test_failures_destroy_pieces), TEST(test_failures_protect_pinned),
            TEST(test_failures_vspace_unmap), TEST(test_failures_frame_alloc),
            TEST(test_failures_memobj_create), TEST(test_failures_memobj_create_lazy),
            TEST(test_failures_fill), TEST(test_failures_fill_pinned),
            TEST(test_failures_fill_file), TEST(test_failures_flush),
            TEST(test_failures_pager_free_file), TEST(test_failures_map_pinned),
            TEST(test_failures_fault), TEST(test_failures_fault_numa), TEST(test_failures_pin),
            TEST(test_failures_protect), TEST(test_failures_unfill), TEST(test_failures_pager_free),
            TEST(test_failures_vregion_map), TEST(test_failures_vregion_map_fixed),
            TEST(test_failures_vregion_destroy), TEST(test_failures_add_vregion),
            TEST(test_failures_new_vspace), TEST(test_failures_pmap_map),
            TEST(test_failures_modify_flags), TEST(test_failures_pmap_unmap),
            TEST(test_failures_deserialise), TEST(test_failures_create_pts_pinned),
            TEST(test_failures_map_one_frame), TEST(test_failures_map_file),
            TEST(test_failures_map_anon), TEST(test_failures_mmu_aware_init),
            TEST(test_failures_mmu_aware_map), TEST(test_failures_mmu_aware_reset),
            TEST(test_failures_current_init))
