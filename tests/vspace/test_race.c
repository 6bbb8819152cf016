/* SPDX-License-Identifier: MIT */
/* Threads that meet in the layer, each test under many schedules. */
#include "support.h"

#define SCHEDULES 150
#define MANY 4

static struct memobj_anon anon;
static struct vregion regions[MANY];
static struct capref frames[MANY];
static unsigned result[MANY];

static void begin(void)
{
    OK(vspace_current_init(true));
    OK(memobj_create_anon(&anon, PAGES(16), 0));
    memset(result, 0, sizeof result);
}

static void end(void)
{
    machine_join();
    machine_check();
    OK(memobj_destroy_anon(&anon.m, false));
    assert_null(CURRENT->head);
    OK(vspace_destroy(CURRENT));
}

static int map_anywhere(void *n)
{
    size_t i = (size_t)n;
    for (unsigned round = 0; round < 3; round++) {
        OK(vregion_map(&regions[i], CURRENT, &anon.m, 0, PAGES(16), RW));
        machine_yield();
        assert_ptr_equal(vspace_get_region(CURRENT, (void *)regions[i].base), &regions[i]);
        OK(vregion_destroy(&regions[i]));
    }
    return 0;
}

/* Places are found and taken by several at once. */
static void maps_at_once(void)
{
    begin();
    for (size_t i = 0; i < MANY; i++)
        machine_spawn(map_anywhere, (void *)i);
    end();
}

static int fill_same(void *n)
{
    size_t i = (size_t)n;
    result[i] = err_no(anon.m.f.fill(&anon.m, 0, frames[i], 0));
    return 0;
}

/* Of several who fill the same place one does. */
static void fills_at_once(void)
{
    begin();
    OK(vregion_map_fixed(&regions[0], CURRENT, &anon.m, 0, PAGES(16), SPOT, RW));
    for (size_t i = 0; i < MANY; i++) {
        frames[i] = new_frame(1, (uint8_t)(1 + i));
        machine_spawn(fill_same, (void *)i);
    }
    machine_join();
    size_t winner = MANY;
    for (size_t i = 0; i < MANY; i++) {
        if (result[i] == SYS_ERR_OK)
            winner = winner == MANY ? i : MANY + 1;
        else
            assert_int_equal(result[i], LIB_ERR_MEMOBJ_DUPLICATE_FILL);
    }
    assert_in_range(winner, 0, MANY - 1);
    assert_numbered(SPOT, 1, (uint8_t)(1 + winner));
    end();
    for (size_t i = 0; i < MANY; i++)
        OK(cap_destroy(frames[i]));
}

static bool stop;
static bool is_stopped(void)
{
    return __atomic_load_n(&stop, __ATOMIC_ACQUIRE);
}

static void set_stopped(bool is)
{
    __atomic_store_n(&stop, is, __ATOMIC_RELEASE);
}

static int touch(void *address)
{
    while (!is_stopped()) {
        int seen = machine_read((addr_t)address);
        assert_true(seen == 9 || seen == ERR_NOT_FOUND);
        machine_yield();
    }
    return 0;
}

static int fill_and_take(void *unused)
{
    struct capref got;
    (void)unused;
    for (unsigned round = 0; round < 5; round++) {
        struct capref frame = new_frame(1, 9);
        OK(anon.m.f.fill(&anon.m, 0, frame, 0));
        machine_yield();
        OK(anon.m.f.unfill(&anon.m, 0, &got, NULL));
        addr_t window; /* it is nobody else's now: others must not see this */
        assert_int_equal(vm_get_physical_page(got.base, &window, 0), VM_OK);
        *(uint8_t *)window = 66;
        OK(cap_destroy(got));
    }
    set_stopped(true);
    return 0;
}

/* A frame that was taken out shows nowhere, whoever faults meanwhile. */
static void faults_against_unfill(void)
{
    begin();
    set_stopped(false);
    OK(vregion_map_fixed(&regions[0], CURRENT, &anon.m, 0, PAGE, SPOT, RW));
    OK(vregion_map_fixed(&regions[1], CURRENT, &anon.m, 0, PAGE, 2 * SPOT, RO));
    machine_spawn(touch, (void *)SPOT);
    machine_spawn(touch, (void *)(2 * SPOT));
    machine_spawn(fill_and_take, NULL);
    end();
}

