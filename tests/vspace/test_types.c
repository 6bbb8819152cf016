/* SPDX-License-Identifier: MIT */
/* What is particular to each type of memory object; frames; errors as stacks. */
#include "support.h"

static struct vregion region, other;

static void map_all(struct memobj *memobj, genvaddr_t base)
{
    OK(vregion_map_fixed(&region, CURRENT, memobj, 0, memobj->size, base, RW));
}

/* ---- anonymous ---- */

static struct memobj_anon anon;

static void test_anon_frames_of_all_sizes(void)
{
    static const size_t pages[] = {3, 1, 4, 2}, at[] = {8, 0, 2, 12};
    struct capref frames[4];
    OK(memobj_create_anon(&anon, PAGES(16), 0));
    map_all(&anon.m, SPOT);
    for (size_t i = 0; i < 4; i++) {
        frames[i] = new_frame(pages[i], (uint8_t)(10 + at[i]));
        OK(anon.m.f.fill(&anon.m, PAGES(at[i]), frames[i], 0));
    }
    for (size_t i = 0; i < 4; i++)
        assert_numbered(SPOT + PAGES(at[i]), pages[i], (uint8_t)(10 + at[i]));
    assert_nothing(SPOT + PAGES(1), 1);
    assert_nothing(SPOT + PAGES(6), 2);
    assert_nothing(SPOT + PAGES(11), 1);
    assert_nothing(SPOT + PAGES(14), 2);
    /* One fault maps a frame as a whole. */
    struct pmap *pmap = get_current_pmap();
    OK(pmap->f.unmap(pmap, SPOT + PAGES(2), PAGES(4), NULL));
    uint64_t faults = machine_faults();
    assert_numbered(SPOT + PAGES(2), 4, 12);
    assert_int_equal(machine_faults(), faults + 1);
    OK(memobj_destroy_anon(&anon.m, true));
}

static void test_anon_overlap(void)
{
    struct capref frame = new_frame(4, 1);
    OK(memobj_create_anon(&anon, PAGES(16), 0));
    OK(anon.m.f.fill(&anon.m, PAGES(4), frame, PAGES(2)));
    for (size_t at = 2; at < 7; at++) {
        errval_t error = anon.m.f.fill_foff(&anon.m, PAGES(at), frame, PAGES(2), PAGES(2));
        if (at == 2 || at == 6) {
            OK(error);
            OK(anon.m.f.unfill(&anon.m, PAGES(at), NULL, NULL));
        } else {
            FAILS(LIB_ERR_MEMOBJ_DUPLICATE_FILL, error);
        }
    }
    FAILS(LIB_ERR_MEMOBJ_DUPLICATE_FILL, anon.m.f.fill(&anon.m, PAGES(3), frame, PAGES(4)));
    FAILS(LIB_ERR_MEMOBJ_FILL, anon.m.f.fill(&anon.m, 100, frame, PAGE));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, anon.m.f.fill(&anon.m, PAGES(16), frame, PAGE));
    OK(memobj_destroy_anon(&anon.m, false));
    OK(cap_destroy(frame));
}

/* A frame may be longer than the object: the rest shows nowhere. */
static void test_anon_frame_over_the_end(void)
{
    OK(memobj_create_anon(&anon, PAGES(2), 0));
    OK(anon.m.f.fill(&anon.m, PAGE, new_frame(4, 1), 0));
    FAILS(LIB_ERR_VSPACE_ADD_REGION, vregion_map(&region, CURRENT, &anon.m, 0, PAGES(3), RW));
    map_all(&anon.m, SPOT);
    assert_nothing(SPOT, 1);
    assert_numbered(SPOT + PAGE, 1, 1);
    assert_int_equal(machine_read(SPOT + PAGES(2)), ERR_VM_PF_BAD_ADDRESS);
    OK(memobj_destroy_anon(&anon.m, true));
}

