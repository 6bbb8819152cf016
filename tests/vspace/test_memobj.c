/* SPDX-License-Identifier: MIT */
/* What all types of memory objects have in common, each operation with each type. */
#include "support.h"

/* Every type as one of six pages, filled with numbered pages from 1 on. */
#define SIZE PAGES(6)
struct sample {
    const char *name;
    union {
        struct memobj_anon anon;
        struct memobj_one_frame one_frame;
        struct memobj_one_frame_lazy lazy;
        struct memobj_pinned pinned;
        struct memobj_one_frame_one_map one_map;
        struct memobj_vfs vfs;
        struct memobj_fixed fixed;
        struct memobj_numa numa;
        struct memobj_append append;
    };
    struct memobj *m;
    struct capref frames[6];
    size_t count;
};

static uint8_t file_bytes[6 * 4096];

static void fill_each(struct sample *s, size_t pages, size_t step)
{
    s->count = 6 / pages;
    for (size_t i = 0; i < s->count; i++) {
        s->frames[i] = new_frame(pages, (uint8_t)(1 + i * pages));
        OK(s->m->f.fill(s->m, i * step, s->frames[i], PAGES(pages)));
    }
}

static void make_vfs(struct sample *s)
{
    for (size_t i = 0; i < 6; i++)
        file_bytes[i * PAGE] = (uint8_t)(1 + i);
    OK(memobj_create_vfs(&s->vfs, SIZE, 0, machine_file(file_bytes, sizeof file_bytes), 0, SIZE));
}

static void make_numa(struct sample *s)
{
    OK(memobj_create_numa(&s->numa, SIZE, 0, 2, PAGE));
    s->count = 2;
    for (size_t node = 0; node < 2; node++) { /* pages 1, 3, 5 and 2, 4, 6 */
        s->frames[node] = new_frame(3, 0);
        for (size_t i = 0; i < 3; i++) {
            addr_t at;
            (void)vm_get_physical_page(s->frames[node].base + PAGES(i), &at, 0);
            *(uint8_t *)at = (uint8_t)(1 + node + 2 * i);
        }
        OK(s->m->f.fill(s->m, node, s->frames[node], PAGES(3)));
    }
}

static void make(struct sample *s, enum memobj_type type)
{
    *s = (struct sample){.m = &s->anon.m};
    switch (type) {
    case ANONYMOUS:
        OK(memobj_create_anon(&s->anon, SIZE, 0));
        fill_each(s, 1, PAGE);
        break;
    case ONE_FRAME:
        OK(memobj_create_one_frame(&s->one_frame, SIZE, 0));
        fill_each(s, 6, 0);
        break;
    case ONE_FRAME_LAZY:
        s->frames[0] = new_frame(6, 1);
        s->count = 1;
        OK(memobj_create_one_frame_lazy(&s->lazy, SIZE, 0, s->frames[0], PAGES(2)));
        break;
    case PINNED:
        OK(memobj_create_pinned(&s->pinned, SIZE, 0));
        fill_each(s, 2, PAGES(2));
        break;
    case ONE_FRAME_ONE_MAP:
        OK(memobj_create_one_frame_one_map(&s->one_map, SIZE, 0));
        fill_each(s, 6, 0);
        break;
    case MEMOBJ_VFS:
        make_vfs(s);
        fill_each(s, 2, PAGES(2));
        break;
    case MEMOBJ_FIXED:
        OK(memobj_create_fixed(&s->fixed, SIZE, 0, 3, PAGES(2)));
        fill_each(s, 2, PAGES(2));
        break;
    case MEMOBJ_NUMA:
        make_numa(s);
        break;
    case MEMOBJ_APPEND:
        OK(memobj_create_append(&s->append, SIZE, 0));
        fill_each(s, 1, PAGE);
        break;
    }
    assert_int_equal(s->m->type, type);
    assert_int_equal(s->m->size, SIZE);
}

static errval_t destroy(struct sample *s)
{
    switch (s->m->type) {
    case ANONYMOUS:
        return memobj_destroy_anon(s->m, false);
    case ONE_FRAME:
        return memobj_destroy_one_frame(s->m);
    case ONE_FRAME_LAZY:
        return memobj_destroy_one_frame_lazy(s->m);
    case PINNED:
        return memobj_destroy_pinned(s->m);
    case ONE_FRAME_ONE_MAP:
        return memobj_destroy_one_frame_one_map(s->m);
    case MEMOBJ_VFS:
        return memobj_destroy_vfs(s->m);
    case MEMOBJ_FIXED:
        return memobj_destroy_fixed(s->m);
    case MEMOBJ_NUMA:
        return memobj_destroy_numa(s->m);
    case MEMOBJ_APPEND:
        return memobj_destroy_append(s->m);
    }
    return SYS_ERR_OK;
}

