/* SPDX-License-Identifier: MIT */
#include "tmap.h"

#include "../print.h"
#include "../system.h"

#define SHARED (&vm_system.kernel_slots)

static unsigned level_shift(const struct vm_tmap_format *format, unsigned level)
{
    return VM_PAGE_SHIFT + level * format->bits;
}

static unsigned slot_of(const struct vm_tmap_format *format, addr_t address, unsigned level)
{
    return (unsigned)(address >> level_shift(format, level)) & ((1u << format->bits) - 1);
}

/* The addresses that one entry on `level` covers, less one. */
static addr_t span_mask(const struct vm_tmap_format *format, unsigned level)
{
    return ((addr_t)1 << level_shift(format, level)) - 1;
}

static uint64_t load(const uint64_t *entry)
{
    return vm_atomic_load(entry, __ATOMIC_RELAXED);
}

/* The table below an entry, or NULL: none, or a large leaf. */
static uint64_t *table_below(const struct vm_tmap_format *format, uint64_t entry)
{
    if (!tmap_is_present(format, entry) || (entry & format->large))
        return NULL;
    return host_frame_ptr(tmap_entry_physical(format, entry));
}

/* ---- coming and going --------------------------------------------------------------------------- */

/* In vm_page.offset of the tables that are the core's own; only those are counted and freed. */
#define IS_TABLE UINT64_MAX

static struct vm_page *own_table(addr_t physical)
{
    struct vm_page *page = vm_page_at(physical);
    return page && page->offset == IS_TABLE ? page : NULL;
}

static struct vm_page *new_table(struct vm_translation_map *map)
{
    struct vm_page *page = vm_page_allocate(VM_PAGE_WIRED, true, VM_INJECT_TABLE);
    if (page) {
        page->offset = IS_TABLE;
        map->tables++;
        vm_atomic_count(&vm_system.table_pages, 1);
    }
    return page;
}

static void free_table(struct vm_translation_map *map, struct vm_page *page, bool is_clear)
{
    map->tables--;
    vm_atomic_count(&vm_system.table_pages, (size_t)-1);
    page->map_count = 0;
    page->offset = 0;
    vm_page_free(page, is_clear);
}

/* Puts a new table below `entry`, which is one of the table at `above`. */
static uint64_t *add_table(struct vm_translation_map *map, uint64_t *entry, addr_t above)
{
    struct vm_page *page = new_table(map);
    if (!page)
        return NULL;
    struct vm_page *parent = own_table(above);
    if (parent)
        parent->map_count++;
    uint64_t number = (uint64_t)page->number << map->format->frame_shift;
    vm_atomic_store(entry, number | map->format->table, __ATOMIC_RELEASE);
    return host_frame_ptr(vm_page_physical(page));
}

int tmap_init(struct vm_translation_map *map, const struct vm_tmap_format *format,
              const struct vm_translation_map *kernel)
{
    *map = (struct vm_translation_map){.format = format};
    map->root_page = new_table(map);
    if (!map->root_page)
        return ERR_NO_MEMORY;
    map->root = vm_page_physical(map->root_page);
    uint64_t *root = host_frame_ptr(map->root);
    const uint64_t *from = kernel ? host_frame_ptr(kernel->root) : NULL;
    for (unsigned i = 0; from && i < SHARED->count; i++)
        root[SHARED->slot[i]] = from[SHARED->slot[i]];
    return VM_OK;
}

static int note_shared(const struct vm_translation_map *map)
{
    const uint64_t *root = host_frame_ptr(map->root);
    SHARED->count = 0;
    for (unsigned i = map->format->kernel_first; i < 1u << map->format->bits; i++) {
        if (root[i] == 0)
            continue;
        if (SHARED->count == TMAP_MAX_SHARED)
            return ERR_INVALID_ARGS;
        SHARED->slot[SHARED->count++] = (uint16_t)i;
    }
    return VM_OK;
}

int tmap_init_kernel(struct vm_translation_map *map, const struct vm_tmap_format *format,
                     addr_t root, addr_t base, addr_t last)
{
    unsigned top = format->levels - 1;
    if (root != 0) {
        *map = (struct vm_translation_map){.format = format, .root = root, .kernel = true};
        return note_shared(map);
    }
    if (tmap_init(map, format, NULL) != VM_OK)
        return ERR_NO_MEMORY;
    map->kernel = true;
    uint64_t *entries = host_frame_ptr(map->root);
    for (unsigned i = slot_of(format, base, top); i <= slot_of(format, last, top); i++)
        if (!add_table(map, &entries[i], map->root)) {
            tmap_destroy(map);
            return ERR_NO_MEMORY;
        }
    return note_shared(map);
}