static int handle_faults(void *address)
{
    while (!is_stopped()) {
        errval_t error = vspace_pagefault_handler(CURRENT, (lvaddr_t)address, PAGEFLT_WRITE);
        assert_true(err_is_ok(error) || err_no(error) == LIB_ERR_VSPACE_PAGEFAULT_ADDR_NOT_FOUND ||
                    err_has(error, LIB_ERR_VSPACE_VREGION_NOT_FOUND) ||
                    err_has(error, QUIRE_ERR_PF_BAD_ADDRESS));
        machine_yield();
    }
    return 0;
}

static int handle_filled(void *address)
{
    while (!is_stopped()) {
        errval_t error = vspace_pagefault_handler(CURRENT, (lvaddr_t)address, PAGEFLT_READ);
        assert_true(err_is_ok(error) || err_no(error) == LIB_ERR_VSPACE_PAGEFAULT_ADDR_NOT_FOUND ||
                    err_has(error, LIB_ERR_VSPACE_VREGION_NOT_FOUND) ||
                    err_has(error, LIB_ERR_MEMOBJ_WRONG_OFFSET) ||
                    err_has(error, QUIRE_ERR_PF_BAD_ADDRESS));
        machine_yield();
    }
    return 0;
}

static int map_and_forget(void *unused)
{
    (void)unused;
    for (unsigned round = 0; round < 5; round++) {
        struct vregion *vregion = vm_meta_alloc(sizeof *vregion);
        assert_non_null(vregion);
        OK(vregion_map_fixed(vregion, CURRENT, &anon.m, 0, PAGE, SPOT, RW));
        machine_yield();
        OK(vregion_destroy(vregion));
        vm_meta_free(vregion, sizeof *vregion); /* poisoned: who still uses it notices */
    }
    set_stopped(true);
    return 0;
}

/* A vregion may be freed when it is destroyed: no handler looks at it any more. */
static void handlers_against_destroy(void)
{
    begin();
    set_stopped(false);
    frames[0] = new_frame(1, 1);
    OK(anon.m.f.fill(&anon.m, 0, frames[0], 0));
    machine_spawn(handle_faults, (void *)SPOT);
    machine_spawn(handle_faults, (void *)SPOT);
    machine_spawn(map_and_forget, NULL);
    end();
    OK(cap_destroy(frames[0]));
}

static int pin_and_unpin(void *unused)
{
    (void)unused;
    for (unsigned round = 0; round < 4; round++) {
        if (err_is_fail(anon.m.f.pin(&anon.m, &regions[0], 0, PAGE)))
            continue; /* it is out at the moment */
        assert_int_equal(machine_read(SPOT), 9);
        machine_yield();
        assert_int_equal(machine_read(SPOT), 9);
        OK(anon.m.f.unpin(&anon.m, &regions[0], 0, PAGE));
    }
    set_stopped(true);
    return 0;
}

static int page_out_and_in(void *unused)
{
    struct capref got;
    (void)unused;
    while (!is_stopped()) {
        if (err_is_ok(anon.m.f.pager_free(&anon.m, PAGE, &got, 1)))
            OK(anon.m.f.fill(&anon.m, 0, got, 0));
        machine_yield();
    }
    return 0;
}

/* What is pinned stays, whoever wants frames. */
static void pins_against_pager_free(void)
{
    begin();
    set_stopped(false);
    frames[0] = new_frame(1, 9);
    OK(anon.m.f.fill(&anon.m, 0, frames[0], 0));
    OK(vregion_map_fixed(&regions[0], CURRENT, &anon.m, 0, PAGE, SPOT, RW));
    machine_spawn(page_out_and_in, NULL);
    machine_spawn(pin_and_unpin, NULL);
    end();
    OK(cap_destroy(frames[0]));
}

static int map_frame_there(void *n)
{
    struct pmap *pmap = get_current_pmap();
    result[(size_t)n] = err_no(pmap->f.map(pmap, SPOT, frames[(size_t)n], 0, PAGE, RW, NULL, NULL));
    return 0;
}

