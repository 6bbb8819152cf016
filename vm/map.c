/* SPDX-License-Identifier: MIT */
/* Entries of a node are sorted and never overlap. On level 0 they are regions, above they sum up a node:
 * first, last and the largest gap inside. The gap between two neighbours is nobody's entry: it
 * follows from their ends. Nodes but the root are at least a quarter full. */
#include "map.h"

#include "meta.h"
#include "print.h"
#include "region.h"

#define FEW (MAP_FANOUT / 4) /* a node with fewer entries is merged with a neighbour */

void vm_virtual_map_init(struct vm_virtual_map *map, addr_t base, addr_t size, addr_t alloc_base)
{
    *map =
        (struct vm_virtual_map){.base = base, .last = base + (size - 1), .alloc_base = alloc_base};
}

static struct map_entry get_entry(const struct map_node *node, uint32_t at)
{
    return (struct map_entry){node->first[at], node->last[at], node->gap[at], node->child[at]};
}

static void set_entry(struct map_node *node, uint32_t at, struct map_entry entry)
{
    node->first[at] = entry.first;
    node->last[at] = entry.last;
    node->gap[at] = entry.gap;
    node->child[at] = entry.child;
}

static uint32_t count_of(const struct map_node *node)
{
    return (uint32_t)node->count;
}

static void append(struct map_node *node, struct map_entry entry)
{
    set_entry(node, count_of(node), entry);
    node->count++;
}

/* Entries from `count` on are none. */
static void cut(struct map_node *node, uint32_t count)
{
    for (uint32_t i = count; i < count_of(node); i++)
        node->last[i] = UINTPTR_MAX;
    node->count = count;
}

/* ---- spare nodes -------------------------------------------------------------------------------- */

static struct map_node *take_spare(struct vm_virtual_map *map)
{
    struct map_node *node = map->spare;
    VM_ASSERT(node != NULL);
    map->spare = node->child[0];
    map->spares--;
    node->count = MAP_FANOUT;
    cut(node, 0);
    return node;
}

void map_unreserve(struct vm_virtual_map *map)
{
    while (map->spare)
        vm_meta_free(take_spare(map), sizeof(struct map_node));
}

int map_reserve(struct vm_virtual_map *map, unsigned n)
{
    /* Each insertion splits at most one node on each level and adds a root; but in a lonely leaf
     * there may be room. */
    uint32_t wanted = n * (map->height + 1);
    if (map->height == 1 && map->root->count + n <= MAP_FANOUT)
        wanted = 0;
    while (map->spares < wanted) {
        struct map_node *node = meta_alloc(sizeof *node);
        if (!node) {
            map_unreserve(map);
            return ERR_NO_MEMORY;
        }
        node->child[0] = map->spare;
        map->spare = node;
        map->spares++;
    }
    return VM_OK;
}

static void give_spare(struct vm_virtual_map *map, struct map_node *node)
{
    if (map->spares >= map->height + 2u) {
        vm_meta_free(node, sizeof *node);
        return;
    }
    node->child[0] = map->spare;
    map->spare = node;
    map->spares++;
}

void vm_virtual_map_destroy(struct vm_virtual_map *map)
{
    VM_ASSERT(map->count == 0 && map->height == 0);
    map_unreserve(map);
}

/* ---- finding ------------------------------------------------------------------------------------ */

/* The first entry that ends at or behind `address`; count or more: none does. In five steps without a
 * branch: halves, always of the same lengths. */
static uint32_t search(const struct map_node *node, addr_t address)
{
    uint32_t at = 0;
    for (uint32_t half = MAP_FANOUT / 2; half > 0; half /= 2)
        at += node->last[at + half - 1] < address ? half : 0;
    return at + (node->last[at] < address);
}

/* The cursor's way down to the first entry that ends at or behind `address`. Where there is none,
 * the last entry of each level. */
static bool descend(const struct vm_virtual_map *map, addr_t address, struct map_cursor *cursor)
{
    struct map_node *node = map->root;
    bool found = map->height > 0;
    cursor->height = map->height;
    cursor->node[0] = NULL;
    cursor->at[0] = 0;
    for (uint32_t level = map->height; level-- > 0;) {
        uint32_t at = search(node, address);
        if (at >= node->count) {
            found = false;
            at = count_of(node) - 1;
        }
        cursor->node[level] = node;
        cursor->at[level] = at;
        node = node->child[at];
    }
    return found;
}

