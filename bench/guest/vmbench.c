/* SPDX-License-Identifier: MIT */
/* What virtual memory costs a program, in ticks of the time stamp counter. Under QEMU's -icount
 * with shift 0 a tick is an instruction, of the program and of the kernel together.
 *
 * Prints "row: ticks" for each row; runs as any program, or as the first process of a Linux that
 * has nothing else. Needs the files /bench.data (4 MiB) and /bin/busybox. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define RW (PROT_READ | PROT_WRITE)
#define DATA_PAGES 1024
#define DATA_FILE "/bench.data"

static uint64_t ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static uint8_t *map(size_t pages, int protection, int flags, int file)
{
    void *memory = mmap(NULL, pages * PAGE, protection, flags, file, 0);
    if (memory == MAP_FAILED)
        fail("mmap");
    return memory;
}

static uint8_t *map_anonymous(size_t pages)
{
    return map(pages, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void unmap(uint8_t *memory, size_t pages)
{
    if (munmap(memory, pages * PAGE) != 0)
        fail("munmap");
}

/* A byte in each `step`th page is written, or read; the ticks. */
static uint64_t write_pages(volatile uint8_t *memory, size_t pages, size_t step)
{
    uint64_t start = ticks();
    for (size_t i = 0; i < pages; i += step)
        memory[i * PAGE] = 1;
    return ticks() - start;
}

static uint64_t read_pages(const volatile uint8_t *memory, size_t pages, size_t step)
{
    uint64_t start = ticks();
    for (size_t i = 0; i < pages; i += step)
        (void)memory[i * PAGE];
    return ticks() - start;
}

static void row(const char *name, uint64_t spent, uint64_t count)
{
    printf("%s: %lu\n", name, (unsigned long)((spent + count / 2) / count));
    fflush(stdout);
}

/* ---- calls and faults ---- */

static void call(long number)
{
    __asm__ volatile("syscall" : "+a"(number)::"rcx", "r11", "memory");
}

static void null_call(void)
{
    enum { COUNT = 1000 };
    uint64_t start = ticks();
    for (int i = 0; i < COUNT; i++)
        call(SYS_getppid);
    row("null call", ticks() - start, COUNT);
}

static void anonymous_faults(void)
{
    enum { PAGES = 2000 };
    uint8_t *memory = map_anonymous(PAGES);
    row("anonymous write fault", write_pages(memory, PAGES, 1), PAGES);
    uint64_t start = ticks();
    unmap(memory, PAGES);
    row("munmap, each page", ticks() - start, PAGES);
    memory = map_anonymous(PAGES);
    row("anonymous read fault", read_pages(memory, PAGES, 1), PAGES);
    unmap(memory, PAGES);
}

static void file_faults(void)
{
    int file = open(DATA_FILE, O_RDONLY);
    if (file < 0)
        fail(DATA_FILE);
    uint8_t *memory = map(DATA_PAGES, PROT_READ, MAP_PRIVATE, file);
    read_pages(memory, DATA_PAGES, 1);
    unmap(memory, DATA_PAGES);
    memory = map(DATA_PAGES, PROT_READ, MAP_PRIVATE, file);
    row("file read fault, each page", read_pages(memory, DATA_PAGES, 1), DATA_PAGES);
    unmap(memory, DATA_PAGES);
    memory = map(DATA_PAGES, PROT_READ, MAP_PRIVATE, file);
    row("file read fault, each fault", read_pages(memory, DATA_PAGES, 16), DATA_PAGES / 16);
    unmap(memory, DATA_PAGES);
    memory = map(DATA_PAGES, RW, MAP_PRIVATE, file);
    row("private file write fault", write_pages(memory, DATA_PAGES, 1), DATA_PAGES);
    unmap(memory, DATA_PAGES);
    close(file);
}

/* A child that has all of this process's memory, and does nothing until it is told to end. */
static pid_t start_holder(int *leash)
{
    int ends[2];
    if (pipe(ends) != 0)
        fail("pipe");
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        char byte;
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) != 0);
    }
    close(ends[0]);
    *leash = ends[1];
    return child;
}

static void copy_on_write_faults(void)
{
    enum { PAGES = 1000 };
    int leash;
    uint8_t *memory = map_anonymous(PAGES);
    write_pages(memory, PAGES, 1);
    pid_t child = start_holder(&leash);
    row("copy-on-write fault after fork", write_pages(memory, PAGES, 1), PAGES);
    close(leash);
    waitpid(child, NULL, 0);
    child = start_holder(&leash);
    close(leash);
    waitpid(child, NULL, 0);
    row("copy-on-write fault, by the last owner", write_pages(memory, PAGES, 1), PAGES);
    unmap(memory, PAGES);
}