static void pmap_maps_at_once(void)
{
    begin();
    for (size_t i = 0; i < MANY; i++) {
        frames[i] = new_frame(1, (uint8_t)(1 + i));
        machine_spawn(map_frame_there, (void *)i);
    }
    machine_join();
    unsigned winners = 0;
    for (size_t i = 0; i < MANY; i++)
        if (result[i] == SYS_ERR_OK) {
            winners++;
            assert_numbered(SPOT, 1, (uint8_t)(1 + i));
        }
    assert_int_equal(winners, 1);
    end();
    for (size_t i = 0; i < MANY; i++)
        OK(cap_destroy(frames[i]));
}

static int unmap_helper_made(void *at)
{
    OK(vspace_unmap(at));
    return 0;
}

/* The last region of an object that a helper made frees it, whoever is last. */
static void unmaps_of_one_object(void)
{
    struct memobj *memobj;
    struct vregion *vregion, *more;
    void *at, *also = (void *)(3 * SPOT);
    begin();
    OK(vspace_map_anon_attr(&at, &memobj, &vregion, PAGE, NULL, RW));
    more = &regions[0];
    OK(vregion_map_fixed(more, CURRENT, memobj, 0, PAGE, (genvaddr_t)also, RW));
    machine_spawn(unmap_helper_made, at);
    machine_spawn(unmap_helper_made, also);
    end();
}

static struct memobj_vfs vfs;

static int flush(void *unused)
{
    (void)unused;
    OK(memobj_flush_vfs(&vfs.anon.m, NULL));
    return 0;
}

static int unfill_file(void *unused)
{
    struct capref got;
    (void)unused;
    OK(vfs.anon.m.f.unfill(&vfs.anon.m, 0, &got, NULL));
    OK(cap_destroy(got));
    return 0;
}

/* A frame that is being written to the file isn't given away before. */
static void flush_against_unfill(void)
{
    begin();
    OK(memobj_create_vfs(&vfs, PAGE, 0, machine_file(NULL, PAGE), 0, PAGE));
    OK(vfs.anon.m.f.fill(&vfs.anon.m, 0, new_frame(1, 5), 0));
    machine_spawn(flush, NULL);
    machine_spawn(unfill_file, NULL);
    machine_join();
    OK(memobj_destroy_vfs(&vfs.anon.m));
    end();
}

static struct vspace_mmu_aware heap;
static void *taken[MANY];

static int grow_and_shrink(void *n)
{
    size_t i = (size_t)n, size;
    OK(vspace_mmu_aware_map(&heap, PAGES(1 + i), &taken[i], &size));
    assert_int_equal(machine_write((addr_t)taken[i], (uint8_t)(1 + i)), 0);
    machine_yield();
    assert_int_equal(machine_read((addr_t)taken[i]), 1 + i);
    (void)vspace_mmu_aware_unmap(&heap, (lvaddr_t)taken[i], size); /* if it is the end */
    return 0;
}

/* What several get of one region that grows are different parts. */
static void heaps_grow_at_once(void)
{
    begin();
    OK(vspace_mmu_aware_init(&heap, PAGES(64)));
    for (size_t i = 0; i < MANY; i++)
        machine_spawn(grow_and_shrink, (void *)i);
    machine_join();
    assert_true(heap.offset == heap.consumed && heap.offset <= heap.mapoffset);
    OK(vspace_mmu_aware_destroy(&heap));
    end();
}

static int look_up(void *unused)
{
    struct pmap_mapping_info info;
    struct pmap *pmap = get_current_pmap();
    (void)unused;
    while (!is_stopped()) {
        errval_t error = pmap->f.lookup(pmap, SPOT, &info);
        assert_true(error == LIB_ERR_PMAP_FIND_VNODE || info.cap.base == frames[0].base);
        machine_yield();
    }
    return 0;
}

static int map_and_unmap(void *unused)
{
    struct pmap *pmap = get_current_pmap();
    (void)unused;
    for (unsigned round = 0; round < 5; round++) {
        OK(pmap->f.map(pmap, SPOT, frames[0], 0, PAGE, RW, NULL, NULL));
        machine_yield();
        OK(pmap->f.unmap(pmap, SPOT, PAGE, NULL));
    }
    set_stopped(true);
    return 0;
}

/* What lookup looks at isn't freed meanwhile. */
static void lookups_against_unmap(void)
{
    begin();
    set_stopped(false);
    frames[0] = new_frame(1, 1);
    machine_spawn(look_up, NULL);
    machine_spawn(map_and_unmap, NULL);
    end();
    OK(cap_destroy(frames[0]));
}

