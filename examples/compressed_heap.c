/* SPDX-License-Identifier: MIT */
/* A heap of 64 MiB in 8 MiB: what isn't used just now is compressed. The program knows nothing of that: it builds a
 * list, and walks it. */
#include <stdio.h>

#include <quire/quire.h>

enum { NODES = 1 << 20 };
#define HEAP ((size_t)64 << 20)

struct node {
    struct node *next;
    char text[48];
    unsigned long number;
};

static struct node *build(struct node *heap)
{
    struct node *list = NULL;
    for (unsigned long i = 0; i < NODES; i++) {
        struct node *node = &heap[i];
        node->next = list;
        node->number = i;
        snprintf(node->text, sizeof node->text, "this is the node of number %lu", i);
        list = node;
    }
    return list;
}

int main(void)
{
    struct quire_options options = {.budget = (size_t)8 << 20};
    struct quire_mapping mapping = {.name = "heap", .size = HEAP};
    struct vm_store_compressed_options compressed = {.pages = HEAP / VM_PAGE_SIZE,
                                                     .coder = VM_STORE_ZSTD};
    struct vm_store_compressed_info info;
    vm_store *swap;
    unsigned long sum = 0, text_number, wrong = 0;
    void *heap;
    if (quire_start(&options) || vm_store_create_compressed(&compressed, &swap) ||
        quire_add_swap(swap, compressed.pages, "compressed") || quire_map(&mapping, &heap))
        return 1;
    for (const struct node *node = build(heap); node != NULL; node = node->next) {
        sum += node->number;
        wrong += sscanf(node->text, "this is the node of number %lu", &text_number) != 1 ||
                 text_number != node->number;
    }
    wrong += sum != (unsigned long)NODES * (NODES - 1) / 2;
    vm_store_compressed_info(swap, &info);
    printf(
        "a list of %d nodes in a heap of 64 MiB, %lu wrong: 8 MiB of memory, and %zu KiB for %zu "
        "pages that are compressed\n",
        NODES, wrong, info.bytes >> 10, info.pages);
    return quire_stop() != VM_OK || wrong != 0 || info.pages == 0;
}