static void end(struct sample *s)
{
    OK(destroy(s));
    for (size_t i = 0; i < s->count; i++)
        OK(cap_destroy(s->frames[i]));
}

#define TYPES (MEMOBJ_APPEND + 1)
static struct sample s;
static struct vregion regions[3];

static bool maps_once(enum memobj_type type)
{
    return type == PINNED || type == ONE_FRAME_ONE_MAP || type == MEMOBJ_FIXED ||
           type == MEMOBJ_NUMA || type == MEMOBJ_APPEND;
}

static void for_each_type(void (*test)(enum memobj_type type))
{
    for (enum memobj_type type = ANONYMOUS; type < TYPES; type++) {
        make(&s, type);
        test(type);
        machine_check();
        end(&s);
    }
}

static void map_all(struct vregion *vregion, genvaddr_t base)
{
    OK(vregion_map_fixed(vregion, CURRENT, s.m, 0, SIZE, base, RW));
}

/* ---- map_region and unmap_region ---- */

static void shows_its_frames(enum memobj_type type)
{
    map_all(&regions[0], SPOT);
    assert_numbered(SPOT, 6, 1);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(machine_write(SPOT + PAGES(i), (uint8_t)(101 + i)), 0);
    OK(vregion_destroy(&regions[0]));
    map_all(&regions[0], 2 * SPOT);
    assert_numbered(2 * SPOT, 6, 101);
    errval_t error = vregion_map_fixed(&regions[1], CURRENT, s.m, 0, SIZE, SPOT, RO);
    if (maps_once(type)) {
        FAILS(LIB_ERR_MEMOBJ_MAP_REGION, error);
        FAILS(LIB_ERR_MEMOBJ_VREGION_ALREADY_MAPPED, err_pop(error));
        assert_list(CURRENT, 1, &regions[0]);
    } else {
        OK(error);
        assert_numbered(SPOT, 6, 101);
        OK(vregion_destroy(&regions[1]));
    }
}

static void test_map_region(void)
{
    for_each_type(shows_its_frames);
}

static void ops_refuse(enum memobj_type type)
{
    struct vregion *r = &regions[0], other = {0};
    struct capref cap;
    map_all(r, SPOT);
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.map_region(NULL, r));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.map_region(s.m, NULL));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.map_region(s.m, &other));
    FAILS(LIB_ERR_MEMOBJ_MAP_REGION, s.m->f.map_region(s.m, r));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.unmap_region(s.m, NULL));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.unmap_region(NULL, r));
    FAILS(LIB_ERR_VSPACE_VREGION_NOT_FOUND, s.m->f.unmap_region(s.m, &other));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.protect(NULL, r, 0, PAGE, RO));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.protect(s.m, NULL, 0, PAGE, RO));
    FAILS(LIB_ERR_VSPACE_VREGION_NOT_FOUND, s.m->f.protect(s.m, &other, 0, PAGE, RO));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, s.m->f.protect(s.m, r, PAGES(5), PAGES(2), RO));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, s.m->f.protect(s.m, r, 0, 0, RO));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, s.m->f.protect(s.m, r, 1, 1, RO));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.pin(NULL, r, 0, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.pin(s.m, NULL, 0, PAGE));
    FAILS(LIB_ERR_VSPACE_VREGION_NOT_FOUND, s.m->f.pin(s.m, &other, 0, PAGE));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, s.m->f.pin(s.m, r, PAGES(5), SIZE_MAX));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.unpin(NULL, r, 0, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.unpin(s.m, NULL, 0, PAGE));
    FAILS(LIB_ERR_MEMOBJ_UNPIN_REGION, s.m->f.unpin(s.m, r, 0, PAGE));
    FAILS(LIB_ERR_MEMOBJ_UNPIN_REGION, s.m->f.unpin(s.m, r, 0, 0));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.fill(NULL, 0, s.frames[0], PAGE));
    FAILS(LIB_ERR_FRAME_IDENTIFY, s.m->f.fill(s.m, 0, NULL_CAP, PAGE));
    FAILS(LIB_ERR_PMAP_FRAME_SIZE, s.m->f.fill(s.m, 0, s.frames[0], PAGES(7)));
    FAILS(LIB_ERR_PMAP_FRAME_SIZE, s.m->f.fill_foff(s.m, 0, s.frames[0], PAGE, PAGES(6)));
    FAILS(LIB_ERR_MEMOBJ_FILL, s.m->f.fill_foff(s.m, 0, s.frames[0], PAGE, 1));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, s.m->f.fill(s.m, SIZE, s.frames[0], PAGE));
    FAILS(LIB_ERR_MEMOBJ_DUPLICATE_FILL, s.m->f.fill(s.m, 0, s.frames[0], 0));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.unfill(NULL, 0, &cap, NULL));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.pagefault(NULL, r, 0, PAGEFLT_READ));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.pagefault(s.m, &other, 0, PAGEFLT_READ));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.pagefault(s.m, r, 0, PAGEFLT_EXEC + 1));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, s.m->f.pagefault(s.m, r, SIZE, PAGEFLT_READ));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.pager_free(NULL, PAGE, &cap, 1));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.pager_free(s.m, PAGE, NULL, 1));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.pager_free(s.m, 0, &cap, 1));
    FAILS(LIB_ERR_MEMOBJ_PAGER_FREE, s.m->f.pager_free(s.m, PAGE, &cap, 0));
    assert_numbered(SPOT, 6, 1);
    (void)type;
}

