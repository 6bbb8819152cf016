/* SPDX-License-Identifier: MIT */
/* The index of regions at address 0, with clipped wishes, and what its checker sees by itself. */
#include "support.h"

#include "map.h"
#include "region.h"

#define COUNT 100

static struct vm_virtual_map map;
static vm_region regions[COUNT];

static void begin(addr_t size)
{
    memset(regions, 0, sizeof(regions));
    vm_virtual_map_init(&map, 0, size, 0);
}

static void insert(unsigned index, addr_t page, addr_t pages)
{
    regions[index].base = PAGES(page);
    regions[index].size = PAGES(pages);
    OK(map_reserve(&map, 1));
    map_insert(&map, &regions[index]);
}

static void end(void)
{
    for (unsigned i = 0; i < COUNT; i++)
        if (regions[i].size != 0)
            map_remove(&map, &regions[i]);
    vm_virtual_map_destroy(&map);
}

/* The page where the wish fits; -1: nowhere. */
static long find(addr_t pages, addr_t low, addr_t high, bool top)
{
    addr_t found;
    struct map_wish wish = {
        .size = PAGES(pages), .alignment = PAGE, .low = low, .high = high, .top = top};
    return map_find_gap(&map, &wish, &found) == VM_OK ? (long)(found / PAGE) : -1;
}

static void test_holes_from_address_0_on(void)
{
    begin(PAGES(1000));
    insert(0, 0, 2);
    insert(1, 5, 1);
    insert(2, 990, 10);
    for (unsigned top = 0; top < 2; top++) {
        assert_int_equal(find(1000, 0, UINTPTR_MAX, top), -1);
        assert_int_equal(find(3, 0, PAGES(5) - 1, top), 2);
        assert_int_equal(find(4, 0, PAGES(6), top), -1);
        assert_int_equal(find(984, 0, UINTPTR_MAX, top), 6);
    }
    assert_int_equal(find(1, 0, UINTPTR_MAX, false), 2);
    assert_int_equal(find(1, 0, UINTPTR_MAX, true), 989);
    end();
}

/* A hole wholly below or above what is wished for has no room, however small its address. */
static void test_wishes_beside_the_holes(void)
{
    begin(PAGES(1000));
    insert(0, 1, 998);
    for (unsigned top = 0; top < 2; top++) {
        assert_int_equal(find(4, PAGES(10), PAGES(900), top), -1);
        assert_int_equal(find(1, PAGES(10), PAGES(900), top), -1);
        assert_int_equal(find(1, 1, PAGES(999) - 1, top), -1);
        assert_int_equal(find(1, 0, PAGES(999) - 1, top), 0);
        assert_int_equal(find(1, 1, PAGES(1000) - 1, top), 999);
        assert_int_equal(find(1, 1, PAGES(1000) - 2, top), -1);
    }
    end();
}

static void test_wishes_with_unaligned_limits(void)
{
    begin(PAGES(100));
    assert_int_equal(find(1, 0, PAGE - 2, false), -1);
    assert_int_equal(find(1, 0, PAGE - 2, true), -1);
    assert_int_equal(find(1, 0, PAGE - 1, true), 0);
    assert_int_equal(find(1, 1, PAGES(3) - 1, false), 1);
    assert_int_equal(find(1, 1, PAGES(3) - 2, true), 1);
    assert_int_equal(find(2, 1, PAGES(3) - 2, true), -1);
    assert_int_equal(find(1, PAGE, PAGE, false), -1);
    assert_int_equal(find(100, 0, PAGES(100) - 1, false), 0);
    assert_int_equal(find(101, 0, UINTPTR_MAX, false), -1);
    end();
}

static void test_map_check_sees_overlaps(void)
{
    begin(PAGES(1000));
    insert(0, 10, 2);
    insert(1, 20, 2);
    assert_int_equal(map_check(&map), 0);
    regions[0].size = PAGES(11);
    map.root->last[0] = PAGES(21) - 1;
    assert_int_equal(map_check(&map), 1);
    regions[0].size = PAGES(10);
    map.root->last[0] = PAGES(20) - 1;
    assert_int_equal(map_check(&map), 0);
    map.root->last[0] = PAGES(20);
    assert_true(map_check(&map) > 0);
    map.root->last[0] = PAGES(20) - 1;
    end();
}

static void test_map_check_sees_what_is_outside(void)
{
    begin(PAGES(1000));
    insert(0, 10, 2);
    map.base = PAGES(11);
    assert_int_equal(map_check(&map), 1);
    map.base = PAGES(10);
    assert_int_equal(map_check(&map), 0);
    map.last = PAGES(12) - 2;
    assert_int_equal(map_check(&map), 1);
    map.last = PAGES(12) - 1;
    assert_int_equal(map_check(&map), 0);
    end();
}