static void test_anon_unfill_at_or_above(void)
{
    struct capref frame = new_frame(4, 1), got;
    genvaddr_t at;
    OK(memobj_create_anon(&anon, PAGES(16), 0));
    OK(anon.m.f.fill_foff(&anon.m, PAGES(2), frame, PAGES(2), 0));
    OK(anon.m.f.fill_foff(&anon.m, PAGES(8), frame, PAGES(2), PAGES(2)));
    OK(anon.m.f.unfill(&anon.m, PAGES(3), &got, &at));
    assert_int_equal(at, PAGES(8));
    assert_int_equal(got.base, frame.base);
    FAILS(LIB_ERR_MEMOBJ_UNFILL_TOO_HIGH_OFFSET, anon.m.f.unfill(&anon.m, PAGES(3), NULL, NULL));
    OK(anon.m.f.fill_foff(&anon.m, PAGES(8), frame, PAGES(2), PAGES(2)));
    OK(memobj_destroy_anon(&anon.m, true)); /* a capability that is there twice goes once */
}

/* What was taken out is unmapped, and its neighbours stay mapped. */
static void test_unfill_leaves_the_neighbours_mapped(void)
{
    OK(memobj_create_anon(&anon, PAGES(4), 0));
    for (size_t i = 0; i < 4; i++)
        OK(anon.m.f.fill(&anon.m, PAGES(i), new_frame(1, (uint8_t)(i + 1)), PAGE));
    map_all(&anon.m, SPOT);
    assert_numbered(SPOT, 4, 1);
    struct capref got;
    OK(anon.m.f.unfill(&anon.m, PAGE, &got, NULL));
    uint64_t faults = machine_faults();
    assert_numbered(SPOT, 1, 1);
    assert_numbered(SPOT + PAGES(2), 2, 3);
    assert_int_equal(machine_faults(), faults);
    assert_nothing(SPOT + PAGE, 1);
    OK(cap_destroy(got));
    OK(memobj_destroy_anon(&anon.m, true));
}

static void test_anon_many_frames(void)
{
    struct capref frame = new_frame(1, 7);
    OK(memobj_create_anon(&anon, PAGES(4096), 0));
    map_all(&anon.m, SPOT);
    for (size_t i = 0; i < 1000; i++)
        OK(anon.m.f.fill(&anon.m, PAGES(i * 2741 % 4096), frame, PAGE));
    for (size_t i = 0; i < 1000; i++)
        assert_numbered(SPOT + PAGES(i * 2741 % 4096), 1, 7);
    for (size_t i = 1000; i < 1100; i++)
        assert_nothing(SPOT + PAGES(i * 2741 % 4096), 1);
    genvaddr_t at, last = 0;
    for (size_t i = 0; i < 1000; i++) {
        OK(anon.m.f.unfill(&anon.m, 0, NULL, &at));
        assert_true(i == 0 || at > last);
        last = at;
    }
    OK(memobj_destroy_anon(&anon.m, true));
    OK(cap_destroy(frame));
}

static void test_pager_free_goes_round(void)
{
    struct capref frame = new_frame(4, 1), got;
    OK(memobj_create_anon(&anon, PAGES(4), 0));
    map_all(&anon.m, SPOT);
    for (size_t i = 0; i < 4; i++)
        OK(anon.m.f.fill_foff(&anon.m, PAGES(i), frame, PAGE, PAGES(i)));
    for (size_t i = 0; i < 8; i++) {
        OK(anon.m.f.pager_free(&anon.m, PAGE, &got, 1));
        assert_int_equal(machine_read(SPOT + PAGES(i % 4)), ERR_NOT_FOUND);
        OK(anon.m.f.fill_foff(&anon.m, PAGES(i % 4), frame, PAGE, PAGES(i % 4)));
        assert_numbered(SPOT, 4, 1);
    }
    OK(memobj_destroy_anon(&anon.m, true));
}

/* ---- one frame ---- */

static void test_one_frame_is_one(void)
{
    static struct memobj_one_frame one;
    struct capref frame = new_frame(2, 1);
    OK(memobj_create_one_frame(&one, PAGES(2), 0));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, one.m.f.fill(&one.m, PAGE, frame, PAGE));
    OK(one.m.f.fill_foff(&one.m, 0, frame, PAGE, PAGE));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, one.m.f.fill(&one.m, PAGE, frame, PAGE));
    map_all(&one.m, SPOT);
    assert_numbered(SPOT, 1, 2);
    assert_nothing(SPOT + PAGE, 1);
    OK(memobj_destroy_one_frame(&one.m));
    OK(cap_destroy(frame));
}

