/* SPDX-License-Identifier: MIT */
/* Nanoseconds of wall time for an access, one process for each figure:
 *   process WAY PATTERN MIB BUDGET_MIB ACCESSES [THREADS]
 * prints them, nanoseconds of CPU time for an access, the faults, and the peak of RSS in MiB. */
#include "process.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const struct way *const ways[] = {&way_mmap, &way_pool, &way_floor, &way_quire,
                                         &way_quire_4k};

struct work {
    pthread_t thread;
    const struct way *way;
    unsigned char *memory;
    const uint32_t *pages; /* to be accessed, in this order */
    size_t count;
    bool write;
    uint64_t sum;
};

_Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- what is accessed --------------------------------------------------------------------------- */

static uint64_t random_of(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static double uniform_of(uint64_t *state)
{
    return (double)(random_of(state) >> 11) / (double)(1ull << 53);
}

/* Zipf with exponent 0.99, by inverting the sum's integral; ranks are scattered over the pages. */
static uint32_t zipf_of(uint64_t *state, size_t pages)
{
    const double s = 0.01;
    double most = (pow((double)pages + 0.5, s) - pow(0.5, s)) * uniform_of(state) + pow(0.5, s);
    size_t rank = (size_t)(pow(most, 1 / s) + 0.5);
    return (uint32_t)((rank * 2654435761u) % pages);
}

static uint32_t *choose(const char *pattern, size_t pages, size_t count, uint64_t state)
{
    uint32_t *chosen = malloc(count * sizeof *chosen);
    if (!chosen)
        fail("malloc");
    for (size_t i = 0; i < count; i++) {
        if (strcmp(pattern, "sequential") == 0)
            chosen[i] = (uint32_t)(i % pages);
        else if (strcmp(pattern, "zipf") == 0)
            chosen[i] = zipf_of(&state, pages);
        else
            chosen[i] = (uint32_t)(random_of(&state) % pages);
    }
    return chosen;
}

/* ---- the accesses ------------------------------------------------------------------------------- */

static void *work(void *argument)
{
    struct work *w = argument;
    for (size_t i = 0; i < w->count; i++) {
        size_t offset = w->pages[i] * PAGE + (i * 8) % PAGE;
        volatile uint64_t *word = w->memory ? (volatile uint64_t *)(void *)(w->memory + offset)
                                            : w->way->find(offset, w->write);
        if (w->write)
            *word = i;
        else
            w->sum += *word;
    }
    return NULL;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double measure(struct work *works, unsigned threads)
{
    double begin = seconds();
    for (unsigned i = 1; i < threads; i++)
        if (pthread_create(&works[i].thread, NULL, work, &works[i]) != 0)
            fail("pthread_create");
    work(&works[0]);
    for (unsigned i = 1; i < threads; i++)
        pthread_join(works[i].thread, NULL);
    works[0].way->finish();
    return seconds() - begin;
}

/* ---- the file ----------------------------------------------------------------------------------- */

static int make_file(size_t size)
{
    int fd = memfd_create("data", MFD_CLOEXEC);
    static uint64_t block[PAGE / 8];
    uint64_t state = 88172645463325252u;
    if (fd < 0)
        fail("memfd_create");
    for (size_t at = 0; at < size; at += PAGE) {
        for (size_t i = 0; i < PAGE / 8; i++)
            block[i] = random_of(&state);
        if (write(fd, block, PAGE) != (ssize_t)PAGE)
            fail("write");
    }
    return fd;
}

static const struct way *find_way(const char *name)
{
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (strcmp(ways[i]->name, name) == 0)
            return ways[i];
    fprintf(stderr, "process: %s: no such way\n", name);
    exit(1);
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: process WAY PATTERN MIB BUDGET_MIB ACCESSES [THREADS]\n");
        return 1;
    }
    const struct way *way = find_way(argv[1]);
    size_t size = strtoul(argv[3], NULL, 10) << 20, budget = strtoul(argv[4], NULL, 10) << 20;
    size_t count = strtoul(argv[5], NULL, 10);
    unsigned threads = argc > 6 ? (unsigned)strtoul(argv[6], NULL, 10) : 1;
    struct work works[16] = {0};
    int fd = make_file(size);
    unsigned char *memory = way->start(fd, size, budget);
    for (unsigned i = 0; i < threads && i < 16; i++)
        works[i] = (struct work){.way = way,
                                 .memory = memory,
                                 .pages = choose(argv[2], size / PAGE, count, 12345 + i * 77),
                                 .count = count,
                                 .write = strcmp(argv[2], "write") == 0};
    double cpu = cpu_seconds(), taken = measure(works, threads);
    cpu = cpu_seconds() - cpu;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%.1f %.1f %llu %ld\n", taken * 1e9 / (double)(count * threads),
           cpu * 1e9 / (double)(count * threads), (unsigned long long)way->faults(),
           usage.ru_maxrss / 1024);
    return 0;
}
