/* SPDX-License-Identifier: MIT */
/* The ordered index of an address space's regions: a B+-tree by base address, in which each inner
 * node knows the largest gap below it. Regions never overlap. All ends are inclusive ("last"), so
 * that nothing is computed past the end of the address space. */
#ifndef VM_MAP_H
#define VM_MAP_H

#include <quire/types.h>

#include "lock.h"

#define MAP_FANOUT 32     /* a power of two */
#define MAP_MAX_HEIGHT 16 /* nodes below the root are at least a quarter full: 8^16 regions */

/* Arrays rather than an array of entries: a search reads only `last`, in few cache lines. Behind
 * `count` it is UINTPTR_MAX, so a search needs no bounds. */
struct map_node {
    addr_t last[MAP_FANOUT]; /* of the region, or of all regions below */
    addr_t first[MAP_FANOUT];
    void *child[MAP_FANOUT]; /* vm_region in a leaf, else map_node */
    addr_t gap[MAP_FANOUT];  /* bytes of the largest hole between regions below; 0 in a leaf */
    uint64_t count;
};

struct map_entry {
    addr_t first, last, gap;
    void *child;
};

/* Guarded by `lock`; vm_region.base and .size change only with it write-locked, too. */
struct vm_virtual_map {
    struct vm_rwlock lock;
    uint32_t height; /* 0: empty; 1: the root is a leaf */
    struct map_node *root;
    addr_t base, last;
    addr_t alloc_base;     /* the lowest address for regions that don't ask for one */
    uint64_t change_count; /* grows with every change */
    size_t count;          /* regions */
    /* What the last lookup has found, and in which leaf: the next one is often near. Readers race to
     * set them; whoever changes the tree clears them. */
    vm_region *found;
    struct map_node *leaf;
    struct map_node *spare;
    uint32_t spares;
};

/* A place in the tree; good until the tree changes. */
struct map_cursor {
    struct map_node *node[MAP_MAX_HEIGHT];
    uint32_t at[MAP_MAX_HEIGHT];
    uint32_t height;
};

void vm_virtual_map_init(struct vm_virtual_map *map, addr_t base, addr_t size, addr_t alloc_base);
/* Frees the spare nodes; the map must be empty. */
void vm_virtual_map_destroy(struct vm_virtual_map *map);

/* => map: read-locked, all of these. The region that contains `address`, or NULL. */
vm_region *vm_virtual_map_lookup(struct vm_virtual_map *map, addr_t address);
/* The first region that ends at or behind `address`. NULL: none; the cursor can't be used then. */
vm_region *map_first(const struct vm_virtual_map *map, addr_t address, struct map_cursor *cursor);
vm_region *map_next(struct map_cursor *cursor);
/* The region that ends last before `address`, or NULL. */
vm_region *map_before(const struct vm_virtual_map *map, addr_t address);
bool map_is_free(const struct vm_virtual_map *map, addr_t base, addr_t last);

/* How much is kept free below a region, in bytes, from what doesn't ask to be there. */
addr_t map_gap_below(const vm_region *region);

/* What a hole must be like. */
struct map_wish {
    addr_t size, alignment; /* alignment: a power of two */
    addr_t low, high;       /* inclusive bounds of the hole */
    bool top;               /* the highest hole rather than the lowest */
};
/* => map: read-locked. ERR_VM_NO_REGION_SLOT. */
int map_find_gap(const struct vm_virtual_map *map, const struct map_wish *wish, addr_t *base);

/* => map: write-locked, all of these. Makes sure that `n` insertions can't fail. ERR_NO_MEMORY. */
int map_reserve(struct vm_virtual_map *map, unsigned n);
/* Gives back what is reserved, when the insertions don't come. */
void map_unreserve(struct vm_virtual_map *map);
/* By region->base and ->size, which must be free; reserved before. */
void map_insert(struct vm_virtual_map *map, vm_region *region);
void map_remove(struct vm_virtual_map *map, vm_region *region);
/* Changes the region's base and size; it stays between its neighbours. */
void map_change(struct vm_virtual_map *map, vm_region *region, addr_t base, addr_t size);

unsigned map_check(const struct vm_virtual_map *map);

#endif