static void test_one_frame_lazy_maps_chunks(void)
{
    static struct memobj_one_frame_lazy lazy;
    struct capref frame = new_frame(8, 1);
    OK(memobj_create_one_frame_lazy(&lazy, PAGES(8), 0, frame, PAGES(2)));
    OK(vregion_map_fixed(&region, CURRENT, &lazy.m, PAGE, PAGES(7), SPOT, RW));
    uint64_t faults = machine_faults();
    assert_numbered(SPOT, 7, 2);
    assert_int_equal(machine_faults(), faults + 4); /* page 1; 2 and 3; 4 and 5; 6 and 7 */
    OK(memobj_destroy_one_frame_lazy(&lazy.m));
    OK(cap_destroy(frame));
}

/* ---- pinned ---- */

static void test_pinned_never_faults(void)
{
    static struct memobj_pinned pinned;
    struct capref frames[3] = {new_frame(2, 1), new_frame(1, 3), new_frame(2, 5)};
    OK(memobj_create_pinned(&pinned, PAGES(6), 0));
    OK(pinned.m.f.fill(&pinned.m, 0, frames[0], 0));
    OK(pinned.m.f.fill(&pinned.m, PAGES(4), frames[2], 0));
    map_all(&pinned.m, SPOT);
    uint64_t faults = machine_faults();
    assert_numbered(SPOT, 2, 1);
    assert_numbered(SPOT + PAGES(4), 2, 5);
    OK(pinned.m.f.fill(&pinned.m, PAGES(2), frames[1], 0));
    assert_numbered(SPOT + PAGES(2), 1, 3);
    assert_int_equal(machine_faults(), faults);
    assert_nothing(SPOT + PAGES(3), 1);
    OK(memobj_destroy_pinned(&pinned.m));
    for (size_t i = 0; i < 3; i++)
        OK(cap_destroy(frames[i]));
}

/* ---- fixed, numa, append ---- */

static void test_fixed_takes_chunks(void)
{
    static struct memobj_fixed fixed;
    struct capref frame = new_frame(6, 1);
    OK(memobj_create_fixed(&fixed, PAGES(6), 0, 3, PAGES(2)));
    FAILS(LIB_ERR_MEMOBJ_FILL, fixed.m.f.fill(&fixed.m, PAGE, frame, PAGES(2)));
    FAILS(LIB_ERR_PMAP_FRAME_SIZE, fixed.m.f.fill(&fixed.m, 0, frame, PAGE));
    OK(fixed.m.f.fill_foff(&fixed.m, PAGES(4), frame, 0, PAGES(4)));
    OK(fixed.m.f.fill(&fixed.m, PAGES(2), frame, 0)); /* of six pages two are taken */
    FAILS(LIB_ERR_MEMOBJ_DUPLICATE_FILL, fixed.m.f.fill(&fixed.m, PAGES(4), frame, PAGES(2)));
    FAILS(LIB_ERR_MEMOBJ_MAP_REGION, vregion_map(&region, CURRENT, &fixed.m, PAGE, PAGE, RW));
    OK(vregion_map_fixed(&region, CURRENT, &fixed.m, PAGES(2), PAGES(3), SPOT, RW));
    assert_numbered(SPOT, 2, 1);
    assert_numbered(SPOT + PAGES(2), 1, 5);
    OK(memobj_destroy_fixed(&fixed.m));
    OK(cap_destroy(frame));
}

static void test_numa_takes_turns(void)
{
    static struct memobj_numa numa;
    struct capref frames[3] = {new_frame(4, 0), new_frame(4, 10), new_frame(4, 20)};
    genvaddr_t node;
    OK(memobj_create_numa(&numa, PAGES(11), 0, 3, PAGES(2)));
    assert_int_equal(numa.node_size, PAGES(4));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, numa.m.f.fill(&numa.m, 3, frames[0], 0));
    FAILS(LIB_ERR_PMAP_FRAME_SIZE, numa.m.f.fill(&numa.m, 0, frames[0], PAGES(3)));
    FAILS(LIB_ERR_MEMOBJ_MAP_REGION, vregion_map(&region, CURRENT, &numa.m, PAGE, PAGE, RW));
    OK(vregion_map_fixed(&region, CURRENT, &numa.m, PAGES(2), PAGES(9), SPOT, RW));
    OK(numa.m.f.fill(&numa.m, 0, frames[0], 0));
    OK(numa.m.f.fill(&numa.m, 2, frames[2], 0));
    assert_nothing(SPOT, 2);
    assert_numbered(SPOT + PAGES(2), 2, 20);
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET,
          numa.m.f.pagefault(&numa.m, &region, PAGES(4), PAGEFLT_NULL));
    OK(numa.m.f.fill(&numa.m, 1, frames[1], 0));
    OK(numa.m.f.pagefault(&numa.m, &region, PAGES(4), PAGEFLT_NULL));
    uint64_t faults = machine_faults();
    assert_numbered(SPOT, 2, 10);
    assert_numbered(SPOT + PAGES(2), 2, 20);
    assert_numbered(SPOT + PAGES(4), 2, 2);
    assert_numbered(SPOT + PAGES(6), 2, 12);
    assert_numbered(SPOT + PAGES(8), 1, 22);
    assert_int_equal(machine_faults(), faults);
    OK(numa.m.f.unfill(&numa.m, 1, NULL, &node));
    assert_int_equal(node, 1);
    FAILS(LIB_ERR_MEMOBJ_UNFILL_TOO_HIGH_OFFSET, numa.m.f.unfill(&numa.m, SIZE_MAX, NULL, NULL));
    assert_nothing(SPOT + PAGES(6), 2);
    assert_numbered(SPOT + PAGES(4), 2, 2);
    OK(memobj_destroy_numa(&numa.m));
    for (size_t i = 0; i < 3; i++)
        OK(cap_destroy(frames[i]));
}

