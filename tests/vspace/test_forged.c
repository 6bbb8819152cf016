/* SPDX-License-Identifier: MIT */
/* Capabilities, and serialised translations, of frames that a program doesn't have: each call says so, and changes
 * nothing. */
#include "support.h"

#define HUGE_RUN ((gensize_t)1 << 51)

static struct memobj_anon object;
static struct vregion region;
static struct capref frame;
static struct pmap *pmap;

static void begin(void)
{
    pmap = get_current_pmap();
    frame = new_frame(4, 1);
    OK(memobj_create_anon(&object, PAGES(8), 0));
    OK(object.m.f.fill(&object.m, 0, frame, 0));
    OK(vregion_map_fixed(&region, CURRENT, &object.m, 0, PAGES(8), SPOT, RW));
    assert_numbered(SPOT, 4, 1);
}

static void assert_no_region(addr_t address, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        assert_int_equal(machine_read(address + PAGES(i)), ERR_VM_PF_BAD_ADDRESS);
}

static void end(void)
{
    assert_numbered(SPOT, 4, 1);
    assert_nothing(SPOT + PAGES(4), 4);
    OK(memobj_destroy_anon(&object.m, true));
}

/* Memory that was given, and given back. */
static struct capref stale(size_t pages)
{
    struct capref gone;
    OK(frame_alloc(&gone, PAGES(pages), NULL));
    OK(cap_destroy(gone));
    return gone;
}

static struct capref like(genpaddr_t base, gensize_t bytes, enum objtype type)
{
    return (struct capref){base, bytes, type};
}

static void refuse(struct capref cap)
{
    static struct vspace_mmu_aware heap;
    struct frame_identity identity;
    struct memobj_one_frame_one_map one;
    struct vregion shown = {0};
    size_t frames = machine_free_frames(), bytes = machine_metadata_bytes();
    FAILS(LIB_ERR_PMAP_FRAME_IDENTIFY, pmap->f.map(pmap, 2 * SPOT, cap, 0, PAGE, RW, NULL, NULL));
    FAILS(LIB_ERR_FRAME_IDENTIFY, object.m.f.fill(&object.m, PAGES(4), cap, PAGE));
    FAILS(LIB_ERR_FRAME_IDENTIFY, object.m.f.fill_foff(&object.m, PAGES(4), cap, PAGE, 0));
    FAILS(LIB_ERR_FRAME_IDENTIFY, frame_identify(cap, &identity));
    FAILS(LIB_ERR_CAP_DESTROY, cap_destroy(cap));
    FAILS(LIB_ERR_INVALID_ARGS, vspace_mmu_aware_reset(&heap, cap, PAGE));
    assert_true(err_is_fail(vspace_map_one_frame_one_map(&one, &shown, PAGE, cap)));
    assert_no_region(2 * SPOT, 1);
    assert_int_equal(machine_free_frames(), frames);
    assert_int_equal(machine_metadata_bytes(), bytes);
}

/* What the core has for itself, or for somebody's memory. */
static genpaddr_t frame_of_memory(void)
{
    genpaddr_t physical;
    void *at = (void *)(uintptr_t)(3 * SPOT);
    assert_true(vm_create_anonymous_region(machine_program(), "memory", &at,
                                           REGION_ADDR_EXACT_ADDRESS, PAGE, REGION_WIRING_WIRED,
                                           LOCK_RW) > 0);
    assert_int_equal(vm_get_page_mapping(machine_program(), 3 * SPOT, &physical), VM_OK);
    return physical;
}

static void test_frames_that_are_not_there(void)
{
    begin();
    struct capref gone = stale(2);
    refuse(gone);
    refuse(like(gone.base, PAGE, ObjType_Frame));
    refuse(like(machine_device(), PAGE, ObjType_Frame));
    refuse(like(frame.base, HUGE_RUN, ObjType_Frame));
    refuse(like(frame.base, frame.bytes + HUGE_RUN, ObjType_Frame));
    refuse(like(((genpaddr_t)1 << 52) - PAGE, PAGES(2), ObjType_Frame));
    refuse(like(~VM_PAGE_MASK, PAGE, ObjType_Frame));
    end();
}

static void test_frames_of_the_core(void)
{
    begin();
    refuse(like(frame_of_memory(), PAGE, ObjType_Frame));
    assert_int_equal(vm_unmap_range(machine_program(), 3 * SPOT, PAGE), VM_OK);
    end();
}

static void test_capabilities_of_no_shape(void)
{
    begin();
    refuse(like(frame.base + 1, PAGE, ObjType_Frame));
    refuse(like(frame.base, PAGE + 1, ObjType_Frame));
    refuse(like(frame.base, 0, ObjType_Frame));
    refuse(like(frame.base, PAGE, ObjType_Null));
    refuse(like(frame.base, PAGE, (enum objtype)7));
    refuse(like(frame.base, PAGE, (enum objtype)(-1)));
    end();
}

