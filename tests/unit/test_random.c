/* SPDX-License-Identifier: MIT */
/* Random operations on a few address spaces against a model that has no trees, no caches and no
 * translations: for each page of each space, whether it is mapped, its rights, and its byte. Shared
 * pages are the same cell of the model. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#define WINDOW 24 /* pages of each space that are used */
#define SPACES 4
#define BASE SPOT
#define CELLS 4096
#define FILE_PAGES 40

/* What one page of an object holds; `users` counts the places that see it. `origin` is what the
 * object below has, which shows again when a private page is discarded. */
struct cell {
    unsigned users;
    uint8_t byte, origin;
};

struct place {
    struct cell *cell; /* NULL: nothing is mapped */
    unsigned lock;
    bool shared;
};

static struct cell cells[CELLS];
static struct place model[SPACES][WINDOW];
static aspace_id spaces[SPACES];
static uint64_t state;
static uint8_t next_byte;
static sim_file *file;

static unsigned pick(unsigned limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 11) % limit);
}

static struct cell *new_cell(uint8_t byte, uint8_t origin)
{
    for (unsigned i = 0; i < CELLS; i++)
        if (cells[i].users == 0) {
            cells[i] = (struct cell){1, byte, origin};
            return &cells[i];
        }
    abort();
}

static void drop_place(struct place *place)
{
    if (place->cell != NULL)
        place->cell->users--;
    *place = (struct place){0};
}

static addr_t page_address(unsigned page)
{
    return BASE + PAGES(page);
}

/* A space's cell behind a private copy: a write to it is its own. */
static void model_write(struct place *place, uint8_t byte)
{
    place->cell->byte = byte;
}

static void do_map(unsigned s, unsigned first, unsigned count)
{
    bool shared = pick(5) == 0;
    unsigned lock = pick(4) == 0 ? LOCK_RO : LOCK_RW;
    void *at = PTR(page_address(first));
    region_id id =
        vm_create_anonymous_region(spaces[s], "random", &at, REGION_ADDR_REPLACE, PAGES(count),
                                   REGION_WIRING_LAZY, lock | (shared ? REGION_SHARED : 0));
    assert_true(id > 0);
    for (unsigned i = first; i < first + count; i++) {
        drop_place(&model[s][i]);
        model[s][i] = (struct place){new_cell(0, 0), lock, shared};
    }
}

static void do_map_file(unsigned s, unsigned first, unsigned count)
{
    void *at = PTR(page_address(first));
    unsigned skip = pick(FILE_PAGES - WINDOW + 1);
    region_id id = vm_map_vnode(spaces[s], "file", &at, REGION_ADDR_REPLACE, PAGES(count), LOCK_RW,
                                REGION_PRIVATE_MAP, file, (off_t)PAGES(skip));
    assert_true(id > 0);
    for (unsigned i = 0; i < count; i++) {
        uint8_t byte = (uint8_t)(skip + i + 1);
        drop_place(&model[s][first + i]);
        model[s][first + i] = (struct place){new_cell(byte, byte), LOCK_RW, false};
    }
}

/* Grows or shrinks the anonymous region that is there, where the model has nothing in its way. */
static void do_resize(unsigned s, unsigned page, unsigned count)
{
    vm_region_info info;
    addr_t cookie = page_address(page);
    if (model[s][page].cell == NULL || model[s][page].shared)
        return;
    OK(vm_get_next_region_info(spaces[s], &cookie, &info));
    unsigned first = (unsigned)((info.base - BASE) / PAGE), old = (unsigned)(info.size / PAGE);
    if (info.vnode != NULL || first + count > WINDOW)
        return;
    bool taken = false;
    for (unsigned i = first + old; i < first + count; i++)
        taken |= model[s][i].cell != NULL;
    int error = vm_resize_region(spaces[s], info.id, PAGES(count));
    assert_int_equal(error, taken ? ERR_VM_NO_REGION_SLOT : VM_OK);
    for (unsigned i = first + count; i < first + old; i++)
        drop_place(&model[s][i]);
    for (unsigned i = first + old; error == VM_OK && i < first + count; i++)
        model[s][i] = (struct place){new_cell(0, 0), model[s][first].lock, false};
}

static void do_unmap(unsigned s, unsigned first, unsigned count)
{
    OK(vm_unmap_range(spaces[s], page_address(first), PAGES(count)));
    for (unsigned i = first; i < first + count; i++)
        drop_place(&model[s][i]);
}