static void test_append_goes_on_at_the_end(void)
{
    static struct memobj_append append;
    struct capref frame = new_frame(6, 1);
    genvaddr_t at;
    OK(memobj_create_append(&append, PAGES(8), 0));
    FAILS(LIB_ERR_MEMOBJ_MAP_REGION, vregion_map(&region, CURRENT, &append.m, PAGE, PAGE, RW));
    map_all(&append.m, SPOT);
    OK(append.m.f.fill_foff(&append.m, PAGE, frame, PAGES(2), PAGE));
    FAILS(LIB_ERR_MEMOBJ_FILL, append.m.f.fill(&append.m, 0, frame, PAGE));
    FAILS(LIB_ERR_MEMOBJ_DUPLICATE_FILL, append.m.f.fill(&append.m, PAGES(2), frame, PAGE));
    OK(append.m.f.fill_foff(&append.m, PAGES(3), frame, 0, PAGES(3)));
    assert_numbered(SPOT + PAGES(5), 1, 6); /* in any order */
    assert_numbered(SPOT + PAGE, 5, 2);
    OK(append.m.f.unfill(&append.m, 0, NULL, &at));
    assert_int_equal(at, PAGES(3));
    FAILS(LIB_ERR_MEMOBJ_UNFILL_TOO_HIGH_OFFSET, append.m.f.unfill(&append.m, PAGES(2), NULL, &at));
    assert_numbered(SPOT + PAGE, 2, 2);
    assert_nothing(SPOT + PAGES(3), 3);
    OK(memobj_destroy_append(&append.m));
    OK(cap_destroy(frame));
}

/* ---- files ---- */

static struct memobj_vfs vfs;
static uint8_t content[5 * 4096];

static void *numbered_file(void)
{
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)(i / PAGE + 1);
    return machine_file(content, sizeof content);
}

static void test_vfs_reads_and_clears(void)
{
    struct capref frames[2] = {new_frame(2, 99), new_frame(2, 99)};
    OK(memobj_create_vfs(&vfs, PAGES(4), 0, numbered_file(), (off_t)PAGE, PAGE + 100));
    map_all(&vfs.anon.m, SPOT);
    assert_nothing(SPOT, 4); /* not filled: not there */
    OK(vfs.anon.m.f.fill(&vfs.anon.m, 0, frames[0], 0));
    OK(vfs.anon.m.f.fill(&vfs.anon.m, PAGES(2), frames[1], 0));
    assert_int_equal(machine_read(SPOT), 2);
    assert_int_equal(machine_read(SPOT + PAGE + 99), 3);
    assert_int_equal(machine_read(SPOT + PAGE + 100), 0);
    assert_int_equal(machine_read(SPOT + PAGES(2)), 0);
    assert_int_equal(machine_read(SPOT + PAGES(4) - 1), 0);
    OK(memobj_destroy_vfs(&vfs.anon.m));
    OK(cap_destroy(frames[0]));
    OK(cap_destroy(frames[1]));
}

