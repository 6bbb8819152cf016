/* SPDX-License-Identifier: MIT */
/* A radix tree from 64-bit keys to pointers: the pages of a cache, the tables of ids. Its root covers
 * the keys in use, wherever they are, so a tree of neighbours is one node. No locks of its own. */
#ifndef VM_RADIX_H
#define VM_RADIX_H

#include <quire/types.h>

#define RADIX_BITS 6
#define RADIX_SLOTS (1u << RADIX_BITS)
#define RADIX_MAX_HEIGHT 11 /* 64 / 6, rounded up */

struct radix_node {
    void *slot[RADIX_SLOTS]; /* of height 1: the values; else nodes */
    uint64_t used;           /* slots that are not NULL */
};

struct radix {
    struct radix_node *root; /* NULL: empty */
    uint64_t base;           /* the first key that root covers */
    unsigned height;
};

static inline uint64_t radix_span_mask(unsigned height)
{
    return height * RADIX_BITS >= 64 ? UINT64_MAX : ((uint64_t)1 << (height * RADIX_BITS)) - 1;
}

static inline unsigned radix_slot(uint64_t key, unsigned height)
{
    return (unsigned)(key >> ((height - 1) * RADIX_BITS)) & (RADIX_SLOTS - 1);
}

/* The 64 values around `key`, which is at [key % 64]; NULL: none of them is there. */
static inline void **radix_leaf(const struct radix *tree, uint64_t key)
{
    struct radix_node *node = tree->root;
    if (!node || ((key ^ tree->base) & ~radix_span_mask(tree->height)) != 0)
        return NULL;
    for (unsigned height = tree->height; height > 1 && node; height--)
        node = node->slot[radix_slot(key, height)];
    return node ? node->slot : NULL;
}

static inline void *radix_lookup(const struct radix *tree, uint64_t key)
{
    void **leaf = radix_leaf(tree, key);
    return leaf ? leaf[key & (RADIX_SLOTS - 1)] : NULL;
}

/* Puts a value into an empty place of a leaf that radix_leaf has found. */
static inline void radix_set(void **leaf, uint64_t key, void *value)
{
    leaf[key & (RADIX_SLOTS - 1)] = value;
    ((struct radix_node *)(void *)leaf)->used++;
}

/* Makes sure that radix_insert of this key can't fail. ERR_NO_MEMORY; the tree may then have an empty
 * node more. */
int radix_reserve(struct radix *tree, uint64_t key);
/* The key must not be there. ERR_NO_MEMORY. */
int radix_insert(struct radix *tree, uint64_t key, void *value);
/* The key must be there; returns the old value. */
void *radix_replace(struct radix *tree, uint64_t key, void *value);
/* As radix_remove, but its leaf stays for the next key, even empty, until radix_tidy. */
void *radix_take(struct radix *tree, uint64_t key);
/* Frees the leaf of `key` if it is empty, and what only led to it. */
void radix_tidy(struct radix *tree, uint64_t key);
/* NULL: it was not there. */
void *radix_remove(struct radix *tree, uint64_t key);
/* The first value at or behind *key, which is set to its key. NULL: none. */
void *radix_next(const struct radix *tree, uint64_t *key);
/* Frees the nodes; the values are the caller's. */
void radix_clear(struct radix *tree);

#endif