/* The tables below the kernel's root stay for good: user maps have copies of its entries. */
static void free_kernel_tables(struct vm_translation_map *map)
{
    uint64_t *root = host_frame_ptr(map->root);
    for (unsigned i = map->format->kernel_first; i < 1u << map->format->bits; i++) {
        if (root[i] != 0)
            free_table(map, vm_page_at(tmap_entry_physical(map->format, root[i])), true);
        root[i] = 0;
    }
}

void tmap_destroy(struct vm_translation_map *map)
{
    VM_ASSERT(map->mapped == 0 && !map->retired);
    if (!map->root_page)
        return;
    if (map->kernel)
        free_kernel_tables(map);
    VM_ASSERT(map->tables == 1);
    uint64_t *root = host_frame_ptr(map->root);
    for (unsigned i = 0; !map->kernel && i < SHARED->count; i++)
        root[SHARED->slot[i]] = 0;
    free_table(map, map->root_page, true);
}

/* ---- walking ------------------------------------------------------------------------------------ */

/* The tables on the way to `address`, from the root down; how many there are. */
static unsigned walk(const struct vm_translation_map *map, addr_t address, uint64_t **tables,
                     addr_t *physical)
{
    const struct vm_tmap_format *format = map->format;
    addr_t at = map->root;
    for (unsigned i = 0;; i++) {
        tables[i] = host_frame_ptr(at);
        physical[i] = at;
        unsigned level = format->levels - 1 - i;
        uint64_t entry = level > 0 ? load(&tables[i][slot_of(format, address, level)]) : 0;
        if (!tmap_is_present(format, entry) || (entry & format->large))
            return i + 1;
        at = tmap_entry_physical(format, entry);
    }
}

/* The lowest table for `at`, and the entry that leads to it; NULL: there is none, *level says how high up. */
static uint64_t *find_table(struct vm_translation_map *map, addr_t at, unsigned *level,
                            uint64_t **above)
{
    const struct vm_tmap_format *format = map->format;
    addr_t base = at & ~span_mask(format, 2);
    bool is_known = map->upper && map->upper_base == base;
    uint64_t *table = is_known ? map->upper : host_frame_ptr(map->root);
    *level = is_known ? 2 : format->levels;
    do {
        if (*level == 2) {
            map->upper = table;
            map->upper_base = base;
        }
        --*level;
        *above = &table[slot_of(format, at, *level)];
        table = table_below(format, load(*above));
    } while (table && *level > 1);
    *level = table ? 0 : *level;
    return table;
}

/* Those of the kernel are never: CPUs have no right to lose there. */
static bool is_protected(const struct vm_translation_map *map, const uint64_t *above)
{
    return !map->kernel && (map->format->table & ~load(above) & map->format->writable) != 0;
}

/* The right to write, which the table has lost, is taken from each entry, and the table has it again. No flush: no
 * entry allows more than it did. */
static void spread(const struct vm_translation_map *map, uint64_t *table, uint64_t *above)
{
    uint64_t writable = map->format->writable;
    for (unsigned i = 0; i < 1u << map->format->bits; i++)
        if (load(&table[i]) & writable)
            (void)vm_atomic_fetch_and(&table[i], ~writable, __ATOMIC_RELAXED);
    (void)vm_atomic_fetch_or(above, writable, __ATOMIC_RELEASE);
}

/* The lowest table for `at`, kept as the last that was used; its entries' rights are what they say: a table that is
 * protected as a whole is spread, or, with `is_left`, neither that nor kept: then *is_left is set. NULL: there is none, *level says
 * how high up. */
static uint64_t *look_for_leaf(struct vm_translation_map *map, addr_t at, unsigned *level,
                               bool *is_left)
{
    const struct vm_tmap_format *format = map->format;
    addr_t base = at & ~span_mask(format, 1);
    uint64_t *above;
    *level = 0;
    if (map->leaf && map->leaf_base == base)
        return map->leaf;
    uint64_t *table = find_table(map, at, level, &above);
    if (!table)
        return NULL;
    if (is_protected(map, above)) {
        if (is_left) {
            *is_left = true;
            return table;
        }
        spread(map, table, above);
    }
    map->leaf = table;
    map->leaf_base = base;
    map->leaf_above = above;
    map->leaf_page = own_table(tmap_entry_physical(format, load(above)));
    return table;
}

