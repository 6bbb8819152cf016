/* SPDX-License-Identifier: MIT */
/* What accesses to a file cost, one process for each figure:
 *   process WAY PATTERN FILE BUDGET_MIB ACCESSES [THREADS]
 * prints nanoseconds of wall and of CPU time for an access, the faults of all, the peak of RSS in MiB, and the sum
 * of what was read, which is the same for each way. The file is whole pages; "write" changes it. */
#include "process.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MOST_THREADS 16

static const struct way *const ways[] = {&way_mmap,     &way_mmap_random,  &way_pool,
                                         &way_floor,    &way_quire,        &way_quire_64k,
                                         &way_quire_4k, &way_quire_direct, &way_direct_64k};

enum kind { WORD, WHOLE_PAGE, WRITE };

struct pattern {
    const char *name;
    enum kind kind;
    uint32_t (*page)(uint64_t *state, size_t i, size_t pages);
};

struct work {
    pthread_t thread;
    const struct way *way;
    unsigned char *memory;
    const uint32_t *pages; /* to be accessed, in this order */
    size_t count;
    enum kind kind;
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

static uint32_t sequential_page(uint64_t *state, size_t i, size_t pages)
{
    return (uint32_t)((*state + i) % pages);
}

static uint32_t uniform_page(uint64_t *state, size_t i, size_t pages)
{
    (void)i;
    return (uint32_t)(random_of(state) % pages);
}

/* Zipf with exponent 0.99, by inverting the sum's integral; ranks are scattered over the pages. */
static uint32_t zipf_page(uint64_t *state, size_t i, size_t pages)
{
    (void)i;
    const double s = 0.01;
    double most = (pow((double)pages + 0.5, s) - pow(0.5, s)) * uniform_of(state) + pow(0.5, s);
    size_t rank = (size_t)(pow(most, 1 / s) + 0.5);
    return (uint32_t)((rank * 2654435761u) % pages);
}

static const struct pattern patterns[] = {{"read", WHOLE_PAGE, sequential_page},
                                          {"sequential", WORD, sequential_page},
                                          {"uniform", WORD, uniform_page},
                                          {"zipf", WORD, zipf_page},
                                          {"write", WRITE, uniform_page}};

/* Threads that go in sequence begin at different parts of the file. */
static uint32_t *choose(const struct pattern *pattern, size_t pages, size_t count, unsigned thread,
                        unsigned threads)
{
    bool in_sequence = pattern->page == sequential_page;
    uint64_t state = in_sequence ? thread * pages / threads : 12345 + thread * 77;
    uint32_t *chosen = malloc(count * sizeof *chosen);
    if (!chosen)
        fail("malloc");
    for (size_t i = 0; i < count; i++)
        chosen[i] = pattern->page(&state, i, pages);
    return chosen;
}

/* ---- the accesses ------------------------------------------------------------------------------- */

static uint64_t sum_of(const uint64_t *words)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < PAGE / sizeof *words; i++)
        sum += words[i];
    return sum;
}

static void *work(void *argument)
{
    struct work *w = argument;
    for (size_t i = 0; i < w->count; i++) {
        size_t offset = w->pages[i] * PAGE + (w->kind == WHOLE_PAGE ? 0 : (i * 8) % PAGE);
        uint64_t *word = w->memory ? (uint64_t *)(void *)(w->memory + offset)
                                   : w->way->find(offset, w->kind == WRITE);
        if (w->kind == WRITE)
            *(volatile uint64_t *)word = i;
        else
            w->sum += w->kind == WHOLE_PAGE ? sum_of(word) : *(volatile uint64_t *)word;
    }
    return NULL;
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct figures {
    double wall, cpu;
    uint64_t faults, sum;
};

static void run(struct work *works, unsigned threads)
{
    for (unsigned i = 1; i < threads; i++)
        if (pthread_create(&works[i].thread, NULL, work, &works[i]) != 0)
            fail("pthread_create");
    work(&works[0]);
    for (unsigned i = 1; i < threads; i++)
        pthread_join(works[i].thread, NULL);
    works[0].way->finish();
}

static struct figures measure(struct work *works, unsigned threads)
{
    uint64_t (*faults)(void) = works[0].way->faults;
    struct figures f = {seconds_of(CLOCK_MONOTONIC), seconds_of(CLOCK_PROCESS_CPUTIME_ID), faults(),
                        0};
    run(works, threads);
    f.wall = seconds_of(CLOCK_MONOTONIC) - f.wall;
    f.cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - f.cpu;
    f.faults = faults() - f.faults;
    for (unsigned i = 0; i < threads; i++)
        f.sum += works[i].sum;
    return f;
}

/* ---- what is asked for -------------------------------------------------------------------------- */

_Noreturn static void refuse(const char *what, const char *why)
{
    fprintf(stderr, "process: %s: %s\n", what, why);
    exit(1);
}

static const struct way *find_way(const char *name)
{
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (strcmp(ways[i]->name, name) == 0)
            return ways[i];
    refuse(name, "no such way");
}

static const struct pattern *find_pattern(const char *name)
{
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        if (strcmp(patterns[i].name, name) == 0)
            return &patterns[i];
    refuse(name, "no such pattern");
}

static size_t number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*end != 0 || value == 0)
        refuse(text, "not a number from 1 on");
    return value;
}

static int open_file(const char *path, int flags, size_t *size)
{
    struct stat about;
    int fd = open(path, O_RDWR | O_CLOEXEC | flags);
    if (fd < 0 || fstat(fd, &about) != 0)
        fail(path);
    *size = (size_t)about.st_size;
    if (*size == 0 || *size % PAGE != 0)
        refuse(path, "not whole pages");
    return fd;
}

int main(int argc, char **argv)
{
    if (argc < 6 || argc > 7)
        refuse("usage", "process WAY PATTERN FILE BUDGET_MIB ACCESSES [THREADS]");
    const struct way *way = find_way(argv[1]);
    const struct pattern *pattern = find_pattern(argv[2]);
    size_t size, budget = number(argv[4]) << 20, count = number(argv[5]);
    unsigned threads = argc > 6 ? (unsigned)number(argv[6]) : 1;
    if (threads > MOST_THREADS || (threads > 1 && !way->has_threads))
        refuse(argv[6], "too many threads for this way");
    struct work works[MOST_THREADS] = {0};
    int fd = open_file(argv[3], way->open_flags, &size);
    unsigned char *memory = way->start(fd, size, budget);
    for (unsigned i = 0; i < threads; i++)
        works[i] = (struct work){.way = way,
                                 .memory = memory,
                                 .pages = choose(pattern, size / PAGE, count, i, threads),
                                 .count = count,
                                 .kind = pattern->kind};
    struct figures f = measure(works, threads);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double all = (double)(count * threads);
    printf("%.1f %.1f %llu %ld %llu\n", f.wall * 1e9 / all, f.cpu * 1e9 / all,
           (unsigned long long)f.faults, usage.ru_maxrss / 1024, (unsigned long long)f.sum);
    return 0;
}