static void test_operations_refuse(void)
{
    for_each_type(ops_refuse);
}

static void no_pointer_is_missing(enum memobj_type type)
{
    const struct memobj_funcs *f = &s.m->f;
    assert_true(f->map_region && f->unmap_region && f->protect && f->pin && f->unpin);
    assert_true(f->fill && f->fill_foff && f->unfill && f->pagefault && f->pager_free);
    (void)type;
}

static void test_each_type_has_each_operation(void)
{
    for_each_type(no_pointer_is_missing);
}

/* ---- protect ---- */

static void protects(enum memobj_type type)
{
    (void)type;
    map_all(&regions[0], SPOT);
    assert_numbered(SPOT, 6, 1);
    OK(s.m->f.protect(s.m, &regions[0], PAGES(2), PAGES(2) - 1, RO));
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(machine_write(SPOT + PAGES(i), 9) == 0, i != 2 && i != 3);
    assert_int_equal(regions[0].flags, RW);
    OK(s.m->f.protect(s.m, &regions[0], 0, SIZE, VREGION_FLAGS_NONE));
    assert_int_equal(regions[0].flags, VREGION_FLAGS_NONE);
    assert_int_equal(machine_read(SPOT), ERR_VM_PF_FATAL);
    OK(s.m->f.protect(s.m, &regions[0], 0, SIZE, RW));
    assert_int_equal(machine_read(SPOT + PAGES(2)), 3);
}

static void test_protect(void)
{
    for_each_type(protects);
}

/* ---- fill, unfill, pager_free, pins ---- */

/* Frames come back with what was written to them, show nowhere, and can be filled in again. */
static void gives_frames_back(enum memobj_type type)
{
    struct capref cap[6];
    genvaddr_t at[6];
    size_t count = 0;
    map_all(&regions[0], SPOT);
    assert_numbered(SPOT, 6, 1);
    while (err_is_ok(s.m->f.unfill(s.m, 0, &cap[count], &at[count])))
        count++;
    assert_int_equal(count, s.count);
    FAILS(LIB_ERR_MEMOBJ_UNFILL_TOO_HIGH_OFFSET, s.m->f.unfill(s.m, 0, NULL, NULL));
    assert_nothing(SPOT, 6);
    for (size_t i = 0; i < count; i++) {
        size_t next = type == MEMOBJ_APPEND ? count - 1 - i : i;
        OK(s.m->f.fill(s.m, at[next], cap[next], 0));
    }
    assert_numbered(SPOT, 6, 1);
    FAILS(LIB_ERR_MEMOBJ_UNFILL_TOO_HIGH_OFFSET, s.m->f.unfill(s.m, SIZE, NULL, NULL));
}

static void test_unfill(void)
{
    for_each_type(gives_frames_back);
}