static vm_region *cursor_region(const struct map_cursor *cursor)
{
    return cursor->node[0]->child[cursor->at[0]];
}

/* The leaf whose regions `address` may lie among, or NULL. */
static const struct map_node *find_leaf(struct vm_virtual_map *map, addr_t address)
{
    struct map_node *node = vm_atomic_load(&map->leaf, __ATOMIC_RELAXED);
    if (node && address >= node->first[0] && address <= node->last[node->count - 1])
        return node;
    node = map->root;
    for (uint32_t level = map->height; level > 1; level--) {
        uint32_t at = search(node, address);
        if (at >= node->count)
            return NULL;
        node = node->child[at];
    }
    if (map->height > 1)
        vm_atomic_store(&map->leaf, node, __ATOMIC_RELAXED);
    return node;
}

vm_region *vm_virtual_map_lookup(struct vm_virtual_map *map, addr_t address)
{
    vm_region *found = vm_atomic_load(&map->found, __ATOMIC_RELAXED);
    if (found && address - found->base < found->size)
        return found;
    const struct map_node *leaf = find_leaf(map, address);
    uint32_t at = leaf ? search(leaf, address) : 0;
    if (!leaf || at >= leaf->count || leaf->first[at] > address)
        return NULL;
    vm_atomic_store(&map->found, leaf->child[at], __ATOMIC_RELAXED);
    return leaf->child[at];
}

vm_region *map_first(const struct vm_virtual_map *map, addr_t address, struct map_cursor *cursor)
{
    return descend(map, address, cursor) ? cursor_region(cursor) : NULL;
}

vm_region *map_next(struct map_cursor *cursor)
{
    uint32_t level = 0;
    while (level < cursor->height && cursor->at[level] + 1 == cursor->node[level]->count)
        level++;
    if (level == cursor->height)
        return NULL;
    cursor->at[level]++;
    for (; level > 0; level--) {
        cursor->node[level - 1] = cursor->node[level]->child[cursor->at[level]];
        cursor->at[level - 1] = 0;
    }
    return cursor_region(cursor);
}

vm_region *map_before(const struct vm_virtual_map *map, addr_t address)
{
    struct map_cursor cursor;
    if (map->height == 0)
        return NULL;
    if (!descend(map, address, &cursor))
        return cursor_region(&cursor);
    uint32_t level = 0;
    while (level < cursor.height && cursor.at[level] == 0)
        level++;
    if (level == cursor.height)
        return NULL;
    void *child = cursor.node[level]->child[cursor.at[level] - 1];
    for (; level > 0; level--) {
        const struct map_node *node = child;
        child = node->child[node->count - 1];
    }
    return child;
}

bool map_is_free(const struct vm_virtual_map *map, addr_t base, addr_t last)
{
    struct map_cursor cursor;
    vm_region *region = map_first(map, base, &cursor);
    return !region || region->base > last;
}

/* ---- holes -------------------------------------------------------------------------------------- */

/* Whether the wish fits into the hole [first, last], and where. `guard`: bytes to leave at its top. */
static bool fits(const struct map_wish *wish, addr_t first, addr_t last, addr_t guard, addr_t *base)
{
    if (last - first < guard)
        return false;
    last -= guard;
    if (first < wish->low)
        first = wish->low;
    if (last > wish->high)
        last = wish->high;
    if (last < first || last - first < wish->size - 1)
        return false;
    addr_t mask = wish->alignment - 1;
    addr_t lowest = (first + mask) & ~mask;
    addr_t highest = (last - (wish->size - 1)) & ~mask;
    *base = wish->top ? highest : lowest;
    return lowest >= first && highest >= first && lowest <= highest;
}

addr_t map_gap_below(const vm_region *region)
{
    return region->lock & REGION_GROWS_DOWN ? VM_STACK_GUARD_PAGES * VM_PAGE_SIZE : 0;
}