static void test_memobj_flush_vfs(void)
{
    struct capref frame = new_frame(4, 0);
    void *file = numbered_file();
    OK(memobj_create_vfs(&vfs, PAGES(4), 0, file, (off_t)PAGE, PAGES(2) + 8));
    OK(vfs.anon.m.f.fill(&vfs.anon.m, 0, frame, PAGES(4)));
    OK(vregion_map_fixed(&region, CURRENT, &vfs.anon.m, PAGE, PAGES(3), SPOT, RW));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(machine_write(SPOT + PAGES(i) + 8, (uint8_t)(200 + i)), 0);
    OK(memobj_flush_vfs(&vfs.anon.m, &region));
    for (size_t i = 0; i < 3; i++) /* what isn't the file's stays, too */
        assert_int_equal(machine_read(SPOT + PAGES(i) + 8), 200 + i);
    FAILS(LIB_ERR_VSPACE_VREGION_NOT_FOUND, memobj_flush_vfs(&vfs.anon.m, &other));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_flush_vfs(NULL, NULL));
    OK(memobj_destroy_vfs(&vfs.anon.m));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_flush_vfs(&vfs.anon.m, NULL));
    const uint8_t *now = machine_file_data(file);
    assert_int_equal(vm_sync_files(), VM_OK);
    assert_int_equal(now[PAGES(2) + 8], 200);
    assert_int_equal(now[PAGES(3) + 8], 4); /* behind its part of the file */
    assert_int_equal(now[PAGE + 8], 2);
    OK(cap_destroy(frame));
}

static void test_vfs_pager_free_writes(void)
{
    struct capref frame = new_frame(1, 0), got;
    void *file = numbered_file();
    OK(memobj_create_vfs(&vfs, PAGES(2), 0, file, 0, PAGES(2)));
    OK(vfs.anon.m.f.fill(&vfs.anon.m, PAGE, frame, PAGE));
    map_all(&vfs.anon.m, SPOT);
    assert_int_equal(machine_write(SPOT + PAGE, 77), 0);
    OK(vfs.anon.m.f.pager_free(&vfs.anon.m, PAGE, &got, 1));
    assert_nothing(SPOT, 2);
    OK(vfs.anon.m.f.fill(&vfs.anon.m, PAGE, got, PAGE));
    assert_int_equal(machine_read(SPOT + PAGE), 77);
    assert_int_equal(machine_read(SPOT + PAGE + 1), 2);
    OK(memobj_destroy_vfs(&vfs.anon.m));
    OK(cap_destroy(frame));
}

/* The file ends before the object's part of it. */
static void test_memobj_flush_vfs_past_the_end(void)
{
    struct capref frame = new_frame(2, 0), got;
    void *file = machine_file(content, PAGE + 10);
    OK(memobj_create_vfs(&vfs, PAGES(2), 0, file, 0, PAGES(2)));
    OK(vfs.anon.m.f.fill(&vfs.anon.m, 0, frame, PAGES(2)));
    map_all(&vfs.anon.m, SPOT);
    assert_int_equal(machine_read(SPOT + PAGE + 10), 0);
    assert_int_equal(machine_write(SPOT + PAGE + 9, 78), 0);
    FAILS(QUIRE_ERR_PF_PAST_END, memobj_flush_vfs(&vfs.anon.m, NULL));
    assert_int_equal(machine_file_data(file)[PAGE + 9], 78);
    FAILS(LIB_ERR_MEMOBJ_PAGER_FREE, vfs.anon.m.f.pager_free(&vfs.anon.m, PAGE, &got, 1));
    assert_int_equal(machine_read(SPOT + PAGE + 9), 78);
    OK(memobj_destroy_vfs(&vfs.anon.m));
    OK(cap_destroy(frame));
}

static void test_vfs_errors(void)
{
    struct capref frame = new_frame(1, 9), device;
    void *file = numbered_file();
    OK(devframe_create(&device, machine_device(), PAGE));
    OK(memobj_create_vfs(&vfs, PAGES(2), 0, file, 0, PAGES(2)));
    machine_fail_reads(file, true);
    FAILS(QUIRE_ERR_IO, vfs.anon.m.f.fill(&vfs.anon.m, 0, frame, PAGE));
    machine_fail_reads(file, false);
    FAILS(LIB_ERR_MEMOBJ_FILL, vfs.anon.m.f.fill(&vfs.anon.m, 0, device, PAGE));
    OK(vfs.anon.m.f.fill(&vfs.anon.m, 0, frame, PAGE));
    OK(vfs.anon.m.f.unfill(&vfs.anon.m, 0, NULL, NULL));
    OK(vfs.anon.m.f.fill(&vfs.anon.m, 0, frame, PAGE));
    assert_int_equal(frame_byte(frame, 0), 1);
    struct capref late = new_frame(1, 9);
    FAILS(LIB_ERR_MEMOBJ_DUPLICATE_FILL, vfs.anon.m.f.fill(&vfs.anon.m, 0, late, PAGE));
    assert_int_equal(frame_byte(late, 0), 9); /* not even read into */
    OK(memobj_destroy_vfs(&vfs.anon.m));
    OK(cap_destroy(frame));
    OK(cap_destroy(late));
}