/* Devices are what isn't memory. */
static void test_devices_that_are_memory(void)
{
    begin();
    refuse(like(frame.base, PAGE, ObjType_DevFrame));
    refuse(like(frame.base - PAGE, PAGES(2), ObjType_DevFrame));
    refuse(like(0, HUGE_RUN, ObjType_DevFrame));
    refuse(like(machine_device() + 1, PAGE, ObjType_DevFrame));
    end();
}

/* A part of a frame is one, and a device, too. */
static void test_parts_of_frames(void)
{
    struct frame_identity identity;
    begin();
    struct capref part = like(frame.base + PAGE, PAGES(2), ObjType_Frame);
    OK(frame_identify(part, &identity));
    assert_int_equal(identity.base, frame.base + PAGE);
    OK(pmap->f.map(pmap, 2 * SPOT, part, 0, PAGES(2), RO, NULL, NULL));
    assert_numbered(2 * SPOT, 2, 2);
    OK(pmap->f.unmap(pmap, 2 * SPOT, PAGES(2), NULL));
    OK(frame_identify(like(machine_device(), PAGE, ObjType_DevFrame), &identity));
    end();
}

static void test_a_frame_is_destroyed_once(void)
{
    begin();
    struct capref mine = new_frame(3, 9);
    OK(cap_destroy(mine));
    size_t frames = machine_free_frames();
    FAILS(LIB_ERR_CAP_DESTROY, cap_destroy(mine));
    assert_int_equal(machine_free_frames(), frames);
    end();
}

/* ---- serialised ---- */

enum { PADDR = 3, SIZE }; /* words of the first run */
static uint64_t buffer[64];

static void refuse_paddr(genpaddr_t paddr, gensize_t size, size_t bytes)
{
    uint64_t before[2] = {buffer[PADDR], buffer[SIZE]};
    size_t frames = machine_free_frames(), metadata = machine_metadata_bytes();
    buffer[PADDR] = paddr;
    buffer[SIZE] = size;
    FAILS(LIB_ERR_DESERIALISE, pmap->f.deserialise(pmap, buffer, bytes));
    buffer[PADDR] = before[0];
    buffer[SIZE] = before[1];
    assert_no_region(SPOT, 4);
    assert_int_equal(machine_free_frames(), frames);
    assert_int_equal(machine_metadata_bytes(), metadata);
}

static void test_serialised_frames_that_are_not_there(void)
{
    size_t bytes;
    begin();
    OK(pmap_serialised_size(pmap, &bytes));
    OK(pmap->f.serialise(pmap, buffer, bytes));
    assert_true(buffer[PADDR] == frame.base && buffer[SIZE] == PAGES(4));
    OK(vregion_destroy(&region));
    genpaddr_t memory = frame_of_memory();
    refuse_paddr(memory, PAGE, bytes);
    refuse_paddr(stale(1).base, PAGE, bytes);
    refuse_paddr(frame.base, HUGE_RUN >> 8, bytes);
    refuse_paddr(frame.base, 0, bytes);
    refuse_paddr(frame.base + 1, PAGE, bytes);
    OK(pmap->f.deserialise(pmap, buffer, bytes));
    assert_numbered(SPOT, 4, 1);
    OK(pmap->f.unmap(pmap, SPOT, PAGES(4), NULL));
    assert_int_equal(vm_unmap_range(machine_program(), 3 * SPOT, PAGE), VM_OK);
    OK(memobj_destroy_anon(&object.m, true));
}

/* They were there when it was written. */
static void test_serialised_frames_that_have_gone(void)
{
    size_t bytes;
    begin();
    struct capref mine = new_frame(2, 7);
    OK(pmap->f.map(pmap, 2 * SPOT, mine, 0, PAGES(2), RW, NULL, NULL));
    OK(pmap_serialised_size(pmap, &bytes));
    OK(pmap->f.serialise(pmap, buffer, bytes));
    OK(pmap->f.unmap(pmap, 2 * SPOT, PAGES(2), NULL));
    OK(vregion_destroy(&region));
    OK(cap_destroy(mine));
    FAILS(LIB_ERR_DESERIALISE, pmap->f.deserialise(pmap, buffer, bytes));
    assert_no_region(SPOT, 4);
    assert_no_region(2 * SPOT, 2);
    OK(memobj_destroy_anon(&object.m, true));
}

VSPACE_MAIN("frames that a program does not have", TEST(test_frames_that_are_not_there),
            TEST(test_frames_of_the_core), TEST(test_capabilities_of_no_shape),
            TEST(test_devices_that_are_memory), TEST(test_parts_of_frames),
            TEST(test_a_frame_is_destroyed_once), TEST(test_serialised_frames_that_are_not_there),
            TEST(test_serialised_frames_that_have_gone))