/* ---- mappings ---- */

static uint64_t map_and_unmap(size_t pages, int count, bool touch)
{
    uint64_t start = ticks();
    for (int i = 0; i < count; i++) {
        uint8_t *memory = map_anonymous(pages);
        if (touch)
            *(volatile uint8_t *)memory = 1;
        unmap(memory, pages);
    }
    return ticks() - start;
}

static void mappings(void)
{
    enum { COUNT = 500, REGIONS = 10000 };
    map_and_unmap(16, 10, true);
    row("mmap+munmap, untouched", map_and_unmap(16, COUNT, false), COUNT);
    row("mmap+munmap, touched", map_and_unmap(16, COUNT, true), COUNT);
    uint8_t *many = map(REGIONS, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    for (size_t i = 0; i < REGIONS; i += 2)
        if (mprotect(many + i * PAGE, PAGE, PROT_READ) != 0)
            fail("mprotect");
    row("mmap+munmap, among 10,000 regions", map_and_unmap(16, COUNT, false), COUNT);
    unmap(many, REGIONS);
}

static uint64_t flip(uint8_t *memory, size_t pages, int count)
{
    uint64_t start = ticks();
    for (int i = 0; i < count; i++)
        if (mprotect(memory, pages * PAGE, i % 2 == 0 ? PROT_READ : RW) != 0)
            fail("mprotect");
    return ticks() - start;
}

/* Between pages that can't be touched: whatever its protection, the region never merges with, or is
 * split from, another. */
static uint8_t *map_apart(size_t pages)
{
    uint8_t *memory = map(pages + 2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1) + PAGE;
    if (mprotect(memory, pages * PAGE, RW) != 0)
        fail("mprotect");
    write_pages(memory, pages, 1);
    return memory;
}

static void unmap_apart(uint8_t *memory, size_t pages)
{
    unmap(memory - PAGE, pages + 2);
}

static void flips(const char *name, size_t pages, int count)
{
    uint8_t *memory = map_apart(pages);
    flip(memory, pages, 2);
    row(name, flip(memory, pages, count), (uint64_t)count);
    unmap_apart(memory, pages);
}

static uint8_t *protected_page;

static void lift(int number)
{
    (void)number;
    mprotect(protected_page, PAGE, RW);
}

static void protection_faults(void)
{
    enum { COUNT = 200 };
    struct sigaction action = {.sa_handler = lift};
    uint64_t spent = 0;
    sigaction(SIGSEGV, &action, NULL);
    protected_page = map_apart(1);
    for (int i = 0; i < COUNT; i++) {
        mprotect(protected_page, PAGE, PROT_READ);
        uint64_t start = ticks();
        *(volatile uint8_t *)protected_page = 2;
        spent += ticks() - start;
    }
    row("protection fault to a handler, mprotect and back", spent, COUNT);
    signal(SIGSEGV, SIG_DFL);
    unmap_apart(protected_page, 1);
}

/* ---- processes ---- */

static void fork_and_wait(const char *name, size_t pages, int count)
{
    uint8_t *memory = map_anonymous(pages);
    write_pages(memory, pages, 1);
    uint64_t spent = 0;
    for (int i = 0; i <= count; i++) {
        uint64_t start = ticks();
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        if (child < 0 || waitpid(child, NULL, 0) != child)
            fail("fork");
        /* The first one leaves the caches warm. */
        if (i > 0)
            spent += ticks() - start;
    }
    row(name, spent, (uint64_t)count);
    unmap(memory, pages);
}

static void exec_and_wait(void)
{
    enum { COUNT = 10 };
    uint64_t spent = 0;
    for (int i = 0; i <= COUNT; i++) {
        uint64_t start = ticks();
        pid_t child = fork();
        if (child == 0) {
            execl("/bin/busybox", "busybox", "true", (char *)NULL);
            _exit(127);
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
            fail("/bin/busybox true");
        if (i > 0)
            spent += ticks() - start;
    }
    row("fork+exec+wait of busybox true", spent, COUNT);
}

int main(void)
{
    null_call();
    anonymous_faults();
    file_faults();
    copy_on_write_faults();
    mappings();
    flips("mprotect flip, 1 page", 1, 200);
    flips("mprotect flip, 2,000 pages", 2000, 20);
    protection_faults();
    fork_and_wait("fork+exit+wait, 200 pages", 200, 10);
    fork_and_wait("fork+exit+wait, 2,000 pages", 2000, 10);
    fork_and_wait("fork+exit+wait, 20,000 pages", 20000, 5);
    exec_and_wait();
    puts("end: 0");
    fflush(stdout);
    if (getpid() == 1 && access("/init", F_OK) == 0)
        reboot(RB_AUTOBOOT);
    return 0;
}