static void do_protect(unsigned s, unsigned first, unsigned count)
{
    static const unsigned locks[] = {LOCK_RO, LOCK_RW, LOCK_NO_READ, LOCK_RW};
    unsigned lock = locks[pick(4)];
    int error = vm_protect_range(spaces[s], page_address(first), PAGES(count), lock);
    unsigned i = first;
    for (; i < first + count && model[s][i].cell != NULL; i++)
        model[s][i].lock = lock;
    assert_int_equal(error, i == first + count ? VM_OK : ERR_VM_PAGE_NOT_PRESENT);
}

static void do_write(unsigned s, unsigned first, unsigned count)
{
    sim_set_aspace(spaces[s]);
    for (unsigned i = first; i < first + count; i++) {
        struct place *place = &model[s][i];
        bool allowed = place->cell != NULL && place->lock == LOCK_RW;
        int error = sim_write_byte(page_address(i), ++next_byte);
        assert_int_equal(error == VM_OK, allowed);
        if (allowed)
            model_write(place, next_byte);
    }
}

static void do_read(unsigned s, unsigned first, unsigned count)
{
    sim_set_aspace(spaces[s]);
    for (unsigned i = first; i < first + count; i++) {
        const struct place *place = &model[s][i];
        int byte = sim_read_byte(page_address(i));
        if (place->cell == NULL)
            assert_int_equal(byte, ERR_VM_PF_BAD_ADDRESS);
        else if (place->lock == LOCK_NO_READ)
            assert_true(byte < 0);
        else
            assert_int_equal(byte, place->cell->byte);
    }
}

static void do_discard(unsigned s, unsigned first, unsigned count)
{
    bool hole = false;
    for (unsigned i = first; i < first + count; i++)
        if (model[s][i].cell != NULL && model[s][i].shared)
            return; /* what others see of it is their business */
    int error = vm_discard_range(spaces[s], page_address(first), PAGES(count));
    for (unsigned i = first; i < first + count; i++) {
        hole |= model[s][i].cell == NULL;
        if (model[s][i].cell != NULL)
            model_write(&model[s][i], model[s][i].cell->origin);
    }
    assert_int_equal(error, hole ? ERR_VM_PAGE_NOT_PRESENT : VM_OK);
}

static void copy_places(unsigned from, unsigned to)
{
    for (unsigned i = 0; i < WINDOW; i++) {
        struct place *place = &model[to][i];
        drop_place(place);
        *place = model[from][i];
        if (place->cell != NULL && place->shared)
            place->cell->users++;
        else if (place->cell != NULL)
            place->cell = new_cell(model[from][i].cell->byte, model[from][i].cell->origin);
    }
}

static void do_fork(unsigned s)
{
    unsigned to = pick(SPACES);
    if (to == s)
        return;
    sim_set_aspace(spaces[s]);
    OK(sim_delete_aspace(spaces[to]));
    spaces[to] = vm_copy_aspace(spaces[s], "copy");
    assert_true(spaces[to] > 0);
    copy_places(s, to);
}

/* The part moves as a whole or, where it isn't part of one region, not at all. */
static void do_move(unsigned s, unsigned first, unsigned count)
{
    unsigned to = pick(WINDOW - count + 1);
    if (to < first + count && first < to + count)
        return;
    void *at = PTR(page_address(to));
    int error = vm_move_range(spaces[s], page_address(first), PAGES(count), PAGES(count), &at,
                              REGION_ADDR_REPLACE);
    if (error == ERR_VM_PAGE_NOT_PRESENT)
        return;
    OK(error);
    for (unsigned i = 0; i < count; i++) {
        assert_non_null(model[s][first + i].cell);
        drop_place(&model[s][to + i]);
        model[s][to + i] = model[s][first + i];
        model[s][first + i] = (struct place){0};
    }
}

static void do_wire(unsigned s, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        if (model[s][i].cell == NULL || model[s][i].lock == LOCK_NO_READ)
            return;
    OK(vm_wire_range(spaces[s], page_address(first), PAGES(count)));
    SIM_CHECK();
    OK(vm_unwire_range(spaces[s], page_address(first), PAGES(count)));
}