static void frees_for_pagers(enum memobj_type type)
{
    struct capref cap[7];
    map_all(&regions[0], SPOT);
    assert_numbered(SPOT, 6, 1);
    if (type == PINNED) {
        FAILS(LIB_ERR_MEMOBJ_PAGER_FREE, s.m->f.pager_free(s.m, PAGE, cap, 7));
        return;
    }
    FAILS(LIB_ERR_MEMOBJ_PAGER_FREE, s.m->f.pager_free(s.m, SIZE + 1, cap, 7));
    if (s.count > 1)
        FAILS(LIB_ERR_MEMOBJ_PAGER_FREE, s.m->f.pager_free(s.m, SIZE, cap, s.count - 1));
    assert_numbered(SPOT, 6, 1);
    OK(s.m->f.pager_free(s.m, 1, cap, 7));
    assert_true(!capref_is_null(cap[0]) && capref_is_null(cap[1]) && capref_is_null(cap[6]));
    size_t missing = 0;
    for (size_t i = 0; i < 6; i++)
        missing += machine_read(SPOT + PAGES(i)) == ERR_NOT_FOUND;
    assert_int_equal(missing, 6 / s.count);
    if (s.count > 1)
        OK(s.m->f.pager_free(s.m, PAGES(6 - missing), cap, s.count - 1));
    assert_nothing(SPOT, 6);
    FAILS(LIB_ERR_MEMOBJ_PAGER_FREE, s.m->f.pager_free(s.m, 1, cap, 7));
}

static void test_pager_free(void)
{
    for_each_type(frees_for_pagers);
}

static void pins_keep_frames(enum memobj_type type)
{
    struct capref cap[6];
    map_all(&regions[0], SPOT);
    OK(s.m->f.pin(s.m, &regions[0], PAGES(4), PAGES(2)));
    uint64_t faults = machine_faults();
    assert_numbered(SPOT + PAGES(4), 2, 5);
    assert_int_equal(machine_faults(), faults);
    FAILS(LIB_ERR_MEMOBJ_PIN_REGION,
          s.m->f.unfill(s.m, type == MEMOBJ_NUMA || s.count == 1 ? 0 : PAGES(4), NULL, NULL));
    FAILS(LIB_ERR_MEMOBJ_PAGER_FREE, s.m->f.pager_free(s.m, SIZE, cap, 6));
    FAILS(LIB_ERR_MEMOBJ_UNPIN_REGION, s.m->f.unpin(s.m, &regions[0], PAGES(4), PAGE));
    OK(s.m->f.pin(s.m, &regions[0], PAGES(4), PAGES(2)));
    OK(s.m->f.unpin(s.m, &regions[0], PAGES(4), PAGES(2)));
    FAILS(LIB_ERR_MEMOBJ_PAGER_FREE, s.m->f.pager_free(s.m, SIZE, cap, 6));
    OK(s.m->f.unpin(s.m, &regions[0], PAGES(4), PAGES(2)));
    FAILS(LIB_ERR_MEMOBJ_UNPIN_REGION, s.m->f.unpin(s.m, &regions[0], PAGES(4), PAGES(2)));
    if (type != PINNED)
        OK(s.m->f.pager_free(s.m, SIZE, cap, 6));
}

static void test_pin(void)
{
    for_each_type(pins_keep_frames);
}

static void pins_go_with_the_region(enum memobj_type type)
{
    struct capref cap[6];
    map_all(&regions[0], SPOT);
    OK(s.m->f.pin(s.m, &regions[0], 0, PAGE));
    OK(s.m->f.pin(s.m, &regions[0], PAGE, PAGES(3)));
    OK(vregion_destroy(&regions[0]));
    if (type != PINNED)
        OK(s.m->f.pager_free(s.m, SIZE, cap, 6));
}

static void test_pins_go_with_the_region(void)
{
    for_each_type(pins_go_with_the_region);
}

static void test_pin_needs_all_filled(void)
{
    make(&s, ANONYMOUS);
    map_all(&regions[0], SPOT);
    OK(s.m->f.unfill(s.m, PAGES(3), NULL, NULL));
    FAILS(LIB_ERR_MEMOBJ_WRONG_OFFSET, s.m->f.pin(s.m, &regions[0], PAGE, PAGES(4)));
    OK(s.m->f.pin(s.m, &regions[0], PAGE, PAGES(2)));
    OK(s.m->f.unfill(s.m, 0, NULL, NULL));
    end(&s);
}

/* ---- destroying ---- */

