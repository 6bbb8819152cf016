/* SPDX-License-Identifier: MIT */
/* A snapshot of data that a thread goes on changing. It writes rounds 1, 2, 3 ... to all pages from the first to the
 * last, so at any moment the first pages are of one round and the rest of the one before: so must the snapshot be. */
#include <pthread.h>
#include <stdio.h>

#include <quire/quire.h>

enum { PAGES = 2048, EACH = VM_PAGE_SIZE / sizeof(unsigned long), SNAPSHOTS = 20 };
static volatile unsigned long *data;
static bool ended;

static void *change(void *unused)
{
    for (unsigned long round = 1; !__atomic_load_n(&ended, __ATOMIC_RELAXED); round++)
        for (size_t page = 0; page < PAGES; page++)
            data[page * EACH] = round;
    return unused;
}

/* Whether it is of one moment; the round of its first page. */
static bool is_of_one_moment(const volatile unsigned long *copy, unsigned long *round)
{
    *round = copy[0];
    for (size_t page = 1; page < PAGES; page++)
        if (copy[page * EACH] > copy[(page - 1) * EACH] || copy[page * EACH] + 1 < *round)
            return false;
    return copy[0] == *round;
}

int main(void)
{
    struct quire_options options = {.budget = (size_t)32 << 20};
    struct quire_mapping mapping = {.name = "data", .size = PAGES * VM_PAGE_SIZE};
    unsigned long rounds[SNAPSHOTS], good = 0;
    pthread_t thread;
    void *region, *copy;
    if (quire_start(&options) != VM_OK || quire_map(&mapping, &region) != VM_OK)
        return 1;
    data = region;
    if (pthread_create(&thread, NULL, change, NULL) != 0)
        return 1;
    for (int i = 0; i < SNAPSHOTS; i++) {
        while (data[(PAGES - 1) * EACH] <= (unsigned long)i)
            ; /* so that each is of another round */
        if (quire_snapshot(region, &copy) != VM_OK)
            break;
        good += is_of_one_moment(copy, &rounds[i]) && is_of_one_moment(copy, &rounds[i]) &&
                quire_unmap(copy) == VM_OK;
    }
    __atomic_store_n(&ended, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    printf("%lu of %d snapshots of 8 MiB that was being changed are of one moment each\n", good,
           SNAPSHOTS);
    return quire_stop() != VM_OK || good != SNAPSHOTS;
}