/* The first region of a subtree of `height` levels. */
static const vm_region *leftmost(const void *child, uint32_t height)
{
    for (; height > 0; height--)
        child = ((const struct map_node *)child)->child[0];
    return child;
}

/* The hole behind entry `at` of a node on `level`, which is not the last. */
static bool fits_behind(const struct map_node *node, uint32_t level, uint32_t at,
                        const struct map_wish *wish, addr_t *base)
{
    addr_t before = node->last[at], behind = node->first[at + 1];
    if (behind - before - 1 < wish->size)
        return false;
    addr_t guard = map_gap_below(leftmost(node->child[at + 1], level));
    return fits(wish, before + 1, behind - 1, guard, base);
}

static bool may_fit_below(const struct map_node *node, uint32_t at, const struct map_wish *wish)
{
    return node->gap[at] >= wish->size && node->last[at] >= wish->low &&
           node->first[at] <= wish->high;
}

/* Goes through a node's children and the holes between them, in the wished direction, from `*step`
 * on: 2i is child i, 2i + 1 the hole behind it, counted from the other end when it goes down. Stops
 * at a hole that fits (true), at a child to look into (false, *step behind it), or at the end. */
static bool scan(const struct map_node *node, uint32_t level, uint32_t *step,
                 const struct map_wish *wish, addr_t *base)
{
    uint32_t steps = 2 * count_of(node) - 1;
    for (uint32_t at = *step; at < steps; at++) {
        uint32_t now = wish->top ? steps - 1 - at : at;
        if (now % 2 == 1 ? fits_behind(node, level, now / 2, wish, base)
                         : level > 0 && may_fit_below(node, now / 2, wish)) {
            *step = at + 1;
            return now % 2 == 1;
        }
    }
    *step = steps + 1;
    return false;
}

/* The lowest hole between two regions, or the highest: depth first into subtrees with a large enough
 * gap. */
static bool find_between(const struct vm_virtual_map *map, const struct map_wish *wish,
                         addr_t *base)
{
    const struct map_node *path[MAP_MAX_HEIGHT];
    uint32_t step[MAP_MAX_HEIGHT], level = map->height - 1;
    path[level] = map->root;
    step[level] = 0;
    while (level < map->height) {
        const struct map_node *node = path[level];
        uint32_t steps = 2 * count_of(node) - 1;
        if (scan(node, level, &step[level], wish, base))
            return true;
        if (step[level] > steps) {
            level++;
            continue;
        }
        uint32_t at = step[level] - 1;
        path[level - 1] = node->child[(wish->top ? steps - 1 - at : at) / 2];
        step[--level] = 0;
    }
    return false;
}

static bool find_at_end(const struct vm_virtual_map *map, const struct map_wish *wish, bool top,
                        addr_t *base)
{
    const struct map_node *root = map->root;
    addr_t first = root->first[0], last = root->last[root->count - 1];
    if (top)
        return last < map->last && fits(wish, last + 1, map->last, 0, base);
    addr_t guard = map_gap_below(leftmost(root->child[0], map->height - 1));
    return first > map->base && fits(wish, map->base, first - 1, guard, base);
}

int map_find_gap(const struct vm_virtual_map *map, const struct map_wish *wish, addr_t *base)
{
    bool found;
    if (map->height == 0)
        found = fits(wish, map->base, map->last, 0, base);
    else
        found = find_at_end(map, wish, wish->top, base) || find_between(map, wish, base) ||
                find_at_end(map, wish, !wish->top, base);
    return found ? VM_OK : ERR_VM_NO_REGION_SLOT;
}

/* ---- changing ----------------------------------------------------------------------------------- */

static addr_t largest_gap(const struct map_node *node)
{
    addr_t gap = node->gap[0];
    for (uint32_t i = 1; i < node->count; i++) {
        addr_t hole = node->first[i] - node->last[i - 1] - 1;
        if (node->gap[i] > gap)
            gap = node->gap[i];
        if (hole > gap)
            gap = hole;
    }
    return gap;
}

static struct map_entry summary(struct map_node *node)
{
    return (struct map_entry){node->first[0], node->last[node->count - 1], largest_gap(node), node};
}

