/* SPDX-License-Identifier: MIT */
/* The range index: inserting, removing, changing and all ways of looking, against an array that has an
 * entry for each page. The checker looks at the whole tree after every operation. */
#include <string.h>

#include <sim.h>

#include "fuzz.h"
#include "map.h"
#include "region.h"

#define PAGE VM_PAGE_SIZE
#define SLOTS 4096u /* places of one page each */
#define GUARD VM_STACK_GUARD_PAGES
#define MAX_OPERATIONS 64

static struct vm_virtual_map map;
static addr_t base;
static vm_region regions[SLOTS]; /* by the slot they were inserted at */
static vm_region *owner[SLOTS];  /* who has this page, or NULL */

static addr_t address_of(unsigned slot)
{
    return base + slot * PAGE;
}

static unsigned first_slot(const vm_region *region)
{
    return (unsigned)((region->base - base) / PAGE);
}

static unsigned slots_of(const vm_region *region)
{
    return (unsigned)(region->size / PAGE);
}

static void set_owner(vm_region *region, vm_region *who)
{
    unsigned first = first_slot(region), count = slots_of(region);
    for (unsigned i = 0; i < count; i++)
        owner[first + i] = who;
}

static unsigned room_at(unsigned slot, unsigned limit)
{
    unsigned room = 0;
    while (room < limit && slot + room < SLOTS && owner[slot + room] == NULL)
        room++;
    return room;
}

/* The region at this slot or the next one behind it. */
static vm_region *region_from(unsigned slot)
{
    while (slot < SLOTS && owner[slot] == NULL)
        slot++;
    return slot < SLOTS ? owner[slot] : NULL;
}

/* A structure that isn't in the map: a region keeps its place in `regions` when it is moved. */
static vm_region *unused_region(unsigned slot)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        vm_region *region = &regions[(slot + i) % SLOTS];
        if (region->size == 0)
            return region;
    }
    return NULL;
}

/* ---- changes ------------------------------------------------------------------------------------ */

static void insert(unsigned slot, unsigned pages, unsigned lock)
{
    unsigned room = room_at(slot, pages);
    if (room == 0)
        return;
    vm_region *region = unused_region(slot);
    *region = (vm_region){.base = address_of(slot), .size = room * PAGE, .lock = lock};
    EXPECT(map_reserve(&map, 1) == VM_OK);
    map_insert(&map, region);
    set_owner(region, region);
}

static void take_out(vm_region *region)
{
    if (region == NULL)
        return;
    map_remove(&map, region);
    set_owner(region, NULL);
    region->size = 0;
}

static void do_insert(struct input *input)
{
    unsigned slot = input_choose(input, SLOTS), how = input_byte(input);
    insert(slot, 1 + how % 32, how >= 192 ? REGION_GROWS_DOWN : 0);
}

static void do_insert_many(struct input *input)
{
    unsigned slot = input_choose(input, SLOTS), count = input_byte(input);
    unsigned step = 1 + input_choose(input, 16);
    bool down = input_byte(input) % 2 != 0;
    for (unsigned i = 0; i < count; i++) {
        insert(slot, 1, 0);
        slot = (slot + (down ? SLOTS - step : step)) % SLOTS;
    }
}

static void do_remove(struct input *input)
{
    take_out(region_from(input_choose(input, SLOTS)));
}

static void do_remove_many(struct input *input)
{
    unsigned slot = input_choose(input, SLOTS), count = input_byte(input);
    unsigned keep = input_choose(input, 4);
    for (unsigned i = 0; i < count && slot < SLOTS; i++) {
        vm_region *region = region_from(slot);
        if (region == NULL)
            return;
        slot = first_slot(region) + slots_of(region);
        if (keep == 0 || i % (keep + 1) != 0)
            take_out(region);
    }
}

/* Other ends, anywhere between the neighbours. */
static void do_change(struct input *input)
{
    vm_region *region = region_from(input_choose(input, SLOTS));
    unsigned front = input_byte(input), back = input_byte(input);
    if (region == NULL)
        return;
    set_owner(region, NULL);
    unsigned first = first_slot(region), low = first;
    while (low > 0 && first - low < 64 && owner[low - 1] == NULL)
        low--;
    unsigned room = room_at(low, 128);
    unsigned from = front % room, count = 1 + back % (room - from);
    map_change(&map, region, address_of(low + from), count * PAGE);
    set_owner(region, region);
}

static void do_reserve_in_vain(struct input *input)
{
    unsigned count = 1 + input_choose(input, 8), fails = 1 + input_choose(input, 8);
    sim_fail_at(SIM_FAIL_METADATA, fails, false);
    int error = map_reserve(&map, count);
    EXPECT(error == VM_OK || error == ERR_NO_MEMORY);
    sim_fail_at(SIM_FAIL_METADATA, 0, false);
    map_unreserve(&map);
}