static struct memobj_pinned pinned;

/* What is taken out is mapped nowhere, though who filled it in was about to map it. */
static int fill_and_unfill(void *n)
{
    size_t i = (size_t)n;
    for (unsigned round = 0; round < 3; round++) {
        struct capref out;
        OK(pinned.m.f.fill(&pinned.m, PAGES(i), frames[i], 0));
        machine_yield();
        if (err_is_fail(pinned.m.f.unfill(&pinned.m, PAGES(i), &out, NULL)))
            continue; /* the other has it */
        result[i]++;
        assert_int_equal(machine_read(SPOT + PAGES(i)), ERR_NOT_FOUND);
    }
    return 0;
}

static int unfill_first(void *n)
{
    (void)n;
    for (unsigned round = 0; round < 6; round++) {
        result[2] += err_is_ok(pinned.m.f.unfill(&pinned.m, 0, NULL, NULL));
        machine_yield();
    }
    return 0;
}

static void pinned_fills_against_unfill(void)
{
    begin();
    OK(memobj_create_pinned(&pinned, PAGES(2), 0));
    OK(vregion_map_fixed(&regions[0], CURRENT, &pinned.m, 0, PAGES(2), SPOT, RW));
    for (size_t i = 0; i < 2; i++) {
        frames[i] = new_frame(1, (uint8_t)i);
        machine_spawn(fill_and_unfill, (void *)i);
    }
    machine_spawn(unfill_first, NULL);
    machine_join();
    assert_nothing(SPOT, 2);
    assert_int_equal(result[0] + result[1] + result[2], 6);
    OK(memobj_destroy_pinned(&pinned.m));
    end();
    for (size_t i = 0; i < 2; i++)
        OK(cap_destroy(frames[i]));
}

static int destroy_first(void *n)
{
    result[(size_t)n] = err_no(vregion_destroy(&regions[0]));
    return 0;
}

/* Of several that destroy a vregion one does, also where no object decides who. */
static void destroys_at_once(void)
{
    for (unsigned with_object = 0; with_object < 2; with_object++) {
        begin();
        regions[0] = (struct vregion){.base = SPOT, .size = PAGE};
        if (with_object)
            OK(vregion_map_fixed(&regions[0], CURRENT, &anon.m, 0, PAGE, SPOT, RW));
        else
            OK(vspace_add_vregion(CURRENT, &regions[0]));
        for (size_t i = 0; i < MANY; i++)
            machine_spawn(destroy_first, (void *)i);
        machine_join();
        unsigned done = 0;
        for (size_t i = 0; i < MANY; i++) {
            done += result[i] == SYS_ERR_OK;
            assert_true(result[i] == SYS_ERR_OK || result[i] == LIB_ERR_VREGION_NOT_FOUND);
        }
        assert_int_equal(done, 1);
        end();
    }
}

static int unmap_there(void *n)
{
    errval_t error = vspace_unmap((void *)SPOT);
    result[(size_t)n] = err_has(error, LIB_ERR_VREGION_NOT_FOUND) ? LIB_ERR_VSPACE_VREGION_NOT_FOUND
                                                                  : err_no(error);
    return 0;
}

/* Of several that unmap one address one does, and the others use nothing of what it has freed. */
static void unmaps_of_one_address(void)
{
    begin();
    OK(vspace_map_anon_fixed(SPOT, PAGE, RW, NULL, NULL));
    for (size_t i = 0; i < MANY; i++)
        machine_spawn(unmap_there, (void *)i);
    machine_join();
    unsigned done = 0;
    for (size_t i = 0; i < MANY; i++) {
        done += result[i] == SYS_ERR_OK;
        assert_true(result[i] == SYS_ERR_OK || result[i] == LIB_ERR_VSPACE_VREGION_NOT_FOUND);
    }
    assert_int_equal(done, 1);
    end();
}

static int map_and_unmap_helper(void *unused)
{
    (void)unused;
    for (unsigned round = 0; round < 5; round++) {
        struct memobj *memobj;
        OK(vspace_map_anon_fixed(SPOT, PAGE, RW, NULL, &memobj));
        OK(memobj->f.fill(memobj, 0, frames[0], 0));
        machine_yield();
        OK(vspace_unmap((void *)SPOT));
    }
    set_stopped(true);
    return 0;
}