static uint64_t *find_leaf(struct vm_translation_map *map, addr_t at, unsigned *level)
{
    return look_for_leaf(map, at, level, NULL);
}

/* As find_leaf, where it has found none. NULL: a large leaf is there, or there is no memory. */
static uint64_t *make_leaf(struct vm_translation_map *map, addr_t address)
{
    const struct vm_tmap_format *format = map->format;
    uint64_t *tables[TMAP_MAX_LEVELS];
    addr_t physical[TMAP_MAX_LEVELS];
    unsigned depth = walk(map, address, tables, physical), level;
    while (depth < format->levels) {
        level = format->levels - depth;
        uint64_t *entry = &tables[depth - 1][slot_of(format, address, level)];
        if (load(entry) != 0 || (level == format->levels - 1 && map->kernel) ||
            !(tables[depth] = add_table(map, entry, physical[depth - 1])))
            break;
        physical[depth] = tmap_entry_physical(format, load(entry));
        depth++;
    }
    if (depth == format->levels)
        return find_leaf(map, address, &level);
    tmap_used(map, address, 0);
    tmap_flush(map, address, 1);
    return NULL;
}

uint64_t *tmap_entry(struct vm_translation_map *map, addr_t address, bool make)
{
    unsigned level;
    uint64_t *leaf = find_leaf(map, address, &level);
    if (!leaf && make)
        leaf = make_leaf(map, address);
    return leaf ? &leaf[slot_of(map->format, address, 0)] : NULL;
}

/* The walk goes on behind `end`, if that isn't the end. */
static void advance(struct tmap_walk *walk, addr_t end)
{
    walk->done = end >= walk->last;
    walk->next = end + 1;
}

uint64_t *tmap_run(struct vm_translation_map *map, struct tmap_walk *walk)
{
    const struct vm_tmap_format *format = map->format;
    while (!walk->done) {
        addr_t at = walk->next;
        unsigned level;
        walk->is_protected = false;
        uint64_t *table =
            look_for_leaf(map, at, &level, walk->for_rights ? NULL : &walk->is_protected);
        addr_t end = at | span_mask(format, level > 0 ? level : 1);
        advance(walk, end);
        if (!table)
            continue;
        walk->address = at;
        walk->count = ((end < walk->last ? end : walk->last) - at) / VM_PAGE_SIZE + 1;
        return &table[slot_of(format, at, 0)];
    }
    return NULL;
}

bool tmap_protect_table(struct vm_translation_map *map)
{
    uint64_t writable = map->format->writable & map->format->table;
    if (!map->leaf || !map->leaf_page || map->kernel || writable == 0)
        return false;
    (void)vm_atomic_fetch_and(map->leaf_above, ~writable, __ATOMIC_ACQ_REL);
    map->leaf = NULL;
    return true;
}

/* ---- tables that empty -------------------------------------------------------------------------- */

static void retire(struct vm_translation_map *map, struct vm_page *page)
{
    page->cache = (vm_cache *)(void *)map->retired;
    map->retired = page;
}

/* Takes the lowest table out, if it is empty, and those above that become so.
 * shootdown.pml: retire, in remove */
static void retire_empty(struct vm_translation_map *map, addr_t address, uint64_t **tables,
                         const addr_t *physical, unsigned depth)
{
    for (; depth > 1; depth--) {
        struct vm_page *page = own_table(physical[depth - 1]);
        if (!page || page->map_count > 0 || (map->kernel && depth == 2))
            return;
        unsigned level = map->format->levels - depth + 1;
        /* Before the flush asks which CPUs use the map: who enters it later must not find the table. */
        (void)vm_atomic_exchange(&tables[depth - 2][slot_of(map->format, address, level)], 0,
                                 __ATOMIC_SEQ_CST);
        struct vm_page *parent = own_table(physical[depth - 2]);
        if (parent)
            parent->map_count--;
        retire(map, page);
        map->leaf = map->upper = NULL;
    }
}