/* ---- frames ---- */

static void test_capref(void)
{
    struct capref cap, device;
    struct frame_identity id;
    size_t bytes;
    assert_true(capref_is_null(NULL_CAP));
    OK(frame_alloc(&cap, PAGE + 1, &bytes));
    assert_int_equal(bytes, PAGES(2));
    OK(frame_identify(cap, &id));
    assert_int_equal(id.base, cap.base);
    assert_int_equal(id.bytes, PAGES(2));
    assert_int_equal(frame_byte(cap, 0), 0);
    FAILS(LIB_ERR_FRAME_CREATE, devframe_create(&device, cap.base, PAGE));
    FAILS(LIB_ERR_FRAME_CREATE, devframe_create(&device, cap.base - PAGE, PAGES(2)));
    OK(cap_destroy(cap));
    OK(frame_create(&cap, PAGE, NULL));
    OK(cap_destroy(cap));
    OK(devframe_create(&device, machine_device(), PAGE));
    OK(cap_destroy(device));
    FAILS(LIB_ERR_FRAME_CREATE, devframe_create(&device, machine_device() + 1, PAGE));
    FAILS(LIB_ERR_FRAME_CREATE, devframe_create(&device, ~VM_PAGE_MASK, PAGES(2)));
    FAILS(LIB_ERR_INVALID_ARGS, devframe_create(NULL, machine_device(), PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, devframe_create(&device, machine_device(), 0));
    FAILS(LIB_ERR_INVALID_ARGS, frame_alloc(NULL, PAGE, NULL));
    FAILS(LIB_ERR_INVALID_ARGS, frame_alloc(&cap, 0, NULL));
    FAILS(LIB_ERR_INVALID_ARGS, frame_alloc(&cap, SIZE_MAX, NULL));
    FAILS(LIB_ERR_INVALID_ARGS, frame_identify(cap, NULL));
    FAILS(LIB_ERR_FRAME_IDENTIFY, frame_identify(NULL_CAP, &id));
    FAILS(LIB_ERR_CAP_DESTROY, cap_destroy(NULL_CAP));
    errval_t error = frame_alloc(&cap, (size_t)1 << 40, NULL);
    FAILS(LIB_ERR_FRAME_ALLOC, error);
    FAILS(QUIRE_ERR_NO_MEMORY, err_pop(error));
    FAILS(LIB_ERR_FRAME_CREATE, frame_create(&cap, (size_t)1 << 40, NULL));
}

/* A device in an object: past the caches, or not. */
static void test_device_frames(void)
{
    struct capref device;
    OK(devframe_create(&device, machine_device(), PAGES(2)));
    OK(memobj_create_anon(&anon, PAGES(2), 0));
    OK(anon.m.f.fill(&anon.m, 0, device, 0));
    OK(vregion_map(&region, CURRENT, &anon.m, 0, PAGES(2), VREGION_FLAGS_READ_WRITE_NOCACHE));
    OK(vregion_map(&other, CURRENT, &anon.m, PAGE, PAGE, VREGION_FLAGS_WRITE_COMBINING | RO));
    bool usable = machine_has_devices();
    assert_int_equal(machine_write(region.base + PAGE, 5), usable ? 0 : ERR_UNSUPPORTED);
    assert_int_equal(machine_read(other.base), usable ? 5 : ERR_UNSUPPORTED);
    OK(memobj_destroy_anon(&anon.m, true));
}

/* ---- errors ---- */

static void test_err_push_and_pop(void)
{
    errval_t error = err_push(err_push(LIB_ERR_MEMOBJ_FILL, LIB_ERR_PMAP_MAP), LIB_ERR_VSPACE_MAP);
    assert_int_equal(err_no(error), LIB_ERR_VSPACE_MAP);
    assert_true(err_is_fail(error) && !err_is_ok(error));
    assert_true(err_has(error, LIB_ERR_MEMOBJ_FILL) && err_has(error, LIB_ERR_PMAP_MAP));
    assert_false(err_has(error, LIB_ERR_PMAP_UNMAP));
    assert_int_equal(err_no(err_pop(error)), LIB_ERR_PMAP_MAP);
    assert_int_equal(err_pop(err_pop(err_pop(error))), SYS_ERR_OK);
    assert_true(err_is_ok(SYS_ERR_OK) && !err_is_fail(SYS_ERR_OK));
    assert_int_equal(ERR_MAX_DEPTH, 6);
    for (unsigned i = 0; i < 20; i++)
        error = err_push(error, LIB_ERR_PMAP_MAP);
    for (unsigned i = 0; i < ERR_MAX_DEPTH; i++, error = err_pop(error))
        assert_int_equal(err_no(error), LIB_ERR_PMAP_MAP);
}

static void test_err_getstring(void)
{
    for (errval_t code = 0; code < ERR_CODES; code++) {
        assert_true(strlen(err_getstring(code)) > 3);
        for (errval_t same = 0; same < code; same++)
            assert_string_not_equal(err_getcode(code), err_getcode(same));
    }
    assert_string_equal(err_getcode(LIB_ERR_VSPACE_PAGEFAULT_HANDER),
                        "LIB_ERR_VSPACE_PAGEFAULT_HANDER");
    assert_string_equal(err_getstring(err_push(LIB_ERR_PMAP_MAP, LIB_ERR_PMAP_NOT_MAPPED)),
                        "nothing is mapped there");
    assert_string_equal(err_getcode(ERR_CODE_MASK), "unknown");
    assert_string_equal(err_getcode(ERR_CODES), "unknown");
    assert_non_null(err_getstring(ERR_CODE_MASK));
}

static void test_err_from_vm(void)
{
    assert_int_equal(err_from_vm(VM_OK), SYS_ERR_OK);
    assert_int_equal(err_from_vm(5), SYS_ERR_OK);
    assert_int_equal(err_from_vm(ERR_VM_GENERAL), QUIRE_ERR_GENERAL);
    assert_int_equal(err_from_vm(ERR_NO_MEMORY), QUIRE_ERR_NO_MEMORY);
    assert_int_equal(err_from_vm(ERR_UNSUPPORTED), QUIRE_ERR_UNSUPPORTED);
    assert_int_equal(err_from_vm(ERR_UNSUPPORTED - 1), QUIRE_ERR_GENERAL);
    assert_int_equal(err_from_vm(-1), QUIRE_ERR_GENERAL);
    for (int error = ERR_VM_GENERAL; error >= ERR_UNSUPPORTED; error--)
        assert_int_equal(err_to_vm(err_from_vm(error)), error);
    assert_int_equal(err_to_vm(SYS_ERR_OK), VM_OK);
    assert_int_equal(err_to_vm(LIB_ERR_PMAP_MAP), ERR_VM_GENERAL);
    assert_int_equal(err_to_vm(ERR_CODE_MASK), ERR_VM_GENERAL);
    assert_int_equal(err_to_vm(ERR_CODES), ERR_VM_GENERAL);
}

VSPACE_MAIN("types of memory objects, frames, errors", TEST(test_anon_frames_of_all_sizes),
            TEST(test_anon_overlap), TEST(test_anon_frame_over_the_end),
            TEST(test_anon_unfill_at_or_above), TEST(test_unfill_leaves_the_neighbours_mapped),
            TEST(test_anon_many_frames), TEST(test_pager_free_goes_round),
            TEST(test_one_frame_is_one), TEST(test_one_frame_lazy_maps_chunks),
            TEST(test_pinned_never_faults), TEST(test_fixed_takes_chunks),
            TEST(test_numa_takes_turns), TEST(test_append_goes_on_at_the_end),
            TEST(test_vfs_reads_and_clears), TEST(test_memobj_flush_vfs),
            TEST(test_memobj_flush_vfs_past_the_end), TEST(test_vfs_pager_free_writes),
            TEST(test_vfs_errors), BARE(test_capref), TEST(test_device_frames),
            BARE(test_err_push_and_pop), BARE(test_err_getstring), BARE(test_err_from_vm))
