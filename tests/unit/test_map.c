/* SPDX-License-Identifier: MIT */
/* The range index from inside: every operation against a plain array that does the same slowly. */
#include "support.h"

#include "map.h"
#include "region.h"

#define SLOTS 3000 /* places of one page each */
#define BASE SPOT

static vm_region regions[SLOTS];
static bool used[SLOTS];
static struct vm_virtual_map map;
static uint64_t random_state;

static unsigned next_random(unsigned limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state % limit);
}

static void begin_map(void)
{
    memset(regions, 0, sizeof(regions));
    memset(used, 0, sizeof(used));
    random_state = 88172645463325252u;
    vm_virtual_map_init(&map, BASE, PAGES(SLOTS), BASE);
}

static void insert(unsigned slot, unsigned pages)
{
    regions[slot].base = BASE + PAGES(slot);
    regions[slot].size = PAGES(pages);
    OK(map_reserve(&map, 1));
    map_insert(&map, &regions[slot]);
    for (unsigned i = 0; i < pages; i++)
        used[slot + i] = true;
}

static void take_out(unsigned slot)
{
    size_t pages = regions[slot].size / PAGE;
    map_remove(&map, &regions[slot]);
    for (size_t i = 0; i < pages; i++)
        used[slot + i] = false;
    regions[slot].size = 0;
}

static void end_map(void)
{
    for (unsigned slot = 0; slot < SLOTS; slot++)
        if (regions[slot].size != 0)
            take_out(slot);
    assert_int_equal(map_check(&map), 0);
    vm_virtual_map_destroy(&map);
}

static unsigned room_at(unsigned slot)
{
    unsigned room = 0;
    while (slot + room < SLOTS && !used[slot + room])
        room++;
    return room;
}

/* The slow answers. */
static vm_region *slow_lookup(addr_t address)
{
    for (unsigned slot = 0; slot < SLOTS; slot++)
        if (regions[slot].size != 0 && address - regions[slot].base < regions[slot].size)
            return &regions[slot];
    return NULL;
}

static long slow_lowest(unsigned pages, unsigned low, unsigned high)
{
    for (unsigned slot = low; slot + pages <= high; slot++)
        if (room_at(slot) >= pages)
            return slot;
    return -1;
}

static long slow_highest(unsigned pages, unsigned low, unsigned high)
{
    for (unsigned slot = high - pages + 1; slot-- > low;)
        if (room_at(slot) >= pages)
            return slot;
    return -1;
}

static void compare_gap(unsigned pages, unsigned low, unsigned high, bool top)
{
    struct map_wish wish = {.size = PAGES(pages),
                            .alignment = PAGE,
                            .low = BASE + PAGES(low),
                            .high = BASE + PAGES(high) - 1,
                            .top = top};
    addr_t found = 0;
    long expected = top ? slow_highest(pages, low, high) : slow_lowest(pages, low, high);
    int error = map_find_gap(&map, &wish, &found);
    if (expected < 0) {
        assert_int_equal(error, ERR_VM_NO_REGION_SLOT);
        return;
    }
    OK(error);
    assert_int_equal((found - BASE) / PAGE, expected);
}

static void compare_lookups(void)
{
    for (unsigned i = 0; i < 20; i++) {
        addr_t address = BASE + next_random((unsigned)PAGES(SLOTS));
        assert_ptr_equal(vm_virtual_map_lookup(&map, address), slow_lookup(address));
    }
}

static void compare_gaps(void)
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned pages = 1 + next_random(12);
        unsigned low = next_random(SLOTS - 100);
        unsigned high = low + pages + next_random(SLOTS - low - pages);
        compare_gap(pages, low, high, i % 2 == 0);
    }
}

static void compare_order(void)
{
    struct map_cursor cursor;
    vm_region *region = map_first(&map, 0, &cursor);
    size_t count = 0;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        if (regions[slot].size == 0)
            continue;
        assert_ptr_equal(region, &regions[slot]);
        region = map_next(&cursor);
        count++;
    }
    assert_null(region);
    assert_int_equal(count, map.count);
}

static void step(unsigned fullness)
{
    unsigned slot = next_random(SLOTS);
    if (regions[slot].size != 0) {
        if (next_random(100) >= fullness)
            take_out(slot);
    } else if (room_at(slot) > 0 && next_random(100) < fullness) {
        unsigned pages = 1 + next_random(3);
        insert(slot, pages < room_at(slot) ? pages : room_at(slot));
    }
}

static void test_map_random_operations(void)
{
    begin_map();
    for (unsigned round = 0; round < 12000; round++) {
        step(round / 3000 % 2 == 0 ? 90 : 15);
        if (round % 100 == 0) {
            assert_int_equal(map_check(&map), 0);
            compare_lookups();
            compare_gaps();
        }
    }
    compare_order();
    end_map();
}

static void test_map_ascending_and_descending(void)
{
    begin_map();
    for (unsigned slot = 0; slot < SLOTS; slot++)
        insert(slot, 1);
    assert_int_equal(map_check(&map), 0);
    compare_order();
    compare_gap(1, 0, SLOTS, false);
    for (unsigned slot = SLOTS; slot-- > 0;)
        take_out(slot);
    assert_int_equal(map.height, 0);
    for (unsigned slot = SLOTS; slot-- > 0;)
        insert(slot, 1);
    assert_int_equal(map_check(&map), 0);
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        take_out(slot);
        if (slot % 500 == 0)
            assert_int_equal(map_check(&map), 0);
    }
    end_map();
}

