/* SPDX-License-Identifier: MIT */
/* `policies TRACE [COUNT]` prints how many misses each policy has on a trace, in memories of a quarter and
 * a half of its pages: "accesses N", "pages N", and "PERCENT POLICY MISSES". TRACE is a file that
 * page-switches has written or the name of one that is made up, of COUNT accesses. */
#include <stdio.h>
#include <stdlib.h>

#include "policies.h"

static const struct {
    const char *name;
    size_t (*count)(const struct trace *trace, size_t capacity);
} policies[] = {
    {"opt", count_opt},     {"lru", count_lru},
    {"clock", count_clock}, {"two-lists", count_two_lists},
    {"car", count_car},     {"exact-car", count_exact_car},
    {"sieve", count_sieve}, {"s3-fifo", count_s3_fifo},
};

static void count_all(const struct trace *trace, unsigned percent)
{
    size_t capacity = (size_t)trace->distinct * percent / 100;
    for (size_t i = 0; i < sizeof(policies) / sizeof(*policies); i++)
        printf("%u %s %zu\n", percent, policies[i].name, policies[i].count(trace, capacity));
}

int main(int argc, char **argv)
{
    struct trace trace = {0};
    char *end = NULL;
    unsigned long long count = argc == 3 ? strtoull(argv[2], &end, 10) : 0;
    bool made = argc == 3 && *end == '\0' && count > 0 && trace_make(&trace, argv[1], count);
    if (!made && !(argc == 2 && trace_read(&trace, argv[1]))) {
        fputs("usage: policies FILE | policies NAME COUNT\n", stderr);
        return 2;
    }
    printf("accesses %zu\npages %u\n", trace.count, trace.distinct);
    count_all(&trace, 25);
    count_all(&trace, 50);
    trace_free(&trace);
    return 0;
}
