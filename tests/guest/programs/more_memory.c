/* SPDX-License-Identifier: MIT */
/* More memory than there is, from a program's side: `figures`, what madvise(MADV_PAGEOUT) changes in /proc;
 * `pattern MIB`, bytes that are written, go and come back; `errors MIB`, the same where swap fails. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define MEBIBYTE ((size_t)1 << 20)
#define PAGED 64 /* pages that `figures` pages out */

static sigjmp_buf broken;

static uint8_t *map(size_t size)
{
    uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return memory;
}

/* ---- figures ---- */

/* The figure behind `name`, of the first line that begins with it at or behind one that begins with
 * `region`; -1: there is none. */
static long figure(const char *path, const char *region, const char *name)
{
    static char text[1 << 16];
    size_t length = 0;
    ssize_t got;
    int file = open(path, O_RDONLY);
    while (file >= 0 && (got = read(file, text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    close(file);
    const char *at = region[0] != '\0' ? strstr(text, region) : text;
    while (at != NULL && strncmp(at, name, strlen(name)) != 0) {
        at = strchr(at, '\n');
        at = at != NULL ? at + 1 : NULL;
    }
    return at != NULL ? atol(at + strlen(name)) : -1;
}

static struct figures {
    long swap_free, written, read;
} now;

static void look(void)
{
    now.swap_free = figure("/proc/meminfo", "", "SwapFree:");
    now.written = figure("/proc/vmstat", "", "pswpout ");
    now.read = figure("/proc/vmstat", "", "pswpin ");
}

static void say(const char *step, const uint8_t *memory)
{
    struct figures before = now;
    char region[32];
    snprintf(region, sizeof(region), "%08lx-", (unsigned long)memory);
    look();
    printf("%s: Swap %ld, SwapPss %ld, VmSwap %ld, SwapFree %+ld, pswpout %+ld, pswpin %+ld\n",
           step, figure("/proc/self/smaps", region, "Swap:"),
           figure("/proc/self/smaps", region, "SwapPss:"),
           figure("/proc/self/status", "", "VmSwap:"), now.swap_free - before.swap_free,
           now.written - before.written, now.read - before.read);
}

static void figures(void)
{
    uint8_t *memory = map(PAGED * PAGE);
    bool right = true;
    look();
    for (size_t i = 0; i < PAGED; i++)
        memory[i * PAGE] = (uint8_t)(i + 1);
    say("written", memory);
    madvise(memory, PAGED * PAGE, MADV_PAGEOUT);
    say("paged out", memory);
    long faults = figure("/proc/vmstat", "", "pgmajfault ");
    for (size_t i = 0; i < PAGED; i++)
        right = right && memory[i * PAGE] == i + 1;
    printf("%s, %s\n", right ? "right" : "wrong",
           figure("/proc/vmstat", "", "pgmajfault ") > faults ? "with major faults" : "in memory");
    say("read", memory);
    madvise(memory, PAGED * PAGE, MADV_PAGEOUT);
    say("paged out unchanged", memory);
    madvise(memory, PAGED * PAGE, MADV_WILLNEED);
    say("needed", memory);
    faults = figure("/proc/vmstat", "", "pgmajfault ");
    for (size_t i = 0; i < PAGED; i++)
        right = right && memory[i * PAGE]++ == i + 1;
    printf("%s, %s\n", right ? "right" : "wrong",
           figure("/proc/vmstat", "", "pgmajfault ") > faults ? "with major faults" : "in memory");
    munmap(memory, PAGED * PAGE);
    printf("VmSwap %ld, SwapFree as before: %s\n", figure("/proc/self/status", "", "VmSwap:"),
           figure("/proc/meminfo", "", "SwapFree:") == figure("/proc/meminfo", "", "SwapTotal:")
               ? "yes"
               : "no");
}

/* ---- bytes ---- */

static uint64_t word_of(size_t page, unsigned round)
{
    return (page + 1) * 0x9e3779b97f4a7c15u + round;
}

static void fill(uint8_t *memory, size_t pages, unsigned round, size_t step)
{
    for (size_t i = 0; i < pages; i += step)
        for (size_t at = 0; at < PAGE; at += sizeof(uint64_t))
            *(uint64_t *)(void *)(memory + i * PAGE + at) = word_of(i, round);
}

static bool is_right(const uint8_t *memory, size_t page, unsigned round)
{
    for (size_t at = 0; at < PAGE; at += sizeof(uint64_t))
        if (*(const uint64_t *)(const void *)(memory + page * PAGE + at) != word_of(page, round))
            return false;
    return true;
}

static void pattern(size_t size)
{
    size_t pages = size / PAGE, wrong = 0;
    uint8_t *memory = map(size);
    fill(memory, pages, 1, 1);
    for (size_t i = 0; i < pages; i++)
        wrong += !is_right(memory, i, 1);
    fill(memory, pages, 2, 3);
    for (size_t i = pages; i-- > 0;)
        wrong += !is_right(memory, i, i % 3 == 0 ? 2 : 1);
    printf("%zu pages, %zu of them wrong\n", pages, wrong);
}

static void on_signal(int number)
{
    siglongjmp(broken, number);
}

static void errors(size_t size)
{
    size_t pages = size / PAGE;
    volatile size_t right = 0, lost = 0, wrong = 0, i = 0;
    uint8_t *memory = map(size);
    signal(SIGBUS, on_signal);
    fill(memory, pages, 1, 1);
    for (; i < pages; i++) {
        if (sigsetjmp(broken, 1) != 0)
            lost++;
        else if (is_right(memory, i, 1))
            right++;
        else
            wrong++;
    }
    printf("%zu pages: %zu right, %zu lost, %zu wrong\n", pages, right, lost, wrong);
}

int main(int argc, char **argv)
{
    size_t size = argc > 2 ? (size_t)atol(argv[2]) * MEBIBYTE : 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && strcmp(argv[1], "figures") == 0)
        figures();
    else if (argc > 2 && strcmp(argv[1], "pattern") == 0)
        pattern(size);
    else if (argc > 2 && strcmp(argv[1], "errors") == 0)
        errors(size);
    else
        return 2;
    return 0;
}