/* The node on `level` has changed: tells the levels above, until one sees no difference. */
static void propagate(struct map_cursor *cursor, uint32_t level)
{
    for (; level + 1 < cursor->height; level++) {
        struct map_node *parent = cursor->node[level + 1];
        uint32_t at = cursor->at[level + 1];
        struct map_entry old = get_entry(parent, at), new = summary(cursor->node[level]);
        set_entry(parent, at, new);
        if (new.first == old.first &&new.last == old.last &&new.gap == old.gap)
            return;
    }
}

static void insert_entry(struct map_node *node, uint32_t at, struct map_entry entry)
{
    for (uint32_t i = count_of(node); i > at; i--)
        set_entry(node, i, get_entry(node, i - 1));
    set_entry(node, at, entry);
    node->count++;
}

static void remove_entry(struct map_node *node, uint32_t at)
{
    for (uint32_t i = at; i + 1 < node->count; i++)
        set_entry(node, i, get_entry(node, i + 1));
    cut(node, count_of(node) - 1);
}

/* The upper part of a full node in a new one. When new entries come at the end, as they do for
 * addresses that only grow, the old node stays nearly full. */
static struct map_node *split(struct vm_virtual_map *map, struct map_node *node, uint32_t at)
{
    struct map_node *right = take_spare(map);
    uint32_t keep = at == MAP_FANOUT ? MAP_FANOUT - FEW : at == 0 ? FEW : MAP_FANOUT / 2;
    for (uint32_t i = keep; i < MAP_FANOUT; i++)
        append(right, get_entry(node, i));
    cut(node, keep);
    return right;
}

static void add_root(struct vm_virtual_map *map, struct map_node *left, struct map_node *right)
{
    struct map_node *root = take_spare(map);
    append(root, summary(left));
    append(root, summary(right));
    map->root = root;
    map->height++;
}

/* Puts `entry` before position `at` on the lowest level, splitting full nodes on the way up. */
static void insert_at(struct vm_virtual_map *map, struct map_cursor *cursor, uint32_t at,
                      struct map_entry entry)
{
    for (uint32_t level = 0;; level++) {
        struct map_node *node = cursor->node[level];
        if (node->count < MAP_FANOUT) {
            insert_entry(node, at, entry);
            propagate(cursor, level);
            return;
        }
        struct map_node *right = split(map, node, at);
        if (at <= node->count)
            insert_entry(node, at, entry);
        else
            insert_entry(right, at - count_of(node), entry);
        if (level + 1 == cursor->height) {
            add_root(map, node, right);
            return;
        }
        at = cursor->at[level + 1];
        set_entry(cursor->node[level + 1], at++, summary(node));
        entry = summary(right);
    }
}

static void note_change(struct vm_virtual_map *map)
{
    map->change_count++;
    vm_atomic_store(&map->found, NULL, __ATOMIC_RELAXED);
    vm_atomic_store(&map->leaf, NULL, __ATOMIC_RELAXED);
}

void map_insert(struct vm_virtual_map *map, vm_region *region)
{
    struct map_cursor cursor;
    struct map_entry entry = {region->base, region_last(region), 0, region};
    note_change(map);
    map->count++;
    if (map->height == 0) {
        map->root = take_spare(map);
        append(map->root, entry);
        map->height = 1;
        return;
    }
    bool behind_all = !descend(map, region->base, &cursor);
    VM_ASSERT(behind_all || cursor_region(&cursor)->base > entry.last);
    insert_at(map, &cursor, cursor.at[0] + behind_all, entry);
}

/* Moves all entries of the node on the right of `at` in `parent` into the one on its left. */
static void join(struct vm_virtual_map *map, struct map_node *parent, uint32_t at)
{
    struct map_node *left = parent->child[at - 1], *right = parent->child[at];
    for (uint32_t i = 0; i < right->count; i++)
        append(left, get_entry(right, i));
    remove_entry(parent, at);
    set_entry(parent, at - 1, summary(left));
    give_spare(map, right);
}