static void destroys_its_regions(enum memobj_type type)
{
    map_all(&regions[0], SPOT);
    assert_numbered(SPOT, 6, 1);
    if (!maps_once(type))
        map_all(&regions[1], 2 * SPOT);
    OK(destroy(&s));
    assert_list(CURRENT, 0);
    assert_int_equal(machine_read(SPOT), ERR_VM_PF_BAD_ADDRESS);
    FAILS(LIB_ERR_INVALID_ARGS, destroy(&s));
    make(&s, type); /* frames leak not: for_each_type ends this one */
}

static void test_destroy(void)
{
    for (enum memobj_type type = ANONYMOUS; type < TYPES; type++) {
        struct capref frames[6];
        make(&s, type);
        size_t count = s.count;
        memcpy(frames, s.frames, sizeof frames);
        if (type == MEMOBJ_VFS) { /* there is one file of that name */
            end(&s);
            continue;
        }
        destroys_its_regions(type);
        end(&s);
        for (size_t i = 0; i < count; i++)
            OK(cap_destroy(frames[i]));
    }
}

static void test_destroy_errors(void)
{
    FAILS(LIB_ERR_INVALID_ARGS, memobj_destroy_anon(NULL, false));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_destroy_one_frame(NULL));
    make(&s, ONE_FRAME);
    FAILS(LIB_ERR_INVALID_ARGS, memobj_destroy_anon(s.m, true));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_destroy_pinned(s.m));
    end(&s);
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.fill(s.m, 0, s.frames[0], 0));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.unfill(s.m, 0, NULL, NULL));
    FAILS(LIB_ERR_INVALID_ARGS, s.m->f.pager_free(s.m, 1, s.frames, 1));
    FAILS(LIB_ERR_INVALID_ARGS, vregion_map(&regions[0], CURRENT, s.m, 0, PAGE, RW));
}

static void test_create_errors(void)
{
    struct capref frame = new_frame(2, 1);
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_anon(NULL, PAGE, 0));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_anon(&s.anon, 0, 0));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_anon(&s.anon, SIZE_MAX, 0));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_anon(&s.anon, PAGE, 1));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_pinned(NULL, PAGE, 0));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_append(NULL, PAGE, 0));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_one_frame(NULL, PAGE, 0));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_one_frame_one_map(NULL, PAGE, 0));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_one_frame_lazy(NULL, PAGE, 0, frame, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_one_frame_lazy(&s.lazy, PAGE, 0, frame, 0));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_one_frame_lazy(&s.lazy, PAGE, 0, frame, 100));
    FAILS(LIB_ERR_FRAME_IDENTIFY, memobj_create_one_frame_lazy(&s.lazy, PAGE, 0, NULL_CAP, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_fixed(NULL, PAGE, 0, 1, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_fixed(&s.fixed, PAGES(3), 0, 2, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_fixed(&s.fixed, PAGES(3), 0, 1, PAGES(2)));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_fixed(&s.fixed, 200, 0, 2, 100));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_fixed(&s.fixed, 0, 0, 0, 0));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_numa(NULL, PAGE, 0, 1, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_numa(&s.numa, PAGE, 0, 0, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_numa(&s.numa, PAGE, 0, 1, 0));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_numa(&s.numa, PAGE, 0, 1, 100));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_numa(&s.numa, SIZE_MAX, 0, 1, PAGE));
    void *file = machine_file(file_bytes, PAGE);
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_vfs(NULL, PAGE, 0, file, 0, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_vfs(&s.vfs, PAGE, 0, NULL, 0, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_vfs(&s.vfs, PAGE, 0, file, -1, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_vfs(&s.vfs, PAGE, 0, file, 0, PAGES(2)));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_vfs(&s.vfs, PAGE, 0, file, INT64_MAX, PAGE));
    FAILS(LIB_ERR_INVALID_ARGS, memobj_create_vfs(&s.vfs, SIZE_MAX, 0, file, 0, PAGE));
    OK(cap_destroy(frame));
}

VSPACE_MAIN("memory objects", TEST(test_map_region), TEST(test_operations_refuse),
            TEST(test_each_type_has_each_operation), TEST(test_protect), TEST(test_unfill),
            TEST(test_pager_free), TEST(test_pin), TEST(test_pins_go_with_the_region),
            TEST(test_pin_needs_all_filled), TEST(test_destroy), TEST(test_destroy_errors),
            TEST(test_create_errors))
