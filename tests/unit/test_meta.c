/* SPDX-License-Identifier: MIT */
/* Memory for structures from inside: every size, what is kept empty, what goes back. */
#include "support.h"

#include "meta.h"
#include "system.h"

#define MOST 4200u

static bool holds(const uint8_t *memory, uint8_t byte, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (memory[i] != byte)
            return false;
    return true;
}

/* Objects of each size lie apart, none on another's bytes, on no frame's end, and with little waste. */
static void test_vm_meta_alloc_objects_lie_apart(void)
{
    enum { COUNT = 5 };
    uint8_t *object[COUNT];
    for (size_t size = 1; size < MOST; size++) {
        for (unsigned i = 0; i < COUNT; i++) {
            object[i] = vm_meta_alloc(size);
            assert_non_null(object[i]);
            memset(object[i], (int)i + 1, size);
        }
        for (unsigned i = 0; i < COUNT; i++) {
            assert_true(holds(object[i], (uint8_t)(i + 1), size));
            vm_meta_free(object[i], size);
        }
    }
}

/* The distance of two objects that share a frame. */
static size_t distance_of(size_t size)
{
    enum { COUNT = 8 };
    uint8_t *object[COUNT];
    size_t least = SIZE_MAX;
    for (unsigned i = 0; i < COUNT; i++)
        object[i] = vm_meta_alloc(size);
    for (unsigned i = 1; i < COUNT; i++) {
        size_t apart = (size_t)(object[i] > object[i - 1] ? object[i] - object[i - 1]
                                                          : object[i - 1] - object[i]);
        least = apart < least ? apart : least;
    }
    for (unsigned i = 0; i < COUNT; i++)
        vm_meta_free(object[i], size);
    return least;
}

static void test_vm_meta_alloc_wastes_little(void)
{
    static const size_t sizes[] = {32, 64, 96, 128, 192, 256, 320, 544, 704, 1056, 1344, 2016};
    unsigned class = 0;
    for (size_t size = 1; size <= 2016; size++) {
        class += size > sizes[class];
        assert_int_equal(distance_of(size), sizes[class]);
    }
    assert_int_equal(distance_of(2017), PAGE);
    assert_int_equal(distance_of(PAGE), PAGE);
}

/* As many objects of each size in one frame as there is room for. */
static void test_vm_meta_alloc_fills_frames(void)
{
    enum { COUNT = 1260 };
    static void *object[COUNT];
    size_t before = free_frames();
    for (unsigned i = 0; i < COUNT; i++)
        object[i] = vm_meta_alloc(32);
    assert_in_range(before - sim_free_frames(), 9, 10);
    for (unsigned i = 0; i < COUNT; i++)
        vm_meta_free(object[i], 32);
}

static void test_vm_meta_alloc_counts_bytes(void)
{
    for (size_t size = 1; size < 9000; size += 999) {
        size_t before = figures().metadata_bytes;
        void *object = vm_meta_alloc(size);
        assert_int_equal(figures().metadata_bytes, before + size);
        vm_meta_free(object, size);
        assert_int_equal(figures().metadata_bytes, before);
    }
    vm_meta_free(NULL, 5);
}

static void test_meta_take_clear_is_clear(void)
{
    for (size_t size = 1; size < 200; size++) {
        size_t rounded = (size + 7) & ~(size_t)7;
        uint8_t *dirty = vm_meta_alloc(rounded);
        memset(dirty, 0xff, rounded);
        vm_meta_free(dirty, rounded);
        uint8_t *object = meta_alloc_clear(size);
        assert_non_null(object);
        assert_true(holds(object, 0, rounded));
        vm_meta_free(object, rounded);
    }
}

/* In test builds; the first word is the allocator's. */
static void test_vm_meta_free_poisons(void)
{
    static const size_t sizes[] = {32, 100, 544, 2016};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *object = vm_meta_alloc(sizes[i]);
        memset(object, 1, sizes[i]);
        vm_meta_free(object, sizes[i]);
        assert_true(holds(object + 8, 0xdb, sizes[i] - 8));
    }
}

/* The allocator keeps so many empty frames and no more. */
static void test_vm_meta_free_keeps_sixteen(void)
{
    enum { COUNT = 200 };
    void *object[COUNT];
    for (unsigned i = 0; i < COUNT; i++)
        object[i] = vm_meta_alloc(1344);
    size_t used = sim_free_frames();
    for (unsigned i = 0; i < COUNT; i++)
        vm_meta_free(object[i], 1344);
    assert_int_equal(vm_system.meta.empty_count, 16);
    size_t kept = sim_free_frames();
    assert_true(kept > used);
    vm_trim();
    assert_int_equal(vm_system.meta.empty_count, 0);
    assert_in_range(sim_free_frames() - kept, 16, 18);
}

/* Kept frames are the first to be used again, for any size. */
static void test_vm_meta_alloc_uses_what_is_kept(void)
{
    enum { COUNT = 40 };
    void *object[COUNT];
    for (unsigned i = 0; i < COUNT; i++)
        object[i] = vm_meta_alloc(1344);
    for (unsigned i = 0; i < COUNT; i++)
        vm_meta_free(object[i], 1344);
    size_t frames = sim_free_frames(), kept = vm_system.meta.empty_count;
    assert_true(kept > 2);
    for (unsigned i = 0; i < 8; i++)
        object[i] = vm_meta_alloc(704);
    assert_int_equal(sim_free_frames(), frames);
    assert_true(vm_system.meta.empty_count < kept);
    for (unsigned i = 0; i < 8; i++)
        vm_meta_free(object[i], 704);
}

UNIT_MAIN("memory for structures", TEST(test_vm_meta_alloc_objects_lie_apart),
          TEST(test_vm_meta_alloc_wastes_little), TEST(test_vm_meta_alloc_fills_frames),
          TEST(test_vm_meta_alloc_counts_bytes), TEST(test_meta_take_clear_is_clear),
          TEST(test_vm_meta_free_poisons), TEST(test_vm_meta_free_keeps_sixteen),
          TEST(test_vm_meta_alloc_uses_what_is_kept))