static void step(void)
{
    unsigned s = pick(SPACES);
    unsigned count = 1 + pick(pick(4) == 0 ? WINDOW : 5);
    unsigned first = pick(WINDOW - count + 1);
    switch (pick(14)) {
    case 0:
        do_map(s, first, count);
        break;
    case 1:
        do_unmap(s, first, count);
        break;
    case 2:
        do_protect(s, first, count);
        break;
    case 3:
        do_discard(s, first, count);
        break;
    case 4:
        do_fork(s);
        break;
    case 5:
        do_move(s, first, count);
        break;
    case 6:
        do_wire(s, first, count);
        break;
    case 7:
        do_map_file(s, first, count);
        break;
    case 8:
        do_resize(s, first, 1 + pick(WINDOW));
        break;
    case 9:
    case 10:
        do_read(s, first, count);
        break;
    default:
        do_write(s, first, count);
    }
}

static void assert_no_stale(void)
{
    assert_int_equal(sim_stale_accesses(), 0);
}

static void run_steps(unsigned steps)
{
    for (unsigned s = 0; s < SPACES; s++)
        spaces[s] = vm_create_aspace("random", SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE, false);
    if (file == NULL)
        file = sim_file_create_numbered("/f", FILE_PAGES);
    memset(cells, 0, sizeof(cells));
    memset(model, 0, sizeof(model));
    for (unsigned i = 0; i < steps; i++) {
        sim_set_cpu(pick(2));
        step();
        if (i % 16 == 0)
            SIM_CHECK();
    }
    for (unsigned s = 0; s < SPACES; s++)
        do_read(s, 0, WINDOW);
    assert_no_stale();
    for (unsigned s = 0; s < SPACES; s++)
        OK(sim_delete_aspace(spaces[s]));
    sim_set_cpu(0);
}

static void run_seeds(uint64_t first, uint64_t seeds, unsigned steps)
{
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        state = seed * 0x9e3779b97f4a7c15u;
        run_steps(steps);
        SIM_CHECK();
    }
}

static void test_random_short_runs(void)
{
    file = NULL;
    struct seeds seeds = seeds_or(1, 150);
    run_seeds(seeds.first, seeds.count, 60);
}

static void test_random_long_runs(void)
{
    file = NULL;
    struct seeds seeds = seeds_or(1000, 12);
    run_seeds(seeds.first, seeds.count, 1500);
}

static void test_random_with_failures(void)
{
    struct seeds seeds = seeds_or(5000, 40);
    for (uint64_t seed = seeds.first; seed < seeds.first + seeds.count; seed++) {
        state = seed * 0x9e3779b97f4a7c15u;
        for (unsigned s = 0; s < SPACES; s++)
            spaces[s] =
                vm_create_aspace("random", SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE, false);
        for (unsigned i = 0; i < 120; i++) {
            unsigned s = pick(SPACES), to = pick(SPACES), first = pick(WINDOW - 6);
            addr_t at = page_address(first), size = PAGES(1 + pick(6));
            void *place = PTR(at);
            sim_set_aspace(spaces[s]);
            sim_fail_at(pick(4), 1 + pick(6), pick(2) == 0);
            switch (pick(6)) {
            case 0:
                (void)vm_create_anonymous_region(spaces[s], "x", &place, REGION_ADDR_REPLACE, size,
                                                 REGION_WIRING_LAZY, LOCK_RW);
                break;
            case 1:
                (void)vm_unmap_range(spaces[s], at, size);
                break;
            case 2:
                (void)vm_protect_range(spaces[s], at, size, pick(2) == 0 ? LOCK_RO : LOCK_RW);
                break;
            case 3: {
                aspace_id copy = s != to ? vm_copy_aspace(spaces[s], "copy") : -1;
                if (copy > 0) {
                    (void)sim_delete_aspace(spaces[to]);
                    spaces[to] = copy;
                }
                break;
            }
            default:
                (void)sim_write_byte(at, (uint8_t)i);
            }
            for (enum sim_failure class = 0; class < SIM_FAIL_THREAD; class ++)
                sim_fail_at(class, 0, false);
            SIM_CHECK();
        }
        for (unsigned s = 0; s < SPACES; s++)
            OK(sim_delete_aspace(spaces[s]));
        assert_int_equal(sim_committed(), 0);
    }
}

UNIT_MAIN("random operations", TEST_ON(test_random_short_runs, .cpus = 2),
          TEST_ON(test_random_long_runs, .cpus = 2), TEST_ON(test_random_with_failures, .cpus = 2))