/* Evens out the nodes on both sides of `at` in `parent`. */
static void share(struct map_node *parent, uint32_t at)
{
    struct map_node *left = parent->child[at - 1], *right = parent->child[at];
    while (left->count > right->count + 1) {
        insert_entry(right, 0, get_entry(left, count_of(left) - 1));
        cut(left, count_of(left) - 1);
    }
    while (right->count > left->count + 1) {
        append(left, get_entry(right, 0));
        remove_entry(right, 0);
    }
    set_entry(parent, at - 1, summary(left));
    set_entry(parent, at, summary(right));
}

/* A node with few entries joins a neighbour, or gets some of its entries. */
static void refill(struct vm_virtual_map *map, struct map_cursor *cursor, uint32_t level)
{
    struct map_node *parent = cursor->node[level + 1];
    uint32_t at = cursor->at[level + 1];
    uint32_t right = at + 1 < parent->count ? at + 1 : at;
    const struct map_node *one = parent->child[right - 1], *other = parent->child[right];
    if (one->count + other->count <= MAP_FANOUT - FEW)
        join(map, parent, right);
    else
        share(parent, right);
}

static void drop_roots(struct vm_virtual_map *map)
{
    while (map->height > 0 &&
           (map->root->count == 0 || (map->root->count == 1 && map->height > 1))) {
        struct map_node *root = map->root;
        map->root = root->count == 0 ? NULL : root->child[0];
        map->height--;
        give_spare(map, root);
    }
}

void map_remove(struct vm_virtual_map *map, vm_region *region)
{
    struct map_cursor cursor;
    bool found = descend(map, region->base, &cursor);
    VM_ASSERT(found && cursor_region(&cursor) == region);
    uint32_t level = 0;
    note_change(map);
    map->count--;
    remove_entry(cursor.node[0], cursor.at[0]);
    for (; level + 1 < cursor.height && cursor.node[level]->count < FEW; level++)
        refill(map, &cursor, level);
    if (cursor.node[level]->count > 0)
        propagate(&cursor, level);
    drop_roots(map);
}

void map_change(struct vm_virtual_map *map, vm_region *region, addr_t base, addr_t size)
{
    struct map_cursor cursor;
    bool found = descend(map, region->base, &cursor);
    VM_ASSERT(found && cursor_region(&cursor) == region);
    region->base = base;
    region->size = size;
    set_entry(cursor.node[0], cursor.at[0], (struct map_entry){base, base + (size - 1), 0, region});
    note_change(map);
    propagate(&cursor, 0);
}

/* ---- the checker's part ------------------------------------------------------------------------- */

/* One pass over all nodes, bottom-up in the order of a cursor that steps through the leaves. */
static unsigned check_path(const struct vm_virtual_map *map, const struct map_cursor *cursor)
{
    unsigned wrong = 0;
    for (uint32_t level = 0; level < map->height; level++) {
        struct map_node *node = cursor->node[level];
        if (cursor->at[level] != 0)
            continue;
        for (uint32_t i = count_of(node); i < MAP_FANOUT; i++)
            wrong += node->last[i] != UINTPTR_MAX;
        if (level + 1 == map->height)
            continue;
        struct map_entry sum = summary(node);
        struct map_entry kept = get_entry(cursor->node[level + 1], cursor->at[level + 1]);
        wrong += sum.first != kept.first || sum.last != kept.last || sum.gap != kept.gap ||
                 sum.child != kept.child || node->count < FEW;
    }
    return wrong;
}

unsigned map_check(const struct vm_virtual_map *map)
{
    struct map_cursor cursor;
    unsigned wrong = 0;
    size_t count = 0;
    const vm_region *before = NULL;
    for (vm_region *region = map_first(map, 0, &cursor); region; region = map_next(&cursor)) {
        struct map_entry entry = get_entry(cursor.node[0], cursor.at[0]);
        wrong += entry.first != region->base || entry.last != region_last(region);
        wrong += region->base < map->base || region_last(region) > map->last;
        wrong += before && region_last(before) >= region->base;
        wrong += check_path(map, &cursor);
        before = region;
        count++;
    }
    wrong += count != map->count;
    if (wrong)
        vm_print("check: map %p: %u contradictions in the range index\n", (const void *)map, wrong);
    return wrong;
}
