/* SPDX-License-Identifier: MIT */
/* Milliseconds (of CPU time, since others work, too) of a snapshot of memory that is all there, and of which each page
 * was written since the last, or so many pages were: by quire_snapshot, or by fork(2) of a process that has as much;
 * or the least that it can be: Linux takes the right to write from these pages.
 *   snapshot quire|fork|floor MIB ROUNDS all|PAGES
 * prints the best round's milliseconds of it, of its end, the microseconds of the first write to a page after it, and
 * the milliseconds of it on the wall (of the floor the first and the last alone). */
#include <quire/quire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../host/linux/uapi.h"

#define PAGE ((size_t)4096)
struct figures {
    double taken, ended, written, taken_wall;
};

static double read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double seconds(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

/* What is taken between the two calls. */
static double wall, cpu;

static void begin_taking(void)
{
    wall = read_clock(CLOCK_MONOTONIC);
    cpu = seconds();
}

static void end_taking(struct figures *f)
{
    f->taken = (seconds() - cpu) * 1e3;
    f->taken_wall = (read_clock(CLOCK_MONOTONIC) - wall) * 1e3;
}

_Noreturn static void fail(const char *what)
{
    fprintf(stderr, "snapshot: %s %s\n", what, quire_why());
    exit(1);
}

/* Some pages, far from each other. */
static double write_some(volatile unsigned char *at, size_t size, size_t pages)
{
    double begin = seconds();
    for (size_t i = 0; i < pages; i++)
        at[i * (size / pages / PAGE) * PAGE]++;
    return (seconds() - begin) * 1e6 / (double)pages;
}

/* ---- the ways ------------------------------------------------------------------------------- */

static volatile unsigned char *start_quire(size_t size)
{
    struct quire_options options = {.budget = size + size / 4, .overcommit = true};
    struct quire_mapping mapping = {.size = size};
    void *address;
    if (quire_start(&options) != VM_OK || quire_map(&mapping, &address) != VM_OK)
        fail("quire");
    return address;
}

static void round_quire(volatile unsigned char *at, size_t size, size_t pages, struct figures *f)
{
    void *copy;
    begin_taking();
    int error = quire_snapshot((void *)at, &copy);
    end_taking(f);
    if (error != VM_OK)
        fail(vm_error_text(error));
    f->written = write_some(at, size, pages);
    double begin = seconds();
    if (quire_unmap(copy) != VM_OK)
        fail("quire_unmap");
    f->ended = (seconds() - begin) * 1e3;
}

static volatile unsigned char *start_fork(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || madvise(at, size, MADV_NOHUGEPAGE) != 0)
        fail("mmap");
    return at;
}

/* The child lives until the parent has written. */
static void round_fork(volatile unsigned char *at, size_t size, size_t pages, struct figures *f)
{
    int ends[2];
    char byte;
    if (pipe(ends) != 0)
        fail("pipe");
    begin_taking();
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) != 0);
    }
    end_taking(f);
    if (child < 0)
        fail("fork");
    f->written = write_some(at, size, pages);
    double begin = seconds();
    close(ends[0]);
    close(ends[1]);
    waitpid(child, NULL, 0);
    f->ended = (seconds() - begin) * 1e3;
}

static int uffd;
static bool all; /* pages were written */

static volatile unsigned char *start_floor(size_t size)
{
    volatile unsigned char *at = start_fork(size);
    struct qu_api api = {QU_API, QU_FEATURE_SIGBUS | QU_FEATURE_WP, 0};
    struct qu_register r = {{(uint64_t)(uintptr_t)at, size}, QU_REGISTER_WP, 0};
    uffd = (int)syscall(SYS_userfaultfd, QU_USER_MODE_ONLY);
    if (uffd < 0 || ioctl(uffd, QU_IOC_API, &api) != 0 || ioctl(uffd, QU_IOC_REGISTER, &r) != 0)
        fail("userfaultfd");
    return at;
}

static void protect(volatile unsigned char *at, size_t size, bool on)
{
    struct qu_protect p = {{(uint64_t)(uintptr_t)at, size}, on ? QU_PROTECT_WP : 0};
    if (ioctl(uffd, QU_IOC_PROTECT, &p) != 0)
        fail("UFFDIO_WRITEPROTECT");
}

static void round_floor(volatile unsigned char *at, size_t size, size_t pages, struct figures *f)
{
    *f = (struct figures){0};
    begin_taking();
    if (all)
        protect(at, size, true);
    for (size_t i = 0; !all && i < pages; i++)
        protect(at + i * (size / pages / PAGE) * PAGE, PAGE, true);
    end_taking(f);
    protect(at, size, false);
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

static const struct way {
    const char *name;
    volatile unsigned char *(*start)(size_t size);
    void (*round)(volatile unsigned char *at, size_t size, size_t pages, struct figures *f);
} ways[] = {{"quire", start_quire, round_quire},
            {"fork", start_fork, round_fork},
            {"floor", start_floor, round_floor}};

static const struct way *find_way(const char *name)
{
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (strcmp(ways[i].name, name) == 0)
            return &ways[i];
    fprintf(stderr, "snapshot: %s: no such way\n", name);
    exit(1);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: snapshot quire|fork|floor MIB ROUNDS all|PAGES\n");
        return 1;
    }
    const struct way *way = find_way(argv[1]);
    all = strcmp(argv[4], "all") == 0;
    size_t size = strtoul(argv[2], NULL, 10) << 20, rounds = strtoul(argv[3], NULL, 10);
    size_t pages = all ? 1000 : strtoul(argv[4], NULL, 10);
    if (pages == 0 || pages > size / PAGE)
        return fprintf(stderr, "snapshot: %s: all, or 1 to %zu pages\n", argv[4], size / PAGE) > 0;
    volatile unsigned char *at = way->start(size);
    struct figures best = {1e9, 1e9, 1e9, 1e9}, now;
    for (size_t i = 0; i < rounds; i++) {
        for (size_t page = 0; page < size / PAGE && (all || i == 0); page++)
            at[page * PAGE] = (unsigned char)i;
        way->round(at, size, pages, &now);
        if (!all && i == 0)
            continue;
        best.taken = least(best.taken, now.taken);
        best.ended = least(best.ended, now.ended);
        best.written = least(best.written, now.written);
        best.taken_wall = least(best.taken_wall, now.taken_wall);
    }
    printf("%.4f %.3f %.2f %.4f\n", best.taken, best.ended, best.written, best.taken_wall);
    return 0;
}
