/* SPDX-License-Identifier: MIT */
/* The tree is as low as its keys allow: a root with one child goes, and so does a node without any. A
 * failed insertion leaves no node behind. */
#include "radix.h"

#include "meta.h"
#include "print.h"

static struct radix_node *new_node(void)
{
    return meta_alloc_clear(sizeof(struct radix_node));
}

static void free_node(struct radix_node *node)
{
    vm_meta_free(node, sizeof *node);
}

/* One level more on top. */
static int grow(struct radix *tree)
{
    struct radix_node *root = new_node();
    if (!root)
        return ERR_NO_MEMORY;
    unsigned height = tree->height + 1;
    root->slot[radix_slot(tree->base, height)] = tree->root;
    root->used = 1;
    tree->root = root;
    tree->height = height;
    tree->base &= ~radix_span_mask(height);
    return VM_OK;
}

static int cover(struct radix *tree, uint64_t key)
{
    if (!tree->root) {
        tree->root = new_node();
        tree->height = 1;
        tree->base = key & ~radix_span_mask(1);
        return tree->root ? VM_OK : ERR_NO_MEMORY;
    }
    while (((key ^ tree->base) & ~radix_span_mask(tree->height)) != 0)
        if (grow(tree) != VM_OK)
            return ERR_NO_MEMORY;
    return VM_OK;
}

/* The leaf for `key`, with all nodes above it, made as needed. */
static struct radix_node *make_leaf(struct radix *tree, uint64_t key)
{
    if (cover(tree, key) != VM_OK)
        return NULL;
    struct radix_node *node = tree->root;
    for (unsigned height = tree->height; height > 1; height--) {
        void **slot = &node->slot[radix_slot(key, height)];
        if (!*slot) {
            if ((*slot = new_node()) == NULL)
                return NULL;
            node->used++;
        }
        node = *slot;
    }
    return node;
}

/* Frees the nodes on the way to `key` that hold nothing. */
static void prune(struct radix *tree, uint64_t key)
{
    struct radix_node *path[RADIX_MAX_HEIGHT + 2];
    unsigned height = tree->height, lowest;
    path[height] = tree->root;
    for (; height > 1 && path[height]->slot[radix_slot(key, height)]; height--)
        path[height - 1] = path[height]->slot[radix_slot(key, height)];
    for (lowest = height; lowest <= tree->height && path[lowest]->used == 0; lowest++) {
        free_node(path[lowest]);
        if (lowest == tree->height) {
            tree->root = NULL;
        } else {
            path[lowest + 1]->slot[radix_slot(key, lowest + 1)] = NULL;
            path[lowest + 1]->used--;
        }
    }
}

/* Takes away roots with one child: the tree is as low as its keys allow. */
static void collapse(struct radix *tree)
{
    while (tree->root && tree->height > 1 && tree->root->used == 1) {
        struct radix_node *root = tree->root;
        uint64_t slot = 0;
        while (!root->slot[slot])
            slot++;
        tree->root = root->slot[slot];
        tree->height--;
        tree->base |= slot << (tree->height * RADIX_BITS);
        free_node(root);
    }
}

static struct radix_node *reserve_leaf(struct radix *tree, uint64_t key)
{
    struct radix_node *leaf = make_leaf(tree, key);
    if (leaf || !tree->root)
        return leaf;
    if (((key ^ tree->base) & ~radix_span_mask(tree->height)) == 0)
        prune(tree, key);
    collapse(tree);
    return NULL;
}

int radix_reserve(struct radix *tree, uint64_t key)
{
    return reserve_leaf(tree, key) ? VM_OK : ERR_NO_MEMORY;
}

int radix_insert(struct radix *tree, uint64_t key, void *value)
{
    struct radix_node *leaf = reserve_leaf(tree, key);
    if (!leaf)
        return ERR_NO_MEMORY;
    void **slot = &leaf->slot[radix_slot(key, 1)];
    VM_ASSERT(*slot == NULL && value != NULL);
    *slot = value;
    leaf->used++;
    return VM_OK;
}

void *radix_replace(struct radix *tree, uint64_t key, void *value)
{
    void **slot = &radix_leaf(tree, key)[key & (RADIX_SLOTS - 1)];
    void *old = *slot;
    VM_ASSERT(old != NULL && value != NULL);
    *slot = value;
    return old;
}

void *radix_take(struct radix *tree, uint64_t key)
{
    void **leaf = radix_leaf(tree, key);
    void *value = leaf ? leaf[key & (RADIX_SLOTS - 1)] : NULL;
    if (value) {
        leaf[key & (RADIX_SLOTS - 1)] = NULL;
        ((struct radix_node *)(void *)leaf)->used--;
    }
    return value;
}

void radix_tidy(struct radix *tree, uint64_t key)
{
    const struct radix_node *leaf = (const struct radix_node *)(void *)radix_leaf(tree, key);
    if (leaf && leaf->used == 0) {
        prune(tree, key);
        collapse(tree);
    }
}

void *radix_remove(struct radix *tree, uint64_t key)
{
    void *value = radix_take(tree, key);
    if (value)
        radix_tidy(tree, key);
    return value;
}

/* The first value in a leaf at or behind *key, which is set to its key, or else to the leaf's end. */
static void *next_in_leaf(const struct radix_node *leaf, uint64_t *key)
{
    unsigned slot = radix_slot(*key, 1);
    while (slot < RADIX_SLOTS && !leaf->slot[slot])
        slot++;
    *key = (*key & ~radix_span_mask(1)) + slot;
    return slot < RADIX_SLOTS ? leaf->slot[slot] : NULL;
}

void *radix_next(const struct radix *tree, uint64_t *key)
{
    if (!tree->root)
        return NULL;
    if (*key < tree->base)
        *key = tree->base;
    while (((*key ^ tree->base) & ~radix_span_mask(tree->height)) == 0) {
        const struct radix_node *node = tree->root;
        unsigned height = tree->height;
        for (; height > 1 && node->slot[radix_slot(*key, height)]; height--)
            node = node->slot[radix_slot(*key, height)];
        void *value = height == 1 ? next_in_leaf(node, key) : NULL;
        if (value)
            return value;
        if (height > 1)
            *key = (*key | radix_span_mask(height - 1)) + 1;
        if (*key == 0)
            return NULL; /* behind the last key there can be */
    }
    return NULL;
}

/* Depth first without recursion: always into the first child left, and back up when none is. */
void radix_clear(struct radix *tree)
{
    struct radix_node *path[RADIX_MAX_HEIGHT + 1];
    unsigned at[RADIX_MAX_HEIGHT + 1] = {0};
    unsigned height = tree->height;
    if (!tree->root)
        return;
    path[height] = tree->root;
    while (height <= tree->height) {
        struct radix_node *child = NULL;
        while (height > 1 && at[height] < RADIX_SLOTS && !child)
            child = path[height]->slot[at[height]++];
        if (child) {
            path[--height] = child;
            at[height] = 0;
        } else {
            free_node(path[height++]);
        }
    }
    tree->root = NULL;
}
