/* SPDX-License-Identifier: MIT */
/* Pages of one's own: a table of a terabyte of squares that is nowhere. Each page is made when it is first read,
 * and forgotten when memory is short. */
#include <stdio.h>

#include <quire/host.h>
#include <quire/quire.h>

#define NUMBERS ((unsigned long)1 << 37)
#define EACH (VM_PAGE_SIZE / sizeof(unsigned long)) /* on a page */

static void destroy(vm_store *store)
{
    (void)store; /* it is no memory's */
}

static bool has_page(vm_store *store, off_t offset)
{
    (void)store;
    return (unsigned long)offset < NUMBERS * sizeof(unsigned long);
}

static int read_pages(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                      size_t *done)
{
    unsigned long number = (unsigned long)offset / sizeof(unsigned long);
    (void)store;
    for (size_t page = 0; page < count; page++) {
        unsigned long *square = host_frame_ptr(frames[page]);
        for (size_t i = 0; i < EACH; i++, number++)
            square[i] = number * number;
    }
    *done = count * VM_PAGE_SIZE;
    return VM_OK;
}

int main(void)
{
    static const struct vm_store_ops ops = {
        .destroy = destroy, .has_page = has_page, .read = read_pages};
    static vm_store store = {.magic = VM_STORE_MAGIC, .ops = &ops};
    struct quire_options options = {.budget = (size_t)4 << 20};
    struct quire_mapping mapping = {
        .store = &store, .size = NUMBERS * sizeof(unsigned long), .flags = QUIRE_READ_ONLY};
    struct quire_info info = {.read = 0};
    unsigned long wrong = 0;
    void *region;
    if (quire_start(&options) != VM_OK || quire_map(&mapping, &region) != VM_OK)
        return 1;
    const unsigned long *square = region;
    for (unsigned long number = 3; number < NUMBERS; number += NUMBERS / 10007)
        wrong += square[number] != number * number;
    wrong += quire_get_info(&info) != VM_OK || quire_stop() != VM_OK;
    printf("10,007 squares of a table of a terabyte: %lu wrong, %llu pages made, 4 MiB of memory\n",
           wrong, (unsigned long long)info.read);
    return wrong != 0;
}