/* ---- looking ------------------------------------------------------------------------------------ */

static void do_lookup(struct input *input)
{
    unsigned slot = input_choose(input, SLOTS), within = input_choose(input, 4096);
    EXPECT(vm_virtual_map_lookup(&map, address_of(slot) + within) == owner[slot]);
}

static void do_before(struct input *input)
{
    unsigned slot = input_choose(input, SLOTS), at = slot;
    if (owner[at] != NULL)
        at = first_slot(owner[at]);
    while (at > 0 && owner[at - 1] == NULL)
        at--;
    EXPECT(map_before(&map, address_of(slot)) == (at > 0 ? owner[at - 1] : NULL));
}

static void do_is_free(struct input *input)
{
    unsigned slot = input_choose(input, SLOTS), count = 1 + input_choose(input, SLOTS);
    if (count > SLOTS - slot)
        count = SLOTS - slot;
    bool free = map_is_free(&map, address_of(slot), address_of(slot) + (count * PAGE - 1));
    EXPECT(free == (room_at(slot, count) == count));
}

static void do_walk(struct input *input)
{
    unsigned slot = input_choose(input, SLOTS);
    struct map_cursor cursor;
    vm_region *found = map_first(&map, address_of(slot), &cursor);
    for (vm_region *region = region_from(slot); region != NULL; region = region_from(slot)) {
        EXPECT(found == region);
        slot = first_slot(region) + slots_of(region);
        found = map_next(&cursor);
    }
    EXPECT(found == NULL);
}

/* How many pages from each slot on a new region may take: up to the next one, or up to its guard. */
static void find_rooms(unsigned *room)
{
    unsigned length = 0, guard = 0;
    for (unsigned slot = SLOTS; slot-- > 0;) {
        length = owner[slot] != NULL ? 0 : length + 1;
        if (owner[slot] != NULL)
            guard = owner[slot]->lock & REGION_GROWS_DOWN ? GUARD : 0;
        room[slot] = length > guard ? length - guard : 0;
    }
}

static bool slot_fits(const struct map_wish *wish, unsigned slot, unsigned room)
{
    addr_t first = address_of(slot);
    return (first & (wish->alignment - 1)) == 0 && first >= wish->low && first <= wish->high &&
           wish->size - 1 <= wish->high - first && room >= wish->size / PAGE;
}

static void do_find_gap(struct input *input)
{
    struct map_wish wish = {.size = (1 + input_choose(input, SLOTS)) * PAGE};
    wish.low = address_of(input_choose(input, SLOTS));
    wish.high = address_of(input_choose(input, SLOTS)) + (PAGE - 1);
    unsigned how = input_byte(input);
    wish.alignment = PAGE << how % 8;
    wish.top = how >= 128;
    if (wish.low > wish.high)
        return;
    static unsigned room[SLOTS];
    find_rooms(room);
    bool expected = false;
    addr_t found = 0;
    unsigned slot = 0;
    for (unsigned i = 0; i < SLOTS && !expected; i++) {
        slot = wish.top ? SLOTS - 1 - i : i;
        expected = owner[slot] == NULL && slot_fits(&wish, slot, room[slot]);
    }
    EXPECT(map_find_gap(&map, &wish, &found) == (expected ? VM_OK : ERR_VM_NO_REGION_SLOT));
    if (expected)
        EXPECT(found == address_of(slot));
}

/* ---- the target --------------------------------------------------------------------------------- */

static void (*const operations[])(struct input *) = {
    do_insert, do_insert_many, do_remove,  do_remove_many, do_change,   do_reserve_in_vain,
    do_lookup, do_before,      do_is_free, do_walk,        do_find_gap,
};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static size_t metadata_bytes(void)
{
    vm_info info;
    vm_trim();
    vm_get_info(&info);
    return info.metadata_bytes;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    EXPECT(sim_start(NULL) == VM_OK);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    size_t before = metadata_bytes();
    memset(regions, 0, sizeof(regions));
    memset(owner, 0, sizeof(owner));
    /* In the middle of all addresses, or at their end. */
    base = input_byte(&input) % 2 == 0 ? (addr_t)0x10000000 : (addr_t)0 - SLOTS * PAGE;
    vm_virtual_map_init(&map, base, SLOTS * PAGE, base);
    for (unsigned i = 0; i < MAX_OPERATIONS && input.left > 0; i++) {
        operations[input_choose(&input, OPERATIONS)](&input);
        EXPECT(map_check(&map) == 0);
    }
    for (unsigned slot = 0; slot < SLOTS; slot++)
        take_out(owner[slot]);
    vm_virtual_map_destroy(&map);
    EXPECT(metadata_bytes() == before);
    return 0;
}
