/* SPDX-License-Identifier: MIT */
/* A sort of 64 MiB in 8 MiB: runs that fit are sorted in place, then merged. What isn't in memory is compressed. */
#include <stdio.h>
#include <stdlib.h>

#include <quire/quire.h>

enum { RUN = 1 << 18, RUNS = 16, COUNT = RUN * RUNS };

static int compare(const void *one, const void *other)
{
    unsigned long a = *(const unsigned long *)one, b = *(const unsigned long *)other;
    return (a > b) - (a < b);
}

static void merge(const unsigned long *numbers, unsigned long *sorted)
{
    size_t at[RUNS] = {0};
    for (size_t i = 0; i < COUNT; i++) {
        size_t least = RUNS;
        for (size_t run = 0; run < RUNS; run++)
            if (at[run] < RUN &&
                (least == RUNS || numbers[run * RUN + at[run]] < numbers[least * RUN + at[least]]))
                least = run;
        sorted[i] = numbers[least * RUN + at[least]++];
    }
}

int main(void)
{
    struct quire_options options = {.budget = (size_t)8 << 20};
    struct quire_mapping mapping = {.size = 2 * COUNT * sizeof(unsigned long)};
    struct vm_store_compressed_options store = {.pages = mapping.size / VM_PAGE_SIZE};
    unsigned long random = 1, sum = 0, same = 0;
    void *region;
    if (quire_start(&options) || vm_store_create_compressed(&store, &mapping.store) ||
        quire_map(&mapping, &region))
        return 1;
    unsigned long *numbers = region, *sorted = numbers + COUNT;
    for (size_t i = 0; i < COUNT; sum += numbers[i++])
        numbers[i] = (random = random * 6364136223846793005u + 1442695040888963407u) >> 44;
    for (size_t run = 0; run < RUNS; run++)
        qsort(numbers + run * RUN, RUN, sizeof *numbers, compare);
    merge(numbers, sorted);
    int wrong = 0;
    for (size_t i = 0; i < COUNT; same += sorted[i++])
        wrong |= i > 0 && sorted[i - 1] > sorted[i];
    wrong |= sum != same;
    printf("%d numbers, sorted in 8 MiB: %s\n", COUNT, wrong ? "wrong" : "verified");
    return quire_stop() != VM_OK || wrong;
}