#define SEEN(place, value)                                                                         \
    do {                                                                                           \
        __typeof__(place) kept = (place);                                                          \
        (place) = (value);                                                                         \
        unsigned wrong = map_check(&map);                                                          \
        (place) = kept;                                                                            \
        assert_int_equal(wrong, 1);                                                                \
        assert_int_equal(map_check(&map), 0);                                                      \
    } while (0)

/* What a node says of the one below it is compared, each part alone. */
static void test_map_check_sees_wrong_sums(void)
{
    begin(PAGES(10000));
    for (unsigned i = 0; i < COUNT; i++)
        insert(i, 10 * (addr_t)i + 5, 1);
    struct map_node *root = map.root;
    assert_int_equal(map.height, 2);
    SEEN(root->first[1], root->first[1] - PAGE);
    SEEN(root->last[1], root->last[1] + PAGE);
    SEEN(root->gap[1], root->gap[1] + PAGE);
    SEEN(root->gap[1], 0);
    SEEN(map.count, COUNT + 1);
    SEEN(map.count, COUNT - 1);
    end();
}

/* Nodes are as few as the rule of a quarter allows, so memory goes back as regions go. */
static void test_nodes_go_with_their_regions(void)
{
    begin(PAGES(10000));
    for (unsigned i = 0; i < COUNT; i++)
        insert(i, 3 * i, 1);
    assert_int_equal(map.height, 2);
    assert_in_range(map.root->count, 4, 13);
    for (unsigned i = 0; i < COUNT - 5; i++) {
        map_remove(&map, &regions[i]);
        regions[i].size = 0;
        assert_int_equal(map_check(&map), 0);
    }
    assert_int_equal(map.height, 1);
    assert_in_range(map.spares, 0, 4);
    end();
}

/* A last leaf with few regions beside a full one: too many for one node. */
static void test_few_beside_a_full_node(void)
{
    begin(PAGES(10000));
    unsigned index = 0;
    for (; index < 80; index++)
        insert(index, 100 * (addr_t)index, 1);
    for (unsigned i = 0; i < map.root->count; i++)
        assert_int_equal(map.root->gap[i], PAGES(99));
    const struct map_node *leaf = map.root->child[map.root->count - 2];
    addr_t page = leaf->first[0] / PAGE;
    while (leaf->count < MAP_FANOUT)
        insert(index++, ++page, 1);
    leaf = map.root->child[map.root->count - 1];
    while (leaf->count > 4 && map.root->child[map.root->count - 1] == leaf) {
        vm_region *last = leaf->child[leaf->count - 1];
        map_remove(&map, last);
        last->size = 0;
        assert_int_equal(map_check(&map), 0);
    }
    for (unsigned i = 0; i < index; i++)
        if (regions[i].size != 0)
            assert_ptr_equal(vm_virtual_map_lookup(&map, regions[i].base), &regions[i]);
    end();
}

static void test_map_reserve_is_all_or_nothing(void)
{
    begin(PAGES(10000));
    for (unsigned i = 0; i < COUNT; i++)
        insert(i, 3 * i, 1);
    map_unreserve(&map);
    size_t bytes = figures().metadata_bytes;
    sim_fail_at(SIM_FAIL_METADATA, 3, false);
    assert_int_equal(map_reserve(&map, 2), ERR_NO_MEMORY);
    sim_fail_at(SIM_FAIL_METADATA, 0, false);
    assert_int_equal(map.spares, 0);
    assert_int_equal(figures().metadata_bytes, bytes);
    end();
}

static void test_the_first_region_is_before_the_second(void)
{
    struct map_cursor cursor;
    begin(PAGES(1000));
    assert_null(map_before(&map, PAGES(5)));
    insert(0, 2, 1);
    assert_null(map_before(&map, PAGES(2)));
    assert_null(map_before(&map, PAGES(3) - 1));
    assert_ptr_equal(map_before(&map, PAGES(3)), &regions[0]);
    assert_ptr_equal(map_first(&map, PAGES(3) - 1, &cursor), &regions[0]);
    assert_null(map_first(&map, PAGES(3), &cursor));
    assert_true(map_is_free(&map, 0, PAGES(2) - 1));
    assert_false(map_is_free(&map, 0, PAGES(2)));
    assert_false(map_is_free(&map, PAGES(3) - 1, PAGES(9)));
    assert_true(map_is_free(&map, PAGES(3), PAGES(9)));
    end();
}

UNIT_MAIN("edges of the index", TEST(test_holes_from_address_0_on),
          TEST(test_wishes_beside_the_holes), TEST(test_wishes_with_unaligned_limits),
          TEST(test_map_check_sees_overlaps), TEST(test_map_check_sees_what_is_outside),
          TEST(test_map_check_sees_wrong_sums), TEST(test_nodes_go_with_their_regions),
          TEST(test_few_beside_a_full_node), TEST(test_map_reserve_is_all_or_nothing),
          TEST(test_the_first_region_is_before_the_second))