/* What a helper made is freed when no handler uses it any more. */
static void handlers_against_unmap(void)
{
    begin();
    set_stopped(false);
    frames[0] = new_frame(1, 1);
    for (size_t i = 0; i < 3; i++)
        machine_spawn(handle_filled, (void *)SPOT);
    machine_spawn(map_and_unmap_helper, NULL);
    end();
    OK(cap_destroy(frames[0]));
}

static int get_regions(void *unused)
{
    (void)unused;
    while (!is_stopped()) {
        assert_null(vspace_get_region(CURRENT, (void *)(SPOT - PAGE)));
        machine_yield();
    }
    return 0;
}

/* Who looks where no vregion is doesn't look at the next one, which another frees. */
static void get_region_against_destroy(void)
{
    begin();
    set_stopped(false);
    machine_spawn(get_regions, NULL);
    machine_spawn(map_and_forget, NULL);
    end();
}

static int map_unit(void *unused)
{
    (void)unused;
    while (!is_stopped()) {
        errval_t error = anon.m.f.pagefault(&anon.m, &regions[0], 0, PAGEFLT_NULL);
        assert_true(err_is_ok(error) || error == LIB_ERR_MEMOBJ_WRONG_OFFSET);
        machine_yield();
    }
    return 0;
}

static int look_up_filled(void *unused)
{
    struct pmap_mapping_info info;
    struct pmap *pmap = get_current_pmap();
    (void)unused;
    while (!is_stopped()) {
        errval_t error = pmap->f.lookup(pmap, SPOT, &info);
        assert_true(error == LIB_ERR_PMAP_FIND_VNODE || info.offset == 0);
        machine_yield();
    }
    return 0;
}

/* Who maps all of a frame, and who asks which it is, meets who takes it out. */
static void units_against_unfill(void)
{
    begin();
    set_stopped(false);
    OK(vregion_map_fixed(&regions[0], CURRENT, &anon.m, 0, PAGES(2), SPOT, RW));
    machine_spawn(map_unit, NULL);
    machine_spawn(look_up_filled, NULL);
    machine_spawn(fill_and_take, NULL);
    end();
}

static int free_file(void *unused)
{
    struct capref got;
    (void)unused;
    for (unsigned round = 0; round < 3; round++) {
        errval_t error = vfs.anon.m.f.pager_free(&vfs.anon.m, PAGE, &got, 1);
        if (err_is_ok(error))
            OK(vfs.anon.m.f.fill(&vfs.anon.m, 0, got, 0));
        else
            FAILS(LIB_ERR_MEMOBJ_PAGER_FREE, error);
    }
    return 0;
}

/* A frame that another writes to the file just now isn't a pager's. */
static void flush_against_pager_free(void)
{
    begin();
    struct capref frame = new_frame(1, 5);
    OK(memobj_create_vfs(&vfs, PAGE, 0, machine_file(NULL, PAGE), 0, PAGE));
    OK(vfs.anon.m.f.fill(&vfs.anon.m, 0, frame, 0));
    machine_spawn(flush, NULL);
    machine_spawn(free_file, NULL);
    machine_spawn(flush, NULL);
    machine_join();
    OK(memobj_destroy_vfs(&vfs.anon.m));
    OK(cap_destroy(frame));
    end();
}

static int write_and_flush(void *file)
{
    for (uint8_t round = 1; round < 6; round++) {
        assert_int_equal(machine_write(SPOT, round), 0);
        OK(memobj_flush_vfs(&vfs.anon.m, NULL));
        assert_int_equal(machine_file_data(file)[0], round);
    }
    return 0;
}

/* Who has flushed has it in the file, whatever another who flushes has read before. */
static void flushes_at_once(void)
{
    begin();
    struct capref frame = new_frame(1, 0);
    void *file = machine_file(NULL, PAGE);
    OK(memobj_create_vfs(&vfs, PAGE, 0, file, 0, PAGE));
    OK(vfs.anon.m.f.fill(&vfs.anon.m, 0, frame, 0));
    OK(vregion_map_fixed(&regions[0], CURRENT, &vfs.anon.m, 0, PAGE, SPOT, RW));
    machine_spawn(write_and_flush, file);
    for (size_t i = 0; i < 2; i++)
        machine_spawn(flush, NULL);
    machine_join();
    OK(memobj_destroy_vfs(&vfs.anon.m));
    OK(cap_destroy(frame));
    end();
}