void tmap_used(struct vm_translation_map *map, addr_t address, long difference)
{
    struct vm_page *cached = map->leaf ? map->leaf_page : NULL;
    if (cached && map->leaf_base == (address & ~span_mask(map->format, 1)) &&
        (long)cached->map_count + difference > 0) {
        map->mapped = (size_t)((long)map->mapped + difference);
        cached->map_count = (uint32_t)((long)cached->map_count + difference);
        return;
    }
    uint64_t *tables[TMAP_MAX_LEVELS];
    addr_t physical[TMAP_MAX_LEVELS];
    unsigned depth = walk(map, address, tables, physical);
    if (depth == map->format->levels) {
        struct vm_page *page = own_table(physical[depth - 1]);
        map->mapped = (size_t)((long)map->mapped + difference);
        if (page)
            page->map_count = (uint32_t)((long)page->map_count + difference);
    }
    retire_empty(map, address, tables, physical, depth);
}

/* ---- tables that are kept ----------------------------------------------------------------------- */

/* In vm_page.map_count of a table: it counts as in use. */
#define IS_KEPT ((uint32_t)1 << 31)

static addr_t end_of_leaf(const struct vm_translation_map *map, addr_t address)
{
    return address | span_mask(map->format, 1);
}

/* Made tables go where nothing came of them. */
static void unmake(struct vm_translation_map *map, addr_t first, addr_t behind)
{
    for (addr_t at = first; at < behind; at = end_of_leaf(map, at) + 1)
        tmap_used(map, at, 0);
    tmap_flush(map, first, VM_TLB_ALL);
}

static void keep(struct vm_translation_map *map, struct vm_page *leaf)
{
    if (!leaf || (leaf->map_count & IS_KEPT)) /* NULL: the host's */
        return;
    leaf->map_count |= IS_KEPT;
    map->kept++;
}

int tmap_keep(struct vm_translation_map *map, addr_t first, addr_t last)
{
    addr_t at, end;
    first &= ~span_mask(map->format, 1);
    for (at = first, end = 0; end < last; at = end + 1) {
        end = end_of_leaf(map, at);
        if (!tmap_entry(map, at, true)) {
            unmake(map, first, at);
            return ERR_NO_MEMORY;
        }
    }
    for (at = first, end = 0; end < last; at = end + 1) {
        end = end_of_leaf(map, at);
        (void)tmap_entry(map, at, false);
        keep(map, map->leaf_page);
    }
    return VM_OK;
}

void tmap_release(struct vm_translation_map *map, addr_t first, addr_t last)
{
    struct tmap_walk walk = {.next = first, .last = last, .for_rights = true};
    bool released = false;
    while (map->kept > 0) {
        const uint64_t *run = tmap_run(map, &walk); /* and its table is the last used */
        VM_ASSERT(run != NULL);                     /* the range is all of the space's */
        if (!map->leaf_page || !(map->leaf_page->map_count & IS_KEPT))
            continue;
        map->leaf_page->map_count &= ~IS_KEPT;
        map->kept--;
        if (map->leaf_page->map_count == 0) {
            tmap_used(map, walk.address, 0);
            released = true;
        }
    }
    if (released)
        tmap_flush(map, first, VM_TLB_ALL);
}

/* shootdown.pml: send, await */
void tmap_flush(struct vm_translation_map *map, addr_t address, size_t count)
{
    uint64_t cpus = map->kernel ? vm_system.all_cpus : vm_atomic_load(&map->cpus, __ATOMIC_ACQUIRE);
    if (cpus) {
        VM_COUNT(tlb_flushes);
        host_tlb_flush(map->root, cpus, address, count);
    }
    while (map->retired) {
        struct vm_page *page = map->retired;
        map->retired = (vm_page *)(void *)page->cache;
        page->cache = NULL;
        free_table(map, page, true);
    }
}

int tmap_query(struct vm_translation_map *map, addr_t address, addr_t *physical)
{
    const struct vm_tmap_format *format = map->format;
    uint64_t *tables[TMAP_MAX_LEVELS];
    addr_t at[TMAP_MAX_LEVELS];
    unsigned depth = walk(map, address, tables, at);
    unsigned level = format->levels - depth;
    uint64_t entry = load(&tables[depth - 1][slot_of(format, address, level)]);
    if (!tmap_is_present(format, entry))
        return ERR_VM_PAGE_NOT_PRESENT;
    addr_t mask = span_mask(format, level);
    *physical = (tmap_entry_physical(format, entry) & ~mask) | (address & mask);
    return VM_OK;
}