static void test_map_change(void)
{
    begin_map();
    for (unsigned slot = 0; slot < SLOTS; slot += 10)
        insert(slot, 2);
    for (unsigned slot = 0; slot + 10 < SLOTS; slot += 10) {
        map_change(&map, &regions[slot], BASE + PAGES(slot), PAGES(1 + next_random(9)));
        assert_int_equal(map_check(&map), 0);
    }
    memset(used, 0, sizeof(used));
    for (unsigned slot = 0; slot < SLOTS; slot += 10)
        for (addr_t i = 0; i < regions[slot].size / PAGE; i++)
            used[slot + i] = true;
    compare_order();
    for (unsigned i = 0; i < 30; i++) {
        compare_lookups();
        compare_gaps();
    }
    end_map();
}

static void test_map_before_and_is_free(void)
{
    begin_map();
    for (unsigned slot = 5; slot < SLOTS; slot += 7)
        insert(slot, 2);
    for (unsigned i = 0; i < 300; i++) {
        unsigned slot = next_random(SLOTS - 20);
        vm_region *before = map_before(&map, BASE + PAGES(slot));
        unsigned k = slot;
        while (k-- > 0 && (regions[k].size == 0 || k + 2 > slot))
            ;
        assert_ptr_equal(before, k < SLOTS ? &regions[k] : NULL);
        assert_int_equal(map_is_free(&map, BASE + PAGES(slot), BASE + PAGES(slot + 3) - 1),
                         room_at(slot) >= 3);
    }
    end_map();
}

static void test_map_find_gap_alignment(void)
{
    begin_map();
    for (unsigned slot = 0; slot < SLOTS; slot += 5)
        insert(slot, 1);
    addr_t found;
    for (addr_t align = PAGE; align <= PAGES(64); align *= 2) {
        for (unsigned top = 0; top < 2; top++) {
            struct map_wish wish = {.size = PAGES(3),
                                    .alignment = align,
                                    .low = BASE,
                                    .high = BASE + PAGES(SLOTS) - 1,
                                    .top = top != 0};
            OK(map_find_gap(&map, &wish, &found));
            assert_int_equal(found & (align - 1), 0);
            assert_true(map_is_free(&map, found, found + PAGES(3) - 1));
        }
    }
    end_map();
}

/* A guard below a stack takes nothing from a range that ends before it. */
static void test_map_find_gap_below_a_guard(void)
{
    begin_map();
    regions[1000].lock = REGION_GROWS_DOWN;
    insert(1000, 1);
    unsigned guard = 1000 - VM_STACK_GUARD_PAGES;
    compare_gap(10, 5, 15, false);
    compare_gap(10, 5, 15, true);
    compare_gap(guard - 5, 5, guard, true);
    struct map_wish wish = {.size = PAGES(guard - 4),
                            .alignment = PAGE,
                            .low = BASE + PAGES(5),
                            .high = BASE + PAGES(1000) - 1};
    addr_t found;
    assert_int_equal(map_find_gap(&map, &wish, &found), ERR_VM_NO_REGION_SLOT);
    end_map();
}

static void test_map_at_the_end_of_all_addresses(void)
{
    vm_region last = {.base = UINTPTR_MAX - VM_PAGE_MASK, .size = PAGE};
    vm_region below = {.base = UINTPTR_MAX - PAGES(3) + 1, .size = PAGE};
    struct vm_virtual_map m;
    struct map_wish wish = {
        .size = PAGE, .alignment = PAGE, .low = 0, .high = UINTPTR_MAX, .top = true};
    addr_t found;
    vm_virtual_map_init(&m, (addr_t)0 - PAGES(4), PAGES(4), (addr_t)0 - PAGES(4));
    OK(map_find_gap(&m, &wish, &found));
    assert_int_equal(found, last.base);
    OK(map_reserve(&m, 1));
    map_insert(&m, &last);
    OK(map_reserve(&m, 1));
    map_insert(&m, &below);
    assert_ptr_equal(vm_virtual_map_lookup(&m, UINTPTR_MAX), &last);
    OK(map_find_gap(&m, &wish, &found));
    assert_int_equal(found, last.base - PAGE);
    wish.size = PAGES(2);
    assert_int_equal(map_find_gap(&m, &wish, &found), ERR_VM_NO_REGION_SLOT);
    assert_int_equal(map_check(&m), 0);
    map_remove(&m, &last);
    assert_null(vm_virtual_map_lookup(&m, UINTPTR_MAX));
    map_remove(&m, &below);
    vm_virtual_map_destroy(&m);
}

static void test_map_reserve_without_memory(void)
{
    begin_map();
    sim_fail_at(SIM_FAIL_METADATA, 1, true);
    assert_int_equal(map_reserve(&map, 1), ERR_NO_MEMORY);
    sim_fail_at(SIM_FAIL_METADATA, 0, false);
    insert(0, 1);
    end_map();
}

UNIT_MAIN("the range index", TEST(test_map_random_operations),
          TEST(test_map_ascending_and_descending), TEST(test_map_change),
          TEST(test_map_before_and_is_free), TEST(test_map_find_gap_alignment),
          TEST(test_map_find_gap_below_a_guard), TEST(test_map_at_the_end_of_all_addresses),
          TEST(test_map_reserve_without_memory))