static int fill_reserve(void *unused)
{
    (void)unused;
    OK(vspace_pinned_init());
    return 0;
}

static bool no_memory;
static void *sometimes_alloc(size_t size)
{
    return no_memory ? NULL : vm_meta_alloc(size);
}
static const struct vspace_allocator sometimes = {vm_meta_alloc, vm_meta_free, sometimes_alloc,
                                                  vm_meta_free};

/* Of several that fill the reserve one does, and no memory is lost. */
static void reserves_at_once(void)
{
    void *units[2];
    begin();
    vspace_set_allocator(&sometimes);
    no_memory = true;
    OK(vspace_pinned_alloc(&units[0], FRAME_LIST));
    OK(vspace_pinned_alloc(&units[1], VREGION_LIST));
    no_memory = false;
    for (size_t i = 0; i < MANY; i++)
        machine_spawn(fill_reserve, NULL);
    machine_join();
    OK(vspace_pinned_free(units[0], FRAME_LIST));
    OK(vspace_pinned_free(units[1], VREGION_LIST));
    end();
    vspace_set_allocator(NULL);
}

static int init(void *n)
{
    result[(size_t)n] = err_no(vspace_current_init(true));
    return 0;
}

/* Of several that make the program's vspace one does. */
static void inits_at_once(void)
{
    memset(result, 0, sizeof result);
    for (size_t i = 0; i < MANY; i++)
        machine_spawn(init, (void *)i);
    machine_join();
    unsigned made = 0;
    for (size_t i = 0; i < MANY; i++)
        made += result[i] == SYS_ERR_OK;
    assert_int_equal(made, 1);
    OK(vspace_destroy(CURRENT));
}

#define RACE(name)                                                                                 \
    static void test_race_##name(void **state)                                                     \
    {                                                                                              \
        (void)state;                                                                               \
        machine_with_schedules(SCHEDULES, name);                                                   \
    }
RACE(maps_at_once)
RACE(fills_at_once)
RACE(faults_against_unfill)
RACE(handlers_against_destroy)
RACE(pins_against_pager_free)
RACE(pmap_maps_at_once)
RACE(unmaps_of_one_object)
RACE(handlers_against_unmap)
RACE(destroys_at_once)
RACE(units_against_unfill)
RACE(flush_against_pager_free)
RACE(flushes_at_once)
RACE(reserves_at_once)
RACE(unmaps_of_one_address)
RACE(get_region_against_destroy)
RACE(flush_against_unfill)
RACE(heaps_grow_at_once)
RACE(lookups_against_unmap)
RACE(inits_at_once)
RACE(pinned_fills_against_unfill)

VSPACE_MAIN(
    "threads in the layer", cmocka_unit_test(test_race_maps_at_once),
    cmocka_unit_test(test_race_fills_at_once), cmocka_unit_test(test_race_faults_against_unfill),
    cmocka_unit_test(test_race_handlers_against_destroy),
    cmocka_unit_test(test_race_pins_against_pager_free),
    cmocka_unit_test(test_race_pmap_maps_at_once), cmocka_unit_test(test_race_unmaps_of_one_object),
    cmocka_unit_test(test_race_destroys_at_once),
    cmocka_unit_test(test_race_handlers_against_unmap),
    cmocka_unit_test(test_race_units_against_unfill),
    cmocka_unit_test(test_race_flush_against_pager_free),
    cmocka_unit_test(test_race_flushes_at_once), cmocka_unit_test(test_race_reserves_at_once),
    cmocka_unit_test(test_race_unmaps_of_one_address),
    cmocka_unit_test(test_race_get_region_against_destroy),
    cmocka_unit_test(test_race_flush_against_unfill),
    cmocka_unit_test(test_race_heaps_grow_at_once),
    cmocka_unit_test(test_race_lookups_against_unmap), cmocka_unit_test(test_race_inits_at_once),
    cmocka_unit_test(test_race_pinned_fills_against_unfill))
